"""Merging LoRA without peft gives what peft gives."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from engine.model.model import add_lora, load_base, merge_lora
from training.smoke import Smoke


def test_merging_is_what_peft_does(smoke: Smoke) -> None:
    """The base with merged weights equals peft's own merge; another rank is refused."""
    spec = smoke.spec.llm
    adapted = add_lora(load_base(Path(spec.base))[0], spec)
    torch.manual_seed(0)
    weights = {
        name: torch.randn_like(value).mul_(0.1)
        for name, value in adapted.named_parameters()
        if value.requires_grad
    }
    adapted.load_state_dict(weights, strict=False)
    expected = adapted.merge_and_unload().state_dict()
    merged, _ = load_base(Path(spec.base))
    merge_lora(merged, weights, spec)
    for name, value in merged.state_dict().items():
        torch.testing.assert_close(value, expected[name])
    with pytest.raises(ValueError, match="no LoRA of rank 3"):
        merge_lora(merged, weights, dataclasses.replace(spec, lora_rank=3))
