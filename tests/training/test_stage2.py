"""Stage 2 learns, resumes wherever it is killed, and goes on with what stage 1 taught."""

from __future__ import annotations

import dataclasses
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stream.errors import UserError
from training import bundle, stage1, stage2
from training.datasets.corpus import Corpus
from training.datasets.dialogues import Dialogue, DialogueUtterance
from training.describe.description import Description
from training.learning import loop
from training.learning.checkpoint import save_checkpoint
from training.learning.learner import build_learner, owner
from training.learning.objectives import Objectives
from training.learning.provenance import FINISHED
from training.learning.schedule import make_optimizer, set_learning_rates
from training.script import Job
from training.settings import Stage2Training
from training.smoke import Smoke
from training.sources import DESCRIPTIONS

Train = Callable[[Job], None]


@pytest.fixture(scope="module")
def described(tiny_job: Job, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher's file with a description for every utterance of the synthesised corpus."""
    path = tmp_path_factory.mktemp("teacher") / DESCRIPTIONS
    lines = []
    for split, dialogues in (("train", 12), ("dev", 6)):
        for dialogue in range(dialogues):
            for utterance in range(4):
                said = Description(f"raises the brows {utterance} times", "nods", "sits upright")
                lines.append(
                    json.dumps(
                        {
                            "corpus": "meld",
                            "split": split,
                            "dialogue": str(dialogue),
                            "utterance": utterance,
                            "model": "none",
                            "prompt_version": "1",
                            "frames": "0" * 64,
                            "attempts": 1,
                            "created": "2026-01-01T00:00:00Z",
                            "description": dataclasses.asdict(said),
                        }
                    )
                )
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def fresh(tiny_job: Job, described: Path, tmp_path: Path) -> Callable[[str], Job]:
    """Makes jobs of the whole smoke recipe, in small batches, with the encoders there."""
    recipe = tiny_job.recipe.with_settings(
        stage1={"epochs": 1, "batch_tokens": 300, "learning_rate": 1e-2},
        stage2={"batch_tokens": 200, "clip_epochs": 1},
        trainer={"save_every": 2},
    )

    def make(name: str) -> Job:
        runs = tmp_path / name
        if not runs.exists():
            runs.mkdir()
            for part in ("face", "speech"):
                (runs / part).symlink_to(tiny_job.runs / part)
            shutil.copy(described, runs)
        return dataclasses.replace(tiny_job, recipe=recipe, runs=runs)

    return make


def both(job: Job) -> None:
    """Stage 1, then stage 2."""
    stage1.train(job)
    stage2.train(job)


@pytest.mark.slow
def test_a_killed_training_ends_with_the_same_weights(
    fresh: Callable[[str], Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after every checkpoint of both stages: all state at the end is equal, bit for bit."""
    both(fresh("whole"))
    killed_at = []

    def save_and_die(path: Path, *arguments: object, **options: object) -> None:
        save_checkpoint(path, *arguments, **options)  # type: ignore[arg-type]
        progress = arguments[2]
        killed_at.append((path.parent.name, progress["epoch"], progress["batches"]))  # type: ignore[index]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop, "save_checkpoint", save_and_die)
        while ("stage2", 3, 0) not in killed_at:
            with pytest.raises(KeyboardInterrupt):
                both(fresh("killed"))
            assert len(killed_at) == len(set(killed_at)), "no progress since the last kill"
    both(fresh("killed"))
    assert {("stage1", 0, 2), ("stage1", 1, 0), ("stage2", 0, 2), ("stage2", 2, 2)} <= set(
        killed_at
    )
    for name in ("stage1/last", "stage1/lora", "stage2/last", "stage2/lora", "stage2/fusion"):
        resumed = load_file(fresh("killed").runs / f"{name}.safetensors")
        expected = load_file(fresh("whole").runs / f"{name}.safetensors")
        assert resumed.keys() == expected.keys()
        for key, value in expected.items():
            assert torch.equal(resumed[key], value), f"{name} {key}"
    one, other = (
        json.loads((fresh(name).runs / "stage2/training.json").read_text())
        for name in ("whole", "killed")
    )
    assert other["epochs"] == one["epochs"]
    assert other["chosen"] == one["chosen"]
    for key in ("tokens", "padded_tokens", "updates", "flops"):
        assert other["stages"][0][key] == one["stages"][0][key] > 0


def test_stage_2_goes_on_with_what_stage_1_taught(fresh: Callable[[str], Job]) -> None:
    """LoRA starts where stage 1 left it; without stage 1 a line says what to run."""
    job = fresh("two-stage")
    with pytest.raises(UserError, match=r"lora\.safetensors is missing: run .*training\.stage1"):
        stage2.train(job)
    stage1.train(job)
    finished = job.runs / "stage1" / FINISHED
    hidden = finished.rename(finished.with_suffix(".hidden"))
    with pytest.raises(UserError, match=r"stage1 is not finished"):
        stage2.train(job)
    hidden.rename(finished)
    taught = load_file(job.runs / "stage1" / "lora.safetensors")
    started = build_learner(job.recipe, start=stage2.stage1_result(job))
    own = {n: p for n, p in started.model.llm.named_parameters() if p.requires_grad}
    assert any(value.abs().max() > 0 for name, value in taught.items() if "lora_B" in name)
    for name, value in taught.items():
        assert torch.equal(own[name], value.float())
    assert set(load_file(job.runs / "stage1" / "placeholders.safetensors")) == {"audio", "video"}


def test_single_stage_learns_both_at_once(fresh: Callable[[str], Job]) -> None:
    """Without stage 1, descriptions and emotions in the same epochs; placeholders are trained."""
    job = fresh("joint")
    recipe = job.recipe.with_settings(stage2={"joint": True, "text_epochs": 0, "clip_epochs": 0})
    stage2.train(dataclasses.replace(job, recipe=recipe))
    assert set(load_file(job.runs / "stage2" / "placeholders.safetensors")) == {"audio", "video"}
    (epoch,) = json.loads((job.runs / "stage2/training.json").read_text())["epochs"]
    assert epoch["loss"] > 5  # a description's token out of the whole vocabulary, and an emotion


def test_undescribed_utterances_are_named(fresh: Callable[[str], Job]) -> None:
    """Stage 1 without a teacher's file for its splits says which command writes one."""
    job = fresh("undescribed")
    path = job.runs / DESCRIPTIONS
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for line in lines if '"train"' in line) + "\n")
    with pytest.raises(UserError, match=r"describes no utterance of meld dev: run .*describe"):
        stage1.train(job)


def test_encoders_are_trained_when_asked(fresh: Callable[[str], Job], tmp_path: Path) -> None:
    """Then the DenseNet and the speech network move, and the bundle has the moved ones."""
    job = fresh("unfrozen")
    settings = {"text_epochs": 0, "composed_epochs": 0, "encoder_learning_rate": 1e-3}
    recipe = job.recipe.with_settings(stage1={"epochs": 0}, stage2=settings)
    job = dataclasses.replace(job, recipe=recipe)
    stage2.train(job)
    out = tmp_path / "bundle"
    out.mkdir()
    other = dataclasses.replace(job, recipe=recipe.with_spec(video={"tokens": 1}))
    with pytest.raises(UserError, match=r"stage2 was trained with another recipe, seed or spec"):
        bundle.assemble(other, out)
    bundle.assemble(job, out)
    for name in ("face", "speech"):
        before = load_file(job.runs / name / f"{name}.safetensors")
        after = load_file(out / f"{name}.safetensors")
        assert before.keys() == after.keys()
        for key, value in before.items():
            buffer = "running" in key or "num_batches" in key or key in ("mean", "deviation")
            assert torch.equal(after[key], value) is buffer, f"{name} {key}"


def test_a_bundle_has_nothing_of_another_recipe(fresh: Callable[[str], Job]) -> None:
    """Encoders and a stage 1 that an earlier training left in the folder are not this one's."""
    job = fresh("frozen")
    job = dataclasses.replace(job, recipe=job.recipe.with_settings(stage1={"epochs": 0}))
    for name in ("face", "speech"):
        (job.runs / "stage2" / name).mkdir(parents=True)
        (job.runs / "stage2" / name / f"{name}.safetensors").write_bytes(b"of another")
    for stage in ("stage1", "stage2"):
        (job.runs / stage).mkdir(exist_ok=True)
        record = {"stages": [stage], "epochs": []}
        (job.runs / stage / "training.json").write_text(json.dumps(record))
    for name in ("lora", "fusion"):
        (job.runs / "stage2" / f"{name}.safetensors").write_bytes(b"trained")
    mine = {"owner": owner(job.recipe, "stage2", job.seed)}
    (job.runs / "stage2" / FINISHED).write_text(json.dumps(mine))
    out = job.runs / "bundle"
    out.mkdir()
    bundle.assemble(job, out)
    for name in ("face", "speech"):
        file = f"{name}.safetensors"
        assert (out / file).read_bytes() == (job.runs / name / file).read_bytes()
    assert json.loads((out / "training.json").read_text())["stages"][-1] == "stage2"


def test_balanced_classes_change_the_loss(fresh: Callable[[str], Job]) -> None:
    """The flag reaches the training."""
    losses = {}
    for kind in ("none", "balanced"):
        job = fresh(kind)
        settings = {"class_weights": kind, "composed_epochs": 0, "clip_epochs": 0}
        recipe = job.recipe.with_settings(stage1={"epochs": 0}, stage2=settings)
        stage2.train(dataclasses.replace(job, recipe=recipe))
        (epoch,) = json.loads((job.runs / "stage2/training.json").read_text())["epochs"]
        losses[kind] = epoch["loss"]
    assert losses["none"] != pytest.approx(losses["balanced"], abs=1e-6)


def test_a_training_that_diverges_is_stopped(fresh: Callable[[str], Job]) -> None:
    """A loss that is no number is an error with the way out, not an epoch of nonsense."""
    settings = {"composed_epochs": 0, "clip_epochs": 0, "learning_rate": 1e30}
    job = fresh("diverged")
    recipe = job.recipe.with_settings(stage1={"epochs": 0}, stage2=settings)
    with pytest.raises(
        UserError, match=r"stage2: the .* is nan in .*: lower stage2\.learning_rate"
    ):
        stage2.train(dataclasses.replace(job, recipe=recipe))


def test_a_corpus_without_clips_has_no_clip_epochs(
    fresh: Callable[[str], Job], tmp_path: Path
) -> None:
    """A recipe for clips says where they belong, and does not train on words in secret."""
    job = fresh("textual")
    data = tmp_path / "data"
    (data / "meld").mkdir(parents=True)
    for name in ("train_sent_emo.csv", "dev_sent_emo.csv"):
        shutil.copy(job.data / "meld" / name, data / "meld")
    recipe = job.recipe.with_settings(stage1={"epochs": 0})
    with pytest.raises(UserError, match="has no clips of its dev split"):
        stage2.train(dataclasses.replace(job, recipe=recipe, data=data))


def spoken(*emotions: str) -> tuple[Dialogue, ...]:
    """A dialogue of utterances with these emotions."""
    return (
        Dialogue(
            "0",
            tuple(
                DialogueUtterance("0", place, "Ann", "so", emotion, None, None, 1, 1)
                for place, emotion in enumerate(emotions)
            ),
        ),
    )


def test_emotions_that_are_no_labels_are_counted() -> None:
    """They are context, as an utterance without any emotion is, but one is told of it."""
    splits = {"train": spoken("calm", "Tense", "", "Tense"), "dev": spoken("calm", "Tense")}
    corpus = Corpus("manifest", ("Tense", "calm"), splits)
    assert stage2.unknown_emotions(corpus, ("calm", "tense")) == {"Tense": 3}
    assert stage2.unknown_emotions(corpus, ("calm", "Tense")) == {}


@pytest.mark.parametrize(("dev", "told"), [(("Calm", ""), "has Calm, none"), (("",), "no emotion")])
def test_a_split_without_a_label_is_refused(dev: tuple[str, ...], told: str) -> None:
    """No figure on dev could choose an epoch."""
    corpus = Corpus("manifest", ("calm",), {"train": spoken("calm"), "dev": spoken(*dev)})
    with pytest.raises(UserError, match=f"the dev split .*{told}.*name those of the corpus"):
        stage2.unknown_emotions(corpus, ("calm", "tense"))


@pytest.fixture(scope="module")
def learner(smoke: Smoke) -> Objectives:
    """Untrained."""
    return build_learner(smoke.recipe)


def test_learning_rates_rise_and_fall(learner: Objectives) -> None:
    """LoRA over the whole training, adapters and evidence over what has modalities."""
    stage = Stage2Training(text_epochs=2, composed_epochs=1)
    optimizer = make_optimizer(stage2.groups_of(learner, stage))
    peaks = (stage.learning_rate, stage.adapter_learning_rate, stage.evidence_learning_rate)

    def rates(done: float) -> list[float]:
        set_learning_rates(optimizer, done)
        return [group["lr"] for group in optimizer.param_groups]

    assert rates(0) == [0, 0, 0]
    assert rates(0.05) == [pytest.approx(peaks[0]), 0, 0]
    assert rates(0.6)[1:] == [0, 0]
    assert rates(2 / 3 + 0.05 / 3)[1:] == [pytest.approx(peak) for peak in peaks[1:]]
    assert rates(1) == [pytest.approx(0, abs=1e-12)] * 3
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    assert len(parameters) == len({id(p) for p in parameters})


def test_epochs_come_in_order_and_the_last_kind_is_kept() -> None:
    """Words, composed, clips; inputs are frozen while words alone are read."""

    class None_:  # noqa: N801
        """Sources that are not asked."""

        def composed(self, rng: random.Random) -> list[object]:
            """Not asked."""
            raise AssertionError

        dropped_clips = heard_words = composed

    stage = Stage2Training(text_epochs=2, composed_epochs=1, clip_epochs=1)
    epochs = stage2.epochs_of(stage, None_())  # type: ignore[arg-type]
    assert [e.name.split(", ")[1] for e in epochs] == [
        "words 1/2",
        "words 2/2",
        "composed 1/1",
        "clips 1/1",
    ]
    assert [e.candidate for e in epochs] == [False, False, False, True]
    assert [e.frozen_inputs for e in epochs] == [True, True, False, False]
    words = stage2.epochs_of(Stage2Training(2, 0, 0), None_())  # type: ignore[arg-type]
    assert [e.candidate for e in words] == [True, True]
