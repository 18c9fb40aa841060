"""What every training script's command line has in common."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from engine.model.spec import ModelSpec, compact
from stream.errors import UserError


@dataclass(frozen=True)
class Job:
    """What a script works with, real or synthesised."""

    data: Path
    """Folder of corpora, in the layout of docs/data.md."""
    runs: Path
    """Folder of weights and checkpoints."""
    cache: Path
    """Folder of the openSMILE cache."""
    spec: ModelSpec
    options: argparse.Namespace
    """The whole command line."""

    @property
    def smoke(self) -> bool:
        """Whether data and model are synthesised."""
        return bool(self.options.smoke)


def script_parser(
    module: str, description: str | None, needs: str, *, smoke: bool = True
) -> argparse.ArgumentParser:
    """A parser with the options that all scripts share; `smoke` for those that can run alone."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, help=f"folder with {needs} (docs/data.md)")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/compact"), help="weights and checkpoints"
    )
    parser.add_argument(
        "--cache", type=Path, default=Path("runs/cache"), help="openSMILE functionals"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.set_defaults(smoke=False)
    if smoke:
        text = "try the script on synthesised data with a tiny model; --data is not needed"
        parser.add_argument("--smoke", action="store_true", help=text)
    return parser


def run_script(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None, work: Callable[[Job], None]
) -> int:
    """Parse, make the job and do it; a mistake of the user's is one line and exit code 2."""
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    try:
        if options.smoke:
            with tempfile.TemporaryDirectory(prefix="bemerc-smoke-") as folder:
                work(_smoke_job(Path(folder), options))
        elif options.data is None:
            raise UserError("--data is missing: give the folder of the corpora, or --smoke")
        else:
            work(Job(options.data, options.runs, options.cache, compact(), options))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _smoke_job(folder: Path, options: argparse.Namespace) -> Job:
    from training.smoke import make_smoke  # imports the scripts, which import this module

    smoke = make_smoke(folder, options.seed)
    return Job(smoke.data, folder / "runs", folder / "cache", smoke.spec, options)
