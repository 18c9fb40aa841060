"""The command line that fills the cache, on a copy of MELD with faults."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from clip_factory import clock_sound, in_this_process, write_film

from training.datasets.meld import COLUMNS
from training.preprocess import main

RECIPE = """
corpus = "meld"
[model]
base = "compact"
[model.video]
source = "frame"
frames = 4
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DIR of the command: MELD's layout with a good clip, a broken one and a missing one."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "tiny.toml").write_text(RECIPE)
    clips = folder / "meld" / "train" / "train_splits"
    clips.mkdir(parents=True)
    write_film(clips / "dia0_utt0.mp4", 1.0, sound=clock_sound(1.0), audio_codec="aac")
    (clips / "dia0_utt1.mp4").write_bytes(b"torn")
    for split, clip_count in (("train", 3), ("dev", 1)):
        with (folder / "meld" / f"{split}_sent_emo.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, COLUMNS)
            table.writeheader()
            for number in range(clip_count):
                values = ("hi", "Ann", "joy", 0, number, 1, 1, "00:00:00,000", "00:00:01,000")
                table.writerow(dict(zip(COLUMNS, values, strict=True)))
    return folder


def arguments(data: Path, cache: Path, *more: str) -> list[str]:
    """A command line."""
    common = ["--data", str(data), "--cache", str(cache), "--jobs", "1"]
    return [str(data / "tiny.toml"), *common, *more]


@pytest.fixture(scope="module")
def cache(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Filled by a command that is killed as soon as its first clip is there."""
    folder = tmp_path_factory.mktemp("cache")
    command = [sys.executable, "-m", "training.preprocess", *arguments(data, folder)]
    first = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while first.poll() is None and not list(folder.rglob("*.safetensors")):
        assert time.monotonic() < deadline, "no clip in two minutes"
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    return folder


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once is enough for the processes."""
    monkeypatch.setattr("training.clips.prepare.map_isolated", in_this_process)


def test_a_killed_run_goes_on(
    data: Path, cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the first run made is found by the second, which does the rest, and says what is odd."""
    monkeypatch.setenv("COLUMNS", "200")
    made = len(list(cache.rglob("*.safetensors")))
    assert made >= 1
    assert main(arguments(data, cache)) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"2 clips: {made} from the cache, {2 - made} made in ")
    assert "2 utterances have no clip" in told
    assert "no readable audio or video" in told
    assert "dialogue 0 utterance 1: " in told
    assert len(list(cache.rglob("*.safetensors"))) == 2


def test_json_is_for_programs(data: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object with every flaw."""
    assert main(arguments(data, cache, "--json", "--splits", "train")) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["clips"], told["without_clip"]) == (2, 1)
    assert told["cached"] + told["made"] == 2
    assert [(f["dialogue"], f["utterance"]) for f in told["flaws"]] == [("0", 1), ("0", 1)]
    assert all(flaw["path"].endswith("dia0_utt1.mp4") for flaw in told["flaws"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--splits", "test"], "no split test"),
        (["--splits", "dev"], "no clips"),
    ],
)
def test_mistakes_are_one_line(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: list[str], message: str
) -> None:
    """A split without clips, and one that is not there."""
    assert main(arguments(data, tmp_path, *changes)) == 2
    told = capsys.readouterr()
    assert told.err.startswith("error: ")
    assert message in told.err
    assert told.out == ""


def test_a_wrong_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With its name."""
    assert main(arguments(tmp_path / "nowhere", tmp_path)) == 2
    assert "nowhere" in capsys.readouterr().err


def test_an_unknown_recipe_lists_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    """The names are in the message."""
    assert main(["no-such", "--data", "."]) == 2
    assert "bemerc-meld" in capsys.readouterr().err


@pytest.mark.parametrize(
    "odd", [["--jobs", "0"], ["--jobs", "many"], ["--splits", "all"], ["--speed", "2"]]
)
def test_odd_flags_are_refused(data: Path, tmp_path: Path, odd: list[str]) -> None:
    """Exit code 2, as usual."""
    with pytest.raises(SystemExit) as raised:
        main(arguments(data, tmp_path, *odd))
    assert raised.value.code == 2


def test_a_cache_that_cannot_be_written_is_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file where the folder should be."""
    (tmp_path / "file").write_text("")
    assert main(arguments(data, tmp_path / "file")) == 2
    assert "--cache" in capsys.readouterr().err
    assert os.path.getsize(tmp_path / "file") == 0
