"""What is common to the command lines of training: recipes, changes, seeds, mistakes."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from safetensors import SafetensorError

from stream.errors import UserError
from training.recipe import read_recipe
from training.script import Job, changed, run_script, script_parser


def job_of(*arguments: str) -> Job:
    """The job that a command line makes."""
    made: list[Job] = []
    parser = script_parser("training.test", "A script.", needs="nothing")
    assert run_script(parser, arguments, made.append) == 0
    return made[0]


def test_a_job_is_a_recipe_and_its_folders() -> None:
    """Runs are by recipe and seed, so that seeds do not meet in one folder."""
    job = job_of("--data", "corpora")
    assert job.recipe == read_recipe("compact")
    assert (job.data, job.runs) == (Path("corpora"), Path("runs/compact"))
    assert job.corpus_folder == Path("corpora/meld")
    other = job_of("bemerc-iemocap", "--data", "corpora", "--seed", "3")
    assert other.runs == Path("runs/bemerc-iemocap-seed3")
    assert other.seed == 3
    assert other.corpus_folder == Path("corpora/iemocap")
    assert job_of("--data", "corpora", "--runs", "here").runs == Path("here")


def test_changes_reach_the_recipe() -> None:
    """Numbers, words, lists and truth values; the last of two changes counts."""
    recipe = changed(
        read_recipe("bemerc-meld"),
        [
            "stage2.text_epochs=4",
            "stage2.text_epochs=3",
            "spec.llm.base=/models/my llm",
            'stage1.parts=["posture"]',
            "stage2.joint=true",
            "spec.video.densenet.growth_rate=16",
        ],
    )
    assert recipe.settings.stage2.text_epochs == 3
    assert recipe.spec.llm.base == "/models/my llm"
    assert recipe.settings.stage1.parts == ("posture",)
    assert recipe.settings.stage2.joint
    assert recipe.spec.video.densenet.growth_rate == 16


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("stage2", "expected KEY=VALUE"),
        ("epochs=2", "expected KEY=VALUE"),
        ("stage9.epochs=2", "unknown key stage9"),
        ("stage2.text_epochs=many", "text_epochs must be int, not 'many'"),
        ("spec.llm.rank=2", "unknown key rank"),
    ],
)
def test_a_wrong_change_is_one_line(
    change: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names the change and what is wrong with it."""
    parser = script_parser("training.test", "A script.", needs="nothing")
    assert run_script(parser, ["--data", ".", "--set", change], lambda job: None) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: --set {change}: ")
    assert told in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a", None, "b"), "b: No space left on"),
        (OSError(errno.EACCES, "Permission denied", "a"), "a: Permission denied"),
        (OSError(errno.EFBIG, "File too large"), "File too large"),
        (SafetensorError("Error while serializing: I/O error: (os error 28)"), "os error 28"),
    ],
)
def test_a_full_disk_is_one_line(
    problem: Exception, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever it was that could not be written: the file, where it is known, and what to do."""

    def fill(job: Job) -> None:
        raise problem

    parser = script_parser("training.test", "A script.", needs="nothing")
    assert run_script(parser, ["--data", "."], fill) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert told in err
    assert "start the same command again" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("bug", [FileNotFoundError(errno.ENOENT, "No"), SafetensorError("header")])
def test_other_errors_keep_their_traceback(bug: Exception) -> None:
    """They are mistakes of the program, and hiding where they are helps nobody."""

    def fail(job: Job) -> None:
        raise bug

    parser = script_parser("training.test", "A script.", needs="nothing")
    with pytest.raises(type(bug)):
        run_script(parser, ["--data", "."], fail)


def test_the_plan_needs_no_data() -> None:
    """It is asked for before anything is bought or downloaded."""
    planned = []
    parser = script_parser("training.test", "A script.", needs="nothing", plan=True)
    arguments = ["bemerc-meld", "--plan", "--gpus", "4", "--set", "stage2.clip_epochs=7"]

    def refuse(job: Job) -> None:
        raise UserError("must not be called")

    assert run_script(parser, arguments, refuse, plan=lambda *values: planned.append(values)) == 0
    ((recipe, data, gpus),) = planned
    assert recipe.settings.stage2.clip_epochs == 7
    assert data is None
    assert gpus == 4
