"""The report of an evaluation: one HTML file with its pictures inside."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.evaluation.figures import confusion_png, reliability_png, risk_coverage_png
from training.evaluation.predictions import ReliabilityBin
from training.evaluation.report import HEADLINES
from training.html import data_uri, render

TEMPLATE = "evaluation/page.html.jinja"
SHOWN_FLAWS = 100
"""More flaws of clips are only counted; the JSON has all."""


def evaluation_page(document: dict[str, Any]) -> str:
    """The page of what `to_document` gave."""
    bins = [ReliabilityBin(**one) for one in document["reliability"]]
    return render(
        TEMPLATE,
        document=document,
        headlines=HEADLINES,
        shown_flaws=SHOWN_FLAWS,
        confusion=data_uri(confusion_picture(document), "image/png"),
        reliability=data_uri(reliability_png(bins), "image/png"),
        risk_coverage=data_uri(risk_coverage_png(document["risk_coverage"]["curve"]), "image/png"),
        recorded=[run for run in document["runs"] if run["training"]],
    )


def confusion_picture(document: dict[str, Any]) -> bytes:
    """The confusion matrix as a PNG file."""
    return confusion_png(document["labels"], np.array(document["confusion"]))
