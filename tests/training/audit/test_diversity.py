"""Diversity, against figures worked out by hand."""

from __future__ import annotations

from math import exp

import pytest

from training.audit.diversity import EPSILON, distinct, diversity, self_bleu
from training.audit.proportion import Proportion


def test_distinct_by_hand() -> None:
    """Six words of which four differ; four bigrams of which three differ, none across texts."""
    texts = ["the head tilts", "the head turns"]

    assert distinct(texts, 1) == pytest.approx(4 / 6)
    assert distinct(texts, 2) == pytest.approx(3 / 4)
    assert distinct(texts, 3) == pytest.approx(2 / 2)
    assert distinct(texts, 4) == 0.0


def test_distinct_on_a_part() -> None:
    """With a limit only the first n-grams count."""
    assert distinct(["a a a a", "b c"], 1, limit=4) == pytest.approx(1 / 4)


def test_self_bleu_of_equal_texts_is_one() -> None:
    """Even of texts shorter than the longest n-gram."""
    assert self_bleu(["hands rest", "hands rest"]) == pytest.approx(1)


def test_self_bleu_by_hand() -> None:
    """Two of three words and one of two bigrams occur in the other text, no trigram does."""
    trigram = EPSILON / 1

    expected = (2 / 3 * 1 / 2 * trigram) ** (1 / 3)
    assert self_bleu(["the head tilts", "the head turns"]) == pytest.approx(expected)


def test_self_bleu_clips_counts_and_penalises_brevity() -> None:
    """A repeated word counts as often as in the other text; a short text is penalised."""
    long, short = "a a a b", "a b"
    precision_long = (2 / 4 * 1 / 3) ** 0.5  # one a and the b; the bigram a b
    precision_short = 1.0
    brevity = exp(1 - 4 / 2)

    expected = (precision_long + brevity * precision_short) / 2
    assert self_bleu([long, short], order=2) == pytest.approx(expected)


def test_self_bleu_takes_the_best_of_several_others() -> None:
    """Each n-gram is matched in whichever other text has it most often."""
    texts = ["a b c d", "a b x y", "p q c d"]
    # 4 of 4 words; bigrams a b and c d, of 3. The others: 2 of 4 words, 1 of 3 bigrams.
    expected = ((1 * 2 / 3) ** 0.5 + 2 * (1 / 2 * 1 / 3) ** 0.5) / 3

    assert self_bleu(texts, order=2) == pytest.approx(expected)


def test_self_bleu_of_a_bounded_sample_is_seeded() -> None:
    """Of many texts some are drawn; the same seed draws the same."""
    texts = [f"the head turns {i % 7} times to {i}" for i in range(40)]

    assert self_bleu(texts, size=10, seed=3) == self_bleu(texts, size=10, seed=3)
    assert self_bleu(texts, size=10, seed=3) != self_bleu(texts, size=10, seed=4)


@pytest.mark.parametrize("texts", [[], ["alone"]])
def test_nothing_to_compare(texts: list[str]) -> None:
    """Fewer than two texts are like no other."""
    assert self_bleu(texts) == 0.0


def test_identical_sentences_and_the_most_frequent() -> None:
    """Case and punctuation make no difference; the first wording is shown; empty texts are out."""
    texts = ["Hands rest. Brows rise.", "hands rest!", "Hands  rest. brows rise", "Jaw set.", ""]

    result = diversity(texts, most=2)

    assert result.identical_sentences == Proportion(5, 6)
    assert result.identical_descriptions == Proportion(2, 4)
    assert result.frequent == (("Hands rest.", 3), ("Brows rise.", 2))


def test_sentences_that_occur_once_are_not_frequent() -> None:
    """Without repetition there is nothing to list."""
    assert diversity(["One here.", "Another there."]).frequent == ()
