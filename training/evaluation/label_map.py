"""Which of a bundle's labels a corpus's labels are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from stream.errors import UserError
from training.datasets.labels import EMORYNLP_TO_MELD, IEMOCAP_TO_MELD
from training.evaluation.predict import NO_COUNTERPART, UNLABELLED

COUNTERPARTS: Mapping[str, Mapping[str, str | None]] = MappingProxyType(
    {"emorynlp": EMORYNLP_TO_MELD, "iemocap": IEMOCAP_TO_MELD}
)
"""What the labels of a corpus are called elsewhere; None where there is no counterpart."""


def label_indices(corpus: str, native: Sequence[str], labels: Sequence[str]) -> dict[str, int]:
    """Index among a bundle's labels of each label of a corpus, and of no label ("").

    Args:
        corpus: Its name, for its counterparts and the message.
        native: The labels that it has.
        labels: Of the bundle.

    Raises:
        UserError: Some are unknown to the bundle, and the corpus has no counterparts there.
    """
    unlabelled = {"": UNLABELLED}
    if set(native) <= set(labels):
        return {name: labels.index(name) for name in native} | unlabelled
    counterparts = COUNTERPARTS.get(corpus, {})
    if {name for name in counterparts.values() if name} <= set(labels) and counterparts:
        return {name: _index(counterparts[name], labels) for name in native} | unlabelled
    raise UserError(
        f"{corpus} has the labels {', '.join(native)}, the bundle {', '.join(labels)}, and "
        f"nothing says which are the same: train a bundle on {corpus}, or give another corpus"
    )


def require_known(truth: Sequence[int], labels: Sequence[str]) -> None:
    """Refuse turns of which none can be scored.

    Args:
        truth: As `Examples.truth` has it.
        labels: Of the bundle.

    Raises:
        UserError: No turn has a label.
    """
    if not any(index >= 0 for index in truth):
        raise UserError(
            f"none of the {len(truth)} turns has one of the bundle's labels "
            f"({', '.join(labels)}): there is nothing to score"
        )


def _index(name: str | None, labels: Sequence[str]) -> int:
    return NO_COUNTERPART if name is None else labels.index(name)
