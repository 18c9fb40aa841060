"""Media sources behind `open_source`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from stream.errors import UserError
from stream.sources.base import DEFAULT_PARTICIPANT, MediaItem, Pace, Source
from stream.sources.camera import CameraSource
from stream.sources.container import Location
from stream.sources.devices import Device, list_cameras, list_microphones
from stream.sources.file import FileSource
from stream.sources.network import NetworkSource

__all__ = [
    "DEFAULT_PARTICIPANT",
    "Device",
    "MediaItem",
    "Pace",
    "Source",
    "list_cameras",
    "list_microphones",
    "open_source",
]

_KINDS = "a path, file:///PATH, rtsp://HOST/PATH or camera://NUMBER"


def open_source(
    uri: str | Path,
    *,
    pace: Pace = "max",
    audio: bool = True,
    video: bool = True,
    microphone: str | None = None,
    participant: str = DEFAULT_PARTICIPANT,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> Source:
    """The source behind an address, to be opened with `async with`.

    Args:
        uri: A path, `file:///PATH`, `rtsp://HOST/PATH` or `camera://NUMBER`.
        pace: How fast to read a file; live sources have their own pace.
        audio: Whether sound is wanted; a file without it is then refused.
        video: Whether pictures are wanted; `camera://0` without them is a microphone.
        microphone: For cameras: part of its name or its number; None for the default one.
        participant: Pseudonymous id of who is seen and heard.
        clock: Seconds; in tests, another clock.
        sleep: Waits that many seconds; in tests, moves that clock.

    Raises:
        UserError: No source has such an address, or nothing is wanted of it. What is wrong
            with the media itself shows when it is opened.
    """
    if not (audio or video):
        raise UserError("nothing to recognise; leave out --no-audio or --no-video")
    if pace not in ("real", "max"):
        raise UserError(f"no pace {pace!r}; choose --pace real or --pace max")
    address = str(uri)
    scheme, separator, rest = address.partition("://")
    if separator and scheme == "camera":
        return CameraSource(
            _camera_index(rest) if video else None,
            microphone=microphone,
            audio=audio,
            participant=participant,
            clock=clock,
            sleep=sleep,
        )
    location, name = _location(address, scheme if separator else "")
    if location.live:
        return NetworkSource(
            location,
            name=name,
            audio=audio,
            video=video,
            participant=participant,
            clock=clock,
            sleep=sleep,
        )
    return FileSource(
        location,
        name=name,
        pace=pace,
        audio=audio,
        video=video,
        participant=participant,
        clock=clock,
        sleep=sleep,
    )


def _location(address: str, scheme: str) -> tuple[Location, str]:
    """Where a file or stream is, and what to call it."""
    if scheme in ("rtsp", "rtsps"):
        host = _rtsp_host(address)
        return Location.of_rtsp(address), f"{scheme}-{host}"
    if scheme not in ("", "file"):
        raise UserError(f"cannot read {scheme}:// addresses; give {_KINDS}")
    path = Path(unquote(urlsplit(address).path) if scheme else address)
    return Location.of_file(path), path.stem


def _rtsp_host(address: str) -> str:
    try:
        host = urlsplit(address).hostname
    except ValueError:
        host = None
    if not host:
        raise UserError("the RTSP address names no host; write rtsp://HOST/PATH")
    return host


def _camera_index(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise UserError(f"no camera {text!r}; give its number, as `run_live.py devices` shows it")
    return int(text)
