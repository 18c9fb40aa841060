"""Hyper-parameters of the two stages.

The paper (arXiv 2503.23990) names its parts and losses but hardly any number, so the
numbers here and in the recipes are ours; what is the paper's is marked.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.model.spec import MODALITIES
from engine.model.typed import require
from training.describe.description import ALL_PARTS

PRECISIONS = ("auto", "fp32", "bf16")
QUANTIZATIONS = ("none", "4bit")
TEACHERS = ("none", "measured", "prosody", "vision", "server")
CLASS_WEIGHTS = ("none", "balanced")
PRETUNING_CORPORA = ("goemotions", "dailydialog")


@dataclass(frozen=True)
class TeacherSettings:
    """Who describes behaviour for stage 1."""

    kind: str = "none"
    """`measured`: landmarks in words; `prosody`: MELD's published prosody in words; `vision`: an
    image-text model of transformers; `server`: an OpenAI-compatible server; `none`: stage 1 is
    left out."""
    model: str = ""
    """Of the vision model (paper: Qwen2-VL) or on the server."""
    url: str = ""
    """Of the server, up to and with `/v1`; its key is in the environment, never here."""
    frames: int = 0
    """Pictures of an utterance that the teacher sees; 0: as many as its kind needs, which is
    24 for `measured`, since movement takes a few a second, and 8 for the others."""

    def __post_init__(self) -> None:
        """Refuse teachers that do not exist."""
        require(self.kind in TEACHERS, f"teacher.kind {self.kind!r}: one of {', '.join(TEACHERS)}")
        named = self.kind not in ("vision", "server") or bool(self.model)
        require(named, f"teacher.model: name the model of the {self.kind} teacher")
        require(self.frames >= 0, "teacher.frames: 0 or more")


@dataclass(frozen=True)
class TrainerSettings:
    """How both stages run on the machine."""

    precision: str = "fp32"
    """Of the base LLM and the forward pass; LoRA and adapters are kept in fp32. `auto`: bf16 on
    GPUs and on processors that are fast with it, else fp32."""
    quantization: str = "none"
    """`4bit`: QLoRA (Dettmers et al., 2023), where bitsandbytes is installed."""
    accumulate: int = 1
    """Batches per update, on any number of processes: they share out the sequences of each."""
    checkpoint_activations: bool = False
    """Compute activations again in the backward pass: a third more time, far less memory."""
    save_every: int = 50
    """Updates between checkpoints."""
    wandb: bool = False
    """Also log to Weights & Biases, as the environment configures it."""

    def __post_init__(self) -> None:
        """Refuse what no trainer does."""
        require(self.precision in PRECISIONS, f"trainer.precision: {' or '.join(PRECISIONS)}")
        known = " or ".join(QUANTIZATIONS)
        require(self.quantization in QUANTIZATIONS, f"trainer.quantization: {known}")
        require(self.accumulate >= 1, "trainer.accumulate: at least 1")
        require(self.save_every >= 1, "trainer.save_every: at least 1")


@dataclass(frozen=True)
class Pretuning:
    """Emotions in the words of other corpora, before both stages."""

    epochs: int = 0
    corpora: tuple[str, ...] = ("goemotions",)
    """Of `goemotions` and `dailydialog`, whose labels are MELD's."""
    per_label: int = 4000
    """Comments of a label at most: most of GoEmotions is joy and neutral."""
    turns: int = 8
    """Unrelated comments that are read together."""
    batch_tokens: int = 1400
    learning_rate: float = 5e-4
    weight_decay: float = 0.01
    lora_rank: int = 0
    """Of the pre-tuning's LoRA, where it is lower than the recipe's; 0: the recipe's."""
    lora_first_layer: int = 0
    """Likewise, where it is higher: what the recipe's LoRA has more is zero at the start."""

    def __post_init__(self) -> None:
        """Refuse corpora with other labels."""
        known = " or ".join(PRETUNING_CORPORA)
        require(set(self.corpora) <= set(PRETUNING_CORPORA), f"pretune.corpora: {known}")
        require(len(self.corpora) > 0, f"pretune.corpora: name one, {known}")
        require(self.per_label >= 1, "pretune.per_label: at least 1")
        require(self.turns >= 1, "pretune.turns: at least 1")
        require(self.lora_rank >= 0, "pretune.lora_rank: 0 or more")
        require(self.lora_first_layer >= 0, "pretune.lora_first_layer: 0 or more")
        _check_common(self, "pretune")


@dataclass(frozen=True)
class Distillation:
    """A larger LLM that the words are learned from, too (`training.distil`)."""

    share: float = 0.0
    """Of each target in a words epoch, that is what the larger LLM says; 0: there is none."""
    base: str = "qwen2.5-coder-1.5b-instruct"
    """Of the larger LLM: a name that `export.models` resolves."""
    hidden_size: int = 1536
    """Its width."""
    folds: int = 2
    """Parts of the training dialogues; each is scored by LoRA that was tuned on the others."""
    epochs: int = 2
    batch_tokens: int = 900
    learning_rate: float = 3e-4
    weight_decay: float = 0.01
    lora_rank: int = 16
    lora_first_layer: int = 8

    def __post_init__(self) -> None:
        """Refuse what teaches nothing."""
        require(0 <= self.share <= 1, "distillation.share: 0 to 1")
        require(self.folds >= 2, "distillation.folds: at least 2")
        require(self.epochs >= 1, "distillation.epochs: at least 1")
        require(self.lora_rank >= 1, "distillation.lora_rank: at least 1")
        require(self.lora_first_layer >= 0, "distillation.lora_first_layer: 0 or more")
        _check_common(self, "distillation")


@dataclass(frozen=True)
class Stage1Training:
    """Behaviour alignment: cross-entropy on the description, from words with placeholders."""

    epochs: int = 0
    parts: tuple[str, ...] = ALL_PARTS
    """Of the description that are learned; the ablations leave some out."""
    batch_tokens: int = 1400
    learning_rate: float = 2e-4
    weight_decay: float = 0.01
    """The paper's L2 regularisation; the number is ours."""

    def __post_init__(self) -> None:
        """Refuse parts that no description has."""
        require(set(self.parts) <= set(ALL_PARTS), f"stage1.parts: of {', '.join(ALL_PARTS)}")
        _check_common(self, "stage1")


@dataclass(frozen=True)
class Stage2Training:
    """MERC tuning: the emotion is scored at the cue of every turn."""

    text_epochs: int = 2
    composed_epochs: int = 1
    clip_epochs: int = 0
    """Epochs on the corpus's own pictures and sound (paper)."""
    composed_share: float = 0.4
    """Share of the dialogues in a composed epoch: its tokens cost half as much again."""
    solo_sequences: int = 140
    """Sequences of eight turns without words in a composed epoch."""
    batch_tokens: int = 700
    """Padded tokens of a batch; a longer dialogue is a batch of its own."""
    learning_rate: float = 5e-4
    """Peak for LoRA; rises over the first twentieth, then falls to zero."""
    adapter_learning_rate: float = 2e-3
    evidence_learning_rate: float = 2e-2
    encoder_learning_rate: float = 0.0
    """Of the DenseNet and the speech encoder; 0 keeps them frozen."""
    weight_decay: float = 0.01
    """The paper's L2 regularisation; the number is ours."""
    without: tuple[str, ...] = ()
    """Modalities that are absent in training and on dev, for the ablations."""
    joint: bool = False
    """Single-stage: no stage 1; its descriptions are learned beside the emotions."""
    class_weights: str = "none"
    """`balanced`: the loss of a turn is divided by how frequent its label is."""
    members: int = 0
    """Trainings of the text epochs by themselves, from as many seeds; what follows goes on from
    the average of their LoRA (`training.learning.members`). 0: all epochs are one training."""
    member_average: float = 0.0
    """Decay, per update, of the moving average that a member is scored and kept as; 0: none."""
    averaged_learning_rate: float = 3e-5
    """Peak for LoRA and the absent tokens after the average: at five times that, a composed epoch
    cost 1.7 points of weighted F1 on MELD dev's words."""
    noisy_share: float = 0.0
    """Share of the dialogues whose words are as a speech recogniser writes them: lower case, no
    punctuation, wrong words (`training.transcription_noise`)."""
    noise_rate: float = 0.2
    """Word errors per word of these dialogues, at most."""
    cut_share: float = 0.0
    """Share of the dialogues that a words epoch cuts in two, each time elsewhere: the same turns
    with less before them, so that no epoch is like another."""
    rank_dropout: float = 0.0
    """Share of LoRA's ranks that a batch is trained without (`training.learning.lora_linear`)."""

    def __post_init__(self) -> None:
        """Refuse schedules that train nothing."""
        epochs = (self.text_epochs, self.composed_epochs, self.clip_epochs)
        require(min(epochs) >= 0, "stage2: epochs: 0 or more")
        require(sum(epochs) >= 1, "stage2: at least one of text, composed and clip epochs")
        require(0 < self.composed_share <= 1, "stage2.composed_share: more than 0, at most 1")
        encoders = self.encoder_learning_rate == 0 or self.clip_epochs > 0
        require(encoders, "stage2.encoder_learning_rate: encoders are trained on clips alone")
        removed = set(self.without)
        some_left = removed < set(MODALITIES)
        require(some_left, f"stage2.without: some of {', '.join(MODALITIES)}, not all")
        require(self.members >= 0, "stage2.members: 0 or more")
        some_words = self.members == 0 or (self.text_epochs > 0 and not self.joint)
        require(some_words, "stage2.members: they need text epochs, and no joint training")
        require(0 <= self.member_average < 1, "stage2.member_average: 0 or more, less than 1")
        require(self.averaged_learning_rate > 0, "stage2.averaged_learning_rate: more than 0")
        require(0 <= self.noisy_share <= 1, "stage2.noisy_share: 0 to 1")
        require(0 <= self.noise_rate <= 1, "stage2.noise_rate: 0 to 1")
        require(0 <= self.cut_share <= 1, "stage2.cut_share: 0 to 1")
        require(0 <= self.rank_dropout < 1, "stage2.rank_dropout: 0 or more, less than 1")
        known = " or ".join(CLASS_WEIGHTS)
        require(self.class_weights in CLASS_WEIGHTS, f"stage2.class_weights: {known}")
        _check_common(self, "stage2")

    @property
    def epochs(self) -> int:
        """Of all kinds."""
        return self.text_epochs + self.composed_epochs + self.clip_epochs


@dataclass(frozen=True)
class Dropout:
    """How modalities are dropped in training."""

    text_only_dialogue: float = 0.35
    """Share of dialogues with no voice and no face at all."""
    text: float = 0.15
    """Share of turns without words, in the other dialogues."""
    audio: float = 0.35
    video: float = 0.35


@dataclass(frozen=True)
class Composition:
    """How words are given voices and faces of other corpora."""

    mismatched: float = 0.0
    """Share of the voices, and of the faces, that are not of their turn's label but of that of
    whatever turn of the dialogue: people often say one thing and look another, mostly neutral."""

    def __post_init__(self) -> None:
        """Refuse what is no share."""
        require(0 <= self.mismatched <= 1, "composition.mismatched: 0 to 1")


@dataclass(frozen=True)
class EncoderSettings:
    """Where the encoders come from."""

    video: str = "train"
    """`train`: by `training.face` on FER2013; else weights in safetensors of a DenseNet: a
    path or a name on the Hugging Face hub."""
    audio: str = "train"
    """`train`: by `training.speech` on speech corpora; `standardise`: only mean and deviation,
    taken from the corpus's own training clips."""

    def __post_init__(self) -> None:
        """Refuse speech encoders that do not exist."""
        require(self.audio in ("train", "standardise"), "encoders.audio: train or standardise")


@dataclass(frozen=True)
class ClipSettings:
    """Which dialogues of a corpus are used, where not all clips are at hand."""

    least: float = 0.0
    """Only dialogues of which at least this share of the utterances have a clip: 1 for whole ones
    alone. 0: all dialogues, and what has no clip has its words."""

    def __post_init__(self) -> None:
        """Refuse what is no share."""
        require(0 <= self.least <= 1, "clips.least: 0 to 1")


@dataclass(frozen=True)
class Settings:
    """All of a recipe but the model and the corpus."""

    clips: ClipSettings = field(default_factory=ClipSettings)
    encoders: EncoderSettings = field(default_factory=EncoderSettings)
    teacher: TeacherSettings = field(default_factory=TeacherSettings)
    pretune: Pretuning = field(default_factory=Pretuning)
    distillation: Distillation = field(default_factory=Distillation)
    stage1: Stage1Training = field(default_factory=Stage1Training)
    stage2: Stage2Training = field(default_factory=Stage2Training)
    composition: Composition = field(default_factory=Composition)
    dropout: Dropout = field(default_factory=Dropout)
    trainer: TrainerSettings = field(default_factory=TrainerSettings)

    def __post_init__(self) -> None:
        """Refuse options that would do nothing together."""
        ranks = self.stage2.rank_dropout == 0 or self.trainer.quantization == "none"
        require(ranks, "stage2.rank_dropout: not with trainer.quantization, whose layers have none")

    @property
    def distils(self) -> bool:
        """Whether there are words epochs, and a larger LLM that they learn from."""
        return self.distillation.share > 0 and self.stage2.text_epochs > 0


def _check_common(
    stage: Pretuning | Distillation | Stage1Training | Stage2Training, name: str
) -> None:
    require(stage.epochs >= 0, f"{name}.epochs: 0 or more")
    require(stage.batch_tokens >= 1, f"{name}.batch_tokens: at least 1")
    require(stage.learning_rate > 0, f"{name}.learning_rate: more than 0")
    require(stage.weight_decay >= 0, f"{name}.weight_decay: 0 or more")
