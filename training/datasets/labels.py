"""The seven emotions of MELD, and what the labels of every other corpus mean among them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# The order of every index and distribution here is that of the compact bundle.
from engine.model.spec import MELD_LABELS as MELD_LABELS

MELD_INDEX: Mapping[str, int] = MappingProxyType({name: i for i, name in enumerate(MELD_LABELS)})
"""Position of each label in `MELD_LABELS`."""

RAVDESS_TO_MELD: Mapping[str, str] = MappingProxyType(
    {
        "01": "neutral",
        "02": "neutral",  # calm: RAVDESS's second baseline, close to neutral by its authors' design
        "03": "joy",
        "04": "sadness",
        "05": "anger",
        "06": "fear",
        "07": "disgust",
        "08": "surprise",
    }
)
"""The third field of a RAVDESS file name."""

EMODB_TO_MELD: Mapping[str, str | None] = MappingProxyType(
    {
        "N": "neutral",
        "F": "joy",  # Freude
        "W": "anger",  # Wut
        "T": "sadness",  # Trauer
        "E": "disgust",  # Ekel
        "A": "fear",  # Angst
        "L": None,  # Langeweile, boredom: no counterpart, left out
    }
)
"""The sixth letter of an EmoDB file name; None where MELD has no counterpart."""

NEMO_TO_MELD: Mapping[str, str] = MappingProxyType(
    {
        "neutral": "neutral",
        "happiness": "joy",
        "surprised": "surprise",
        "anger": "anger",
        "sadness": "sadness",
        "fear": "fear",
    }
)
"""The second field of a nEMO file name."""

FER2013_NAMES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""FER2013's classes in the order of the `emotion` column, 0 to 6."""

FER2013_TO_MELD: Mapping[str, str] = MappingProxyType(
    {
        "angry": "anger",
        "disgust": "disgust",
        "fear": "fear",
        "happy": "joy",
        "sad": "sadness",
        "surprise": "surprise",
        "neutral": "neutral",
    }
)
"""FER2013's class names."""

FERPLUS_COLUMNS = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
)
"""The vote columns of FERPlus in their published order; `NF` is "not a face"."""

FERPLUS_TO_MELD: Mapping[str, str] = MappingProxyType(
    {
        "neutral": "neutral",
        "happiness": "joy",
        "surprise": "surprise",
        "sadness": "sadness",
        "anger": "anger",
        "disgust": "disgust",
        "fear": "fear",
    }
)
"""The first seven vote columns; contempt, unknown and NF have no counterpart."""

EMORYNLP_LABELS = ("neutral", "joyful", "peaceful", "powerful", "scared", "mad", "sad")
"""EmoryNLP's labels, after the primary emotions of Willcox's feeling wheel."""

EMORYNLP_TO_MELD: Mapping[str, str | None] = MappingProxyType(
    {
        "neutral": "neutral",
        "joyful": "joy",
        "scared": "fear",
        "mad": "anger",
        "sad": "sadness",
        "peaceful": None,
        "powerful": None,
    }
)
"""None where MELD has no counterpart: evaluation leaves those out and counts them."""

DAILYDIALOG_TO_MELD: Mapping[str, str] = MappingProxyType(
    {
        "neutral": "neutral",
        "happiness": "joy",
        "happy": "joy",
        "excited": "joy",
        "surprise": "surprise",
        "surprised": "surprise",
        "anger": "anger",
        "angry": "anger",
        "sadness": "sadness",
        "sad": "sadness",
        "disgust": "disgust",
        "fear": "fear",
    }
)
"""DailyDialog's emotions, and the few words beside them that RECCON's copy has."""

IEMOCAP_LABELS = ("happy", "sad", "neutral", "angry", "excited", "frustrated")
"""The six classes that IEMOCAP's papers report, excited apart from happy."""

IEMOCAP_TO_MELD: Mapping[str, str | None] = MappingProxyType(
    {
        "happy": "joy",
        "sad": "sadness",
        "neutral": "neutral",
        "angry": "anger",
        "excited": "joy",  # as where IEMOCAP is reported with four classes
        "frustrated": None,
    }
)
"""None where MELD has no counterpart."""

CORPUS_LABELS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "meld": MELD_LABELS,
        "iemocap": IEMOCAP_LABELS,
        "emorynlp": EMORYNLP_LABELS,
        "goemotions": MELD_LABELS,
        "dailydialog": MELD_LABELS,
    }
)
"""Labels of the conversation corpora, in the order of their indices."""
