"""What every training script's command line has in common."""

from __future__ import annotations

import argparse
import errno
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError

from engine.arguments import Parser
from engine.model.spec import ModelSpec
from stream.errors import UserError
from training.datasets.corpora import open_corpus
from training.datasets.corpus import Corpus
from training.recipe import Recipe, add_recipe_arguments, changed, chosen_recipe


@dataclass(frozen=True)
class Job:
    """What a script works with, real or synthesised."""

    recipe: Recipe
    data: Path
    """Folder of corpora, in the layout of docs/data.md."""
    runs: Path
    """Folder of weights and checkpoints."""
    cache: Path
    """Folder of what was computed from media, the same for all recipes."""
    seed: int = 1
    jobs: int = 1
    """Processes that read media."""
    options: argparse.Namespace = field(default_factory=argparse.Namespace)
    """What else was on the command line."""

    corpus: Corpus | None = None
    """The recipe's, where not all of it is used; None: what is in `corpus_folder`."""

    def open_corpus(self) -> Corpus:
        """The recipe's corpus, with all that a training needs of it.

        Raises:
            UserError: it cannot be read, or lacks its train or dev split.
        """
        least = self.recipe.settings.clips.least
        corpus = self.corpus or open_corpus(self.recipe.corpus, self.corpus_folder, least)
        for split in ("train", "dev"):
            if not corpus.splits.get(split):
                raise UserError(f"{self.corpus_folder} has no {split} split: see docs/data.md")
        return corpus

    @property
    def spec(self) -> ModelSpec:
        """Of the recipe."""
        return self.recipe.spec

    @property
    def corpus_folder(self) -> Path:
        """Where the recipe's conversations are."""
        return self.data / self.recipe.corpus


def several_processes() -> bool:
    """Whether a launcher (torchrun, accelerate) started more than this process."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def script_parser(
    module: str, description: str | None, needs: str, *, plan: bool = False, smoke: bool = False
) -> argparse.ArgumentParser:
    """A parser with the options that all scripts share.

    Args:
        module: Of the script.
        description: Its docstring.
        needs: What `--data` must hold, in words.
        plan: Whether the script can print a plan instead.
        smoke: Whether it can run by itself on synthesised data.
    """
    parser = Parser(
        prog=f"python -m {module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_recipe_arguments(parser, default="compact")
    parser.add_argument("--data", type=Path, help=f"folder with {needs} (docs/data.md)")
    parser.add_argument(
        "--runs", type=Path, help="weights and checkpoints; default runs/RECIPE, with other seeds"
        " runs/RECIPE-seedN"
    )  # fmt: skip
    parser.add_argument(
        "--cache", type=Path, default=Path("runs/cache"), help="what was computed from media"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of torch")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="processes that read media"
    )
    parser.set_defaults(plan=False, smoke=False)
    if smoke:
        text = "try the script on synthesised data with a tiny model; --data is not needed"
        parser.add_argument("--smoke", action="store_true", help=text)
    if plan:
        text = "print parameters, memory, steps, tokens and FLOPs, and load nothing"
        parser.add_argument("--plan", action="store_true", help=text)
        parser.add_argument("--gpus", type=int, default=1, help="of the plan")
    return parser


STORAGE = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EIO,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
    }
)
"""Errors of a disk and its permissions, which no program can mend."""

Plan = Callable[[Recipe, Path | None, int], None]
"""Prints the plan of a recipe on a number of GPUs; the folder of the corpora may be None."""


def run_script(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    work: Callable[[Job], None],
    plan: Plan | None = None,
) -> int:
    """Parse, make the job and do it; a mistake of the user's is one line and exit code 2.

    So is a disk that is full or may not be written, whichever file it was found out with.
    """
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    try:
        if options.plan and plan is not None:
            plan(chosen_recipe(options), options.data, options.gpus)
        elif options.smoke:
            with tempfile.TemporaryDirectory(prefix="bemerc-smoke-") as folder:
                work(_smoke_job(Path(folder), options))
        elif options.data is None:
            raise UserError("--data is missing: give the folder of the corpora (docs/data.md)")
        else:
            work(_job(options))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (OSError, SafetensorError) as error:
        problem = _storage_problem(error)
        if problem is None:
            raise
        print(
            f"error: {problem}: make room or check the permissions, and start the same command "
            "again; what is done is kept",
            file=sys.stderr,
        )
        return 2
    return 0


def _storage_problem(error: OSError | SafetensorError) -> str | None:
    """What could not be read or written, in words; None for an error of another kind."""
    if isinstance(error, SafetensorError):  # has neither number nor path
        return str(error) if "I/O error" in str(error) else None
    if error.errno not in STORAGE:
        return None
    path = error.filename2 or error.filename  # of a copy: where it goes
    return f"{path}: {error.strerror}" if path else str(error.strerror)


def _job(options: argparse.Namespace) -> Job:
    recipe = chosen_recipe(options)
    seeded = recipe.name if options.seed == 1 else f"{recipe.name}-seed{options.seed}"
    runs = options.runs or Path("runs") / seeded
    return Job(recipe, options.data, runs, options.cache, options.seed, options.jobs, options)


def _smoke_job(folder: Path, options: argparse.Namespace) -> Job:
    from training.smoke import make_smoke  # imports the scripts, which import this module

    smoke = make_smoke(folder, options.seed)
    recipe = changed(smoke.recipe, options.set)
    return Job(
        recipe, smoke.data, smoke.runs, folder / "cache", options.seed, options.jobs, options
    )
