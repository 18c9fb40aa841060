"""Opening a container: choose its tracks, and say in one line why it cannot be read."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.stream import VideoStream

from stream.errors import UserError
from stream.sources.pictures import MAX_PIXELS
from stream.sources.pipe import STDIN, Pipe, is_regular
from stream.sources.pyav import open_container
from stream.sources.tracks import TrackChoice, audio_track, video_track

PIPE_STEP = (
    "an mp4 or mov must have its index first (ffmpeg -movflags +faststart); or name the file"
)
"""What to do about media in a pipe that cannot be read."""

_TEXT_FORMATS = {"tty"}  # FFmpeg draws any text file as a terminal; nobody means that


@dataclass(frozen=True)
class Location:
    """Where media is read from."""

    url: str
    """As FFmpeg takes it; may hold a password, so never shown."""
    shown: str
    """As messages show it."""
    live: bool = False
    """Whether it is a stream that goes on while nobody reads."""
    timeout_seconds: float = 10.0
    """Longest wait for an answer, and for the next packet."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Options of FFmpeg's demuxer and protocol."""
    tracks: TrackChoice = field(default_factory=TrackChoice)
    """Which of its tracks to read."""

    source: Pipe | None = None
    """What is read instead of `url`; it cannot be opened twice."""

    @classmethod
    def of_stdin(cls) -> Location:
        """Standard input: a pipe, or a file that a shell has opened.

        Raises:
            UserError: It is a terminal, or closed.
        """
        shown = "standard input"
        if sys.stdin is None:  # its number may by now be that of something else
            raise UserError(f"{shown} is closed; pipe media into it, or name a file")
        if is_regular(STDIN):  # it can be read from any place, as some formats need
            return cls("file:/dev/stdin", shown, options={"protocol_whitelist": "file"})
        return cls("pipe:", shown, source=Pipe(STDIN))

    @classmethod
    def of_file(cls, path: Path) -> Location:
        """A file. Playlists in it reach no network, and odd names are no URLs."""
        options = {"protocol_whitelist": "file"}
        return cls(f"file:{path.absolute()}", str(path), options=options)

    @classmethod
    def of_rtsp(cls, url: str, timeout_seconds: float = 10.0) -> Location:
        """An RTSP camera or server, read over TCP because UDP loses packets."""
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        return cls(
            url,
            f"{parts.scheme}://{host}{parts.path}",
            live=True,
            timeout_seconds=timeout_seconds,
            options={"rtsp_transport": "tcp"},
        )


@dataclass(frozen=True)
class OpenMedia:
    """An open container and the tracks to read."""

    container: InputContainer
    """To be closed by whoever reads it."""
    audio: AudioStream | None
    """The sound track to read, if any."""
    video: VideoStream | None
    """The picture track to read, if any."""


def open_media(location: Location, *, audio: bool, video: bool) -> OpenMedia:
    """Open a container and choose one track of each wanted kind.

    Raises:
        UserError: It is missing, unreachable or no media, or lacks what is wanted.
    """
    container = open_location(location)
    try:
        media = OpenMedia(
            container,
            audio_track(container, location.shown, location.tracks.audio) if audio else None,
            video_track(container, location.shown, location.tracks.video) if video else None,
        )
        _check(media, location.shown, audio=audio)
        return media
    except BaseException:
        container.close()
        raise


def open_location(location: Location) -> InputContainer:
    """Open a container.

    Raises:
        UserError: It is missing, unreachable or no media.
    """
    shown, wait = location.shown, location.timeout_seconds
    not_media = f"{shown} is no readable audio or video: damaged, cut off or of another kind"
    next_step = "try to play it, and export or record it again"
    started = time.monotonic()
    try:
        container = open_container(
            location.source or location.url, options=dict(location.options), timeout=(wait, wait)
        )
    except (av.error.FFmpegError, OSError, ValueError) as error:
        if location.live:
            waited = time.monotonic() - started
            raise UserError(_unreachable(location, error, waited)) from error
        # Which error says so differs: the demuxer sees a hole as invalid data or as a bad read.
        reasons: dict[type[Exception], str] = {
            FileNotFoundError: f"no file {shown}; check the path",
            IsADirectoryError: f"{shown} is a folder; name one audio or video file in it",
            PermissionError: f"no permission to read {shown}; change its permissions",
        }
        reason = next((text for kind, text in reasons.items() if isinstance(error, kind)), None)
        if location.source is not None:
            next_step = PIPE_STEP
        raise UserError(reason or f"{not_media}; {next_step}") from error
    if container.format.name in _TEXT_FORMATS:
        container.close()
        raise UserError(f"{not_media}; {next_step}")
    return container


def _unreachable(location: Location, error: Exception, waited: float) -> str:
    where, wait = location.shown, location.timeout_seconds
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return f"{where} refuses the login; write rtsp://USER:PASSWORD@HOST/PATH"
    if isinstance(error, av.error.HTTPNotFoundError):
        return f"{where} has no such stream; check the path after the host name"
    if waited >= wait:  # FFmpeg's own error says only that there was no valid answer
        return f"{where} did not answer within {wait:g} s; check the address and the network"
    return f"cannot reach {where}; check the address, and that the camera or server is on"


def _check(media: OpenMedia, shown: str, *, audio: bool) -> None:
    if audio and media.audio is None:
        raise UserError(
            f"{shown} has {_no_sound(media.container)}; use --no-audio to recognise from its "
            "pictures alone"
            if video_track(media.container, shown)
            else f"{shown} has neither sound nor pictures that can be decoded; convert it first"
        )
    if media.audio is None and media.video is None:
        raise UserError(f"{shown} has no pictures; leave out --no-audio to use its sound")
    if media.video is not None:
        context = media.video.codec_context
        if context.width * context.height > MAX_PIXELS:
            raise UserError(
                f"{shown} has pictures of {context.width}x{context.height}, which is too large; "
                "scale it down, for example to 1280x720, or use --no-video"
            )
        # The size can also grow later: the decoder itself must refuse it.
        context.options = {**context.options, "max_pixels": str(MAX_PIXELS)}


def _no_sound(container: InputContainer) -> str:
    return "no sound that can be decoded" if container.streams.audio else "no audio track"
