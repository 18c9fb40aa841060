"""What the live transcriber hears in clips, and that it is not asked twice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from export.models import resolve
from stream.errors import UserError
from stream.media import SAMPLE_RATE
from training.datasets.clip import Clip, MediaCut
from training.evaluation.transcripts import FILE_NAME, transcribe

ASSETS = Path(__file__).parents[2] / "assets"


@pytest.fixture(scope="module")
def model() -> Path:
    """Whisper tiny.en."""
    return resolve("whisper-tiny.en")


def sentences(path: Path) -> list[Clip | None]:
    """The two sentences of the recording, and an utterance without a clip between."""
    return [
        Clip(None, MediaCut(path, 0.0, 5.0)),
        None,
        Clip(None, MediaCut(path, 5.0)),
    ]


def test_clips_become_words_once(model: Path, tmp_path: Path) -> None:
    """Each cut is heard as live; moved or copied it is known, another cut of it is not."""
    sound = tmp_path / "speech.wav"
    shutil.copy(ASSETS / "speech.wav", sound)
    cache = tmp_path / "cache"
    first, second = (ASSETS / "speech.txt").read_text().splitlines()
    found = transcribe(sentences(sound), model, cache)
    assert found.texts == (first, None, second)
    assert found.sounded == (True, False, True)

    # What is in the file is what is said from now on: nothing is transcribed again.
    store = cache / FILE_NAME
    store.write_text(store.read_text().replace("best of times", "rest of times") + '{"key": "x')
    moved = tmp_path / "moved.wav"
    sound.rename(moved)
    again = transcribe(sentences(moved), model, cache)
    assert again.texts == (first.replace("best of times", "rest of times"), None, second)

    # After the line that a kill tore, new ones are still whole.
    other = [Clip(None, MediaCut(moved, 0.0, 5.5))]
    assert "best of times" in (transcribe(other, model, cache).texts[0] or "")
    keys = [json.loads(line) for line in store.read_text().splitlines() if line.endswith("}")]
    assert len(keys) == 3


def test_silence_has_no_words_but_sound(model: Path, tmp_path: Path) -> None:
    """Nothing said is heard as nothing; a broken file is no sound, and not remembered."""
    silence, broken = tmp_path / "silence.wav", tmp_path / "broken.wav"
    soundfile.write(silence, np.zeros(SAMPLE_RATE, np.float32), SAMPLE_RATE)
    broken.write_bytes(b"RIFF nothing more")
    clips = [Clip(None, MediaCut(path)) for path in (silence, broken, tmp_path / "gone.wav")]
    found = transcribe(clips, model, tmp_path / "cache")
    assert found.texts == (None, None, None)
    assert found.sounded == (True, False, False)
    assert len((tmp_path / "cache" / FILE_NAME).read_text().split()) == 4  # one entry


@pytest.mark.parametrize("clips", [[None, None], [Clip(MediaCut(Path("x.mp4")), None)]])
def test_nothing_to_hear_is_a_mistake(
    model: Path, tmp_path: Path, clips: list[Clip | None]
) -> None:
    """A corpus without clips, or whose clips are pictures alone."""
    with pytest.raises(UserError, match="no clip with sound"):
        transcribe(clips, model, tmp_path)


def test_a_cache_that_cannot_be_written_is_said(model: Path, tmp_path: Path) -> None:
    """The folder is named."""
    cache = tmp_path / "cache"
    cache.write_text("a file")
    with pytest.raises(UserError, match="cache"):
        transcribe([Clip(None, MediaCut(ASSETS / "speech.wav"))], model, cache)
