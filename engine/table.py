"""Several people at one camera and one microphone: who of them says what.

While an utterance goes on it is listened to (`Listener`): where the voice changes it is taken
apart, and what was said before is a turn of its own at once. Whose turn it is tells the mouth
that moves with the speech, or else the voice; `Table` numbers faces and voices together.
"""

from __future__ import annotations

import copy
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.faces import choose_speaker
from engine.giving_up import Check, go_on
from engine.transcripts import Transcribe
from engine.voices import HOP_SECONDS, WINDOW_SECONDS, SpeakerGuess, Speakers, VoiceChange
from engine.worker import Place, Recognized, Recognizer, Worker
from stream.ids import uuid7_factory
from stream.media import SAMPLE_RATE, Samples, Utterance
from stream.vad import WINDOW_SAMPLES

if TYPE_CHECKING:
    from engine.perception import Perception

SHORTEST_PART = 0.6
"""Seconds; no shorter part is split off."""
KEPT_FACES = 16
"""Faces whose numbers are known: more than are in sight, and no face comes back after a while."""
UNSURE = "speaker unsure"
"""Why a turn with a guessed speaker is worse than it could be."""

_WINDOW, _HOP = (round(seconds * SAMPLE_RATE) for seconds in (WINDOW_SECONDS, HOP_SECONDS))
_EPSILON = 1e-6  # seconds; far below a sample

Floats = NDArray[np.float32]
Embed = Callable[[Samples], Floats | None]
"""The vector of a voice: `engine.voices.VoiceEmbedding`."""


class Vad(Protocol):
    """The part of `stream.vad.SileroVad` that is needed."""

    def reset(self) -> None:
        """Forget everything heard so far."""
        ...

    def __call__(self, samples: Samples) -> float:
        """Probability of speech in the next 512 samples."""
        ...


@dataclass(frozen=True)
class Speaker:
    """Who says a part of an utterance."""

    number: int
    """From 1, in the order in which people were first noticed; never somebody else's."""
    face: int | None
    """The face to look at (`engine.faces.TrackedFace.person`); None where none is known."""
    sure: bool
    """Whether mouth or voice is clear."""


class Table:
    """The people at one camera and microphone, by face and by voice.

    A face gets a number when its mouth is clear, and has it as long as it is followed. A voice has
    the number that it was mostly heard with where the mouth was clear, before that one of its own.
    """

    def __init__(self) -> None:
        self._people = 0
        self._faces: OrderedDict[int, int] = OrderedDict()
        self._voices: dict[int, tuple[int, int]] = {}  # number, and the votes for it
        self._last = 0

    def speaks(
        self,
        mouth: tuple[int | None, bool],
        voice: SpeakerGuess | None,
        around: Collection[int],
    ) -> Speaker:
        """Say who speaks, and learn which face has which voice.

        Args:
            mouth: Whose moves, and whether that is sure (`engine.faces.choose_speaker`).
            voice: Whose it sounds like; None where too little was heard.
            around: Faces in sight now, or lately enough to come back.
        """
        for face in around:
            if face in self._faces:
                self._faces.move_to_end(face)
        speaker = self._choose(mouth, voice, around)
        while len(self._faces) > KEPT_FACES:
            self._faces.popitem(last=False)
        self._last = speaker.number
        return speaker

    def _choose(
        self,
        mouth: tuple[int | None, bool],
        voice: SpeakerGuess | None,
        around: Collection[int],
    ) -> Speaker:
        face, clear = mouth
        if face is not None and clear:
            number = self._faces.get(face) or self._appeared(face, voice, around)
            if voice is not None:
                self._vote(voice.person, number)
            return Speaker(number, face, True)
        if face is not None and face in self._faces and not (voice and voice.sure):
            return Speaker(self._faces[face], face, False)
        if voice is None:
            number = self._last or self._new()
        elif voice.person in self._voices:
            number = self._voices[voice.person][0]
        else:
            number = self._new()
            self._voices[voice.person] = number, int(voice.sure)
        return Speaker(number, self._face_of(number, around), voice is not None and voice.sure)

    def _appeared(self, face: int, voice: SpeakerGuess | None, around: Collection[int]) -> int:
        """The number of a face that has none: of who was only heard so far, or was gone."""
        known = self._voices.get(voice.person, (0, 0))[0] if voice and voice.sure else 0
        if not known or self._face_of(known, around) is not None:
            known = self._new()
        self._faces[face] = known
        return known

    def _face_of(self, number: int, around: Collection[int]) -> int | None:
        return next((face for face in around if self._faces.get(face) == number), None)

    def _vote(self, voice: int, number: int) -> None:
        """The majority has the voice (Boyer and Moore): a mistake or two change nothing."""
        own, votes = self._voices.get(voice, (number, 0))
        if own == number:
            self._voices[voice] = own, votes + 1
        else:
            self._voices[voice] = (own, votes - 1) if votes else (number, 1)

    def _new(self) -> int:
        self._people += 1
        return self._people


class Listener:
    """Hears one utterance while it goes on.

    Args:
        start: Of the utterance, media seconds.
        vad: Nobody else's as long as this one is heard.
        embed: Gives the vector of a voice.
    """

    def __init__(self, start: float, vad: Vad, embed: Embed) -> None:
        self._start, self._vad, self._embed = start, vad, embed
        vad.reset()
        self._change = VoiceChange()
        self._windows = 0  # of the voice, heard so far
        self._voices: list[tuple[float, Floats]] = []
        self.speech: list[tuple[float, float]] = []
        """Middle of each window of 32 ms, media seconds, and the probability of speech in it."""

    def hear(self, sound: Samples, *, over: bool) -> list[float]:
        """Hear what is new.

        Args:
            sound: Of the utterance so far, shape (N,), 16 kHz.
            over: Whether that is all.

        Returns:
            When somebody else began to speak, media seconds; each change once, in order.
        """
        heard = WINDOW_SAMPLES * len(self.speech)
        for first in range(heard, len(sound) - WINDOW_SAMPLES + 1, WINDOW_SAMPLES):
            probability = self._vad(sound[first : first + WINDOW_SAMPLES])
            self.speech.append((self._at(first + WINDOW_SAMPLES / 2), probability))
        changes: list[float | None] = []
        while (first := _HOP * self._windows) + _WINDOW <= len(sound):
            self._windows += 1
            vector = self._embed(sound[first : first + _WINDOW])
            if vector is not None:
                self._voices.append((self._at(first), vector))
                changes.append(self._change.heard(self._at(first), vector))
        if over:
            changes.append(self._change.flush())
        return [change for change in changes if change is not None]

    def voice(self, part: Utterance) -> Floats | None:
        """The vector of who says a part of the utterance, of length 1; None of too little sound."""
        inside = [
            vector
            for start, vector in self._voices
            if part.start <= start and start + WINDOW_SECONDS <= part.end + _EPSILON
        ]
        if not inside:
            return self._embed(part.audio)
        total = np.sum(inside, 0)
        return np.asarray(total / max(1e-9, float(np.linalg.norm(total))), np.float32)

    def _at(self, sample: float) -> float:
        return self._start + sample / SAMPLE_RATE


@dataclass
class _Open:
    """An utterance that goes on, and how far it is taken apart."""

    id: str
    listener: Listener
    part_id: str
    part_start: float
    frames_dropped: int = 0
    """Told with the parts so far."""


@dataclass
class _Seat:
    """Of one table."""

    vad: Vad
    speakers: Speakers = field(default_factory=Speakers)
    table: Table = field(default_factory=Table)
    open: _Open | None = None


class TableWorker(Worker):
    """A worker for whom every participant is several people, told apart as NAME-1, NAME-2, ...

    Args:
        recognizer: See `Worker`.
        transcribe: See `Worker`.
        perception: Looks at all faces of a camera.
        embed: Gives the vector of a voice.
        new_vad: Makes a voice detector for a table.
        new_id: Gives a new id per part that is split off; time-ordered UUIDs if left out.
        clock: Seconds, for latencies.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        transcribe: Transcribe | None = None,
        *,
        perception: Perception,
        embed: Embed,
        new_vad: Callable[[], Vad],
        new_id: Callable[[], str] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__(recognizer, transcribe, perception=perception, clock=clock)
        self._faces = perception
        self._embed, self._new_vad = embed, new_vad
        self._new_id = new_id or uuid7_factory()
        self._seats: dict[str, _Seat] = {}

    def turns(
        self, place: Place, utterance: Utterance, *, final: bool = True, check: Check = go_on
    ) -> Iterator[Recognized]:
        """A turn for everybody who speaks in an utterance, in order.

        What was said before a change of speaker is final, though the utterance goes on. A turn
        that cannot be recognised ends itself alone. A short sound without a word is no turn.
        """
        if self.is_too_short(utterance):
            return
        if place.key not in self._seats:
            self._seats[place.key] = _Seat(self._new_vad())
        seat, failure = self._seats[place.key], None
        for part, over in self._parts(seat, utterance, final):
            try:
                recognized = self._turn(place, seat, part, final=over, check=check)
            except Exception as error:
                failure = failure or error
            else:
                yield recognized
        if failure is not None:
            raise failure

    def leave(self, place: Place) -> None:
        """Forget the people of a table."""
        self._seats.pop(place.key, None)
        super().leave(place)

    def _parts(
        self, seat: _Seat, utterance: Utterance, final: bool
    ) -> Iterator[tuple[Utterance, bool]]:
        """Those that are over, then the one that goes on."""
        if seat.open is None or seat.open.id != utterance.id:
            listener = Listener(utterance.start, seat.vad, self._embed)
            seat.open = _Open(utterance.id, listener, utterance.id, utterance.start)
        known = seat.open
        for change in known.listener.hear(utterance.audio, over=final):
            if min(change - known.part_start, utterance.end - change) >= SHORTEST_PART:
                yield _part(known, utterance, change), True
                known.part_id, known.part_start = self._new_id(), change
                known.frames_dropped = utterance.frames_dropped
        if known.part_start < utterance.end:
            yield _part(known, utterance, utterance.end), final

    def _turn(
        self, place: Place, seat: _Seat, part: Utterance, *, final: bool, check: Check
    ) -> Recognized:
        assert seat.open is not None
        speaker = self._speaker(place.key, seat, seat.open.listener, part, learn=final)
        degraded = part.degraded if speaker.sure else (*part.degraded, UNSURE)
        name = f"{part.participant}-{speaker.number}"
        part = replace(part, participant=name, degraded=degraded)
        return self.recognize(replace(place, face=speaker.face), part, final=final, check=check)

    def _speaker(
        self, key: str, seat: _Seat, listener: Listener, part: Utterance, *, learn: bool
    ) -> Speaker:
        """Who says a part; of one that goes on nothing is learned."""
        speakers, table = seat.speakers, seat.table
        if not learn:
            speakers, table = copy.deepcopy((speakers, table))
        mouths = self._faces.mouths(key, part.start, part.end)
        mouth = choose_speaker(mouths, listener.speech, part.start, part.end)
        vector = listener.voice(part)
        voice = None if vector is None else speakers.heard(part.start, part.end, vector)
        return table.speaks(mouth, voice, {*mouths, *self._faces.around(key)})


def _part(known: _Open, utterance: Utterance, end: float) -> Utterance:
    """An utterance from where its open part begins."""
    first, last = (round((at - utterance.start) * SAMPLE_RATE) for at in (known.part_start, end))
    return replace(
        utterance,
        id=known.part_id,
        start=known.part_start,
        end=end,
        audio=utterance.audio[first:last],
        frames_dropped=utterance.frames_dropped - known.frames_dropped,
    )
