"""Multinomial naive Bayes over bags of words, cross-validated over whole dialogues.

Letters: N texts, M words of all texts, V vocabulary, C labels.
"""

from __future__ import annotations

import random
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def predict_by_fold(
    texts: Sequence[Sequence[str]],
    truth: Integers,
    labels: int,
    groups: Sequence[Hashable],
    folds: int = 5,
    seed: int = 1,
) -> Floats:
    """Score every text by a classifier trained on other dialogues than its own.

    McCallum and Nigam (1998) with add-one smoothing of words and labels.

    Args:
        texts: N lists of words.
        truth: (N,) label of each text, from 0 to `labels` - 1.
        labels: C.
        groups: N dialogues; one is never on both sides of a split.
        folds: Parts that the dialogues are dealt into.
        seed: Of the deal.

    Returns:
        (N, C) probabilities of the labels.
    """
    vocabulary = {word: i for i, word in enumerate(sorted({w for text in texts for w in text}))}
    owner = np.repeat(np.arange(len(texts)), [len(text) for text in texts])  # (M,)
    word = np.array([vocabulary[w] for text in texts for w in text], np.int64)  # (M,)
    fold = _deal(groups, folds, seed)  # (N,)
    probabilities = np.zeros((len(texts), labels))
    for held_out in range(folds):
        trained, tested = fold != held_out, fold == held_out
        used = trained[owner]
        # Two dimensions in one index: label * V + word.
        pairs = truth[owner[used]] * len(vocabulary) + word[used]
        counts = np.bincount(pairs, minlength=labels * len(vocabulary))
        by_word = _log_shares(counts.reshape(labels, -1))  # (C, V)
        prior = _log_shares(np.bincount(truth[trained], minlength=labels))  # (C,)
        sums = [np.bincount(owner, row[word], minlength=len(texts)) for row in by_word]
        probabilities[tested] = _softmax(np.stack(sums, axis=1) + prior)[tested]
    return probabilities


def _deal(groups: Sequence[Hashable], folds: int, seed: int) -> Integers:
    """(N,) the fold of each text: dialogues are shuffled and dealt one by one."""
    names = list(dict.fromkeys(groups))
    random.Random(seed).shuffle(names)
    place = {name: i % folds for i, name in enumerate(names)}
    return np.array([place[group] for group in groups], np.int64)


def _log_shares(counts: Integers) -> Floats:
    """Log of add-one smoothed shares along the last axis."""
    smoothed = counts + 1.0
    shares: Floats = np.log(smoothed / smoothed.sum(axis=-1, keepdims=True))
    return shares


def _softmax(scores: Floats) -> Floats:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities: Floats = powers / powers.sum(axis=1, keepdims=True)
    return probabilities
