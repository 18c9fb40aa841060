"""The base LLM without what was trained."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from tiny_model import random_dialogues, random_turn
from transformers import AutoModelForCausalLM

from engine.model.recognizer import Recognizer, without
from engine.model.spec import ModelSpec, structured_instruction
from stream.errors import UserError
from training.datasets.labels import IEMOCAP_LABELS
from training.evaluation.predict import model_scores
from training.evaluation.zero_shot import load_zero_shot
from training.smoke import Smoke


@pytest.fixture(scope="module")
def spec(smoke: Smoke) -> ModelSpec:
    """Of the tiny bundle."""
    return smoke.spec


def test_scores_are_the_base_models_own(spec: ModelSpec) -> None:
    """At the cue of a plain prompt the logits of the labels' tokens, from transformers alone."""
    base = Path(spec.llm.base)
    model = load_zero_shot(spec, base)
    dialogue = random_dialogues(spec)[0]
    text = spec.prompt.instruction
    ids = model.prompt.instruction[:]
    expected = []
    llm = AutoModelForCausalLM.from_pretrained(base)
    tokenizer = model.prompt._tokenizer
    for letter, turn in zip("ABAC", dialogue, strict=True):
        words = f" {turn.text}" if turn.text else ""
        for part in (f"{letter}:", words, spec.prompt.cue):
            ids += tokenizer(part, add_special_tokens=False).input_ids if part else []
        with torch.inference_mode():
            logits = llm(torch.tensor([ids])).logits[0, -1]
        expected.append(logits[model.label_tokens])
        ids += tokenizer("\n", add_special_tokens=False).input_ids
    assert tokenizer.decode(ids).startswith(text + "A: what a lovely day ->\nB: oh ->\nA: ->\n")
    torch.testing.assert_close(
        model_scores(model, [dialogue]), torch.stack(expected), atol=1e-4, rtol=0
    )


def test_voice_and_pictures_are_not_read(spec: ModelSpec) -> None:
    """With them and without them the scores are the same, and not those of the trained model."""
    model = load_zero_shot(spec, Path(spec.llm.base))
    turns = [random_turn(spec, seed) for seed in range(3)]
    bare = [without(turn, "audio", "video") for turn in turns]
    torch.testing.assert_close(model_scores(model, [turns]), model_scores(model, [bare]))


def test_it_differs_from_the_trained_model(tiny_recognizer: Recognizer, spec: ModelSpec) -> None:
    """Training changed the scores of words alone."""
    model = load_zero_shot(spec, Path(spec.llm.base))
    turns = [without(random_turn(spec, seed), "audio", "video") for seed in range(3)]
    trained = model_scores(tiny_recognizer.model, [turns])
    assert not torch.allclose(model_scores(model, [turns]), trained, atol=1e-3)


def test_loading_is_repeatable_and_keeps_the_labels_of_the_spec(spec: ModelSpec) -> None:
    """Nothing random is left in the scores; another corpus's labels are scored likewise."""
    prompt = dataclasses.replace(spec.prompt, instruction=structured_instruction(IEMOCAP_LABELS))
    six = dataclasses.replace(spec, labels=IEMOCAP_LABELS, prompt=prompt)
    turns = random_dialogues(spec)
    first, second = (
        model_scores(load_zero_shot(six, Path(spec.llm.base)), turns) for _ in range(2)
    )
    assert first.shape == (7, 6)
    torch.testing.assert_close(first, second)


def test_another_base_is_refused(spec: ModelSpec) -> None:
    """A base of another width than the spec says."""
    llm = dataclasses.replace(spec.llm, hidden_size=8)
    with pytest.raises(UserError, match="64 wide, the spec says 8"):
        load_zero_shot(dataclasses.replace(spec, llm=llm), Path(spec.llm.base))
