"""Tests of the check that a bundle passes before anything of it is read."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from engine.model.manifest import MANIFEST, verify_bundle
from export.bundle import write_manifest
from stream.errors import UserError


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A sealed bundle with a file in a subfolder."""
    folder = tmp_path / "tiny"
    (folder / "lora").mkdir(parents=True)
    (folder / "spec.json").write_text('{"name": "tiny", "version": 1}')
    (folder / "face.onnx").write_bytes(b"graph")
    (folder / "lora" / "adapter.safetensors").write_bytes(b"weights")
    write_manifest(folder)
    return folder


def edit_manifest(bundle: Path, name: str, value: object) -> None:
    """Replace one entry of the manifest."""
    document = json.loads((bundle / MANIFEST).read_text())
    document[name] = value
    (bundle / MANIFEST).write_text(json.dumps(document))


def test_a_sealed_bundle_is_accepted(bundle: Path) -> None:
    """An untouched bundle has its name, its files and a stable identity."""
    manifest = verify_bundle(bundle)
    assert manifest.name == "tiny"
    assert set(manifest.files) == {"spec.json", "face.onnx", "lora/adapter.safetensors"}
    assert manifest == verify_bundle(bundle)
    assert len(manifest.sha256) == 64


@pytest.mark.parametrize("name", ["spec.json", "face.onnx", "lora/adapter.safetensors"])
def test_one_changed_bit_is_refused(bundle: Path, name: str) -> None:
    """A single bit anywhere in a file is noticed, and the file named."""
    content = bytearray((bundle / name).read_bytes())
    content[-1] ^= 1
    (bundle / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name} differs"):
        verify_bundle(bundle)


def test_a_missing_file_is_refused(bundle: Path) -> None:
    """A bundle that was copied in part is refused."""
    (bundle / "lora" / "adapter.safetensors").unlink()
    with pytest.raises(UserError, match=r"adapter\.safetensors is missing"):
        verify_bundle(bundle)


def test_an_extra_file_is_refused(bundle: Path) -> None:
    """A file of a legal type that the manifest does not name is refused."""
    (bundle / "lora" / "extra.json").write_text("{}")
    with pytest.raises(UserError, match=r"lora/extra\.json is not in its manifest"):
        verify_bundle(bundle)


def test_a_pickle_is_refused_although_recorded(bundle: Path) -> None:
    """Pickled weights are refused by type, whatever the manifest says."""
    (bundle / "weights.pt").write_bytes(pickle.dumps({}))
    edit_manifest(bundle, "files", {"weights.pt": {"size": 6, "sha256": "0" * 64}})
    with pytest.raises(UserError, match=r"weights\.pt is not one of the types"):
        verify_bundle(bundle)


def test_a_link_is_refused(bundle: Path, tmp_path: Path) -> None:
    """A link could change its target after the check, so it is refused."""
    (tmp_path / "face.onnx").write_bytes(b"graph")
    (bundle / "face.onnx").unlink()
    (bundle / "face.onnx").symlink_to(tmp_path / "face.onnx")
    with pytest.raises(UserError, match=r"face\.onnx is a link"):
        verify_bundle(bundle)


@pytest.mark.parametrize("name", ["../secret.json", "/etc/x.json", "a\\b.json", "a//b.json"])
def test_a_path_that_leaves_the_bundle_is_refused(bundle: Path, name: str) -> None:
    """The manifest cannot point at files outside."""
    edit_manifest(bundle, "files", {name: {"size": 1, "sha256": "0" * 64}})
    with pytest.raises(UserError, match="not a plain path"):
        verify_bundle(bundle)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", "null", '{"name": 1, "spec_version": 1, "files": {}}']
)
def test_a_malformed_manifest_is_refused(bundle: Path, content: str) -> None:
    """Anything but the manifest's own form is refused, never a crash."""
    (bundle / MANIFEST).write_text(content)
    with pytest.raises(UserError, match="malformed"):
        verify_bundle(bundle)


def test_a_folder_without_manifest_is_no_bundle(tmp_path: Path) -> None:
    """The message names the flag that takes a bundle."""
    with pytest.raises(UserError, match="--bundle"):
        verify_bundle(tmp_path)
    with pytest.raises(UserError, match="--bundle"):
        verify_bundle(tmp_path / "nowhere")
