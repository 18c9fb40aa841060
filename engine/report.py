"""How a run went, in lines for the person at the terminal."""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from engine.live import RunSummary


def report(
    summary: RunSummary, *, began: float, peak_bytes: int, skipped: int, blips: int
) -> list[str]:
    """The lines to print at the end of a run.

    Args:
        summary: What `engine.live.run` gave.
        began: What its clock showed when the program started.
        peak_bytes: Most memory in use, see `peak_memory`.
        skipped: Packets of the source that were damaged.
        blips: Sounds too short to be an utterance, and without a word where words are heard.
    """
    factor = summary.wall_seconds / summary.media_seconds if summary.media_seconds else 0.0
    lines = [
        f"{_count(summary.utterances, 'utterance')} in {summary.media_seconds:.1f} s of media, "
        f"recognised in {summary.wall_seconds:.1f} s (real-time factor {factor:.2f})"
    ]
    if summary.first_event_at is None:
        lines.append("nobody was heard or seen: is this the right input?")
    else:
        lines.append(f"first event {summary.first_event_at - began:.1f} s after the start")
    lines.append(f"peak memory {peak_bytes / 1e9:.2f} GB")
    losses = [
        (summary.failed, "utterance", "could not be recognised"),
        (summary.dropped, "utterance", "dropped: recognition is slower than the source"),
        (skipped, "damaged packet", "skipped"),
        (blips, "sound", "passed over: speech of less than a quarter of a second"),
    ]
    lines += [f"{_count(n, noun)} {what}" for n, noun, what in losses if n]
    return lines + undelivered(summary.undelivered)


@dataclass
class Served:
    """How the parts of all who came and went went, added up."""

    participants: int = 0
    """Those who have left."""
    broken: int = 0
    """Those whose part ended because something failed."""
    utterances: int = 0
    """Events of utterances that ended."""
    failed: int = 0
    """Utterances that could not be recognised."""
    dropped: int = 0
    """Utterances given up because recognition was slower than their sources."""

    def add(self, summary: RunSummary) -> None:
        """Add the part of somebody who has left."""
        self.participants += 1
        self.broken += summary.failure is not None
        self.utterances += summary.utterances
        self.failed += summary.failed
        self.dropped += summary.dropped

    def lines(self) -> list[str]:
        """The lines to print at the end."""
        losses = [
            (self.broken, "participant", "ended because something failed"),
            (self.failed, "utterance", "could not be recognised"),
            (self.dropped, "utterance", "dropped: recognition is slower than the sources"),
        ]
        came = _count(self.participants, "participant")
        lines = [f"{_count(self.utterances, 'utterance')} of {came}"]
        return lines + [f"{_count(n, noun)} {what}" for n, noun, what in losses if n]


def undelivered(lost: Mapping[str, int]) -> list[str]:
    """A line for every sink that lost events, by its name."""
    return [f"{_count(n, 'event')} not delivered to {name}" for name, n in lost.items() if n]


def peak_memory() -> int:
    """Bytes of memory that this process had in use at most."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
