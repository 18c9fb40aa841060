"""Text classifiers, and the words of a bundle, on MELD's dev split.

Letters in shapes: T tokens, C classes of a model.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging

from benchmarks.peer_labels import Floats, as_probabilities, map_labels
from benchmarks.peer_onnx import DTYPES, OnnxClassifier, first_line
from benchmarks.peer_results import TIMED, Result, measure, score_all, timed
from engine.model.model import TurnInputs
from engine.model.prompt import clean_text
from engine.model.reader import DialogueReader
from engine.model.recognizer import Recognizer, read_spec
from export.models import resolve
from stream.errors import UserError
from training.datasets.labels import MELD_LABELS
from training.evaluation.conversations import (
    Conversations,
    encode,
    read_conversations,
    to_examples,
    truth_of,
)
from training.evaluation.predict import probabilities

MAX_TOKENS = 256
"""Of an utterance with its past; more are cut from the past. MELD's longest has fewer than 100."""
TRUTH = "MELD dev"
"""Name of the annotation."""
ONNX_FILES = ("model.onnx", "onnx/model.onnx")
"""Where a folder has its graph."""


@dataclass(frozen=True)
class TextOptions:
    """How utterances are put to a model."""

    past: int = 0
    """Utterances before the one to judge, of the same dialogue."""
    separator: str | None = None
    """Between them; the tokenizer's own separator for None, or a space where it has none."""
    output: str | None = None
    """Name of the output of an ONNX with the classes."""
    kind: str | None = None
    """Of `peer_labels.KINDS`; sigmoid for None where the model's config says multi-label."""


class TransformersModel:
    """A sequence classifier of transformers: safetensors alone, and no code but transformers's."""

    def __init__(self, folder: Path) -> None:
        """Load it on the processor.

        Raises:
            UserError: The folder has no such model, or its classifier is not in the weights.
        """
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        local = {"local_files_only": True, "trust_remote_code": False}
        try:
            config = AutoConfig.from_pretrained(folder, **local)
            self._tokenizer = AutoTokenizer.from_pretrained(folder, **local)
            self._model, found = AutoModelForSequenceClassification.from_pretrained(
                folder,
                config=config,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
                **local,
            )
        except Exception as error:  # of many libraries, and of many kinds
            raise UserError(
                f"{folder} is no classifier that transformers loads without foreign code "
                f"({first_line(error)}): give a folder with config.json, the tokenizer and "
                "safetensors weights"
            ) from error
        missing = sorted(found["missing_keys"])
        if missing:
            raise UserError(
                f"{folder} has no weights for {', '.join(missing[:3])}: it is a base model; give "
                "one that was trained to classify emotions"
            )
        self._model.eval()
        self.separator: str = self._tokenizer.sep_token or " "
        self.names = _names(config.id2label)
        many = config.problem_type == "multi_label_classification"
        self.kind = "sigmoid" if many else None
        self.parameters: int | None = sum(one.numel() for one in self._model.parameters())
        self.megabytes = sum(one.stat().st_size for one in folder.glob("*.safetensors")) / 1e6
        # RoBERTa's first two positions are never used.
        own = int(getattr(config, "max_position_embeddings", None) or MAX_TOKENS + 2) - 2
        self._most = min(MAX_TOKENS, own, self._tokenizer.model_max_length)
        self._tokenizer.truncation_side = "left"

    @torch.inference_mode()
    def __call__(self, text: str) -> Floats:
        """(C,) scores of the classes."""
        read = self._tokenizer(text, truncation=True, max_length=self._most, return_tensors="pt")
        numbers: Floats = self._model(**read).logits[0].double().numpy()
        return numbers


class OnnxTextModel:
    """A folder with an ONNX, its tokenizer.json and, for the labels, a config.json."""

    separator = " "
    parameters: int | None = None

    def __init__(self, folder: Path, file: Path, output: str | None) -> None:
        """Open it.

        Raises:
            UserError: A file is missing or cannot be used.
        """
        tokenizer = folder / "tokenizer.json"
        if not tokenizer.is_file():
            raise UserError(f"{folder} has no tokenizer.json: put the model's own beside its ONNX")
        try:
            self._tokenizer = Tokenizer.from_file(str(tokenizer))
            config = folder / "config.json"
            read = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
            self.names = _names({int(key): name for key, name in read.get("id2label", {}).items()})
        except Exception as error:  # tokenizers raises Exception itself
            raise UserError(
                f"{folder}: tokenizer.json or config.json cannot be read ({first_line(error)}): "
                "get both again"
            ) from error
        self._tokenizer.enable_truncation(MAX_TOKENS, direction="left")
        self._tokenizer.no_padding()
        self._onnx = OnnxClassifier(file, output)
        foreign = sorted({str(node.name) for node in self._onnx.inputs} - _FIELDS.keys())
        if foreign or not self._onnx.inputs:
            raise UserError(
                f"{file} has the inputs {', '.join(foreign)}: a text model takes "
                f"{', '.join(_FIELDS)}; export it so"
            )
        many = read.get("problem_type") == "multi_label_classification"
        self.kind = "sigmoid" if many else None
        self.megabytes = self._onnx.megabytes

    def __call__(self, text: str) -> Floats:
        """(C,) numbers of the classes."""
        read = self._tokenizer.encode(text)
        feed = {}
        for node in self._onnx.inputs:
            kind = DTYPES.get(node.type, np.int64)
            feed[node.name] = np.array([getattr(read, _FIELDS[node.name])], kind)  # (1, T)
        return self._onnx.run(feed)


_FIELDS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
"""Inputs of a text model, and where tokenizers has them."""


def open_text_model(name: str, output: str | None = None) -> TransformersModel | OnnxTextModel:
    """A local folder or file, or the name of a model on the Hugging Face hub.

    Raises:
        UserError: It cannot be had or used.
    """
    path = resolve(name)
    if path.suffix == ".onnx":
        return OnnxTextModel(path.parent, path, output)
    for file in ONNX_FILES:
        if (path / file).is_file() and not any(path.glob("*.safetensors")):
            return OnnxTextModel(path, path / file, output)
    return TransformersModel(path)


def read_texts(data: Path, limit: int | None = None) -> Conversations:
    """MELD's dev dialogues, or the first whole ones that have `limit` utterances."""
    read = read_conversations("meld", data / "meld" / "dev_sent_emo.csv")
    if limit is None:
        return read
    kept, count = [], 0
    for dialogue in read.dialogues:
        if count >= limit:
            break
        kept.append(dialogue)
        count += len(dialogue.utterances)
    return Conversations(read.corpus, read.labels, tuple(kept), read.split)


def texts_with_past(conversations: Conversations, past: int, separator: str) -> list[str]:
    """Each utterance behind the ones before it, as the bundle reads the words."""
    out = []
    for dialogue in conversations.dialogues:
        words = [clean_text(utterance.text) for utterance in dialogue.utterances]
        out += [separator.join(words[max(0, i - past) : i + 1]) for i in range(len(words))]
    return out


def score_text_model(
    name: str, names: Sequence[str], options: TextOptions, conversations: Conversations
) -> Result:
    """Score a text classifier.

    Args:
        name: Folder, file or name on the hub.
        names: Of its classes, as `map_labels` takes them; empty for those of its config.
        options: How it is asked.
        conversations: What it is asked.

    Raises:
        UserError: The model cannot be had or used, or its labels are none of MELD's.
    """
    model = open_text_model(name, options.output)
    labels = map_labels(names or model.names)
    separator = model.separator if options.separator is None else options.separator
    texts = texts_with_past(conversations, options.past, separator)
    short = Path(name).name
    numbers, milliseconds = measure(texts, model, labels, short)
    given, kind = as_probabilities(numbers, options.kind or model.kind)
    found = score_all({TRUTH: truth_of(conversations, MELD_LABELS)}, labels.to_meld(given))
    seen = f"{options.past} before it, between them {separator!r}" if options.past else "alone"
    note = f"reads an utterance {seen}; its numbers are read as {kind}"
    return Result(short, labels, found, milliseconds, model.megabytes, model.parameters, (note,))


def score_bundle_texts(
    bundle: Path, conversations: Conversations, base_model: str | None = None
) -> Result:
    """Score a bundle on words alone, on one thread, with the past that it has live.

    Raises:
        UserError: The bundle cannot be loaded, or has other labels.
    """
    base = resolve(base_model or read_spec(bundle).llm.base)
    loaded = Recognizer.load(bundle, base_model=base, face_detector=None, threads=1)
    labels = map_labels(loaded.labels)
    chosen = to_examples(conversations, encode(conversations, None, bundle), loaded.labels)
    given = labels.to_meld(probabilities(loaded, chosen.dialogues).double().numpy())

    @torch.inference_mode()
    def read(turns: Sequence[TurnInputs]) -> None:
        DialogueReader(loaded.model)(turns[:-1], turns[-1:])

    turns = [dialogue[: i + 1] for dialogue in chosen.dialogues for i in range(len(dialogue))]
    step = max(1, len(turns) // (TIMED // 4))
    _, milliseconds = timed(turns[::step], read, f"timing {bundle.name}")
    parts: list[Any] = [loaded.model.llm, loaded.model.fusion]
    files = [*base.glob("*.safetensors"), bundle / "lora.safetensors"]
    return Result(
        bundle.name,
        labels,
        score_all({TRUTH: truth_of(conversations, MELD_LABELS)}, given),
        milliseconds,
        sum(file.stat().st_size for file in files if file.is_file()) / 1e6,
        sum(one.numel() for part in parts for one in part.parameters()),
        (f"{bundle}: words alone, calibrated, with all the past of the dialogue",),
    )


def _names(id2label: dict[int, str]) -> tuple[str, ...]:
    return tuple(str(id2label[index]) for index in sorted(id2label))
