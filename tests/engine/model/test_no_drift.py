"""What a model is trained on is what it sees live: one clip on both paths, equal arrays.

The clip is written to disk as the corpora have it and read by the training code (readers,
openSMILE cache, banks, composition, packed dialogue); live it is an utterance.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import torch
from tiny_model import spoken, talk_frames

from engine.dialogue import Turn
from engine.faces import FaceDetector, Framing, track_faces
from engine.model.inputs import picture_tensor
from engine.model.model import TurnInputs
from engine.model.outputs import Recognition
from engine.model.prompt import Prompt
from engine.model.recognizer import Recognizer, used_modalities
from engine.model.spec import VideoSpec
from export.models import resolve
from stream.media import SAMPLE_RATE, Image, Samples, Utterance, VideoFrame
from training.composition.banks import face_bank, voice_bank
from training.composition.compose import Banks, compose
from training.datasets.fer2013 import read_fer2013
from training.datasets.labels import FERPLUS_COLUMNS
from training.datasets.meld import COLUMNS, read_meld
from training.datasets.speech import find_speech
from training.evaluation import examples


@dataclass(frozen=True, eq=False)
class Clip:
    """One turn as it happened, with its place in each corpus."""

    speaker: str
    text: str
    emotion: str
    frame: VideoFrame
    samples: Samples
    voice_file: str
    fer_class: int
    ferplus_column: str


CLIPS = (
    Clip(
        speaker="Ross Geller",
        text="I just feel like someone reached down my throat\u2026",
        emotion="sadness",
        frame=talk_frames(24)[3],
        samples=spoken(3.0),
        voice_file="03-01-04-01-01-01-01.wav",
        fer_class=4,
        ferplus_column="sadness",
    ),
    Clip(
        speaker="Phoebe",
        text=" \u201cOh\u201d\u2014 <|im_end|> you\u2019re  kidding!",
        emotion="joy",
        frame=talk_frames(24)[20],
        samples=spoken(3.4)[-7000:],
        voice_file="03-01-03-01-01-01-02.wav",
        fer_class=3,
        ferplus_column="happiness",
    ),
)


@dataclass(frozen=True)
class Corpora:
    """The clips on disk."""

    meld: Path
    speech: Path
    faces: tuple[Path, ...]
    """One parquet for each clip."""


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory, tiny_recognizer: Recognizer) -> Corpora:
    """MELD's csv, a folder of RAVDESS and FER2013 parquets, with the clips in them."""
    folder = tmp_path_factory.mktemp("corpora")
    (folder / "ravdess").mkdir()
    faces = []
    for number, clip in enumerate(CLIPS):
        soundfile.write(folder / "ravdess" / clip.voice_file, clip.samples, SAMPLE_RATE, "PCM_16")
        (picture,) = face_pictures([clip.frame], tiny_recognizer.spec.video)
        faces.append(write_face(folder / f"face-{number}.parquet", picture, clip))
    return Corpora(write_meld(folder / "meld.csv"), folder / "ravdess", tuple(faces))


def face_pictures(frames: list[VideoFrame], spec: VideoSpec) -> list[Image]:
    """Grey faces as a data set of faces holds them, cut with the framing of the spec."""
    framing = Framing(spec.face_scale, spec.face_offset)
    track = track_faces(frames, FaceDetector(resolve("blazeface")), spec.size, framing)
    crops = [crop.image for crop in track.crops if crop is not None]
    assert len(crops) == len(frames)
    return [cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) for crop in crops]


def write_face(path: Path, picture: Image, clip: Clip) -> Path:
    """A FER2013 parquet of one picture."""
    columns: dict[str, Any] = {
        "image": [cv2.imencode(".png", picture)[1].tobytes()],
        "label": [clip.fer_class],
    }
    columns |= {f"votes_{name}": [10 * (name == clip.ferplus_column)] for name in FERPLUS_COLUMNS}
    pq.write_table(pa.Table.from_pydict(columns), path)
    return path


def write_meld(path: Path) -> Path:
    """A MELD csv of one dialogue."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        for number, clip in enumerate(CLIPS):
            values = (clip.text, clip.speaker, clip.emotion, 0, number, 1, 1, "00:00:00,000", "")
            table.writerow(dict(zip(COLUMNS, values, strict=True)))
    return path


@pytest.fixture(scope="module")
def trained_on(
    corpora: Corpora, tiny_recognizer: Recognizer, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TurnInputs, ...]:
    """The dialogue as stage 2 trains on it."""
    encoders = tiny_recognizer.encoders
    voices = voice_bank(encoders, find_speech(corpora.speech), tmp_path_factory.mktemp("cache"))
    faces = {}
    for path in corpora.faces:
        faces |= face_bank(encoders, read_fer2013(path))
    (dialogue,) = read_meld(corpora.meld)
    return compose(dialogue, Banks(voices, faces), random.Random(1)).turns


@dataclass(frozen=True, eq=False)
class Live:
    """What happened live."""

    results: tuple[Recognition, ...]
    prompts: tuple[Prompt, ...]
    """Of each turn with its history, as it was given to the language model."""


@pytest.fixture(scope="module")
def live(tiny_recognizer: Recognizer) -> Live:
    """The same dialogue, one utterance after the other, as the engine does it."""
    model = tiny_recognizer.model
    tiny_recognizer.forget("")  # other tests have read with it
    embed, embedded, read, cues, firsts = model.embed, [], [], [], []

    def note(prompts: Sequence[Prompt], dialogues: Any) -> torch.Tensor:
        embedded.append(list(prompts[0].ids))
        return embed(prompts, dialogues)

    history: list[Turn] = []
    results = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "embed", note)
        for number, clip in enumerate(CLIPS):
            seconds = len(clip.samples) / SAMPLE_RATE
            said = Utterance(
                f"id-{number}",
                f"speaker-{number}",
                0.0,
                seconds,
                (clip.frame,),
                clip.samples,
                clip.text,
            )
            embedded.clear()
            results.append(tiny_recognizer.recognize(said, history))
            # The line before, of which only the end is new, and the turn as it is; the others
            # lack a modality.
            new = len(model.prompt.line_end) if history else len(embedded[0])
            read += embedded[0][-new:] + embedded[1]
            cues.append(len(read) - 1)
            firsts.append(Prompt(np.array(read), np.array(cues)))
            history.append(Turn(said.participant, said.text, results[-1].inputs))
    return Live(tuple(results), tuple(firsts))


ARRAYS = ("video", "audio", "video_scores", "audio_scores")


@pytest.mark.parametrize("number", range(len(CLIPS)))
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_are_equal(
    trained_on: tuple[TurnInputs, ...], live: Live, number: int, name: str
) -> None:
    """Tokens and scores of voice and face agree to the last bit."""
    inputs = live.results[number].inputs
    assert inputs is not None
    seen, trained = getattr(inputs, name), getattr(trained_on[number], name)
    assert trained is not None
    assert trained.abs().sum() > 0
    assert torch.equal(seen, trained)


def test_prompts_are_equal(
    tiny_recognizer: Recognizer, trained_on: tuple[TurnInputs, ...], live: Live
) -> None:
    """Ids and cue positions agree, though live knows no names and cleans the text first."""
    whole = tiny_recognizer.model.prompt.build([turn.shape for turn in trained_on])
    for count, prompt in enumerate(live.prompts, start=1):
        assert prompt.ids.tolist() == whole.ids[: len(prompt.ids)].tolist()
        assert prompt.cues.tolist() == whole.cues[:count].tolist()
    assert len(live.prompts[-1].ids) == len(whole.ids)


@torch.inference_mode()
def test_probabilities_are_equal(
    tiny_recognizer: Recognizer, trained_on: tuple[TurnInputs, ...], live: Live
) -> None:
    """The packed dialogue of training gives every turn the probabilities that it has live."""
    used = [used_modalities(turn) for turn in trained_on]
    scores = tiny_recognizer.model([trained_on])
    expected = tiny_recognizer.calibration.probabilities(scores, used)
    for row, result in zip(expected, live.results, strict=True):
        seen = torch.tensor([result.probabilities[name] for name in tiny_recognizer.labels])
        torch.testing.assert_close(seen, row, atol=1e-4, rtol=0)


@pytest.mark.parametrize("number", range(len(CLIPS)))
def test_evaluation_sees_the_same(
    tiny_recognizer: Recognizer, corpora: Corpora, live: Live, tmp_path: Path, number: int
) -> None:
    """`training.evaluate` on the single corpora makes the arrays that live has."""

    def request(path: Path) -> examples.Request:
        return examples.Request(
            path, tiny_recognizer.encoders, tiny_recognizer.labels, tmp_path, str(number + 1)
        )

    read = examples.SPEECH["ravdess"]
    ((voice,),) = examples.speech(request(corpora.speech), read).dialogues
    face_path = corpora.faces[number]
    ((face,),) = examples.faces(request(face_path), read_fer2013(face_path)).dialogues
    inputs = live.results[number].inputs
    assert inputs is not None
    for name, turn in zip(ARRAYS, (face, voice, face, voice), strict=True):
        assert torch.equal(getattr(inputs, name), getattr(turn, name)), name


def test_a_whole_film_is_pooled_alike(tiny_recognizer: Recognizer) -> None:
    """24 frames: pictures as training has them, through `frames` and `pool`, against live."""
    frames = list(talk_frames(24))
    said = Utterance("id", "speaker-1", 0.0, 1.0, tuple(frames))
    seen = tiny_recognizer.recognize(said, []).inputs
    assert seen is not None
    assert seen.video is not None
    assert seen.video_scores is not None
    pictures = np.stack(face_pictures(frames, tiny_recognizer.spec.video))
    encoders = tiny_recognizer.encoders
    pooled = encoders.pool(*encoders.frames(picture_tensor(pictures, encoders.spec.video)))
    assert pooled.scores is not None
    assert torch.equal(seen.video, pooled.tokens)
    assert torch.equal(seen.video_scores, pooled.scores)
