"""A voice as a vector: GE2E d-vectors (Wan et al., arXiv 1710.10467).

Vectors of one voice point the same way, whatever is said. The network is that of the
package Resemblyzer: three LSTM layers over 40 mel bands, trained on English speech.

Letters in shapes: N samples, F frames, W windows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from stream.errors import UserError
from stream.media import SAMPLE_RATE, Samples

WINDOW_SECONDS = 1.6
"""What the network listens to at a time, as in its training."""
STEP_SECONDS = 0.8
"""From a window to the next in longer sound."""
SHORTEST_SECONDS = 0.4
"""Less sound than this has no vector."""
LEVEL = 10 ** (-30 / 20)
"""Root mean square to which all sound is brought: the mel powers are not logarithmic."""
SIZE = 256
"""Of a vector."""

_BANDS = 40
_LENGTH = 400  # samples of a frame, 25 ms
_HOP = 160  # samples from a frame to the next, 10 ms
_FRAMES = round(WINDOW_SECONDS * SAMPLE_RATE / _HOP)
_STEP = round(STEP_SECONDS * SAMPLE_RATE / _HOP)
_COVERED = 0.75  # share of a last window that must be sound
_QUIET = 1e-5  # root mean square of what counts as silence

Floats = NDArray[np.float32]


class VoiceEmbedding:
    """Gives the vector of a voice; about 15 ms for 1.6 s on one core, 8 ms for more at once.

    Args:
        model_path: The prepared model `speaker-embedding`.

    Raises:
        UserError: The file is missing or is not that model.
    """

    def __init__(self, model_path: Path) -> None:
        self._session = _load(model_path)

    def __call__(self, samples: Samples) -> Floats | None:
        """The vector of a voice: the mean over windows, of length 1.

        Args:
            samples: Shape (N,), 16 kHz, finite; one person's speech, without long pauses.

        Returns:
            Shape (256,), each number at least 0; None of silence, or of less than 0.4 s.
        """
        if len(samples) < SHORTEST_SECONDS * SAMPLE_RATE:
            return None
        power = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
        if power < _QUIET:
            return None
        mel = mel_spectrogram(samples * np.float32(LEVEL / power))
        (voices,) = self._session.run(None, {"mel": _windows(mel)})
        return _unit(_unit(voices).mean(0))


def mel_spectrogram(samples: Samples) -> Floats:
    """Power in 40 mel bands every 10 ms, (N,) -> (F, 40), as librosa's `melspectrogram`.

    Frames of 25 ms are centred, the first on the first sample; beyond the ends is silence.
    """
    padded = np.pad(np.asarray(samples, np.float32), _LENGTH // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _LENGTH)[::_HOP]
    spectrum = np.fft.rfft(frames * _HANN)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    return np.asarray(power @ _FILTERS, np.float32)


def _windows(mel: Floats) -> Floats:
    """Overlapping windows (W, 160, 40); one shorter window where there is less sound."""
    if len(mel) <= _FRAMES:
        return mel[None]
    last = len(mel) - round(_COVERED * _FRAMES)
    starts = range(0, max(last, 0) + 1, _STEP)
    missing = max(0, starts[-1] + _FRAMES - len(mel))
    padded = np.pad(mel, ((0, missing), (0, 0)))
    return np.stack([padded[start : start + _FRAMES] for start in starts])


def _unit(vectors: Floats) -> Floats:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-9), np.float32)


def _mel_filters() -> Floats:
    """Triangles in mel of equal area, (201, 40): Slaney's Auditory Toolbox (1998), 0 to 8 kHz."""
    edges = _mel_to_hertz(np.linspace(0.0, _hertz_to_mel(SAMPLE_RATE / 2), _BANDS + 2))
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    frequencies = np.fft.rfftfreq(_LENGTH, 1 / SAMPLE_RATE)[:, None]
    rising = (frequencies - low) / (middle - low)
    falling = (high - frequencies) / (high - middle)
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(triangles * 2 / (high - low), np.float32)


# Slaney's scale: linear up to 1 kHz, which is 15 mel, then 27 mel to a factor of 6.4.
_LINEAR_HERTZ, _LINEAR_MEL, _STEP_MEL = 1000.0, 15.0, 27 / np.log(6.4)


def _hertz_to_mel(hertz: float) -> float:
    """Of frequencies from 1 kHz."""
    return float(_LINEAR_MEL + _STEP_MEL * np.log(hertz / _LINEAR_HERTZ))


def _mel_to_hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    linear = mel * _LINEAR_HERTZ / _LINEAR_MEL
    above = _LINEAR_HERTZ * np.exp((mel - _LINEAR_MEL) / _STEP_MEL)
    return np.where(mel < _LINEAR_MEL, linear, above)


_FILTERS = _mel_filters()
_HANN = np.asarray(np.hanning(_LENGTH + 1)[:-1], np.float32)


def _load(model_path: Path) -> Any:
    if not model_path.is_file():
        raise UserError(f"no voice network at {model_path}; run `make setup` to fetch the weights")
    options = onnxruntime.SessionOptions()  # type: ignore[attr-defined]
    # A window is one step after another, so there is nothing to share out.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    unusable = (
        f"{model_path} is not the speaker embedding; "
        "fetch it with `python -m export.models speaker-embedding`"
    )
    try:
        session = onnxruntime.InferenceSession(  # type: ignore[attr-defined]
            str(model_path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's own classes derive from Exception only
        raise UserError(unusable) from error
    shapes = [node.shape[-1] for node in (*session.get_inputs(), *session.get_outputs())]
    if shapes != [_BANDS, SIZE]:
        raise UserError(unusable)
    return session
