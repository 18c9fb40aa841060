"""How varied descriptions are: a teacher that repeats itself teaches little."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

from training.audit.proportion import Proportion
from training.audit.text import Ngram, ngrams, sentences, words

SELF_BLEU_TEXTS = 500
"""Texts of the sample that self-BLEU is measured on; it rises with their number."""
EPSILON = 0.1
"""Matches that an n-gram order without any is credited with: method 1 of Chen and Cherry (2014)."""


@dataclass(frozen=True)
class Diversity:
    """Figures over a set of descriptions; all fall or rise with its size, so compare like sizes."""

    distinct: dict[int, float]
    """Distinct-n (Li et al., 2016) by n: from 0, all the same, to 1, no n-gram twice."""
    self_bleu: float
    """Self-BLEU-4 (Zhu et al., 2018): from 0 to 1, where every text is like some other."""
    identical_sentences: Proportion
    """Sentences that occur more than once, of all sentences."""
    identical_descriptions: Proportion
    """Descriptions that are, word for word, those of another utterance too."""
    frequent: tuple[tuple[str, int], ...]
    """Most frequent sentences that occur more than once, with their counts."""


def diversity(texts: Sequence[str], seed: int = 1, most: int = 10) -> Diversity:
    """Measure how varied some texts are.

    Args:
        texts: One per description; empty ones do not count.
        seed: Of the sample for self-BLEU.
        most: Sentences to list.
    """
    said = [text for text in texts if words(text)]
    wordings = Counter(_wording(text) for text in said)
    every = [sentence for text in said for sentence in sentences(text)]
    counts = Counter(_wording(sentence) for sentence in every)
    shown = {_wording(sentence): sentence for sentence in reversed(every)}
    return Diversity(
        distinct={order: distinct(said, order) for order in (1, 2, 3)},
        self_bleu=self_bleu(said, seed=seed),
        identical_sentences=Proportion.of(counts[_wording(one)] > 1 for one in every),
        identical_descriptions=Proportion.of(wordings[_wording(text)] > 1 for text in said),
        frequent=tuple((shown[w], n) for w, n in counts.most_common(most) if n > 1),
    )


def distinct(texts: Sequence[str], order: int, limit: int | None = None) -> float:
    """Distinct-n (Li et al., 2016, section 5.2): different n-grams by all n-grams.

    Args:
        texts: N-grams do not cross from one to the next.
        order: n.
        limit: Look at so many n-grams at most: the figure falls with the number of words, so
            sets of different sizes are compared on equally many.

    Returns:
        0 where there is no n-gram.
    """
    found = [gram for text in texts for gram in ngrams(words(text), order)][:limit]
    return len(set(found)) / len(found) if found else 0.0


def self_bleu(
    texts: Sequence[str], *, order: int = 4, size: int = SELF_BLEU_TEXTS, seed: int = 1
) -> float:
    """Self-BLEU (Zhu et al., 2018): mean BLEU of each text against all the others.

    BLEU is that of Papineni et al. (2002) with uniform weights and the closest reference
    length; a text shorter than `order` words is scored up to its own length.

    Args:
        texts: At least one word each.
        order: Longest n-gram.
        size: Texts to draw where there are more.
        seed: Of that draw.

    Returns:
        0 for fewer than two texts.
    """
    if len(texts) > size:
        texts = random.Random(seed).sample(texts, size)
    if len(texts) < 2:
        return 0.0
    tokens = [words(text) for text in texts]
    tables = [[Counter(ngrams(one, n)) for one in tokens] for n in range(1, order + 1)]
    highest = [_two_highest(column) for column in tables]
    lengths = Counter(len(one) for one in tokens)
    total = 0.0
    for index, one in enumerate(tokens):
        orders = range(min(order, len(one)))
        logs = [log(_precision(tables[n][index], highest[n])) for n in orders]
        total += _brevity(len(one), lengths) * exp(sum(logs) / len(logs))
    return total / len(texts)


def _two_highest(tables: Sequence[Counter[Ngram]]) -> dict[Ngram, tuple[int, int]]:
    """The highest and second highest count of each n-gram in one text."""
    highest: dict[Ngram, tuple[int, int]] = {}
    for table in tables:
        for gram, count in table.items():
            first, second = highest.get(gram, (0, 0))
            highest[gram] = max(first, count), max(second, min(first, count))
    return highest


def _precision(table: Counter[Ngram], highest: dict[Ngram, tuple[int, int]]) -> float:
    """Modified n-gram precision of a text against all the others."""
    matches = 0
    for gram, count in table.items():
        first, second = highest[gram]
        # Where this text has the highest count, the others have the second highest at most.
        matches += min(count, second if count == first else first)
    return (matches or EPSILON) / table.total()


def _brevity(length: int, lengths: Counter[int]) -> float:
    """Brevity penalty against the closest length among the other texts; of two, the shorter."""
    others = [one for one, count in lengths.items() if count > (one == length)]
    closest = min(others, key=lambda other: (abs(other - length), other))
    return min(1.0, exp(1 - closest / length))


def _wording(text: str) -> str:
    """A text without what makes no difference: case, punctuation and blanks."""
    return " ".join(words(text))
