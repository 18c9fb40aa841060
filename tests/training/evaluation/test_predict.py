"""Scoring many turns at once keeps their order and their scores."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from tiny_model import random_dialogues, random_turn

from engine.dialogue import Turn
from engine.model.recognizer import Recognizer, used_modalities
from training.evaluation import predict
from training.evaluation.predict import (
    Examples,
    label_scores,
    model_scores,
    probabilities,
    remove,
    split_by_context,
)

CLOSE = {"atol": 1e-4, "rtol": 0.0}


@torch.inference_mode()
def test_dialogues_keep_their_order(
    tiny_recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches are made by length; the scores come back in the order of the turns."""
    dialogues = random_dialogues(tiny_recognizer.spec) * 2
    expected = torch.cat([tiny_recognizer.model([turns]) for turns in dialogues])
    for tokens in (1, 150, 10_000):
        monkeypatch.setattr(predict, "BATCH_TOKENS", tokens)
        torch.testing.assert_close(label_scores(tiny_recognizer, dialogues), expected, **CLOSE)


@torch.inference_mode()
def test_turns_alone_score_as_dialogues_of_one(
    tiny_recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The faster way for turns without a history gives the same."""
    spec = tiny_recognizer.spec
    singles = [[random_turn(spec, seed, windows=seed % 4)] for seed in range(7)]
    monkeypatch.setattr(predict, "BATCH_TURNS", 3)
    expected = torch.cat([tiny_recognizer.model([turns]) for turns in singles])
    torch.testing.assert_close(label_scores(tiny_recognizer, singles), expected, **CLOSE)


def test_probabilities_are_those_of_the_live_path(tiny_recognizer: Recognizer) -> None:
    """Every turn of a dialogue gets what `predict` says with the turns before it as history."""
    dialogues = random_dialogues(tiny_recognizer.spec)
    given = probabilities(tiny_recognizer, dialogues)
    torch.testing.assert_close(given.sum(1), torch.ones(7))
    live = [
        tiny_recognizer.predict(turns[:count], turns[count])[0]
        for turns in dialogues
        for count in range(len(turns))
    ]
    torch.testing.assert_close(given, torch.stack(live), **CLOSE)


def test_long_dialogues_are_read_as_live(
    tiny_recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a dialogue outgrows the context, every turn has the past that the engine keeps."""
    spec = tiny_recognizer.spec
    instruction = len(tiny_recognizer.model.prompt.instruction)
    prompt = dataclasses.replace(spec.prompt, context_tokens=instruction + 60)
    monkeypatch.setattr(tiny_recognizer.model.prompt, "_spec", prompt)
    turns = [
        random_turn(spec, seed, "ABC"[seed % 3], "so " * (1 + seed % 5), windows=seed % 3)
        for seed in range(14)
    ]
    expected, kept = [], []
    for count, turn in enumerate(turns):
        history = [Turn(one.speaker, one.text, one) for one in turns[:count]]
        past = tiny_recognizer._keep(history, turn)
        kept.append(len(past))
        expected.append(tiny_recognizer.predict(past, turn)[0])
    assert max(kept) < 13
    parts = split_by_context(tiny_recognizer.model, turns)
    assert len(parts) > 2
    assert sum(part.scored for part in parts) == 14
    lone = [random_turn(spec, 99)]
    given = probabilities(tiny_recognizer, [turns, lone])
    torch.testing.assert_close(given[:14], torch.stack(expected), **CLOSE)


def test_a_model_in_training_is_scored_as_live_and_left_as_it_was(
    tiny_recognizer: Recognizer,
) -> None:
    """Scores are those of evaluation, without gradients; the mode comes back."""
    model = tiny_recognizer.model
    dialogues = random_dialogues(tiny_recognizer.spec)
    expected = model_scores(model, dialogues)
    model.train()
    try:
        given = model_scores(model, dialogues)
        assert model.training
    finally:
        model.eval()
    torch.testing.assert_close(given, expected)
    assert not given.requires_grad


def test_modalities_are_removed_everywhere(tiny_recognizer: Recognizer) -> None:
    """Of every turn, and nothing else; the truth stays."""
    dialogues = tuple(tuple(turns) for turns in random_dialogues(tiny_recognizer.spec))
    examples = Examples(dialogues, (0, 1, 2, 3, 4, 5, 6))
    left = remove(examples, ["audio", "text"])
    assert left.truth == examples.truth
    for turns, before in zip(left.dialogues, dialogues, strict=True):
        for turn, full in zip(turns, before, strict=True):
            assert set(used_modalities(turn)) == set(used_modalities(full)) & {"video"}
            assert turn.video is full.video
            assert turn.audio_scores is None
    assert remove(examples, []).dialogues == dialogues


def test_every_second_dialogue_keeps_its_truth(tiny_recognizer: Recognizer) -> None:
    """Turns and labels are skipped together."""
    dialogues = tuple(tuple(turns) for turns in random_dialogues(tiny_recognizer.spec))
    examples = Examples(dialogues, (0, 1, 2, 3, 4, 5, 6))
    assert [len(turns) for turns in dialogues] == [4, 1, 2]
    half = examples.every(2)
    assert half.dialogues == (dialogues[0], dialogues[2])
    assert list(half.truth) == [0, 1, 2, 3, 5, 6]
    assert list(examples.every(1).truth) == [0, 1, 2, 3, 4, 5, 6]
