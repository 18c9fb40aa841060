"""Encoders that are trained with the LLM: clips are encoded anew in every step.

By default the encoders are frozen and their features cached; `stage2.encoder_learning_rate`
asks for this instead.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from engine.model.encoders import Encoders
from engine.model.inputs import picture_tensor
from engine.model.model import TurnInputs
from stream.errors import UserError
from training.clips.prepare import read_prepared
from training.learning.checkpoint import gathered, write_tensors


class TrainableClips(nn.Module):
    """From prepared clips to tokens that have a gradient.

    Args:
        encoders: Not frozen.
        cache: Folder that `training.clips.prepare.prepare` filled.

    Raises:
        UserError: The speech encoder hears a turn relative to those before it.
    """

    def __init__(self, encoders: Encoders, cache: Path) -> None:
        super().__init__()
        if encoders.spec.audio.speaker_normalised:
            raise UserError(
                "model.audio.speaker_normalised needs a frozen speech encoder: set it to false, "
                "or stage2.encoder_learning_rate to 0"
            )
        self.densenet, self.speech = encoders.densenet, encoders.speech
        self._encoders, self._cache = encoders, cache

    def train(self, mode: bool = True) -> TrainableClips:
        """Norms keep their running means, and nothing is dropped: both stay in eval mode."""
        super().train(mode)
        self.densenet.eval()
        self.speech.eval()
        return self

    def forward(self, turn: TurnInputs, key: str) -> TurnInputs:
        """The turn with the tokens encoded again, of the modalities that it has."""
        if turn.audio is None and turn.video is None:
            return turn
        clip, spec = read_prepared(key, self._encoders.spec, self._cache), self._encoders.spec
        if turn.audio is not None:
            audio = self._encoders.functionals(torch.from_numpy(clip.functionals))
            turn = replace(turn, audio=audio.tokens, audio_scores=audio.scores)
        if turn.video is not None:
            pictures = picture_tensor(clip.pictures, spec.video)
            # Activations of 64 pictures are large: they are computed again in the backward pass.
            frames: tuple[Tensor, Tensor | None] = checkpoint(
                self._encoders.frames, pictures, use_reentrant=False
            )
            video = self._encoders.pool(*frames)
            turn = replace(turn, video=video.tokens, video_scores=video.scores)
        return turn

    def save(self, face: Path, speech: Path, *, write: bool) -> None:
        """Write both networks; every process must call it, one writes."""
        for module, path in ((self.densenet, face), (self.speech, speech)):
            tensors = {key: gathered(value) for key, value in module.state_dict().items()}
            if write:
                write_tensors(path, tensors)
