"""What a check found, and whether the copy can be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.checks.counts import SplitCounts
from training.checks.faults import KNOWN_FAULTS, MODALITIES, ClipFault
from training.describe.description import UtteranceKey


@dataclass(frozen=True)
class Finding:
    """One fault of one utterance's clip."""

    key: UtteranceKey
    fault: ClipFault

    @property
    def known(self) -> str | None:
        """What is known of this clip of the release; None for a fault of this copy alone."""
        return KNOWN_FAULTS.get(self.key)


@dataclass(frozen=True)
class Result:
    """All that a check found."""

    corpus: str
    folder: Path
    counts: Mapping[str, SplitCounts]
    """By split."""
    differences: tuple[str, ...]
    """From the published counts, in words."""
    clips: Mapping[str, Mapping[str, int]]
    """By split: utterances whose sound and pictures are in the copy, sound or not."""
    findings: tuple[Finding, ...]
    """Faulty clips."""
    extras: Mapping[str, tuple[Path, ...]]
    """Files of no utterance, by kind."""

    @property
    def unknown(self) -> tuple[Finding, ...]:
        """Faults that the release does not have."""
        return tuple(finding for finding in self.findings if finding.known is None)

    @property
    def usable(self) -> bool:
        """Whether the copy is what was published, known faults included."""
        return not self.unknown and not self.differences

    def left_out(self) -> dict[str, dict[str, int]]:
        """Utterances by split that have to do without a modality, for any of their faults."""
        lost = {
            (finding.key, modality)
            for finding in self.findings
            for modality in finding.fault.modalities
        }
        numbers = Counter((key.split, modality) for key, modality in lost)
        return {
            split: {modality: numbers[split, modality] for modality in MODALITIES}
            for split in self.counts
        }

    def to_json(self) -> dict[str, Any]:
        """The result as JSON; docs/data.md names the keys."""
        return {
            "corpus": self.corpus,
            "folder": str(self.folder),
            "usable": self.usable,
            "splits": {
                split: {
                    **asdict(counts),
                    "without_target": counts.without_target,
                    "clips": dict(self.clips[split]),
                    "left_out": self.left_out()[split],
                }
                for split, counts in self.counts.items()
            },
            "differences": list(self.differences),
            "faults": [
                {
                    "split": one.key.split,
                    "dialogue": one.key.dialogue,
                    "utterance": one.key.utterance,
                    **asdict(one.fault),
                    "known": one.known,
                }
                for one in self.findings
            ],
            "extra_files": {
                kind: [str(path) for path in paths] for kind, paths in self.extras.items()
            },
        }
