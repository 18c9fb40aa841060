"""Voice activity detection with Silero VAD (https://github.com/snakers4/silero-vad).

Raw onnxruntime: about 0.1 ms for a window of 32 ms, so it runs inline.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from stream.errors import UserError
from stream.media import SAMPLE_RATE, Samples

WINDOW_SAMPLES = 512
"""Samples of one probability: 32 ms."""
WINDOW_SECONDS = WINDOW_SAMPLES / SAMPLE_RATE

_CONTEXT_SAMPLES = 64  # the network sees the end of the window before
_INPUTS = {"input", "state", "sr"}


class SileroVad:
    """How likely it is that a window of sound is speech, given all windows before it.

    Args:
        model_path: The 16 kHz ONNX model of Silero VAD, version 5 or later.

    Raises:
        UserError: The file is missing or is not that model.
    """

    def __init__(self, model_path: Path) -> None:
        self._session = _load(model_path)
        self._rate = np.array(SAMPLE_RATE, np.int64)
        self.reset()

    def reset(self) -> None:
        """Forget everything heard so far."""
        self._state = np.zeros((2, 1, 128), np.float32)
        self._context = np.zeros(_CONTEXT_SAMPLES, np.float32)

    def __call__(self, samples: Samples) -> float:
        """Probability of speech in the next window.

        Args:
            samples: Shape (512,), float32 at 16 kHz, finite.

        Raises:
            ValueError: The window has another length.
        """
        if samples.shape != (WINDOW_SAMPLES,):
            raise ValueError(f"expected {WINDOW_SAMPLES} samples, got shape {samples.shape}")
        window = np.concatenate([self._context, samples])[None]
        feed = {"input": window, "state": self._state, "sr": self._rate}
        probability, self._state = self._session.run(None, feed)
        self._context = samples[-_CONTEXT_SAMPLES:].copy()
        return float(probability[0, 0])


def _load(model_path: Path) -> Any:
    if not model_path.is_file():
        raise UserError(f"no voice detector at {model_path}; run `make setup` to fetch the weights")
    options = onnxruntime.SessionOptions()  # type: ignore[attr-defined]
    # More threads only cost: the network is far too small to share out.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    unusable = f"{model_path} is not a Silero VAD model; delete it and run `make setup` again"
    try:
        session = onnxruntime.InferenceSession(  # type: ignore[attr-defined]
            str(model_path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's own classes derive from Exception only
        raise UserError(unusable) from error
    if {node.name for node in session.get_inputs()} != _INPUTS:
        raise UserError(unusable)
    return session
