"""Milliseconds by stage, from the events of a run."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.events import Emotion, EmotionEvent, Modalities, ModelInfo, Window
from training.latency import latencies, main


def event(**latency_ms: float) -> EmotionEvent:
    """An utterance that took that long."""
    return EmotionEvent(
        id="0198c1f2-7c3a-7d41-9a55-3f0b6c1de2a7",
        node="desk",
        source="talk.mp4",
        time=datetime(2026, 1, 31, 12, tzinfo=UTC),
        session="s",
        dialogue="d",
        utterance="u",
        turn=0,
        participant="ann",
        window=Window(0.0, 1.0, 0, 0, 1000),
        emotion=Emotion("joy", {"joy": 1.0}, 1.0, abstained=False),
        modalities=Modalities(("audio",), {"audio": 1.0}, {}),
        model=ModelInfo("compact", "0" * 64),
        latency_ms=latency_ms,
    )


def test_stages_and_their_sum() -> None:
    """The median over the utterances that had the stage; waiting is no work."""
    events = [event(llm=100.0, queue=900.0), event(llm=200.0, asr=400.0), event(llm=300.0)]
    found = {one.stage: one for one in latencies(events)}
    assert list(found) == ["llm", "asr", "together"]
    assert (found["llm"].n, found["llm"].p50, found["llm"].p95) == (3, 200.0, 290.0)
    assert (found["asr"].n, found["asr"].p50) == (1, 400.0)
    assert (found["together"].n, found["together"].p50) == (3, 300.0)


def test_the_command_reads_what_a_run_wrote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a table or as one JSON object."""
    path = tmp_path / "talk.jsonl"
    path.write_text(event(llm=100.0).dumps() + "\n" + event(llm=300.0).dumps() + "\n")
    assert main([str(path)]) == 0
    assert "together" in capsys.readouterr().out
    assert main([str(path), "--json"]) == 0
    stages = json.loads(capsys.readouterr().out)["stages"]
    assert stages[0] == {"stage": "llm", "n": 2, "p50": 200.0, "p95": 290.0}


@pytest.mark.parametrize("content", [None, "", "\n", '{"no": "event"}\n', "\xff"])
def test_other_files_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    """One line that says what to give."""
    path = tmp_path / "talk.jsonl"
    if content is not None:
        path.write_bytes(content.encode("latin-1"))
    assert main([str(path)]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert "run_live.py --jsonl" in message
