"""The benchmark trains the same turns both ways, and counts what it says it counts."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import pytest
import torch

from benchmarks import packed
from benchmarks.packed import Comparison, SchemeFigures, compare, train_step
from benchmarks.schemes import (
    batches_of,
    packed_samples,
    padded_tokens,
    scored_rows,
    single_samples,
)
from engine.model.model import EmotionModel
from training.datasets.dialogues import Dialogue
from training.datasets.meld import read_meld
from training.smoke import Smoke


@pytest.fixture(scope="module")
def model(smoke: Smoke) -> EmotionModel:
    """The compact spec on the random LLaMA."""
    torch.manual_seed(0)
    return packed._build(smoke.spec.llm.base)


@pytest.fixture(scope="module")
def dialogues(smoke: Smoke) -> list[Dialogue]:
    """Twelve of four turns each."""
    return read_meld(smoke.data / "meld" / "train_sent_emo.csv")


def test_every_utterance_is_scored_once_in_both(
    model: EmotionModel, dialogues: list[Dialogue]
) -> None:
    """The same labels, in a sequence per dialogue or one per utterance with its past."""
    whole = packed_samples(dialogues, model.spec.labels, model.prompt)
    single = single_samples(dialogues, model.spec.labels, model.prompt, past=2)
    assert [label for s in whole for label in s.labels] == [s.labels[0] for s in single]
    assert len(whole) == len(dialogues)
    assert [len(s.turns) for s in single] == [1, 2, 3, 3] * len(dialogues)
    assert single[3].turns[-1].text == dialogues[0].utterances[3].text
    assert single[3].turns[0].text == dialogues[0].utterances[1].text


@torch.no_grad()
def test_both_have_the_same_scores_where_the_past_is_whole(
    model: EmotionModel, dialogues: list[Dialogue]
) -> None:
    """With enough past utterances the two ways differ in nothing but cost."""
    model.train()
    labels, prompt = model.spec.labels, model.prompt
    whole = packed_samples(dialogues, labels, prompt)
    single = single_samples(dialogues, labels, prompt, past=8)
    scores = [model([s.turns for s in of])[scored_rows(of)] for of in (whole, single)]
    assert len(scores[0]) == 4 * len(dialogues)
    torch.testing.assert_close(scores[0], scores[1], atol=1e-4, rtol=0)


def ticking() -> Callable[[], float]:
    """A clock on which every look takes a second."""
    now = iter(range(10_000))
    return lambda: float(next(now))


def test_tokens_are_of_the_whole_epoch_and_seconds_extrapolated(
    model: EmotionModel, dialogues: list[Dialogue]
) -> None:
    """Each batch takes one second on this clock, so seconds are batches, scaled to the epoch."""
    result = compare(model, dialogues, drawn=3, batch_tokens=200, clock=ticking())
    every = packed_samples(dialogues, model.spec.labels, model.prompt)
    assert result.dialogues == 3
    assert result.packed.sequences == 12
    assert result.single.sequences == 48
    assert result.packed.tokens == sum(sample.tokens for sample in every)
    batches = batches_of(every, 200, seed=5)
    assert result.packed.padded_tokens == sum(map(padded_tokens, batches))
    assert result.packed.measured_seconds == math.ceil(result.packed.measured_seconds) >= 1
    scale = result.packed.padded_tokens / result.packed.measured_tokens
    assert scale == pytest.approx(4, rel=0.2)
    assert result.packed.seconds == pytest.approx(scale * result.packed.measured_seconds)
    assert result.token_ratio > 2


def test_ratios_are_of_one_by_one_to_packed() -> None:
    """Faster and fewer are numbers above one."""
    whole = SchemeFigures(10, 100, 120, measured_tokens=12, measured_seconds=1.0)
    single = SchemeFigures(40, 400, 480, measured_tokens=48, measured_seconds=3.0)
    result = Comparison("base", 1, 10, 8, 1, 700, whole, single)
    assert (whole.seconds, single.seconds) == (10, 30)
    assert result.speedup == 3
    assert result.token_ratio == 4


def test_a_step_trains(model: EmotionModel, dialogues: list[Dialogue]) -> None:
    """What is timed is a whole update: the loss of a batch falls."""
    batch = packed_samples(dialogues[:4], model.spec.labels, model.prompt)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-2)
    losses = [train_step(model, batch, optimizer) for _ in range(15)]
    assert losses[-1] < 0.75 * losses[0]


def test_the_command_prints_both(smoke: Smoke, capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON and as a table, on a corpus in the layout of docs/data.md or a synthesised one."""
    base = ["--base", smoke.spec.llm.base, "--dialogues", "1", "--threads", "1"]
    assert packed.main([*base, "--data", str(smoke.data), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["single"]["seconds"] > 0
    assert printed["speedup"] == printed["single"]["seconds"] / printed["packed"]["seconds"]
    assert packed.main(base) == 0
    assert "extrapolated" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "/nowhere"], "/nowhere/meld/train_sent_emo.csv"),
        (["--dialogues", "0"], "--dialogues: at least 1"),
        (["--base", "no-such-model"], "there is no model no-such-model"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and what is wrong."""
    assert packed.main([*arguments, "--threads", "1"]) == 2
    assert message in capsys.readouterr().err
