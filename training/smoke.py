"""Tiny corpora and a tiny model, synthesised, so that every training script can be tried.

The pictures, voices and words differ by label, so that a loss falls; they mean nothing.
Every file has the layout of the real corpus, and the LLM is a real LLaMA of two layers.
"""

from __future__ import annotations

import csv
import dataclasses
import random
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import soundfile
import torch
from pyarrow.lib import Table
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from engine.model.densenet import DenseNetConfig
from engine.model.spec import LlmSpec, ModelSpec, compact
from export.models import resolve
from stream.media import SAMPLE_RATE
from training import face, speech
from training.datasets.labels import FERPLUS_COLUMNS, MELD_LABELS, RAVDESS_TO_MELD
from training.datasets.meld import COLUMNS

WIDTH = 64
WORDS = {
    "neutral": "the table is over there",
    "joy": "what a lovely day",
    "surprise": "oh really you did that",
    "anger": "get out of my way",
    "sadness": "i miss the old house",
    "disgust": "that smells awful",
    "fear": "someone is at the door",
}


@dataclass(frozen=True)
class Smoke:
    """Where the synthesised things lie."""

    data: Path
    """Folder of corpora in the layout of docs/data.md."""
    spec: ModelSpec
    """The compact spec, shrunk."""


def make_smoke(folder: Path, seed: int = 1) -> Smoke:
    """Write corpora and the base model below a folder."""
    rng = np.random.default_rng(seed)
    data = folder / "data"
    _write_meld(data / "meld" / "train_sent_emo.csv", 12, random.Random(seed))
    _write_meld(data / "meld" / "dev_sent_emo.csv", 6, random.Random(seed + 1))
    _write_faces(data / "fer2013" / "Training.parquet", 140, rng)
    _write_faces(data / "fer2013" / "PublicTest.parquet", 35, rng)
    for actor in (1, 2, 17):
        _write_voices(data / "ravdess" / f"Actor_{actor:02d}", actor, rng)
    base = folder / "base"
    _write_base(base)
    return Smoke(data, smoke_spec(base))


def train_encoders(smoke: Smoke, runs: Path, cache: Path) -> None:
    """Train both encoders for a moment, for the scripts that need them."""
    face.train(smoke.data / "fer2013", smoke.spec.video, face.FaceTraining(epochs=1), runs / "face")
    options = speech.SpeechTraining(epochs=2, folds=2)
    speech.train(smoke.data, smoke.spec.audio, options, runs / "speech", cache)


def smoke_spec(base: Path) -> ModelSpec:
    """The compact spec with a small DenseNet and a base LLM of `_write_base`'s shape."""
    spec = compact(name="smoke")
    densenet = DenseNetConfig(8, (1, 1, 1), 8, "small", 2, 1, len(spec.labels))
    return dataclasses.replace(
        spec,
        video=dataclasses.replace(spec.video, densenet=densenet),
        audio=dataclasses.replace(spec.audio, hidden=16),
        llm=LlmSpec(
            base=str(base), hidden_size=WIDTH, lora_rank=2, lora_alpha=4, lora_first_layer=0
        ),
    )


def write_tiny_llama(folder: Path, tokenizer: Path, layers: int = 2, width: int = WIDTH) -> None:
    """Save a random LLaMA of Vicuna's shape family with a real tokenizer."""
    words = AutoTokenizer.from_pretrained(tokenizer)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=2048,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    words.save_pretrained(folder)


def _write_base(folder: Path) -> None:
    write_tiny_llama(folder, resolve("smollm2-135m-instruct"))


def _write_meld(path: Path, dialogues: int, rng: random.Random) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, fieldnames=("Sr No.", *COLUMNS, "Sentiment"))
        table.writeheader()
        for dialogue in range(dialogues):
            for turn in range(4):
                emotion = rng.choice(MELD_LABELS)
                table.writerow(
                    {
                        "Sr No.": dialogue * 4 + turn + 1,
                        "Utterance": WORDS[emotion],
                        "Speaker": ("Ann", "Ben")[turn % 2],
                        "Emotion": emotion,
                        "Sentiment": "neutral",
                        "Dialogue_ID": dialogue,
                        "Utterance_ID": turn,
                        "Season": 1,
                        "Episode": 1,
                        "StartTime": f"00:00:{turn * 2:02d},000",
                        "EndTime": f"00:00:{turn * 2 + 2:02d},000",
                    }
                )


def _write_faces(path: Path, count: int, rng: np.random.Generator) -> None:
    """Stripes of a width of their own for each class, under noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = np.arange(count) % 7
    images = []
    for label in labels:
        stripes = 128 + 80 * np.sin(np.arange(48) * (label + 1) / 4)[None, :]
        image = (stripes + rng.normal(0, 20, (48, 48))).clip(0, 255).astype(np.uint8)
        images.append(cv2.imencode(".jpg", image)[1].tobytes())
    ferplus_of_fer = (4, 5, 6, 1, 3, 2, 0)  # FER2013's classes among FERPlus's columns
    votes = np.zeros((count, len(FERPLUS_COLUMNS)), np.int64)
    votes[np.arange(count), [ferplus_of_fer[label] for label in labels]] = 10
    columns = {"row": np.arange(count), "label": labels, "image": images}
    columns |= {f"votes_{name}": votes[:, index] for index, name in enumerate(FERPLUS_COLUMNS)}
    pq.write_table(Table.from_pydict(columns), path)  # type: ignore[no-untyped-call]


def _write_voices(folder: Path, actor: int, rng: np.random.Generator) -> None:
    """A tone of a height of its own for each emotion, with a beat and noise."""
    folder.mkdir(parents=True, exist_ok=True)
    time = np.arange(int(1.5 * SAMPLE_RATE)) / SAMPLE_RATE
    for index, code in enumerate(RAVDESS_TO_MELD):
        tone = np.sin(2 * np.pi * (120 + 40 * index) * time) * (1 + np.sin(2 * np.pi * 4 * time))
        samples = 0.2 * tone + 0.02 * rng.normal(size=len(time))
        name = f"03-01-{code}-01-01-01-{actor:02d}.wav"
        soundfile.write(folder / name, samples.astype(np.float32), SAMPLE_RATE)
