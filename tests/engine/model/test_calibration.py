"""Probabilities that say how often they are right."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from engine.model.calibration import BOUNDS, SUBSETS, Calibration, fit_temperature


def drawn(temperature: float, count: int = 6000) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores, and truth drawn from them at a temperature."""
    generator = torch.Generator().manual_seed(4)
    scores = 3 * torch.randn(count, 7, generator=generator)
    probabilities = (scores / temperature).softmax(1)
    return scores, torch.multinomial(probabilities, 1, generator=generator).squeeze(1)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5, 6.0])
def test_the_temperature_is_found(temperature: float) -> None:
    """Truth that was drawn at a temperature is explained best by that one."""
    assert fit_temperature(*drawn(temperature)) == pytest.approx(temperature, rel=0.1)


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_hopeless_data_give_a_temperature_all_the_same(scale: float) -> None:
    """Scores that are always right, always wrong or without meaning: finite and positive."""
    truth = torch.arange(35) % 7
    right = torch.eye(7)[truth] * scale
    for scores in (right, -right, torch.zeros(35, 7), torch.ones(35, 7) * scale):
        temperature = fit_temperature(scores, truth)
        assert BOUNDS[0] * 0.99 <= temperature <= BOUNDS[1] * 1.01
        Calibration({"text": temperature})


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(1e-3, 1e3), st.integers(1, 12))
def test_no_temperature_near_the_one_found_is_better(seed: int, scale: float, count: int) -> None:
    """A few turns at any scale, however little they say: the least cross-entropy in the bounds."""
    generator = torch.Generator().manual_seed(seed)
    scores = scale * torch.randn(count, 7, generator=generator)
    truth = torch.randint(7, (count,), generator=generator)

    def loss(temperature: float) -> float:
        return float(functional.cross_entropy(scores / temperature, truth))

    found = fit_temperature(scores, truth)
    others = [found * factor for factor in (0.5, 0.9, 1.1, 2.0)]
    inside = [other for other in (*others, *BOUNDS) if BOUNDS[0] <= other <= BOUNDS[1]]
    assert all(loss(found) <= loss(other) + 1e-4 * (1 + loss(other)) for other in inside)


def test_each_subset_has_its_own_temperature() -> None:
    """Rows are divided by the temperature of what they were made from; by 1 where none is known."""
    calibration = Calibration({"text": 2.0, "text+video": 0.5})
    scores = torch.randn(3, 7)
    probabilities = calibration.probabilities(scores, [("text",), ("text", "video"), ()])
    expected = torch.stack([scores[0] / 2, scores[1] / 0.5, scores[2]]).softmax(1)
    torch.testing.assert_close(probabilities, expected)


def test_biases_are_added_after_the_division() -> None:
    """Those of a subset move its rows alone."""
    calibration = Calibration({"text": 2.0}, {"text": (1.0, 0.0, -1.0)})
    scores = torch.randn(2, 3)
    probabilities = calibration.probabilities(scores, [("text",), ("audio",)])
    moved = scores[0] / 2 + torch.tensor([1.0, 0.0, -1.0])
    torch.testing.assert_close(probabilities, torch.stack([moved, scores[1]]).softmax(1))


def test_it_abstains_below_the_threshold_of_the_subset() -> None:
    """At the threshold it answers; without a threshold always, and without a modality never."""
    calibration = Calibration(abstain_below={"text": 0.5})
    assert calibration.abstains(0.49, ("text",))
    assert not calibration.abstains(0.5, ("text",))
    assert not calibration.abstains(0.1, ("text", "audio"))
    assert calibration.abstains(0.9, ())


@pytest.mark.parametrize(("threshold", "unsure"), [(0.0, False), (0.6, True)])
def test_one_threshold_can_replace_all(threshold: float, unsure: bool) -> None:
    """0 switches abstaining off; having nothing to go by stays an abstention."""
    calibration = Calibration({"text": 2.0}, abstain_below={"text": 0.9})
    changed = calibration.abstaining_below(threshold)
    assert changed.temperatures == calibration.temperatures
    assert {changed.abstains(0.55, names.split("+")) for names in SUBSETS} == {unsure}
    assert changed.abstains(0.99, ())


def test_survives_json() -> None:
    """What is stored is what is read back."""
    calibration = Calibration(
        {"text": 1.25, "audio+video": 3.0}, {"text": [0.5, -0.5]}, {"text": 0.4}
    )
    assert Calibration.from_dict(calibration.to_dict()) == calibration


def test_files_from_before_biases_and_thresholds_are_read() -> None:
    """They have temperatures alone, and abstain from nothing."""
    assert Calibration.from_dict({"temperatures": {"text": 1.5}}) == Calibration({"text": 1.5})


def test_every_subset_has_a_name() -> None:
    """Seven of three modalities, in the order that recognitions name them."""
    assert SUBSETS == (
        "text", "audio", "video", "text+audio", "text+video", "audio+video", "text+audio+video",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("biases", [0.0, float("nan")]),
        ("biases", [0.0, 21.0]),
        ("biases", [0.0, True]),
        ("biases", 0.5),
        ("biases", "00"),
        ("abstain_below", float("nan")),
        ("abstain_below", -0.1),
        ("abstain_below", 1.1),
        ("abstain_below", "0.5"),
        ("abstain_below", True),
    ],
)
def test_numbers_out_of_range_are_refused(key: str, value: object) -> None:
    """The message names the key and whose number it is."""
    with pytest.raises(ValueError, match=rf"{key}: .*text"):
        Calibration.from_dict({"temperatures": {}, key: {"text": value}})


def test_biases_of_other_labels_are_refused() -> None:
    """Their number is that of the labels."""
    Calibration({}, {"text": [0.0] * 7}).require_labels(7)
    with pytest.raises(ValueError, match="6 but the spec has 7"):
        Calibration({}, {"text": [0.0] * 6}).require_labels(7)


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), "1.5", None, True])
def test_an_impossible_temperature_is_refused(value: object) -> None:
    """The message names whose it is."""
    with pytest.raises(ValueError, match="text"):
        Calibration.from_dict({"temperatures": {"text": value}})


@pytest.mark.parametrize(
    "document",
    [{}, {"temperatures": {}, "bias": 1}, {"temperature": {}}, {"temperatures": [1.0]}],
)
def test_anything_else_is_refused(document: dict[str, object]) -> None:
    """An unknown key, a missing one or a list where an object belongs."""
    with pytest.raises(ValueError, match="temperatures"):
        Calibration.from_dict(document)
