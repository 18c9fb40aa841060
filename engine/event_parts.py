"""The nested objects of an event's `data`; each checks its own values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine import checks

MODALITIES = ("text", "audio", "video")


@dataclass(frozen=True)
class Window:
    """Which stretch of the media the event is about."""

    start: float
    """Media seconds."""
    end: float
    """Media seconds."""
    frames: int
    """Video frames looked at."""
    frames_dropped: int
    """Video frames lost or undecodable."""
    audio_ms: int
    """Milliseconds of sound heard."""

    def __post_init__(self) -> None:
        checks.number("data.window.start", self.start)
        checks.number("data.window.end", self.end, low=self.start)
        for name in ("frames", "frames_dropped", "audio_ms"):
            checks.integer(f"data.window.{name}", getattr(self, name))


@dataclass(frozen=True)
class Emotion:
    """The emotion expressed."""

    label: str
    """The most probable label."""
    probabilities: Mapping[str, float]
    """Of every label; sums to 1."""
    confidence: float
    """Calibrated probability of `label`."""
    abstained: bool
    """True where the model had nothing to go by, or is less sure than its bundle asks for."""

    def __post_init__(self) -> None:
        path = "data.emotion"
        checks.numbers(f"{path}.probabilities", self.probabilities, low=0, high=1)
        total = sum(self.probabilities.values())
        if abs(total - 1) > 0.01:
            raise ValueError(f"{path}.probabilities: must sum to 1, not {total:.3f}")
        checks.choice(f"{path}.label", self.label, tuple(self.probabilities))
        checks.number(f"{path}.confidence", self.confidence, low=0, high=1)
        checks.boolean(f"{path}.abstained", self.abstained)


@dataclass(frozen=True)
class Modalities:
    """What the recognition rests on."""

    used: tuple[str, ...]
    """Of `text`, `audio`, `video`."""
    quality: Mapping[str, float]
    """Per used modality, 0 to 1."""
    absent: Mapping[str, str]
    """Per unused modality, why."""

    def __post_init__(self) -> None:
        path = "data.modalities"
        object.__setattr__(self, "used", checks.strings(f"{path}.used", self.used))
        for position, name in enumerate(self.used):
            checks.choice(f"{path}.used[{position}]", name, MODALITIES)
        checks.numbers(f"{path}.quality", self.quality, low=0, high=1)
        for name, reason in checks.mapping(f"{path}.absent", self.absent).items():
            checks.choice(f"{path}.absent", name, MODALITIES)
            checks.string(f"{path}.absent.{name}", reason)


@dataclass(frozen=True)
class Moment:
    """When something that `behaviour` tells of was seen."""

    start: float
    """Media seconds of the first picture that shows it; within the window."""
    end: float
    """Media seconds of the last one."""
    what: str
    """The words of `behaviour` that say it."""

    def __post_init__(self) -> None:
        path = "data.moments[]"
        checks.number(f"{path}.start", self.start)
        checks.number(f"{path}.end", self.end, low=self.start)
        checks.string(f"{path}.what", self.what)


@dataclass(frozen=True)
class ModelInfo:
    """Which model spoke, so that an event can be traced to its weights."""

    name: str
    """Name of the bundle."""
    sha256: str
    """Of the bundle's manifest, 64 hexadecimal digits."""
    backend: str = "torch"
    """What ran it: `torch`, `onnxruntime`, ..."""
    precision: str = "float32"
    """Number format of the weights at run time."""

    def __post_init__(self) -> None:
        for name in ("name", "backend", "precision"):
            checks.string(f"data.model.{name}", getattr(self, name))
        checks.sha256("data.model.sha256", self.sha256)
