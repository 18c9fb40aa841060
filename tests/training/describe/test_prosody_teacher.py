"""The prosody teacher: voices in words, without a clip."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.prosody import MEASURES
from stream.errors import UserError
from training.datasets.corpus import Corpus
from training.datasets.dialogues import Dialogue, DialogueUtterance
from training.describe.description import Description, UtteranceKey
from training.describe.prosody import NOT_MEASURED, ProsodyTeacher
from training.describe.reading import look
from training.describe.records import RecordFile, read_descriptions
from training.describe.run import Effort, describe
from training.describe.teacher import Failure, Request, Teacher
from training.describe.teachers import HEARING, REMEMBERING, TEACHERS
from training.describe.work import tasks_of

USUAL = (2.5, 63.0, 8.0, 200.0, 60.0, 280.0, 3.8, 6.5)
LOUD = (2.5, 70.0, 8.0, 200.0, 60.0, 280.0, 3.8, 6.5)
assert len(USUAL) == len(MEASURES)


def request(
    utterance: int, prosody: tuple[float, ...] | None, dialogue: str = "1", speaker: str = "Ann"
) -> Request:
    """An utterance without pictures."""
    key = UtteranceKey("meld", "train", dialogue, utterance)
    return Request(key, speaker, "Hm.", prosody=prosody)


def corpus(*prosody: tuple[float, ...] | None) -> Corpus:
    """A dialogue of one speaker."""
    utterances = tuple(
        DialogueUtterance("1", place, "Ann", "Hm.", "joy", None, None, prosody=one)
        for place, one in enumerate(prosody)
    )
    return Corpus("meld", ("joy",), {"train": (Dialogue("1", utterances),)})


def test_it_is_a_teacher() -> None:
    """Of voices, that remembers, with a version that only the rules change."""
    taught: Teacher = ProsodyTeacher()
    assert taught.name == "prosody"
    assert taught.prompt_version == ProsodyTeacher().prompt_version
    assert {"prosody"} == HEARING <= REMEMBERING <= set(TEACHERS)


def test_a_voice_is_compared_with_its_speaker_in_the_dialogue() -> None:
    """Other speakers and other dialogues do not count."""
    said = ProsodyTeacher().describe(
        [
            request(0, USUAL),
            request(1, LOUD, speaker="Ben"),
            request(2, USUAL),
            request(3, LOUD),
            request(0, LOUD, dialogue="2"),
        ]
    )
    voices = [one.voice if isinstance(one, Description) else "" for one in said]
    assert voices[3] == "Much louder than before."
    assert len({*voices[:3], voices[4]}) == 1


def test_an_utterance_without_measures_fails_for_good() -> None:
    """Asking again would change nothing."""
    assert ProsodyTeacher().describe([request(0, None)]) == [Failure(NOT_MEASURED, final=True)]


def test_a_copy_without_clips_is_described(tmp_path: Path) -> None:
    """From the measures to the file that stage 1 reads."""
    tasks = tasks_of(corpus(USUAL, USUAL, LOUD, None), ["train"], heard=True)
    with RecordFile(tmp_path / "out.jsonl") as file:
        summary = describe(
            tasks,
            ProsodyTeacher(),
            file,
            lambda clip: pytest.fail("no clip is to be read"),
            Effort(),
        )
    assert (summary.described, summary.failed) == (3, 1)
    found = read_descriptions(tmp_path / "out.jsonl")
    last = found[UtteranceKey("meld", "train", "1", 2)]
    assert last.text() == last.voice == "Much louder than before."


def test_other_measures_are_another_question() -> None:
    """So that a corrected file is described anew."""
    sights = [
        look(task, lambda clip: pytest.fail("no clip is to be read"))
        for task in tasks_of(corpus(USUAL, LOUD, USUAL), ["train"], heard=True)
    ]
    assert sights[0].frames_hash == sights[2].frames_hash != sights[1].frames_hash


def test_a_copy_without_measures_is_refused() -> None:
    """With where they belong."""
    with pytest.raises(UserError, match="no measured prosody of train"):
        tasks_of(corpus(None), ["train"], heard=True)


def test_a_voice_is_a_part_of_its_own() -> None:
    """Stage 1 may leave it out."""
    both = Description(facial_expression="Smiles.", voice="Spoken fast.")
    assert both.text() == "Smiles. Spoken fast."
    assert both.text(("voice",)) == "Spoken fast."
