"""Intervals and paired tests over dialogues, against plain loops and simulated data."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.bootstrap import interval, mean_figures, paired_bootstrap
from training.evaluation.metrics import FIGURES, scores
from training.evaluation.predictions import Predictions

LABELS = ("joy", "anger", "fear")


def simulated(
    dialogues: int, turns: int, skill: float, seed: int, truth_seed: int = 0
) -> Predictions:
    """A system whose probability of the true label is raised by `skill`."""
    truth = np.random.default_rng(truth_seed).integers(0, 3, dialogues * turns)
    noise = np.random.default_rng(seed).dirichlet([0.5] * 3, len(truth))
    given = (1 - skill) * noise + skill * np.eye(3)[truth]
    return Predictions(LABELS, truth, given, np.repeat(np.arange(dialogues), turns))


def drawn_again(run: Predictions, seed: int, resamples: int) -> list[np.ndarray]:
    """The examples of each resample, put together one dialogue after another."""
    count = run.dialogue_count
    draws = np.random.default_rng(seed).integers(count, size=(resamples, count))
    of = [np.flatnonzero(run.dialogues == dialogue) for dialogue in range(count)]
    return [np.concatenate([of[dialogue] for dialogue in row]) for row in draws]


def ends_of(values: list[float]) -> tuple[float, float]:
    """The middle 95 %, rounded outwards to a value of the list."""
    ordered = sorted(values)
    beyond = int(0.025 * (len(ordered) - 1))
    return ordered[beyond], ordered[-1 - beyond]


def test_intervals_are_those_of_a_plain_loop() -> None:
    """Scoring each resample from its examples gives the same percentiles."""
    run = simulated(6, 4, 0.3, seed=5)
    found = interval([run], resamples=40, seed=9)
    looped = [
        scores(LABELS, run.truth[rows], run.probabilities[rows])
        for rows in drawn_again(run, seed=9, resamples=40)
    ]
    for name in FIGURES:
        ends = ends_of([getattr(one, name) for one in looped])
        assert (found.figures[name].low, found.figures[name].high) == pytest.approx(ends)
    for label in LABELS:
        f1 = found.f1[label]
        assert f1 is not None
        index = LABELS.index(label)
        there = [one.confusion[index].any() or one.confusion[:, index].any() for one in looped]
        values = [
            one.per_class[label].f1 for one, known in zip(looped, there, strict=True) if known
        ]
        assert (f1.low, f1.high) == pytest.approx(ends_of(values))


def test_differences_are_those_of_a_plain_loop() -> None:
    """Both systems see the same resamples, and each is the mean of its runs."""
    first = [simulated(6, 4, 0.4, seed=5), simulated(6, 4, 0.3, seed=6)]
    second = [simulated(6, 4, 0.1, seed=7)]
    found = paired_bootstrap(first, second, resamples=50, seed=3)
    moved: dict[str, list[float]] = {name: [] for name in FIGURES}
    for rows in drawn_again(first[0], seed=3, resamples=50):
        means = [
            {
                name: np.mean(
                    [
                        getattr(scores(LABELS, run.truth[rows], run.probabilities[rows]), name)
                        for run in runs
                    ]
                )
                for name in FIGURES
            }
            for runs in (first, second)
        ]
        for name in FIGURES:
            moved[name].append(means[0][name] - means[1][name])
    for name, values in moved.items():
        difference = found[name]
        observed = mean_figures(first)[name] - mean_figures(second)[name]
        assert difference.value == pytest.approx(observed)
        assert (difference.low, difference.high) == pytest.approx(ends_of(values))
        beyond = min(np.sum(np.array(values) <= 0), np.sum(np.array(values) >= 0))
        assert difference.p_value == pytest.approx(min(1, 2 * (beyond + 1) / 51))


def test_intervals_cover_the_true_accuracy() -> None:
    """Of 200 corpora of 60 dependent dialogues, about 95 % of the intervals hold the truth.

    All turns of a dialogue share their luck, so an interval over utterances would be too
    narrow: 60 draws with a chance of 0.6, each repeated five times.
    """
    rng = np.random.default_rng(2)
    covered = narrow = 0
    for seed in range(200):
        right = np.repeat(rng.random(60) < 0.6, 5)
        truth = np.zeros(300, np.int64)
        given = np.where(right[:, None], [0.8, 0.1, 0.1], [0.1, 0.8, 0.1])
        clustered = Predictions(LABELS, truth, given, np.repeat(np.arange(60), 5))
        ends = interval([clustered], resamples=300, seed=seed).figures["accuracy"]
        covered += ends.low <= 0.6 <= ends.high
        alone = Predictions(LABELS, truth, given, np.arange(300))
        ends = interval([alone], resamples=300, seed=seed).figures["accuracy"]
        narrow += ends.low <= 0.6 <= ends.high
    assert 180 <= covered <= 198
    assert narrow < 150


def test_equal_systems_do_not_differ() -> None:
    """The same predictions: no difference, an interval of nothing, a p-value of 1."""
    run = simulated(8, 3, 0.2, seed=1)
    for difference in paired_bootstrap([run], [run]).values():
        assert (difference.value, difference.low, difference.high) == (0, 0, 0)
        assert difference.p_value == 1


def test_a_clear_difference_is_significant_and_has_a_sign() -> None:
    """A skilled system is better than a poor one; turned round, the difference is negated."""
    good, poor = simulated(40, 5, 0.7, seed=1), simulated(40, 5, 0.0, seed=2)
    there = paired_bootstrap([good], [poor])["weighted_f1"]
    back = paired_bootstrap([poor], [good])["weighted_f1"]
    assert there.low > 0.2
    assert there.p_value == pytest.approx(2 / 2001)
    assert (back.value, back.low, back.high) == pytest.approx(
        (-there.value, -there.high, -there.low)
    )


def test_p_values_agree_with_intervals() -> None:
    """A p-value is below 0.05 just where the interval excludes 0."""
    seen = set()
    for seed in range(30):
        first, second = simulated(20, 5, 0.1, seed=seed), simulated(20, 5, 0.0, seed=seed + 100)
        found = paired_bootstrap([first], [second], resamples=400)["accuracy"]
        excludes = found.low > 0 or found.high < 0
        assert (found.p_value < 0.05) == excludes
        seen.add(excludes)
    assert seen == {True, False}


def test_a_seed_repeats_and_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed gives the same interval, another one another, in blocks of any size."""
    run = simulated(9, 3, 0.2, seed=4)
    whole = interval([run], seed=5)
    assert interval([run], seed=5) == whole
    assert interval([run], seed=6) != whole
    monkeypatch.setattr("training.evaluation.bootstrap._BLOCK", 100)
    blocks = interval([run], seed=5)
    for name in FIGURES:
        assert blocks.figures[name].low == pytest.approx(whole.figures[name].low)


def test_a_label_that_never_occurs_has_no_interval() -> None:
    """Neither true nor predicted: None; the others have one."""
    truth = np.array([0, 1, 0, 1])
    run = Predictions(LABELS, truth, np.eye(3)[truth], np.array([7, 7, 9, 9]))
    f1 = interval([run]).f1
    assert f1["fear"] is None
    assert f1["joy"] is not None


def test_what_cannot_be_resampled_is_refused() -> None:
    """One dialogue, no run, or runs on different examples."""
    run = simulated(4, 2, 0.2, seed=1)
    one = Predictions(LABELS, run.truth, run.probabilities, np.zeros(8, np.int64))
    with pytest.raises(ValueError, match="two dialogues or more"):
        interval([one])
    with pytest.raises(ValueError, match="no run"):
        interval([])
    other = simulated(4, 2, 0.2, seed=1, truth_seed=3)
    with pytest.raises(ValueError, match="not on the same examples"):
        paired_bootstrap([run], [other])
    with pytest.raises(ValueError, match="not on the same examples"):
        paired_bootstrap([run], [one])


def test_predictions_refuse_dialogues_of_another_length() -> None:
    """One number for each example."""
    with pytest.raises(ValueError, match="dialogues has shape"):
        Predictions(LABELS, np.array([0, 1]), np.eye(3)[:2], np.array([0]))
