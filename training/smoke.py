"""Tiny corpora and a tiny model, synthesised, so that every training script can be tried.

Drawn faces, tones and words differ by label, so that a loss falls; they mean nothing.
Every file has the layout of the real corpus, and the LLM is a real LLaMA of two layers.
"""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import pyarrow.parquet as pq
import soundfile
import torch
from numpy.typing import NDArray
from pyarrow.lib import Table
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
from transformers.utils import logging

from engine.model.spec import ModelSpec
from export.models import resolve
from stream.media import SAMPLE_RATE
from training import face, speech
from training.datasets.labels import (
    FER2013_NAMES,
    FER2013_TO_MELD,
    FERPLUS_COLUMNS,
    MELD_LABELS,
    RAVDESS_TO_MELD,
)
from training.datasets.meld import COLUMNS
from training.recipe import Recipe, read_recipe

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
MELD_OF_FER = tuple(MELD_LABELS.index(FER2013_TO_MELD[name]) for name in FER2013_NAMES)
FERPLUS_OF_FER = (4, 5, 6, 1, 3, 2, 0)
"""FER2013's classes among FERPlus's columns."""
CLIP_SECONDS = 0.75
CLIP_FOLDERS = {"train": "train/train_splits", "dev": "dev/dev_splits_complete"}


@dataclass(frozen=True)
class Smoke:
    """Where the synthesised things lie."""

    data: Path
    """Folder of corpora in the layout of docs/data.md."""
    recipe: Recipe
    """`smoke`, with the tiny base LLM."""
    runs: Path
    """An empty folder for what is trained."""

    @property
    def spec(self) -> ModelSpec:
        """The compact spec, shrunk."""
        return self.recipe.spec


def make_smoke(folder: Path, seed: int = 1) -> Smoke:
    """Write corpora and the base model below a folder."""
    rng = np.random.default_rng(seed)
    data = folder / "data"
    _write_meld(data / "meld", "train", 12, random.Random(seed))
    _write_meld(data / "meld", "dev", 6, random.Random(seed + 1))
    _write_comments(data / "goemotions", 24, random.Random(seed + 2))
    _write_faces(data / "fer2013" / "Training.parquet", 140, rng)
    _write_faces(data / "fer2013" / "PublicTest.parquet", 35, rng)
    for actor in (1, 2, 17):
        _write_voices(data / "ravdess" / f"Actor_{actor:02d}", actor, rng)
    base = folder / "base"
    _write_base(base)
    return Smoke(data, smoke_recipe(base), folder / "runs")


def smoke_recipe(base: Path) -> Recipe:
    """The recipe with a base LLM of `_write_base`'s shape."""
    recipe = read_recipe("smoke").with_spec(llm={"base": str(base)})
    return recipe.with_settings(distillation={"base": str(base)})


def train_encoders(smoke: Smoke, runs: Path, cache: Path) -> None:
    """Train both encoders for a moment, for the scripts that need them."""
    face.train(smoke.data / "fer2013", smoke.spec.video, face.FaceTraining(epochs=1), runs / "face")
    options = speech.SpeechTraining(epochs=2, folds=2)
    speech.train(smoke.data, smoke.spec.audio, options, runs / "speech", cache)


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
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # it counts one file
    LlamaForCausalLM(config).save_pretrained(folder)
    words.save_pretrained(folder)


def _write_base(folder: Path) -> None:
    write_tiny_llama(folder, resolve("smollm2-135m-instruct"))


def _write_meld(folder: Path, split: str, dialogues: int, rng: random.Random) -> None:
    """The csv of a split, and a clip of each utterance."""
    folder.mkdir(parents=True, exist_ok=True)
    clips = folder / CLIP_FOLDERS[split]
    clips.mkdir(parents=True)
    path = folder / f"{split}_sent_emo.csv"
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
                        "EndTime": f"00:00:{turn * 2:02d},{CLIP_SECONDS * 1000:03.0f}",
                    }
                )
                write_clip(clips / f"dia{dialogue}_utt{turn}.mp4", MELD_LABELS.index(emotion))


def _write_comments(folder: Path, count: int, rng: random.Random) -> None:
    """GoEmotions' files."""
    folder.mkdir(parents=True)
    (folder / "labels.txt").write_text("\n".join(MELD_LABELS) + "\n", encoding="utf-8")
    for split in ("train", "dev"):
        chosen = [rng.randrange(len(MELD_LABELS)) for _ in range(count)]
        rows = [f"{WORDS[MELD_LABELS[label]]}\t{label}\t{i}\n" for i, label in enumerate(chosen)]
        (folder / f"{split}.tsv").write_text("".join(rows), encoding="utf-8")


def write_clip(path: Path, label: int, seconds: float = CLIP_SECONDS) -> None:
    """A drawn face that moves, with a tone, 8 pictures a second."""
    rate = 8
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=rate, bit_rate=400_000)
        video.width = video.height = 192
        video.pix_fmt = "yuv420p"
        audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        for index in range(round(seconds * rate)):
            picture = av.VideoFrame.from_ndarray(
                draw_face(192, label, index / rate), format="rgb24"
            )
            container.mux(video.encode(picture))
        time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
        tone = (0.2 * np.sin(2 * np.pi * (120 + 40 * label) * time)).astype(np.float32)
        sound = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
        sound.sample_rate = SAMPLE_RATE
        container.mux(audio.encode(sound))
        for stream in (video, audio):
            container.mux(stream.encode(None))


def draw_face(size: int, label: int, time: float = 0.0) -> NDArray[np.uint8]:
    """A face that detectors find, (S, S, 3) RGB; mouth, brows and hair are its label's."""
    scale, swing = size / 192, 3 * np.sin(2 * np.pi * time)
    mouth, brow = (0, 14, 6, -4, -12, -8, 3)[label], (0, 2, 10, -5, 4, -4, 8)[label]
    picture = np.full((size, size, 3), (90, 110, 130), np.uint8)

    def oval(
        x: float, y: float, axes: tuple[float, float], colour: tuple[int, int, int],
        width: int = -1, angles: tuple[int, int] = (0, 360),
    ) -> None:  # fmt: skip
        centre = (int((x + swing) * scale), int(y * scale))
        radii = (max(1, int(axes[0] * scale)), max(1, int(axes[1] * scale)))
        thick = width if width < 0 else max(1, int(width * scale))
        cv2.ellipse(picture, centre, radii, 0, *angles, colour, thick, cv2.LINE_AA)

    oval(96, 100, (58, 76), (224, 182, 150))
    shade = 30 + 32 * label
    oval(96, 52, (60, 40), (shade, shade, shade), angles=(180, 360))
    for x in (72, 120):
        oval(x, 90, (11, 6), (250, 250, 250))
        oval(x, 90, (5, 5), (60, 40, 20))
        oval(x, 76 - brow, (14, 4), (60, 40, 30), 4, (180, 360))
    oval(96, 118, (10, 4), (180, 135, 110), 3, (0, 180))
    smile = (0, 180) if mouth >= 0 else (180, 360)
    oval(96, 142 - mouth / 2, (22, max(2, abs(mouth))), (150, 60, 60), 5, smile)
    return cv2.GaussianBlur(picture, (0, 0), 1.5 * scale).astype(np.uint8)


def _write_faces(path: Path, count: int, rng: np.random.Generator) -> None:
    """Drawn faces under noise, as FER2013 frames them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = np.arange(count) % 7
    images = []
    for label in labels:
        drawn = draw_face(192, MELD_OF_FER[label])[16:176, 16:176]
        grey = cv2.resize(
            cv2.cvtColor(drawn, cv2.COLOR_RGB2GRAY), (48, 48), interpolation=cv2.INTER_AREA
        )
        image = (grey + rng.normal(0, 8, (48, 48))).clip(0, 255).astype(np.uint8)
        images.append(cv2.imencode(".jpg", image)[1].tobytes())
    votes = np.zeros((count, len(FERPLUS_COLUMNS)), np.int64)
    votes[np.arange(count), [FERPLUS_OF_FER[label] for label in labels]] = 10
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
