"""Loading a network in TensorFlow Lite form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ai_edge_litert.interpreter import Interpreter

from engine.chatter import without_lines
from stream.errors import UserError

_DELEGATE = "TensorFlow Lite XNNPACK delegate"
"""What LiteRT tells of in each process, though nobody has to know it."""


def load_interpreter(path: Path, named: str, advice: str) -> Any:
    """The interpreter of a network, on one thread; Any, as its package has no types.

    Args:
        path: Of the file.
        named: What the message calls it.
        advice: The next step, for the message.

    Raises:
        UserError: The file is missing or damaged.
    """
    try:
        with without_lines([_DELEGATE]):
            network = Interpreter(str(path), num_threads=1)  # type: ignore[no-untyped-call]
            network.allocate_tensors()  # type: ignore[no-untyped-call]
    except (ValueError, OSError, RuntimeError) as error:
        raise UserError(f"{named} cannot be loaded ({error}): {advice}") from error
    return network
