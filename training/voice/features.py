"""openSMILE functionals of speech corpora, computed once and cached.

The cache is one file per audio spec; a clip is found in it by corpus, name and size, so
another window length or another copy of a corpus is computed anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from engine.model.inputs import audio_windows, clean_samples
from engine.model.smile import OpenSmile
from engine.model.spec import AudioSpec
from training.datasets.speech import SpeechClip, load_audio
from training.progress import progress_bar

NUMBERS = ("feature_set", "window_seconds", "hop_seconds", "max_windows")
"""Of the audio spec, that the functionals depend on."""
WINDOWS = "grid"
"""How `audio_windows` lays them; a cache of windows that were laid otherwise is not read."""
SAVE_EVERY = 200
"""Clips between two writes of the cache: what a kill can lose."""


def speech_features(
    clips: Sequence[SpeechClip], spec: AudioSpec, cache: Path
) -> list[NDArray[np.float32]]:
    """Functionals of the windows of every clip: one (W, D) array each."""
    path = cache / f"speech-{_digest(spec)}.safetensors"
    done = load_file(path) if path.exists() else {}
    missing = [clip for clip in clips if clip_key(clip) not in done]
    if missing:
        encoder = OpenSmile(spec)
        with progress_bar() as bar:
            task = bar.add_task("openSMILE", total=len(missing), note="")
            for count, clip in enumerate(missing, start=1):
                windows = audio_windows(clean_samples(load_audio(clip.path)), spec)
                done[clip_key(clip)] = encoder(windows)
                bar.update(task, advance=1, note=clip.corpus)
                if count % SAVE_EVERY == 0 or count == len(missing):
                    _save(done, path)
    return [done[clip_key(clip)] for clip in clips]


def clip_key(clip: SpeechClip) -> str:
    """Name of a clip in the caches."""
    return f"{clip.corpus}/{clip.path.stem}/{clip.path.stat().st_size}"


def _digest(spec: AudioSpec) -> str:
    numbers = {name: getattr(spec, name) for name in NUMBERS} | {"windows": WINDOWS}
    return hashlib.sha256(json.dumps(numbers).encode()).hexdigest()[:16]


def _save(tensors: dict[str, NDArray[np.float32]], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file(tensors, partial)
    os.replace(partial, path)
