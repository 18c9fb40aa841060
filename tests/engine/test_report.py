"""The last lines of a run."""

from __future__ import annotations

from engine.live import RunSummary
from engine.report import Served, peak_memory, report


def test_a_run_without_losses() -> None:
    """How much, how fast, how soon and how large; nothing about losses that were none."""
    summary = RunSummary(1, 0, 0, {}, 20.0, 5.0, 103.5)
    assert report(summary, began=100.0, peak_bytes=1_230_000_000, blips=0, skipped=0) == [
        "1 utterance in 20.0 s of media, recognised in 5.0 s (real-time factor 0.25)",
        "first event 3.5 s after the start",
        "peak memory 1.23 GB",
    ]


def test_every_loss_is_told() -> None:
    """Whatever did not become a delivered event is a line of its own."""
    summary = RunSummary(7, 2, 1, {"mqtt": 3}, 20.0, 5.0, 103.5)
    lines = report(summary, began=100.0, peak_bytes=1, blips=0, skipped=4)
    assert lines[3:] == [
        "2 utterances could not be recognised",
        "1 utterance dropped: recognition is slower than the source",
        "4 damaged packets skipped",
        "3 events not delivered to mqtt",
    ]


def test_a_run_without_speech() -> None:
    """No media and no events is said, without a division by zero."""
    lines = report(
        RunSummary(0, 0, 0, {}, 0.0, 0.1, None), began=0.0, peak_bytes=1, blips=0, skipped=0
    )
    assert "real-time factor 0.00" in lines[0]
    assert "nobody was heard or seen" in lines[1]


def test_peak_memory_is_in_bytes() -> None:
    """A Python process takes megabytes, not kilobytes."""
    assert 5_000_000 < peak_memory() < 100_000_000_000


def test_the_parts_of_many_are_added_up() -> None:
    """A part that failed ends itself only, and is told in the end."""
    served = Served()
    served.add(RunSummary(3, 0, 0, {}, 20.0, 5.0, 103.5))
    assert served.lines() == ["3 utterances of 1 participant"]
    served.add(RunSummary(4, 2, 1, {}, 20.0, 5.0, None, OSError("gone")))
    assert served.lines() == [
        "7 utterances of 2 participants",
        "1 participant ended because something failed",
        "2 utterances could not be recognised",
        "1 utterance dropped: recognition is slower than the sources",
    ]
