"""Labels of a corpus among those of a bundle."""

from __future__ import annotations

import pytest

from engine.model.spec import MELD_LABELS
from stream.errors import UserError
from training.datasets.labels import EMORYNLP_LABELS, IEMOCAP_LABELS
from training.evaluation.label_map import label_indices
from training.evaluation.predict import NO_COUNTERPART, UNLABELLED


def test_the_same_labels_in_another_order() -> None:
    """Names decide, not positions; no emotion is no target."""
    found = label_indices("iemocap", IEMOCAP_LABELS, IEMOCAP_LABELS[::-1])
    assert found == {name: 5 - i for i, name in enumerate(IEMOCAP_LABELS)} | {"": UNLABELLED}


def test_a_corpus_with_fewer_labels() -> None:
    """A bundle may know more than occurs."""
    assert label_indices("manifest", ["joy", "fear"], MELD_LABELS)["fear"] == 6


def test_counterparts() -> None:
    """EmoryNLP's joyful is MELD's joy, its peaceful is nothing there."""
    found = label_indices("emorynlp", EMORYNLP_LABELS, MELD_LABELS)
    assert found["joyful"] == MELD_LABELS.index("joy")
    assert found["peaceful"] == found["powerful"] == NO_COUNTERPART


def test_iemocap_on_a_bundle_of_melds_labels() -> None:
    """As where it is reported with four classes; frustration is left out and counted."""
    found = label_indices("iemocap", IEMOCAP_LABELS, MELD_LABELS)
    named = {name: MELD_LABELS[index] for name, index in found.items() if index >= 0}
    assert named == {
        "happy": "joy",
        "excited": "joy",
        "sad": "sadness",
        "neutral": "neutral",
        "angry": "anger",
    }
    assert found["frustrated"] == NO_COUNTERPART


@pytest.mark.parametrize(
    ("corpus", "native", "labels"),
    [
        ("meld", MELD_LABELS, IEMOCAP_LABELS),
        ("emorynlp", EMORYNLP_LABELS, IEMOCAP_LABELS),
        ("manifest", ("calm", "tense"), MELD_LABELS),
    ],
)
def test_labels_that_do_not_match(
    corpus: str, native: tuple[str, ...], labels: tuple[str, ...]
) -> None:
    """Scoring only the few that are called the same would mislead, so it is refused."""
    with pytest.raises(UserError, match=f"{corpus} has the labels {native[0]}.*{labels[-1]}"):
        label_indices(corpus, native, labels)
