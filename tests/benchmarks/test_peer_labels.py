"""Classes of other models are the right emotions of MELD, and nothing is lost unsaid."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.peer_labels import GOEMOTIONS_TO_MELD, as_probabilities, map_labels, split_names
from stream.errors import UserError
from training.datasets.labels import FERPLUS_COLUMNS, MELD_LABELS


@pytest.mark.parametrize(
    "names",
    [
        "Angry,Disgust,Fear,Happy,Sad,Surprise,Neutral",
        "anger,disgusted,fearful,happiness,sadness,surprised,neutral",
    ],
)
def test_synonyms_are_known(names: str) -> None:
    """In any case of letters, in the order of the model."""
    found = map_labels(split_names(names)).meld
    assert found == ("anger", "disgust", "fear", "joy", "sadness", "surprise", "neutral")


def test_a_class_without_counterpart_is_left_out() -> None:
    """The shares of the others sum to 1 again, in MELD's order."""
    labels = map_labels(FERPLUS_COLUMNS[:8])
    assert labels.left_out == ("contempt",)
    given = np.array([[0.1, 0.2, 0, 0.1, 0.1, 0, 0, 0.5]])
    np.testing.assert_allclose(labels.to_meld(given), [[0.2, 0.4, 0, 0.2, 0.2, 0, 0]])


def test_a_row_of_nothing_but_left_out_classes_is_equally_sure_of_the_known_ones() -> None:
    """No division by zero, and no share for an emotion without a class."""
    labels = map_labels(["happy", "sad", "contempt"])
    row = labels.to_meld(np.array([[0.0, 0.0, 1.0]]))[0]
    assert row[MELD_LABELS.index("joy")] == row[MELD_LABELS.index("sadness")] == 0.5
    assert labels.never == ("neutral", "surprise", "anger", "disgust", "fear")


def test_what_is_said_of_a_class_counts() -> None:
    """`=` overrules the synonyms, `=-` leaves out, and classes of one emotion are added up."""
    labels = map_labels(["delight=joy", "love=happy", "gloom=sadness", "anger=-"])
    assert labels.meld == ("joy", "joy", "sadness", None)
    row = labels.to_meld(np.array([[0.2, 0.3, 0.25, 0.25]]))[0]
    assert row[MELD_LABELS.index("joy")] == pytest.approx(2 / 3)
    assert labels.renamed == {"delight": "joy", "love": "joy", "gloom": "sadness"}


def test_goemotions_has_its_authors_grouping() -> None:
    """Of the 28 classes none is left out; alone, curiosity is no synonym."""
    labels = map_labels(tuple(GOEMOTIONS_TO_MELD))
    assert len(labels.names) == 28
    assert labels.left_out == labels.never == ()
    assert map_labels(["joy", "fear", "curiosity"]).left_out == ("curiosity",)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["LABEL_0", "LABEL_1"], "LABEL_0, LABEL_1 fewer than two"),
        (["happy", "joy"], "fewer than two"),
        (["joy", "joy", "fear"], "names joy twice"),
        (["joy", "love=passion"], "passion is no emotion"),
        (["joy", "love="], "nothing is no emotion"),
    ],
)
def test_a_mistake_in_the_names_is_explained(names: list[str], message: str) -> None:
    """With what to type instead."""
    with pytest.raises(UserError, match=message):
        map_labels(names)


def test_numbers_become_probabilities() -> None:
    """Logits by the softmax, shares as they are, multi-label scores by the sigmoid."""
    scores = np.log([[0.7, 0.2, 0.1]])
    shares, kind = as_probabilities(scores + 5, None)
    assert kind == "logits"
    np.testing.assert_allclose(shares, [[0.7, 0.2, 0.1]])
    assert as_probabilities(shares, None)[1] == "probabilities"
    np.testing.assert_allclose(as_probabilities(np.array([[0.0, 800]]), "sigmoid")[0], [[0.5, 1]])
    assert as_probabilities(shares, "logits")[0].max() < 0.5
    with pytest.raises(UserError, match="do not sum to 1"):
        as_probabilities(scores, "probabilities")
