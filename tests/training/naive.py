"""The model and its loss once more, one utterance at a time, as literally as can be.

A prompt is tokenised turn by turn and read whole for its last turn alone; nothing of
`engine.model.prompt`, of packing, padding or batching is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from engine.model.model import EmotionModel, TurnInputs


def read_prompt(model: EmotionModel, tokenizer: Any, turns: Sequence[TurnInputs]) -> Tensor:
    """Input embeddings of the prompt that ends with the cue of the last turn: (T, H)."""
    table = model.llm.get_input_embeddings()
    prompt, adapters, absent = model.spec.prompt, model.fusion.adapters, model.fusion.absent

    def words(text: str) -> Tensor:
        ids = tokenizer(text, add_special_tokens=False).input_ids
        return table(torch.tensor(ids, dtype=torch.long))

    pieces = [table(torch.tensor(tokenizer(prompt.instruction).input_ids))]
    speakers: list[str] = []
    for index, turn in enumerate(turns):
        if turn.speaker not in speakers:
            speakers.append(turn.speaker)
        pieces.append(words("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[speakers.index(turn.speaker)] + ":"))
        for name, features in (("video", turn.video), ("audio", turn.audio)):
            pieces.append(absent[name][None] if features is None else adapters[name](features))
        if turn.text is None:
            pieces.append(absent["text"][None])
        else:
            pieces.append(words(" " + turn.text)[-prompt.max_text_tokens :])
        pieces.append(words(prompt.cue))
        if index < len(turns) - 1:
            pieces.append(words("\n"))
    return torch.cat(pieces)


def label_scores(model: EmotionModel, tokenizer: Any, turns: Sequence[TurnInputs]) -> Tensor:
    """Label scores of the last turn, from the logits of the whole vocabulary: (E,)."""
    embeddings = read_prompt(model, tokenizer, turns)[None]
    logits = model.llm(inputs_embeds=embeddings, logits_to_keep=1).logits[0, -1]
    labels = [tokenizer(f" {label}").input_ids[0] for label in model.spec.labels]
    scores: Tensor = logits[torch.tensor(labels)].float()
    turn, weights = turns[-1], model.fusion.evidence_weights
    seen = {"audio": turn.audio_scores, "video": turn.video_scores}
    present = {name: given for name, given in seen.items() if given is not None}
    if not model.training and turn.text is None and present:
        return sum(present.values(), torch.zeros(len(labels)))
    for name, given in present.items():
        scores = scores + weights[name] * given
    return scores


def cross_entropy(scores: Tensor, label: int) -> Tensor:
    """Of one utterance."""
    return torch.logsumexp(scores, 0) - scores[label]
