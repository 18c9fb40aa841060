"""Every training script runs with --smoke: real code, synthesised data, a tiny model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.model.calibration import SUBSETS, Calibration
from engine.model.manifest import verify_bundle
from training import bundle, calibrate, encoders, face, run, speech, stage1, stage2
from training.learning.provenance import PROVENANCE
from training.smoke import Smoke

Main = Callable[[list[str]], int]


@pytest.mark.parametrize(
    ("main", "options", "printed"),
    [
        (face.main, ["--epochs", "1", "--small-epochs", "0"], "best dev FERPlus accuracy 0."),
        (speech.main, ["--epochs", "2"], "dev unweighted accuracy: ravdess 0."),
    ],
    ids=["face", "speech"],
)
def test_one_step(
    main: Main,
    options: list[str],
    printed: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It ends well, says what came out, and leaves nothing in the folder it was started in."""
    monkeypatch.chdir(tmp_path)
    assert main(["--smoke", "--threads", "1", *options]) == 0
    assert capsys.readouterr().out.startswith(printed)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_all_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The one command that trains a bundle, from corpora to a sealed folder."""
    monkeypatch.chdir(tmp_path)
    assert run.main(["--smoke", "--threads", "1", "--jobs", "1"]) == 0
    told = capsys.readouterr().err
    for step in (
        "1/7 pre-tuning",
        "2/7 distillation",
        "3/7 encoders",
        "4/7 behaviour descriptions",
        "72 described",
        "5/7 stage 1",
        "6/7 stage 2",
        "clips 1/1",
        "7/7 bundle",
        "cross-fitted on dev",
    ):
        assert step in told
    assert list(tmp_path.iterdir()) == []


def test_the_bundle_is_complete(tiny_bundle: Path) -> None:
    """Weights of all parts, the spec, and a temperature for every subset of modalities."""
    manifest = verify_bundle(tiny_bundle)
    assert set(manifest.files) == {
        "spec.json",
        "calibration.json",
        calibrate.REPORT,
        PROVENANCE,
        *bundle.WEIGHTS,
    }
    document = json.loads((tiny_bundle / "calibration.json").read_text())
    calibration = Calibration.from_dict(document)
    assert set(calibration.temperatures) == set(SUBSETS)
    assert all(value > 0 for value in calibration.temperatures.values())
    assert set(calibration.abstain_below) == set(SUBSETS)
    most = calibration.abstain_below["text"]
    assert all(0 < value <= most for value in calibration.abstain_below.values())
    figures = json.loads((tiny_bundle / calibrate.REPORT).read_text())
    assert {"text", "video", "text+audio+video"} <= set(figures)
    assert all(one["bias"] is False for one in figures.values())  # so few turns give none


@pytest.mark.parametrize(
    "main",
    [
        face.main,
        speech.main,
        encoders.main,
        stage1.main,
        stage2.main,
        bundle.main,
        run.main,
    ],
)
@pytest.mark.parametrize("words", [[], ["--data", "nowhere"]], ids=["no data", "no folder"])
def test_a_mistake_is_one_line(
    main: Main,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 2, and what is missing."""
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (told,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert any(
        word in told
        for word in ("--data", "nowhere", "is missing", "is not finished", "has no stage 1")
    )


def test_smoke_data_have_the_public_layouts(smoke: Smoke) -> None:
    """Whoever has the real corpora can put them in the same places."""
    found = {path.relative_to(smoke.data).as_posix() for path in smoke.data.rglob("*.*")}
    assert {
        "meld/train_sent_emo.csv",
        "meld/dev_sent_emo.csv",
        "fer2013/Training.parquet",
        "fer2013/PublicTest.parquet",
        "ravdess/Actor_17/03-01-05-01-01-01-17.wav",
        "meld/train/train_splits/dia0_utt0.mp4",
        "meld/dev/dev_splits_complete/dia0_utt0.mp4",
    } <= found
