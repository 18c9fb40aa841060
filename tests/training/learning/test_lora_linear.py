"""The lighter forward pass of LoRA's layers, against peft's."""

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn

from training.learning.lora_linear import lighten_lora


class Layers(nn.Module):
    """One linear layer with LoRA and a bias, one without LoRA."""

    def __init__(self) -> None:
        """With random weights."""
        super().__init__()
        self.adapted = nn.Linear(12, 8)
        self.plain = nn.Linear(8, 5, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """(..., 12) -> (..., 5)."""
        result: Tensor = self.plain(torch.tanh(self.adapted(inputs)))
        return result


@pytest.fixture
def model() -> nn.Module:
    """Whose LoRA adds something, as after training."""
    torch.manual_seed(0)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=["adapted"])
    built = get_peft_model(Layers().requires_grad_(False), config)  # type: ignore[arg-type]
    for parameter in built.parameters():
        if parameter.requires_grad:
            nn.init.normal_(parameter)
    return built


def read(model: nn.Module, inputs: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """What comes out, and the gradients of its square: of LoRA and of the inputs."""
    inputs = inputs.clone().requires_grad_()
    model.zero_grad()
    result = model(inputs)
    result.float().square().sum().backward()
    gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    assert inputs.grad is not None
    return result.detach(), {**gradients, "inputs": inputs.grad}


@pytest.mark.parametrize("shape", [(7, 12), (3, 5, 12)])
def test_it_is_what_peft_computes(model: nn.Module, shape: tuple[int, ...]) -> None:
    """Results and all gradients, whatever the dimensions before the last."""
    inputs = torch.randn(shape)
    expected, gradients = read(model, inputs)
    lighten_lora(model)
    result, mine = read(model, inputs)
    torch.testing.assert_close(result, expected)
    assert mine.keys() == gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(mine[name], gradient, msg=name)


def test_half_precision_stays_half(model: nn.Module) -> None:
    """In bfloat16 it is near to peft's, and LoRA's own gradients are in float32."""
    inputs = torch.randn(9, 12)
    expected, gradients = read(model, inputs)
    for parameter in model.parameters():
        if not parameter.requires_grad:
            parameter.data = parameter.data.bfloat16()
    lighten_lora(model)
    result, mine = read(model, inputs.bfloat16())
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(result.float(), expected, atol=0.1, rtol=0.1)
    for name in gradients.keys() - {"inputs"}:
        assert mine[name].dtype == torch.float32
        similar = torch.cosine_similarity(mine[name].flatten(), gradients[name].flatten(), dim=0)
        assert similar > 0.99, name


def test_ranks_are_dropped_in_training_alone(model: nn.Module) -> None:
    """Whole ranks are missing, the others count more, and scoring knows nothing of it."""
    inputs = torch.randn(6, 12)
    expected, _ = read(model.eval(), inputs)
    lighten_lora(model, rank_dropout=0.5)
    assert torch.equal(read(model, inputs)[0], expected)
    model.train()
    torch.manual_seed(1)
    _, first = read(model, inputs)
    _, other = read(model, inputs)
    torch.manual_seed(1)
    _, again = read(model, inputs)
    up = next(name for name in first if "lora_B" in name)
    assert torch.equal(first[up], again[up])
    assert not torch.equal(first[up], other[up])
    dropped = (first[up] == 0).all(0)
    assert 0 < int(dropped.sum()) < 4


def test_dropping_ranks_changes_no_mean(model: nn.Module) -> None:
    """Over many batches the layer gives what it gives without."""
    inputs = torch.randn(1, 12)
    layer = model.get_submodule("base_model.model.adapted")
    with torch.no_grad():
        expected = layer(inputs)
        lighten_lora(model, rank_dropout=0.25)
        model.train()
        mean = torch.stack([layer(inputs) for _ in range(4000)]).mean(0)
    torch.testing.assert_close(mean, expected, atol=0.5, rtol=0.1)
