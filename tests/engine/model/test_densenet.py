"""DenseNet under torchvision's names, against the rule of the names and a plain reference."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from engine.model.densenet import DenseNet, DenseNetConfig
from engine.model.spec import FACE_DENSENET

TINY = DenseNetConfig(
    growth_rate=4, block_layers=(2, 3), stem_channels=6, bottleneck=2, in_channels=1, classes=5
)
Shapes = dict[str, tuple[int, ...]]


def torchvision_121() -> Shapes:
    """Names and shapes of the state of ``torchvision.models.densenet121()``, by their rule."""
    shapes: Shapes = {"features.conv0.weight": (64, 3, 7, 7), **_norm("features.norm0", 64)}
    channels = 64
    for block, layers in enumerate((6, 12, 24, 16), start=1):
        for layer in range(1, layers + 1):
            prefix = f"features.denseblock{block}.denselayer{layer}"
            shapes |= _norm(f"{prefix}.norm1", channels) | _norm(f"{prefix}.norm2", 128)
            shapes[f"{prefix}.conv1.weight"] = (128, channels, 1, 1)
            shapes[f"{prefix}.conv2.weight"] = (32, 128, 3, 3)
            channels += 32
        if block < 4:
            shapes |= _norm(f"features.transition{block}.norm", channels)
            shapes[f"features.transition{block}.conv.weight"] = (channels // 2, channels, 1, 1)
            channels //= 2
    shapes |= _norm("features.norm5", channels)
    return shapes | {"classifier.weight": (1000, channels), "classifier.bias": (1000,)}


def _norm(name: str, channels: int) -> Shapes:
    vectors = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{vector}": (channels,) for vector in vectors} | {
        f"{name}.num_batches_tracked": ()
    }


def test_the_default_is_densenet_121() -> None:
    """Every name and shape is torchvision's, 7,978,856 parameters in all."""
    model = DenseNet()
    assert {name: tuple(value.shape) for name, value in model.state_dict().items()} == (
        torchvision_121()
    )
    assert sum(parameter.numel() for parameter in model.parameters()) == 7_978_856
    assert model.config.features == 1024


def test_a_checkpoint_loads_strictly(tmp_path: Path) -> None:
    """A file with torchvision's names is taken whole, and its weights are then used."""
    generator = torch.Generator().manual_seed(0)
    checkpoint = {
        name: torch.rand(shape, generator=generator) * 0.1 + 0.01 if shape else torch.tensor(7)
        for name, shape in torchvision_121().items()
    }
    save_file(checkpoint, tmp_path / "densenet121.safetensors")
    model = DenseNet()
    model.load_state_dict(load_file(tmp_path / "densenet121.safetensors"), strict=True)
    for name, value in model.state_dict().items():
        assert torch.equal(value, checkpoint[name])


def test_the_published_checkpoints_load(tmp_path: Path) -> None:
    """They have names like ``norm.1`` and no batch counts; anything else missing is refused."""
    trained = DenseNet(TINY).state_dict()
    published = {
        re.sub(r"(denselayer\d+\.\w+)([12])\.", r"\1.\2.", name): value
        for name, value in trained.items()
        if not name.endswith("num_batches_tracked")
    }
    assert "features.denseblock1.denselayer2.norm.1.running_mean" in published
    save_file(published, tmp_path / "old.safetensors")
    model = DenseNet(TINY)
    model.load_torchvision(load_file(tmp_path / "old.safetensors"))
    assert all(torch.equal(value, trained[name]) for name, value in model.state_dict().items())
    del published["features.norm0.bias"]
    with pytest.raises(RuntimeError, match=r"features\.norm0\.bias"):
        model.load_torchvision(published)


@torch.inference_mode()
def reference(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """Features of `TINY`, straight from the definition in the paper."""

    def norm_relu(name: str, x: Tensor) -> Tensor:
        mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        return functional.relu(functional.batch_norm(x, mean, variance, weight, bias))

    x = functional.conv2d(x, state["features.conv0.weight"], stride=2, padding=3)
    x = functional.max_pool2d(norm_relu("features.norm0", x), 3, 2, 1)
    for block, layers in enumerate(TINY.block_layers, start=1):
        for layer in range(1, layers + 1):
            name = f"features.denseblock{block}.denselayer{layer}"
            y = functional.conv2d(norm_relu(f"{name}.norm1", x), state[f"{name}.conv1.weight"])
            y = functional.conv2d(
                norm_relu(f"{name}.norm2", y), state[f"{name}.conv2.weight"], padding=1
            )
            x = torch.cat([x, y], 1)
        if block < len(TINY.block_layers):
            name = f"features.transition{block}"
            x = functional.conv2d(norm_relu(f"{name}.norm", x), state[f"{name}.conv.weight"])
            x = functional.avg_pool2d(x, 2)
    return norm_relu("features.norm3", x).mean((2, 3))


def test_computes_what_the_paper_defines() -> None:
    """The pooled features agree with a plain computation from the same weights."""
    torch.manual_seed(3)
    model = DenseNet(TINY)
    for _ in range(2):
        model(torch.randn(8, 1, 32, 32) * 2 + 1)  # in training mode: moves the running means
    model.eval()
    images = torch.randn(2, 1, 32, 32)
    features = model.encode(images)
    assert features.shape == (2, TINY.features)
    torch.testing.assert_close(features, reference(model.state_dict(), images))
    torch.testing.assert_close(model(images), model.classifier(features))


@pytest.mark.parametrize(("stem", "side"), [("small", 24), ("imagenet", 12)])
def test_the_stem_decides_the_resolution(stem: str, side: int) -> None:
    """Of 48 pixels the small stem leaves 24 and ImageNet's 12; each transition halves them."""
    config = DenseNetConfig(4, (1, 1, 1), 8, stem, 2, 1, 7)
    model = DenseNet(config).eval()
    images = torch.randn(1, 1, 48, 48)
    block = model.features[: list(dict(model.features.named_children())).index("denseblock1")]
    assert block(images).shape == (1, 8, side, side)
    assert model.features(images).shape == (1, config.features, side // 4, side // 4)


def test_the_face_encoder_is_small() -> None:
    """Grey faces of 48 pixels, or of 32 in the first epochs; under a million parameters."""
    model = DenseNet(FACE_DENSENET).eval()
    assert sum(parameter.numel() for parameter in model.parameters()) < 1_000_000
    for side in (48, 32):
        assert model(torch.randn(2, 1, side, side)).shape == (2, 7)


@pytest.mark.parametrize(
    "changes",
    [
        {"stem": "tiny"},
        {"growth_rate": 0},
        {"block_layers": (2, 0)},
        {"stem_channels": -1},
        {"bottleneck": 0},
        {"classes": 0},
        {"in_channels": 2},
    ],
)
def test_an_impossible_shape_is_refused(changes: dict[str, object]) -> None:
    """The message names what is wrong."""
    with pytest.raises(ValueError, match=next(iter(changes))):
        DenseNetConfig(**changes)  # type: ignore[arg-type]
