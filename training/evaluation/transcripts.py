"""What the live transcriber hears in the clips of a corpus, instead of what its authors wrote.

Transcripts are kept in a text file that only grows, a JSON object a line: by the bytes of
the sound's file, the cut, and the bytes of the transcriber's weights. A kill costs the
utterance under way.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.model.spec import VideoSpec
from engine.transcriber import Transcriber
from stream.errors import UserError
from training.clips.cache import writing
from training.clips.hashes import MediaHashes
from training.clips.utterances import read_clip
from training.datasets.clip import Clip, MediaCut
from training.progress import console, progress_bar

FORMAT = 1
"""Of keys; raised whenever the same sound and weights would give other words."""
FILE_NAME = "transcripts.jsonl"


@dataclass(frozen=True)
class Transcripts:
    """What was heard."""

    texts: tuple[str | None, ...]
    """In the order of the clips; None where there was no sound or no word was made out."""
    sounded: tuple[bool, ...]
    """Whether there was sound that could be read."""


def transcribe(
    clips: Sequence[Clip | None], model: Path, cache: Path, threads: int = 1
) -> Transcripts:
    """Transcribe the sound of clips, as live; what was transcribed before is read from the cache.

    Args:
        clips: None where an utterance has none.
        model: Folder with a Whisper model in CTranslate2's format.
        cache: Folder.
        threads: CPU threads of the transcriber.

    Raises:
        UserError: None of the clips has sound, the model is none, or the cache cannot be written.
    """
    cuts = [None if clip is None else clip.audio for clip in clips]
    if not any(cuts):
        raise UserError(
            "there is no clip with sound to transcribe: give the corpus's folder with its clips "
            "(docs/data.md), or leave --transcripts out"
        )
    transcriber = Transcriber(model, threads)
    store = _Store(cache, model)
    texts: list[str | None] = []
    with progress_bar() as bar:
        task = bar.add_task("transcribing", total=len(cuts), note="")
        for cut in cuts:
            texts.append(None if cut is None else _text(cut, transcriber, store))
            bar.update(task, advance=1)
    return Transcripts(
        tuple(text or None for text in texts), tuple(text is not None for text in texts)
    )


def _text(cut: MediaCut, transcriber: Transcriber, store: _Store) -> str | None:
    """The words of a cut, empty where none was made out; None where it cannot be read."""
    key = store.key(cut)
    if key not in store.known:
        heard = read_clip(Clip(None, cut), VideoSpec())
        for reason in heard.degraded:
            console.print(reason, markup=False, highlight=False)
        if not len(heard.audio):
            return None
        store.add(key, transcriber(heard.audio))
    return store.known[key]


class _Store:
    """Transcripts of one transcriber by key."""

    def __init__(self, folder: Path, model: Path) -> None:
        self._path = folder / FILE_NAME
        self._hashes = MediaHashes(folder)
        self._weights = self._hashes.digest(model / "model.bin")
        self.known = _read(self._path)

    def key(self, cut: MediaCut) -> str:
        """Name of what is transcribed by what, 64 hexadecimal digits."""
        parts = [FORMAT, self._hashes.digest(cut.path), cut.start, cut.end, self._weights]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def add(self, key: str, text: str) -> None:
        """Keep a transcript.

        Raises:
            UserError: The disk is full or the folder cannot be written.
        """
        # It starts with a line break, so that a line torn by a kill does not spoil this one.
        line = "\n" + json.dumps({"key": key, "text": text}) + "\n"
        with writing(self._path.parent):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(file, line.encode())
            finally:
                os.close(file)
        self.known[key] = text


def _read(path: Path) -> dict[str, str]:
    """Entries of the file; lines that are none are passed over."""
    if not path.exists():
        return {}
    entries = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
            entries[str(entry["key"])] = str(entry["text"])
        except (ValueError, KeyError, TypeError):
            continue
    return entries
