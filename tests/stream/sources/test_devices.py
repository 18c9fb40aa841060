"""Which cameras and microphones there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.errors import UserError
from stream.sources.devices import Device, list_cameras, list_microphones
from stream.sources.portaudio import load_sounddevice


def test_cameras_are_listed_by_number_with_their_names(tmp_path: Path) -> None:
    """Linux lists every node of a camera; only the first one gives pictures."""
    for number, index, name in [(10, 0, "USB"), (0, 0, "Built-in"), (1, 1, "Built-in")]:
        node = tmp_path / f"video{number}"
        node.mkdir()
        (node / "name").write_text(f"{name}\n")
        (node / "index").write_text(f"{index}\n")
    assert list_cameras(tmp_path) == [Device(0, "Built-in"), Device(10, "USB")]


def test_a_system_without_a_list_is_probed(tmp_path: Path) -> None:
    """Whatever opens is listed; here that may be nothing."""
    cameras = list_cameras(tmp_path / "none")
    assert all(camera.name == f"camera {camera.index}" for camera in cameras)


def test_microphones_are_listed_or_the_missing_library_is_named() -> None:
    """Either there is a list, or one line that says what to install."""
    try:
        load_sounddevice()
    except UserError:
        with pytest.raises(UserError, match="libportaudio2"):
            list_microphones()
    else:
        assert all(microphone.name for microphone in list_microphones())
