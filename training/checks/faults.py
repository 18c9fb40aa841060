"""What can be wrong with a clip, and which clips of the published corpora are known to be so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from training.describe.description import UtteranceKey

MODALITIES = ("audio", "video")

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "missing": "no such file",
        "zero length": "an empty file, or a track with nothing in it",
        "corrupt": "cannot be opened or decoded, or breaks off",
        "no audio": "a file without a sound track",
        "no video": "a file without a picture track",
        "mis-cut": "much longer or shorter than the corpus says, or longer than any utterance",
        "silent": "a sound track without sound",
    }
)
"""Kinds of faults, worst first, and what they mean."""

_SEVERITY = {kind: rank for rank, kind in enumerate(KINDS)}


@dataclass(frozen=True)
class ClipFault:
    """Something wrong with the clip of one utterance."""

    kind: str
    """Key in `KINDS`."""
    modalities: tuple[str, ...]
    """What cannot be used because of it, of `MODALITIES`; the other one can."""
    detail: str
    """What was found, in words."""

    def __post_init__(self) -> None:
        """Refuse names that do not exist."""
        if self.kind not in KINDS:
            raise ValueError(f"kind {self.kind!r}: one of {', '.join(KINDS)}")
        if not self.modalities or not set(self.modalities) <= set(MODALITIES):
            raise ValueError(f"modalities {self.modalities!r}: some of {', '.join(MODALITIES)}")


def merge(faults: Iterable[ClipFault]) -> tuple[ClipFault, ...]:
    """One fault per kind, worst kind first; the detail is that of the first of each kind."""
    merged: dict[str, ClipFault] = {}
    for fault in faults:
        first = merged.get(fault.kind, fault)
        merged[fault.kind] = ClipFault(
            fault.kind, _in_order({*first.modalities, *fault.modalities}), first.detail
        )
    return tuple(sorted(merged.values(), key=lambda fault: _SEVERITY[fault.kind]))


def _in_order(modalities: set[str]) -> tuple[str, ...]:
    return tuple(name for name in MODALITIES if name in modalities)


def _meld(split: str, dialogue: int, utterance: int) -> UtteranceKey:
    return UtteranceKey("meld", split, str(dialogue), utterance)


KNOWN_FAULTS: Mapping[UtteranceKey, str] = MappingProxyType(
    {
        _meld("train", 125, 3): "corrupt in the release (declare-lab/MELD issue 39)",
        _meld("train", 309, 0): "41 s with a scene description as text (issue 20)",
        _meld("train", 338, 3): "0.01 s by the csv, 2.5 s on disk",
        _meld("dev", 110, 7): "missing in the release (issues 22 and 27)",
        _meld("test", 38, 4): "305 s, a wrong cut (issue 20)",
        _meld("test", 155, 3): "zero length in the release",
        _meld("test", 220, 0): "235 s, a wrong cut (issue 20)",
    }
)
"""Clips that are faulty in every copy of the release. A repaired copy may have them whole."""

KNOWN_EXTRA: Mapping[str, str] = MappingProxyType(
    {
        "dev_splits_complete/dia49_utt4.mp4": "no row in the csv (issue 22)",
        "dev_splits_complete/dia49_utt5.mp4": "no row in the csv (issue 22)",
        "dev_splits_complete/dia66_utt9.mp4": "no row in the csv (issue 22)",
        "dev_splits_complete/dia66_utt10.mp4": "no row in the csv (issue 22)",
        "output_repeated_splits_test/dia108_utt2.mp4": "no row in the csv (issue 22)",
    }
)
"""Clips of MELD's release that belong to no utterance, by folder and name."""
