"""The classifier that measures leakage."""

from __future__ import annotations

import numpy as np
import pytest

from training.audit.bayes import predict_by_fold


def test_probabilities_by_hand() -> None:
    """Two dialogues, each scored by what the other one says, with add-one smoothing.

    Vocabulary a, b. Trained on dialogue 2 (label 0: a a b; label 1: b): word shares are
    a 3/5, b 2/5 of label 0 and a 1/3, b 2/3 of label 1; the labels are 1/2 each. The text
    "a b" of dialogue 1 scores 3/5 * 2/5 = 6/25 and 1/3 * 2/3 = 2/9.
    """
    texts = [["a", "b"], ["a", "a", "b"], ["b"]]
    truth = np.array([0, 0, 1])

    probabilities = predict_by_fold(texts, truth, 2, ["d1", "d2", "d2"], folds=2)

    expected = 6 / 25 / (6 / 25 + 2 / 9)
    assert probabilities[0] == pytest.approx([expected, 1 - expected])


def test_a_dialogue_is_never_on_both_sides() -> None:
    """A word that gives the label away within one dialogue alone is worth nothing."""
    dialogues = [i // 20 for i in range(100)]
    truth = np.array([i % 2 for i in range(100)])
    texts = [[f"only-{dialogue}-{label}"] for dialogue, label in zip(dialogues, truth, strict=True)]

    inside = predict_by_fold(texts, truth, 2, list(range(100)))
    across = predict_by_fold(texts, truth, 2, dialogues)

    assert (inside.argmax(axis=1) == truth).all()
    assert across == pytest.approx(0.5)


def test_texts_without_words_get_the_prior() -> None:
    """An empty text is scored by how frequent the labels are."""
    probabilities = predict_by_fold([[], ["a"], ["a"]], np.array([0, 1, 1]), 2, [0, 1, 1], folds=2)

    assert probabilities[0] == pytest.approx([1 / 4, 3 / 4])
