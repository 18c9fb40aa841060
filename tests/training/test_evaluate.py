"""The command that scores a bundle, as a user types it."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.model.spec import MELD_LABELS
from training.datasets.emorynlp import COLUMNS
from training.evaluate import main
from training.smoke import Smoke

FIGURES = {"accuracy", "weighted_f1", "macro_f1", "unweighted_accuracy", "ece"}

Score = Callable[..., dict[str, Any]]


@pytest.fixture
def score(tiny_bundle: Path, feature_cache: Path, capsys: pytest.CaptureFixture[str]) -> Score:
    """Runs the command with --json and returns the object that it prints."""

    def run(*words: object) -> dict[str, Any]:
        options = ["--json", "--cache", str(feature_cache), "--threads", "1"]
        assert main([str(tiny_bundle), *map(str, words), *options]) == 0
        printed = capsys.readouterr().out
        assert printed.count("\n") == 1
        result: dict[str, Any] = json.loads(printed)
        assert {"n", "per_class", *FIGURES} <= result.keys()
        assert all(0 <= result[name] <= 1 for name in FIGURES)
        assert tuple(result["per_class"]) == MELD_LABELS
        assert sum(one["support"] for one in result["per_class"].values()) == result["n"]
        hits = sum(one["recall"] * one["support"] for one in result["per_class"].values())
        assert result["accuracy"] == pytest.approx(hits / result["n"])
        return result

    return run


def figures(result: dict[str, Any]) -> dict[str, Any]:
    """All but what says how they came about."""
    return {key: value for key, value in result.items() if key != "about"}


def composed(smoke: Smoke) -> tuple[object, ...]:
    """The words of the command for the composed dev set."""
    faces = smoke.data / "fer2013" / "PublicTest.parquet"
    return (
        "composed",
        smoke.data / "meld" / "dev_sent_emo.csv",
        "--faces",
        faces,
        "--speech",
        (smoke.data),
    )


def test_meld(smoke: Smoke, score: Score) -> None:
    """Words: every utterance of the csv, and no figures of other corpora."""
    result = score("meld", smoke.data / "meld" / "dev_sent_emo.csv")
    assert result["n"] == 24
    assert not {"left_out", "unlabelled", "asr", "transcripts", "clips"} & result.keys()
    assert result["modalities"] == {"text": 24, "audio": 0, "video": 0}
    assert (result["dialogues"], result["about"]["split"]) == (6, None)


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_predictions_of_every_turn(smoke: Smoke, score: Score, tmp_path: Path, suffix: str) -> None:
    """With where it is, from what, and probabilities that give the figures again."""
    path = tmp_path / "new" / f"said.{suffix}"
    result = score("meld", smoke.data / "meld" / "dev_sent_emo.csv", "--predictions", path)
    text = path.read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = (
        list(csv.DictReader(text.splitlines()))
        if suffix == "csv"
        else [json.loads(line) for line in text.splitlines()]
    )
    assert len(rows) == result["n"]
    hits = sum(row["truth"] == row["prediction"] for row in rows)
    assert hits / len(rows) == pytest.approx(result["accuracy"])
    assert len({(row["dialogue"], row["utterance"]) for row in rows}) == len(rows)
    used = {"text"} if suffix == "csv" else {("text",)}
    assert {
        row["modalities"] if suffix == "csv" else tuple(row["modalities"]) for row in rows
    } == used
    for row in rows:
        named = row.get("probabilities") or {
            name.removeprefix("p_"): float(value)
            for name, value in row.items()
            if name.startswith("p_")
        }
        assert tuple(named) == MELD_LABELS
        assert sum(named.values()) == pytest.approx(1, abs=1e-4)
        assert max(named, key=named.__getitem__) == row["prediction"]


def test_predictions_of_another_kind_are_refused(
    tiny_bundle: Path, smoke: Smoke, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is scored."""
    table = smoke.data / "meld" / "dev_sent_emo.csv"
    assert main([str(tiny_bundle), "meld", str(table), "--predictions", "said.xlsx"]) == 2
    assert ".csv or .jsonl" in capsys.readouterr().err


def test_what_there_was_and_what_cannot_be_told_is_said(
    tiny_bundle: Path, smoke: Smoke, capsys: pytest.CaptureFixture[str]
) -> None:
    """How many turns had which modality, and that few dialogues have no intervals."""
    table = smoke.data / "meld" / "dev_sent_emo.csv"
    assert main([str(tiny_bundle), "meld", str(table), "--threads", "1"]) == 0
    out = capsys.readouterr().out
    assert "words 24, voice 0, pictures 0 of 24 turns" in out
    assert "too few dialogues (6) for intervals: at least 30" in out


def test_fer2013(smoke: Smoke, score: Score) -> None:
    """Faces: a parquet, or the PublicTest of its folder; with the FERPlus majority beside."""
    result = score("fer2013", smoke.data / "fer2013" / "PublicTest.parquet")
    assert (result["n"], result["ferplus_n"], result["ferplus_agreed_n"]) == (35, 35, 35)
    assert 0 <= result["ferplus_accuracy"] <= 1
    # In the synthesised pictures both labels agree.
    assert result["ferplus_accuracy"] == pytest.approx(result["accuracy"])
    assert figures(score("fer2013", smoke.data / "fer2013")) == figures(result)


def test_poor_pictures(smoke: Smoke, score: Score) -> None:
    """The same faces, other pictures; a seed decides which."""
    path = smoke.data / "fer2013" / "PublicTest.parquet"
    clean, one, again, other = (
        score("fer2013", path, *words)
        for words in ((), ("--degraded",), ("--degraded",), ("--degraded", "--seed", "2"))
    )
    assert one["about"]["degraded"]
    assert (one["n"], one["ferplus_n"]) == (clean["n"], clean["ferplus_n"])
    assert figures(one) == figures(again)
    assert len({result["ece"] for result in (clean, one, other)}) == 3


def test_ravdess(smoke: Smoke, score: Score) -> None:
    """Voices: all actors of the folder, or those that are named."""
    assert score("ravdess", smoke.data / "ravdess")["n"] == 24
    named = score("ravdess", smoke.data / "ravdess", "--speakers", "17")
    assert named["n"] == 8
    assert named["per_class"]["neutral"]["support"] == 2
    assert figures(score("ravdess", smoke.data, "--speakers", "dev")) == figures(named)


def test_composed(smoke: Smoke, score: Score) -> None:
    """All three; the same figures again with the same seed."""
    words = (*composed(smoke), "--speakers", "dev")
    result = score(*words)
    assert result["n"] == 24
    again = score(*words)
    assert {k: again[k] for k in FIGURES} == pytest.approx(
        {k: result[k] for k in FIGURES}, abs=1e-4
    )


def test_women_and_men_are_told_apart(smoke: Smoke, score: Score) -> None:
    """RAVDESS's odd actors are men; together they are all turns. Words have no such table."""
    result = score("ravdess", smoke.data / "ravdess")
    assert {gender: one["n"] for gender, one in result["by_gender"].items()} == {
        "female": 8,
        "male": 16,
    }
    right = sum(one["accuracy"] * one["n"] for one in result["by_gender"].values())
    assert right / 24 == pytest.approx(result["accuracy"])
    assert score("meld", smoke.data / "meld" / "dev_sent_emo.csv")["by_gender"] == {}


def test_abstaining_is_told(smoke: Smoke, score: Score) -> None:
    """The curve ends at the accuracy of all; the bundle answers about what it was made to."""
    result = score("meld", smoke.data / "meld" / "dev_sent_emo.csv")
    curve = result["risk_coverage"]
    assert curve["accuracy_at"]["1"] == pytest.approx(result["accuracy"])
    assert curve["curve"][-1] == pytest.approx([1, 1 - result["accuracy"]])
    assert 0.75 <= result["answered"] <= 1


def test_noise_spoils_the_words(smoke: Smoke, score: Score) -> None:
    """As many as asked for, the same ones each time; without any only case and signs are lost."""
    path = smoke.data / "meld" / "dev_sent_emo.csv"
    noisy = score("meld", path, "--noise", "0.5")
    assert 0.3 < noisy["transcripts"]["word_error_rate"] < 0.7
    assert noisy["about"]["noise"] == 0.5
    assert figures(score("meld", path, "--noise", "0.5")) == figures(noisy)
    plain = score("meld", path, "--noise", "0")
    assert plain["transcripts"]["word_error_rate"] == 0
    clean = score("meld", path)  # the synthesised words are in lower case already
    assert {k: plain[k] for k in FIGURES} == pytest.approx({k: clean[k] for k in FIGURES}, abs=1e-4)


def test_punctuated_noise(smoke: Smoke, score: Score) -> None:
    """The same words are wrong; what differs is how they are written."""
    path = smoke.data / "meld" / "dev_sent_emo.csv"
    plain = score("meld", path, "--noise", "0.3")
    punctuated = score("meld", path, "--noise", "0.3", "--punctuated")
    assert punctuated["about"]["punctuated"] is True
    assert punctuated["transcripts"] == plain["transcripts"]


def test_halves_of_the_composed_voices(smoke: Smoke, score: Score) -> None:
    """The same words, and other pictures."""
    words = (*composed(smoke), "--speakers", "dev")
    first, second = (score(*words, "--half", half) for half in "12")
    assert first["n"] == second["n"] == 24
    assert first["reliability"] != second["reliability"]


def test_voices_and_faces_that_do_not_match_the_words(smoke: Smoke, score: Score) -> None:
    """The same words, and some voices and faces of other turns."""
    words = (*composed(smoke), "--speakers", "dev")
    matched, mismatched = (score(*words, "--mismatched", rate) for rate in ("0", "0.5"))
    assert matched["n"] == mismatched["n"]
    assert matched["reliability"] != mismatched["reliability"]
    assert "--mismatched 0.5" in mismatched["about"]["command"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("fer2013", "x", "--noise", "0.1"), "--noise: only for"),
        (("ravdess", "x", "--degraded"), "--degraded: only for"),
        (("meld", "x", "--noise", "0.1", "--transcripts", "asr"), "leave --transcripts out"),
        (("meld", "x", "--punctuated"), "--punctuated says how the words of --noise"),
        (("meld", "x", "--half", "1"), "--half: only for composed"),
        (("meld", "x", "--mismatched", "0.3"), "--mismatched: only for composed"),
    ],
)
def test_flags_that_do_not_go_together(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], complaint: str
) -> None:
    """One line, before anything is loaded."""
    assert main(["bundle", *words]) == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("rate", ["1.1", "-0.1", "nan", "much"])
def test_a_noise_that_is_no_share(capsys: pytest.CaptureFixture[str], rate: str) -> None:
    """Refused by the parser."""
    with pytest.raises(SystemExit):
        main(["bundle", "meld", "x", f"--noise={rate}"])
    assert "share from 0 to 1" in capsys.readouterr().err


def test_without_leaves_modalities_out(smoke: Smoke, score: Score) -> None:
    """Without voice and face the composed set is MELD; without everything the words say nothing."""
    meld = smoke.data / "meld" / "dev_sent_emo.csv"
    left = score(*composed(smoke), "--without", "audio", "--without", "video")
    words = score("meld", meld)
    assert left.keys() == words.keys()
    for name in FIGURES:
        assert left[name] == pytest.approx(words[name], abs=1e-4)
    for name in ("text", "audio", "video"):
        assert score(*composed(smoke), "--without", name)["n"] == 24


def test_emorynlp_leaves_out_what_has_no_counterpart(score: Score, tmp_path: Path) -> None:
    """Peaceful and powerful are counted, not scored; joyful is joy."""
    path = tmp_path / "emorynlp_dev_final.csv"
    emotions = ["Neutral", "Joyful", "Peaceful", "Powerful", "Scared", "Mad", "Sad"]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        for number, emotion in enumerate(emotions):
            values = ("oh really", "['Ann']", emotion, 1, number, 1, 1, "00:00:01,0", "00:00:02,0")
            table.writerow(dict(zip(COLUMNS, values, strict=True)))
    result = score("emorynlp", path)
    assert (result["n"], result["left_out"]) == (5, 2)
    support = {label: one["support"] for label, one in result["per_class"].items()}
    assert support == dict.fromkeys(MELD_LABELS, 1) | {"surprise": 0, "disgust": 0}


def test_a_table_without_json(
    smoke: Smoke, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For people: percentages by emotion and over all."""
    path = smoke.data / "meld" / "dev_sent_emo.csv"
    options = ["--threads", "1", "--risk-coverage"]
    assert main([str(tiny_bundle), "meld", str(path), *options]) == 0
    printed = capsys.readouterr().out
    assert "24 examples" in printed
    assert "area under the risk-coverage curve" in printed
    assert "weighted F1" in printed
    assert all(label in printed for label in MELD_LABELS)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("meld", "nowhere.csv"), "nowhere.csv"),
        (("emorynlp", "DATA/meld/dev_sent_emo.csv"), "dev_sent_emo.csv"),
        (("fer2013", "nowhere.parquet"), "nowhere.parquet"),
        (("fer2013", "DATA/meld"), "meld"),
        (("ravdess", "nowhere"), "nowhere"),
        (("emodb", "DATA/ravdess"), "emodb"),
        (("ravdess", "DATA/ravdess", "--speakers", "99"), "--speakers"),
        (("ravdess", "DATA/ravdess", "--speakers", "test"), "--speakers"),
        (("composed", "DATA/meld/dev_sent_emo.csv"), "--faces"),
        (("meld", "DATA/meld/dev_sent_emo.csv", "--base-model", "./nowhere"), "nowhere"),
    ],
)
def test_a_mistake_is_one_line(
    smoke: Smoke,
    tiny_bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    message: str,
) -> None:
    """Exit code 2, nothing on standard output, and what is wrong on standard error."""
    words = tuple(word.replace("DATA", str(smoke.data)) for word in words)
    options = ["--json", "--cache", str(tmp_path), "--threads", "1"]
    assert main([str(tiny_bundle), *words, *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err


@pytest.mark.parametrize("kind", ["missing", "file", "damaged"])
def test_a_bundle_that_is_none_is_one_line(
    smoke: Smoke, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """No folder, a file, or a bundle with a changed byte."""
    bundle = tmp_path / "bundle"
    if kind == "file":
        bundle.write_text("no bundle")
    elif kind == "damaged":
        shutil.copytree(tiny_bundle, bundle)
        (bundle / "face.safetensors").write_bytes(b"\0" * 100)
    assert main([str(bundle), "meld", str(smoke.data / "meld" / "dev_sent_emo.csv")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "words", [("mnist", "x"), ("meld",), ("meld", "x", "--without", "smell"), ("meld", "x", "--y")]
)
def test_a_wrong_command_line_exits_with_2(
    tiny_bundle: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    """The parser says what it knows."""
    with pytest.raises(SystemExit) as caught:
        main([str(tiny_bundle), *words])
    assert caught.value.code == 2
    assert "see python -m training.evaluate --help" in capsys.readouterr().err
