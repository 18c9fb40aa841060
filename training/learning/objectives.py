"""The losses of both stages as one module, so that one wrapper shards or replicates all.

Letters in shapes: B dialogues, T tokens, n turns, d description tokens, E emotions,
H width of the LLM.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from engine.model.attention import attention_mask
from engine.model.model import EmotionModel, TurnInputs
from engine.model.prompt import AUDIO_PLACEHOLDER, VIDEO_PLACEHOLDER
from training.clips.trainable import TrainableClips
from training.learning.sequences import AnySequence, DescribedSequence, TrainingSequence

PLACEHOLDERS = {"video": VIDEO_PLACEHOLDER, "audio": AUDIO_PLACEHOLDER}


@dataclass(frozen=True)
class BatchSize:
    """Tokens of a batch."""

    tokens: int
    """Without padding."""
    padded_tokens: int
    longest: int
    """Of a sequence."""
    logits: int
    """Tokens that are predicted out of the whole vocabulary."""


class Objectives(nn.Module):
    """Behaviour alignment (stage 1) and MERC tuning (stage 2) of one model.

    `forward` gives sums, not means: how much a batch counts is in `counts`, so that the mean
    over an update is the same however its batches lie on processes.
    """

    class_weights: Tensor

    def __init__(self, model: EmotionModel) -> None:
        """Placeholders are of stage 1 only: stage 2 puts real tokens in their place."""
        super().__init__()
        self.model = model
        self.trainable_clips: TrainableClips | None = None
        loudness = model.llm.get_input_embeddings().weight.detach().float().square().mean().sqrt()
        width = model.spec.llm.hidden_size
        self.placeholders = nn.ParameterDict(
            {name: nn.Parameter(torch.randn(width) * loudness) for name in PLACEHOLDERS}
        )
        self.register_buffer("class_weights", torch.ones(len(model.spec.labels)))

    def counts(self, batch: Sequence[AnySequence]) -> Tensor:
        """(2,) how much a batch counts: weighted turns with a target, and description tokens."""
        weights = self.class_weights.cpu()
        turns = [s.targets for s in batch if isinstance(s, TrainingSequence)]
        described = [s.prompt.targets for s in batch if isinstance(s, DescribedSequence)]
        emotions = sum((float((targets * weights).sum()) for targets in turns), 0.0)
        tokens = sum(int((targets >= 0).sum()) for targets in described)
        return torch.tensor([emotions, float(tokens)])

    def size(self, batch: Sequence[AnySequence]) -> BatchSize:
        """What a batch costs."""
        lengths = [self.length(sequence) for sequence in batch]
        described = [s for s in batch if isinstance(s, DescribedSequence)]
        return BatchSize(
            tokens=sum(lengths),
            padded_tokens=max(lengths) * len(batch),
            longest=max(lengths),
            logits=sum(int((s.prompt.targets >= 0).sum()) for s in described),
        )

    def length(self, sequence: AnySequence) -> int:
        """Tokens of a sequence."""
        if isinstance(sequence, DescribedSequence):
            return len(sequence.prompt.ids)
        return len(self.model.prompt.build([turn.shape for turn in sequence.turns]).ids)

    def forward(
        self,
        batch: Sequence[AnySequence],
        *,
        frozen_inputs: bool = False,
        scores_only: bool = False,
    ) -> Tensor:
        """(2,) summed losses of emotions and of descriptions; or only label scores (n, E)."""
        scored = [s for s in batch if isinstance(s, TrainingSequence)]
        if scores_only:
            return self._scores(scored, frozen_inputs)
        described = [s for s in batch if isinstance(s, DescribedSequence)]
        none = torch.zeros((), device=self.model.device)
        losses = torch.stack(
            [
                self._emotion_loss(scored, frozen_inputs) if scored else none,
                self._behaviour_loss(described) if described else none,
            ]
        )
        return losses if frozen_inputs else losses + 0 * self._inputs_sum()

    def _inputs_sum(self) -> Tensor:
        """A sum over what embeds inputs, so that it has a gradient in every process.

        A batch may lack a modality; shards are reduced together, so their processes must
        agree on which parameters have one, if only of zero.
        """
        parts = (self.model.fusion, self.placeholders, self.trainable_clips)
        inputs = [p for part in parts if part is not None for p in part.parameters()]
        return torch.stack([p.float().sum() for p in inputs if p.requires_grad]).sum()

    def _scores(self, batch: Sequence[TrainingSequence], frozen_inputs: bool) -> Tensor:
        turns = [self._encoded(sequence) for sequence in batch]
        scores: Tensor = self.model(turns, frozen_inputs=frozen_inputs)
        return scores

    def _encoded(self, sequence: TrainingSequence) -> Sequence[TurnInputs]:
        """Turns as they are, or encoded again where the encoders are trained."""
        if self.trainable_clips is None or not sequence.clips:
            return sequence.turns
        return [
            turn if key is None else self.trainable_clips(turn, key)
            for turn, key in zip(sequence.turns, sequence.clips, strict=True)
        ]

    def _emotion_loss(self, batch: Sequence[TrainingSequence], frozen_inputs: bool) -> Tensor:
        """Cross-entropy with the targets at the cues, summed."""
        scores = self._scores(batch, frozen_inputs)
        targets = torch.cat([s.targets for s in batch]).to(scores.device)
        return -(targets * self.class_weights * scores.log_softmax(1)).sum()

    def _behaviour_loss(self, batch: Sequence[DescribedSequence]) -> Tensor:
        """Cross-entropy of the descriptions' tokens, summed."""
        hidden, targets = self._read_described(batch)
        head = self.model.llm.get_output_embeddings()
        places = targets >= 0
        logits = head(hidden[places].to(head.weight.dtype)).float()
        return functional.cross_entropy(logits, targets[places], reduction="sum")

    def _read_described(self, batch: Sequence[DescribedSequence]) -> tuple[Tensor, Tensor]:
        """Hidden states (B, T, H), and ids to predict (B, T), -100 where there is none."""
        prompts = [sequence.prompt for sequence in batch]
        device = self.model.device

        def padded(arrays: list[Tensor], value: int) -> Tensor:
            return pad_sequence(arrays, batch_first=True, padding_value=value).to(device)

        ids = padded([torch.from_numpy(p.ids) for p in prompts], 0)
        embeddings = self.model.embed(prompts, [s.turns for s in batch])
        for name, slot in PLACEHOLDERS.items():
            filler = self.placeholders[name].to(embeddings.dtype)
            embeddings = torch.where((ids == slot)[..., None], filler, embeddings)
        # A padded row sees itself, so that its softmax is defined; nobody sees it.
        length = ids.shape[1]
        visible = torch.eye(length, dtype=torch.bool).repeat(len(batch), 1, 1)
        for row, prompt in enumerate(prompts):
            own = len(prompt.ids)
            visible[row, :own, :own] = torch.from_numpy(prompt.visible)
        hidden = self.model.llm.get_decoder()(
            inputs_embeds=embeddings,
            attention_mask=attention_mask(visible, embeddings),
            position_ids=padded([torch.from_numpy(p.positions) for p in prompts], 0),
            use_cache=False,
        ).last_hidden_state
        return hidden, padded([torch.from_numpy(p.targets) for p in prompts], -100)


def balanced_weights(sequences: Sequence[TrainingSequence]) -> Tensor:
    """(E,) weights inverse to how frequent each label is; their mean over the turns is 1."""
    counts = torch.cat([sequence.targets for sequence in sequences]).sum(0)
    present = counts > 0
    weights = torch.where(present, counts.sum() / (present.sum() * counts.clamp_min(1e-9)), 1.0)
    return weights
