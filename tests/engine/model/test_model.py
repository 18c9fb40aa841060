"""The network on a real two-layer LLaMA: one pass over a dialogue says what many would."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from tiny_model import as_after_training, random_dialogues, random_turn
from torch.nn import functional

from engine.model.model import EmotionModel, TurnInputs, add_lora, load_base, merge_lora
from engine.model.reader import DialogueReader
from engine.model.recognizer import without
from engine.model.spec import compact
from export.models import resolve
from training.smoke import Smoke

CLOSE = {"atol": 1e-4, "rtol": 0.0}


@pytest.fixture(scope="module")
def model(smoke: Smoke) -> EmotionModel:
    """With the tiny spec."""
    return as_after_training(smoke.spec)


@pytest.fixture(scope="module")
def dialogues(smoke: Smoke) -> list[list[TurnInputs]]:
    """Seven turns in three dialogues, with and without each modality."""
    return random_dialogues(smoke.spec)


@torch.inference_mode()
def test_one_pass_says_what_one_turn_at_a_time_would(
    model: EmotionModel, dialogues: list[list[TurnInputs]]
) -> None:
    """Each turn is scored as if nothing came after it: no look-ahead, no label in the history."""
    packed = model(dialogues)
    assert packed.shape == (7, 7)
    alone = [model([turns[: count + 1]])[-1] for turns in dialogues for count in range(len(turns))]
    torch.testing.assert_close(packed, torch.stack(alone), **CLOSE)


@torch.inference_mode()
def test_padding_changes_nothing(model: EmotionModel, dialogues: list[list[TurnInputs]]) -> None:
    """A dialogue scores the same alone and beside longer ones, in any order."""
    alone = [model([turns]) for turns in dialogues]
    torch.testing.assert_close(model(dialogues), torch.cat(alone), **CLOSE)
    backwards = model(dialogues[::-1])
    torch.testing.assert_close(backwards, torch.cat(alone[::-1]), **CLOSE)


@torch.inference_mode()
def test_every_subset_of_modalities_has_its_own_scores(model: EmotionModel) -> None:
    """Dropping any leaves finite scores, and all eight differ: none is ignored."""
    turn = random_turn(model.spec, 3)
    subsets = [
        tuple(name for bit, name in enumerate(("text", "audio", "video")) if mask >> bit & 1)
        for mask in range(8)
    ]
    scores = DialogueReader(model)([], [without(turn, *dropped) for dropped in subsets])
    assert torch.isfinite(scores).all()
    gaps = torch.cdist(scores, scores) + torch.eye(8)
    assert gaps.min() > 1e-3


@torch.inference_mode()
def test_the_history_matters(model: EmotionModel, dialogues: list[list[TurnInputs]]) -> None:
    """Other words before a turn change its scores; another last turn changes no earlier one."""
    before = model([dialogues[0]])
    opening = dataclasses.replace(dialogues[0][0], text="i miss the old house")
    assert not torch.allclose(model([[opening, *dialogues[0][1:]]])[1:], before[1:], atol=1e-3)
    ending = dataclasses.replace(dialogues[0][-1], text="what a lovely day")
    after = model([[*dialogues[0][:-1], ending]])
    torch.testing.assert_close(after[:-1], before[:-1], **CLOSE)
    assert not torch.allclose(after[-1], before[-1], atol=1e-3)


@torch.inference_mode()
def test_evidence_adds_to_the_label_scores(model: EmotionModel) -> None:
    """The weighted scores of the encoders, exactly."""
    turn = random_turn(model.spec, 4)
    silent = dataclasses.replace(turn, audio_scores=None, video_scores=None)
    assert turn.audio_scores is not None
    assert turn.video_scores is not None
    weights = model.fusion.evidence_weights
    added = weights["audio"] * turn.audio_scores + weights["video"] * turn.video_scores
    torch.testing.assert_close(model([[turn]]) - model([[silent]]), added[None], **CLOSE)


def test_a_turn_without_words_is_scored_by_its_encoders(model: EmotionModel) -> None:
    """Once trained: with neither voice nor face, and while training, the LLM says it."""
    turn = random_turn(model.spec, 4, text=None)
    assert turn.audio_scores is not None
    assert turn.video_scores is not None
    variants = [turn, without(turn, "audio"), without(turn, "video")]
    expected = [turn.audio_scores + turn.video_scores, turn.video_scores, turn.audio_scores]
    nothing = without(turn, "audio", "video")
    with torch.inference_mode():
        scores = model([[variant] for variant in (*variants, nothing)])
        model.train()
        trained = model([[variant] for variant in (*variants, nothing)])
        model.eval()
    torch.testing.assert_close(scores[:3], torch.stack(expected), **CLOSE)
    torch.testing.assert_close(scores[3], trained[3], **CLOSE)
    assert scores[3].std() > 1e-3
    weights = model.fusion.evidence_weights
    with torch.inference_mode():
        model.train()
        silent = dataclasses.replace(turn, audio_scores=None, video_scores=None)
        gap = trained[0] - model([[silent]])[0]
        model.eval()
    added = weights["audio"] * turn.audio_scores + weights["video"] * turn.video_scores
    torch.testing.assert_close(gap, added.detach(), **CLOSE)


def test_without_evidence_the_llm_alone_decides(smoke: Smoke) -> None:
    """As in the paper: scores of the encoders have no way in."""
    model = as_after_training(dataclasses.replace(smoke.spec, evidence=False))
    turn = random_turn(model.spec, 4)
    silent = dataclasses.replace(turn, audio_scores=None, video_scores=None)
    with torch.inference_mode():
        assert torch.equal(model([[turn]]), model([[silent]]))


def test_a_loss_trains_lora_and_fusion_but_not_the_base(
    model: EmotionModel, dialogues: list[list[TurnInputs]]
) -> None:
    """Gradients reach everything that is trained and nothing that is frozen."""
    model.zero_grad()
    functional.cross_entropy(model(dialogues), torch.arange(7)).backward()
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert {name.split(".")[0] for name in trained} == {"llm", "fusion"}
    for name, parameter in model.named_parameters():
        if name in trained:
            assert "lora" in name or name.startswith("fusion")
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name
        else:
            assert parameter.grad is None, name
    model.zero_grad()


@pytest.mark.parametrize("first_layer", [0, 1])
@torch.inference_mode()
def test_merged_lora_scores_as_lora_does(
    smoke: Smoke, dialogues: list[list[TurnInputs]], first_layer: int
) -> None:
    """The live model adds the weights to the base itself, and says what peft's model says."""
    spec = dataclasses.replace(
        smoke.spec, llm=dataclasses.replace(smoke.spec.llm, lora_first_layer=first_layer)
    )
    trained = as_after_training(spec)
    lora = {n: p.half() for n, p in trained.llm.named_parameters() if p.requires_grad}
    assert len(lora) == 2 * (2 - first_layer) * len(spec.llm.lora_targets)
    llm, tokenizer = load_base(Path(spec.llm.base))
    bare = EmotionModel(spec, llm, tokenizer)
    bare.fusion.load_state_dict(trained.fusion.state_dict())
    bare.eval()
    expected = trained(dialogues)
    assert not torch.allclose(bare(dialogues), expected, atol=1e-2)
    merge_lora(llm, lora, spec.llm)
    torch.testing.assert_close(bare(dialogues), expected, atol=2e-3, rtol=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lora_rank": 3}, "no LoRA of rank 3"),
        ({"lora_first_layer": 1}, "does not name"),
        ({"lora_first_layer": 2}, "does not name"),
        ({"lora_targets": ("q_proj",)}, "does not name"),
        ({"lora_targets": ("q_proj", "lm_head")}, "does not name"),
    ],
)
def test_lora_of_another_spec_is_refused(
    smoke: Smoke, model: EmotionModel, changes: dict[str, object], message: str
) -> None:
    """Neither missing nor surplus layers pass."""
    lora = {n: p for n, p in model.llm.named_parameters() if p.requires_grad}
    llm, _ = load_base(Path(smoke.spec.llm.base))
    with pytest.raises(ValueError, match=message):
        merge_lora(llm, lora, dataclasses.replace(smoke.spec.llm, **changes))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no LoRA of rank 2 for"):
        merge_lora(llm, {}, smoke.spec.llm)


def test_lora_on_no_layer_is_refused(smoke: Smoke) -> None:
    """A first layer beyond the last would make peft train them all."""
    llm, _ = load_base(Path(smoke.spec.llm.base))
    with pytest.raises(ValueError, match="lora_first_layer 2: the base has 2"):
        add_lora(llm, dataclasses.replace(smoke.spec.llm, lora_first_layer=2))


def test_a_base_of_another_width_is_refused(smoke: Smoke) -> None:
    """The message has both widths."""
    llm, tokenizer = load_base(Path(smoke.spec.llm.base))
    llm_spec = dataclasses.replace(smoke.spec.llm, hidden_size=576)
    with pytest.raises(ValueError, match="64 wide, the spec says 576"):
        EmotionModel(dataclasses.replace(smoke.spec, llm=llm_spec), llm, tokenizer)


@pytest.mark.slow
def test_compact_at_its_real_size() -> None:
    """SmolLM2 with LoRA on its upper layers scores a dialogue; every label is one of its tokens."""
    spec = compact()
    llm, tokenizer = load_base(resolve(spec.llm.base))
    model = EmotionModel(spec, add_lora(llm, spec.llm), tokenizer).eval()
    turns = [random_turn(spec, 1, "Ann"), random_turn(spec, 2, "Ben", "oh!", windows=8)]
    with torch.inference_mode():
        scores = model([turns])
    assert scores.shape == (2, len(spec.labels))
    assert torch.isfinite(scores).all()
    trained = {name for name, parameter in llm.named_parameters() if parameter.requires_grad}
    layers = {int(name.split("layers.")[1].split(".")[0]) for name in trained}
    assert layers == set(range(spec.llm.lora_first_layer, llm.config.num_hidden_layers))


def test_scores_in_half_precision_are_not_rounded(smoke: Smoke) -> None:
    """The states are bf16, the few products with the labels are not: scores lie close together."""
    model = as_after_training(smoke.spec).to(torch.bfloat16)
    hidden = 8 * torch.randn(400, smoke.spec.llm.hidden_size, dtype=torch.bfloat16)
    scores = model.score(hidden, [TurnInputs("Ann", "oh")] * len(hidden))
    assert scores.dtype == torch.float32
    head = model.llm.get_output_embeddings().weight[model.label_tokens]
    assert torch.equal(scores, hidden.float() @ head.float().T)
    assert not torch.equal(scores, scores.bfloat16().float())


def test_what_scores_a_turn_without_words_is_named(smoke: Smoke) -> None:
    """Voice and face, wherever they stand among the sources, and never prosody."""
    model = as_after_training(dataclasses.replace(smoke.spec, prosody=True))
    turn = dataclasses.replace(
        random_turn(model.spec, 1, text=None), prosody_scores=torch.zeros(7).log_softmax(0)
    )
    assert turn.audio_scores is not None
    assert turn.video_scores is not None
    expected = turn.audio_scores + turn.video_scores

    class Reordered(type(model.spec)):  # type: ignore[misc]
        """With its sources in another order."""

        @property
        def evidence_sources(self) -> tuple[str, ...]:
            return ("prosody", "video", "audio")

    values = {f.name: getattr(model.spec, f.name) for f in dataclasses.fields(model.spec)}
    model.spec = Reordered(**values)
    with torch.no_grad():
        torch.testing.assert_close(model([[turn]])[0], expected)
