"""The command that compares variants, as a user types it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from training.ablate import main
from training.smoke import Smoke

Ablate = Callable[..., int]


@pytest.fixture
def ablate(smoke: Smoke, tmp_path: Path) -> Ablate:
    """Runs the command on words alone, without a stage 1, which needs no clips."""
    keys = {
        "spec.llm.base": json.dumps(smoke.spec.llm.base),
        "distillation.share": 0,
        "stage1.epochs": 0,
        "stage2.composed_epochs": 0,
        "stage2.clip_epochs": 0,
    }
    changes = [word for key, value in keys.items() for word in ("--set", f"{key}={value}")]
    folders = ["--data", str(smoke.data), "--runs", str(tmp_path / "runs")]

    def run(*words: object) -> int:
        return main(["smoke", *changes, *folders, "--threads", "1", *map(str, words)])

    return run


def test_variants_of_a_recipe(
    ablate: Ablate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON with what was asked for; then the same from what is there, as a table and a page."""
    what = ("--only", "structured-prompt,without-audio", "--seeds", "1,2", "--resamples", "200")
    assert ablate(*what, "--dialogues", 6, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert list(document["variants"]) == ["full", "structured-prompt"]
    assert list(document["skipped"]) == ["without-audio"]
    assert (document["seeds"], document["train_dialogues"]) == ([1, 2], 6)
    assert (document["turns"], document["dialogues"], document["split"]) == (24, 6, "dev")
    assert not document["about"]["synthesised"]
    difference = document["variants"]["structured-prompt"]["differences"]["weighted_f1"]
    assert difference["low"] <= difference["value"] <= difference["high"]
    assert len(difference["by_seed"]) == 2
    longer, full = (
        document["variants"][name]["costs"]["stage2"]["tokens"]
        for name in ("structured-prompt", "full")
    )
    assert longer > full > 0

    page = tmp_path / "reports" / "page.html"
    assert ablate(*what, "--dialogues", 6, "--finished", "--report", page) == 0
    printed = capsys.readouterr().out
    assert "structured-prompt" in printed
    assert "left out: without-audio: dev is words alone" in " ".join(printed.split())
    sentence = document["answers"]["Do structured prompts help over flat ones?"][0]["sentence"]
    assert " ".join(sentence.split()) in " ".join(printed.split())
    assert sentence in page.read_text()


def test_what_is_not_trained_is_left_out_when_nothing_is_trained(
    ablate: Ablate, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without `full` there is no table; a variant that lacks a seed is named."""
    assert ablate("--only", "context-1", "--seeds", "1", "--finished") == 2
    assert "full is not trained yet with seed 1: leave --finished out" in capsys.readouterr().err
    assert ablate("--only", "context-1", "--seeds", "1", "--json") == 0
    capsys.readouterr()
    words = ("--only", "context-1,context-64", "--seeds", "1", "--finished", "--json")
    assert ablate(*words) == 0
    document = json.loads(capsys.readouterr().out)
    assert list(document["variants"]) == ["full", "context-1"]
    assert document["skipped"] == {"context-64": "not trained yet with seed 1"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--only", "without-soul"], "--only without-soul: there are full, without-facial"),
        (["--only", "without-posture"], "the recipe learns no descriptions"),
        (["--dialogues", "0"], "--dialogues: at least 1"),
        (["--dev-dialogues", "1"], "--dev-dialogues: at least 2"),
        (["--report", "."], "--report . is a folder"),
        (["--set", "stage2.nonsense=1"], "nonsense"),
    ],
)
def test_a_mistake_is_one_line(
    ablate: Ablate, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, nothing on standard output, and nothing trained."""
    assert ablate(*words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("words", [["--seeds", "1,x"], ["--seeds", "1,1"], ["--resamples", "9"]])
def test_a_value_that_is_none(
    ablate: Ablate, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The flag is named."""
    with pytest.raises(SystemExit, match="2"):
        ablate(*words)
    assert words[0] in capsys.readouterr().err


def test_several_processes_are_refused(
    ablate: Ablate, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under a launcher they would all write the same files; the line says how to use GPUs."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert ablate() == 2
    assert "once for each GPU" in capsys.readouterr().err


@pytest.mark.slow
def test_smoke(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All steps on synthesised clips, with the teacher and two stages; nothing is left behind."""
    monkeypatch.chdir(tmp_path)
    words = ["--smoke", "--threads", "1", "--jobs", "1", "--seeds", "1"]
    assert main([*words, "--only", "without-behaviour,without-video", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["about"]["synthesised"]
    assert list(document["variants"]) == ["full", "without-behaviour", "without-video"]
    for name, stages in {"full": 2, "without-behaviour": 1, "without-video": 2}.items():
        assert len(document["variants"][name]["costs"]) == stages
    assert list(tmp_path.iterdir()) == []
