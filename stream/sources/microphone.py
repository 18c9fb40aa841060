"""A microphone as a stretch of sound on the clock, also when it comes and goes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from stream.audio import clean
from stream.errors import UserError
from stream.media import AudioChunk
from stream.sources.keeper import Lease
from stream.sources.mixing import Mixer
from stream.sources.portaudio import OpenStream, PortAudioStream
from stream.sources.sound import MonoResampler, mono_frame

_LARGEST_JITTER = 0.25  # seconds between when a block came and when it was due
_POLL_SECONDS = 0.1


class BlockReceiver:
    """Turns the blocks of a sound card into chunks.

    Args:
        put: Takes each chunk.
        clock: Media seconds.
    """

    def __init__(self, put: Callable[[AudioChunk], None], clock: Callable[[], float]) -> None:
        self._put, self._clock = put, clock
        self._resampler = MonoResampler()
        self._mixer: Mixer | None = None
        self._mixed = (0, 0)  # channels and rate of the mixer
        self._next: float | None = None
        self.overflows = 0
        """Times that the sound card had to throw sound away."""

    def receive(
        self, block: NDArray[np.float32], sample_rate: int, overflowed: bool = False
    ) -> None:
        """Take a block that was just recorded, shape (N, channels)."""
        duration = len(block) / sample_rate
        arrived = self._clock() - duration
        # Blocks arrive in bursts, but follow each other on the card: count on, unless the card
        # lost sound or the count and the clock have come apart.
        late = self._next is None or abs(arrived - self._next) > _LARGEST_JITTER
        time = max(0.0, arrived) if late or overflowed or self._next is None else self._next
        self._next = time + duration
        self.overflows += overflowed
        mono = mono_frame(clean(self._mix(block, sample_rate)), sample_rate)
        for chunk in self._resampler.push(mono, time):
            self._put(chunk)

    def _mix(self, block: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
        channels = block.shape[1]
        if channels == 1:
            return block[:, 0]
        if self._mixer is None or self._mixed != (channels, sample_rate):
            self._mixed = channels, sample_rate
            self._mixer = Mixer(np.full(channels, 1 / channels), sample_rate)
        return self._mixer(block.T)


class Microphone:
    """Reads a microphone each time that it is opened, at whatever rate it then has.

    Args:
        name: Part of its name, or its number as `run_live.py devices` shows it; None for the
            default one.
        put: Takes each chunk, in a thread of PortAudio.
        clock: Media seconds.
        open_stream: Opens it; a double of PortAudio in tests.
    """

    def __init__(
        self,
        name: str | None,
        put: Callable[[AudioChunk], None],
        clock: Callable[[], float],
        *,
        open_stream: OpenStream = PortAudioStream,
    ) -> None:
        self._name, self._open_stream = name, open_stream
        self._known_as: str | None = None
        self._receiver = BlockReceiver(put, clock)
        self.shown = "the microphone" if name is None else f"microphone {name!r}"
        """What messages call it."""

    @property
    def overflows(self) -> int:
        """Times that sound was lost because the computer was too busy."""
        return self._receiver.overflows

    def read(self, lease: Lease) -> None:
        """Open it, and give its sound until the lease is over.

        Raises:
            UserError: PortAudio or the microphone is missing, busy or gone.
        """
        receive = self._receiver.receive

        def heard(block: NDArray[np.float32], sample_rate: int, overflowed: bool) -> None:
            lease.give(partial(receive, block, sample_rate, overflowed))

        ended = threading.Event()
        stream = self._open_stream(self._name, self._known_as, heard, ended.set)
        try:
            self._known_as = stream.device_name
            lease.opened()
            while not lease.over.wait(_POLL_SECONDS):
                if ended.is_set():
                    raise UserError(f"{self.shown} gives no more sound; check its cable")
        finally:
            stream.close()
