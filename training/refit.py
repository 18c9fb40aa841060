"""Refit the weights of the encoders' evidence in a bundle on dev data.

    python -m training.refit compact --data FOLDER --bundle bundles/compact [--dry-run] [--json]

In training the words' scores are of turns that the LLM was trained on, so they are too sure
and leave little to the voice and the face: the weights learned there are too low. Here they
are fitted on MELD dev composed with the first half of the dev voices and faces
(`training.calibration.halves`), by cross-entropy, with a pull of each label's weight towards
the mean of its source. They are kept where that lowers the cross-fitted cross-entropy: fitted
on even dialogues with the first half, told on odd ones with the second, and the other way
round.

Letters in shapes: n turns, S sources, E emotions.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from rich.table import Table
from torch import Tensor
from torch.nn import functional

from engine.arguments import run_command
from engine.model.calibration import fit_temperature
from engine.model.model import TurnInputs
from engine.model.recognizer import Recognizer
from export.bundle import rewriting
from training.calibrate import fitting_parser, load
from training.calibration.sets import DevSet, composed_request, composed_subsets
from training.evaluation.metrics import scores
from training.evaluation.predict import Examples, label_scores
from training.evidence_weights import set_evidence_weights, write_evidence_weights
from training.progress import Results
from training.script import Job, run_script

FITTED = ("text+audio", "text+video", "text+audio+video")
"""Subsets in which the evidence is weighed: without words the encoders alone speak."""
PULL = 0.3
"""Deviation of a label's weight from the mean of its source, as a normal prior has it."""
LIMITS = (0.0, 3.0)
"""Of a weight: evidence never counts against itself."""


@dataclass(frozen=True, eq=False)
class Weighed:
    """Turns of one subset: what the words say, and what the encoders say."""

    base: Tensor
    """(n, E) label scores without the evidence."""
    evidence: Tensor
    """(n, S, E) log-probabilities; zeros where absent."""
    truth: Tensor
    """(n,) label indices."""

    def rows(self, chosen: Tensor) -> Weighed:
        """Some turns."""
        return Weighed(self.base[chosen], self.evidence[chosen], self.truth[chosen])

    def scores(self, weights: Tensor) -> Tensor:
        """(S, E) weights -> (n, E)."""
        return self.base + (self.evidence * weights).sum(1)


@dataclass(frozen=True)
class RefitFigures:
    """One subset before and after, cross-fitted; shares from 0 to 1."""

    n: int
    accuracy_before: float
    accuracy_after: float
    weighted_f1_before: float
    weighted_f1_after: float
    nll_before: float
    """With the best temperature, like `nll_after`."""
    nll_after: float


@dataclass(frozen=True)
class Refit:
    """What came of it."""

    weights: Mapping[str, tuple[float, ...]]
    """(E,) by source: those of the bundle now."""
    kept: bool
    """Whether the new ones were better."""
    figures: Mapping[str, RefitFigures]
    """By subset."""


def fit_weights(sets: Sequence[Weighed], start: Tensor, moved: Tensor | None = None) -> Tensor:
    """Weights (S, E) of the least penalised cross-entropy over subsets, each at a temperature.

    Sources that `moved` (S,) does not name keep the weights of `start`; None moves all.
    """
    if moved is None:
        moved = torch.ones(len(start), dtype=torch.bool)
    mean = start.double().mean(1, keepdim=True).clone().requires_grad_()
    own = torch.zeros_like(start, dtype=torch.double).requires_grad_()
    log_temperatures = torch.zeros(len(sets), dtype=torch.double, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [mean, own, log_temperatures], max_iter=200, line_search_fn="strong_wolfe"
    )
    turns = max(len(one.truth) for one in sets)

    def closure() -> Tensor:
        optimizer.zero_grad()
        weights = torch.where(moved[:, None], mean + own, start.double())
        losses = [
            functional.cross_entropy(one.scores(weights) / log_temperature.exp(), one.truth)
            for one, log_temperature in zip(sets, log_temperatures, strict=True)
        ]
        loss = torch.stack(losses).mean() + own.square().sum() / (2 * PULL**2 * turns)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    found = (mean + own).detach().clamp(*LIMITS).float()
    found = torch.where(moved[:, None], found, start)
    return found if bool(torch.isfinite(found).all()) else start


def refit_sets(
    wholes: Mapping[str, Weighed],
    folds: Mapping[str, tuple[Weighed, Weighed]],
    start: Tensor,
    labels: Sequence[str],
) -> tuple[Tensor, bool, dict[str, RefitFigures]]:
    """Weights fitted on `wholes`, whether cross-fitting on `folds` says that they help, and how.

    The sources that are moved are those of the least cross-fitted cross-entropy: dev voices are of
    few speakers, and weights for one half of them may be wrong for the other.
    """
    tried = []
    for numbers in _some_of(len(start)):
        moved = torch.zeros(len(start), dtype=torch.bool)
        moved[list(numbers)] = True
        tried.append((moved, _cross_fitted(folds, start, moved, labels)))
    moved, figures = min(tried, key=lambda one: _gained(one[1]))
    kept = _gained(figures) < 0
    return (fit_weights(list(wholes.values()), start, moved) if kept else start), kept, figures


def _some_of(count: int) -> list[tuple[int, ...]]:
    """All choices of at least one of the first numbers."""
    sizes = range(1, count + 1)
    return [one for size in sizes for one in itertools.combinations(range(count), size)]


def _cross_fitted(
    folds: Mapping[str, tuple[Weighed, Weighed]],
    start: Tensor,
    moved: Tensor,
    labels: Sequence[str],
) -> dict[str, RefitFigures]:
    """Each fold with the weights that were fitted on the other."""
    crossed = [
        fit_weights([pair[1 - one] for pair in folds.values()], start, moved) for one in range(2)
    ]
    return {
        name: _compare([(one, start, crossed[place]) for place, one in enumerate(pair)], labels)
        for name, pair in folds.items()
    }


def _gained(figures: Mapping[str, RefitFigures]) -> float:
    """Cross-entropy after less that before, added up; below 0 it helps."""
    return sum(one.nll_after - one.nll_before for one in figures.values())


def _compare(
    parts: Sequence[tuple[Weighed, Tensor, Tensor]], labels: Sequence[str]
) -> RefitFigures:
    truth = torch.cat([one.truth for one, _, _ in parts])
    found = []
    for which in (0, 1):
        given = torch.cat([one.scores((old, new)[which]) for one, old, new in parts]).float()
        temperature = fit_temperature(given, truth)
        loss = float(functional.cross_entropy(given / temperature, truth))
        overall = scores(labels, truth.numpy(), given.double().softmax(1).numpy())
        found.append((overall.accuracy, overall.weighted_f1, loss))
    before, after = found
    pairs = (value for pair in zip(before, after, strict=True) for value in pair)
    return RefitFigures(len(truth), *pairs)


def refit(job: Job, recognizer: Recognizer) -> Refit:
    """Refit the weights of a loaded bundle, and set them there if they are better."""
    chosen = composed_subsets(composed_request(job, recognizer))
    # Prosody's weights are fitted on real turns (`training.prosody_evidence`), not composed ones.
    sources = sorted(set(recognizer.model.fusion.evidence_weights) - {"prosody"})
    parameters = [recognizer.model.fusion.evidence_weights[name] for name in sources]
    start = torch.stack([one.detach().float().cpu() for one in parameters])
    wholes, folds = {}, {}
    for name in FITTED:
        wholes[name], folds[name] = _weighed(recognizer, chosen[name], sources, start)
    weights, kept, figures = refit_sets(wholes, folds, start, recognizer.labels)
    set_evidence_weights(recognizer, dict(zip(sources, weights, strict=True)))
    rows = (tuple(round(value, 4) for value in row) for row in weights.tolist())
    return Refit(dict(zip(sources, rows, strict=True)), kept, figures)


def refit_bundle(bundle: Path, job: Job, *, dry_run: bool = False) -> Refit:
    """Refit the weights of a bundle, write them where they are better, and seal it again."""
    recognizer = load(bundle)
    found = refit(job, recognizer)
    if found.kept and not dry_run:
        with rewriting(bundle) as changed:
            write_evidence_weights(recognizer, changed)
    return found


def _weighed(
    recognizer: Recognizer, chosen: DevSet, sources: Sequence[str], weights: Tensor
) -> tuple[Weighed, tuple[Weighed, Weighed]]:
    assert chosen.second is not None  # composed
    whole = _scored(recognizer, chosen.whole, sources, weights)
    second = _scored(recognizer, chosen.second, sources, weights)
    even = whole.rows(torch.from_numpy(chosen.folds) == 0)
    return _known(whole), (_known(even), _known(second))


def _scored(
    recognizer: Recognizer, chosen: Examples, sources: Sequence[str], weights: Tensor
) -> Weighed:
    turns = [turn for dialogue in chosen.dialogues for turn in dialogue]
    evidence = torch.stack([evidence_of(turn, sources, weights.shape[1]) for turn in turns])
    given = label_scores(recognizer, chosen.dialogues)
    return Weighed(given - (evidence * weights).sum(1), evidence, torch.tensor(chosen.truth))


def evidence_of(turn: TurnInputs, sources: Sequence[str], emotions: int) -> Tensor:
    """(S, E) what each source says of a turn; zeros where it is absent."""
    found = [getattr(turn, f"{name}_scores") for name in sources]
    return torch.stack([torch.zeros(emotions) if one is None else one.cpu() for one in found])


def _known(weighed: Weighed) -> Weighed:
    return weighed.rows(weighed.truth >= 0)


def refit_table(found: Refit) -> Table:
    """Before and after for a person, in percent."""
    title = "weights of the evidence, cross-fitted; " + ("refitted" if found.kept else "left")
    table = Table(title=title, title_justify="left")
    heads = ("accuracy", "after", "weighted F1", "after", "NLL", "after", "turns")
    table.add_column("composed dev")
    for name in heads:
        table.add_column(name, justify="right")
    for subset, one in found.figures.items():
        shares = (
            one.accuracy_before,
            one.accuracy_after,
            one.weighted_f1_before,
            one.weighted_f1_after,
        )
        losses = (one.nll_before, one.nll_after)
        cells = [*(f"{100 * share:.1f}" for share in shares), *(f"{loss:.3f}" for loss in losses)]
        table.add_row(subset, *cells, str(one.n))
    return table


def _run(job: Job) -> None:
    bundle: Path = job.options.bundle
    found = refit_bundle(bundle, job, dry_run=job.options.dry_run)
    if job.options.json:
        print(json.dumps(asdict(found)))
        return
    Results().print(refit_table(found))
    for name, values in found.weights.items():
        print(f"{name}: {', '.join(f'{value:.2f}' for value in values)}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, refit and print."""
    parser = fitting_parser("training.refit", __doc__, needs="MELD, FER2013 and speech corpora")
    return run_script(parser, arguments, _run)


if __name__ == "__main__":
    run_command(main)
