"""Seal a bundle: write the manifest that `engine.model.manifest` verifies.

python -m export.bundle BUNDLE            verify a bundle and print what it is
python -m export.bundle BUNDLE --seal     write its manifest first

`building` and `rewriting` are how a bundle is written and changed: beside its place, sealed once,
and put in its place as a whole, so that a kill at any moment leaves the old bundle or none.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from engine.arguments import Parser, run_command
from engine.model.manifest import (
    MANIFEST,
    REPLACED,
    Manifest,
    bundle_files,
    read_record,
    verify_bundle,
)
from stream.errors import UserError

__all__ = [
    "SPEC",
    "building",
    "main",
    "require_replaceable",
    "rewriting",
    "verify_bundle",
    "write_manifest",
]

SPEC = "spec.json"
"""The model spec inside a bundle, which gives the manifest its name and version."""

PARTIAL = ".partial"
"""What the name of a folder that is being written ends with."""
KEPT = (".md", ".png")
"""Types of file that stay where a bundle is built anew: its model card."""


@contextmanager
def building(out: Path) -> Iterator[Path]:
    """A folder beside `out` for the files of a bundle, sealed and put there at the end.

    A model card that is there stays. Without an end, whatever the reason, `out` is as it was.

    Raises:
        UserError: `out` holds what is no bundle, which is never deleted, or the bundle is not one.
    """
    out = Path(os.path.abspath(out))
    _recover(out)
    present = require_replaceable(out)
    partial = out.with_name(f"{out.name}{PARTIAL}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        for name in present:
            if Path(name).suffix in KEPT:
                _copy(out / name, partial / name)
        yield partial
        write_manifest(partial)
        _put_in_place(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def rewriting(bundle: Path) -> Iterator[Path]:
    """A copy of a bundle to change, which takes its place at the end; see `building`.

    Raises:
        UserError: It is no bundle, or not as its manifest says.
    """
    _recover(Path(os.path.abspath(bundle)))
    files = verify_bundle(bundle).files
    with building(bundle) as partial:
        for name in files:
            _copy(bundle / name, partial / name)
        yield partial


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _put_in_place(partial: Path, out: Path) -> None:
    """A folder cannot replace another in one step: between both there is none, see `_recover`."""
    replaced = out.with_name(f"{out.name}{REPLACED}")
    shutil.rmtree(replaced, ignore_errors=True)
    if out.exists():
        out.rename(replaced)
    try:
        partial.rename(out)
    finally:
        _recover(out)
    shutil.rmtree(replaced, ignore_errors=True)


def _recover(out: Path) -> None:
    """Put a bundle back that gave way to one that a kill has kept from its place."""
    replaced = out.with_name(f"{out.name}{REPLACED}")
    if replaced.is_dir() and not out.exists():
        replaced.rename(out)


def require_replaceable(out: Path) -> list[str]:
    """The files of a bundle that may be replaced, but for its manifest; none where there is none.

    Raises:
        UserError: There is something else, too.
    """
    if not out.exists():
        return []
    files = [path for path in out.rglob("*") if path.is_symlink() or not path.is_dir()]
    present = [path.relative_to(out).as_posix() for path in files]
    try:
        ours = json.loads((out / MANIFEST).read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        ours = {}
    others = [name for name in present if name not in (*ours, MANIFEST)]
    if others or not out.is_dir():
        raise UserError(
            f"{out} holds {others[0] if others else 'a file'}, which is no part of a bundle and "
            "would be lost: move it, or give the bundle another folder"
        )
    return [name for name in present if name in ours]


def write_manifest(bundle: Path) -> Manifest:
    """Record every file of a finished bundle; replaces an earlier manifest in one step.

    Raises:
        UserError: If `spec.json` is missing or unreadable, or a file is of a type that a
            bundle never holds.
    """
    try:
        spec = json.loads((bundle / SPEC).read_text(encoding="utf-8"))
        name, version = spec["name"], spec["version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{bundle / SPEC} is not a readable model spec ({error!r}): "
            "a bundle needs the spec.json that training writes"
        ) from error
    # Outside the bundle's types, so that an interrupted write is refused and not overlooked.
    partial = bundle / f"{MANIFEST}{PARTIAL}"
    partial.unlink(missing_ok=True)
    document = {
        "name": name,
        "spec_version": version,
        "files": {path: asdict(read_record(file)) for path, file in bundle_files(bundle).items()},
    }
    partial.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    os.replace(partial, bundle / MANIFEST)
    return verify_bundle(bundle)


def main(arguments: Sequence[str] | None = None) -> int:
    """Seal or verify a bundle; returns the exit code."""
    parser = Parser(
        prog="python -m export.bundle", description="Verify a bundle, or seal it with a manifest."
    )
    parser.add_argument("bundle", type=Path, help="the bundle's folder")
    parser.add_argument("--seal", action="store_true", help=f"write {MANIFEST} first")
    options = parser.parse_args(arguments)
    try:
        manifest = (write_manifest if options.seal else verify_bundle)(options.bundle)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for path, record in manifest.files.items():
        print(f"{record.size:12,}  {record.sha256[:12]}  {path}")
    print(f"{manifest.size:12,}  bundle {manifest.name}, sha256 {manifest.sha256}")
    return 0


if __name__ == "__main__":
    run_command(main)
