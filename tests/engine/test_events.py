"""The event on the wire."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import checks
from engine.behaviour import Behaviour
from engine.behaviour import Moment as ShownMoment
from engine.events import (
    Emotion,
    EmotionEvent,
    Modalities,
    ModelInfo,
    Moment,
    Window,
    build_event,
)
from engine.model.outputs import Recognition
from stream.media import Utterance, VideoFrame

NOW = datetime(2026, 1, 31, 12, 0, 0, 250_000, UTC)
MODEL = ModelInfo("compact", "0123456789abcdef" * 4)
UTTERANCE = Utterance(
    "0198c1f2-0000-7000-8000-000000000000",
    "ross",
    1.0,
    3.0,
    frames=tuple(VideoFrame(1 + n, np.zeros((2, 2, 3), np.uint8)) for n in range(2)),
    audio=np.zeros(32_000, np.float32),
    text="I just feel like…",
    frames_dropped=1,
    degraded=("one frame lost",),
)
RECOGNITION = Recognition(
    {"joy": 0.1, "sadness": 0.9},
    contributions={"text": 0.3, "audio": -0.1},
    quality={"audio": 1.0},
    absent={"video": "no face"},
    latency_ms={"llm": 200.0},
    pictures=2,
)


def build(recognition: Recognition = RECOGNITION, **changes: Any) -> EmotionEvent:
    """Build an event of the example utterance."""
    settings: dict[str, Any] = {
        "session": "s",
        "dialogue": "d",
        "turn": 4,
        "node": "desk",
        "source": "talk.mp4",
        "model": MODEL,
        "include_text": True,
        "clock": lambda: NOW,
    }
    return build_event(UTTERANCE, recognition, **{**settings, **changes})


def test_document() -> None:
    """An event is a CloudEvents 1.0 document with all that the design lists."""
    document = build(latency_ms={"asr": 500}, consent="given").to_json()
    assert document == {
        "specversion": "1.0",
        "id": UTTERANCE.id,
        "source": "/desk/talk.mp4",
        "type": "bemerc.utterance.v1",
        "subject": "ross",
        "time": "2026-01-31T12:00:00.250000Z",
        "datacontenttype": "application/json",
        "data": {
            "session": "s",
            "dialogue": "d",
            "utterance": UTTERANCE.id,
            "turn": 4,
            "participant": "ross",
            "window": {
                "start": 1.0,
                "end": 3.0,
                "frames": 2,
                "frames_dropped": 1,
                "audio_ms": 2000,
            },
            "emotion": {
                "label": "sadness",
                "probabilities": {"joy": 0.1, "sadness": 0.9},
                "confidence": 0.9,
                "abstained": False,
            },
            "contributions": {"text": 0.3, "audio": -0.1},
            "modalities": {
                "used": ["text", "audio"],
                "quality": {"audio": 1.0},
                "absent": {"video": "no face"},
            },
            "behaviour": None,
            "moments": [],
            "text": "I just feel like…",
            "latency_ms": {"asr": 500.0, "llm": 200.0},
            "model": {
                "name": "compact",
                "sha256": "0123456789abcdef" * 4,
                "backend": "torch",
                "precision": "float32",
            },
            "degraded": ["one frame lost"],
            "consent": "given",
        },
    }


def test_text_is_kept_back() -> None:
    """Without permission the transcript is nowhere in the event."""
    event = build(include_text=False)
    assert event.text is None
    assert "feel" not in event.dumps()


def test_an_abstention_of_the_recogniser_is_told() -> None:
    """It stays with its label and its modalities, so a reader can tell it from having nothing."""
    event = build(replace(RECOGNITION, abstained=True))
    assert event.emotion.abstained
    assert event.emotion.label == "sadness"
    assert event.modalities.used == ("text", "audio")
    assert EmotionEvent.loads(event.dumps()).emotion.abstained


def test_nothing_to_go_by_is_abstained() -> None:
    """An event that rests on no modality says so."""
    absent = {"text": "no speech", "audio": "no audio", "video": "no face"}
    event = build(Recognition({"neutral": 1.0}, absent=absent))
    assert event.emotion.abstained
    assert event.modalities.used == ()


def test_behaviour_comes_with_its_moments() -> None:
    """The sentences and when they were seen, in media seconds; nothing seen is null."""
    moments = (
        ShownMoment("facial_expression", "eyes closed", 1.5, np.float64(2.5)),
        ShownMoment("body_language", "nods", 0.98, 3.02),
    )
    shown = Behaviour("Eyes closed.", "Nods at 0.0 s.", moments=moments)
    data = json.loads(build(replace(RECOGNITION, behaviour=shown)).dumps())["data"]
    assert data["behaviour"] == "Eyes closed. Nods at 0.0 s."
    assert data["moments"] == [
        {"start": 1.5, "end": 2.5, "what": "eyes closed"},
        {"start": 1.0, "end": 3.0, "what": "nods"},
    ]
    nothing = build(replace(RECOGNITION, behaviour=Behaviour()))
    assert (nothing.behaviour, nothing.moments) == (None, ())


def test_an_event_of_before_has_no_moments() -> None:
    """Version 1 got the key later: without it there are none."""
    document = build().to_json()
    del document["data"]["moments"]
    assert EmotionEvent.from_json(document).moments == ()


def test_numpy_numbers_become_json() -> None:
    """A recogniser may answer in NumPy's number types."""
    event = build(Recognition({"joy": np.float32(1)}, quality={"text": np.float32(0.5)}))
    assert json.loads(event.dumps())["data"]["modalities"]["quality"] == {"text": 0.5}


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1.5])
def test_build_refuses_what_is_no_probability(bad: float) -> None:
    """A broken model does not get its numbers onto the wire."""
    with pytest.raises(ValueError, match=r"data\.emotion\.probabilities\.joy"):
        build(Recognition({"joy": bad, "anger": 0.0}))


def test_clock_must_have_a_time_zone() -> None:
    """A naive time is refused instead of being taken for UTC."""
    with pytest.raises(ValueError, match=r"^time: must have a time zone"):
        build(clock=lambda: datetime(2026, 1, 31))


@pytest.mark.parametrize(
    ("given_name", "in_event", "on_wire"),
    [
        ("a/b #1+.mp4", "a/b #1+.mp4", "a%2Fb%20%231%2B.mp4"),
        ("Zoë", "Zoë", "Zo%C3%AB"),
        ("a\x00b\n", "ab", "ab"),
        ("\x1b\udc80", "unnamed", "unnamed"),
        ("x" * 300, "x" * 64, "x" * 64),
    ],
)
def test_names_are_made_to_fit(given_name: str, in_event: str, on_wire: str) -> None:
    """Whatever a file is called, its name makes a valid source and comes back."""
    event = build(source=given_name)
    assert event.source == in_event
    assert event.to_json()["source"] == f"/desk/{on_wire}"
    assert EmotionEvent.from_json(event.to_json()) == event


names = st.text(max_size=100).map(checks.name)
fractions = st.floats(0, 1)
shares = st.dictionaries(st.sampled_from(["text", "audio", "video"]), fractions)
anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@st.composite
def emotions(draw: st.DrawFn) -> Emotion:
    """Probabilities that sum to 1."""
    weights = draw(st.dictionaries(names, st.floats(1e-3, 1), min_size=1, max_size=9))
    total = sum(weights.values())
    probabilities = {label: weight / total for label, weight in weights.items()}
    label = max(probabilities, key=lambda name: probabilities[name])
    return Emotion(label, probabilities, probabilities[label], draw(st.booleans()))


@st.composite
def windows(draw: st.DrawFn) -> Window:
    """Windows that end after they start."""
    start = draw(st.floats(0, 1e6))
    counts = st.integers(0, 10_000)
    end = start + draw(st.floats(0, 1e3))
    return Window(start, end, draw(counts), draw(counts), draw(counts))


events = st.builds(
    EmotionEvent,
    id=names,
    node=names,
    source=names,
    time=st.datetimes(
        datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.timezones() | st.just(UTC)
    ),
    session=names,
    dialogue=names,
    utterance=names,
    turn=st.integers(0, 2**53 - 1),
    participant=names,
    window=windows(),
    emotion=emotions(),
    modalities=st.builds(
        Modalities,
        used=st.lists(st.sampled_from(["text", "audio", "video"]), unique=True).map(tuple),
        quality=shares,
        absent=st.dictionaries(st.sampled_from(["text", "audio", "video"]), names),
    ),
    model=st.builds(
        ModelInfo,
        name=names,
        sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
        backend=names,
        precision=names,
    ),
    contributions=st.dictionaries(names, st.floats(-1, 1)),
    behaviour=st.none() | anything,
    text=st.none() | anything,
    latency_ms=st.dictionaries(names, st.floats(0, 1e9)),
    degraded=st.lists(names, max_size=4).map(tuple),
    consent=st.sampled_from(["unknown", "given"]),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(events, st.lists(names, max_size=3))
def test_round_trip(event: EmotionEvent, seen: list[str]) -> None:
    """Every event survives the wire unchanged, as one line of ASCII."""
    moments = tuple(Moment(event.window.start, event.window.end, what) for what in seen)
    event = replace(event, moments=moments)
    line = event.dumps()
    assert line.isascii()
    assert "\n" not in line
    assert EmotionEvent.loads(line) == event


def test_unknown_keys_are_ignored() -> None:
    """A newer producer may add attributes and keys."""
    document = build().to_json()
    document["traceparent"] = "00-1"
    document["data"]["arousal"] = 0.3
    document["data"]["window"]["fps"] = 30
    assert EmotionEvent.from_json(document) == build()


def test_other_time_zones_are_read() -> None:
    """An RFC 3339 time with an offset is the same moment in UTC."""
    document = build().to_json()
    document["time"] = NOW.astimezone(timezone(timedelta(hours=2))).isoformat()
    assert EmotionEvent.from_json(document).time == NOW


def put(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    """Set the value at a dotted path."""

    def change(document: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for parent in parents:
            document = document[parent]
        document[last] = value

    return change


MALFORMED: list[tuple[str, object]] = [
    ("specversion", "0.3"),
    ("specversion", 1.0),
    ("type", "bemerc.utterance.v2"),
    ("datacontenttype", "text/xml"),
    ("id", ""),
    ("id", 7),
    ("source", "/desk"),
    ("source", "desk/talk"),
    ("source", "/desk/a/b"),
    ("time", "2026-01-31"),
    ("time", "2026-01-31T12:00:00"),
    ("time", "2026-13-31T12:00:00Z"),
    ("time", "0001-01-01T00:00:00+12:00"),
    ("time", 5),
    ("data", []),
    ("data.session", None),
    ("data.utterance", "\x1b[2J"),
    ("data.participant", "x" * 300),
    ("data.turn", -1),
    ("data.turn", True),
    ("data.turn", 1.5),
    ("data.turn", 2**60),
    ("data.window", None),
    ("data.window.start", "0"),
    ("data.window.end", 0.5),
    ("data.window.end", float("nan")),
    ("data.window.end", 10**400),
    ("data.window.frames", -1),
    ("data.emotion.label", "wistful"),
    ("data.emotion.label", ["joy"]),
    ("data.emotion.probabilities", {"joy": 0.2, "sadness": 0.1}),
    ("data.emotion.probabilities", {}),
    ("data.emotion.probabilities.joy", "0.1"),
    ("data.emotion.confidence", 1.01),
    ("data.emotion.abstained", 0),
    ("data.modalities.used", "text"),
    ("data.modalities.used", ["smell"]),
    ("data.modalities.quality.audio", -0.1),
    ("data.modalities.absent.video", 3),
    ("data.contributions.text", 1.5),
    ("data.latency_ms.llm", -1),
    ("data.latency_ms", {str(n): 1 for n in range(1000)}),
    ("data.model.sha256", "zz"),
    ("data.model.name", ""),
    ("data.degraded", {"a": 1}),
    ("data.degraded", [1]),
    ("data.consent", "withdrawn"),
    ("data.text", 5),
    ("data.text", "\ud800"),
    ("data.text", "x" * 20_001),
    ("data.behaviour", {}),
    ("data.moments", None),
    ("data.moments", "eyes closed"),
    ("data.moments", {"start": 1, "end": 2, "what": "nods"}),
    ("data.moments", [{"start": 1.5, "end": 2.5, "what": "nods"}] * 257),
    ("data.moments", [None]),
    ("data.moments", [{"start": 1.5, "end": 2.5}]),
    ("data.moments", [{"start": 1.5, "end": 2.5, "what": ""}]),
    ("data.moments", [{"start": 1.5, "end": 2.5, "what": "nods\x1b[2J"}]),
    ("data.moments", [{"start": 1.5, "end": 2.5, "what": "x" * 257}]),
    ("data.moments", [{"start": 2.5, "end": 1.5, "what": "nods"}]),
    ("data.moments", [{"start": 0.5, "end": 1.5, "what": "nods"}]),
    ("data.moments", [{"start": 2.5, "end": 3.5, "what": "nods"}]),
    ("data.moments", [{"start": True, "end": 2.5, "what": "nods"}]),
    ("data.moments", [{"start": 2.5, "end": 10**400, "what": "nods"}]),
]


@pytest.mark.parametrize(("path", "value"), MALFORMED, ids=lambda item: repr(item)[:40])
def test_malformed_fields_are_named(path: str, value: object) -> None:
    """A wrong value is refused with the path of its field."""
    document = copy.deepcopy(build().to_json())
    put(path, value)(document)
    with pytest.raises(ValueError, match=r"^" + path.replace(".", r"\.")):
        EmotionEvent.from_json(document)


@pytest.mark.parametrize(
    "path",
    ["specversion", "id", "source", "type", "time", "datacontenttype", "data"]
    + [f"data.{name}" for name in ("session", "turn", "participant", "window", "model")]
    + ["data.window.end", "data.emotion.confidence", "data.modalities.used"],
)
def test_missing_fields_are_named(path: str) -> None:
    """A missing field is refused with its path."""
    document = copy.deepcopy(build().to_json())
    *parents, last = path.split(".")
    inner = document
    for parent in parents:
        inner = inner[parent]
    del inner[last]
    with pytest.raises(ValueError, match=f"^{path}: is missing$"):
        EmotionEvent.from_json(document)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "NaN", '{"id": Infinity}', b"\xff\xfe\xfa", "[" * 100_000, "9" * 9999],
    ids=lambda text: repr(text[:8]),
)
def test_what_is_no_event(text: str | bytes) -> None:
    """Any other input is refused with a ValueError, never another exception."""
    with pytest.raises(ValueError, match=r"^event"):
        EmotionEvent.loads(text)


def test_partial_events_are_told_by_their_type() -> None:
    """News of an utterance has an id of its own, and is read back as news."""
    final, news = build(RECOGNITION), build(RECOGNITION, partial_id="news-1")
    assert final.to_json()["type"] == "bemerc.utterance.v1"
    assert news.to_json()["type"] == "bemerc.partial.v1"
    assert (news.id, news.utterance) == ("news-1", final.utterance)
    assert "partial" not in news.to_json()["data"]
    assert EmotionEvent.loads(news.dumps()) == news
