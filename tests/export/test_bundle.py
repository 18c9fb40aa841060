"""Tests of sealing a bundle, and of its command."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.model.manifest import MANIFEST
from export.bundle import main, verify_bundle, write_manifest
from stream.errors import UserError

COMPACT = Path(__file__).parents[2] / "bundles" / "compact"
COMPACT_LIMIT_BYTES = 40_000_000


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle that has no manifest yet."""
    (tmp_path / "spec.json").write_text('{"name": "tiny", "version": 1}')
    return tmp_path


def test_the_identity_changes_with_any_file(bundle: Path) -> None:
    """Sealing again after a change gives another identity; without a change the same."""
    first = write_manifest(bundle)
    assert write_manifest(bundle).sha256 == first.sha256
    (bundle / "MODEL_CARD.md").write_text("# Tiny")
    assert write_manifest(bundle).sha256 != first.sha256


def test_a_pickle_is_not_sealed(bundle: Path) -> None:
    """Weights in pickled form never get a manifest."""
    (bundle / "weights.bin").write_bytes(b"x")
    with pytest.raises(UserError, match=r"weights\.bin"):
        write_manifest(bundle)
    assert not (bundle / MANIFEST).exists()


@pytest.mark.parametrize("spec", [None, "", "[]", '{"name": "tiny"}'])
def test_a_bundle_needs_a_spec(tmp_path: Path, spec: str | None) -> None:
    """Without a readable spec there is nothing to seal."""
    if spec is not None:
        (tmp_path / "spec.json").write_text(spec)
    with pytest.raises(UserError, match=r"spec\.json"):
        write_manifest(tmp_path)


def test_the_command_seals_then_verifies(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--seal` writes the manifest; without it a changed file exits with 2 and one line."""
    assert main([str(bundle), "--seal"]) == 0
    assert main([str(bundle)]) == 0
    assert verify_bundle(bundle).sha256 in capsys.readouterr().out
    (bundle / "spec.json").write_text("{}")
    assert main([str(bundle)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.skipif(not COMPACT.is_dir(), reason="the compact bundle is not in this checkout")
def test_the_compact_bundle_is_whole_and_small() -> None:
    """The bundle in the repository verifies and stays within the size of a clone."""
    assert verify_bundle(COMPACT).size < COMPACT_LIMIT_BYTES
