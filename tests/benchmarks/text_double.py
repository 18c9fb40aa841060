"""Tiny text classifiers: a random BERT, and an ONNX that knows the synthesised corpus."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from onnx_double import export
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor, nn
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from training.smoke import WORDS

NAMES = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
"""In the order of a well-known model, which is not MELD's."""
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
VOCABULARY = (*SPECIAL, *sorted({word for text in WORDS.values() for word in text.split()}))


def word_tokenizer() -> Tokenizer:
    """The synthesised corpus's words, a token each, between [CLS] and [SEP]."""
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(VOCABULARY)}, "[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    made.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=ends)
    return made


def write_bert(folder: Path) -> Path:
    """A tiny random BERT with seven classes and room for 40 tokens, saved by transformers."""
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=40,
        id2label=dict(enumerate(NAMES)),
        label2id={name: i for i, name in enumerate(NAMES)},
        initializer_range=0.5,
    )
    BertForSequenceClassification(config).eval().save_pretrained(folder)
    pad, unknown, start, end = SPECIAL
    fast = PreTrainedTokenizerFast(
        tokenizer_object=word_tokenizer(),
        unk_token=unknown,
        pad_token=pad,
        cls_token=start,
        sep_token=end,
    )
    fast.save_pretrained(folder)
    return folder


class Spotter(nn.Module):
    """Looks up a score of each class for each token, and adds them up."""

    def __init__(self) -> None:
        super().__init__()
        table = torch.zeros(len(VOCABULARY), len(NAMES))
        for place, name in enumerate(NAMES):
            table[[VOCABULARY.index(word) for word in WORDS[name].split()], place] = 3
        self.table = nn.Embedding.from_pretrained(table)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(B, T) -> (B, 7)."""
        return (self.table(input_ids) * attention_mask[..., None]).sum(1)


def write_spotter(folder: Path) -> Path:
    """`Spotter` with its tokenizer and labels, laid out as on the hub."""
    names = ("input_ids", "attention_mask")
    given = torch.ones(1, 5, dtype=torch.int64)
    free = {name: [0, 1] for name in names}
    (folder / "onnx").mkdir()
    export(Spotter(), (given, given), folder / "onnx" / "model.onnx", names, free=free)
    word_tokenizer().save(str(folder / "tokenizer.json"))
    config = {"id2label": {str(i): name for i, name in enumerate(NAMES)}}
    (folder / "config.json").write_text(json.dumps(config))
    return folder
