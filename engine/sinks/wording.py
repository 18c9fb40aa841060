"""An event in words, safe to print: nothing that was said or named can steer the terminal."""

from __future__ import annotations

import unicodedata

from engine.events import EmotionEvent

_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that are escaped: controls, direction overrides, surrogates, separators."""
_JOINERS = "\u200c\u200d"
"""Format characters that scripts and emoji need."""


def printable(text: str, limit: int = 200) -> str:
    r"""`text` on one line of at most `limit` characters, control characters as `\x1b`."""
    shown = "".join(map(_safe, " ".join(text.split()[:limit])))
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def _safe(character: str) -> str:
    if unicodedata.category(character) in _HARMFUL and character not in _JOINERS:
        return character.encode("unicode_escape").decode()
    return character


def clock(seconds: float) -> str:
    """Media seconds as `minutes:seconds`, with hours from one hour on."""
    tenths = round(abs(seconds) * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    start = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{'-' if seconds < 0 and tenths else ''}{start}:{rest // 10:02d}.{rest % 10}"


def window(event: EmotionEvent) -> str:
    """When it was expressed."""
    return f"{clock(event.window.start)}-{clock(event.window.end)}"


def quotation(event: EmotionEvent) -> str:
    """What was said, quoted; empty where that is unknown or kept back."""
    return f"“{printable(event.text)}”" if event.text else ""


def emotion(event: EmotionEvent) -> str:
    """What was expressed, and how sure the model is."""
    if event.emotion.abstained:
        sure = f"unsure ({event.emotion.confidence:.0%} at best)"
        return sure if event.modalities.used else "nothing to go by"
    return f"expressed {printable(event.emotion.label)} {event.emotion.confidence:.0%}"


def behaviour(event: EmotionEvent) -> str:
    """What face and body did, shortened; empty where that is not described."""
    return f"[{printable(event.behaviour, 100)}]" if event.behaviour else ""


def modalities(event: EmotionEvent) -> str:
    """What it was recognised from, and what was missing and why."""
    used = "+".join(event.modalities.used) or "nothing"
    absent = ", ".join(
        f"{name}: {printable(reason)}" for name, reason in event.modalities.absent.items()
    )
    return f"{used} ({absent})" if absent else used


def latency(event: EmotionEvent) -> str:
    """How long it took, over all stages."""
    return f"{sum(event.latency_ms.values()):.0f} ms"


def line(event: EmotionEvent) -> str:
    """The whole event as one line."""
    parts = (
        window(event),
        printable(event.participant),
        quotation(event),
        emotion(event),
        behaviour(event),
        f"from {modalities(event)}",
        latency(event),
    )
    return "  ".join(part for part in parts if part)
