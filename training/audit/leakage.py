"""Whether descriptions give the label away, by emotion words and by a small classifier.

A description should say what can be seen. That behaviour shows emotion is the point, so some
of the label is in it rightly; but a description that *names* the emotion lets stage 1 teach
the answer instead of the behaviour.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.audit.bayes import predict_by_fold
from training.audit.items import Item
from training.audit.lexicon import EMOTION_WORDS, words_of
from training.audit.proportion import Proportion
from training.audit.text import words
from training.evaluation.metrics import scores

FOLDS = 5
"""Parts of the cross-validation; fewer dialogues than these cannot be measured."""


@dataclass(frozen=True)
class Guess:
    """How often a bag-of-words classifier finds the label; fractions from 0 to 1."""

    accuracy: float
    """Share of right guesses."""
    unweighted_accuracy: float
    """Mean recall over the labels; by chance one over their number."""


@dataclass(frozen=True)
class Leakage:
    """What the descriptions say of the labels."""

    any_emotion_word: Proportion
    """Descriptions with a word of `EMOTION_WORDS`."""
    gold_label: Proportion
    """Descriptions with a word for their own label, of those whose utterance has one."""
    by_label: dict[str, Proportion]
    """The same among the descriptions of each label."""
    frequent: tuple[tuple[str, int], ...]
    """Most frequent emotion words, with the number of descriptions that they are in."""
    majority: Guess | None
    """Always guessing the most frequent label; None without a label."""
    guess: Guess | None
    """From the whole description; None with fewer than `FOLDS` dialogues."""
    guess_without_emotion_words: Guess | None
    """From what is left without emotion words: behaviour, and whatever else betrays a label."""


def leakage(items: Sequence[Item], labels: Sequence[str], seed: int = 1, most: int = 12) -> Leakage:
    """Measure leakage over some descriptions.

    Args:
        items: At least one.
        labels: Of the corpus, in its order.
        seed: Of the folds.
        most: Emotion words to list.
    """
    labelled = [item for item in items if item.label]
    counts = Counter(item.label for item in labelled)
    present = [label for label in labels if counts[label]]
    found = Counter(word for item in items for word in emotion_words(item))
    return Leakage(
        any_emotion_word=Proportion.of(bool(emotion_words(item)) for item in items),
        gold_label=Proportion.of(names_label(item) for item in labelled),
        by_label={
            label: Proportion.of(names_label(item) for item in labelled if item.label == label)
            for label in present
        },
        frequent=tuple(sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:most]),
        majority=_majority(counts),
        guess=_guess(labelled, present, frozenset(), seed),
        guess_without_emotion_words=_guess(labelled, present, EMOTION_WORDS, seed),
    )


def emotion_words(item: Item) -> frozenset[str]:
    """Words of the description that name an emotion."""
    return EMOTION_WORDS.intersection(words(item.text))


def names_label(item: Item) -> bool:
    """Whether the description has a word for the emotion that it should not know."""
    return not words_of(item.label).isdisjoint(words(item.text))


def _majority(counts: Counter[str]) -> Guess | None:
    if not counts:
        return None
    return Guess(max(counts.values()) / counts.total(), 1 / len(counts))


def _guess(
    items: Sequence[Item], labels: Sequence[str], removed: frozenset[str], seed: int
) -> Guess | None:
    """Cross-validated naive Bayes from the words of the descriptions, some of them removed."""
    dialogues = [item.dialogue for item in items]
    if len(set(dialogues)) < FOLDS:
        return None
    index = {label: i for i, label in enumerate(labels)}
    truth = np.array([index[item.label] for item in items], np.int64)
    texts = [[word for word in words(item.text) if word not in removed] for item in items]
    probabilities = predict_by_fold(texts, truth, len(labels), dialogues, FOLDS, seed)
    result = scores(labels, truth, probabilities)
    return Guess(result.accuracy, result.unweighted_accuracy)
