"""Media sources behind `open_source`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from stream.errors import UserError
from stream.sources.address import Address, file_path, parse_address
from stream.sources.base import DEFAULT_PARTICIPANT, MediaItem, Pace, Source
from stream.sources.camera import CameraSource
from stream.sources.container import Location
from stream.sources.devices import Device, list_cameras, list_microphones
from stream.sources.file import FileSource
from stream.sources.network import NetworkSource
from stream.sources.tracks import TrackChoice

__all__ = [
    "DEFAULT_PARTICIPANT",
    "Device",
    "MediaItem",
    "Pace",
    "Source",
    "file_path",
    "list_cameras",
    "list_microphones",
    "open_source",
]


def open_source(
    uri: str | Path,
    *,
    pace: Pace = "max",
    audio: bool = True,
    video: bool = True,
    microphone: str | None = None,
    participant: str = DEFAULT_PARTICIPANT,
    audio_track: int | None = None,
    video_track: int | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> Source:
    """The source behind an address, to be opened with `async with`.

    Args:
        uri: A path, `file:///PATH`, `rtsp://HOST/PATH`, `camera://NUMBER`, or `pipe://stdin`
            for standard input.
        pace: How fast to read a file; live sources have their own pace.
        audio: Whether sound is wanted; a file without it is then refused.
        video: Whether pictures are wanted; `camera://0` without them is a microphone.
        microphone: For cameras: part of its name or its number; None for the default one.
        participant: Pseudonymous id of who is seen and heard.
        audio_track: Which of a file's or stream's sound tracks, from 1; None for the main one.
        video_track: Which of its tracks of pictures, from 1; None for the main one.
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
    address = parse_address(uri)
    if address.camera is not None:
        return CameraSource(
            address.camera if video else None,
            microphone=microphone,
            audio=audio,
            participant=participant,
            clock=clock,
            sleep=sleep,
        )
    tracks = TrackChoice(audio=audio_track, video=video_track)
    location, name = replace(_location(address), tracks=tracks), address.name
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


def _location(address: Address) -> Location:
    if address.stream is not None:
        return Location.of_rtsp(address.stream)
    if address.path is not None:
        return Location.of_file(address.path)
    return Location.of_stdin()
