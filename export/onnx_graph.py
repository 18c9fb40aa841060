"""Write a small network as an ONNX file, without the onnx package.

ONNX is protobuf (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, where the numbers
of the fields are). The little of it that a fixed network needs is written here, as one
preparation is no reason for everybody to install two more packages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

OPSET = 17
"""Version of the operators."""
_IR_VERSION = 8
_FLOAT, _INT64 = 1, 7
_INT, _INTS = 2, 7
_TYPES = {np.dtype(np.float32): _FLOAT, np.dtype(np.int64): _INT64}
_LENGTH_DELIMITED = 2


@dataclass(frozen=True)
class Node:
    """One operator."""

    operator: str
    inputs: Sequence[str]
    """Names; empty for one that is left out."""
    outputs: Sequence[str]
    settings: Mapping[str, int | Sequence[int]] = field(default_factory=dict)
    """Attributes of the operator."""


def onnx_bytes(
    nodes: Iterable[Node],
    weights: Mapping[str, NDArray[np.float32] | NDArray[np.int64]],
    inputs: Mapping[str, Sequence[int | str]],
    outputs: Mapping[str, Sequence[int | str]],
) -> bytes:
    """The file of a network.

    Args:
        nodes: In the order in which they run.
        weights: By name.
        inputs: Shapes of the float32 inputs by name; a dimension of any size has a name.
        outputs: Likewise.
    """
    graph = [
        *(_message(1, _node(node)) for node in nodes),
        _text(2, "network"),
        *(_message(5, _tensor(name, values)) for name, values in weights.items()),
        *(_message(11, _value(name, shape)) for name, shape in inputs.items()),
        *(_message(12, _value(name, shape)) for name, shape in outputs.items()),
    ]
    opset = [_text(1, ""), _number(2, OPSET)]
    return b"".join([_number(1, _IR_VERSION), _message(7, graph), _message(8, opset)])


def _node(node: Node) -> list[bytes]:
    return [
        *(_text(1, name) for name in node.inputs),
        *(_text(2, name) for name in node.outputs),
        _text(4, node.operator),
        *(_message(5, _setting(name, value)) for name, value in node.settings.items()),
    ]


def _setting(name: str, value: int | Sequence[int]) -> list[bytes]:
    if isinstance(value, int):
        return [_text(1, name), _number(3, value), _number(20, _INT)]
    return [_text(1, name), *(_number(8, one) for one in value), _number(20, _INTS)]


def _tensor(name: str, values: NDArray[np.float32] | NDArray[np.int64]) -> list[bytes]:
    return [
        *(_number(1, size) for size in values.shape),
        _number(2, _TYPES[values.dtype]),
        _text(8, name),
        _field(9, values.astype(values.dtype.newbyteorder("<")).tobytes()),
    ]


def _value(name: str, shape: Sequence[int | str]) -> list[bytes]:
    sizes = [[_text(2, size) if isinstance(size, str) else _number(1, size)] for size in shape]
    tensor = [_number(1, _FLOAT), _message(2, [_message(1, size) for size in sizes])]
    return [_text(1, name), _message(2, [_message(1, tensor)])]


def _message(number: int, parts: Iterable[bytes]) -> bytes:
    return _field(number, b"".join(parts))


def _text(number: int, text: str) -> bytes:
    return _field(number, text.encode())


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the high bit says that more follow."""
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*digits, value])
