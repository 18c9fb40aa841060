"""The bundle in the repository: small, whole, and without anything that could run code."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.model.manifest import verify_bundle

BUNDLE = Path(__file__).parents[1] / "bundles" / "compact"

pytestmark = pytest.mark.skipif(
    not (BUNDLE / "manifest.json").is_file(), reason="bundles/compact has not been trained yet"
)


def test_it_is_small_and_plain() -> None:
    """At most 40 MB in all; weights in safetensors or ONNX, the rest JSON and Markdown."""
    files = [path for path in BUNDLE.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 40_000_000
    assert {path.suffix for path in files} <= {".safetensors", ".onnx", ".json", ".md", ".png"}


def test_it_is_what_its_manifest_says() -> None:
    """Every byte, and the model card among them."""
    manifest = verify_bundle(BUNDLE)
    assert manifest.name == "compact"
    assert "MODEL_CARD.md" in manifest.files
