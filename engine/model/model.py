"""The whole network: turns of dialogues in, label scores of every turn out.

Letters in shapes: B dialogues, T tokens, n turns in all, K tokens of a modality,
D features, E emotions, H width of the LLM.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from engine.model.fusion import Fusion, audio_features, video_features
from engine.model.prompt import DescribedPrompt, Prompt, PromptBuilder, TurnShape
from engine.model.spec import LlmSpec, ModelSpec
from stream.errors import UserError

WORDLESS_SOURCES = ("audio", "video")
"""Sources of evidence that score a turn without words."""


@dataclass(frozen=True, eq=False)
class TurnInputs:
    """One turn after the encoders: what the LLM is given of it."""

    speaker: str
    """Any name that is stable in the dialogue."""
    text: str | None = None
    """Words; None where they are absent."""
    video: Tensor | None = None
    """(K, D) pooled DenseNet features of the video tokens; None where absent."""
    audio: Tensor | None = None
    """(K, D) features of the audio tokens, one per window; None where absent."""
    video_scores: Tensor | None = None
    """(E,) log-probabilities of the face encoder alone."""
    audio_scores: Tensor | None = None
    """(E,) log-probabilities of the speech encoder alone."""
    voice: Tensor | None = None
    """(W, S) standardised functionals: the speaker's later turns are normalised by them."""
    prosody: Tensor | None = None
    """(P,) measured prosody (`engine.prosody`): later turns are compared with it."""
    prosody_scores: Tensor | None = None
    """(E,) log-probabilities of the prosody encoder alone; they count beside words only."""

    @property
    def is_wordless(self) -> bool:
        """Whether there are no words but an encoder's scores."""
        heard_or_seen = self.audio_scores is not None or self.video_scores is not None
        return self.text is None and heard_or_seen

    @property
    def shape(self) -> TurnShape:
        """What the prompt needs."""
        video = 0 if self.video is None else len(self.video)
        audio = 0 if self.audio is None else len(self.audio)
        return TurnShape(self.speaker, self.text, video, audio)


class EmotionModel(nn.Module):
    """LLM, fusion and prompt under one spec."""

    label_tokens: Tensor

    def __init__(self, spec: ModelSpec, llm: Any, tokenizer: Any) -> None:
        """Wrap a causal LM of transformers, with or without LoRA on it.

        Raises:
            ValueError: the LLM is not of the width that the spec says.
        """
        super().__init__()
        self.spec = spec
        self.llm = llm
        width = llm.config.hidden_size
        if width != spec.llm.hidden_size:
            raise ValueError(
                f"{spec.llm.base} is {width} wide, the spec says {spec.llm.hidden_size}"
            )
        self.prompt = PromptBuilder(tokenizer, spec.prompt)
        embeddings = self.llm.get_input_embeddings().weight
        self.fusion = Fusion(spec, gain=float(embeddings.detach().float().square().mean().sqrt()))
        labels = torch.tensor(self.prompt.label_ids(spec.labels))
        self.register_buffer("label_tokens", labels, persistent=False)

    @property
    def device(self) -> torch.device:
        """Where the weights are; inputs are brought there."""
        return self.label_tokens.device

    def forward(
        self, dialogues: Sequence[Sequence[TurnInputs]], *, frozen_inputs: bool = False
    ) -> Tensor:
        """Label scores of every turn of every dialogue, in order: (n, E).

        With `frozen_inputs` no gradient goes to the input embeddings, so none is computed
        for the layers below the first that has LoRA.
        """
        prompts = [self.prompt.build([turn.shape for turn in turns]) for turns in dialogues]
        embeddings = self.embed(prompts, dialogues)
        hidden = self._read(embeddings.detach() if frozen_inputs else embeddings)
        rows = torch.cat([torch.full((len(p.cues),), i) for i, p in enumerate(prompts)])
        columns = torch.cat([torch.from_numpy(p.cues) for p in prompts])
        turns = [turn for dialogue in dialogues for turn in dialogue]
        return self.score(hidden[rows, columns], turns)

    def embed(
        self,
        prompts: Sequence[Prompt | DescribedPrompt],
        dialogues: Sequence[Sequence[TurnInputs]],
    ) -> Tensor:
        """Input embeddings, padded at the end: (B, T, H)."""
        ids = pad_sequence([torch.from_numpy(p.ids) for p in prompts], batch_first=True)
        ids = ids.to(self.device)
        tokens = self.llm.get_input_embeddings()(ids.clamp_min(0))
        turns = [turn for dialogue in dialogues for turn in dialogue]
        video = [turn.video for turn in turns if turn.video is not None]
        audio = [turn.audio for turn in turns if turn.audio is not None]
        return self.fusion.embed(
            ids,
            tokens,
            _joined(video, video_features(self.spec), self.device),
            _joined(audio, audio_features(self.spec), self.device),
        )

    def score(self, hidden: Tensor, turns: Sequence[TurnInputs]) -> Tensor:
        """Label scores from (n, H) states at the cues, plus the encoders' evidence: (n, E).

        A turn without words is scored by the encoders alone once trained: the LLM has
        nothing to read there, and on dev voices its guess was worse than the encoder's
        (RAVDESS 43.9 against 54.0 % unweighted accuracy). Prosody is not among them: the
        speech encoder hears more of the same voice.
        """
        head = self.llm.get_output_embeddings().weight[self.label_tokens]
        # A handful of rows: in bf16 scores would lie 0.06 to 0.125 apart.
        scores = functional.linear(hidden.float(), head.float())
        if not self.spec.evidence:
            return scores
        none = torch.zeros_like(scores[0])
        sources = self.spec.evidence_sources
        evidence = torch.stack(
            [
                torch.stack([none if s is None else s.to(none) for s in own])
                for own in (_evidence(turn, sources) for turn in turns)
            ]
        )
        weighed = scores + self.fusion.weigh_evidence(evidence)
        if self.training:
            return weighed
        wordless = torch.tensor([turn.is_wordless for turn in turns], device=scores.device)
        alone = [place for place, name in enumerate(sources) if name in WORDLESS_SOURCES]
        return torch.where(wordless[:, None], evidence[:, alone].sum(1), weighed)

    def _read(self, embeddings: Tensor) -> Tensor:
        """Last hidden states. Padding is at the end, so the causal mask alone is right."""
        decoder = self.llm.get_decoder()
        return decoder(inputs_embeds=embeddings, use_cache=False).last_hidden_state  # type: ignore[no-any-return]


def _evidence(turn: TurnInputs, sources: Sequence[str]) -> list[Tensor | None]:
    found = {
        "audio": turn.audio_scores,
        "video": turn.video_scores,
        "prosody": turn.prosody_scores if turn.text is not None else None,
    }
    return [found[name] for name in sources]


def _joined(parts: Sequence[Tensor], features: int, device: torch.device) -> Tensor:
    """(K, D) of all turns; (0, D) without any."""
    moved = [part.to(device) for part in parts]
    return torch.cat(moved) if moved else torch.zeros(0, features, device=device)


def load_base(
    path: Path, dtype: torch.dtype = torch.float32, quantization: Any = None
) -> tuple[Any, Any]:
    """The base LLM, frozen, and its tokenizer, from a folder of transformers.

    Args:
        path: The folder.
        dtype: Of the weights.
        quantization: A quantisation config of transformers.

    Raises:
        UserError: The folder has no such model in safetensors, or no tokenizer that can be read.
    """
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        llm = AutoModelForCausalLM.from_pretrained(
            path, dtype=dtype, quantization_config=quantization, use_safetensors=True
        )
        tokenizer = AutoTokenizer.from_pretrained(path)
    except (OSError, ValueError, ImportError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{path} cannot be loaded as a base LLM ({reason}): give a causal LM of transformers "
            "with safetensors and a tokenizer; docs/training.md says how pickled weights are "
            "converted once"
        ) from error
    llm.requires_grad_(False)
    return llm, tokenizer


def add_lora(llm: Any, spec: LlmSpec) -> Any:
    """Put LoRA on the layers of the spec (no dropout: it costs a third of the speed on CPU).

    With rank 0 the LLM is returned as it is.

    Raises:
        ValueError: the LLM has no such layers.
    """
    if not spec.lora_rank:
        return llm
    # Only training needs peft, and importing it takes seconds.
    from peft import LoraConfig, get_peft_model

    layers = list(range(spec.lora_first_layer, llm.config.num_hidden_layers))
    if not layers:  # which peft would take for all
        count = llm.config.num_hidden_layers
        raise ValueError(f"llm.lora_first_layer {spec.lora_first_layer}: the base has {count}")
    config = LoraConfig(
        r=spec.lora_rank,
        lora_alpha=spec.lora_alpha,
        target_modules=list(spec.lora_targets),
        layers_to_transform=layers,
        task_type="CAUSAL_LM",
    )
    with warnings.catch_warnings():
        # peft asks transformers for an attribute by its old name.
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing`")
        return get_peft_model(llm, config)


@torch.no_grad()
def merge_lora(llm: nn.Module, weights: Mapping[str, Tensor], spec: LlmSpec) -> None:
    """Add trained LoRA to the base weights, in place: the same sums with fewer operations.

    Args:
        llm: the base, without LoRA.
        weights: what `add_lora` made trainable, by its names there.
        spec: says which layers they are of.

    Raises:
        ValueError: the weights are not those of the spec's layers and rank.
    """
    left = dict(weights)
    for name, module in llm.named_modules():
        layer = re.search(r"\.(\d+)\.", name)
        if layer is None or int(layer[1]) < spec.lora_first_layer:
            continue
        if name.rsplit(".", 1)[-1] in spec.lora_targets:
            down, up = (
                left.pop(f"base_model.model.{name}.lora_{side}.default.weight", None)
                for side in "AB"
            )
            if down is None or up is None or len(down) != spec.lora_rank:
                raise ValueError(f"no LoRA of rank {spec.lora_rank} for {name}")
            module.weight += (up.float() @ down.float()) * (spec.lora_alpha / spec.lora_rank)
    if left:
        raise ValueError(
            f"LoRA for layers that the spec does not name: {', '.join(list(left)[:3])}"
        )
