"""How often a voice gets an exclamation mark."""

from __future__ import annotations

from benchmarks.transcription import exclamations


def test_shares_are_of_each_emotion() -> None:
    """A transcript counts once, however many marks it has."""
    table = exclamations(
        ["anger", "joy", "anger", "anger", "anger"], ["Get out!", "Well.", "No! No!", "Oh.", ""]
    )
    rows = [list(column.cells) for column in table.columns]
    assert rows == [["anger", "joy"], ["4", "1"], ["50%", "0%"]]
