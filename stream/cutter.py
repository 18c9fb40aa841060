"""Sound and pictures in, utterances out. Sans-I/O: joins timeline, voice detector and segmenter.

With a `WorkPlan` the media of an utterance comes out while it still goes on (`take_work`): its
pictures one by one, whole windows of its sound, and the utterance so far, at its first short
pause and now and then. Whoever computes ahead has little left to do when it ends.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from stream.audio import sample_index
from stream.ids import uuid7_factory
from stream.media import SAMPLE_RATE, AudioChunk, Samples, Utterance, VideoFrame
from stream.segmenter import Boundary, Segmenter, SegmenterConfig
from stream.timeline import Timeline
from stream.vad import WINDOW_SAMPLES, WINDOW_SECONDS
from stream.windows import FixedWindows

MAX_FRAMES = 64
"""Pictures of one utterance that the model looks at."""

_PIECE_SAMPLES = SAMPLE_RATE  # a longer chunk is taken in pieces, so that memory stays bounded
_LONGEST_FILL = 0.5  # seconds of missing sound heard as silence; a longer hole ends the utterance
VIDEO_LAG = 2.0
"""Seconds that a finished utterance waits for its last pictures."""
SCREEN_SECONDS = 1.0
"""How long a picture counts as on screen when no newer one comes."""
_MARGIN_SECONDS = 5.0

_EPSILON = 1e-6  # seconds; far below a sample
_EARLY = 0.01  # seconds by which a picture may come early and still count as the next one

VIDEO_DROPPED = "video frames dropped"
AUDIO_GAP = "audio gap"
AUDIO_DROPPED = "audio dropped"


class Timed(Protocol):
    """What has a place in time."""

    @property
    def time(self) -> float:
        """Media seconds."""
        ...


_Timed = TypeVar("_Timed", bound=Timed)


@dataclass(frozen=True)
class WorkPlan:
    """What of an open utterance is wanted ahead."""

    window_seconds: float
    """Length of a window of sound."""
    hop_seconds: float
    """Distance between the starts of two windows; the first is the utterance's."""
    pause_seconds: float = 0.03
    """Silence after which the utterance may be over: long before it surely is. At least the
    post-roll: else the end that is tried is not the one that it has."""
    partial_seconds: float = 2.0
    """Longest time without news of an utterance that goes on."""
    frame_rate: float = 15.0
    """Most pictures per second."""


@dataclass(frozen=True, eq=False)
class SoundWindow:
    """A whole window of sound of an open utterance."""

    first: int
    """Its first sample, counted from the start of the media."""
    samples: Samples
    """Shape (N,), 16 kHz."""


@dataclass(frozen=True, eq=False)
class SoFar:
    """An utterance that may still go on, as if it ended now."""

    utterance: Utterance
    """Without frames: they came before."""
    paused: bool
    """Whether there is a pause now, so that it may be all; else there is just news."""
    ends_in: float = math.inf
    """Media seconds in which it ends if the pause goes on."""


@dataclass(frozen=True)
class Resumed:
    """The utterance goes on after a pause: what was begun because of that is of no use."""


Work = VideoFrame | SoundWindow | SoFar | Resumed


class UtteranceCutter:
    """Cuts the media of one participant into utterances.

    Args:
        vad: Probability of speech in the next 512 samples. None for media without sound:
            then the pictures are cut into windows of `window_seconds`.
        participant: Pseudonymous id of who speaks.
        config: When an utterance begins and ends.
        frames: Most pictures of an utterance.
        window_seconds: Length of an utterance where there is no sound.
        new_id: Gives a new id per utterance; time-ordered UUIDs if left out.
        ahead: What to give while an utterance goes on; None for nothing. With it utterances
            carry no frames: these have been given before, and memory holds them no longer.
        video_lag_seconds: See `VIDEO_LAG`.
    """

    def __init__(
        self,
        vad: Callable[[Samples], float] | None,
        *,
        participant: str,
        config: SegmenterConfig | None = None,
        frames: int = MAX_FRAMES,
        window_seconds: float = 4.0,
        new_id: Callable[[], str] | None = None,
        ahead: WorkPlan | None = None,
        video_lag_seconds: float = VIDEO_LAG,
    ) -> None:
        self._vad = vad
        self._participant = participant
        self._frames = frames
        self._new_id = new_id or uuid7_factory()
        self._segmenter = Segmenter(config)
        self._windows = FixedWindows(window_seconds)
        longest = max(self._segmenter.config.max_seconds, window_seconds)
        self._video_lag = video_lag_seconds
        self.timeline = Timeline(max_seconds=longest + video_lag_seconds + _MARGIN_SECONDS)
        """What is kept at the moment; for measuring."""
        self._heard = 0  # the first sample the voice detector has not heard
        self._first_time: float | None = None
        self._waiting: deque[tuple[str, Boundary]] = deque()
        self._open: tuple[float, str] | None = None  # start and id of the open utterance
        self._ahead = ahead
        self.frame_rate = ahead.frame_rate if ahead else 0.0
        """Most pictures per second that are given ahead; may be set at any time."""
        self._work: list[Work] = []
        self._given_until = -1.0  # media time of the last picture given ahead
        self._next_window = 0  # first sample of the next window of the open utterance
        self._told_at = 0.0  # media time of the last news of the open utterance
        self._told_pause = False
        self._reported_frames_dropped = 0
        self._reported_seconds_dropped = 0.0

    @property
    def blips(self) -> int:
        """Sounds let go so far because they were too short to be an utterance."""
        return self._segmenter.blips

    def push(self, item: AudioChunk | VideoFrame) -> list[Utterance]:
        """Take the next chunk or picture; gives the utterances that are now complete."""
        if self._first_time is None:
            self._first_time = item.time
        if isinstance(item, AudioChunk):
            return [done for piece in _pieces(item) for done in self._push_piece(piece)]
        self.timeline.push(item)
        if self._vad is None:
            self._end(self._windows.push(item.time))
            self._note_open(self._windows.earliest)
        return self._release()

    def flush(self) -> list[Utterance]:
        """End of the media: gives what is left."""
        self._end_sound()
        if self._vad is None:
            self._end(self._windows.flush())
        return self._release(wait=False)

    def take_work(self) -> list[Work]:
        """What can be computed ahead since the last call; to be done before what `push` gave."""
        work, self._work = self._work, []
        return work

    def silence_after(self, utterance: Utterance) -> float:
        """Seconds of sound that arrived after the last speech of an utterance that ended."""
        voiced = utterance.end - self._segmenter.config.post_roll_seconds
        return max(0.0, (self.timeline.audio_end or utterance.end) - voiced)

    def _push_piece(self, piece: AudioChunk) -> list[Utterance]:
        done: list[Utterance] = []
        heard_until = self.timeline.audio_end
        if heard_until is None:
            self._heard = sample_index(piece.time)
        elif piece.time - heard_until > _LONGEST_FILL:
            self._end_sound()
            done += self._release(wait=False)
            self.timeline.drop(piece.time - SCREEN_SECONDS)
            self._heard = sample_index(piece.time)
        self.timeline.push(piece)
        self._listen()
        return done + self._release()

    def _listen(self) -> None:
        """Show the voice detector every whole window that has arrived."""
        end = sample_index(self.timeline.audio_end or 0.0)
        if self._vad is None:
            return
        while self._heard + WINDOW_SAMPLES <= end:
            time = self._heard / SAMPLE_RATE
            window = self.timeline.samples(time, time + WINDOW_SECONDS)
            self._end(self._segmenter.push(time, self._vad(window)))
            self._note_open(self._segmenter.open_since)
            self._heard += WINDOW_SAMPLES
        self._give_sound()

    def _end_sound(self) -> None:
        """No sound follows, or none for a while: hear the rest, and end the open utterance."""
        end = self.timeline.audio_end
        if self._vad is None or end is None:
            return
        ended: list[Boundary] = []
        time = self._heard / SAMPLE_RATE
        if time < end:
            window = self.timeline.samples(time, time + WINDOW_SECONDS)
            ended += self._segmenter.push(time, self._vad(window))
            self._heard = sample_index(end)
        ended += self._segmenter.flush()
        self._end([replace(b, end=min(b.end, end)) for b in ended])
        self._note_open(None)

    def _end(self, boundaries: Sequence[Boundary]) -> None:
        """Let utterances wait for their last pictures, each under the id it had while open."""
        for boundary in boundaries:
            start, known = self._open or (-1.0, "")
            self._waiting.append((known if start == boundary.start else self._new_id(), boundary))

    def _note_open(self, start: float | None) -> None:
        """Another utterance is open than before, or none."""
        if start is None:
            self._open = None
        elif self._open is None or self._open[0] != start:
            self._open = start, self._new_id()
            self._next_window = sample_index(start)
            self._told_at, self._told_pause = start, False

    def _give_sound(self) -> None:
        """Give whole windows of the open utterance, and news of it if it is time."""
        if self._ahead is None or self._open is None:
            return
        (start, _), now = self._open, self._heard / SAMPLE_RATE
        length = round(self._ahead.window_seconds * SAMPLE_RATE)
        while self._next_window + length <= self._heard:
            first = self._next_window
            seconds = first / SAMPLE_RATE
            samples = self.timeline.samples(seconds, seconds + self._ahead.window_seconds)
            self._work.append(SoundWindow(first, samples))
            self._next_window += round(self._ahead.hop_seconds * SAMPLE_RATE)
        tentative = self._segmenter.tentative
        if tentative is None:
            return
        paused = self._segmenter.silence >= self._ahead.pause_seconds - _EPSILON
        if self._told_pause and not paused:
            self._work.append(Resumed())
        if paused and not self._told_pause:
            self._tell(tentative, now, paused=True)
        elif not paused and now - self._told_at >= self._ahead.partial_seconds - _EPSILON:
            self._tell(Boundary(start, now), now, paused=False)
        self._told_pause = paused

    def _tell(self, boundary: Boundary, now: float, *, paused: bool) -> None:
        self._give_frames()
        assert self._open is not None
        utterance = self._utterance(self._open[1], boundary, final=False)
        ends_in = self._segmenter.ends_in if paused else math.inf
        self._work.append(SoFar(utterance, paused, ends_in))
        if not paused:
            self._told_at = now

    def _give_frames(self) -> None:
        """Give the pictures of open and waiting utterances that were not given yet."""
        if self._ahead is None:
            return
        spans = [(boundary.start, boundary.end) for _, boundary in self._waiting]
        spans += [(self._open[0], math.inf)] if self._open else []
        for start, end in spans:
            on_screen = self.timeline.frame_at(start)
            frames = self.timeline.frames(max(start, self._given_until), end)
            if on_screen and start - on_screen.time <= SCREEN_SECONDS:
                frames = [on_screen, *frames]
            for frame in frames:
                if frame.time - self._given_until >= 1 / self.frame_rate - _EARLY:
                    self._work.append(frame)
                    self._given_until = frame.time
            self.timeline.drop_frames(min(self._given_until, end))

    def _release(self, *, wait: bool = True) -> list[Utterance]:
        done = []
        self._give_frames()
        while self._waiting and not (wait and self._video_is_coming(self._waiting[0][1].end)):
            done.append(self._utterance(*self._waiting.popleft()))
        self._forget()
        return done

    def _video_is_coming(self, end: float) -> bool:
        """Whether the pictures of an utterance that ended at `end` may still be on their way."""
        video = self.timeline.video_end
        video = video if video is not None else self._first_time or 0.0
        return video < end and (self.timeline.audio_end or end) - video <= self._video_lag

    def _utterance(self, id: str, boundary: Boundary, *, final: bool = True) -> Utterance:
        start, end = boundary.start, boundary.end
        frames, audio = self.timeline.cut(start, end)
        on_screen = self.timeline.frame_at(start)
        if not frames and on_screen and start - on_screen.time <= SCREEN_SECONDS:
            frames = [on_screen]
        if self._ahead is not None:
            frames = []
        frames_dropped = self.timeline.frames_dropped - self._reported_frames_dropped
        if final:
            self._reported_frames_dropped = self.timeline.frames_dropped
        return Utterance(
            id=id,
            participant=self._participant,
            start=start,
            end=end,
            frames=tuple(sample_frames(frames, start, end, self._frames)),
            audio=audio if self.timeline.audio_end is not None else audio[:0],
            frames_dropped=frames_dropped,
            degraded=self._degraded(start, end, frames_dropped, final),
            short=boundary.short,
        )

    def _degraded(
        self, start: float, end: float, frames_dropped: int, final: bool
    ) -> tuple[str, ...]:
        seconds_dropped = self.timeline.audio_seconds_dropped
        lost_sound = seconds_dropped > self._reported_seconds_dropped
        if final:
            self._reported_seconds_dropped = seconds_dropped
        heard = self.timeline.audio_end is not None
        reasons = {
            VIDEO_DROPPED: frames_dropped > 0,
            AUDIO_DROPPED: lost_sound,
            AUDIO_GAP: heard and not lost_sound and self.timeline.missing_seconds(start, end) > 0,
        }
        return tuple(reason for reason, applies in reasons.items() if applies)

    def _forget(self) -> None:
        """Drop what no utterance still to come can need."""
        earliest = self._windows.earliest if self._vad is None else self._segmenter.earliest
        if self._waiting:
            earliest = min(earliest, self._waiting[0][1].start)
        self.timeline.drop(earliest - SCREEN_SECONDS)


def sample_frames(frames: Sequence[_Timed], start: float, end: float, count: int) -> list[_Timed]:
    """At most `count` of `frames`, as uniform in time over [start, end) as they allow.

    Every picked frame is another one, in order: for each of `count` evenly spaced times the
    nearest frame that leaves enough frames for the times after it. With a variable frame rate
    this follows the clock, not the number of frames.
    """
    if len(frames) <= count:
        return list(frames)
    times = [frame.time for frame in frames]
    picked: list[int] = []
    for step in range(count):
        target = start + (end - start) * (step + 0.5) / count
        nearest = _nearest(times, target)
        lowest = picked[-1] + 1 if picked else 0
        picked.append(min(max(nearest, lowest), len(frames) - count + step))
    return [frames[index] for index in picked]


def _nearest(times: Sequence[float], target: float) -> int:
    after = min(bisect_left(times, target), len(times) - 1)
    before = max(after - 1, 0)
    return before if target - times[before] <= times[after] - target else after


def _pieces(chunk: AudioChunk) -> Iterator[AudioChunk]:
    for first in range(0, len(chunk.samples), _PIECE_SAMPLES):
        time = chunk.time + first / SAMPLE_RATE
        yield AudioChunk(time, chunk.samples[first : first + _PIECE_SAMPLES])
