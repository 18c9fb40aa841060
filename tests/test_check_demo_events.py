"""Tests of the last step of `.ci/run`: it must fail whenever the demo did."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from check_demo_events import main

from engine.events import Emotion, EmotionEvent, Modalities, ModelInfo, Moment, Window
from export.bundle import write_manifest


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A sealed bundle with two labels."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    spec = {"name": "tiny", "version": 1, "labels": ["joy", "anger"]}
    (folder / "spec.json").write_text(json.dumps(spec))
    write_manifest(folder)
    return folder


def document(bundle: Path, number: int) -> dict[str, object]:
    """A good event."""
    return EmotionEvent(
        id=f"event-{number}",
        node="node",
        source="talk",
        time=datetime(2026, 1, 1, tzinfo=UTC),
        session="s",
        dialogue="d",
        utterance=f"event-{number}",
        turn=number,
        participant="p",
        window=Window(start=number, end=number + 1, frames=3, frames_dropped=0, audio_ms=1000),
        emotion=Emotion("joy", {"joy": 0.75, "anger": 0.25}, confidence=0.75, abstained=False),
        modalities=Modalities(used=("text",), quality={"text": 1.0}, absent={}),
        model=ModelInfo("tiny", write_manifest(bundle).sha256),
        behaviour="Eyes closed.",
        moments=(Moment(number + 0.2, number + 0.8, "eyes closed"),),
    ).to_json()


def write(path: Path, events: list[dict[str, object]]) -> Path:
    """A JSONL file of events."""
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return path


def test_good_events_pass(tmp_path: Path, bundle: Path) -> None:
    """Two good events are accepted."""
    events = [document(bundle, number) for number in range(2)]
    assert main(write(tmp_path / "demo.jsonl", events), bundle) == 0


def test_no_file_fails(tmp_path: Path, bundle: Path) -> None:
    """A demo that wrote nothing fails."""
    assert main(tmp_path / "demo.jsonl", bundle) == 1


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_events_fail(tmp_path: Path, bundle: Path, count: int) -> None:
    """Fewer than two events fail."""
    events = [document(bundle, number) for number in range(count)]
    assert main(write(tmp_path / "demo.jsonl", events), bundle) == 1


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("emotion", {"label": "joy", "probabilities": {"joy": 0.7, "anger": 0.1}}),
        ("emotion", {"label": "joy", "probabilities": {"joy": 1.0}}),
        ("emotion", {"label": "bliss"}),
        ("model", {"sha256": "0" * 64}),
        ("window", {"end": "later"}),
    ],
)
def test_a_malformed_event_fails(
    tmp_path: Path, bundle: Path, part: str, value: dict[str, object]
) -> None:
    """One bad event among good ones fails: sum, labels, bundle or form."""
    events = [document(bundle, number) for number in range(3)]
    events[1]["data"][part].update(value)  # type: ignore[index]
    assert main(write(tmp_path / "demo.jsonl", events), bundle) == 1


@pytest.mark.parametrize("missing", [{"behaviour": None}, {"moments": []}])
def test_events_without_behaviour_fail(
    tmp_path: Path, bundle: Path, missing: dict[str, object]
) -> None:
    """One event must say what was seen and when; none does."""
    events = [document(bundle, number) for number in range(2)]
    events[1]["data"].update(missing)  # type: ignore[attr-defined]
    path = tmp_path / "demo.jsonl"
    assert main(write(path, events), bundle) == 0
    events[0]["data"].update(missing)  # type: ignore[attr-defined]
    assert main(write(path, events), bundle) == 1


def test_a_moment_outside_its_window_fails(tmp_path: Path, bundle: Path) -> None:
    """It cannot have been seen in the utterance."""
    events = [document(bundle, number) for number in range(2)]
    events[0]["data"]["moments"][0]["end"] = 1.5  # type: ignore[index]
    assert main(write(tmp_path / "demo.jsonl", events), bundle) == 1


def test_a_repeated_id_fails(tmp_path: Path, bundle: Path) -> None:
    """The same event twice is not two events."""
    events = [document(bundle, 0), document(bundle, 0)]
    assert main(write(tmp_path / "demo.jsonl", events), bundle) == 1
