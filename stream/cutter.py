"""Sound and pictures in, utterances out. Sans-I/O: joins timeline, voice detector and segmenter."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Sequence

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
_VIDEO_LAG = 2.0  # seconds that a finished utterance waits for its last pictures
SCREEN_SECONDS = 1.0
"""How long a picture counts as on screen when no newer one comes."""
_MARGIN_SECONDS = 5.0

VIDEO_DROPPED = "video frames dropped"
AUDIO_GAP = "audio gap"
AUDIO_DROPPED = "audio dropped"


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
    ) -> None:
        self._vad = vad
        self._participant = participant
        self._frames = frames
        self._new_id = new_id or uuid7_factory()
        self._segmenter = Segmenter(config)
        self._windows = FixedWindows(window_seconds)
        longest = max(self._segmenter.config.max_seconds, window_seconds)
        self.timeline = Timeline(max_seconds=longest + _VIDEO_LAG + _MARGIN_SECONDS)
        """What is kept at the moment; for measuring."""
        self._heard = 0  # the first sample the voice detector has not heard
        self._first_time: float | None = None
        self._waiting: deque[Boundary] = deque()
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
            self._waiting += self._windows.push(item.time)
        return self._release()

    def flush(self) -> list[Utterance]:
        """End of the media: gives what is left."""
        self._end_sound()
        if self._vad is None:
            self._waiting += self._windows.flush()
        return self._release(wait=False)

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
            self._waiting += self._segmenter.push(time, self._vad(window))
            self._heard += WINDOW_SAMPLES

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
        self._waiting += [Boundary(b.start, min(b.end, end)) for b in ended]

    def _release(self, *, wait: bool = True) -> list[Utterance]:
        done = []
        while self._waiting and not (wait and self._video_is_coming(self._waiting[0].end)):
            done.append(self._utterance(self._waiting.popleft()))
        self._forget()
        return done

    def _video_is_coming(self, end: float) -> bool:
        """Whether the pictures of an utterance that ended at `end` may still be on their way."""
        video = self.timeline.video_end
        video = video if video is not None else self._first_time or 0.0
        return video < end and (self.timeline.audio_end or end) - video <= _VIDEO_LAG

    def _utterance(self, boundary: Boundary) -> Utterance:
        start, end = boundary.start, boundary.end
        frames, audio = self.timeline.cut(start, end)
        on_screen = self.timeline.frame_at(start)
        if not frames and on_screen and start - on_screen.time <= SCREEN_SECONDS:
            frames = [on_screen]
        frames_dropped = self.timeline.frames_dropped - self._reported_frames_dropped
        self._reported_frames_dropped = self.timeline.frames_dropped
        return Utterance(
            id=self._new_id(),
            participant=self._participant,
            start=start,
            end=end,
            frames=tuple(sample_frames(frames, start, end, self._frames)),
            audio=audio if self.timeline.audio_end is not None else audio[:0],
            frames_dropped=frames_dropped,
            degraded=self._degraded(start, end, frames_dropped),
        )

    def _degraded(self, start: float, end: float, frames_dropped: int) -> tuple[str, ...]:
        seconds_dropped = self.timeline.audio_seconds_dropped
        lost_sound = seconds_dropped > self._reported_seconds_dropped
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
            earliest = min(earliest, self._waiting[0].start)
        self.timeline.drop(earliest - SCREEN_SECONDS)


def sample_frames(
    frames: Sequence[VideoFrame], start: float, end: float, count: int
) -> list[VideoFrame]:
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
