"""The losses of both stages are those of one prompt at a time, however turns are packed."""

from __future__ import annotations

import copy
import random

import pytest
import torch
from tiny_model import random_dialogues, random_turn
from torch import Tensor
from torch.nn import functional

from engine.model.prompt import TurnShape, first_turns
from engine.model.reader import DialogueReader
from training.learning.learner import build_learner
from training.learning.objectives import PLACEHOLDERS, Objectives, balanced_weights
from training.learning.sequences import DescribedSequence, TrainingSequence, in_context
from training.smoke import WORDS, Smoke

CLOSE = {"atol": 1e-4, "rtol": 0.0}


@pytest.fixture(scope="module")
def objectives(smoke: Smoke) -> Objectives:
    """A learner whose LoRA and adapters do something, as after training."""
    torch.manual_seed(0)
    built = build_learner(smoke.recipe)
    with torch.no_grad():
        for parameter in built.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return built.eval()


def described(objectives: Objectives, seed: int) -> tuple[DescribedSequence, list[TurnShape], list]:
    """A dialogue of a few turns, of which most are described."""
    rng = random.Random(seed)
    texts = list(WORDS.values())
    shapes = [
        TurnShape(rng.choice("ABC"), rng.choice(texts), 2, rng.randrange(1, 4), placeholders=True)
        for _ in range(rng.randrange(1, 5))
    ]
    said = [rng.choice([None, "raises the brows", "leans back and nods twice"]) for _ in shapes]
    said[0] = "looks down"
    prompt = objectives.model.prompt.build_described(shapes, said)
    turns = tuple(
        random_turn(objectives.model.spec, 1, s.speaker, s.text, 0, False) for s in shapes
    )
    return DescribedSequence(turns, prompt), shapes, said


def naive_behaviour_loss(objectives: Objectives, shapes: list[TurnShape], said: list) -> Tensor:
    """One prompt for each description, read from left to right with a plain causal mask."""
    model, tokenizer = objectives.model, objectives.model.prompt._tokenizer
    spec = model.spec.prompt

    def encode(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False).input_ids)

    total = torch.zeros(())
    for index, text in enumerate(said):
        if text is None:
            continue
        dialogue = model.prompt.build(shapes[: index + 1]).ids.tolist()
        history = dialogue[len(model.prompt.instruction) : -len(encode(spec.cue))]
        opening = list(tokenizer(spec.behaviour_instruction).input_ids)
        start = [*opening, *history, *encode(spec.behaviour_cue)]
        answer = [*encode(f" {text}"), *encode("\n")[:1]]
        ids = torch.tensor([*start, *answer[:-1]])
        embeddings = model.llm.get_input_embeddings()(ids.clamp_min(0))
        for name, slot in PLACEHOLDERS.items():
            embeddings[ids == slot] = objectives.placeholders[name]
        hidden = model.llm.get_decoder()(inputs_embeds=embeddings[None]).last_hidden_state[0]
        logits = model.llm.get_output_embeddings()(hidden[len(start) - 1 :])
        total = total + functional.cross_entropy(logits, torch.tensor(answer), reduction="sum")
    return total


@torch.inference_mode()
def test_packed_descriptions_cost_what_single_ones_do(objectives: Objectives) -> None:
    """Twenty dialogues in batches with padding: the loss is that of a prompt per description."""
    made = [described(objectives, seed) for seed in range(20)]
    for start in range(0, 20, 4):
        part = made[start : start + 4]
        _, packed = objectives([sequence for sequence, _, _ in part])
        single = [naive_behaviour_loss(objectives, shapes, said) for _, shapes, said in part]
        count = objectives.counts([sequence for sequence, _, _ in part])[1]
        torch.testing.assert_close(packed / count, torch.stack(single).sum() / count, **CLOSE)


@torch.inference_mode()
def test_a_description_is_not_seen_by_another(objectives: Objectives) -> None:
    """Other words in one description leave the loss of the others as it was."""
    shapes = [TurnShape("A", "so?", 1, 1, placeholders=True)] * 2

    def loss(first: str) -> Tensor:
        builder = objectives.model.prompt
        both = builder.build_described(shapes, [first, "nods"])
        alone = builder.build_described(shapes, [first, None])
        turns = (random_turn(objectives.model.spec, 1, "A", "so?", 0, False),) * 2
        with_second, without = (
            objectives([DescribedSequence(turns, prompt)])[1] for prompt in (both, alone)
        )
        return with_second - without

    torch.testing.assert_close(loss("smiles widely"), loss("frowns"), **CLOSE)


def sequences(objectives: Objectives) -> list[TrainingSequence]:
    """Seven turns of seven labels in three dialogues."""
    made, used = [], 0
    for turns in random_dialogues(objectives.model.spec):
        made.append(TrainingSequence(tuple(turns), torch.eye(7)[used : used + len(turns)]))
        used += len(turns)
    return made


@torch.inference_mode()
def test_the_emotion_loss_is_a_cross_entropy(objectives: Objectives) -> None:
    """Summed over the turns that have a target; context counts nothing."""
    whole = sequences(objectives)
    scores = objectives(whole, scores_only=True)
    loss, none = objectives(whole)
    expected = functional.cross_entropy(scores, torch.arange(7), reduction="sum")
    torch.testing.assert_close(loss, expected, **CLOSE)
    assert none == 0
    targets = whole[0].targets.clone()
    targets[0] = 0
    partly = [TrainingSequence(whole[0].turns, targets), *whole[1:]]
    own = functional.cross_entropy(scores[:1], torch.tensor([0]))
    torch.testing.assert_close(objectives(partly)[0], loss - own, **CLOSE)
    assert objectives.counts(whole).tolist() == [7, 0]
    assert objectives.counts(partly).tolist() == [6, 0]


@torch.inference_mode()
def test_class_weights_are_those_of_the_target(objectives: Objectives) -> None:
    """A rare label counts more, and the mean weight over the turns is one."""
    rare = torch.tensor([[1.0, 0, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0]])
    turns = (random_turn(objectives.model.spec, 1),) * 5
    weights = balanced_weights([TrainingSequence(turns, rare)])
    torch.testing.assert_close(weights, torch.tensor([4 / 6, 2.0, 1.0]))
    weighted = copy.deepcopy(objectives)
    weighted.class_weights = torch.linspace(0.5, 2, 7)
    whole = sequences(objectives)
    scores = objectives(whole, scores_only=True)
    expected = functional.cross_entropy(
        scores, torch.arange(7), weight=weighted.class_weights, reduction="sum"
    )
    torch.testing.assert_close(weighted(whole)[0], expected, **CLOSE)
    assert weighted.counts(whole)[0] == pytest.approx(float(weighted.class_weights.sum()))


@torch.inference_mode()
def test_both_kinds_in_one_batch(objectives: Objectives) -> None:
    """Single-stage training adds the two losses, each counted by itself."""
    one, _, _ = described(objectives, 3)
    whole = sequences(objectives)
    together = objectives([one, *whole])
    torch.testing.assert_close(together[0], objectives(whole)[0], **CLOSE)
    torch.testing.assert_close(together[1], objectives([one])[1], **CLOSE)
    assert objectives.counts([one, *whole]).tolist() == [7, int((one.prompt.targets >= 0).sum())]


@torch.inference_mode()
def test_a_long_dialogue_is_read_as_it_would_be_live(objectives: Objectives) -> None:
    """Cut to the context, every turn has the scores that it has with the history kept live."""
    spec, prompt = objectives.model.spec, objectives.model.prompt
    turns = tuple(random_turn(spec, n, "AB"[n % 2], "what a lovely day") for n in range(12))
    budget = prompt.history_length([turn.shape for turn in turns[:5]]) + 3
    parts = in_context(TrainingSequence(turns, torch.eye(7)[[0] * 12]), prompt, budget)
    assert len(parts) > 2
    assert sum(float(part.targets.sum()) for part in parts) == 12
    found = torch.cat(
        [objectives([part], scores_only=True)[part.targets.sum(1) > 0] for part in parts]
    )
    for index in range(12):
        lengths = [prompt.turn_length(turn.shape) for turn in turns[: index + 1]]
        first = first_turns(lengths, budget - len(prompt.instruction))[-1]
        live = DialogueReader(objectives.model)(turns[first:index], [turns[index]])[0]
        torch.testing.assert_close(found[index], live, **CLOSE)


def test_frozen_inputs_leave_the_adapters_alone(objectives: Objectives) -> None:
    """Words alone teach LoRA only; otherwise everything that is trained has a gradient."""
    for frozen in (True, False):
        objectives.zero_grad()
        objectives(sequences(objectives), frozen_inputs=frozen).sum().backward()
        moved = {
            name for name, p in objectives.named_parameters() if p.grad is not None and p.grad.any()
        }
        fusion = {name for name in moved if ".fusion." in name and "evidence" not in name}
        assert bool(fusion) is not frozen
        assert any("lora_B" in name for name in moved)


def test_gradients_reach_the_placeholders(objectives: Objectives) -> None:
    """Stage 1 trains LoRA and the placeholders, through the base that stays as it is."""
    objectives.zero_grad()
    objectives([described(objectives, 5)[0]]).sum().backward()
    for parameter in objectives.placeholders.values():
        assert parameter.grad is not None
        assert parameter.grad.any()
    frozen = [p for n, p in objectives.named_parameters() if "base_layer" in n]
    assert frozen
    assert all(p.grad is None for p in frozen)
