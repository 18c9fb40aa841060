"""Tests of sealing a bundle, and of its command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine.model.manifest import MANIFEST
from export.bundle import building, main, rewriting, verify_bundle, write_manifest
from stream.errors import UserError

COMPACT = Path(__file__).parents[2] / "bundles" / "compact"
COMPACT_LIMIT_BYTES = 40_000_000
KILLED = """
import os, pathlib, sys
from export import bundle

out, step = pathlib.Path(sys.argv[1]), sys.argv[2]
renames = 0

def rename(path, target, own=pathlib.Path.rename):
    global renames
    renames += 1
    if step == f"rename {renames}":
        os._exit(9)
    return own(path, target)

def seal(folder, own=bundle.write_manifest):
    if step == "before the seal":
        os._exit(9)
    return own(folder)

pathlib.Path.rename, bundle.write_manifest = rename, seal
with bundle.building(out) as folder:
    (folder / "spec.json").write_text('{"name": "new", "version": 1}')
    if step == "while it is written":
        os._exit(9)
"""
"""Writes a bundle, and is killed at a step."""


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


def name_of(bundle: Path) -> str:
    """Of a bundle that verifies."""
    return verify_bundle(bundle).name


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize(
    "step", ["while it is written", "before the seal", "rename 1", "rename 2", "never"]
)
def test_a_kill_leaves_the_old_bundle_or_none(step: str, there: bool, tmp_path: Path) -> None:
    """Never half of one; and the next time it comes to its end, with nothing left beside it."""
    out = tmp_path / "mine"
    if there:
        with building(out) as folder:
            (folder / "spec.json").write_text('{"name": "old", "version": 1}')
            (folder / "MODEL_CARD.md").write_text("# Old")
    command = [sys.executable, "-c", KILLED, str(out), step]
    root = Path(__file__).parents[2]
    ended = subprocess.run(command, cwd=root, timeout=60, check=False).returncode
    finished = step == "never" or (step == "rename 2" and not there)  # which is one rename
    assert ended == (0 if finished else 9)
    if finished:
        assert name_of(out) == "new"
    elif out.exists():
        assert there
        assert name_of(out) == "old"
    else:
        told = "was being replaced .* run the command" if there else "is no bundle"
        with pytest.raises(UserError, match=told):
            verify_bundle(out)
    with building(out) as folder:
        (folder / "spec.json").write_text('{"name": "newest", "version": 1}')
    assert name_of(out) == "newest"
    assert (out / "MODEL_CARD.md").exists() is there
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_change_that_fails_changes_nothing(tmp_path: Path) -> None:
    """The bundle is as it was, whatever was done to its copy."""
    out = tmp_path / "mine"
    with building(out) as folder:
        (folder / "spec.json").write_text('{"name": "tiny", "version": 1}')
    before = verify_bundle(out)

    def change_half() -> None:
        with rewriting(out) as changed:
            (changed / "calibration.json").write_text("{")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        change_half()
    assert verify_bundle(out) == before
    with rewriting(out) as changed:
        (changed / "calibration.json").write_text("{}")
    assert set(verify_bundle(out).files) == {"calibration.json", "spec.json"}
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_folder_with_something_else_is_not_replaced(tmp_path: Path) -> None:
    """What is no bundle would be lost: a line names it."""
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match=r"holds thesis\.txt, which is no part .*: move it"):
        building(tmp_path).__enter__()
    assert (tmp_path / "thesis.txt").exists()


def test_a_seal_that_was_interrupted_is_refused_and_done_again(bundle: Path) -> None:
    """The message says how, and the way that it says works."""
    write_manifest(bundle)
    (bundle / f"{MANIFEST}.partial").write_text("{")
    with pytest.raises(UserError, match=r"interrupted; write it again .*export\.bundle .* --seal"):
        verify_bundle(bundle)
    assert main([str(bundle), "--seal"]) == 0
    verify_bundle(bundle)


def test_a_bundle_with_folders_is_replaced(bundle: Path) -> None:
    """What the manifest lists is known wherever it is; of the card what is there stays."""
    out = bundle / "mine"
    for name in ("old", "new"):
        with building(out) as folder:
            (folder / "spec.json").write_text(f'{{"name": "{name}", "version": 1}}')
            (folder / "pictures").mkdir(exist_ok=True)
            if name == "old":
                (folder / "pictures/card.png").write_bytes(b"x")
                (folder / "MODEL_CARD.md").write_text("# Tiny")
                (folder / "calibration.json").write_text("{}")
        (out / "MODEL_CARD.md").unlink(missing_ok=True)
    assert [path.name for path in sorted(out.rglob("*.*"))] == [
        "manifest.json",
        "card.png",
        "spec.json",
    ]
