"""DenseNet (Huang et al., 2017, arXiv 1608.06993), the video encoder of BeMERC.

Parameter names follow torchvision's ``DenseNet``, so that its checkpoints load
with ``strict=True``; torchvision itself is not needed.

Letters in shapes: B images, C channels, H height, W width, D feature width.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

_OLD_NAME = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])(?=\.)")


@dataclass(frozen=True)
class DenseNetConfig:
    """Shape of a DenseNet; the defaults are DenseNet-121."""

    growth_rate: int = 32
    """Channels that each dense layer adds (k in the paper)."""
    block_layers: tuple[int, ...] = (6, 12, 24, 16)
    """Dense layers in each block."""
    stem_channels: int = 64
    """Channels after the first convolution."""
    stem: str = "imagenet"
    """`imagenet`: 7x7 stride 2 and max-pool (1/4 size); `small`: 3x3 stride 2 (1/2 size)."""
    bottleneck: int = 4
    """Width of the 1x1 bottleneck, in growth rates."""
    in_channels: int = 3
    """3 for RGB, 1 for grey."""
    classes: int = 1000
    """Outputs of the classifier head."""

    def __post_init__(self) -> None:
        """Refuse shapes that no DenseNet has."""
        if self.stem not in ("imagenet", "small"):
            raise ValueError(f"stem must be 'imagenet' or 'small', not {self.stem!r}")
        numbers = (self.growth_rate, self.stem_channels, self.bottleneck, self.classes)
        if min(*numbers, *self.block_layers) < 1 or self.in_channels not in (1, 3):
            raise ValueError(f"DenseNet sizes must be positive and in_channels 1 or 3: {self}")

    @property
    def features(self) -> int:
        """Width D of the pooled feature vector."""
        channels = self.stem_channels
        for index, layers in enumerate(self.block_layers):
            channels += layers * self.growth_rate
            if index < len(self.block_layers) - 1:
                channels //= 2
        return channels


class _DenseLayer(nn.Module):
    def __init__(self, in_channels: int, growth_rate: int, bottleneck: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(in_channels, bottleneck * growth_rate, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(bottleneck * growth_rate)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(bottleneck * growth_rate, growth_rate, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(self.relu1(self.norm1(x)))
        return self.conv2(self.relu2(self.norm2(x)))  # type: ignore[no-any-return]


class _DenseBlock(nn.ModuleDict):
    def __init__(self, layers: int, in_channels: int, growth_rate: int, bottleneck: int) -> None:
        super().__init__()
        for index in range(layers):
            layer = _DenseLayer(in_channels + index * growth_rate, growth_rate, bottleneck)
            self[f"denselayer{index + 1}"] = layer

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.values():
            x = torch.cat([x, layer(x)], dim=1)
        return x


class _Transition(nn.Sequential):
    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.pool = nn.AvgPool2d(2, 2)


class DenseNet(nn.Module):
    """A DenseNet whose `encode` gives pooled features and `forward` class logits."""

    def __init__(self, config: DenseNetConfig | None = None) -> None:
        """Build the network with He initialisation, as in the paper."""
        super().__init__()
        self.config = config = config or DenseNetConfig()
        channels = config.stem_channels
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        if config.stem == "imagenet":
            layers["conv0"] = nn.Conv2d(config.in_channels, channels, 7, 2, 3, bias=False)
        else:
            layers["conv0"] = nn.Conv2d(config.in_channels, channels, 3, 2, 1, bias=False)
        layers["norm0"] = nn.BatchNorm2d(channels)
        layers["relu0"] = nn.ReLU(inplace=True)
        if config.stem == "imagenet":
            layers["pool0"] = nn.MaxPool2d(3, 2, 1)
        for index, count in enumerate(config.block_layers, start=1):
            layers[f"denseblock{index}"] = _DenseBlock(
                count, channels, config.growth_rate, config.bottleneck
            )
            channels += count * config.growth_rate
            if index < len(config.block_layers):
                layers[f"transition{index}"] = _Transition(channels, channels // 2)
                channels //= 2
        layers[f"norm{len(config.block_layers) + 1}"] = nn.BatchNorm2d(channels)
        self.features = nn.Sequential(layers)
        self.classifier = nn.Linear(channels, config.classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
        nn.init.zeros_(self.classifier.bias)

    def load_torchvision(self, state: Mapping[str, Tensor]) -> None:
        """Load a torchvision checkpoint, strictly.

        The published DenseNet checkpoints have names from before torchvision 0.3, such as
        ``denselayer1.norm.1.weight``; those are read too.

        Raises:
            RuntimeError: names or shapes are not those of this network.
        """
        renamed = {_OLD_NAME.sub(r"\1\2", key): value for key, value in state.items()}
        self.load_state_dict(renamed, strict=True)

    def encode(self, images: Tensor) -> Tensor:
        """Pooled features: (B, C, H, W) float images -> (B, D)."""
        return functional.relu(self.features(images)).mean(dim=(2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """Class logits: (B, C, H, W) float images -> (B, classes)."""
        return self.classifier(self.encode(images))  # type: ignore[no-any-return]
