"""A microphone through PortAudio."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from types import ModuleType
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from stream.audio import clean
from stream.errors import UserError
from stream.media import AudioChunk
from stream.sources.sound import MonoResampler

_OTHERWISE = "or use --no-audio"
_LARGEST_JITTER = 0.25  # seconds between when a block came and when it was due


def load_sounddevice() -> ModuleType:
    """The sounddevice module; importing it fails where the PortAudio library is missing.

    Raises:
        UserError: PortAudio is not installed.
    """
    try:
        import sounddevice
    except OSError as error:
        raise UserError(
            "the PortAudio library, which reads microphones, is missing; install it (Debian: "
            f"apt install libportaudio2; macOS: brew install portaudio) {_OTHERWISE}"
        ) from error
    return sounddevice


class BlockReceiver:
    """Turns the blocks of a sound card into chunks.

    Args:
        put: Takes each chunk.
        clock: Media seconds.
        sample_rate: Of the sound card.
    """

    def __init__(
        self, put: Callable[[AudioChunk], None], clock: Callable[[], float], sample_rate: int
    ) -> None:
        self._put, self._clock, self._rate = put, clock, sample_rate
        self._resampler = MonoResampler()
        self._next: float | None = None
        self.overflows = 0
        """Times that the sound card had to throw sound away."""

    def receive(self, block: NDArray[np.float32], overflowed: bool = False) -> None:
        """Take a block that was just recorded, shape (N, channels)."""
        duration = len(block) / self._rate
        arrived = self._clock() - duration
        # Blocks arrive in bursts, but follow each other on the card: count on, unless the card
        # lost sound or the count and the clock have come apart.
        late = self._next is None or abs(arrived - self._next) > _LARGEST_JITTER
        time = max(0.0, arrived) if late or overflowed or self._next is None else self._next
        self._next = time + duration
        self.overflows += overflowed
        mono = clean(block.mean(axis=1))
        frame = av.AudioFrame.from_ndarray(mono[None], format="flt", layout="mono")
        frame.sample_rate = self._rate
        frame.time_base = Fraction(1, self._rate)
        for chunk in self._resampler.push(frame, time):
            self._put(chunk)


class Microphone:
    """An open microphone: it delivers until it is closed.

    Args:
        name: Part of its name, or its number as `run_live.py devices` shows it; None for the
            default one.
        put: Takes each chunk, in a thread of PortAudio.
        clock: Media seconds.

    Raises:
        UserError: PortAudio or the microphone is missing or busy.
    """

    def __init__(
        self, name: str | None, put: Callable[[AudioChunk], None], clock: Callable[[], float]
    ) -> None:
        sounddevice = load_sounddevice()
        device: int | str | None = int(name) if name is not None and name.isdigit() else name
        shown = "no microphone was found" if name is None else f"cannot open microphone {name!r}"
        try:
            rate = int(sounddevice.query_devices(device, "input")["default_samplerate"])
            self._receiver = BlockReceiver(put, clock, rate)
            self._stream = sounddevice.InputStream(
                samplerate=rate, device=device, channels=1, dtype="float32", callback=self._on_block
            )
            self._stream.start()
        except (sounddevice.PortAudioError, ValueError, OSError) as error:
            raise UserError(
                f"{shown}; connect one, choose one of `run_live.py devices` with --mic {_OTHERWISE}"
            ) from error

    @property
    def overflows(self) -> int:
        """Times that sound was lost because the computer was too busy."""
        return self._receiver.overflows

    def close(self) -> None:
        """Stop delivering."""
        self._stream.stop()
        self._stream.close()

    def _on_block(self, block: NDArray[np.float32], count: int, time: Any, status: Any) -> None:
        self._receiver.receive(block, bool(status.input_overflow))
