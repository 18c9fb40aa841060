"""Which tracks of a container to read, where it has several of a kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from stream.errors import UserError

_Track = TypeVar("_Track", AudioStream, VideoStream)

_COVER = Disposition.attached_pic | Disposition.timed_thumbnails
_FOR_FEW = Disposition.hearing_impaired | Disposition.visual_impaired | Disposition.comment


@dataclass(frozen=True)
class TrackChoice:
    """Which tracks were asked for, by their number among those of their kind, from 1."""

    audio: int | None = None
    """None for the main one."""
    video: int | None = None
    """None for the main one."""


def audio_track(
    container: InputContainer, shown: str, number: int | None = None
) -> AudioStream | None:
    """The sound to read; None where none can be decoded.

    Args:
        container: The open container.
        shown: What messages call it.
        number: Which one was asked for, from 1; None for the main one.

    Raises:
        UserError: There is no such track, or it cannot be decoded.
    """
    best = container.streams.best("audio")
    return _choose(container.streams.audio, best, number, f"audio track of {shown}")


def video_track(
    container: InputContainer, shown: str, number: int | None = None
) -> VideoStream | None:
    """The pictures to read; the cover of a song is none. See `audio_track`."""
    tracks = [track for track in container.streams.video if not track.disposition & _COVER]
    best = container.streams.best("video")
    return _choose(tracks, best, number, f"video track of {shown}")


def decodable(tracks: Sequence[_Track]) -> list[_Track]:
    """Those of them that FFmpeg has a decoder for."""
    return [track for track in tracks if track.codec_context is not None]


def describe(number: int, track: AudioStream | VideoStream) -> str:
    """A track in a few words, for somebody who has to choose one."""
    if track.codec_context is None:
        words = ["cannot be decoded"]
    elif isinstance(track, AudioStream):
        words = [track.codec_context.name, track.codec_context.layout.name]
    else:
        words = [track.codec_context.name, f"{track.codec_context.width}x"]
        words[1] += str(track.codec_context.height)
    words += [track.metadata[key] for key in ("language", "title") if track.metadata.get(key)]
    return f"{number} ({', '.join(words)})"


def _choose(
    tracks: Sequence[_Track], best: Stream | None, number: int | None, what: str
) -> _Track | None:
    usable = decodable(tracks)
    if number is None:
        # FFmpeg may find best what it cannot decode.
        return next(
            (track for track in usable if track is best), min(usable, key=_rank, default=None)
        )
    if not 1 <= number <= len(tracks) or tracks[number - 1] not in usable:
        listed = ", ".join(describe(n, track) for n, track in enumerate(tracks, 1))
        reason = "cannot be decoded" if 1 <= number <= len(tracks) else "does not exist"
        raise UserError(f"{what}: number {number} {reason}; there is {listed or 'none'}")
    return tracks[number - 1]


def _rank(track: AudioStream | VideoStream) -> tuple[bool, bool]:
    """Smaller is better: those that players play, and not descriptions for the blind."""
    return bool(track.disposition & _FOR_FEW), not track.disposition & Disposition.default
