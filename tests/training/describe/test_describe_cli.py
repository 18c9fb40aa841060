"""`python -m training.describe`, on a small copy of MELD."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from requests_double import SEEN, write_clip
from server_double import ANSWER, Call, Reply, ServerDouble, completion
from tiny_qwen import write_tiny_qwen

from stream.errors import UserError
from training import describe
from training.datasets.meld import COLUMNS
from training.describe.records import RecordFile, read_descriptions
from training.describe.server import KEY_VARIABLE
from training.describe.teachers import REMEMBERING, TEACHERS, TeacherOptions
from training.recipe import Recipe, read_recipe
from training.settings import TEACHERS as KINDS


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two dialogues of three utterances in train, one in dev; a clip of train is missing."""
    folder = tmp_path_factory.mktemp("data")
    clip = write_clip(folder / "clip.mp4", seconds=1)
    layout = {"train": ("train/train_splits", 2), "dev": ("dev/dev_splits_complete", 1)}
    for split, (clips, dialogues) in layout.items():
        target = folder / "meld" / clips
        target.mkdir(parents=True)
        table = folder / "meld" / f"{split}_sent_emo.csv"
        with table.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            for dialogue in range(dialogues):
                for index in range(3):
                    cells = dict.fromkeys(COLUMNS, "0")
                    cells |= {"Utterance": f"Line {index}.", "Speaker": "Ann", "Emotion": "joy"}
                    cells |= {"Dialogue_ID": str(dialogue), "Utterance_ID": str(index)}
                    cells |= {"StartTime": "00:00:01,000", "EndTime": "00:00:02,000"}
                    writer.writerow(cells)
                    shutil.copy(clip, target / f"dia{dialogue}_utt{index}.mp4")
    (folder / "meld/train/train_splits/dia1_utt1.mp4").unlink()
    return folder


def test_a_corpus_is_described_by_a_server(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the corpus to the file, with figures and the next step."""
    out = tmp_path / "out.jsonl"
    with ServerDouble(lambda call: completion()) as server:
        command = ["bemerc-meld", "--data", str(data), "--out", str(out), "--frames", "3"]
        command += ["--teacher", "server", "--model", "a-model", "--url", server.url]
        assert describe.main(command) == 0
        first = capsys.readouterr()
        assert describe.main([*command, "--json"]) == 0
        pictures = [len(call.body["messages"][0]["content"]) - 1 for call in server.calls]
        assert server.calls[0].body["model"] == "a-model"
    assert pictures == [3] * 8
    descriptions = read_descriptions(out)
    assert len(descriptions) == 8
    assert set(descriptions.values()) == {SEEN}
    assert (
        first.out == f"8 described, 0 failed, 1 without a clip, 0 were there already, of 9: {out}\n"
    )
    assert "--retry-failed" not in first.err
    assert f"python -m training.audit bemerc-meld {out} --data {data}" in first.err
    assert json.loads(capsys.readouterr().out) == {
        "total": 9,
        "described": 0,
        "failed": 0,
        "without": 0,
        "kept": 9,
        "reasons": {},
        "out": str(out),
    }


def test_a_corpus_is_described_by_a_model_of_transformers(data: Path, tmp_path: Path) -> None:
    """By the path of its folder, and only the utterances asked for."""
    model = write_tiny_qwen(tmp_path / "model", answer=ANSWER)
    out = tmp_path / "out.jsonl"
    command = ["compact", "--data", str(data), "--out", str(out), "--teacher", "vision"]
    command += ["--model", str(model), "--frames", "2", "--batch", "2"]
    assert describe.main([*command, "--splits", "dev", "--limit", "2"]) == 0
    assert [(key.split, key.utterance) for key in read_descriptions(out)] == [
        ("dev", 0),
        ("dev", 1),
    ]


def test_without_any_description_there_is_nothing_to_look_at(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A teacher that answers nonsense: what failed is said, and the audit is not the next step."""
    out = tmp_path / "out.jsonl"
    with ServerDouble(lambda call: completion("I cannot see pictures.")) as server:
        command = ["bemerc-meld", "--data", str(data), "--out", str(out), "--limit", "2"]
        command += ["--teacher", "server", "--model", "a-model", "--url", server.url]
        assert describe.main(command) == 0
    message = capsys.readouterr().err
    assert "2 x the answer has no whole JSON object" in message
    assert "--retry-failed" in message
    assert "training.audit" not in message


def test_a_server_that_dies_half_way_says_how_to_go_on(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, the command to resume, and what was described in the file."""
    out = tmp_path / "out 1.jsonl"

    def behaviour(call: Call) -> Reply:
        return completion() if call.number < 4 else Reply(401)

    with ServerDouble(behaviour) as server:
        command = ["bemerc-meld", "--data", str(data), "--out", str(out), "--batch", "1"]
        command += ["--teacher", "server", "--model", "a-model", "--url", server.url]
        assert describe.main(command) == 2
    message = capsys.readouterr().err
    assert KEY_VARIABLE in message
    assert f"go on with: python -m training.describe bemerc-meld --data {data}" in message
    assert f"'{out}'" in message
    assert len(read_descriptions(out)) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compact"], "no teacher 'none': give --teacher measured"),
        (["nonsense"], "there is no recipe nonsense"),
        (["compact", "--teacher", "server"], "name it with --model"),
        (["compact", "--teacher", "server", "--model", "m"], "give --url"),
        (["compact", "--teacher", "vision"], "name it with --model"),
        (["bemerc-meld", "--frames", "0"], "--frames and --batch: at least 1"),
        (["bemerc-meld", "--batch", "0"], "--frames and --batch: at least 1"),
        (["bemerc-meld", "--limit", "0"], "--limit: at least 1"),
        (["bemerc-meld", "--attempts", "0"], "--attempts: at least 1"),
        (["bemerc-meld", "--splits", "test"], "has no test: give --splits"),
        (["bemerc-meld", "--model", "./none"], "no model ./none"),
        (["bemerc-iemocap"], "iemocap"),
    ],
)
def test_a_mistake_is_one_line(
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    """Exit code 2, and what to do."""
    out = tmp_path / "out.jsonl"
    assert describe.main([*arguments, "--data", str(data), "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_a_file_that_another_run_writes_is_refused_before_the_model_is_loaded(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Loading takes minutes."""
    out = tmp_path / "out.jsonl"
    command = ["compact", "--data", str(data), "--out", str(out)]
    command += ["--teacher", "vision", "--model", "./none"]
    with RecordFile(out):
        assert describe.main(command) == 2
    assert "another run is writing" in capsys.readouterr().err


def test_the_recipe_names_the_teacher() -> None:
    """Flags change it; another kind of teacher does not take over the model's name."""
    recipe = read_recipe("bemerc-meld")
    own = TeacherOptions.of(recipe)
    assert (own.kind, own.model, own.frames) == ("vision", "Qwen/Qwen2-VL-7B-Instruct", 8)
    assert TeacherOptions.of(recipe, frames=4, model=None).frames == 4
    assert TeacherOptions.of(recipe, kind="measured").frames == 24
    with pytest.raises(UserError, match="--model"):
        TeacherOptions.of(recipe, kind="server", url="http://host/v1")


def test_every_teacher_of_the_settings_can_be_opened() -> None:
    """The recipe's words and the flag's are the same."""
    assert {*TEACHERS, "none"} == set(KINDS)
    assert set(TEACHERS) >= REMEMBERING
    assert isinstance(read_recipe("smoke"), Recipe)


def test_help_names_every_teacher(capsys: pytest.CaptureFixture[str]) -> None:
    """And the variable of the key."""
    with pytest.raises(SystemExit) as ended:
        describe.main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert [word for word in (*TEACHERS, KEY_VARIABLE) if word not in text] == []


def test_parts_of_a_corpus_are_described_side_by_side(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each into a file of its own; the command without a part joins them and has nothing left."""
    out = tmp_path / "out.jsonl"
    with ServerDouble(lambda call: completion()) as server:
        command = ["bemerc-meld", "--data", str(data), "--out", str(out), "--frames", "1"]
        command += ["--teacher", "server", "--model", "a-model", "--url", server.url]
        for part in ("1/2", "2/2"):
            assert describe.main([*command, "--shard", part]) == 0
            assert "the same command without --shard joins" in capsys.readouterr().err
        assert not out.exists()
        asked = len(server.calls)
        assert describe.main(command) == 0
        assert len(server.calls) == asked == 8
    assert (
        "0 described, 0 failed, 0 without a clip, 9 were there already, of 9"
        in capsys.readouterr().out
    )
    assert len(read_descriptions(out)) == 8
    assert not list(tmp_path.glob("*shard*"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--teacher", "measured", "--device", "cuda:0"], "--device is of the vision teacher"),
        (["--teacher", "vision", "--model", "x/y", "--device", "cuda:77"], "--device cuda:77: thi"),
    ],
)
def test_a_device_that_is_none_is_one_line(
    words: list[str], told: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named before a model is loaded."""
    out = str(tmp_path / "out.jsonl")
    assert describe.main(["bemerc-meld", "--data", str(data), "--out", out, *words]) == 2
    assert told in capsys.readouterr().err
