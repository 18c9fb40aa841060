"""Microphones through PortAudio."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stream.errors import UserError

_OTHERWISE = "or use --no-audio"


class Stream(Protocol):
    """A microphone that delivers until it is closed."""

    @property
    def device_name(self) -> str:
        """What the microphone calls itself."""

    def close(self) -> None:
        """Stop delivering."""


Heard = Callable[[NDArray[np.float32], int, bool], None]
"""Takes a block, shape (N, channels), its sample rate, and whether sound before it was lost."""

OpenStream = Callable[[str | None, str | None, Heard, Callable[[], None]], Stream]
"""Opens a microphone, see `PortAudioStream`."""


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


class _PortAudio:
    """What all microphones share: PortAudio lets in one thread at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.streams = 0
        """Open ones."""

    def refresh(self, sounddevice: ModuleType) -> None:
        """Let PortAudio see what was plugged in since it started, which ends all streams."""
        if self.streams == 0:
            try:
                sounddevice._terminate()
            except sounddevice.PortAudioError:
                pass  # it was not started, because that failed the last time
            sounddevice._initialize()


_portaudio = _PortAudio()


class PortAudioStream:
    """A microphone that delivers, until it is closed.

    Args:
        name: Part of its name, or its number as `run_live.py devices` shows it; None for the
            default one.
        known_as: What it called itself when it was open before; None if it never was.
        heard: Takes each block, in a thread of PortAudio.
        ended: Called when it delivers no more.

    Raises:
        UserError: PortAudio or the microphone is missing or busy.
    """

    def __init__(
        self, name: str | None, known_as: str | None, heard: Heard, ended: Callable[[], None]
    ) -> None:
        sounddevice = load_sounddevice()
        shown = "no microphone was found" if name is None else f"cannot open microphone {name!r}"
        try:
            with _portaudio.lock:
                if known_as is not None:
                    _portaudio.refresh(sounddevice)
                self._open(sounddevice, _choice(sounddevice, name, known_as), heard, ended)
                _portaudio.streams += 1
        except (sounddevice.PortAudioError, ValueError, OSError) as error:
            raise UserError(
                f"{shown}; connect one, choose one of `run_live.py devices` with --mic {_OTHERWISE}"
            ) from error

    def close(self) -> None:
        """Stop delivering."""
        self._stream.abort()  # `stop` would wait for what the card still has to give
        self._stream.close()
        with _portaudio.lock:
            _portaudio.streams -= 1

    def _open(
        self,
        sounddevice: ModuleType,
        device: int | str | None,
        heard: Heard,
        ended: Callable[[], None],
    ) -> None:
        found = sounddevice.query_devices(device, "input")
        self.device_name = str(found["name"])
        rate = int(found["default_samplerate"])

        def on_block(block: NDArray[np.float32], count: int, time: Any, status: Any) -> None:
            heard(block, rate, bool(status.input_overflow))

        self._stream = sounddevice.InputStream(
            samplerate=rate,
            device=device,
            # Of an interface with two inputs, the microphone may be at the second.
            channels=min(2, max(1, int(found.get("max_input_channels", 1)))),
            dtype="float32",
            callback=on_block,
            finished_callback=ended,
        )
        try:
            self._stream.start()
        except BaseException:
            self._stream.close()
            raise


def _choice(sounddevice: ModuleType, name: str | None, known_as: str | None) -> int | str | None:
    """The device as sounddevice takes it: a number, part of a name, or None."""
    if name is None or not name.isdigit():
        return name
    number = int(name)
    names = [str(device["name"]) for device in sounddevice.query_devices()]
    if known_as is None or names[number : number + 1] == [known_as]:
        return number
    # Numbers shift when something is plugged in, and so does the one that ALSA puts in a name.
    return known_as.partition(" (hw:")[0]
