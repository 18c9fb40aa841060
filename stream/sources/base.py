"""What every source is."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Literal, Protocol, Self

from stream.media import AudioChunk, VideoFrame

MediaItem = AudioChunk | VideoFrame

Pace = Literal["real", "max"]
"""`real`: as fast as it was recorded; `max`: as fast as it can be read."""

DEFAULT_PARTICIPANT = "speaker-1"


class Source(Protocol):
    """Media of one participant: an async context manager, and an iterator while it is open.

    Opening raises UserError where there is nothing to read. Iteration gives chunks and frames,
    each track in order of time. A live source that breaks off goes on when it can be opened
    again, with the gap in its times, and ends only by `stop` or when a peer leaves.
    """

    @property
    def name(self) -> str:
        """Short name for topics and logs: lower-case letters, digits, dots and dashes."""

    @property
    def participant(self) -> str:
        """Pseudonymous id of who is seen and heard."""

    @property
    def live(self) -> bool:
        """Whether time goes on at the source while nobody reads."""

    @property
    def has_audio(self) -> bool:
        """Whether it gives sound; known once open."""

    @property
    def has_video(self) -> bool:
        """Whether it gives pictures; known once open."""

    @property
    def skipped_packets(self) -> int:
        """Packets and frames so far that were damaged or lost."""

    @property
    def restarts(self) -> int:
        """Times so far that a device or stream was opened again, or that this was tried."""

    @property
    def trouble(self) -> tuple[str, ...]:
        """What is wrong right now, in words for `degraded` of an event; empty when all is well."""

    async def __aenter__(self) -> Self:
        """Open it."""

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""

    def __aiter__(self) -> AsyncIterator[MediaItem]:
        """Read it from where it stands to its end, or until `stop`."""

    def stop(self) -> None:
        """Ask it to end soon; harmless at any time, from the thread of the event loop."""


def source_name(text: str) -> str:
    """`text` as a name that is safe in topics, file names and URLs."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.") or "source"
