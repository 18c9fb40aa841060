"""The report of an ablation: one HTML file, its drawings as SVG inside."""

from __future__ import annotations

from typing import Any

from training.ablation.comparison import FIGURES, MAIN
from training.ablation.units import duration, operations, points
from training.evaluation.report import HEADLINES
from training.html import render

TEMPLATE = "ablation/page.html.jinja"
WIDTH, LEFT, RIGHT, LINE = 720, 210, 30, 30
"""Of a drawing, in its own units: all of it, beside the scale, and of a row."""


def ablation_page(document: dict[str, Any]) -> str:
    """The page of what `to_document` gave."""
    return render(
        TEMPLATE,
        document=document,
        figures={name: HEADLINES[name] for name in FIGURES},
        main=MAIN,
        forest=forest(document),
        bars=bars(document),
        two_stages=two_stages(document),
        points=points,
        operations=operations,
        duration=duration,
    )


def forest(document: dict[str, Any]) -> dict[str, Any]:
    """Where differences and their intervals are drawn: a row for each variant, 0 in between."""
    found = {
        name: row["differences"][MAIN]
        for name, row in document["variants"].items()
        if row["differences"]
    }
    ends = [value for one in found.values() for value in (one["low"], one["high"])]
    reach: float = 1.1 * max(0.005, *(abs(end) for end in ends))

    def place(value: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (value + reach) / (2 * reach), 1)

    tick = _round_step(reach)
    rows = [
        {
            "name": name,
            "y": LINE * (number + 0.5),
            "low": place(one["low"]),
            "value": place(one["value"]),
            "high": place(one["high"]),
        }
        for number, (name, one) in enumerate(found.items())
    ]
    ticks = [
        {"x": place(step * tick), "text": points(step * tick) if step else "0"}
        for step in range(-int(reach / tick), int(reach / tick) + 1)
    ]
    return {"rows": rows, "ticks": ticks, **_size(len(rows))}


def bars(document: dict[str, Any]) -> dict[str, Any]:
    """Operations of both stages end to end, a row for each variant."""
    costs = {
        name: [row["costs"].get(stage, {}).get("flops", 0.0) for stage in ("stage1", "stage2")]
        for name, row in document["variants"].items()
    }
    most = max(sum(both) for both in costs.values()) or 1.0
    unit = (WIDTH - LEFT - 4 * RIGHT) / most  # room for the number at the end
    rows = [
        {
            "name": name,
            "y": LINE * (number + 0.5),
            "first": round(first * unit, 1),
            "second": round(second * unit, 1),
            "text": f"{operations(first + second)}FLOP",
        }
        for number, (name, (first, second)) in enumerate(costs.items())
    ]
    return {"rows": rows, **_size(len(rows))}


def two_stages(document: dict[str, Any]) -> str:
    """What stage 1 of `full` cost; empty where it has none."""
    costs = document["variants"]["full"]["costs"]
    if "stage1" not in costs:
        return ""
    first, second = costs["stage1"], costs["stage2"]
    shares = [
        f"{100 * first[key] / ((first[key] + second[key]) or 1):.0f} % of the {name}"
        for key, name in (("tokens", "tokens"), ("flops", "operations"), ("seconds", "time"))
    ]
    text = f"Stage 1 of full takes {shares[0]}, {shares[1]} and {shares[2]} of both stages."
    other = document["variants"].get("single-stage")
    if other is not None:
        single = other["costs"]["stage2"]["flops"] / (first["flops"] + second["flops"] or 1)
        text += f" single-stage takes {100 * single:.0f} % of the operations of full."
    return text


def _round_step(reach: float) -> float:
    """A distance of marks of 1, 2 or 5 times a power of ten, with two to five on a side."""
    power = 1e-4
    while True:
        for factor in (1, 2, 5):
            if reach / (factor * power) <= 5:
                return factor * power
        power *= 10


def _size(rows: int) -> dict[str, int]:
    return {"width": WIDTH, "left": LEFT, "right": WIDTH - RIGHT, "bottom": LINE * rows}
