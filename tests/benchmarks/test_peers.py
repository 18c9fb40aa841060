"""The command that compares, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from onnx_double import ByBrightness, export
from text_double import write_spotter

from benchmarks import peers
from engine.model.spec import MELD_LABELS
from training.smoke import Smoke

LABELS = "angry,disgust,fear,happy,sad,surprise,neutral"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A face model with FER2013's classes."""
    path = tmp_path_factory.mktemp("face") / "stripes.onnx"
    return str(export(ByBrightness(7), torch.zeros(1, 1, 48, 48), path))


def test_faces_beside_a_bundle(
    model: str, smoke: Smoke, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One table with both, and one JSON object with every figure of both."""
    words = ["face", model, "--data", str(smoke.data), "--labels", LABELS, "--limit", "14"]
    words += ["--bundle", str(tiny_bundle), "--base-model", smoke.spec.llm.base]
    assert peers.main(words) == 0
    printed = capsys.readouterr().out
    assert "the first 14 alone" in printed
    assert "stripes.onnx" in printed
    assert "angry is anger" in printed
    assert "assumed" in printed
    assert peers.main([*words, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["kind"], document["limit"]) == ("face", 14)
    peer, own = document["models"]
    assert peer["labels"]["happy"] == "joy"
    assert peer["parameters"] is None
    assert own["parameters"] > 0
    for one in (peer, own):
        assert one["milliseconds"] > 0
        label, majority, agreed = one["figures"].values()
        assert label["n"] == majority["n"] == 14 >= agreed["n"]
        for figures in one["figures"].values():
            assert tuple(figures["per_class"]) == MELD_LABELS
            assert {"accuracy", "weighted_f1", "macro_f1", "ece"} <= figures.keys()


def test_texts_beside_a_bundle(
    tmp_path: Path, smoke: Smoke, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Words of MELD, with the past and separator that were asked for."""
    words = ["text", str(write_spotter(tmp_path)), "--data", str(smoke.data), "--limit", "6"]
    words += ["--past", "1", "--separator", " | ", "--bundle", str(tiny_bundle)]
    words += ["--base-model", smoke.spec.llm.base]
    assert peers.main(words) == 0
    printed = capsys.readouterr().out
    assert "MELD dev, 8 examples" in printed
    assert "1 before it, between them ' | '" in printed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["face", "MODEL"], "--labels is missing"),
        (["face", "MODEL", "--labels", "a,b"], "of the classes a, b fewer than two"),
        (["face", "MODEL", "--labels", LABELS, "--past", "1"], "--past is for text models"),
        (["face", "nowhere.onnx", "--labels", LABELS], "there is no file nowhere.onnx"),
        (["face", "MODEL", "--labels", LABELS + ",contempt"], "has 7 classes, and there are 8"),
        (["face", "MODEL", "--labels", LABELS, "--limit", "0"], "--limit 0: at least 1"),
        (["face", "MODEL", "--labels", LABELS, "--size", "0"], "--size 0: at least 1"),
        (["text", "MODEL", "--size", "48"], "--size is for face models"),
        (["text", "MODEL", "--past", "-1"], "--past -1: 0 or more"),
        (["text", "MODEL", "--separator", "x"], "give --past too"),
        (["text", "no-such-model"], "there is no model no-such-model"),
    ],
)
def test_a_mistake_is_one_line(
    words: list[str],
    message: str,
    model: str,
    smoke: Smoke,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 2, and what is wrong."""
    given = [model if word == "MODEL" else word for word in words]
    assert peers.main([*given, "--data", str(smoke.data)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_a_folder_without_the_corpus_is_explained(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is looked for is in the message."""
    words = ["face", model, "--labels", LABELS, "--data", str(tmp_path)]
    assert peers.main(words) == 2
    assert "fer2013" in capsys.readouterr().err
    assert peers.main(["text", "x/y", "--data", str(tmp_path)]) == 2
    assert "dev_sent_emo.csv" in capsys.readouterr().err


def test_a_file_that_is_no_onnx_is_explained(
    smoke: Smoke, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pointer of Git LFS in place of the weights, say."""
    path = tmp_path / "pointer.onnx"
    path.write_text("version https://git-lfs.github.com/spec/v1\n")
    words = ["face", str(path), "--labels", LABELS, "--data", str(smoke.data)]
    assert peers.main(words) == 2
    assert "onnxruntime cannot read" in capsys.readouterr().err


def test_numbers_between_commas(capsys: pytest.CaptureFixture[str]) -> None:
    """A word in --mean is a mistake of the command line."""
    with pytest.raises(SystemExit) as ended:
        peers.main(["face", "m.onnx", "--data", "data", "--mean", "imagenet"])
    assert ended.value.code == 2
    assert "no number" in capsys.readouterr().err
