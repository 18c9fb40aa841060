"""The event of one utterance, and its form on the wire.

The envelope is a CloudEvents 1.0 structured JSON document
(https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md);
`data` says what was expressed, how sure the model is, and from what. An `EmotionEvent`
cannot be built with a wrong value, so `from_json` and `build_event` share their checks.
Every refusal is a `ValueError` that names the field by its path in the document.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from urllib.parse import quote, unquote

from engine import checks
from engine.event_parts import MODALITIES, Emotion, Modalities, ModelInfo, Moment, Window
from engine.model.outputs import Recognition
from stream.media import SAMPLE_RATE, Utterance

if TYPE_CHECKING:
    from engine.behaviour import Behaviour

__all__ = [
    "Emotion",
    "EmotionEvent",
    "Modalities",
    "ModelInfo",
    "Moment",
    "Window",
    "build_event",
]

SPEC_VERSION = "1.0"
EVENT_TYPE = "bemerc.utterance.v1"
"""Of an utterance that has ended."""
PARTIAL_TYPE = "bemerc.partial.v1"
"""Of one that goes on: its last event, with the same `data.utterance`, supersedes it."""
CONTENT_TYPE = "application/json"
CONSENTS = ("unknown", "given")
"""`given`: the participant agreed to be analysed; `unknown`: nothing was recorded about it."""
TEXT_LIMIT = 20_000
"""Characters of a transcript that an event carries at most."""

T = TypeVar("T")


@dataclass(frozen=True)
class EmotionEvent:
    """What one participant expressed in one utterance."""

    id: str
    """A time-ordered UUID, kept across redelivery; of a final event that of the utterance."""
    node: str
    """Name of the machine or installation."""
    source: str
    """Name of the camera, file or stream on that node."""
    time: datetime
    """When the event was made, UTC."""
    session: str
    """Id of the run."""
    dialogue: str
    """Id of the conversation."""
    utterance: str
    """Id of the utterance."""
    turn: int
    """Position of the utterance in the dialogue, from 0."""
    participant: str
    """Pseudonymous id of who spoke."""
    window: Window
    emotion: Emotion
    modalities: Modalities
    model: ModelInfo
    contributions: Mapping[str, float] = field(default_factory=dict)
    """Per used modality: change of the winner's probability it brings, -1 to 1."""
    behaviour: str | None = None
    """Observed behaviour in words."""
    moments: tuple[Moment, ...] = ()
    """What `behaviour` is drawn from."""
    text: str | None = None
    """What was said; None where it is unknown or must not leave the engine."""
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds per stage."""
    degraded: tuple[str, ...] = ()
    """Why the input was worse than it could be."""
    consent: str = "unknown"
    """One of `CONSENTS`."""
    partial: bool = False
    """Whether the utterance goes on, so that another event supersedes this one."""

    def __post_init__(self) -> None:
        for name in ("node", "source"):
            checks.string(name, getattr(self, name))
        for name in ("session", "dialogue", "utterance", "participant"):
            checks.string(f"data.{name}", getattr(self, name))
        checks.string("id", self.id)
        checks.boolean("type", self.partial)
        object.__setattr__(self, "time", checks.utc("time", self.time))
        checks.integer("data.turn", self.turn)
        checks.numbers("data.contributions", self.contributions, low=-1, high=1)
        checks.numbers("data.latency_ms", self.latency_ms, low=0)
        object.__setattr__(self, "degraded", checks.strings("data.degraded", self.degraded))
        object.__setattr__(self, "moments", checks.entries("data.moments", self.moments))
        for position, moment in enumerate(self.moments):
            path, low, high = f"data.moments[{position}]", self.window.start, self.window.end
            checks.number(f"{path}.start", moment.start, low=low, high=high)
            checks.number(f"{path}.end", moment.end, low=low, high=high)
        checks.choice("data.consent", self.consent, CONSENTS)
        for name in ("behaviour", "text"):
            if getattr(self, name) is not None:
                checks.prose(f"data.{name}", getattr(self, name), limit=TEXT_LIMIT)

    def to_json(self) -> dict[str, Any]:
        """The CloudEvents document, of JSON types only."""
        data = asdict(self)
        event_id, node, source, partial = (
            data.pop(name) for name in ("id", "node", "source", "partial")
        )
        time: datetime = data.pop("time")
        data["degraded"] = list(self.degraded)
        data["moments"] = list(data["moments"])
        data["modalities"]["used"] = list(self.modalities.used)
        return {
            "specversion": SPEC_VERSION,
            "id": event_id,
            "source": f"/{quote(node, safe='')}/{quote(source, safe='')}",
            "type": PARTIAL_TYPE if partial else EVENT_TYPE,
            "subject": self.participant,
            "time": time.isoformat().replace("+00:00", "Z"),
            "datacontenttype": CONTENT_TYPE,
            "data": data,
        }

    def dumps(self) -> str:
        """One line of JSON, ASCII only."""
        return json.dumps(self.to_json(), allow_nan=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, document: object) -> EmotionEvent:
        """Read a CloudEvents document; unknown attributes and keys are ignored.

        Raises:
            ValueError: If an attribute is missing or has a wrong type or value; names it.
        """
        envelope = checks.mapping("event", document)
        for name, legal in (
            ("specversion", (SPEC_VERSION,)),
            ("type", (EVENT_TYPE, PARTIAL_TYPE)),
            ("datacontenttype", (CONTENT_TYPE,)),
        ):
            checks.choice(name, checks.member(envelope, name), legal)
        node, source = _split_source(checks.member(envelope, "source"))
        values = dict(checks.mapping("data", checks.member(envelope, "data")))
        for name, part in _PARTS.items():
            values[name] = _read(part, f"data.{name}", checks.member(values, name, "data."))
        values["moments"] = tuple(
            _read(Moment, "data.moments[]", entry)
            for entry in checks.entries("data.moments", values.get("moments", ()))
        )
        values |= {"id": checks.member(envelope, "id"), "node": node, "source": source}
        values["partial"] = envelope["type"] == PARTIAL_TYPE
        values["time"] = checks.rfc3339("time", checks.member(envelope, "time"))
        return _read(cls, "data", values)

    @classmethod
    def loads(cls, document: str | bytes | bytearray) -> EmotionEvent:
        """Read one JSON text.

        Raises:
            ValueError: If it is no JSON (NaN and Infinity are not) or no event.
        """
        try:
            parsed = json.loads(document, parse_constant=_refuse_constant)
        except ValueError as error:
            raise ValueError(f"event: is no JSON: {error}") from None
        except RecursionError:
            raise ValueError("event: is nested too deeply") from None
        return cls.from_json(parsed)


_PARTS: Mapping[str, type[Any]] = {
    "window": Window,
    "emotion": Emotion,
    "modalities": Modalities,
    "model": ModelInfo,
}


def build_event(
    utterance: Utterance,
    recognition: Recognition,
    *,
    session: str,
    dialogue: str,
    turn: int,
    node: str,
    source: str,
    model: ModelInfo,
    include_text: bool,
    latency_ms: Mapping[str, float] | None = None,
    consent: str = "unknown",
    partial_id: str | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> EmotionEvent:
    """Join what was recognised with where it comes from.

    Args:
        utterance: What the model was given.
        recognition: What it says.
        session: Id of the run.
        dialogue: Id of the conversation.
        turn: Position in the dialogue, from 0.
        node: Name of the machine; made safe with `checks.name`.
        source: Name of the source; made safe with `checks.name`.
        model: Which model spoke.
        include_text: Whether the transcript may leave the engine.
        latency_ms: Milliseconds of stages outside the recogniser (`asr`, `queue`, ...).
        consent: One of `CONSENTS`.
        partial_id: Id of a partial event; None where the utterance has ended.
        clock: Gives the time of the event, with a time zone.

    Raises:
        ValueError: If a number is out of range or not finite; names the field.
    """
    reported = {*recognition.quality, *recognition.contributions} - {*recognition.absent}
    used = tuple(name for name in MODALITIES if name in reported)
    text = utterance.text[:TEXT_LIMIT] if include_text and utterance.text is not None else None
    seen = recognition.behaviour
    return EmotionEvent(
        id=partial_id or utterance.id,
        node=checks.name(node),
        source=checks.name(source),
        time=clock(),
        session=session,
        dialogue=dialogue,
        utterance=utterance.id,
        turn=turn,
        participant=checks.name(utterance.participant),
        window=_window(utterance, recognition),
        emotion=Emotion(
            label=recognition.label,
            probabilities=_floats(recognition.probabilities),
            confidence=float(recognition.confidence),
            abstained=recognition.abstained or not used,
        ),
        modalities=Modalities(used, _floats(recognition.quality), dict(recognition.absent)),
        model=model,
        contributions=_floats(recognition.contributions),
        behaviour=seen.text or None if seen is not None else None,
        moments=_moments(seen, utterance),
        text=text,
        latency_ms=_floats({**(latency_ms or {}), **recognition.latency_ms}),
        degraded=utterance.degraded,
        consent=consent,
        partial=partial_id is not None,
    )


def _window(utterance: Utterance, recognition: Recognition) -> Window:
    return Window(
        start=utterance.start,
        end=utterance.end,
        frames=recognition.pictures,
        frames_dropped=utterance.frames_dropped,
        audio_ms=round(len(utterance.audio) * 1000 / SAMPLE_RATE),
    )


def _moments(seen: Behaviour | None, utterance: Utterance) -> tuple[Moment, ...]:
    """Within the window, also where a picture was shown a little before or after it."""

    def within(time: float) -> float:
        return min(max(float(time), utterance.start), utterance.end)

    found = () if seen is None else seen.moments
    return tuple(Moment(within(one.start), within(one.end), one.words) for one in found)


def _floats(values: Mapping[str, float]) -> dict[str, float]:
    """Plain floats: a NumPy number is no JSON."""
    return {name: float(value) for name, value in values.items()}


def _read(kind: type[T], path: str, value: object) -> T:
    """Build the dataclass `kind` from a JSON object; its constructor checks the values."""
    values = checks.mapping(path, value)
    known: dict[str, Any] = {}
    for item in fields(kind):  # type: ignore[arg-type]  # only ever given a dataclass
        required = item.default is MISSING and item.default_factory is MISSING
        if required or item.name in values:
            known[item.name] = checks.member(values, item.name, f"{path}.")
    return kind(**known)


def _split_source(value: object) -> tuple[str, str]:
    levels = checks.prose("source", value, limit=2_000).split("/")
    if len(levels) != 3 or levels[0] or not levels[1] or not levels[2]:
        raise ValueError("source: must be /node/source")
    return unquote(levels[1]), unquote(levels[2])


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")
