"""What a speech recogniser makes of a transcript: wrong words, often no case or punctuation.

Words of training are a script's, words live are a recogniser's. A small recogniser mistakes
mostly short words for others that sound alike, drops some and invents few, so errors here
are in these shares: 60 % substitutions, 25 % deletions, 15 % insertions. Some recognisers
write case and punctuation (Whisper), some do not, and training has both.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

from training.datasets.dialogues import Dialogue
from training.evaluation.word_errors import split_words

SUBSTITUTIONS, DELETIONS = 0.60, 0.25
"""Shares of the errors; the rest are insertions."""
PUNCTUATED = 0.5
"""Share of the degraded dialogues that keep case and punctuation."""
_MARKS = ".,!?;:"
_APOSTROPHE = "'"

_ALIKE = (
    "their there they're the", "to too two do", "your you're you", "its it's is", "an and in on",
    "are our or her", "know no now", "knew new", "then than that", "were we're where wear", "a uh",
    "of off have", "for four from", "here hear her", "right write",
    "would wood could", "by bye buy",
    "our hour are", "so sew see", "what but well", "he his she", "was wasn't what", "him them hem",
    "i'm am him", "i'll all", "i oh", "can can't come", "want won't went", "don't dont done",
    "did didn't do", "this these his", "my mine by", "me we be", "it at", "with when", "who how",
    "one won when", "okay hey", "yeah yes yet", "oh all", "god got good", "ross boss rose",
    "rachel rational", "monica mannequin", "joey joy", "phoebe baby", "chandler channel", "hi i",
    "like liked light", "just does", "really rarely", "think thing thank", "about a", "not now",
    "out at", "if is", "up of", "get got", "go going", "gonna going", "wanna want", "as is has",
    "had have has", "been bin", "some son", "because cause", "very fairy", "why way", "great grey",
    "love of", "nice ice", "thing think", "look lock", "guy guys", "see sea", "let lets",
    "tell till",
)  # fmt: skip
"""Words that are heard for one another."""
_INSERTED = ("a", "the", "and", "i", "uh", "to", "it", "is", "you", "of")


def _confusions() -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for line in _ALIKE:
        words = line.split()
        for word in words:
            found.setdefault(word, []).extend(other for other in words if other != word)
    return found


_CONFUSED = _confusions()


def degrade(text: str, rate: float, rng: random.Random, *, punctuated: bool = False) -> str:
    """A transcript as a recogniser would write it.

    Args:
        text: As it was said.
        rate: Word errors per word, from 0 to 1.
        rng: Source of all randomness.
        punctuated: Whether case and punctuation stay.

    Returns:
        The words; of a text with words at least one is left.
    """
    words = [one for one in text.split() if split_words(one)] if punctuated else split_words(text)
    heard: list[str] = []
    for word in words:
        if rng.random() >= rate:
            heard.append(word)
            continue
        kind = rng.random()
        if kind < SUBSTITUTIONS:
            heard.append(_in_the_style(_misheard(split_words(word)[0], rng), word))
        elif kind >= SUBSTITUTIONS + DELETIONS:
            heard += [word, rng.choice(_INSERTED)]
    return " ".join(heard or words[:1])


def degrade_dialogue(dialogue: Dialogue, rate: float, rng: random.Random) -> Dialogue:
    """All utterances of a dialogue as one recogniser would write them; some have no words left."""
    punctuated = rng.random() < PUNCTUATED
    utterances = tuple(
        replace(one, text=degrade(one.text, rate, rng, punctuated=punctuated))
        for one in dialogue.utterances
    )
    return replace(dialogue, utterances=utterances)


def _in_the_style(heard: str, word: str) -> str:
    """What was heard for a word, with the capital and the marks after it that the word has."""
    marks = word[len(word.rstrip(_MARKS)) :]
    return (heard.capitalize() if word[:1].isupper() else heard) + marks


def _misheard(word: str, rng: random.Random) -> str:
    """A word that sounds alike; of a word that has none in the list, another ending."""
    if word in _CONFUSED:
        return rng.choice(_CONFUSED[word])
    if len(word) > 5 and rng.random() < 0.5:  # heard as two
        cut = rng.randrange(2, len(word) - 2)
        return f"{word[:cut].rstrip(_APOSTROPHE)} {word[cut:].lstrip(_APOSTROPHE)}"
    if len(word) > 3:
        stem = word[: rng.randrange(2, len(word))].rstrip(_APOSTROPHE)
        return stem + rng.choice(("", "s", "er", "ed", "y", "ing"))
    return rng.choice(_INSERTED)
