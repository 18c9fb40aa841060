"""The page on which a person reads descriptions beside the pictures and judges them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from engine.model.spec import VideoSpec
from training.audit.groups import MINIMUM
from training.audit.items import Item
from training.audit.proportion import Proportion
from training.audit.statistics import Statistics, to_json
from training.audit.text import words
from training.audit.verdicts import VERDICTS
from training.describe.description import PARTS
from training.html import data_uri, percent, render

SCRIPT = Path(__file__).parent / "page.js"

LONGEST_EDGE = 360
"""Pixels of the longer side of a picture on the page: 50 items with 4 each take about 6 MB."""

PART_NAMES = MappingProxyType({part: part.replace("_", " ").capitalize() for part in PARTS})
"""Names of the parts for a person."""


@dataclass(frozen=True)
class Picture:
    """One picture of an utterance."""

    seconds: float
    """From the start of the utterance."""
    uri: str
    """A data URI."""


def pictures(item: Item, video: VideoSpec, count: int) -> tuple[Picture, ...]:
    """Some pictures of an utterance, uniform in time; none where its clip cannot be read.

    Args:
        item: With or without a clip.
        video: Of the recipe.
        count: At most so many.
    """
    clip = item.utterance.clip
    if clip is None or clip.video is None or count == 0:
        return ()
    # PyAV and OpenCV are needed only where there are clips.
    from training.clips.utterances import read_clip
    from training.describe.pictures import fit, jpeg

    shown = read_clip(replace(clip, audio=None), video, count)
    return tuple(
        Picture(
            max(0.0, frame.time - shown.start),
            data_uri(jpeg(fit(frame.image, LONGEST_EDGE)), "image/jpeg"),
        )
        for frame in shown.frames
    )


def build_page(
    statistics: Statistics, items: Sequence[Item], shown: Sequence[tuple[Picture, ...]]
) -> str:
    """The whole page.

    Args:
        statistics: Over all descriptions.
        items: The sample, in the order of the page.
        shown: Pictures of each of them.
    """
    return render(
        "audit/page.html.jinja",
        script=SCRIPT.read_text(encoding="utf-8"),
        statistics=statistics,
        figures=to_json(statistics),
        audit=audit_document(items),
        rows=[_row(item, found) for item, found in zip(items, shown, strict=True)],
        parts=PART_NAMES,
        verdicts=VERDICTS,
        minimum=MINIMUM,
        share=share,
        interval=interval,
    )


def audit_document(items: Sequence[Item]) -> dict[str, Any]:
    """What the script knows of the items; the id names this choice of these wordings."""
    digest = hashlib.sha256("".join(item.digest for item in items).encode())
    return {
        "id": digest.hexdigest(),
        "items": [{"key": asdict(item.key), "description_sha256": item.digest} for item in items],
    }


def share(proportion: Proportion) -> str:
    """A share in percent; a dash of nothing."""
    return "-" if proportion.share is None else percent(proportion.share)


def interval(proportion: Proportion) -> str:
    """The two ends of a share's interval in percent; empty of nothing."""
    if proportion.interval is None:
        return ""
    low, high = proportion.interval
    return f"{100 * low:.0f} to {100 * high:.0f} %"


def _row(item: Item, shown: tuple[Picture, ...]) -> dict[str, Any]:
    said = {part: getattr(item.description, part) for part in PARTS}
    return {
        "item": item,
        "pictures": shown,
        "said": said,
        "lengths": {part: len(words(text)) for part, text in said.items()},
        "length": len(words(item.text)),
    }
