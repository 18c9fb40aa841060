"""Tables and the page say what the document says, and nothing else."""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from rich.console import Console

from tests.training.ablation.factory import outcome
from training.ablation.comparison import compare
from training.ablation.document import About, to_document, update_notes
from training.ablation.experiment import Experiment
from training.ablation.page import WIDTH, ablation_page, bars, forest, two_stages
from training.ablation.sample import Sample
from training.ablation.table import print_tables
from training.ablation.units import duration, operations, points
from training.ablation.variants import VARIANTS
from training.script import Job
from training.smoke import Smoke

BOTH = ("stage1", "stage2")
NAMES = ("full", "without-posture", "without-behaviour", "single-stage", "context-1")
SKIPPED = {"without-text": "dev is words alone", "flat-prompt": "the prompt is flat as it is"}
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def document(smoke: Smoke, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Posture is worth much, a single stage and no history nothing that can be shown."""
    folder = tmp_path_factory.mktemp("page")
    recipe = dataclasses.replace(smoke.recipe, name=HOSTILE)
    job = Job(recipe, smoke.data, folder, folder, options=argparse.Namespace())
    experiment = Experiment(job, [VARIANTS[name] for name in NAMES], (1, 2), Sample())
    outcomes = {
        "full": [outcome(0.9, seed, stages=BOTH) for seed in (1, 2)],
        "without-posture": [outcome(0.4, seed + 2, stages=BOTH) for seed in (1, 2)],
        "without-behaviour": [outcome(0.9, seed) for seed in (1, 2)],
        "single-stage": [outcome(0.9, seed + 4) for seed in (1, 2)],
        "context-1": [outcome(0.88, seed + 6, stages=BOTH) for seed in (1, 2)],
    }
    about = About("python -m training.ablate 'x y'", synthesised=True, resamples=300)
    return to_document(experiment, outcomes, SKIPPED, about)


class Reader(HTMLParser):
    """Elements and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember."""
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        """Remember."""
        self.text += data


def test_the_document_is_json(document: dict[str, Any]) -> None:
    """No value that JSON lacks; figures, costs and epochs of every variant."""
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert tuple(document["variants"]) == NAMES
    full, posture = (document["variants"][name] for name in NAMES[:2])
    assert full["differences"] == {}
    found = posture["differences"]["weighted_f1"]
    assert found["value"] == pytest.approx(
        posture["figures"]["weighted_f1"] - full["figures"]["weighted_f1"]
    )
    assert found["low"] <= found["value"] <= found["high"] < 0
    assert (full["epochs"], full["costs"]["stage1"]["tokens"]) == ({"stage1": 1, "stage2": 3}, 1000)
    assert document["variants"]["single-stage"]["epochs"] == {"stage1": 0, "stage2": 3}
    assert document["variants"]["without-behaviour"]["parts"] == []
    assert "posture" not in posture["parts"]
    assert (document["dialogues"], document["turns"]) == (40, 200)
    assert document["train_dialogues"] == 12


def test_answers_come_from_the_figures(document: dict[str, Any]) -> None:
    """What helps helps, what is equal cannot be told, and what was left out has its reason."""
    behaviour, stages, prompts = document["answers"].values()
    verdicts = {answer["subject"]: answer["verdict"] for answer in behaviour}
    undecided = "no difference that this data can show"
    assert verdicts == {
        "Posture": "helps",
        "Behaviour as a whole": undecided,
        "Facial expression": "not asked",
        "Body language": "not asked",
    }
    assert stages[0]["verdict"] == undecided
    assert prompts[0]["verdict"] == "not asked"


def test_budgets_are_told(document: dict[str, Any]) -> None:
    """What single-stage sees of descriptions, and that contexts are not for free."""
    notes = " ".join(document["budget"])
    assert "in each of the 3 epochs of stage 2; full learns it in 1 of stage 1" in notes
    assert "A shorter context" in notes
    assert "share one that was trained once" in notes
    assert "others had clearly more" not in notes


def test_other_numbers_of_updates_are_told() -> None:
    """Whoever was trained for longer may be better for that alone."""
    rows = compare({"full": [outcome(0.5)], "context-1": [outcome(0.6, 2)]}, resamples=100)
    assert update_notes(rows) == []
    cost = dataclasses.replace(rows[1].costs["stage2"], updates=9)
    rows[1] = dataclasses.replace(rows[1], costs={"stage2": cost})
    (note,) = update_notes(rows)
    assert "full had 7 updates; others had clearly more or fewer: context-1 9." in note


def test_the_page_has_all_of_it(document: dict[str, Any]) -> None:
    """Every variant, answer, reason and note; a script in a name stays text."""
    page = ablation_page(document)
    read = Reader(page)
    assert "script" not in read.tags
    assert HOSTILE in read.text
    assert "its figures and answers mean nothing" in read.text
    said = [answer["sentence"] for given in document["answers"].values() for answer in given]
    for text in (*NAMES, *said, *SKIPPED.values(), *document["budget"], document["basis"]):
        assert text in read.text
    assert document["about"]["command"] in read.text
    found = document["variants"]["without-posture"]["differences"]["macro_f1"]
    assert f"{points(found['low'])} to {points(found['high'])}" in read.text
    assert read.tags.count("svg") == 2
    assert not re.search(r"(src|href)=\"(?!#)", page)  # one file


def test_real_data_have_no_warning(document: dict[str, Any]) -> None:
    """Only what is synthesised is called so."""
    about = {**document["about"], "synthesised": False}
    assert 'id="synthesised"' not in ablation_page({**document, "about": about})


def test_one_seed_has_no_deviation_on_the_page(document: dict[str, Any]) -> None:
    """The page renders without them and says so."""
    rows = {name: {**row, "deviations": None} for name, row in document["variants"].items()}
    page = ablation_page({**document, "seeds": [1], "variants": rows, "skipped": {}})
    assert "One seed: no deviation is known." in page
    assert "±" not in page


def test_the_forest_is_in_the_drawing(document: dict[str, Any]) -> None:
    """Low, value and high in order and inside; 0 in the middle of what is beside the names."""
    drawn = forest(document)
    assert [row["name"] for row in drawn["rows"]] == list(NAMES[1:])
    for row in drawn["rows"]:
        assert drawn["left"] <= row["low"] <= row["value"] <= row["high"] <= drawn["right"]
        assert row["y"] < drawn["bottom"]
    (zero,) = [tick["x"] for tick in drawn["ticks"] if tick["text"] == "0"]
    assert zero == pytest.approx((drawn["left"] + drawn["right"]) / 2)
    assert drawn["rows"][0]["high"] < zero
    assert 5 <= len(drawn["ticks"]) <= 11


def test_bars_are_the_operations(document: dict[str, Any]) -> None:
    """Both stages end to end; a variant without stage 1 is half as long here."""
    drawn = {row["name"]: row for row in bars(document)["rows"]}
    full, baseline = drawn["full"], drawn["without-behaviour"]
    assert full["first"] == full["second"] == baseline["second"] > 0
    assert baseline["first"] == 0
    assert full["first"] + full["second"] < WIDTH


def test_the_cost_of_two_stages_in_words(document: dict[str, Any]) -> None:
    """Shares of stage 1, and the single stage beside both; nothing where there is one stage."""
    text = two_stages(document)
    assert text.startswith("Stage 1 of full takes 50 % of the tokens, 50 % of the operations")
    assert "single-stage takes 50 % of the operations of full" in text
    costs = {"stage2": document["variants"]["full"]["costs"]["stage2"]}
    full = {**document["variants"]["full"], "costs": costs}
    assert two_stages({**document, "variants": {"full": full}}) == ""


def test_tables_fit_a_terminal(document: dict[str, Any]) -> None:
    """In 80 columns nothing is cut off, however long the name and large the numbers."""
    cost = {"tokens": 123_456_789, "seconds": 7199.0, "flops": 9.99e17, "peak_memory_bytes": 8e10}
    longest = {**document["variants"]["without-posture"], "costs": {"stage2": cost}}
    rows = {**document["variants"], "without-facial-expression": longest}
    console = Console(file=io.StringIO(), width=80)
    print_tables({**document, "variants": rows}, console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "…" not in text
    assert "these figures mean nothing" in text
    for name in (*NAMES, "without-facial-expression", "123,456,789", "120.0 min", "999 P"):
        assert name in text
    found = document["variants"]["without-posture"]["differences"]["weighted_f1"]
    assert f"{found['corrected_p']:.3f}" in text
    for reason in SKIPPED.values():
        assert reason in text
    assert max(map(len, text.splitlines())) <= 80


def test_units() -> None:
    """No minus before a nought; units that a person reads."""
    assert [points(value) for value in (-0.0001, 0.0, 0.0123, -0.5)] == [
        "+0.0", "+0.0", "+1.2", "-50.0",
    ]  # fmt: skip
    assert [f"{operations(value)}FLOP" for value in (12.0, 8.9e8, 3.21e9, 2e12, 5.5e17, 2e19)] == [
        "12 FLOP", "890 MFLOP", "3.21 GFLOP", "2 TFLOP", "550 PFLOP", "20 EFLOP",
    ]  # fmt: skip
    assert [duration(value) for value in (3.14, 300, 36000)] == ["3.1 s", "5.0 min", "10.0 h"]
