"""Sound and pictures of a file in the order in which they are heard and seen. No I/O here.

A decoder gives a picture only when it has those that come later in the file, which may be far
away: three pictures that are five seconds apart. The sound would be long gone by then, and with
it the utterance that the picture belongs to. So sound waits for the pictures that are on their
way, and pictures for the sound. Where pictures are far apart, the one on screen is given again
every second, since what is older than that is not taken for the face of whoever speaks.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterator

from stream.media import AudioChunk, VideoFrame
from stream.sources.base import MediaItem

LONGEST_WAIT = 30.0
"""Seconds of sound that wait for pictures at most ..."""
SHORTEST_WAIT = 2.0
"""... and at least; between them it is as long as a few pictures last."""
REPEAT_SECONDS = 0.9
"""Time between two showings of one picture; less than what counts as on screen."""
MOST_PICTURES = 45
"""Pictures that wait for the sound that they are shown with, at most."""
LONGEST_SHOW = 10.0
"""How long one picture is shown at most."""

_WAITED_PICTURES = 4  # that a decoder keeps back, as x264 makes them


class Interleaver:
    """Puts the items of one file in order; see above.

    Args:
        interval: Seconds between two pictures, as the container says; 0 if it does not.
    """

    def __init__(self, interval: float = 0.0) -> None:
        self._usual = interval
        self._coming: list[float] = []  # a heap
        self._known: deque[float] = deque(maxlen=8)  # what has come last
        self._withheld: float | None = None
        self._sound: deque[AudioChunk] = deque()
        self._pictures: deque[VideoFrame] = deque()
        self._heard = -math.inf  # time of the last sound that was given
        self._shown: VideoFrame | None = None
        self._repeated_at = 0.0

    def coming(self, time: float) -> None:
        """A picture of `time` media seconds is being decoded."""
        gaps = [abs(time - known) for known in self._known if known != time]
        self._usual = min(gaps, default=self._usual)
        self._known.append(time)
        heapq.heappush(self._coming, time)

    def decoded(self, time: float, withheld: float | None = None) -> None:
        """A picture of that time is decoded, whether or not it is given.

        Args:
            time: Media seconds.
            withheld: When the first picture is shown that is decoded and may still be given.
        """
        self._withheld = withheld
        while self._coming and self._coming[0] <= time + 1e-6:
            heapq.heappop(self._coming)

    def push(self, item: MediaItem) -> list[MediaItem]:
        """Take an item; gives those whose turn has come."""
        if isinstance(item, AudioChunk):
            self._sound.append(item)
            return self.take()
        self._pictures.append(item)
        return self.take()

    def take(self) -> list[MediaItem]:
        """The sound and the pictures whose turn has come, and what is still on screen."""
        items: list[MediaItem] = list(self._show(self._heard))
        until = self._coming[0] if self._coming else math.inf
        until = min(until, math.inf if self._withheld is None else self._withheld)
        while self._sound and (self._sound[0].time < until or self._waits_too_long):
            chunk = self._sound.popleft()
            items += self._show(chunk.time)
            items.append(chunk)
            self._heard = chunk.time
        while len(self._pictures) > MOST_PICTURES:
            items += self._show(self._pictures[0].time)
        return items

    def flush(self) -> list[MediaItem]:
        """Nothing more comes: gives what waits."""
        self._coming.clear()
        self._withheld = None
        return [*self.take(), *self._show(math.inf)]

    @property
    def _waits_too_long(self) -> bool:
        longest = min(max(SHORTEST_WAIT, _WAITED_PICTURES * self._usual), LONGEST_WAIT)
        return self._sound[-1].end - self._sound[0].time > longest

    def _show(self, time: float) -> Iterator[VideoFrame]:
        """The pictures until `time`, those that stay on screen as often as that is due."""
        while self._pictures and self._pictures[0].time <= time:
            picture = self._pictures.popleft()
            yield from self._again(picture.time - REPEAT_SECONDS / 2)
            self._shown, self._repeated_at = picture, picture.time
            yield picture
        if time < math.inf:
            yield from self._again(time)

    def _again(self, time: float) -> list[VideoFrame]:
        """The picture on screen once more, as often as that is due until `time`."""
        shown, items = self._shown, list[VideoFrame]()
        if shown is None or self._usual <= REPEAT_SECONDS:
            return items
        end = min(time, shown.time + min(LONGEST_SHOW, 1.5 * self._usual))
        while (again := self._repeated_at + REPEAT_SECONDS) <= end:
            self._repeated_at = again
            items.append(VideoFrame(again, shown.image))
        return items
