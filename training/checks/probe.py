"""Finding what is wrong with the clip of one utterance.

Preparing clips for training asks this too: what a check says is left out is left out.
"""

from __future__ import annotations

from pathlib import Path

from stream.errors import UserError
from training.checks.faults import ClipFault, merge
from training.checks.media import Track, measure
from training.datasets.clip import Clip, MediaCut

TOLERANCE_SECONDS = 0.75
"""How far a clip's length may be from the corpus's times. Of MELD's 11,096 training and dev clips,
all but one are within 0.56 s, and 99.9 % within 0.05 s."""
TOLERANCE_SHARE = 0.1
"""The same as a share of the length, where that is more."""
LONGEST_SECONDS = 40.0
"""The longest sound utterances have 28.6 s (MELD dev dia74_utt19) and 34.1 s (IEMOCAP)."""
SILENCE_PEAK = 10 ** (-60 / 20)
"""Below -60 dB of full scale nothing is heard."""
DAMAGED_SHARE = 0.05
"""A decoder skips a bad packet; with more of them than this there is too little left."""
LOST_SECONDS = 0.5
"""How much a file may declare and not have; edit lists and padding explain less."""


def inspect(clip: Clip, expected_seconds: float | None = None) -> tuple[ClipFault, ...]:
    """All faults of a clip, worst first, one per kind.

    Args:
        clip: As the corpus gives it; what it does not name is not asked for.
        expected_seconds: Length by the corpus's own times; None where it has none.
    """
    cuts: dict[MediaCut, list[str]] = {}
    for cut, modality in ((clip.audio, "audio"), (clip.video, "video")):
        if cut is not None:
            cuts.setdefault(cut, []).append(modality)
    faults = (
        fault
        for cut, modalities in cuts.items()
        for fault in _inspect_cut(cut, tuple(modalities), expected_seconds)
    )
    return merge(faults)


def _inspect_cut(
    cut: MediaCut, modalities: tuple[str, ...], expected: float | None
) -> list[ClipFault]:
    size = _size(cut.path)
    if size is None:
        return [ClipFault("missing", modalities, f"no file {cut.path}")]
    if size == 0:
        return [ClipFault("zero length", modalities, f"{cut.path.name} has no bytes")]
    try:
        measured = measure(cut, audio="audio" in modalities, video="video" in modalities)
    except UserError:
        return [ClipFault("corrupt", modalities, f"{cut.path.name} cannot be opened")]
    faults = []
    for modality in modalities:
        track: Track | None = getattr(measured, modality)
        fault = _inspect_track(cut, modality, track, expected)
        if fault is not None:
            faults.append(fault)
    return faults


def _size(path: Path) -> int | None:
    """Bytes of a file; None where there is none to read."""
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None


def _inspect_track(
    cut: MediaCut, modality: str, track: Track | None, expected: float | None
) -> ClipFault | None:
    name = cut.path.name
    if track is None:
        return ClipFault(f"no {modality}", (modality,), f"{name} has no {modality} track")
    kind, detail = _fault(cut, modality, track, expected) or (None, "")
    return None if kind is None else ClipFault(kind, (modality,), f"{name} {detail}")


def _fault(
    cut: MediaCut, modality: str, track: Track, expected: float | None
) -> tuple[str, str] | None:
    """The kind of a track's worst fault and what was found."""
    if track.packets == 0 and cut.start > 0:
        return "mis-cut", f"ends before {cut.start:.2f} s"
    if track.packets == 0 and track.lost_seconds > 0:
        return "corrupt", f"has nothing of the {track.lost_seconds:.2f} s that it declares"
    if track.packets == 0 or track.seconds == 0:
        return "zero length", f"has a track of no {modality}"
    if track.decoded == 0:
        return "corrupt", f"has {modality} that cannot be decoded"
    tried = track.decoded + track.damaged
    if track.damaged > max(1, DAMAGED_SHARE * tried):
        return "corrupt", f"has {track.damaged} of {tried} damaged frames of {modality}"
    if track.lost_seconds > max(LOST_SECONDS, TOLERANCE_SHARE * track.seconds):
        return "corrupt", f"breaks off {track.lost_seconds:.2f} s before its end"
    return _wrong_length(track.seconds, expected) or _silence(modality, track)


def _wrong_length(seconds: float, expected: float | None) -> tuple[str, str] | None:
    if expected is not None and expected > 0:
        tolerance = max(TOLERANCE_SECONDS, TOLERANCE_SHARE * expected)
        if abs(seconds - expected) > tolerance:
            return "mis-cut", f"has {seconds:.2f} s, the corpus says {expected:.2f} s"
    if seconds > LONGEST_SECONDS:
        return "mis-cut", f"has {seconds:.2f} s, longer than any utterance"
    return None


def _silence(modality: str, track: Track) -> tuple[str, str] | None:
    if modality == "audio" and track.peak < SILENCE_PEAK:
        return "silent", "is silent"
    return None
