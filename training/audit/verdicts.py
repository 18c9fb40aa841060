"""Saved verdicts of one or more judges, and what they come to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from engine.model.typed import build, require
from stream.errors import UserError
from stream.printable import printable
from training.audit.proportion import Proportion
from training.describe.description import PARTS, UtteranceKey

FORMAT = "bemerc-audit-verdicts/1"
"""First entry of a saved file; `page.js` writes it."""
VERDICTS = ("accurate", "partly", "wrong", "cannot tell")
"""What a judge says of a part."""
UNDECIDED = "cannot tell"
"""The verdict that is neither for nor against the teacher."""


@dataclass(frozen=True)
class Verdict:
    """On one part of a description."""

    verdict: str
    """One of `VERDICTS`; empty: not judged yet."""
    note: str = ""
    """What the judge has to say."""

    def __post_init__(self) -> None:
        """Refuse verdicts that the page does not offer."""
        known = ", ".join(VERDICTS)
        require(self.verdict in ("", *VERDICTS), f"verdict {self.verdict!r}: one of {known}")


@dataclass(frozen=True)
class PartVerdicts:
    """On the three parts of a description."""

    facial_expression: Verdict
    body_language: Verdict
    posture: Verdict


@dataclass(frozen=True)
class Entry:
    """One judge on one description."""

    key: UtteranceKey
    description_sha256: str
    """Of the wording that was judged."""
    parts: PartVerdicts
    label_shown: bool
    """Whether the judge looked at the gold label before all parts were judged."""
    first: str
    """ISO 8601 time of the first input; empty without any."""
    last: str
    """ISO 8601 time of the last change."""


@dataclass(frozen=True)
class Judgement:
    """A saved file."""

    format: str
    audit: str
    """Id of the page."""
    judge: str
    saved: str
    """ISO 8601 time."""
    verdicts: tuple[Entry, ...]

    def __post_init__(self) -> None:
        """Refuse other formats and two verdicts on one description."""
        require(self.format == FORMAT, f"format {self.format!r}: expected {FORMAT!r}")
        judged = Counter((entry.key, entry.description_sha256) for entry in self.verdicts)
        require(not judged or max(judged.values()) == 1, "a description is judged twice")

    def of(self, part: str) -> dict[tuple[UtteranceKey, str], str]:
        """The verdicts on a part, by utterance and wording."""
        said = {
            (entry.key, entry.description_sha256): getattr(entry.parts, part).verdict
            for entry in self.verdicts
        }
        return {description: verdict for description, verdict in said.items() if verdict}


def read_judgement(path: Path) -> Judgement:
    """Read what the page saved.

    Raises:
        UserError: The file cannot be read or is something else, naming the entry.
    """
    try:
        judgement = build(Judgement, json.loads(path.read_bytes()), "file")
    except OSError as error:
        raise UserError(
            f"cannot read {path} ({error.strerror}): give files saved by the page"
        ) from error
    except (ValueError, RecursionError) as error:
        # The message may quote the file, which anyone may have written.
        raise UserError(
            f"{path} is not a file of verdicts saved by the page: {printable(str(error))}"
        ) from error
    assert isinstance(judgement, Judgement)
    return judgement


def summarise(judgements: Sequence[Judgement]) -> dict[str, Any]:
    """Shares by judge and part, and the agreement of every two judges.

    Returns:
        JSON-safe: under `judges` one object per file with the counts of each verdict by part
        and `accurate`, the share among the decided (with a 95 % Wilson interval); under
        `agreement` one object per pair with Cohen's kappa by part and over all of them.
    """
    return {
        "judges": [
            {
                "judge": judgement.judge,
                "label_shown": sum(entry.label_shown for entry in judgement.verdicts),
                "parts": {part: _counts(list(judgement.of(part).values())) for part in PARTS},
            }
            for judgement in judgements
        ],
        "agreement": [_agreement(one, other) for one, other in combinations(judgements, 2)],
    }


def cohens_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Agreement of two judges beyond chance (Cohen, 1960): 1 all, 0 as by chance.

    Args:
        pairs: What the two said of the same things.

    Returns:
        None where it is undefined: without pairs, or if both always said the same one thing.
    """
    if not pairs:
        return None
    observed = sum(one == other for one, other in pairs) / len(pairs)
    first, second = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    expected = sum(first[verdict] * second[verdict] for verdict in first) / len(pairs) ** 2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def _counts(said: Sequence[str]) -> dict[str, Any]:
    decided = [verdict for verdict in said if verdict != UNDECIDED]
    accurate = Proportion.of(verdict == "accurate" for verdict in decided)
    return {
        "counts": {verdict: said.count(verdict) for verdict in VERDICTS},
        "accurate": accurate.to_dict(),
    }


def _agreement(one: Judgement, other: Judgement) -> dict[str, Any]:
    pairs = {part: _pairs(one.of(part), other.of(part)) for part in PARTS}
    pairs["all"] = [pair for part in PARTS for pair in pairs[part]]
    return {
        "judges": [one.judge, other.judge],
        "parts": {
            name: {"n": len(both), "kappa": cohens_kappa(both)} for name, both in pairs.items()
        },
    }


def _pairs(
    one: dict[tuple[UtteranceKey, str], str], other: dict[tuple[UtteranceKey, str], str]
) -> list[tuple[str, str]]:
    return [(verdict, other[what]) for what, verdict in one.items() if what in other]
