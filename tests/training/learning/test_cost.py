"""Costs add up, survive a resume, and operations are those that PyTorch counts."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM, LlamaConfig

from engine.model.model import add_lora
from engine.model.spec import LlmSpec
from training.learning.cost import (
    CostMeter,
    StageCost,
    TokenFlops,
    llm_flops_per_token,
    peak_memory_bytes,
)

CONFIG = LlamaConfig(
    vocab_size=96,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
)
LORA = LlmSpec(base="tiny", hidden_size=32, lora_rank=4, lora_first_layer=1)


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def test_a_stage_is_added_up() -> None:
    """Seconds since the start, and every batch and update."""
    clock = Clock()
    meter = CostMeter("stage1", clock)
    meter.add_batch(tokens=90, padded_tokens=100, flops=5e9)
    meter.add_batch(tokens=50, padded_tokens=50, flops=2e9)
    meter.add_update()
    clock.now += 12.5
    cost = meter.cost
    assert cost.peak_memory_bytes > 1_000_000
    assert dataclasses.replace(cost, peak_memory_bytes=0) == StageCost(
        "stage1", 12.5, tokens=140, padded_tokens=150, updates=1, flops=7e9
    )


def test_a_resumed_stage_goes_on_from_what_was_saved() -> None:
    """Through JSON: sums continue, the larger peak stays, time between runs is not counted."""
    clock = Clock()
    first = CostMeter("stage2", clock)
    first.add_batch(10, 12, 1e6)
    first.add_update()
    clock.now += 3
    saved = json.loads(json.dumps(first.cost.to_dict()))
    saved["peak_memory_bytes"] = 2**60
    clock.now += 1000
    second = CostMeter("stage2", clock, earlier=StageCost.from_dict(saved))
    second.add_batch(5, 5, 1e6)
    second.add_update()
    clock.now += 4
    assert second.cost == StageCost("stage2", 7, 15, 17, 2, 2e6, 2**60)


def test_the_cost_of_another_stage_is_not_continued() -> None:
    """A mix-up between stages is an error, not a sum."""
    with pytest.raises(ValueError, match="cost of stage1 is not continued by stage2"):
        CostMeter("stage2", earlier=StageCost("stage1"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seconds": -1.0}, "cost.seconds"),
        ({"flops": float("nan")}, "cost.flops"),
        ({"tokens": 5, "padded_tokens": 4}, "cost.padded_tokens"),
        ({"updates": "3"}, "cost.updates"),
        ({"watts": 3}, "unknown key watts"),
    ],
)
def test_a_damaged_record_is_refused(changes: dict[str, object], message: str) -> None:
    """A cost that nothing can have is named by its key."""
    with pytest.raises(ValueError, match=message):
        StageCost.from_dict(StageCost("stage1").to_dict() | changes)


def test_the_peak_covers_what_was_held() -> None:
    """100 MB that are written raise the peak to at least that."""
    held = torch.ones(25_000_000)
    assert peak_memory_bytes(torch.device("cpu")) > held.numel() * held.element_size()


def counted(length: int, *, training: bool, trained_inputs: bool) -> int:
    """What PyTorch counts for two sequences in the decoder, which is all but the head."""
    llm = AutoModelForCausalLM.from_config(CONFIG, attn_implementation="eager")
    llm.requires_grad_(False)
    decoder = add_lora(llm, LORA).get_decoder()
    embeddings = torch.randn(2, length, 32, requires_grad=trained_inputs)
    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(training):
        hidden = decoder(inputs_embeds=embeddings).last_hidden_state
        if training:
            hidden.sum().backward()
    return counter.get_total_flops()


@pytest.mark.parametrize("length", [5, 40])
@pytest.mark.parametrize(
    ("training", "trained_inputs"), [(False, True), (True, True), (True, False)]
)
def test_operations_are_those_of_the_real_model(
    length: int, training: bool, trained_inputs: bool
) -> None:
    """Forward, and backward to the inputs or to the first LoRA, in short and long sequences."""
    flops = llm_flops_per_token(CONFIG, LORA, training, trained_inputs=trained_inputs)
    expected = counted(length, training=training, trained_inputs=trained_inputs)
    # Where the gradient ends, the maps that read the inputs pass none on: not subtracted.
    tolerance = 0.02 if trained_inputs else 0.05
    assert flops.of_batch(2 * length, length) == pytest.approx(expected, rel=tolerance)


def test_vicuna_costs_two_operations_per_parameter() -> None:
    """6.6 billion in the layers; LoRA trains for about twice the forward, not three times."""
    lora = LlmSpec(base="lmsys/vicuna-7b-v1.5", hidden_size=4096, lora_first_layer=0)
    forward = llm_flops_per_token(LlamaConfig(), lora, training=False)
    training = llm_flops_per_token(LlamaConfig(), lora, training=True)
    assert forward.matrices == pytest.approx(2 * 6.476e9, rel=0.01)
    assert forward.attention == 4 * 32 * 4096
    assert forward.logits == 2 * 4096 * 32000
    assert training.matrices == pytest.approx(2 * forward.matrices, rel=0.01)
    again = llm_flops_per_token(LlamaConfig(), lora, training=True, recompute=True)
    assert again.matrices == pytest.approx(training.matrices + forward.matrices)


def test_a_batch_is_padding_attention_and_logits() -> None:
    """Every padded token is computed, at the padded length; logits only where asked."""
    flops = TokenFlops(matrices=100, attention=2, logits=7)
    assert flops.of_batch(10, context=5) == 10 * (100 + 2 * 5)
    assert flops.of_batch(10, context=5, logits=3) == 10 * 110 + 21
