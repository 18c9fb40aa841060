"""The manifest of a bundle: which files belong to it, and exactly which bytes.

A bundle is a folder that travels from training to the live engine. `manifest.json`
names every other file with its size and SHA-256; the SHA-256 of the manifest itself
is then the identity of the whole bundle and stands in every event. `verify_bundle`
runs before anything of a bundle is parsed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from stream.errors import UserError

MANIFEST = "manifest.json"
REPLACED = ".replaced"
"""What the name of a bundle ends with, for the moment in which another takes its place."""
SUFFIXES = (".json", ".md", ".onnx", ".png", ".safetensors")
"""Types of file in a bundle: none of them can run code when it is loaded."""


@dataclass(frozen=True)
class FileRecord:
    """What the manifest says of one file."""

    size: int
    """Bytes."""
    sha256: str
    """Hexadecimal."""


@dataclass(frozen=True)
class Manifest:
    """A verified manifest."""

    name: str
    """Name of the bundle."""
    spec_version: int
    """Format version of its spec."""
    sha256: str
    """Of the manifest file: the identity of the bundle."""
    files: Mapping[str, FileRecord]
    """By path relative to the bundle, with forward slashes."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(record.size for record in self.files.values())


def verify_bundle(bundle: Path) -> Manifest:
    """Check that a folder holds exactly the files of its manifest.

    Raises:
        UserError: If the manifest is missing or malformed, or a file is missing, extra,
            changed, outside the folder, a link, or of a type that a bundle never holds.
    """
    path = bundle / MANIFEST
    try:
        content = path.read_bytes()
    except OSError as error:
        given_way = bundle.with_name(f"{bundle.name}{REPLACED}")
        if not bundle.exists() and given_way.is_dir():
            raise UserError(
                f"{bundle} was being replaced when that was stopped: rename {given_way} to "
                f"{bundle.name}, or run the command that replaced it again"
            ) from error
        raise UserError(
            f"{bundle} is no bundle ({MANIFEST}: {error.strerror}): "
            "give --bundle the folder of a bundle, such as bundles/compact"
        ) from error
    manifest = _parse(content, path)
    present = bundle_files(bundle)
    if missing := sorted(set(manifest.files) - set(present)):
        raise _refusal(bundle, f"{missing[0]} is missing")
    if extra := sorted(set(present) - set(manifest.files)):
        raise _refusal(bundle, f"{extra[0]} is not in its manifest")
    for name, record in manifest.files.items():
        if read_record(present[name]) != record:
            raise _refusal(bundle, f"{name} differs from its manifest")
    return manifest


def bundle_files(bundle: Path) -> dict[str, Path]:
    """Every file of a bundle but the manifest, by its relative path, sorted.

    Raises:
        UserError: If one is a link or of a type that a bundle never holds.
    """
    files = {}
    for path in sorted(bundle.rglob("*")):
        name = path.relative_to(bundle).as_posix()
        if path.is_symlink():
            raise _refusal(bundle, f"{name} is a link")
        if path.is_dir() or name == MANIFEST:
            continue
        if path.suffix == ".partial":
            raise UserError(
                f"the bundle {bundle} was refused: writing {path.stem} was interrupted; write it "
                f"again (python -m export.bundle {bundle} --seal writes a manifest), or restore "
                "the bundle from where you got it"
            )
        if path.suffix not in SUFFIXES:
            raise _refusal(bundle, f"{name} is not one of the types {', '.join(SUFFIXES)}")
        files[name] = path
    return files


def read_record(path: Path) -> FileRecord:
    """Size and hash of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileRecord(path.stat().st_size, digest)


def _parse(content: bytes, path: Path) -> Manifest:
    try:
        document = json.loads(content)
        files = {
            _inside(name): FileRecord(int(record["size"]), str(record["sha256"]))
            for name, record in document["files"].items()
        }
        name, version = document["name"], document["spec_version"]
        if not isinstance(name, str) or not isinstance(version, int):
            raise TypeError("name must be a string and spec_version an integer")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _refusal(path.parent, f"{MANIFEST} is malformed: {error!r}") from error
    return Manifest(name, version, hashlib.sha256(content).hexdigest(), files)


def _inside(name: Any) -> str:
    """A path of the manifest, refused where it could leave the bundle."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or str(path) != name:
        raise ValueError(f"{name} is not a plain path inside the bundle")
    return str(path)


def _refusal(bundle: Path, reason: str) -> UserError:
    return UserError(
        f"the bundle {bundle} was refused: {reason}; restore it from where you got it, or "
        "train and export it again"
    )
