"""Distillation of a larger LLM's words."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stream.errors import UserError
from training import distil
from training.distil import TARGETS
from training.learning.provenance import FINISHED
from training.learning.sequences import text_sequence
from training.learning.shipped import publish
from training.recipe import read_recipe
from training.script import Job
from training.smoke import Smoke
from training.sources import Sources


@pytest.fixture
def job(smoke: Smoke, tmp_path: Path) -> Job:
    """Of the smoke recipe, with nothing trained."""
    return Job(smoke.recipe, smoke.data, tmp_path / "runs", tmp_path / "cache")


@pytest.fixture
def taught(tiny_job: Job) -> Job:
    """A job whose teacher has read the dialogues."""
    distil.train(tiny_job)
    return tiny_job


def sources(job: Job) -> Sources:
    """Of words alone, none of which is too long to be read with all before it."""

    class Prompt:
        def stretches(self, shapes: list[object], budget: object) -> list[int]:
            return [len(shapes)]

    return Sources(job, job.open_corpus(), Prompt(), None)  # type: ignore[arg-type]


def test_every_training_turn_is_scored(taught: Job) -> None:
    """Each dialogue of train, and none of dev, has a distribution for each turn."""
    dialogues = taught.open_corpus().splits["train"]
    targets = distil.read_targets(taught, dialogues)
    assert set(targets) == {one.id for one in dialogues}
    assert set(load_file(distil.folder_of(taught) / TARGETS)) == set(targets)
    for one in dialogues:
        assert targets[one.id].shape == (len(one.utterances), len(taught.spec.labels))
        torch.testing.assert_close(
            targets[one.id].sum(1), torch.ones(len(one.utterances)), atol=2e-3, rtol=0
        )


def test_no_dialogue_is_scored_by_who_was_tuned_on_it(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a fold is tuned on is all that it does not score."""
    tuned: list[set[str]] = []
    scored: list[set[str]] = []
    tune, score = distil.tune_words, distil._scores

    def tuning(job: Job, name: str, dialogues, *rest, **named):  # type: ignore[no-untyped-def]
        tuned.append({one.id for one in dialogues})
        return tune(job, name, dialogues, *rest, **named)

    def scoring(dialogues, objectives):  # type: ignore[no-untyped-def]
        scored.append({one.id for one in dialogues})
        return score(dialogues, objectives)

    monkeypatch.setattr(distil, "tune_words", tuning)
    monkeypatch.setattr(distil, "_scores", scoring)
    distil.train(job)
    everything = {one.id for one in job.open_corpus().splits["train"]}
    assert len(scored) == job.recipe.settings.distillation.folds
    for fold, others in zip(scored, tuned, strict=True):
        assert fold | others == everything
        assert not fold & others
    assert set.union(*scored) == everything


def test_words_are_learned_from_both(taught: Job) -> None:
    """A target is the label's and the teacher's, as the share says; without one the label's."""
    share = taught.recipe.settings.distillation.share
    dialogues = {one.id: one for one in taught.open_corpus().splits["train"]}
    targets = distil.read_targets(taught, list(dialogues.values()))
    # Whole dialogues, so that a sequence is told by its words.
    whole = dataclasses.replace(taught, recipe=taught.recipe.with_settings(stage2={"cut_share": 0}))
    learned = sources(whole).heard_words(random.Random(1))
    for (key, dialogue), sequence in zip(dialogues.items(), learned, strict=True):
        gold = text_sequence(dialogue, taught.spec.labels).targets
        torch.testing.assert_close(sequence.targets, (1 - share) * gold + share * targets[key])
    plain = whole.recipe.with_settings(distillation={"share": 0})
    learned = sources(dataclasses.replace(whole, recipe=plain)).heard_words(random.Random(1))
    assert all(set(one.targets.unique().tolist()) <= {0.0, 1.0} for one in learned)


def test_parts_of_a_dialogue_keep_their_turns(taught: Job) -> None:
    """A dialogue that is cut in two has the teacher's rows of its own turns in each part."""
    cut = taught.recipe.with_settings(stage2={"cut_share": 1}, distillation={"share": 1})
    learned = sources(dataclasses.replace(taught, recipe=cut)).heard_words(random.Random(1))
    dialogues = taught.open_corpus().splits["train"]
    targets = distil.read_targets(taught, dialogues)
    expected = torch.cat([targets[one.id] for one in dialogues])
    torch.testing.assert_close(torch.cat([one.targets for one in learned]), expected)


def test_shared_by_seeds_and_shares(job: Job) -> None:
    """Another seed, or another share, learns from the same teacher; another prompt does not."""
    half = job.recipe.with_settings(distillation={"share": 0.25})
    folders = {
        distil.folder_of(dataclasses.replace(job, recipe=recipe, seed=seed))
        for recipe, seed in ((job.recipe, 1), (job.recipe, 2), (half, 1))
    }
    assert len(folders) == 1
    other = dataclasses.replace(job, recipe=job.recipe.with_spec(prompt={"cue": " =>"}))
    assert distil.folder_of(other) not in folders


def test_done_once(taught: Job) -> None:
    """A second call trains nothing."""
    folder = distil.folder_of(taught)
    written = (folder / TARGETS).stat().st_mtime_ns
    assert (folder / FINISHED).exists()
    assert distil.train(dataclasses.replace(taught, seed=2)) == folder
    assert (folder / TARGETS).stat().st_mtime_ns == written


def test_an_interrupted_teacher_goes_on(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fold that is scored is not tuned again."""
    tune, count = distil.tune_words, 0

    def tuning(*given, **named):  # type: ignore[no-untyped-def]
        nonlocal count
        count += 1
        if count == 2:
            raise KeyboardInterrupt
        return tune(*given, **named)

    monkeypatch.setattr(distil, "tune_words", tuning)
    with pytest.raises(KeyboardInterrupt):
        distil.train(job)
    assert distil.find(job) is None
    distil.train(job)
    assert count == 3
    assert distil.find(job) is not None


def test_shipped(taught: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sealed copy is taken where nothing was made; not if it was changed."""
    shipped = tmp_path / "bundles" / "taught"
    publish(distil.train(taught), taught.spec, shipped, weights=TARGETS)
    monkeypatch.setattr("training.learning.shipped.SHIPPED", shipped.parent)
    other = dataclasses.replace(taught, cache=tmp_path / "other")
    assert distil.train(other) == shipped
    (shipped / TARGETS).write_bytes((shipped / TARGETS).read_bytes() + b"x")
    with pytest.raises(UserError, match="differs from its manifest"):
        distil.train(other)


def test_the_recipe_needs_no_teacher(tmp_path: Path) -> None:
    """What the compact recipe learns from is in this repository."""
    job = Job(read_recipe("compact"), tmp_path, tmp_path / "runs", tmp_path / "cache")
    found = distil.find(job)
    assert found is not None
    assert found.name == "taught"


def test_several_processes(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a launcher the next step is named."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match=r"run python -m training\.distil first"):
        distil.train(job)


def test_another_copy_of_the_corpus(taught: Job) -> None:
    """Targets of dialogues with other turns are not taken for these."""
    first, *_ = taught.open_corpus().splits["train"]
    shorter = dataclasses.replace(first, utterances=first.utterances[1:])
    with pytest.raises(UserError, match="is of another copy of the corpus"):
        distil.read_targets(taught, [shorter])


def test_missing(job: Job) -> None:
    """Words epochs without the teacher's targets name the next step."""
    with pytest.raises(UserError, match=r"run python -m training\.distil smoke"):
        sources(job).heard_words(random.Random(1))
