"""Tests of telling several people apart: their numbers, and the turns of an utterance.

A voice is the sign of its sound here, and speech is what is loud; the real networks are
asked in one test.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.behaviour import Behaviour
from engine.dialogue import Turn
from engine.giving_up import Check, go_on
from engine.model.outputs import Recognition
from engine.table import KEPT_FACES, UNSURE, Listener, Table, TableWorker
from engine.voices import SpeakerGuess, VoiceEmbedding
from engine.worker import Place, Recognized
from export.models import resolve
from stream.errors import UserError
from stream.media import SAMPLE_RATE, Samples, Utterance
from stream.vad import SileroVad

NOBODY = (None, False)
PLACE = Place("1/p", "talk")
SPEECH = Path(__file__).parents[1] / "assets" / "speech.wav"
Track = list[tuple[float, float]]


def voice(person: int, *, sure: bool = True) -> SpeakerGuess:
    """What a voice says."""
    return SpeakerGuess(person, sure, 0.8)


def test_who_is_heard_first_and_seen_later_keeps_the_number() -> None:
    """A clear mouth and a clear voice together say that it is the same person."""
    table = Table()
    heard = table.speaks(NOBODY, voice(1), ())
    seen = table.speaks((7, True), voice(1), {7})
    assert (heard.number, heard.face, heard.sure) == (1, None, True)
    assert (seen.number, seen.face, seen.sure) == (1, 7, True)
    again = table.speaks(NOBODY, voice(1), {7})
    assert (again.number, again.face) == (1, 7)


def test_a_clear_mouth_counts_before_a_clear_voice() -> None:
    """Two people of like voices are two, and one with two voices is one."""
    table = Table()
    numbers = [table.speaks((face, True), voice(1), {1, 2}).number for face in (1, 2, 1)]
    assert numbers == [1, 2, 1]
    assert table.speaks((2, True), voice(5), {1, 2}).number == 2
    assert table.speaks(NOBODY, voice(5), {1, 2}).number == 2


def test_a_mistaken_voice_is_outvoted() -> None:
    """A voice is whose it mostly was."""
    table = Table()
    for face in (1, 1, 2):
        table.speaks((face, True), voice(3), {1, 2})
    assert table.speaks(NOBODY, voice(3), {1, 2}).number == 1


def test_who_is_out_of_sight_has_no_face() -> None:
    """A clear voice of a face that is gone, and the same person under a new face."""
    table = Table()
    table.speaks((1, True), voice(1), {1})
    gone = table.speaks(NOBODY, voice(1), {2})
    back = table.speaks((3, True), voice(1), {2, 3})
    other = table.speaks((2, True), voice(1), {2, 3})
    assert (gone.number, gone.face, gone.sure) == (1, None, True)
    assert (back.number, other.number) == (1, 2)


def test_a_clear_voice_counts_before_a_mouth_that_is_not() -> None:
    """Nobody's face is taken for theirs because it moves a little."""
    table = Table()
    speakers = [table.speaks((7, False), voice(person), {7, 8}) for person in (1, 2, 1)]
    assert [(one.number, one.face, one.sure) for one in speakers] == [
        (1, None, True),
        (2, None, True),
        (1, None, True),
    ]


def test_unsure_is_a_guess_from_which_nothing_is_learned() -> None:
    """The mouth that moves most, else the voice, else who spoke last."""
    table = Table()
    table.speaks((1, True), voice(1), {1, 2})
    table.speaks((2, True), voice(2), {1, 2})
    guesses = [
        table.speaks((1, False), voice(2, sure=False), {1, 2}),
        table.speaks(NOBODY, voice(2, sure=False), {1, 2}),
        table.speaks(NOBODY, None, {1, 2}),
    ]
    assert [(one.number, one.face, one.sure) for one in guesses] == [
        (1, 1, False),
        (2, 2, False),
        (2, 2, False),
    ]
    assert table.speaks(NOBODY, voice(1), {1, 2}).number == 1


Step = tuple[int, bool, int | None, bool, int]
steps = st.lists(
    st.tuples(
        st.integers(0, 3),  # whose mouth moves, of those in sight; 0 for nobody's
        st.booleans(),
        st.none() | st.integers(1, 8),
        st.booleans(),
        st.integers(0, 4),  # who leaves; a face that is gone never comes back
    ),
    max_size=60,
)


@settings(deadline=None)
@given(steps)
def test_numbers_never_change_their_meaning(taken: list[Step]) -> None:
    """A clear face keeps its number, no two in sight share one, none is given twice."""
    table, ids = Table(), itertools.count(1)
    sight, meant = [next(ids) for _ in range(3)], dict[int, int]()
    highest = 0
    for mover, clear, heard, sure, leaver in taken:
        if 0 < leaver <= 3:
            sight[leaver - 1] = next(ids)
        face = sight[mover - 1] if mover else None
        guess = None if heard is None else voice(heard, sure=sure)
        speaker = table.speaks((face, clear and face is not None), guess, set(sight))
        assert 1 <= speaker.number <= highest + 1
        highest = max(highest, speaker.number)
        assert speaker.face is None or speaker.face in sight
        if face is not None and clear:
            assert (speaker.face, speaker.sure) == (face, True)
            assert meant.setdefault(face, speaker.number) == speaker.number
        here = [meant[one] for one in sight if one in meant]
        assert len(here) == len(set(here))
        assert len(table._faces) <= KEPT_FACES
        assert len(table._voices) <= 8


class Loud:
    """A voice detector: whether it is loud."""

    def reset(self) -> None:
        """There is nothing to forget."""

    def __call__(self, samples: Samples) -> float:
        """0 or 1."""
        return float(np.abs(samples).max() > 0.1)


def embed(samples: Samples) -> np.ndarray | None:
    """Of one voice what is above zero, of the other what is below."""
    shares = np.array([(samples > 0).sum(), (samples < 0).sum()], np.float32)
    length = float(np.linalg.norm(shares))
    return shares / length if length and len(samples) >= 6_400 else None


def sound(*spoken: tuple[float, int]) -> Samples:
    """Seconds, and whose voice it is: 1 or -1."""
    return np.concatenate(
        [np.full(round(s * SAMPLE_RATE), 0.5 * who, np.float32) for s, who in spoken]
    )


def test_an_utterance_is_heard_piece_by_piece_as_at_once() -> None:
    """Each change once, and each window of sound."""
    said = sound((3.2, 1), (4, -1), (4, 1))
    whole, pieces = (Listener(100.0, Loud(), embed) for _ in range(2))
    expected = whole.hear(said, over=True)
    found = [
        change
        for end in range(8_000, len(said) + 8_000, 8_000)
        for change in pieces.hear(said[:end], over=end >= len(said))
    ]
    assert found == pytest.approx(expected)
    assert found == pytest.approx([103.2, 107.2])
    assert pieces.speech == whole.speech
    assert len(whole.speech) == len(said) // 512
    assert whole.speech[0] == (100.016, 1.0)


def test_the_voice_of_a_part_is_that_of_the_part_alone() -> None:
    """Without windows that reach over its ends; a short part is heard by itself."""
    said = sound((4, 1), (4, -1))
    listener = Listener(0.0, Loud(), embed)
    listener.hear(said, over=True)
    for start, end, expected in ((0, 4, [1, 0]), (4, 8, [0, 1]), (3.9, 4.4, [0.24, 0.97])):
        part = Utterance("1", "p", start, end, audio=said[round(16_000 * start) :][:8_000])
        vector = listener.voice(part)
        assert vector is not None
        assert vector == pytest.approx(np.array(expected), abs=0.01)


class Joy:
    """A recogniser that says joy, notes what it is given, and fails on bad words."""

    def __init__(self) -> None:
        self.heard: list[tuple[Utterance, list[str], Any]] = []

    def recognize(
        self,
        utterance: Utterance,
        history: Sequence[Turn],
        perceived: Any = None,
        dialogue: str = "",
        words: Callable[[], str | None] | None = None,
        check: Check = go_on,
    ) -> Recognition:
        """Joy."""
        utterance = utterance.with_text(words() if words else utterance.text)
        if utterance.text == "mumble":
            raise RuntimeError("not understood")
        self.heard.append((utterance, [turn.speaker for turn in history], perceived))
        return Recognition({"joy": 1.0})

    def settle(self, history: Sequence[Turn], dialogue: str = "") -> list[Turn]:
        """There is room."""
        return list(history)

    def forget(self, dialogue: str) -> None:
        """Nothing is kept."""


class Eyes:
    """A perception of two faces; whose mouth moves is told by the time."""

    def __init__(self, moves: Sequence[tuple[float, float, int]] = ()) -> None:
        self.moves = moves
        self.described: list[tuple[str, int | None, bool]] = []

    def mouths(self, key: str, start: float, end: float) -> dict[int, Track]:
        """The two."""
        times = [time for time in np.arange(0, 60, 0.1).tolist() if start <= time < end]
        return {face: [(time, self._motion(face, time)) for time in times] for face in (1, 2)}

    def _motion(self, face: int, time: float) -> float:
        return 2.0 if any(s <= time < e and face == who for s, e, who in self.moves) else 0.1

    def around(self, key: str) -> set[int]:
        """Both stay."""
        return {1, 2}

    def perceived(self, key: str, utterance: Utterance, face: int | None) -> int | None:
        """Whose pictures they are."""
        return face

    def behaviour(
        self, key: str, utterance: Utterance, face: int | None, *, remember: bool
    ) -> Behaviour | None:
        """Note who is asked for."""
        self.described.append((utterance.participant, face, remember))
        return None

    def forget(self, key: str) -> None:
        """Nothing is kept."""


def worker(joy: Joy, eyes: Any = None, words: Any = None) -> TableWorker:
    """With ids that count up."""
    ids = itertools.count(100)
    return TableWorker(
        joy,
        words,
        perception=eyes or Eyes(),
        embed=embed,
        new_vad=Loud,
        new_id=lambda: str(next(ids)),
    )


def said(audio: Samples, seconds: float | None = None, **more: Any) -> Utterance:
    """An utterance from second 10 on, or its beginning."""
    audio = audio if seconds is None else audio[: round(seconds * SAMPLE_RATE)]
    return Utterance("1", "p", 10.0, 10.0 + len(audio) / SAMPLE_RATE, audio=audio, **more)


def summary(turns: Sequence[Recognized]) -> list[tuple[str, str, float, float, int, bool]]:
    """Of each turn: id, participant, from when to when, position, final."""
    said = [(turn.utterance, turn) for turn in turns]
    return [(u.id, u.participant, u.start, u.end, turn.turn, turn.final) for u, turn in said]


def test_an_utterance_of_two_is_a_turn_of_each() -> None:
    """In order, with the sound of each; the first keeps the id and the lost pictures."""
    joy = Joy()
    turns = list(worker(joy).turns(PLACE, said(sound((4, 1), (3, -1)), frames_dropped=3)))
    assert summary(turns) == [
        ("1", "p-1", 10.0, 14.0, 0, True),
        ("100", "p-2", 14.0, 17.0, 1, True),
    ]
    assert [len(t.utterance.audio) for t in turns] == [4 * SAMPLE_RATE, 3 * SAMPLE_RATE]
    assert [t.utterance.frames_dropped for t in turns] == [3, 0]
    assert [history for _, history, _ in joy.heard] == [[], ["p-1"]]
    assert [t.utterance.degraded for t in turns] == [(), ()]


def test_a_turn_has_the_pictures_of_its_speaker() -> None:
    """Of the face whose mouth moves; nobody's where none does and the voice is unknown."""
    joy, eyes = Joy(), Eyes([(10.0, 14.0, 2), (14.0, 18.0, 1)])
    table = worker(joy, eyes)
    list(table.turns(PLACE, said(sound((4, 1), (3, -1)))))
    assert [face for *_, face in joy.heard] == [2, 1]
    eyes.moves = ()
    later = replace(said(sound((3, 1))), id="2", start=30.0, end=33.0)
    (turn,) = table.turns(PLACE, later)
    assert (turn.utterance.participant, joy.heard[-1][2]) == ("p-1", 2)
    assert eyes.described == [("p-1", 2, True), ("p-2", 1, True), ("p-1", 2, True)]
    stranger = Joy()
    list(worker(stranger).turns(PLACE, said(sound((3, 1)))))
    assert [face for *_, face in stranger.heard] == [None]


def test_what_was_said_before_a_change_is_final_at_once() -> None:
    """The part that goes on is news; at the end only that is left."""
    joy = Joy()
    table, whole = worker(joy), sound((4, 1), (4, -1))
    news = [list(table.turns(PLACE, said(whole, s), final=False)) for s in (2, 4, 6, 8)]
    assert [summary(turns) for turns in news] == [
        [("1", "p-1", 10.0, 12.0, 0, False)],
        [("1", "p-1", 10.0, 14.0, 0, False)],
        [("1", "p-1", 10.0, 14.0, 0, True), ("100", "p-2", 14.0, 16.0, 1, False)],
        [("100", "p-2", 14.0, 18.0, 1, False)],
    ]
    (last,) = table.turns(PLACE, said(whole))
    assert summary([last]) == [("100", "p-2", 14.0, 18.0, 1, True)]
    assert len(joy.heard) == 4  # what was tried before is not recognised again


def test_of_what_may_go_on_nothing_is_learned() -> None:
    """However often it is tried, the people are those of what has ended."""
    table = worker(Joy())
    for seconds in (1.2, 2, 3):
        list(table.turns(PLACE, said(sound((3, -1)), seconds), final=False))
    seat = table._seats[PLACE.key]
    assert (len(seat.speakers), seat.table._people) == (0, 0)


def test_nobody_is_split_off_by_a_breath() -> None:
    """One voice is one turn; a part that would be very short stays where it is."""
    (turn,) = worker(Joy()).turns(PLACE, said(sound((9, 1))))
    assert summary([turn]) == [("1", "p-1", 10.0, 19.0, 0, True)]
    (turn,) = worker(Joy()).turns(PLACE, said(sound((4, 1), (0.5, -1))))
    assert turn.utterance.end == 14.5


def test_a_guess_says_that_it_is_one() -> None:
    """A word is too short for a voice, and no mouth moves."""
    table = worker(Joy())
    (turn,) = table.turns(PLACE, said(sound((0.8, 1)), degraded=("audio gap",)))
    assert turn.utterance.degraded == ("audio gap", UNSURE)
    (turn,) = table.turns(PLACE, replace(said(sound((0.2, 1))), id="2"))
    assert (turn.utterance.participant, turn.utterance.degraded) == ("p-1", (UNSURE,))


def test_a_turn_that_fails_ends_itself_alone() -> None:
    """The next one of the same utterance is recognised, after it."""
    joy = Joy()
    table = worker(joy, words=lambda one, _: "mumble" if one.start < 12 else "pardon?")
    turns = table.turns(PLACE, said(sound((4, 1), (3, -1))))
    recognized = next(turns)
    assert (recognized.utterance.text, recognized.turn) == ("pardon?", 1)
    with pytest.raises(RuntimeError, match="not understood"):
        next(turns)
    assert joy.heard[-1][1] == ["p-1"]


def test_who_leaves_takes_the_people_along() -> None:
    """The next table begins with person 1."""
    table = worker(Joy())
    list(table.turns(PLACE, said(sound((4, 1), (3, -1)))))
    table.leave(PLACE)
    (turn,) = table.turns(PLACE, said(sound((3, -1))))
    assert summary([turn])[0][1] == "p-1"


def test_real_voices_are_told_apart() -> None:
    """A reader, and the same sentence higher without a pause between them."""
    try:
        voices, vad = VoiceEmbedding(resolve("speaker-embedding", offline=True)), "silero-vad"
        detector = SileroVad(resolve(vad, offline=True))
    except UserError as error:
        pytest.skip(str(error))
    read, _ = soundfile.read(SPEECH, dtype="float32")
    first, second = read[9_600:67_200], read[86_400:134_400]
    places = np.arange(0, len(second) - 1, 1.35)
    higher = np.interp(places, np.arange(len(second)), second).astype(np.float32)
    eyes: Any = Eyes()
    table = TableWorker(Joy(), perception=eyes, embed=voices, new_vad=lambda: detector)
    one, other = table.turns(PLACE, said(np.concatenate([first, higher])))
    assert other.utterance.start == one.utterance.end == pytest.approx(13.6, abs=0.5)
    assert (one.utterance.participant, other.utterance.participant) == ("p-1", "p-2")
    (again,) = table.turns(PLACE, replace(said(second), id="2"))
    assert again.utterance.participant == "p-1"
