"""The report as a page: what it says of clips, and what hostile names do to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.clips.prepare import Flaw, PreparedReport
from training.evaluation.document import About, bring_together, to_document
from training.evaluation.page import SHOWN_FLAWS, evaluation_page
from training.evaluation.predictions import Predictions
from training.evaluation.scoring import Scored
from training.evaluation.summary import Run

HOSTILE = '<img src=x onerror="alert(1)">'


def run(dialogues: int, labels: tuple[str, ...] = ("joy", "fear")) -> Run:
    """Two turns a dialogue, half of them right."""
    truth = np.tile([0, 1], dialogues)
    given = np.full((2 * dialogues, 2), [0.75, 0.25])
    predictions = Predictions(labels, truth, given, np.repeat(np.arange(dialogues), 2))
    used = {"text": 2 * dialogues, "audio": 1, "video": 0}
    return Run("bundles/x", "ab" * 32, None, Scored(predictions, used, {"left_out": 7}))


def about(path: str = "data") -> About:
    """Of a corpus."""
    return About("python -m training.evaluate x", "meld", path, "dev")


def prepared(clips: int, without_clip: int, flaws: tuple[Flaw, ...]) -> PreparedReport:
    """Clips that all were in the cache."""
    return PreparedReport(
        clips=clips,
        without_clip=without_clip,
        cached=clips,
        made=0,
        flaws=flaws,
        seconds=1.0,
        keys=("key",) * clips,
    )


def test_what_was_left_out_is_said() -> None:
    """Counts of turns and of clips, and each flaw up to a limit."""
    count = SHOWN_FLAWS + 2
    flaws = tuple(Flaw("d1", number, Path("x.mp4"), "audio: none") for number in range(count))
    clips = prepared(40, 3, flaws)
    document = to_document(bring_together(about(), [run(5)], [], clips=clips))
    assert len(document["clips"]["flaws"]) == count
    page = evaluation_page(document)
    assert "7 turns have an emotion that is none of the labels" in page
    assert "Of the 10 turns scored, 10 have words, 1 a voice and 0 pictures" in page
    assert "40 utterances have a clip, 3 have none" in page
    assert page.count("audio: none") == SHOWN_FLAWS
    assert "And 2 more" in page


def test_names_are_text_and_not_markup() -> None:
    """Labels, dialogues and reasons come from files of others."""
    clips = prepared(1, 0, (Flaw(HOSTILE, 0, Path("x"), HOSTILE),))
    evaluation = bring_together(about(HOSTILE), [run(2, (HOSTILE, r"$\frac$"))], [], clips=clips)
    page = evaluation_page(to_document(evaluation))
    assert "<img src=x" not in page
    assert page.count("&lt;img src=x") >= 3


def test_one_dialogue_has_no_interval() -> None:
    """Nothing to resample: figures without intervals, and a difference without a p-value."""
    document = to_document(bring_together(about(), [run(1)], [run(1)]))
    assert document["intervals"] is None
    assert document["difference"] is None
    assert document["asr"]["accuracy"] == 0.5
    assert evaluation_page(document).count("50.0 %") > 2
