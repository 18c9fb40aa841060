"""A corpus's clip as an utterance: the pictures and the sound that live recognition would cut.

The parts are those of the live path (`stream.sources.reader`, `stream.timeline`,
`stream.cutter.sample_frames`); new here is only that a cut in a long file is sought instead of
read up to, and that what cannot be read is absent and said, never fatal.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain, takewhile

import av.error
import numpy as np

from engine.model.spec import VideoSpec
from stream.cutter import SCREEN_SECONDS, sample_frames
from stream.errors import UserError
from stream.media import SAMPLE_RATE, Samples, Utterance, VideoFrame
from stream.sources.base import DEFAULT_PARTICIPANT, MediaItem
from stream.sources.container import Location
from stream.sources.reader import MediaReader
from stream.timeline import Timeline
from stream.windows import LAST_PICTURE_SECONDS
from training.datasets.clip import Clip, MediaCut

LONGEST_SECONDS = 600.0
"""More of a clip is not read: it is a mistake in the table of cuts, not an utterance."""
HELD_BYTES = 360_000_000
"""Pictures kept while it is not known yet which are picked; of more, a second pass decodes the
picked ones. It is five seconds of 1280x720, MELD's size; pictures of 3840x2160 fill it with 14."""

_MARGIN_SECONDS = max(1.0, SCREEN_SECONDS)
"""How far before a cut reading starts: decoders and filters are then in step with a reader that
comes from the start of the file, and the picture on screen when the cut begins is known."""
_MICROSECONDS = 1_000_000

DAMAGED = "damaged packets were skipped"
TOO_LONG = f"only the first {LONGEST_SECONDS:g} s are used"


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures of a cut."""

    frames: tuple[VideoFrame, ...]
    """Uniform in time, in order, at least one; times are those of the file."""
    end: float
    """Media seconds at which the cut, or the track if it is shorter, ends."""
    degraded: tuple[str, ...] = ()
    """What is wrong with them."""


@dataclass(frozen=True, eq=False)
class Sound:
    """Sound of a cut."""

    samples: Samples
    """Shape (N,), 16 kHz mono, N at least 1."""
    degraded: tuple[str, ...] = ()
    """What is wrong with it."""


def read_clip(clip: Clip, video: VideoSpec, max_frames: int | None = None) -> Utterance:
    """Read a clip; whatever is wrong with it, there is an utterance.

    Args:
        clip: Where pictures and sound are.
        video: Gives the number of pictures.
        max_frames: Take fewer than `video.frames` pictures.

    Returns:
        An utterance without text. What could not be read is absent, and `degraded` says why,
        as `video: REASON` or `audio: REASON`. Its times are those of the pictures' file.
    """
    count = video.frames if max_frames is None else min(max_frames, video.frames)
    reasons: list[str] = []
    pictures = _try_pictures(clip, count, reasons)
    sound = _try_sound(clip, reasons)
    samples = np.zeros(0, np.float32) if sound is None else sound.samples
    main = clip.video if pictures is not None else clip.audio
    start = 0.0 if main is None else main.start
    return Utterance(
        id="clip",
        participant=DEFAULT_PARTICIPANT,
        start=start,
        end=start + len(samples) / SAMPLE_RATE if pictures is None else pictures.end,
        frames=() if pictures is None else pictures.frames,
        audio=samples,
        degraded=tuple(reasons),
    )


# What a hostile file can make a demuxer or decoder raise. All of it ends that track only.
_BROKEN = (UserError, av.error.FFmpegError, OSError, ValueError, MemoryError)


def _try_pictures(clip: Clip, count: int, reasons: list[str]) -> Pictures | None:
    try:
        pictures = None if clip.video is None else read_pictures(clip.video, clip.side, count)
    except _BROKEN as error:
        reasons.append(f"video: {error}")
        return None
    reasons += [] if pictures is None else [f"video: {reason}" for reason in pictures.degraded]
    return pictures


def _try_sound(clip: Clip, reasons: list[str]) -> Sound | None:
    try:
        sound = None if clip.audio is None else read_sound(clip.audio)
    except _BROKEN as error:
        reasons.append(f"audio: {error}")
        return None
    reasons += [] if sound is None else [f"audio: {reason}" for reason in sound.degraded]
    return sound


def read_pictures(cut: MediaCut, side: str | None, count: int) -> Pictures:
    """Pick at most `count` pictures of a cut, as the live cutter would.

    Args:
        cut: Pictures with start <= time < end.
        side: Half of the picture to keep, of `training.datasets.clip.SIDES`; None: all of it.
        count: Most pictures.

    Raises:
        UserError: The file cannot be read or has no picture in the cut.
    """
    limit, cut_short = _limit(cut)
    held: list[VideoFrame] = []
    held_bytes = 0
    times: list[float] = []
    before: VideoFrame | None = None
    whole = False  # whether the track goes on after the cut
    skipped_before = 0
    with _track(cut, audio=False) as (reader, items):
        for frame in _frames(items):
            if frame.time < cut.start:
                # What could not be decoded right after a seek is not of this cut.
                before, skipped_before = frame, reader.skipped_packets
                continue
            whole = frame.time >= limit
            if whole:
                break
            times.append(frame.time)
            held_bytes += frame.image.nbytes
            if held_bytes <= HELD_BYTES:
                held.append(_half(frame, side))
            else:
                held.clear()
        damaged = reader.skipped_packets > skipped_before
    degraded = (DAMAGED,) * damaged + (TOO_LONG,) * (cut_short and whole)
    if not times:
        if before is None or cut.start - before.time > SCREEN_SECONDS:
            raise UserError(f"{cut.path} has no picture {_span(cut)}; look at its cut")
        return Pictures((_half(before, side),), limit, degraded)
    end = limit if whole else min(limit, times[-1] + LAST_PICTURE_SECONDS)
    wanted = _pick(times, cut.start, end, count)
    frames = [frame for frame in held if frame.time in wanted] or _decode(cut, side, wanted)
    return Pictures(tuple(frames), end, degraded)


def read_sound(cut: MediaCut) -> Sound:
    """The sound of a cut, zeros where the track has a hole.

    Raises:
        UserError: The file cannot be read or has no sound in the cut.
    """
    limit, cut_short = _limit(cut)
    timeline = Timeline(max_seconds=2 * LONGEST_SECONDS)
    timeline.drop(cut.start)  # what it is given of earlier sound it ignores
    whole = False
    skipped_before = 0
    with _track(cut, audio=True) as (reader, items):
        for chunk in items:
            whole = chunk.time >= limit
            if whole:
                break
            if chunk.time < cut.start:
                skipped_before = reader.skipped_packets
            timeline.push(chunk)
        damaged = reader.skipped_packets > skipped_before
    end = timeline.audio_end
    samples = timeline.samples(cut.start, min(limit, cut.start if end is None else end))
    if not len(samples):
        raise UserError(f"{cut.path} has no sound {_span(cut)}; look at its cut")
    return Sound(samples, (DAMAGED,) * damaged + (TOO_LONG,) * (cut_short and whole))


def _limit(cut: MediaCut) -> tuple[float, bool]:
    """Where to stop reading, and whether that is before the end of the cut."""
    longest = cut.start + LONGEST_SECONDS
    return (longest, True) if cut.end is None or cut.end > longest else (cut.end, False)


def _span(cut: MediaCut) -> str:
    return f"from {cut.start:g} s" + ("" if cut.end is None else f" to {cut.end:g} s")


def _half(frame: VideoFrame, side: str | None) -> VideoFrame:
    """The frame, or a copy of one half of it."""
    if side is None:
        return frame
    middle = max(1, frame.image.shape[1] // 2)
    part = slice(None, middle) if side == "left" else slice(frame.image.shape[1] // 2, None)
    return VideoFrame(frame.time, np.ascontiguousarray(frame.image[:, part]))


def _pick(times: list[float], start: float, end: float, count: int) -> set[float]:
    """Times of the pictures that the live cutter would pick; no two pictures share one."""
    nothing = np.zeros((0, 0, 3), np.uint8)
    shown = [VideoFrame(time, nothing) for time in times]
    return {frame.time for frame in sample_frames(shown, start, end, count)}


def _decode(cut: MediaCut, side: str | None, wanted: set[float]) -> list[VideoFrame]:
    """The pictures at those times."""
    last = max(wanted)
    with _track(cut, audio=False) as (_, items):
        shown = takewhile(lambda frame: frame.time <= last, _frames(items))
        return [_half(frame, side) for frame in shown if frame.time in wanted]


def _frames(items: Iterator[MediaItem]) -> Iterator[VideoFrame]:
    return (item for item in items if isinstance(item, VideoFrame))


@contextmanager
def _track(cut: MediaCut, *, audio: bool) -> Iterator[tuple[MediaReader, Iterator[MediaItem]]]:
    """One track from a little before the cut.

    An index may be missing or wrong. Where a seek does not land before the cut, the file is
    read from its start, which is slow but right.
    """
    location = Location.of_file(cut.path)
    if cut.start > _MARGIN_SECONDS:
        with closing(MediaReader(location, audio=audio, video=not audio)) as reader:
            found = reader.seek(cut.start - _MARGIN_SECONDS)
            items = iter(reader)
            first = next(items, None) if found else None
            if first is not None and first.time <= cut.start - _MARGIN_SECONDS / 2:
                yield reader, chain([first], items)
                return
    with closing(MediaReader(location, audio=audio, video=not audio)) as reader:
        yield reader, iter(reader)
