"""Several runs as one system: means, deviations and each of them."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.predictions import Predictions
from training.evaluation.scoring import Extra, Scored
from training.evaluation.summary import Run, Summary, summarise, summary_json

LABELS = ("joy", "fear")


def run(name: str, predicted: list[int], **extra: float) -> Run:
    """A bundle that is sure of what it says of four turns of two dialogues."""
    predictions = Predictions(
        LABELS, np.array([0, 0, 1, 1]), np.eye(2)[predicted], np.array([0, 0, 1, 1])
    )
    found: Extra = {"ferplus_n": 3, **extra}
    return Run(name, "0" * 64, None, Scored(predictions, {}, found))


@pytest.fixture
def summary() -> Summary:
    """Of two bundles, of which one never answers."""
    return summarise(
        [
            run(
                "a", [0, 0, 1, 1], ferplus_accuracy=0.75, answered=0.5, accuracy_where_answered=1.0
            ),
            run("b", [0, 1, 1, 1], ferplus_accuracy=0.5, answered=0.0),
        ]
    )


def test_figures_of_some_corpora_have_mean_and_deviation_too(summary: Summary) -> None:
    """Shares are averaged, counts are the same in all."""
    assert summary.mean.accuracy == pytest.approx(0.875)
    assert summary.extra["ferplus_accuracy"] == pytest.approx(0.625)
    assert summary.extra["ferplus_n"] == 3
    assert summary.deviation is not None
    assert summary.deviation["ferplus_accuracy"] == pytest.approx(0.25 / 2**0.5)
    assert summary.deviation["accuracy"] == pytest.approx(0.25 / 2**0.5)
    assert "ferplus_n" not in summary.deviation


def test_a_share_that_one_run_lacks_is_left_out(summary: Summary) -> None:
    """What a bundle got right where it answered is nothing where it never did."""
    assert summary.extra["answered"] == pytest.approx(0.25)
    assert summary.deviation is not None
    assert "accuracy_where_answered" not in {*summary.extra, *summary.deviation}


def test_each_run_is_in_the_json(summary: Summary) -> None:
    """With its figures, also those that only this corpus has."""
    first, second = summary_json(summary)["runs"]
    assert (first["bundle"], second["bundle"]) == ("a", "b")
    assert (first["accuracy"], second["accuracy"]) == (1.0, 0.75)
    assert (first["ferplus_accuracy"], second["ferplus_accuracy"]) == (0.75, 0.5)
    assert first["accuracy_where_answered"] == 1.0
