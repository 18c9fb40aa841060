"""A bundle is whole when it is there: calibrated, sealed once, from one loading of its LLM."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from engine.model.manifest import verify_bundle
from engine.model.recognizer import Recognizer
from training import bundle, calibrate
from training.script import Job

STEPS = ("assemble", "load", "refit", "write_evidence_weights", "measure", "write_calibration")
"""Of `training.bundle.build`, in order."""


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_whatever_ends_it_there_is_no_bundle_without_calibration(
    step: str,
    there: bool,
    tiny_job: Job,
    tiny_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Stopped before any step: the bundle that was there is as it was, and a new one is none."""
    out = tmp_path / "mine"
    if there:
        shutil.copytree(tiny_bundle, out)

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bundle, step, stop)
    with pytest.raises(KeyboardInterrupt):
        bundle.build(tiny_job, out)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"] * there
    if there:
        assert verify_bundle(out) == verify_bundle(tiny_bundle)


def test_the_llm_is_loaded_once(
    tiny_job: Job, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the evidence and the calibration; and the same job gives the same bundle."""
    loaded = []

    def counted(folder: Path, *, sealed: bool = True) -> Recognizer:
        loaded.append(sealed)
        return calibrate.load(folder, sealed=sealed)

    monkeypatch.setattr(bundle, "load", counted)
    bundle.build(tiny_job, tmp_path / "mine")
    assert loaded == [False]
    mine, other = verify_bundle(tmp_path / "mine"), verify_bundle(tiny_bundle)
    assert mine.files == other.files
    assert {"calibration.json", "calibration_dev.json"} <= set(mine.files)
