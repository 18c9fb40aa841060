"""Where the pictures and the sound of one utterance of a corpus are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SIDES = ("left", "right")
"""Halves of a picture that shows two speakers side by side."""


@dataclass(frozen=True)
class MediaCut:
    """A stretch of a media file."""

    path: Path
    """The file; that it exists and can be read is not checked here."""
    start: float = 0.0
    """Seconds from the start of the file."""
    end: float | None = None
    """Seconds from the start of the file; None: to its end."""

    def __post_init__(self) -> None:
        """Refuse a stretch that ends before it starts."""
        if self.start < 0 or (self.end is not None and self.end <= self.start):
            raise ValueError(f"{self.path}: a cut from {self.start} s to {self.end} s is empty")


@dataclass(frozen=True)
class Clip:
    """Pictures and sound of one utterance; MELD has both in one file, IEMOCAP has not."""

    video: MediaCut | None
    """Where the pictures are; None without any."""
    audio: MediaCut | None
    """Where the sound is; None without any."""
    side: str | None = None
    """Half of the picture that shows the speaker, one of `SIDES`; None: all of it."""

    def __post_init__(self) -> None:
        """Refuse a side that no picture has."""
        if self.side is not None and self.side not in SIDES:
            raise ValueError(f"side {self.side!r}: one of {', '.join(SIDES)}")
