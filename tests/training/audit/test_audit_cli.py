"""`python -m training.audit`, from the command line to the page and back."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from training.audit import main
from training.audit.verdicts import FORMAT
from training.datasets.corpora import open_corpus
from training.describe.description import PARTS, Description, UtteranceKey
from training.describe.records import Record, RecordFile
from training.describe.teacher import Failure

Audit = Callable[..., int]


@pytest.fixture
def data(tmp_path: Path, video: Path) -> Path:
    """A folder with MELD's dev split: six dialogues of two utterances, one with a clip."""
    folder = tmp_path / "data" / "meld"
    clips = folder / "dev" / "dev_splits_complete"
    clips.mkdir(parents=True)
    shutil.copy(video, clips / "dia0_utt0.mp4")
    columns = (
        *("Sr No.", "Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID"),
        *("Utterance_ID", "Season", "Episode", "StartTime", "EndTime"),
    )
    with (folder / "dev_sent_emo.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(columns)
        for number in range(12):
            label = ("joy", "anger")[number % 2]
            times = ("1", "1", "00:00:01,000", "00:00:02,000")
            words = "</script><script>alert(1)</script>" if number == 3 else "Oh!"
            row = (number, words, "Ross", label, "positive", number // 2, number % 2, *times)
            table.writerow(row)
    return folder.parent


@pytest.fixture
def descriptions(data: Path, tmp_path: Path) -> Path:
    """What a teacher wrote of them; one failed."""
    path = tmp_path / "descriptions.jsonl"
    with RecordFile(path) as file:
        for dialogue in open_corpus("meld", data / "meld").splits["dev"]:
            for utterance in dialogue.utterances:
                key = UtteranceKey("meld", "dev", dialogue.id, utterance.utterance_id)
                failed = key.dialogue == "5" and key.utterance == 1
                said = Failure("no face") if failed else Description(f"Brow {key.dialogue} rises.")
                file.append([Record.of(key, ("teacher", "1", "hash"), said, 1, "2026-11-22")])
    return path


@pytest.fixture
def audit(data: Path, descriptions: Path, tmp_path: Path) -> Audit:
    """Run the audit on them; more arguments follow."""

    def run(*more: str) -> int:
        paths = ("--data", str(data), "--out", str(tmp_path / "out" / "audit.html"))
        return main(["bemerc-meld", str(descriptions), *paths, *more])

    return run


def test_writes_the_page(audit: Audit, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the sample asked for; results go to standard output, messages to standard error."""
    assert audit("--sample", "5") == 0

    printed = capsys.readouterr()
    page = (tmp_path / "out" / "audit.html").read_text(encoding="utf-8")
    assert page.count("<article") == 5
    assert "descriptions" in printed.out
    assert "audit.html" in printed.err


def test_pictures_are_on_the_page(audit: Audit, tmp_path: Path) -> None:
    """The one clip that is there gives its pictures, the missing ones none."""
    assert audit("--frames", "2") == 0

    page = (tmp_path / "out" / "audit.html").read_text(encoding="utf-8")
    assert page.count('<img src="data:image/jpeg;base64,') == 2
    assert page.count("No pictures: this copy") == 10


def test_same_arguments_same_page(audit: Audit, tmp_path: Path) -> None:
    """Byte for byte; another seed gives another sample."""
    path = tmp_path / "out" / "audit.html"
    pages = []
    for seed in ("1", "1", "2"):
        assert audit("--sample", "4", "--seed", seed) == 0
        pages.append(path.read_bytes())

    assert pages[0] == pages[1] != pages[2]


def test_json_is_all_there_is_on_standard_output(
    audit: Audit, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program can read it; the failed utterance counts as not described."""
    assert audit("--json") == 0

    figures = json.loads(capsys.readouterr().out)
    assert (figures["described"], figures["undescribed"]) == (11, 1)
    assert figures["lengths"]["facial_expression"]["mean"] == 3.0


def test_verdicts_come_to_a_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Shares of each judge and the agreement of two; a hostile name cannot steer the terminal."""
    paths = []
    for judge, verdict in (("Anna\x1b[2J[red]", "accurate"), ("Ben", "wrong")):
        parts = {part: {"verdict": verdict, "note": ""} for part in PARTS}
        key = {"corpus": "meld", "split": "dev", "dialogue": "0", "utterance": 0}
        entry = {"key": key, "description_sha256": "x", "parts": parts, "label_shown": False}
        entry |= {"first": "", "last": ""}
        document = {"format": FORMAT, "audit": "x", "judge": judge, "saved": ""}
        path = tmp_path / f"{verdict}.json"
        path.write_text(json.dumps({**document, "verdicts": [entry]}))
        paths.append(str(path))

    assert main(["--verdicts", *paths]) == 0
    table = capsys.readouterr().out
    assert main(["--verdicts", *paths, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)

    assert "100.0 %" in table
    assert "Cohen's kappa" in table
    assert "\x1b[2J" not in table
    assert "[red]" in table
    assert summary["judges"][1]["parts"]["posture"]["accurate"]["share"] == 0
    assert summary["agreement"][0]["parts"]["all"] == {"n": 3, "kappa": 0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such-recipe", "{descriptions}", "--data", "{data}"], "there is no recipe"),
        (["bemerc-meld", "gone.jsonl", "--data", "{data}"], "gone.jsonl"),
        (["bemerc-meld", "{descriptions}", "--data", "{data}/nowhere"], "nowhere"),
        (["bemerc-meld", "{descriptions}", "--data", "{data}", "--out", "{data}"], "choose --out"),
        (["bemerc-meld", "/dev/null", "--data", "{data}"], "/dev/null has no description: run"),
        (["--verdicts", "gone.json"], "gone.json"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str],
    message: str,
    data: Path,
    descriptions: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 2 and what to do, without a traceback."""
    given = [text.format(data=data, descriptions=descriptions) for text in arguments]

    assert main(given) == 2

    error = capsys.readouterr().err
    assert any(line.startswith("error: ") for line in error.splitlines())
    assert message in error


@pytest.mark.parametrize(
    "arguments",
    [[], ["bemerc-meld"], ["bemerc-meld", "d.jsonl"], ["--verdicts"], ["r", "d", "--sample", "0"]],
)
def test_incomplete_commands_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, which says where to read on."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)

    assert stopped.value.code == 2
    assert "see python -m training.audit --help" in capsys.readouterr().err
