"""GPUs by name, with what their makers say they compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from engine.model.typed import require


@dataclass(frozen=True)
class Gpu:
    """One kind of GPU; data sheets of NVIDIA, dense, without sparsity."""

    memory_bytes: float
    flops: Mapping[str, float]
    """Per second, by precision: bf16 on tensor cores, fp32 without TF32."""


GPUS: Mapping[str, Gpu] = MappingProxyType(
    {
        "a100": Gpu(80e9, {"bf16": 312e12, "fp32": 19.5e12}),
        "h100": Gpu(80e9, {"bf16": 989e12, "fp32": 67e12}),
        "l4": Gpu(24e9, {"bf16": 121e12, "fp32": 30.3e12}),
        "rtx4090": Gpu(24e9, {"bf16": 165e12, "fp32": 82.6e12}),
    }
)


@dataclass(frozen=True)
class Hardware:
    """What a training is planned on."""

    gpu: str = "a100"
    """Key of `GPUS`."""
    gpus: int = 1
    utilisation: float = 0.4
    """Share of the peak that is reached; 0.3 to 0.5 is usual (Chowdhery et al., 2022, table 3)."""
    memory_bytes: float = 0.0
    """Of each GPU; 0: as its data sheet says."""

    def __post_init__(self) -> None:
        """Refuse machines that do not exist."""
        require(self.gpu in GPUS, f"--gpu {self.gpu}: one of {', '.join(GPUS)}")
        require(self.gpus >= 1, f"--gpus {self.gpus}: at least 1")
        require(0 < self.utilisation <= 1, "--utilisation: more than 0, at most 1")
        require(self.memory_bytes >= 0, "--gpu-memory: 0 or more")

    @property
    def memory(self) -> float:
        """Bytes of each GPU."""
        return self.memory_bytes or GPUS[self.gpu].memory_bytes

    def hours(self, flops: float, precision: str) -> float:
        """Of so many operations on all GPUs."""
        rate = GPUS[self.gpu].flops[precision] * self.utilisation * self.gpus
        return flops / rate / 3600
