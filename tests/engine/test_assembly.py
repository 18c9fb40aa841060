"""Putting a run together: caption words, bundle checks, sinks and events."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine import assembly, cli
from engine.events import EmotionEvent, ModelInfo
from engine.model.outputs import Recognition
from engine.table import TableWorker
from engine.worker import Recognized, Worker
from export.bundle import write_manifest
from export.models import resolve as find_model
from stream.errors import UserError
from stream.media import Utterance

MODEL = ModelInfo("tiny", "0" * 64)
SPEC = {"name": "tiny", "version": 1, "labels": ["joy", "fear"], "llm": {"base": "base"}}


def options(*arguments: str) -> cli.Options:
    """Options of a run on a file."""
    return cli.parse(["--file", "talk.mp4", *arguments], "1")


def event() -> EmotionEvent:
    """An event with words."""
    utterance = Utterance("id", "p", 1.0, 2.0).with_text("secret words")
    recognition = Recognition({"joy": 1.0})
    return assembly.event_builder("node", "talk", MODEL)(Recognized(utterance, recognition, 3, {}))


def test_words_come_from_the_captions_asked_for(tmp_path: Path) -> None:
    """Recognised speech, the file beside the media, or a named file."""
    (tmp_path / "talk.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nhello\n")
    media, named = str(tmp_path / "talk.mp4"), str(tmp_path / "talk.vtt")
    assert assembly.caption_words(options()) is None
    for line in (
        ["--file", media, "--transcript", "beside"],
        ["--file", media, "--transcript", named],
    ):
        words = assembly.caption_words(cli.parse(line, "1"))
        assert words is not None
        assert words(Utterance("id", "p", 1.0, 2.0), lambda: None) == "hello"
        assert words(Utterance("id", "p", 5.0, 6.0), lambda: None) is None


def test_a_sealed_bundle_is_identified(tmp_path: Path) -> None:
    """Its name and hash go into every event, its spec says what to load."""
    (tmp_path / "spec.json").write_text(json.dumps(SPEC))
    manifest = write_manifest(tmp_path)
    model, spec = assembly.check_bundle(tmp_path)
    assert model == ModelInfo("tiny", manifest.sha256)
    assert (spec["labels"], spec["llm"]["base"]) == (["joy", "fear"], "base")


def test_a_changed_bundle_is_refused(tmp_path: Path) -> None:
    """One changed byte is enough."""
    (tmp_path / "spec.json").write_text(json.dumps(SPEC))
    write_manifest(tmp_path)
    (tmp_path / "spec.json").write_text(json.dumps(SPEC).replace("joy", "Joy"))
    with pytest.raises(UserError, match=r"spec\.json differs"):
        assembly.check_bundle(tmp_path)


def test_a_bundle_of_another_version_is_refused(tmp_path: Path) -> None:
    """A sealed spec that says something else is told apart from damage."""
    (tmp_path / "spec.json").write_text('{"name": "tiny", "version": 1}')
    write_manifest(tmp_path)
    with pytest.raises(UserError, match="does not fit this version"):
        assembly.check_bundle(tmp_path)


def test_behaviour_without_its_weights_is_none(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once, and the run goes on; with --no-behaviour nobody looks for them."""

    class Film:
        """Pictures without sound."""

        participant, has_audio, has_video = "p", False, True

    asked: list[str] = []

    def resolve(name: str) -> Path:
        asked.append(name)
        if name == "blazeface":
            return find_model(name)
        raise UserError(f"{name} is not ready")

    monkeypatch.setattr(assembly, "_load_recognizer", lambda *_: Encoder("face"))
    source: Any = Film()
    for flags in ((), ("--no-behaviour",)):
        given = options(*flags)
        wanted = assembly.wanted(given, source, None)
        assert isinstance(assembly.load_worker(given, resolve, "base", wanted), Worker)
    assert [name for name in asked if name != "blazeface"] == ["face-landmarks"] * 3
    unchecked = "what the detector finds is not checked to be a face: face-landmarks is not ready"
    silent = "behaviour is not described: face-landmarks is not ready"
    assert sorted(caplog.messages) == [silent, unchecked, unchecked]


class Encoder:
    """Looks at faces or at whole frames; nothing to warm up."""

    def __init__(self, looks_at: str) -> None:
        self.spec = SimpleNamespace(video=SimpleNamespace(source=looks_at))

    def warm_up(self) -> None:
        """Nothing."""


@pytest.mark.parametrize(
    ("looks_at", "flags", "followed"),
    [
        ("face", ["--no-behaviour"], True),
        ("frame", [], True),
        ("frame", ["--no-behaviour"], False),
    ],
)
def test_faces_are_followed_where_anything_looks_at_them(
    monkeypatch: pytest.MonkeyPatch, looks_at: str, flags: list[str], followed: bool
) -> None:
    """Behaviour needs them although the model looks at whole frames."""
    made: list[object] = []
    monkeypatch.setattr(assembly, "_load_recognizer", lambda *_: Encoder(looks_at))
    monkeypatch.setattr(
        "engine.perception.Perception", lambda _, follow, *rest, **__: made.append(follow)
    )
    given = options("--no-audio", "--no-text", *flags)
    source: Any = SimpleNamespace(participant="p", has_audio=False, has_video=True)
    assembly.load_models(given, find_model, "base", assembly.wanted(given, source, None))
    assert [follow is not None for follow in made] == [followed]


class Film:
    """An open source."""

    name, participant, has_video = "talk", "p", False

    def __init__(self, *, has_audio: bool) -> None:
        self.has_audio = has_audio


def test_several_people_are_persons_with_numbers() -> None:
    """Or have the name that was given, with numbers; without --people there are none."""
    names = [
        assembly.choose_source(options(*line.split())).participant
        for line in ("", "--people", "--people --participant anna")
    ]
    assert names == ["speaker-1", "person", "anna"]


def test_people_who_are_not_heard_cannot_be_told_apart() -> None:
    """A film without sound is refused; one with sound has it said what is wanted."""
    heard: Any = Film(has_audio=True)
    silent: Any = Film(has_audio=False)
    assert assembly.wanted(options("--people"), heard, None).people
    assert not assembly.wanted(options(), silent, None).people
    with pytest.raises(UserError, match="talk has no sound"):
        assembly.wanted(options("--people"), silent, None)


def test_nothing_more_is_loaded_for_one_participant(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network that tells voices apart is asked for with --people alone."""
    asked: list[str] = []

    def resolve(name: str) -> Path:
        asked.append(name)
        return find_model(name)

    monkeypatch.setattr(assembly, "_load_recognizer", lambda *_: Encoder("face"))
    film: Any = Film(has_audio=True)
    kinds = []
    for flags in ((), ("--people",)):
        given = options("--no-text", *flags)
        worker = assembly.load_worker(given, resolve, "base", assembly.wanted(given, film, None))
        kinds.append(type(worker))
    assert kinds == [Worker, TableWorker]
    assert asked == [*(["blazeface", "face-landmarks"] * 2), "speaker-embedding"]


@pytest.mark.parametrize(("flags", "text"), [((), None), (("--include-text",), "secret words")])
async def test_words_leave_only_when_allowed(
    tmp_path: Path, flags: tuple[str, ...], text: str | None
) -> None:
    """A file of events has no words in it unless --include-text was given."""
    path = tmp_path / "events.jsonl"
    async with contextlib.AsyncExitStack() as stack:
        (sink,) = await assembly.open_sinks(
            stack,
            options("--mqtt", "off", "--jsonl", str(path), *flags),
            source_name="talk",
            model=MODEL,
            labels=["joy"],
            version="1",
            say=lambda _: None,
        )
        assert sink.name == "jsonl"
        await sink.publish(event())
    assert json.loads(path.read_text())["data"]["text"] == text


async def test_an_embedded_broker_is_announced_on_loopback() -> None:
    """Without --mqtt its address is printed, and events go there."""
    said: list[str] = []
    async with contextlib.AsyncExitStack() as stack:
        (sink,) = await assembly.open_sinks(
            stack,
            options(),
            source_name="talk",
            model=MODEL,
            labels=["joy"],
            version="1",
            say=said.append,
        )
        await sink.publish(event())
    (line,) = said
    assert line.startswith("MQTT broker: mqtt://127.0.0.1:")


async def test_a_password_is_never_printed() -> None:
    """Not in the announcement and not in the refusal."""
    said: list[str] = []
    with pytest.raises(UserError) as caught:
        async with contextlib.AsyncExitStack() as stack:
            await assembly.open_sinks(
                stack,
                options("--mqtt", "mqtt://anna:hush-hush@127.0.0.1:1"),
                source_name="talk",
                model=MODEL,
                labels=["joy"],
                version="1",
                say=said.append,
            )
    assert "hush-hush" not in str(caught.value) + "".join(said)


def test_events_of_one_run_share_a_session() -> None:
    """Session and dialogue stay, the turn and the place come from the run."""
    build = assembly.event_builder("node", "talk", MODEL)
    events = [
        build(Recognized(Utterance(str(n), "p", n, n + 1), Recognition({"joy": 1.0}), n, {}))
        for n in range(2)
    ]
    assert len({(e.session, e.dialogue, e.node, e.source) for e in events}) == 1
    assert [e.turn for e in events] == [0, 1]
    assert event().text == "secret words"
