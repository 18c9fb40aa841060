"""An event in words, safe to print: nothing that was said or named can steer the terminal."""

from __future__ import annotations

from engine.events import EmotionEvent
from stream.printable import printable


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
    """How long it took: from the end of speech where that is known, else over all stages.

    Live, stages run beside each other, so that their sum is more than anybody waited.
    """
    known = event.latency_ms
    return f"{known.get('total', sum(known.values())):.0f} ms"


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
