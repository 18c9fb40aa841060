"""The label sets and their counterparts."""

from __future__ import annotations

from training.datasets import labels


def test_every_counterpart_is_a_meld_label() -> None:
    """No mapping leads outside the seven labels."""
    mappings = (
        labels.RAVDESS_TO_MELD,
        labels.EMODB_TO_MELD,
        labels.NEMO_TO_MELD,
        labels.FER2013_TO_MELD,
        labels.FERPLUS_TO_MELD,
        labels.EMORYNLP_TO_MELD,
    )
    counterparts = {label for mapping in mappings for label in mapping.values()}
    assert counterparts == {*labels.MELD_LABELS, None}


def test_faces_cover_all_seven_once() -> None:
    """FER2013 and FERPlus each have exactly one class per MELD label."""
    assert sorted(labels.FER2013_TO_MELD.values()) == sorted(labels.MELD_LABELS)
    assert sorted(labels.FERPLUS_TO_MELD.values()) == sorted(labels.MELD_LABELS)


def test_vote_columns_begin_with_the_seven() -> None:
    """The seven emotions are the first vote columns, in the order of their mapping."""
    assert tuple(labels.FERPLUS_TO_MELD) == labels.FERPLUS_COLUMNS[:7]


def test_labels_without_counterpart() -> None:
    """Peaceful and powerful of EmoryNLP and boredom of EmoDB map to nothing."""
    assert [key for key, label in labels.EMORYNLP_TO_MELD.items() if label is None] == [
        "peaceful",
        "powerful",
    ]
    assert labels.EMODB_TO_MELD["L"] is None
    assert set(labels.EMORYNLP_TO_MELD) == set(labels.EMORYNLP_LABELS)
