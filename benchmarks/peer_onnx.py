"""ONNX files of others, opened on one thread of the processor, with errors in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from stream.errors import UserError

Floats = NDArray[np.float64]

DTYPES: Mapping[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}
"""Numpy's types by onnxruntime's names."""


class OnnxClassifier:
    """A graph of which one output is read as C numbers of one example."""

    def __init__(self, path: Path, output: str | None = None) -> None:
        """Open a file.

        Args:
            path: The ONNX; weights beside it are found by onnxruntime.
            output: Name of the output that has the classes; may be None where there is one.

        Raises:
            UserError: There is no such file, onnxruntime cannot read it, or it is not clear
                which output is meant.
        """
        if not path.is_file():
            raise UserError(f"there is no file {path}: give the path of an ONNX model")
        options = onnxruntime.SessionOptions()  # type: ignore[attr-defined]
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what goes wrong is raised too
        try:
            self._session: Any = onnxruntime.InferenceSession(  # type: ignore[attr-defined]
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own classes derive from Exception only
            raise UserError(
                f"onnxruntime cannot read {path} ({first_line(error)}): check that it is a whole "
                "ONNX file with its weights beside it, or export it again"
            ) from error
        self.path = path
        self.inputs: Sequence[Any] = self._session.get_inputs()
        """Nodes with `name`, `shape` and `type`."""
        self._output = self._choose_output(output)

    @property
    def megabytes(self) -> float:
        """Of the file and of the weights beside it (`NAME.onnx.data`, `NAME.onnx_data`)."""
        beside = self.path.parent.glob(f"{self.path.name}[._]data*")
        return sum(one.stat().st_size for one in (self.path, *beside)) / 1e6

    def run(self, feed: Mapping[str, NDArray[Any]]) -> Floats:
        """The C numbers of one example, (C,).

        Args:
            feed: By name of the input, each with a batch of one.

        Raises:
            UserError: The model fails, or what it gives are not C finite numbers.
        """
        try:
            (given,) = self._session.run([self._output], dict(feed))
        except Exception as error:
            shapes = ", ".join(f"{name} {value.shape}" for name, value in feed.items())
            raise UserError(
                f"{self.path} fails on an input {shapes} ({first_line(error)}): check size, "
                "channels and layout, or export it again"
            ) from error
        numbers = np.asarray(given)
        if (
            numbers.ndim == 0
            or numbers.size != max(numbers.shape)
            or numbers.dtype.kind not in "fui"
        ):
            raise UserError(
                f"output {self._output} of {self.path} has shape {numbers.shape} for one example, "
                "not a number for each class: name another output with --output, or export the "
                "model with its classifier"
            )
        if not np.isfinite(numbers).all():
            raise UserError(
                f"{self.path} gives numbers that are not finite: check what it expects as input "
                "(for faces --range, --mean and --std)"
            )
        return numbers.reshape(-1).astype(np.float64)

    def _choose_output(self, wanted: str | None) -> str:
        names = [str(node.name) for node in self._session.get_outputs()]
        if wanted is None and len(names) == 1:
            return names[0]
        if wanted in names:
            return str(wanted)
        there = f"{self.path} has the outputs {', '.join(names)}"
        if wanted is None:
            raise UserError(f"{there}: say with --output which one has the classes")
        raise UserError(f"--output {wanted}: {there}")


def first_line(error: Exception, most: int = 160) -> str:
    """What an error of another library says, in one line."""
    return " ".join(str(error).split())[:most] or type(error).__name__
