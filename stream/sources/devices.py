"""Which cameras and microphones there are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stream.errors import UserError
from stream.sources.capture import open_capture
from stream.sources.portaudio import load_sounddevice

_SYSFS = Path("/sys/class/video4linux")
_PROBED = 4  # cameras looked for where the system has no list of them


@dataclass(frozen=True)
class Device:
    """A camera or microphone."""

    index: int
    """Number to choose it by."""
    name: str
    """What it calls itself."""


def list_cameras(sysfs: Path = _SYSFS) -> list[Device]:
    """The cameras there are.

    Args:
        sysfs: Where Linux lists them; elsewhere the first few numbers are tried.
    """
    if sysfs.is_dir():
        return sorted(
            (
                Device(int(node.name.removeprefix("video")), (node / "name").read_text().strip())
                for node in sysfs.glob("video*")
                # A camera also has nodes for metadata, with higher numbers.
                if (node / "index").read_text().strip() == "0"
            ),
            key=lambda device: device.index,
        )
    return [Device(index, f"camera {index}") for index in range(_PROBED) if _opens(index)]


def list_microphones() -> list[Device]:
    """The microphones there are.

    Raises:
        UserError: PortAudio is not installed.
    """
    sounddevice = load_sounddevice()
    return [
        Device(index, str(device["name"]))
        for index, device in enumerate(sounddevice.query_devices())
        if device["max_input_channels"] > 0
    ]


def _opens(index: int) -> bool:
    try:
        open_capture(index).release()
    except UserError:
        return False
    return True
