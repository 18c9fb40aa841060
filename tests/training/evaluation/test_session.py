"""`training.evaluate` with several bundles, clips, other words and other labels, and its report."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from engine.model.spec import MELD_LABELS
from export.bundle import write_manifest
from tests.training.corpora_double import make_iemocap
from training.datasets.labels import IEMOCAP_LABELS
from training.evaluate import main
from training.evaluation.metrics import FIGURES
from training.evaluation.report import HEADLINES
from training.smoke import Smoke

ASSETS = Path(__file__).parents[2] / "assets"
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def few_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals of the few dialogues that are synthesised here."""
    for module in ("summary", "document"):
        monkeypatch.setattr(f"training.evaluation.{module}.LEAST_DIALOGUES", 2)


@pytest.fixture
def run(feature_cache: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command with --json and returns the object that it prints."""

    def call(*words: object) -> dict[str, Any]:
        options = ["--json", "--cache", str(feature_cache), "--threads", "1", "--jobs", "1"]
        capsys.readouterr()
        assert main([*map(str, words), *options]) == 0, capsys.readouterr().err
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    return call


@pytest.fixture(scope="module")
def seeds(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The tiny bundle, and two that differ from it as other seeds do."""
    bundles = [tiny_bundle]
    for seed in (2, 3):
        bundle = tmp_path_factory.mktemp("seeds") / f"seed{seed}"
        shutil.copytree(tiny_bundle, bundle)
        rng = np.random.default_rng(seed)
        path = bundle / "lora.safetensors"
        weights = {
            name: (value + rng.normal(0, 0.3, value.shape)).astype(value.dtype)
            for name, value in load_file(path).items()
        }
        save_file(weights, path)
        record = json.loads((bundle / "training.json").read_text()) | {"seed": seed}
        (bundle / "training.json").write_text(json.dumps(record))
        write_manifest(bundle)
        bundles.append(bundle)
    return bundles


@pytest.fixture
def dev(smoke: Smoke) -> Path:
    """The words of the dev split."""
    return smoke.data / "meld" / "dev_sent_emo.csv"


class Page(HTMLParser):
    """The tables of a report by id, and its pictures."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.pictures: dict[str, str] = {}
        self.scripts = 0
        self._rows: list[list[str]] | None = None
        self._cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open a table, a row or a cell; keep a picture."""
        given = dict(attrs)
        if tag == "table":
            self._rows = self.tables.setdefault(given["id"] or "", [])
        elif tag == "tr" and self._rows is not None:
            self._rows.append([])
        elif tag in ("td", "th") and self._rows:
            self._rows[-1].append("")
            self._cell = True
        elif tag == "img":
            self.pictures[given["id"] or ""] = given["src"] or ""
        self.scripts += tag == "script"

    def handle_endtag(self, tag: str) -> None:
        """Close a cell."""
        self._cell = self._cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        """Text of a cell."""
        if self._cell and self._rows:
            self._rows[-1][-1] += data


def percent(share: float) -> str:
    """As the report has it."""
    return f"{100 * share:.1f} %"


@pytest.mark.usefixtures("few_will_do")
def test_several_bundles(run: Run, seeds: list[Path], dev: Path, tmp_path: Path) -> None:
    """Mean and deviation over bundles, each by itself, and all of it in the report."""
    report, png = tmp_path / "out" / "report.html", tmp_path / "out" / "confusion.png"
    found = run(*seeds, "meld", dev, "--report", report, "--png", png)
    alone = [run(bundle, "meld", dev) for bundle in seeds]
    assert "face.safetensors" in found["about"]["shared"]
    assert "lora.safetensors" not in found["about"]["shared"]
    assert all(one["about"]["shared"] == [] for one in alone)
    for name in FIGURES:
        values = [one[name] for one in alone]
        assert [one[name] for one in found["runs"]] == pytest.approx(values)
        assert found[name] == pytest.approx(np.mean(values))
        assert found["deviation"][name] == pytest.approx(np.std(values, ddof=1))
        low, high = found["intervals"][name]
        assert low <= high
    assert len({one["accuracy"] for one in alone}) > 1
    assert alone[0]["deviation"] is None
    assert [one["training"]["seed"] for one in found["runs"]] == [1, 2, 3]
    assert np.sum(found["confusion"]) == 3 * found["n"] == 72
    joy = [one["per_class"]["joy"]["f1"] for one in alone]
    assert found["per_class"]["joy"]["f1"] == pytest.approx(np.mean(joy))

    page = Page(report.read_text(encoding="utf-8"))
    figures = {row[0]: row[1:] for row in page.tables["figures"][1:]}
    for name, wording in HEADLINES.items():
        ends = " to ".join(map(percent, found["intervals"][name]))
        assert figures[wording] == [percent(found[name]), ends, percent(found["deviation"][name])]
    classes = {row[0]: row[1:] for row in page.tables["classes"][1:]}
    for label, one in found["per_class"].items():
        f1 = found["intervals"]["f1"][label]
        ends = " to ".join(map(percent, f1)) if f1 else "\u2013"
        shares = [percent(one[name]) for name in ("precision", "recall", "f1")]
        assert classes[label] == [*shares, ends, str(one["support"])]
    for row, one in zip(page.tables["runs"][1:], found["runs"], strict=True):
        assert row[:3] == [one["bundle"], one["sha256"][:12], str(one["training"]["seed"])]
        assert row[3:] == [percent(one[name]) for name in HEADLINES]
    stage = found["runs"][0]["training"]["stages"][0]
    assert page.tables["cost"][1][4] == f"{stage['tokens']:,}"
    chosen = [row[1] for row in page.tables["epochs"][1:] if row[4] == "yes"]
    assert chosen == [one["training"]["chosen"] for one in found["runs"]]
    embedded = page.pictures["confusion"].removeprefix("data:image/png;base64,")
    assert base64.b64decode(embedded) == png.read_bytes()
    assert page.pictures["reliability"].startswith("data:image/png;base64,")
    assert page.scripts == 0


def test_the_report_has_the_command(run: Run, seeds: list[Path], dev: Path, tmp_path: Path) -> None:
    """What was typed, quoted for a shell and escaped for a page; and the versions."""
    report = tmp_path / "<b>&report.html"
    found = run(seeds[0], "meld", dev, "--report", report)
    assert found["about"]["command"].startswith("python -m training.evaluate ")
    assert f"'{report}'" in found["about"]["command"]
    text = report.read_text(encoding="utf-8")
    assert "&lt;b&gt;&amp;report.html" in text
    assert "<b>" not in text
    assert found["about"]["context"] == "past"
    assert set(found["about"]["versions"]) > {"python", "torch", "transformers"}


def test_zero_shot(run: Run, seeds: list[Path], dev: Path, tmp_path: Path) -> None:
    """Nothing trained is used: seeds agree, differ from the trained model, and it is said."""
    report = tmp_path / "report.html"
    found = run(*seeds[:2], "meld", dev, "--zero-shot", "--report", report)
    assert set(found["deviation"].values()) == {0.0}
    assert found["about"]["zero_shot"] is True
    assert [one["training"] for one in found["runs"]] == [None] * 2
    trained = run(seeds[0], "meld", dev)
    assert found["ece"] != trained["ece"]
    assert found["reliability"] != trained["reliability"]
    text = report.read_text(encoding="utf-8")
    assert "Zero-shot" in text
    assert "cost" not in Page(text).tables


def test_a_folder_is_scored_with_its_clips(run: Run, seeds: list[Path], smoke: Smoke) -> None:
    """All modalities of dev; without two of them, the words of the csv; test is not there."""
    meld = smoke.data / "meld"
    found = run(seeds[0], "meld", meld)
    assert (found["n"], found["about"]["split"]) == (24, "dev")
    assert found["modalities"] == {"text": 24, "audio": 24, "video": 24}
    assert found["clips"]["clips"] == 24
    words = run(seeds[0], "meld", meld, "--without", "audio", "--without", "video")
    csv = run(seeds[0], "meld", meld / "dev_sent_emo.csv")
    assert words["confusion"] == csv["confusion"]
    assert words["ece"] == pytest.approx(csv["ece"], abs=1e-4)
    train = ("--split", "train", "--without", "audio", "--without", "video")
    assert run(seeds[0], "meld", meld, *train)["n"] == 48


def write_talk(folder: Path, labels: tuple[str, ...], emotions: list[str]) -> Path:
    """A manifest of two dialogues with two utterances each, of a recording with two sentences."""
    folder.mkdir()
    shutil.copy(ASSETS / "speech.wav", folder / "speech.wav")
    first, second = (ASSETS / "speech.txt").read_text().splitlines()
    lines: list[dict[str, Any]] = [{"labels": list(labels)}]
    for index, emotion in enumerate(emotions):
        entry = {
            "split": "dev",
            "dialogue": f"d{index // 2}",
            "utterance": index % 2,
            "speaker": "Ann",
            # The human transcript of the first sentence has two words too many.
            "text": second if index % 2 else f"Well well {first}",
            "emotion": emotion,
            "audio": "speech.wav",
        }
        cut = {"start": 5.0} if index % 2 else {"start": 0.0, "end": 5.0}
        lines.append(entry | cut)
    path = folder / "manifest.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return folder


@pytest.mark.usefixtures("few_will_do")
def test_the_recognisers_own_words(run: Run, seeds: list[Path], tmp_path: Path) -> None:
    """Both kinds of words side by side, with their difference and the word error rate."""
    emotions = ["joy", "neutral", "fear", "anger"]
    folder = write_talk(tmp_path / "talk", MELD_LABELS, emotions)
    report = tmp_path / "report.html"
    command = (seeds[0], "manifest", folder, "--without", "audio", "--without", "video")
    both = run(*command, "--transcripts", "both", "--report", report)
    asr = run(*command, "--transcripts", "asr")
    human = run(*command)
    for name in FIGURES:
        assert both[name] == human[name]
        assert both["asr"][name] == asr[name]
        difference = both["difference"][name]
        assert difference["value"] == pytest.approx(asr[name] - human[name])
        assert 0 < difference["p_value"] <= 1
    # The words of the confidence differ, so the error of calibration does.
    assert asr["ece"] != human["ece"]
    heard = both["transcripts"]
    assert (heard["word_errors"], heard["unheard"]) == (4, 0)
    assert heard["word_error_rate"] == pytest.approx(4 / heard["reference_words"])
    assert asr["transcripts"] == heard
    rows = {row[0]: row[1:] for row in Page(report.read_text()).tables["transcripts"][1:]}
    assert rows["weighted F1"][:2] == [percent(human["weighted_f1"]), percent(asr["weighted_f1"])]


def test_utterances_without_an_emotion_are_context(
    run: Run, seeds: list[Path], tmp_path: Path
) -> None:
    """They are counted and not scored, but those after them are read after them."""
    folder = write_talk(tmp_path / "talk", MELD_LABELS, ["", "joy", "", "joy"])
    words = ("--without", "audio", "--without", "video")
    found = run(seeds[0], "manifest", folder, *words)
    assert (found["n"], found["unlabelled"], found["dialogues"]) == (2, 2, 2)
    assert "clips" not in found  # none was read
    lines = (folder / "manifest.jsonl").read_text().splitlines()
    alone = tmp_path / "alone.jsonl"
    kept = [line for line in lines if '"emotion": ""' not in line]
    alone.write_text("\n".join(kept).replace("speech.wav", "talk/speech.wav"))
    without_context = run(seeds[0], "manifest", alone, *words)
    assert without_context["n"] == 2
    confidence = [one["confidence"] for one in found["reliability"]]
    assert confidence != [one["confidence"] for one in without_context["reliability"]]


def test_six_labels(run: Run, seeds: list[Path], tmp_path: Path) -> None:
    """A bundle of IEMOCAP's labels on its release: dev unless test is asked for, in six labels."""
    bundle = tmp_path / "six"
    shutil.copytree(seeds[0], bundle)
    spec = json.loads((bundle / "spec.json").read_text()) | {"labels": IEMOCAP_LABELS}
    (bundle / "spec.json").write_text(json.dumps(spec))
    write_manifest(bundle)
    folder = make_iemocap(tmp_path / "iemocap")
    found = run(bundle, "iemocap", folder, "--zero-shot")
    assert tuple(found["per_class"]) == tuple(found["labels"]) == IEMOCAP_LABELS
    assert np.shape(found["confusion"]) == (6, 6)
    support = {label: one["support"] for label, one in found["per_class"].items()}
    assert support == dict.fromkeys(IEMOCAP_LABELS, 0) | {"neutral": 1, "frustrated": 1}
    assert (found["dialogues"], found["intervals"]) == (1, None)
    test = run(bundle, "iemocap", folder, "--zero-shot", "--split", "test")
    assert (test["n"], test["unlabelled"], test["about"]["split"]) == (1, 1, "test")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("B", "meld", "CSV", "--split", "dev"), "--split"),
        (("B", "meld", "MELD", "--split", "test"), "train, dev"),
        (("B", "fer2013", "DATA/fer2013", "--split", "dev"), "--split"),
        (("B", "fer2013", "DATA/fer2013", "--zero-shot"), "--zero-shot"),
        (("B", "ravdess", "DATA/ravdess", "--transcripts", "asr"), "--transcripts"),
        (("B", "meld", "CSV", "--transcripts", "both"), "no clip with sound"),
        (("B", "meld", "CSV", "--report", "DATA"), "--report"),
        (("B", "meld", "CSV", "--png", "DATA"), "--png"),
        (("B", "B", "meld", "CSV"), "twice"),
        (("B", "manifest", "TALK"), "calm, tense"),
        (("B", "iemocap", "DATA/meld"), "Session1"),
    ],
)
def test_a_mistake_is_said(
    smoke: Smoke,
    tiny_bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    message: str,
) -> None:
    """Exit code 2, nothing on standard output, what is wrong on standard error."""
    talk = write_talk(tmp_path / "talk", ("calm", "tense"), ["calm", "tense"])
    places = {"B": tiny_bundle, "MELD": smoke.data / "meld", "TALK": talk}
    places["CSV"] = smoke.data / "meld" / "dev_sent_emo.csv"
    given = [str(places.get(w, w.replace("DATA", str(smoke.data)))) for w in words]
    assert main([*given, "--json", "--cache", str(tmp_path), "--threads", "1"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert message in err.partition("error: ")[2]


def test_nothing_to_score_is_said(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file whose turns all have emotions that the bundle does not know."""
    folder = write_talk(tmp_path / "talk", MELD_LABELS, ["", ""])
    options = ["--cache", str(tmp_path), "--threads", "1", "--jobs", "1"]
    assert main([str(tiny_bundle), "manifest", str(folder), *options]) == 2
    assert "none of the 2 turns has one of the bundle's labels" in capsys.readouterr().err


def test_bundles_with_other_labels_are_not_averaged(
    tiny_bundle: Path, dev: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their figures speak of different things."""
    other = tmp_path / "other"
    shutil.copytree(tiny_bundle, other)
    spec = json.loads((other / "spec.json").read_text()) | {"labels": MELD_LABELS[::-1]}
    (other / "spec.json").write_text(json.dumps(spec))
    write_manifest(other)
    assert main([str(tiny_bundle), str(other), "meld", str(dev)]) == 2
    assert "score them one at a time" in capsys.readouterr().err


def test_a_report_that_cannot_be_written_does_not_cost_the_figures(
    tiny_bundle: Path, dev: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are printed, and then what is wrong."""
    (tmp_path / "file").write_text("")
    report = tmp_path / "file" / "report.html"
    words = [str(tiny_bundle), "meld", str(dev), "--json", "--report", str(report)]
    assert main([*words, "--threads", "1"]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["n"] == 24
    assert "the figures are above" in err
