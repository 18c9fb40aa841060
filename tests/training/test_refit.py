"""Weights of the evidence: found, and left where they do not help."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file

from engine.model.manifest import verify_bundle
from training.refit import Weighed, fit_weights, refit_bundle, refit_sets
from training.script import Job

LABELS = ("joy", "anger", "fear")
START = torch.full((2, 3), 0.2)


def drawn(seed: int, count: int = 1500, useful: bool = True) -> Weighed:
    """Words and two encoders, all of which know something of the truth and are honest."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randint(3, (count,), generator=generator)
    parts = [1.5 * torch.randn(count, 3, generator=generator) for _ in range(3)]
    if useful:  # log-likelihoods up to a constant: the shift is the variance
        parts = [part + 1.5**2 * torch.eye(3)[truth] for part in parts]
    return Weighed(parts[0], torch.stack(parts[1:], 1).log_softmax(2), truth)


def test_honest_evidence_counts_as_much_as_the_words() -> None:
    """Weights that were too low come out near 1, which is the sum of log-likelihoods."""
    found = fit_weights([drawn(1)], START)
    torch.testing.assert_close(found, torch.ones(2, 3), atol=0.4, rtol=0)
    torch.testing.assert_close(found.mean(1), torch.ones(2), atol=0.15, rtol=0)


def test_weights_stay_in_their_limits() -> None:
    """Evidence that misleads is ignored, not turned round."""
    honest = drawn(1)
    misleading = Weighed(honest.base, -honest.evidence, honest.truth)
    found = fit_weights([misleading], START)
    assert bool((found >= 0).all())
    assert float(found.max()) < 0.05


def test_new_weights_are_kept_where_held_out_turns_say_so() -> None:
    """Figures are of both folds, each with the weights that the other taught."""
    sets, folds = {"text+audio": drawn(1)}, {"text+audio": (drawn(2), drawn(3))}
    weights, kept, figures = refit_sets(sets, folds, START, LABELS)
    assert kept
    one = figures["text+audio"]
    assert one.n == 3000
    assert one.accuracy_after > one.accuracy_before + 0.02
    assert one.nll_after < one.nll_before
    assert float(weights.min()) > 0.5

    nothing = torch.zeros(2, 3)
    sets, folds = {"x": drawn(4, 40, False)}, {"x": (drawn(5, 40, False), drawn(6, 40, False))}
    weights, kept, _ = refit_sets(sets, folds, nothing, LABELS)
    assert not kept
    assert weights is nothing


def test_a_source_that_helps_one_half_only_is_left() -> None:
    """The other one is still refitted."""

    def voices(seed: int, *, sign: float) -> Weighed:
        made = drawn(seed)
        evidence = torch.stack([sign * made.evidence[:, 0], made.evidence[:, 1]], 1)
        return Weighed(made.base, evidence, made.truth)

    folds = {"x": (voices(2, sign=1.0), voices(3, sign=-1.0))}
    weights, kept, figures = refit_sets({"x": drawn(1)}, folds, START, LABELS)
    assert kept
    assert torch.equal(weights[0], START[0])
    assert float(weights[1].min()) > 0.5
    assert figures["x"].nll_after < figures["x"].nll_before


def test_a_dry_run_changes_nothing(tiny_job: Job, tiny_bundle: Path, tmp_path: Path) -> None:
    """A real one writes the weights it tells, and nothing else, where they are better."""
    bundle = tmp_path / "bundle"
    shutil.copytree(tiny_bundle, bundle)
    before = verify_bundle(bundle)
    refit_bundle(bundle, tiny_job, dry_run=True)
    assert verify_bundle(bundle) == before

    old = load_file(bundle / "fusion.safetensors")
    found = refit_bundle(bundle, tiny_job)
    verify_bundle(bundle)
    new = load_file(bundle / "fusion.safetensors")
    for name, values in found.weights.items():
        torch.testing.assert_close(
            new.pop(f"evidence_weights.{name}"), torch.tensor(values), atol=1e-4, rtol=0
        )
    assert all(torch.equal(old[name], values) for name, values in new.items())
