"""What a teacher says of one utterance, and how it is kept."""

from __future__ import annotations

from dataclasses import dataclass

PARTS = ("facial_expression", "body_language", "posture")
"""The three behaviours that the paper names and that can be seen; also the keys of a
description in JSON."""
ALL_PARTS = (*PARTS, "voice")
"""With what can be heard, which the prosody teacher alone describes."""


@dataclass(frozen=True)
class Description:
    """Observable behaviour in words: no emotion words, no guess at what anyone feels."""

    facial_expression: str = ""
    """One or two sentences; empty where nothing could be seen."""
    body_language: str = ""
    """Gestures and movement."""
    posture: str = ""
    """How the speaker holds head, shoulders and trunk."""
    voice: str = ""
    """How it is spoken: loudness, pitch, rate."""

    def text(self, parts: tuple[str, ...] = ALL_PARTS) -> str:
        """The sentences of some parts, in the order of `ALL_PARTS`, joined by blanks."""
        said = (getattr(self, name) for name in ALL_PARTS if name in parts)
        return " ".join(filter(None, said)).strip()


@dataclass(frozen=True)
class UtteranceKey:
    """Names one utterance of one corpus."""

    corpus: str
    split: str
    dialogue: str
    utterance: int
