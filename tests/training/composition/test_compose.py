"""Composed turns say one thing in words, voice and face, and never nothing."""

from __future__ import annotations

import dataclasses
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.recognizer import used_modalities
from training.composition.compose import (
    Bank,
    Banks,
    Sample,
    compose,
    drop_modalities,
    solo_sequences,
)
from training.datasets.dialogues import Dialogue, DialogueUtterance
from training.datasets.labels import MELD_INDEX, MELD_LABELS
from training.learning.sequences import TrainingSequence, text_sequence
from training.settings import Dropout


def bank(kind: float, labels: range = range(7)) -> Bank:
    """Three samples of each label, whose tokens say what they are."""
    return {
        label: [
            Sample(
                tokens=torch.tensor([[kind, label, number]]),
                scores=torch.eye(7)[label].log_softmax(0),
                target=0.9 * torch.eye(7)[label] + 0.1 / 7,
            )
            for number in range(3)
        ]
        for label in labels
    }


VOICE, FACE = 1.0, 2.0
BANKS = Banks(voices=bank(VOICE), faces=bank(FACE))


def dialogue(emotions: list[str]) -> Dialogue:
    """One utterance for each emotion."""
    return Dialogue(
        "0",
        tuple(
            DialogueUtterance("0", number, "Ann", f"words {number}", emotion, None, None, 1, 1)
            for number, emotion in enumerate(emotions)
        ),
    )


emotions = st.lists(st.sampled_from(MELD_LABELS), min_size=1, max_size=12)
seeds = st.integers(0, 1000)


def told(sequence: TrainingSequence) -> list[tuple[object, ...]]:
    """A sequence as values that can be compared."""
    return [
        (
            turn.speaker,
            turn.text,
            None if turn.audio is None else turn.audio.tolist(),
            None if turn.video is None else turn.video.tolist(),
        )
        for turn in sequence.turns
    ]


def test_a_turn_without_a_label_has_its_words_alone() -> None:
    """A corpus of one's own may leave an utterance unlabelled: it is context."""
    sequence = compose(dialogue(["joy", ""]), BANKS, random.Random(1))
    assert [used_modalities(turn) for turn in sequence.turns] == [
        ("text", "audio", "video"),
        ("text",),
    ]
    assert not sequence.targets[1].any()


@pytest.mark.parametrize("mismatched", [0.0, 0.4])
def test_some_voices_and_faces_are_of_another_turn(mismatched: float) -> None:
    """Each by itself, in about the share that is asked for; what is drawn may be the same."""
    sequence = compose(dialogue(["joy", "neutral"] * 500), BANKS, random.Random(0), mismatched)
    own = [MELD_INDEX["joy"], MELD_INDEX["neutral"]] * 500
    others = {"audio": 0, "video": 0, "both": 0}
    for turn, label in zip(sequence.turns, own, strict=True):
        assert turn.audio is not None
        assert turn.video is not None
        voice, face = (bool(tokens[0, 1] != label) for tokens in (turn.audio, turn.video))
        others["audio"] += voice
        others["video"] += face
        others["both"] += voice and face
    share = mismatched / 2  # half of what is drawn is of the turn's own label
    assert others["audio"] == pytest.approx(1000 * share, abs=40)
    assert others["video"] == pytest.approx(1000 * share, abs=40)
    assert others["both"] == pytest.approx(1000 * share**2, abs=20)


@settings(max_examples=50, deadline=None)
@given(emotions, seeds)
def test_voice_and_face_have_the_label_of_the_words(names: list[str], seed: int) -> None:
    """Every turn gets both, of its own label; the target is that label."""
    sequence = compose(dialogue(names), BANKS, random.Random(seed))
    for turn, target, name in zip(sequence.turns, sequence.targets, names, strict=True):
        label = MELD_INDEX[name]
        assert turn.audio is not None
        assert turn.video is not None
        assert turn.audio[0, :2].tolist() == [VOICE, label]
        assert turn.video[0, :2].tolist() == [FACE, label]
        assert turn.audio_scores is not None
        assert int(turn.audio_scores.argmax()) == label
        assert target.tolist() == torch.eye(7)[label].tolist()
    assert [turn.text for turn in sequence.turns] == [f"words {k}" for k in range(len(names))]


def test_a_label_without_samples_stays_with_its_words() -> None:
    """NEMO has no disgust: such a turn is not given another label's voice."""
    banks = Banks(voices=bank(VOICE, range(3)), faces={})
    sequence = compose(dialogue(["joy", "fear"]), banks, random.Random(0))
    assert [used_modalities(turn) for turn in sequence.turns] == [("text", "audio"), ("text",)]


@settings(max_examples=30, deadline=None)
@given(emotions, seeds)
def test_the_seed_decides(names: list[str], seed: int) -> None:
    """Composition and dropout are the same again with the same seed."""

    def make() -> list[tuple[object, ...]]:
        rng = random.Random(seed)
        return told(drop_modalities(compose(dialogue(names), BANKS, rng), Dropout(), rng))

    assert make() == make()


def test_samples_vary() -> None:
    """All samples of a label are drawn sooner or later."""
    sequence = compose(dialogue(["joy"] * 60), BANKS, random.Random(1))
    assert {turn.audio[0, 2].item() for turn in sequence.turns if turn.audio is not None} == {
        0,
        1,
        2,
    }


rates = st.sampled_from([0.0, 0.3, 1.0])


@settings(max_examples=100, deadline=None)
@given(emotions, seeds, st.builds(Dropout, rates, rates, rates, rates))
def test_dropping_never_leaves_a_turn_with_nothing(
    names: list[str], seed: int, dropout: Dropout
) -> None:
    """Something stays at any rates; what stays is unchanged, and so are the targets."""
    whole = compose(dialogue(names), BANKS, random.Random(seed))
    sequence = drop_modalities(whole, dropout, random.Random(seed))
    assert sequence.targets is whole.targets
    for left, full in zip(sequence.turns, whole.turns, strict=True):
        used = used_modalities(left)
        assert used
        for name in used:
            assert getattr(left, name) is getattr(full, name)
        assert (left.audio_scores is None) == (left.audio is None)
        assert (left.video_scores is None) == (left.video is None)


@pytest.mark.parametrize("name", ["text", "audio", "video"])
def test_each_modality_is_dropped_at_its_rate(name: str) -> None:
    """Only the one that is asked for, in about that share of the turns."""
    whole = compose(dialogue(["joy"] * 1000), BANKS, random.Random(0))
    dropout = dataclasses.replace(Dropout(0, 0, 0, 0), **{name: 0.3})
    sequence = drop_modalities(whole, dropout, random.Random(0))
    absent = [set(("text", "audio", "video")) - set(used_modalities(t)) for t in sequence.turns]
    assert all(names <= {name} for names in absent)
    assert sum(map(len, absent)) == pytest.approx(300, abs=60)


def test_some_dialogues_have_words_alone() -> None:
    """In about the share that is asked for; then in every turn of the dialogue."""
    whole = compose(dialogue(["joy", "fear"]), BANKS, random.Random(0))
    rng, alone = random.Random(0), 0
    for _ in range(400):
        sequence = drop_modalities(whole, Dropout(0.35, 0, 0, 0), rng)
        used = {used_modalities(turn) for turn in sequence.turns}
        assert used in ({("text",)}, {("text", "audio", "video")})
        alone += used == {("text",)}
    assert alone == pytest.approx(140, abs=40)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_solo_sequences_have_no_words(seed: int) -> None:
    """A voice, a face or both of one label; the target is the sample's own distribution."""
    made = solo_sequences(BANKS, 3, random.Random(seed), turns=5)
    assert [len(sequence.turns) for sequence in made] == [5, 5, 5]
    for sequence in made:
        torch.testing.assert_close(sequence.targets.sum(1), torch.ones(5))
        for turn, target in zip(sequence.turns, sequence.targets, strict=True):
            assert turn.text is None
            heard = [value[0, 1].item() for value in (turn.audio, turn.video) if value is not None]
            assert heard
            assert set(heard) == {float(target.argmax())}
    again = solo_sequences(BANKS, 3, random.Random(seed), turns=5)
    assert [told(one) for one in made] == [told(other) for other in again]


def test_words_alone() -> None:
    """The first epochs train on these."""
    sequence = text_sequence(dialogue(["anger", "neutral"]), MELD_LABELS)
    assert told(sequence) == [("Ann", "words 0", None, None), ("Ann", "words 1", None, None)]
    assert sequence.targets.argmax(1).tolist() == [MELD_INDEX["anger"], MELD_INDEX["neutral"]]
