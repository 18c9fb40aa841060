"""PortAudio: which microphone it opens, and a computer without it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stream.errors import UserError
from stream.sources import portaudio
from stream.sources.portaudio import PortAudioStream, load_sounddevice


class Library:
    """A double of the sounddevice module, whose list is as old as its last start."""

    PortAudioError = type("PortAudioError", (Exception,), {})

    def __init__(self, *plugged: str) -> None:
        self.plugged = list(plugged)
        self.starts_fail = False
        self.opened: list[Any] = []
        self._listed: list[str] = []
        self._started = False
        self._initialize()

    def _initialize(self) -> None:
        self._listed, self._started = list(self.plugged), True

    def _terminate(self) -> None:
        if not self._started:
            raise self.PortAudioError("not initialized")
        self._started = False

    def query_devices(self, device: int | str | None = None, kind: str | None = None) -> Any:
        """One device or all."""
        devices = [{"name": name, "default_samplerate": 48_000.0} for name in self._listed]
        if kind is None:
            return tuple(devices)
        if isinstance(device, str):
            found = [each for each in devices if device in each["name"]]
        else:
            found = devices[device or 0 :]
        if not found:
            raise ValueError("No input device matching")
        return found[0]

    def InputStream(self, **options: Any) -> Any:  # noqa: N802 - as in sounddevice
        """A stream that notes what is done with it."""
        stream = SimpleNamespace(**options, done=[])
        stream.start = lambda: self._start(stream)
        stream.abort = lambda: stream.done.append("abort")
        stream.close = lambda: stream.done.append("close")
        self.opened.append(stream)
        return stream

    def _start(self, stream: Any) -> None:
        if self.starts_fail:
            raise self.PortAudioError("device unavailable")


def _has_portaudio() -> bool:
    try:
        load_sounddevice()
    except UserError:
        return False
    return True


def _library(monkeypatch: pytest.MonkeyPatch, *plugged: str) -> Library:
    library = Library(*plugged)
    monkeypatch.setattr(portaudio, "load_sounddevice", lambda: library)
    return library


def _open(name: str | None, known_as: str | None = None) -> PortAudioStream:
    return PortAudioStream(name, known_as, lambda *block: None, lambda: None)


def test_a_block_comes_with_its_rate_and_whether_sound_was_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the receiver needs to put it on the clock; closing waits for nothing."""
    library, heard = _library(monkeypatch, "Built-in"), list[Any]()
    stream = PortAudioStream(None, None, lambda *block: heard.append(block), lambda: None)
    block = np.zeros((480, 1), np.float32)
    library.opened[0].callback(block, 480, None, SimpleNamespace(input_overflow=1))
    assert heard == [(block, 48_000, True)]
    assert stream.device_name == "Built-in"
    stream.close()
    assert library.opened[0].done == ["abort", "close"]


def test_a_microphone_that_was_plugged_in_later_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """PortAudio is started anew for that, unless another microphone would fall silent."""
    library = _library(monkeypatch, "Built-in")
    library.plugged.append("USB")
    with pytest.raises(UserError, match="'USB'"):
        _open("USB")
    other = _open("Built-in")
    with pytest.raises(UserError, match="'USB'"):
        _open("USB", known_as="USB")
    other.close()
    _open("USB", known_as="USB").close()


def test_a_number_means_the_same_microphone_when_it_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Numbers shift; opening another microphone would listen to somebody else."""
    library = _library(monkeypatch, "Built-in", "USB: Audio (hw:1,0)")
    first = _open("1")
    assert first.device_name == "USB: Audio (hw:1,0)"
    first.close()
    library.plugged = ["Built-in", "Headset (hw:1,0)", "USB: Audio (hw:2,0)"]
    again = _open("1", known_as=first.device_name)
    assert again.device_name == "USB: Audio (hw:2,0)"
    again.close()
    library.plugged = ["Built-in", "Headset (hw:1,0)"]
    with pytest.raises(UserError, match="cannot open microphone '1'"):
        _open("1", known_as=first.device_name)
    library.plugged = ["Built-in", "USB: Audio (hw:1,0)"]
    same = _open("1", known_as=first.device_name)
    assert library.opened[-1].device == 1
    same.close()


def test_a_stream_that_does_not_start_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program may have the device for itself."""
    library = _library(monkeypatch, "Built-in")
    library.starts_fail = True
    with pytest.raises(UserError, match=r"no microphone was found.*--no-audio"):
        _open(None)
    assert library.opened[0].done == ["close"]


def test_a_start_of_portaudio_that_failed_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next try starts it."""
    library = _library(monkeypatch, "Built-in")
    library._terminate()
    _open(None, known_as="Built-in").close()


@pytest.mark.skipif(_has_portaudio(), reason="PortAudio is installed here")
def test_a_missing_portaudio_library_says_what_to_install() -> None:
    """One line that names the package, and the option to do without."""
    with pytest.raises(UserError, match=r"apt install libportaudio2.*--no-audio"):
        _open(None)


@pytest.mark.skipif(not _has_portaudio(), reason="PortAudio is not installed here")
def test_a_missing_microphone_is_named() -> None:
    """One line that names the microphone and where to find the others."""
    with pytest.raises(UserError, match=r"'no such microphone'.*run_live\.py devices"):
        _open("no such microphone")
