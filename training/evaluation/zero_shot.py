"""The base LLM without anything that was trained: what fine-tuning is measured against.

The prompt is the bundle's own, with the words alone: the places of video, audio and absent
tokens are left out, since only trained embeddings mean something there. The labels are
scored at the cue as always; nothing is added to the scores, and nothing calibrates them.

Letters in shapes: B dialogues, T tokens, H width of the LLM.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from engine.model.model import EmotionModel, TurnInputs, load_base
from engine.model.prompt import DescribedPrompt, Prompt, PromptBuilder, TurnShape
from engine.model.recognizer import without
from engine.model.spec import ModelSpec
from stream.errors import UserError
from training.device import scoring_device


class WordsPrompt(PromptBuilder):
    """The prompt without places that an embedding fills."""

    def lines(self, speakers: Sequence[str], turns: Sequence[TurnShape]) -> list[list[int]]:
        """Ids that turns add to a prompt."""
        return [[token for token in line if token >= 0] for line in super().lines(speakers, turns)]


class ZeroShotModel(EmotionModel):
    """A base LLM that reads words; what else a turn has is passed over."""

    def __init__(self, spec: ModelSpec, llm: Any, tokenizer: Any) -> None:
        """Wrap a causal LM of transformers as it is.

        Raises:
            ValueError: the LLM is not of the width that the spec says.
        """
        super().__init__(dataclasses.replace(spec, evidence=False), llm, tokenizer)
        self.prompt = WordsPrompt(tokenizer, spec.prompt)

    def embed(
        self,
        prompts: Sequence[Prompt | DescribedPrompt],
        dialogues: Sequence[Sequence[TurnInputs]],
    ) -> Tensor:
        """Input embeddings, padded at the end: (B, T, H)."""
        words = [[without(turn, "audio", "video") for turn in turns] for turns in dialogues]
        return super().embed(prompts, words)


def load_zero_shot(spec: ModelSpec, base_model: Path) -> ZeroShotModel:
    """The base LLM of a spec, reading words.

    Args:
        spec: Of a bundle: gives prompt and labels.
        base_model: Folder of the base LLM that it names.

    Raises:
        UserError: The base is not the one that the spec was made for.
    """
    device, dtype = scoring_device()
    llm, tokenizer = load_base(base_model, dtype)
    try:
        model = ZeroShotModel(spec, llm, tokenizer)
    except ValueError as error:
        raise UserError(f"{base_model}: {error}; give --base-model the base it names") from error
    return model.to(device).eval()
