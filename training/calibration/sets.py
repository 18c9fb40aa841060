"""The dev data on which every subset of modalities is calibrated, in two folds.

What is fitted on one fold is tested on the other, so the figures that
`training.calibrate` prints are of turns that the fitted numbers have not seen. The folds
share no dialogue, and in composed turns no voice and no face either
(`training.calibration.halves`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.model.calibration import SUBSETS
from engine.model.recognizer import Recognizer
from engine.model.spec import MODALITIES
from training.calibration.halves import HALVES, half_of_speakers
from training.composition.corpora import CompactCorpora
from training.datasets.speech import find_speech
from training.evaluation import examples
from training.evaluation.examples import Examples
from training.evaluation.predict import remove
from training.learning.sequences import label_targets, text_sequence
from training.preprocess import encode_dialogues
from training.script import Job

WORDLESS_DRAWS = 4
"""How often dev is composed where there are no words. A dialogue has them once, but any number
of voices and faces can be drawn for it; with one draw the error of a calibration of voice and
face was anything from 2.8 to 5.3 %, by chance."""


@dataclass(frozen=True, eq=False)
class DevSet:
    """Turns of one subset of modalities."""

    whole: Examples
    """What the numbers of the bundle are fitted on."""
    folds: NDArray[np.int64]
    """(n,) 0 or 1 for each turn of `whole`."""
    second: Examples | None = None
    """Stands for fold 1 in cross-fitting: its dialogues, composed from the other half of the
    voices and faces. None: fold 1 of `whole` itself."""


def dev_sets(job: Job, recognizer: Recognizer) -> Mapping[str, DevSet]:
    """By subset, those that the recipe's dev data have."""
    if job.recipe.settings.stage2.composed_epochs:
        return composed_dev(job, recognizer)
    return corpus_dev(job, recognizer)


def corpus_dev(job: Job, recognizer: Recognizer) -> Mapping[str, DevSet]:
    """Dev of the recipe's own corpus, with clips where it has them; folds are of dialogues."""
    dialogues = job.open_corpus().splits["dev"]
    subsets: tuple[str, ...] = ("text",)
    if job.recipe.settings.stage2.clip_epochs:
        turns = encode_dialogues(dialogues, recognizer.encoders, job.cache, job.jobs)
        subsets = SUBSETS
    else:
        turns = [text_sequence(dialogue, recognizer.labels).turns for dialogue in dialogues]
    targets = [label_targets(dialogue, recognizer.labels) for dialogue in dialogues]
    truth = tuple(int(row.argmax()) if row.any() else -1 for own in targets for row in own)
    whole = Examples(tuple(turns), truth)
    folds = dialogue_folds(whole)
    return {subset: DevSet(remove(whole, absent(subset)), folds) for subset in subsets}


def composed_dev(job: Job, recognizer: Recognizer) -> Mapping[str, DevSet]:
    """Words from MELD dev; voices and faces alone as they are in their own corpora."""
    request = composed_request(job, recognizer)
    chosen = composed_subsets(request)
    voices = examples.speech(request, lambda _: find_speech(CompactCorpora.below(job.data).speech))
    chosen["audio"] = DevSet(voices, speaker_folds(request, voices))
    faces = examples.read_dev_faces(CompactCorpora.below(job.data).faces_dev)
    majority = examples.ferplus_truth(faces, recognizer.labels)
    pictures = Examples(examples.faces(request, faces).dialogues, majority)
    chosen["video"] = DevSet(pictures, np.arange(len(faces)) % 2)
    return {subset: chosen[subset] for subset in SUBSETS}


def composed_request(job: Job, recognizer: Recognizer) -> examples.Request:
    """Of composed dev."""
    corpora = CompactCorpora.below(job.data)
    return examples.Request(
        path=corpora.meld_dev,
        encoders=recognizer.encoders,
        labels=recognizer.labels,
        cache=job.cache,
        speakers="dev",
        faces=corpora.faces_dev,
        speech=(corpora.speech,),
        mismatched=job.recipe.settings.composition.mismatched,
    )


def composed_subsets(request: examples.Request) -> dict[str, DevSet]:
    """Every subset but a voice alone and a face alone."""
    request = replace(request, draws=WORDLESS_DRAWS)
    first, second = (examples.composed(_half(request, half)) for half in HALVES)
    count = len(first.dialogues) // WORDLESS_DRAWS
    folds = dialogue_folds(first.choose(range(count)))
    sets = {}
    for subset in SUBSETS:
        if subset in ("audio", "video"):
            continue
        draws = 1 if "text" in subset.split("+") else WORDLESS_DRAWS
        drawn = range(draws * count)
        whole = remove(first.choose(drawn), absent(subset))
        odd = second.choose(one for one in drawn if one % count % 2)
        other = remove(odd, absent(subset)) if subset != "text" else None
        sets[subset] = DevSet(whole, np.tile(folds, draws), other)
    return sets


def dialogue_folds(chosen: Examples) -> NDArray[np.int64]:
    """(n,) dialogues alternate between the folds."""
    lengths = [len(turns) for turns in chosen.dialogues]
    return np.repeat(np.arange(len(lengths)) % 2, lengths)


def speaker_folds(request: examples.Request, voices: Examples) -> NDArray[np.int64]:
    """(n,) the halves of the speakers are the folds."""
    clips = [clip for folder in request.speech for clip in find_speech(folder)]
    first = half_of_speakers(examples.choose_clips(clips, request.speakers), 1)
    names = {f"{corpus} {speaker}" for corpus, speaker in first}
    return np.array([0 if name in names else 1 for name in voices.people])


def absent(subset: str) -> list[str]:
    """The modalities that a subset lacks."""
    return [name for name in MODALITIES if name not in subset.split("+")]


def _half(request: examples.Request, half: int) -> examples.Request:
    return replace(request, half=half)
