"""How much measured prosody adds to words, and the weight that adds it.

    python -m training.prosody_evidence compact --data FOLDER --bundle BUNDLE [--write]

Scores MELD dev by its words alone, fits one weight on the prosody encoder's scores, and
prints what they add. The figures are cross-fitted: the weight of each half of the dialogues
comes from the other half; they are means over several halvings, since one is a matter of
luck. With `--write` the weight fitted on all of dev and the encoder go into the bundle, whose
calibration must then be fitted again.

It is one weight, not one for each label: those fit dev better and other turns worse.

The weight is not trained with the words: on the training dialogues the words are known by
heart, and prosody would seem to add nothing.

Letters in shapes: n turns, E emotions.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from engine.arguments import run_command
from engine.model.prosody import ProsodyEncoder
from engine.model.recognizer import Recognizer, read_spec
from export.bundle import rewriting
from stream.errors import UserError
from training.calibrate import load
from training.datasets.dialogues import Dialogue
from training.evaluation.metrics import scores
from training.evaluation.predict import label_scores
from training.evidence_weights import FUSION
from training.learning.checkpoint import write_tensors
from training.learning.sequences import label_targets, text_sequence
from training.prosody import WEIGHTS, prosody_weights
from training.prosody_turns import with_published
from training.script import Job, run_script, script_parser

HALVINGS = 8
"""Of the dialogues, over which a figure is the mean."""
SMALLNESS = 2e-3
"""How strongly the biases are drawn to zero: dev has few turns of some labels."""


@dataclass(frozen=True)
class Gain:
    """What prosody adds on turns that its weight was not fitted on."""

    n: int
    words_f1: float
    """Weighted F1 of the words alone."""
    biased_words_f1: float
    """The same with a bias for each label fitted likewise: what prosody does not explain."""
    joint_f1: float
    """Weighted F1 of words and prosody."""
    words_loss: float
    """Cross-entropy, the temperature fitted likewise."""
    joint_loss: float
    weight: float
    """Fitted on all turns."""


def fit_weight(words: Tensor, prosody: Tensor, truth: Tensor) -> float:
    """The weight of the evidence, by maximum likelihood.

    Args:
        words: (n, E) label scores.
        prosody: (n, E) log-probabilities, zeros where there are none.
        truth: (n,) label indices.
    """
    return float(_fit(words, prosody, truth).weight)


@dataclass(frozen=True, eq=False)
class _Fit:
    sharpness: Tensor
    weight: Tensor
    bias: Tensor

    def __call__(self, words: Tensor, prosody: Tensor) -> Tensor:
        joint = words.double() + self.weight * prosody.double() + self.bias
        return self.sharpness * joint


def _fit(words: Tensor, prosody: Tensor, truth: Tensor, *, bias: bool = False) -> _Fit:
    words, prosody = words.double(), prosody.double()
    width = words.shape[1]
    log_sharpness = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    weight = torch.full((1,), 0.5, dtype=torch.float64, requires_grad=not bias)
    offset = torch.zeros(width, dtype=torch.float64, requires_grad=bias)
    learned = [log_sharpness, offset if bias else weight]
    optimizer = torch.optim.LBFGS(learned, max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        joint = log_sharpness.exp() * (words + weight * prosody + offset)
        value = functional.cross_entropy(joint, truth) + SMALLNESS * offset.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return _Fit(log_sharpness.exp().detach(), weight.detach(), offset.detach())


def gain(
    words: Tensor,
    prosody: Tensor,
    truth: Tensor,
    dialogues: NDArray[np.int64],
    labels: Sequence[str],
) -> Gain:
    """What prosody adds, cross-fitted over halves of the dialogues.

    Args:
        words: (n, E) label scores of the words alone.
        prosody: (n, E) log-probabilities of the prosody encoder, zeros where there are none.
        truth: (n,) label indices.
        dialogues: (n,) dialogue of each turn; even and odd ones are the first halves.
        labels: Names of the E labels.
    """
    none = torch.zeros_like(prosody)
    fits = {"words": (none, False), "biased": (none, True), "joint": (prosody, False)}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in fits}
    for half_of in halvings(dialogues):
        for name, (evidence, bias) in fits.items():
            fitted = torch.zeros(words.shape, dtype=torch.float64)
            for half in (0, 1):
                own, other = half_of == half, half_of != half
                fit = _fit(words[other], evidence[other], truth[other], bias=bias)
                fitted[own] = fit(words[own], evidence[own])
            f1 = scores(labels, truth.numpy(), fitted.softmax(1).numpy()).weighted_f1
            found[name].append((f1, float(functional.cross_entropy(fitted, truth))))
    means = {name: np.mean(figures, axis=0) for name, figures in found.items()}
    return Gain(
        n=len(truth),
        words_f1=float(means["words"][0]),
        biased_words_f1=float(means["biased"][0]),
        joint_f1=float(means["joint"][0]),
        words_loss=float(means["words"][1]),
        joint_loss=float(means["joint"][1]),
        weight=fit_weight(words, prosody, truth),
    )


def halvings(dialogues: NDArray[np.int64]) -> list[Tensor]:
    """(n,) for each halving, 0 or 1: always the same, even and odd dialogues first."""
    random = np.random.default_rng(0)
    names, place = np.unique(dialogues, return_inverse=True)
    parity = np.arange(len(names)) % 2
    drawn = [parity, *(random.permuted(parity) for _ in range(HALVINGS - 1))]
    return [torch.from_numpy(one[place]) for one in drawn]


def published_scores(
    dialogues: Sequence[Dialogue], encoder: ProsodyEncoder, labels: Sequence[str]
) -> Tensor:
    """(n, E) the encoder's scores of every turn in order; zeros without measures."""
    none = torch.zeros(len(labels))
    found = [
        none if turn.prosody_scores is None else turn.prosody_scores
        for dialogue in dialogues
        for turn in with_published(text_sequence(dialogue, labels).turns, dialogue, encoder)
    ]
    return torch.stack(found)


def measure_gain(job: Job, bundle: Path) -> Gain:
    """Of a bundle's words and a prosody encoder, on the dev split of the corpus."""
    encoder = load_prosody(job, bundle)
    return gain_of(job, load(bundle), encoder)


def gain_of(job: Job, recognizer: Recognizer, encoder: ProsodyEncoder) -> Gain:
    """Of a loaded bundle's words and a prosody encoder, on the dev split of the corpus."""
    dialogues, labels = job.open_corpus().splits["dev"], recognizer.labels
    words = label_scores(recognizer, [text_sequence(one, labels).turns for one in dialogues])
    prosody = published_scores(dialogues, encoder, labels)
    targets = torch.cat([label_targets(one, labels) for one in dialogues])
    known = targets.sum(1) > 0
    lengths = [len(one.utterances) for one in dialogues]
    owner = np.repeat(np.arange(len(lengths)), lengths)
    truth = targets.argmax(1)
    return gain(words[known], prosody[known], truth[known], owner[known.numpy()], labels)


def load_prosody(job: Job, bundle: Path) -> ProsodyEncoder:
    """The encoder below the job's runs folder, or else the bundle's own.

    Raises:
        UserError: there is neither.
    """
    encoder = ProsodyEncoder(len(job.spec.labels)).eval()
    encoder.load_state_dict(load_file(_weights(job, bundle)))
    return encoder


def attach(job: Job, bundle: Path) -> Gain:
    """Put encoder and fitted weight into a bundle and seal it; calibrate it afterwards."""
    found, source = measure_gain(job, bundle), _weights(job, bundle)
    with rewriting(bundle) as changed:
        if source != bundle / WEIGHTS:
            shutil.copyfile(source, changed / WEIGHTS)
        fusion = load_file(changed / FUSION)
        weight = torch.full((len(job.spec.labels),), found.weight)
        write_tensors(changed / FUSION, {**fusion, "evidence_weights.prosody": weight})
        spec = replace(read_spec(bundle), prosody=True)
        text = json.dumps(spec.to_dict(), indent=2) + "\n"
        (changed / "spec.json").write_text(text, encoding="utf-8")
    return found


def _weights(job: Job, bundle: Path) -> Path:
    trained = prosody_weights(job.runs)
    for path in (trained, bundle / WEIGHTS):
        if path.exists():
            return path
    raise UserError(f"{trained} is missing: run python -m training.prosody first")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, measure and print."""
    parser = script_parser(
        "training.prosody_evidence", __doc__, needs="MELD with its measured prosody"
    )
    parser.add_argument("--bundle", type=Path, required=True, help="whose words are scored")
    parser.add_argument("--write", action="store_true", help="put prosody into the bundle")
    return run_script(parser, arguments, _run)


def _run(job: Job) -> None:
    bundle = job.options.bundle
    found = attach(job, bundle) if job.options.write else measure_gain(job, bundle)
    print(
        f"{found.n} turns: weighted F1 {100 * found.words_f1:.2f} of the words, "
        f"{100 * found.joint_f1:.2f} with prosody ({100 * found.biased_words_f1:.2f} with "
        f"a bias for each label instead); cross-entropy {found.words_loss:.4f} and "
        f"{found.joint_loss:.4f}; weight {found.weight:.2f}"
    )


if __name__ == "__main__":
    run_command(main)
