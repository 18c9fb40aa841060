"""In which order a listener hears the clips of a speaker, where a corpus has no conversations.

File names are sorted by emotion, so the order of files would tell the label of a clip by
those before it. The order here is random and the same for ever: by SHA-256 of `ORDER` and
the clip's corpus and name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from training.datasets.speech import SpeechClip

ORDER = "heard 1"
"""Seed of the order; another gives another order of all clips."""


def heard_order(clips: Sequence[SpeechClip]) -> list[int]:
    """Indices of clips in the order in which they are heard, of all speakers together."""
    return sorted(range(len(clips)), key=lambda index: _place(clips[index]))


def _place(clip: SpeechClip) -> str:
    return hashlib.sha256(f"{ORDER}/{clip.corpus}/{clip.path.stem}".encode()).hexdigest()
