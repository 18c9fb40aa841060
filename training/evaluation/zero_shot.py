"""The base LLM without anything that was trained: what fine-tuning is measured against.

The prompt is the bundle's own, with the words alone: the places of video, audio and absent
tokens are left out, since only trained embeddings mean something there. The labels are
scored at the cue as always; nothing is added to the scores, and nothing calibrates them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from engine.model.model import EmotionModel, load_base
from engine.model.prompt import Prompt, PromptBuilder, TurnShape
from engine.model.spec import ModelSpec
from stream.errors import UserError


class WordsPrompt(PromptBuilder):
    """The prompt without places that an embedding fills."""

    def build(self, turns: Sequence[TurnShape]) -> Prompt:
        """Ids and cue positions of a whole dialogue."""
        full = super().build(turns)
        words = full.ids >= 0
        return Prompt(full.ids[words], words.cumsum()[full.cues] - 1)

    def turn_length(self, turn: TurnShape) -> int:
        """Tokens that a turn takes."""
        # The last cue of a prompt ends it, and what separates turns is still to come.
        return len(self.build([turn]).ids) - len(self.instruction) + len(self._end)


def load_zero_shot(spec: ModelSpec, base_model: Path) -> EmotionModel:
    """The base LLM of a spec, reading words.

    Args:
        spec: Of a bundle: gives prompt and labels.
        base_model: Folder of the base LLM that it names.

    Raises:
        UserError: The base is not the one that the spec was made for.
    """
    llm, tokenizer = load_base(base_model)
    try:
        model = EmotionModel(dataclasses.replace(spec, evidence=False), llm, tokenizer)
    except ValueError as error:
        raise UserError(f"{base_model}: {error}; give --base-model the base it names") from error
    model.prompt = WordsPrompt(tokenizer, spec.prompt)
    return model.eval()
