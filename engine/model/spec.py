"""`ModelSpec`: every number, label, token count and prompt text of a model, in one place.

It is saved in each bundle and read back; nothing else in the project repeats these
values. `compact()` runs live on two CPU cores, `paper()` has the sizes of BeMERC
(arXiv 2503.23990).
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.model.densenet import DenseNetConfig
from engine.model.typed import build, require

MODALITIES = ("text", "audio", "video")
MELD_LABELS = ("neutral", "joy", "surprise", "anger", "sadness", "disgust", "fear")


def flat_instruction(labels: Sequence[str]) -> str:
    """One sentence."""
    names = f"{', '.join(labels[:-1])} or {labels[-1]}"
    return f"Label the emotion each speaker expresses: {names}.\n"


def structured_instruction(labels: Sequence[str]) -> str:
    """The four blocks of the paper's prompts: title, context, objective, constraint."""
    return (
        "# Emotion recognition in conversation\n"
        "Context: a dialogue, a line for each turn; before its words stand what was seen "
        "and heard of the speaker.\n"
        "Objective: name the emotion that the speaker of each turn expresses, from the turn "
        "and those before it.\n"
        f"Constraint: one of {', '.join(labels)}, after the arrow.\n"
    )


INSTRUCTIONS = {"flat": flat_instruction, "structured": structured_instruction}
"""Ways to open a dialogue; the ablations compare them."""
FEATURE_SETS = {"eGeMAPSv02": 88, "ComParE_2016": 6373}
"""openSMILE functionals by name, with their number of features."""


FACE_DENSENET = DenseNetConfig(
    growth_rate=32,
    block_layers=(3, 6, 8),
    stem_channels=48,
    stem="small",
    bottleneck=3,
    in_channels=1,
    classes=len(MELD_LABELS),
)
"""0.8 million parameters on grey 48x48 faces."""


IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of red, green and blue: what ImageNet's weights of torchvision and timm were trained with."""


@dataclass(frozen=True)
class VideoSpec:
    """From frames to video tokens."""

    source: str = "face"
    """`face`: crops of the tracked face; `frame`: whole frames."""
    size: int = 48
    """Pixels of a side of the square picture that the DenseNet sees. A whole frame is squeezed
    into it, whatever its proportions: nothing is cut off, and people get narrower."""
    frames: int = 64
    """Frames sampled uniformly over an utterance (paper, section 3)."""
    tokens: int = 2
    """Video tokens per utterance; each pools one stretch of the frames."""
    mean: float | tuple[float, ...] = 0.5
    """Subtracted from pixels in [0, 1]; a number of each channel, or one of all."""
    std: float | tuple[float, ...] = 0.25
    """Divides pixels after `mean`; likewise."""
    face_scale: float = 1.17
    """Side of the crop in sides of the detector's box (`training.measure_framing`)."""
    face_offset: float = -0.08
    """Shift of the crop downwards, in sides of the detector's box."""
    peak: float = 0.0
    """How much the label scores of an utterance follow its strongest frames: 0 is the mean of the
    frames; with p they are the logarithm of the mean of exp(p score), divided by p
    (`training.measure_pooling`)."""
    densenet: DenseNetConfig = FACE_DENSENET

    def __post_init__(self) -> None:
        """Refuse values that no encoder can serve."""
        require(self.source in ("face", "frame"), f"video.source {self.source!r}: face or frame")
        require(self.size >= 16, f"video.size {self.size}: at least 16 pixels")
        require(1 <= self.tokens <= self.frames, f"video.tokens {self.tokens}: 1 to video.frames")
        channels = self.densenet.in_channels
        for name in ("mean", "std"):
            given = getattr(self, name)
            one_each = not isinstance(given, tuple) or len(given) == channels
            require(one_each, f"video.{name}: one number, or {channels}, one of each channel")
        deviations = self.std if isinstance(self.std, tuple) else (self.std,)
        require(all(one > 0 for one in deviations), "video.std: positive")
        require(self.face_scale > 0, "video.face_scale: positive")
        require(0 <= self.peak <= 10, "video.peak: 0 to 10")


@dataclass(frozen=True)
class AudioSpec:
    """From sound to audio tokens: one per window."""

    feature_set: str = "eGeMAPSv02"
    """openSMILE functionals (Eyben et al., 2016): see `FEATURE_SETS`."""
    window_seconds: float = 2.0
    """Length of a window (paper, section 3)."""
    hop_seconds: float = 1.0
    """Distance between the starts of two windows."""
    max_windows: int = 8
    """At most this many windows per utterance, spread uniformly over it."""
    hidden: int = 128
    """Width of the speech encoder; 0: the functionals are only standardised."""
    selected: int = 0
    """Functionals that are kept, chosen in training; their places are in the weights. 0: all."""
    speaker_normalised: bool = False
    """Add each functional relative to what its speaker said before (`SpeakerScale`)."""

    def __post_init__(self) -> None:
        """Refuse values that no encoder can serve."""
        known = ", ".join(FEATURE_SETS)
        require(self.feature_set in FEATURE_SETS, f"audio.feature_set: one of {known}")
        require(0 < self.hop_seconds <= self.window_seconds, "audio.hop_seconds: 0 to the window")
        require(self.max_windows >= 1, "audio.max_windows: at least 1")
        most = f"audio.selected {self.selected}: 0 to {self.features}; 0 keeps all"
        require(0 <= self.selected <= self.features, most)
        unchosen = "audio.selected: the speech network's training chooses; set audio.hidden too"
        require(self.hidden > 0 or not self.selected, unchosen)

    @property
    def features(self) -> int:
        """Functionals of openSMILE per window."""
        return FEATURE_SETS[self.feature_set]

    @property
    def kept(self) -> int:
        """Functionals per window that are kept."""
        return self.selected or self.features

    @property
    def width(self) -> int:
        """What the speech encoder's network and the adapter read of a window."""
        return 2 * self.kept if self.speaker_normalised else self.kept


@dataclass(frozen=True)
class PromptSpec:
    """The texts around the tokens; see `engine.model.prompt`."""

    instruction: str = flat_instruction(MELD_LABELS)
    """Opens a dialogue; see `INSTRUCTIONS`."""
    cue: str = " ->"
    """Ends a turn; the label is scored after it."""
    max_text_tokens: int = 96
    """A longer transcript keeps its last tokens."""
    context_tokens: int = 1024
    """Budget of a dialogue; when it is reached the oldest half is dropped once."""
    behaviour_instruction: str = (
        "Describe the facial expression, body language and posture of each speaker.\n"
    )
    """Opens a dialogue in stage 1."""
    behaviour_cue: str = " =>"
    """Stands before the description of a turn's behaviour, in stage 1."""
    max_behaviour_tokens: int = 96
    """A longer description is cut."""
    within_lines: bool = False
    """Tokenise each part of a line as it stands within it. Tokenizers such as LLaMA's else put a
    space mark before each part; bundles that learned so keep it off."""

    def __post_init__(self) -> None:
        """Refuse budgets that no turn fits in."""
        require(self.max_text_tokens >= 1, "prompt.max_text_tokens: at least 1")
        require(self.context_tokens >= 1, "prompt.context_tokens: at least 1")
        require(self.max_behaviour_tokens >= 1, "prompt.max_behaviour_tokens: at least 1")


@dataclass(frozen=True)
class LlmSpec:
    """The language model and what is trained in it."""

    base: str = "smollm2-135m-instruct"
    """A name `export.models` resolves: a known base, a hub name or a local path."""
    hidden_size: int = 576
    """Width of its embeddings; checked when it is loaded."""
    lora_rank: int = 16
    """r of LoRA (Hu et al., 2022); 0 trains no LoRA."""
    lora_alpha: int = 32
    """Scale of LoRA."""
    lora_first_layer: int = 10
    """Layers below it keep the base weights: a sixth less training time on CPU."""
    lora_targets: tuple[str, ...] = (
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    )  # fmt: skip
    """Linear layers that get LoRA."""

    def __post_init__(self) -> None:
        """Refuse sizes that no model has."""
        require(self.hidden_size >= 1, "llm.hidden_size: at least 1")
        require(self.lora_rank >= 0, "llm.lora_rank: 0 or more")
        require(self.lora_first_layer >= 0, "llm.lora_first_layer: 0 or more")


@dataclass(frozen=True)
class ModelSpec:
    """A whole model."""

    name: str
    """Name of the bundle."""
    labels: tuple[str, ...] = MELD_LABELS
    """Emotions; each is one token of the base model after a space."""
    video: VideoSpec = field(default_factory=VideoSpec)
    audio: AudioSpec = field(default_factory=AudioSpec)
    prompt: PromptSpec = field(default_factory=PromptSpec)
    llm: LlmSpec = field(default_factory=LlmSpec)
    evidence: bool = True
    """Add the encoders' own label scores, weighted, to the label scores of the LLM."""
    prosody: bool = False
    """Measure the prosody of a turn (`engine.prosody`) as evidence beside its words."""
    version: int = 1
    """Of this format."""

    def __post_init__(self) -> None:
        """Refuse a model without labels or of another format version."""
        require(self.version == 1, f"spec version {self.version} is not 1; update bemerc-live")
        require(len(set(self.labels)) == len(self.labels) >= 2, "labels: two or more, distinct")
        require(self.evidence or not self.prosody, "prosody: is evidence, which is off")

    @property
    def evidence_sources(self) -> tuple[str, ...]:
        """What gives label scores of its own beside the LLM's."""
        return ("audio", "video", "prosody") if self.prosody else ("audio", "video")

    def to_dict(self) -> dict[str, Any]:
        """As JSON-safe values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelSpec:
        """Read what `to_dict` wrote.

        Raises:
            ValueError: a key is unknown, or a value has the wrong type or range.
        """
        return typing.cast(ModelSpec, build(cls, values, "spec"))


def compact(**changes: Any) -> ModelSpec:
    """The spec that runs live on two CPU cores."""
    return dataclasses.replace(ModelSpec(name="compact"), **changes)


def paper(**changes: Any) -> ModelSpec:
    """The sizes of BeMERC: Vicuna-7B, DenseNet-121 on 64 frames of 336x336, ComParE 2016."""
    spec = ModelSpec(
        name="paper",
        video=VideoSpec(
            source="frame",
            size=336,
            tokens=8,
            densenet=DenseNetConfig(),
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
        ),
        audio=AudioSpec(feature_set="ComParE_2016", hop_seconds=2.0, hidden=0),
        prompt=PromptSpec(context_tokens=2048, within_lines=True),
        llm=LlmSpec(base="lmsys/vicuna-7b-v1.5", hidden_size=4096, lora_first_layer=0),
        evidence=False,
    )
    return dataclasses.replace(spec, **changes)


SPECS = {"compact": compact, "paper": paper}
