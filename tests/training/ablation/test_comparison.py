"""Differences, their correction, and means over seeds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.ablation.factory import outcome
from training.ablation.comparison import compare, holm, mean_costs


def test_holm_by_hand() -> None:
    """The smallest of four times four, then three, two and one; never falling."""
    corrected = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert corrected == pytest.approx({"d": 0.02, "a": 0.03, "c": 0.06, "b": 0.06})


@given(st.dictionaries(st.text(), st.floats(1e-6, 1), max_size=12))
def test_holm_never_makes_a_p_value_smaller(p_values: dict[str, float]) -> None:
    """Nor larger than Bonferroni does, and it keeps their order."""
    corrected = holm(p_values)
    assert corrected.keys() == p_values.keys()
    for name, value in p_values.items():
        assert value <= corrected[name] <= min(1.0, len(p_values) * value) + 1e-12
    ordered = [corrected[name] for name in sorted(p_values, key=lambda one: p_values[one])]
    assert ordered == sorted(ordered)


def test_a_variant_like_full_does_not_differ() -> None:
    """Difference 0, p 1; and a far better one differs whatever dialogues are drawn."""
    rows = compare(
        {
            "full": [outcome(0.5, 1), outcome(0.5, 2)],
            "same": [outcome(0.5, 1), outcome(0.5, 2)],
            "better": [outcome(0.95, 3), outcome(0.95, 4)],
        },
        resamples=500,
    )
    full, same, better = rows
    assert [row.name for row in rows] == ["full", "same", "better"]
    assert full.compared == {}
    found = same.compared["weighted_f1"]
    assert (found.difference.value, found.difference.p_value, found.corrected_p) == (0, 1, 1)
    found = better.compared["weighted_f1"]
    assert 0.2 < found.difference.low < found.difference.value < found.difference.high
    assert found.corrected_p == pytest.approx(2 * found.difference.p_value)
    assert found.corrected_p < 0.01


def test_the_difference_is_the_mean_of_pairs() -> None:
    """Predictions of the same seed are paired; figures are means over seeds, with deviation."""
    found = {
        "full": [outcome(0.5, 1), outcome(0.6, 2), outcome(0.55, 3)],
        "less": [outcome(0.4, 4), outcome(0.5, 5), outcome(0.52, 6)],
    }
    full, less = compare(found, resamples=200)
    scores = [
        [one.predictions.scores().accuracy for one in found[name]] for name in ("full", "less")
    ]
    expected = [second - first for first, second in zip(*scores, strict=True)]
    assert less.compared["accuracy"].by_seed == pytest.approx(expected)
    assert less.compared["accuracy"].difference.value == pytest.approx(sum(expected) / 3)
    assert full.figures["accuracy"] == pytest.approx(sum(scores[0]) / 3)
    assert full.deviations is not None
    assert full.deviations["accuracy"] > 0


def test_one_seed_has_no_deviation() -> None:
    """There is nothing that it could be told from."""
    rows = compare({"full": [outcome(0.5)], "less": [outcome(0.4, 2)]}, resamples=100)
    assert [row.deviations for row in rows] == [None, None]


def test_costs_are_means_and_memory_the_most() -> None:
    """A stage that a variant does not have costs nothing, and has no row."""
    stages = ("stage1", "stage2")
    costs = mean_costs([outcome(0.5, seed, stages=stages) for seed in (1, 2, 3)])
    assert list(costs) == ["stage1", "stage2"]
    assert (costs["stage1"].seconds, costs["stage1"].tokens) == (20, 1000)
    assert costs["stage1"].peak_memory_bytes == 3 * 10**9
    assert list(mean_costs([outcome(0.5)])) == ["stage2"]
