"""Pictures of an evaluation, as PNG files in memory.

Drawn with Matplotlib's objects, without `pyplot`, which keeps figures in global state. The
same data give the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from training.evaluation.metrics import Integers
from training.evaluation.predictions import ReliabilityBin

DOTS_PER_INCH = 144
_BLUE, _ORANGE, _GREY = "#0a5cc2", "#d9822b", "#57606a"


def confusion_png(labels: Sequence[str], confusion: Integers, title: str = "") -> bytes:
    """The confusion matrix, coloured by row: how what is true is taken.

    Args:
        labels: C names.
        confusion: (C, C) counts, rows are truth.
        title: Above it; none for an empty one.
    """
    counts = np.asarray(confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 2.2 + 0.62 * len(labels)
    figure = Figure(figsize=(side, side), dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    # A dollar sign in a label is a dollar sign, not the start of a formula.
    axes.set_xticks(range(len(labels)), labels, rotation=40, ha="right", parse_math=False)
    axes.set_yticks(range(len(labels)), labels, parse_math=False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(title, parse_math=False)
    for (row, column), share in np.ndenumerate(shares):
        text = f"{100 * share:.0f} %\n{counts[row, column]}" if counts[row].any() else "none"
        ink = "white" if share > 0.65 else "black"
        axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=8)
    return _png(figure)


def reliability_png(bins: Sequence[ReliabilityBin]) -> bytes:
    """The reliability diagram (Guo et al., 2017): accuracy by confidence, and how often."""
    figure = Figure(figsize=(5.2, 5.4), dpi=DOTS_PER_INCH, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    edges = [one.low for one in bins]
    width = bins[0].high - bins[0].low
    filled = [one for one in bins if one.accuracy is not None and one.confidence is not None]
    upper.plot([0, 1], [0, 1], linestyle="--", color=_GREY, label="calibrated")
    upper.bar(
        [one.low for one in filled],
        [one.accuracy or 0.0 for one in filled],
        width,
        align="edge",
        color=_BLUE,
        edgecolor="white",
        label="accuracy",
    )
    upper.plot(
        [one.confidence or 0.0 for one in filled],
        [one.accuracy or 0.0 for one in filled],
        marker="o",
        linestyle="none",
        color=_ORANGE,
        label="at the mean confidence",
    )
    upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
    upper.legend(loc="upper left")
    lower.bar(edges, [one.n for one in bins], width, align="edge", color=_GREY, edgecolor="white")
    lower.set(xlabel="confidence", ylabel="examples")
    return _png(figure)


def risk_coverage_png(
    curve: Sequence[tuple[float, float]], others: Mapping[str, Sequence[tuple[float, float]]] = {}
) -> bytes:
    """Share of wrong answers by the share answered, the surest first.

    Args:
        curve: Coverage and risk.
        others: More curves, by name, such as those of other modalities.
    """
    figure = Figure(figsize=(5.2, 3.6), dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    for name, points in {"": curve, **others}.items():
        if points:
            axes.plot(*zip(*points, strict=True), label=name, color=None if name else _BLUE)
    axes.set(xlim=(0, 1), ylim=(0, None), xlabel="coverage", ylabel="risk")
    if others:
        axes.legend()
    return _png(figure)


def noise_png(points: Sequence[tuple[float, float]], clean: float) -> bytes:
    """Weighted F1 by word error rate.

    Args:
        points: Rate and weighted F1, shares from 0 to 1.
        clean: Weighted F1 on the transcripts as they are.
    """
    figure = Figure(figsize=(5.2, 3.2), dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    rates, values = zip(*points, strict=True)
    axes.axhline(100 * clean, linestyle="--", color=_GREY, label="transcripts as they are")
    axes.plot(
        [100 * rate for rate in rates],
        [100 * value for value in values],
        marker="o",
        color=_BLUE,
        label="lower case, no punctuation",
    )
    axes.set(xlabel="words wrong, %", ylabel="weighted F1, %")
    axes.legend(loc="lower left")
    return _png(figure)


def _png(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()
