"""`python -m training.check` on synthesised copies of both layouts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.training.corpora_double import (
    FAULTS,
    MELD_ROWS,
    SECONDS,
    MeldRow,
    make_iemocap,
    make_meld,
    write_media,
    write_wav,
)
from training.check import main
from training.checks.run import check
from training.checks.table import text

BOTH = ["audio", "video"]

MELD_CLIP = "train/train_splits/dia0_utt1.mp4"
IEMOCAP_WAV = "Session1/sentences/wav/Ses01M_script01_1/Ses01M_script01_1_F000.wav"
IEMOCAP_AVI = "Session5/dialog/avi/DivX/Ses05M_script01_1b.avi"


def run(
    capsys: pytest.CaptureFixture[str], *arguments: object, partial: bool = True
) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON of a check in this process, by default without comparing counts."""
    words = [*map(str, arguments), "--json", "--jobs", "1", *(["--partial"] if partial else ())]
    code = main(words)
    return code, json.loads(capsys.readouterr().out)


def found(report: dict[str, Any]) -> list[tuple[str, int, str, list[str]]]:
    """Dialogue, utterance, kind and what is lost of every fault."""
    return [
        (one["dialogue"], one["utterance"], one["kind"], one["modalities"])
        for one in report["faults"]
    ]


@pytest.mark.parametrize("deeper", [False, True])
def test_whole_meld(tmp_path: Path, capsys: pytest.CaptureFixture[str], deeper: bool) -> None:
    """A sound copy of MELD has no fault, however deep the archives were unpacked."""
    code, report = run(capsys, "meld", make_meld(tmp_path / "meld", deeper=deeper))
    assert (code, report["usable"], report["faults"]) == (0, True, [])
    assert report["splits"]["train"]["classes"]["anger"] == 1
    clips = {split: report["splits"][split]["clips"] for split in MELD_ROWS}
    assert clips == {
        "train": {"audio": 4, "video": 4},
        "dev": {"audio": 3, "video": 3},
        "test": {"audio": 2, "video": 2},
    }


@pytest.mark.parametrize(
    ("injected", "kind", "lost"),
    [
        ("missing", "missing", BOTH),
        ("no bytes", "zero length", BOTH),
        ("text", "corrupt", BOTH),
        ("overwritten", "corrupt", BOTH),
        ("cut off", "corrupt", BOTH),
        ("silent", "silent", ["audio"]),
        ("no audio", "no audio", ["audio"]),
        ("no video", "no video", ["video"]),
        ("too long", "mis-cut", BOTH),
    ],
)
def test_faults_of_meld(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], injected: str, kind: str, lost: list[str]
) -> None:
    """Each fault of one clip is found at that clip, and at no other."""
    folder = make_meld(tmp_path / "meld")
    FAULTS[injected](folder / MELD_CLIP)
    code, report = run(capsys, "meld", folder, partial=injected != "missing")
    assert (code, found(report)) == (1, [("0", 1, kind, lost)])
    left_out = {name: int(name in lost) for name in BOTH}
    assert report["splits"]["train"]["left_out"] == left_out
    assert report["splits"]["dev"]["left_out"] == {"audio": 0, "video": 0}


def test_a_partial_copy_may_lack_clips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On purpose: what is there is looked at, what is not is no fault."""
    folder = make_meld(tmp_path / "meld")
    (folder / MELD_CLIP).unlink()
    assert run(capsys, "meld", folder)[0] == 0
    code, report = run(capsys, "meld", folder, partial=False)
    assert (code, found(report)) == (1, [("0", 1, "missing", list(BOTH))])


def test_whole_iemocap(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A sound copy of IEMOCAP has no fault; sound and pictures are found apart."""
    code, report = run(capsys, "iemocap", make_iemocap(tmp_path))
    assert (code, report["faults"], report["extra_files"]) == (0, [], {})
    assert report["splits"]["train"]["clips"] == {"audio": 4, "video": 4}
    assert report["splits"]["test"]["without_target"] == 1


@pytest.mark.parametrize(
    ("injected", "kind"),
    [
        ("missing", "missing"),
        ("no bytes", "zero length"),
        ("text", "corrupt"),
        ("overwritten", "corrupt"),
        ("silent", "silent"),
        ("too long", "mis-cut"),
    ],
)
def test_faults_of_iemocap_sound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], injected: str, kind: str
) -> None:
    """Each fault of one utterance's wav is found there, and its pictures stay usable."""
    folder = make_iemocap(tmp_path)
    FAULTS[injected](folder / IEMOCAP_WAV)
    code, report = run(capsys, "iemocap", folder, partial=injected != "missing")
    assert (code, found(report)) == (1, [("Ses01M_script01_1", 1, kind, ["audio"])])


def test_half_a_wav(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wav that is broken off is shorter than its label says."""
    folder = make_iemocap(tmp_path)
    wav = write_wav(folder / IEMOCAP_WAV, 2.0)
    evaluation = folder / "Session1/dialog/EmoEvaluation/Ses01M_script01_1.txt"
    labels = evaluation.read_text(encoding="utf-8")
    evaluation.write_text(
        labels.replace("[0.8000 - 1.4000]", "[0.8000 - 2.8000]"), encoding="utf-8"
    )
    assert run(capsys, "iemocap", folder)[1]["faults"] == []
    FAULTS["cut off"](wav)
    _, report = run(capsys, "iemocap", folder)
    assert found(report) == [("Ses01M_script01_1", 1, "mis-cut", ["audio"])]


@pytest.mark.parametrize(
    ("injected", "kind"),
    [
        ("missing", "missing"),
        ("no bytes", "zero length"),
        ("text", "corrupt"),
        ("no video", "no video"),
    ],
)
def test_faults_of_iemocap_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], injected: str, kind: str
) -> None:
    """A fault of a recording's avi is one of every utterance in it, whose sound stays usable."""
    folder = make_iemocap(tmp_path)
    # Another recording of the split: without any avi it would be a copy without pictures.
    sibling = folder / "Session5"
    for path in sorted(sibling.rglob("Ses05M_script01_1b*")):
        if path.is_file() and path.suffix != ".wav":
            copy = path.with_name(path.name.replace("01_1b", "01_2"))
            content = path.read_bytes().replace(b"script01_1b", b"script01_2")
            copy.write_bytes(path.read_bytes() if path.suffix == ".avi" else content)
    for path in sorted((sibling / "sentences/wav/Ses05M_script01_1b").iterdir()):
        write_wav(Path(str(path).replace("01_1b", "01_2")))
    assert run(capsys, "iemocap", folder)[0] == 0
    FAULTS[injected](folder / IEMOCAP_AVI)
    code, report = run(capsys, "iemocap", folder, partial=injected != "missing")
    expected = [("Ses05M_script01_1b", number, kind, ["video"]) for number in (0, 1)]
    assert (code, found(report)) == (1, expected)


def test_an_avi_that_stops_early(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Utterances after the end of a recording have no pictures; those before keep theirs."""
    folder = make_iemocap(tmp_path)
    write_media(folder / IEMOCAP_AVI, 1.0)
    _, report = run(capsys, "iemocap", folder)
    assert found(report) == [("Ses05M_script01_1b", 1, "mis-cut", ["video"])]


def test_known_faults_of_meld(tmp_path: Path) -> None:
    """The seven clips that are faulty in every copy are named, and the copy is usable."""
    rows = {
        "train": (MeldRow(0, 0), MeldRow(125, 3), MeldRow(309, 0), MeldRow(338, 3, seconds=0.01)),
        "dev": (MeldRow(0, 0), MeldRow(110, 7)),
        "test": (MeldRow(0, 0), MeldRow(38, 4), MeldRow(155, 3), MeldRow(220, 0)),
    }
    folder = make_meld(tmp_path / "meld", rows)
    train, dev, test = (
        folder / name
        for name in (
            "train/train_splits",
            "dev/dev_splits_complete",
            "test/output_repeated_splits_test",
        )
    )
    (train / "dia125_utt3.mp4").write_bytes(b"\0" * 4096)
    write_media(train / "dia309_utt0.mp4", 41.0, fps=1, rate=8000)
    write_media(train / "dia338_utt3.mp4", 2.5)
    (dev / "dia110_utt7.mp4").unlink()
    write_media(test / "dia38_utt4.mp4", 305.0, fps=1, rate=8000)
    (test / "dia155_utt3.mp4").write_bytes(b"")
    write_media(test / "dia220_utt0.mp4", 235.0, fps=1, rate=8000)
    result = check("meld", folder)
    report = json.loads(json.dumps(result.to_json()))
    assert not result.unknown
    assert check("meld", folder, partial=True).usable
    assert found(report) == [
        ("125", 3, "corrupt", BOTH),
        ("309", 0, "mis-cut", BOTH),
        ("338", 3, "mis-cut", BOTH),
        ("110", 7, "missing", BOTH),
        ("38", 4, "mis-cut", BOTH),
        ("155", 3, "zero length", BOTH),
        ("220", 0, "mis-cut", BOTH),
    ]
    assert all(one["known"] for one in report["faults"])
    printed = text(result)
    assert "test dia38_utt4: dia38_utt4.mp4 has 305.0" in printed
    assert re.search(r"train dia125_utt3: .*without audio and video \[known: corrupt", printed)
    partial = text(check("meld", folder, partial=True))
    assert "Usable: 6 known faults." in partial


def test_extra_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Leftovers beside the clips are counted by kind and make nothing unusable."""
    folder = make_meld(tmp_path / "meld")
    clips = folder / "test/output_repeated_splits_test"
    for name in ("._dia0_utt0.mp4", "final_videos_testdia0_utt0.mp4", "dia108_utt2.mp4"):
        (clips / name).write_bytes(b"x")
    (clips / "dia9_utt9.mp4").write_bytes(b"x")
    code, report = run(capsys, "meld", folder)
    assert (code, report["faults"]) == (0, [])
    assert {kind: len(paths) for kind, paths in report["extra_files"].items()} == {
        "others": 1,
        "known clips without a row": 1,
        "final_videos_test variants": 1,
        "macOS resource files": 1,
    }


def test_other_counts_than_published(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --partial a copy of nine utterances is not MELD, and each class is named."""
    folder = make_meld(tmp_path / "meld", clips=False)
    assert main(["meld", str(folder), "--jobs", "1"]) == 1
    printed = capsys.readouterr().out
    assert "  train: 1 joy, published 1743" in printed
    assert "  test: 2 utterances with a target, published 2610" in printed
    assert "No clips in this copy: words alone." in printed
    assert main(["meld", str(folder), "--jobs", "1", "--partial"]) == 0


def test_processes_find_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The faults do not depend on the number of processes."""
    folder = make_meld(tmp_path / "meld")
    FAULTS["silent"](folder / MELD_CLIP)
    _, one = run(capsys, "meld", folder)
    assert main(["meld", str(folder), "--json", "--jobs", "2", "--partial"]) == 1
    assert json.loads(capsys.readouterr().out) == one


def test_own_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of own data only the files that the manifest names are asked for."""
    write_media(tmp_path / "a.mp4")
    lines = [
        {"video": "a.mp4", "audio": "a.mp4", "start": 0.0, "end": SECONDS},
        {"audio": "gone.wav"},
        {},
    ]
    lines_text = "\n".join(
        json.dumps({"split": "dev", "dialogue": "d", "utterance": number, "speaker": "A"} | line)
        for number, line in enumerate({"text": "Hm.", "emotion": "calm"} | line for line in lines)
    )
    (tmp_path / "manifest.jsonl").write_text(lines_text, encoding="utf-8")
    code, report = run(capsys, "manifest", tmp_path)
    assert (code, found(report)) == (1, [("d", 1, "missing", ["audio"])])
    assert report["splits"]["dev"]["clips"] == {"audio": 2, "video": 1}


@pytest.mark.parametrize("dataset", ["meld", "iemocap", "emorynlp", "manifest"])
def test_wrong_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str], dataset: str) -> None:
    """A folder in no known layout ends with code 2 and a picture of the layout."""
    assert main([dataset, str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Expected this layout" in printed.err
    assert printed.err.count("\n") > 2


@pytest.mark.parametrize("jobs", ["0", "-1", "two"])
def test_jobs_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str], jobs: str) -> None:
    """A number of processes that cannot be is refused before anything is read."""
    with pytest.raises(SystemExit) as ended:
        main(["meld", str(tmp_path), "--jobs", jobs])
    assert ended.value.code == 2
    assert "--jobs" in capsys.readouterr().err
