"""All clips of dialogues into the cache: over processes, resumable, and no clip ends the run."""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from engine.faces import FaceDetector
from engine.model.spec import AudioSpec, ModelSpec, VideoSpec
from export.models import resolve
from stream.errors import UserError
from training.clips.cache import EntryStore, clip_key
from training.clips.hashes import MediaHashes
from training.clips.inputs import ClipPreparer, PreparedClip, pack, unpack, unpack_reasons
from training.clips.pool import map_isolated
from training.datasets.clip import Clip
from training.datasets.dialogues import Dialogue, DialogueUtterance
from training.progress import progress_bar

_Found = tuple[Clip, DialogueUtterance]

CLIPS = "clips"
"""Folder of prepared clips below the cache."""
DIED = "reading it ended the process that did: a crash of a decoder, or too little memory"


@dataclass(frozen=True)
class Flaw:
    """Something of a clip that is absent or worse than it could be."""

    dialogue: str
    utterance: int
    path: Path
    """The file that it is in."""
    reason: str
    """`video: REASON` or `audio: REASON`."""


@dataclass(frozen=True)
class PreparedReport:
    """What `prepare` found and did."""

    clips: int
    """Utterances that have a clip."""
    without_clip: int
    """Utterances that have none."""
    cached: int
    """Clips that were in the cache."""
    made: int
    """Clips that were not."""
    flaws: tuple[Flaw, ...]
    """In the order of the dialogues; a clip may have several."""
    seconds: float
    """Wall time."""
    keys: tuple[str, ...]
    """Of the clips in the cache, in the order of the dialogues."""

    @property
    def reasons(self) -> dict[str, list[Flaw]]:
        """Flaws by reason, the most frequent first."""
        counts = Counter(flaw.reason for flaw in self.flaws)
        return {
            reason: [flaw for flaw in self.flaws if flaw.reason == reason]
            for reason, _ in counts.most_common()
        }


@dataclass(frozen=True)
class ClipTask:
    """One clip for one process."""

    clip: Clip
    key: str
    """In the cache."""
    folder: Path
    """Of the prepared clips."""
    video: VideoSpec
    audio: AudioSpec
    detector: Path | None
    """BlazeFace's file where faces are cut."""
    seconds: float | None = None
    """Length by the corpus's times; None where it has none."""
    landmarks: Path | None = None
    """The prepared model `face-landmarks` where faces are cut."""


def prepare_clip(task: ClipTask) -> None:
    """Read a clip and write what the encoders are given of it.

    Raises:
        UserError: The cache cannot be written, or the detector cannot be read.
    """
    preparer = _preparer(task.video, task.audio, task.detector, task.landmarks)
    try:
        prepared = preparer(task.clip, task.seconds)
    except Exception as error:  # whatever a hostile file does to a library: it ends this clip only
        prepared = _nothing(task.audio, f"{type(error).__name__}: {error}")
    EntryStore(task.folder).write(task.key, pack(prepared))


@functools.cache
def _preparer(
    video: VideoSpec, audio: AudioSpec, detector: Path | None, landmarks: Path | None
) -> ClipPreparer:
    """The one of this process: loading detector and openSMILE costs more than a clip."""
    cv2.setNumThreads(1)  # there is a process for every core already
    return ClipPreparer(video, audio, detector, landmarks)


def prepare(
    dialogues: Sequence[Dialogue],
    spec: ModelSpec,
    cache: Path,
    jobs: int,
    *,
    retry_crashed: bool = False,
    work: Callable[[ClipTask], None] = prepare_clip,
) -> PreparedReport:
    """Bring every clip of dialogues into the cache.

    A clip that is there, broken or not, is not read again; after a kill the rest is made.

    Args:
        dialogues: Their clips.
        spec: What the encoders take.
        cache: Folder.
        jobs: Processes.
        retry_crashed: Try those again that ended their process: memory may suffice this time.
        work: Prepares one clip.

    Raises:
        UserError: The cache cannot be written; what is done is kept.
    """
    started = time.monotonic()
    store = EntryStore(cache / CLIPS)
    found = list(_clips(dialogues))
    keys = _keys(found, spec, cache, jobs)
    clips = dict(zip(keys, found, strict=True))
    missing = [key for key in clips if not _is_done(store.read_metadata(key), retry_crashed)]
    faces = _networks(spec.video) if missing else _NO_NETWORKS
    tasks = [
        ClipTask(
            clip,
            key,
            store.folder,
            spec.video,
            spec.audio,
            faces.detector,
            utterance.seconds,
            faces.landmarks,
        )
        for key in missing
        for clip, utterance in (clips[key],)
    ]
    _run(tasks, work, jobs, store)
    made = sum(Counter(keys)[key] for key in missing)
    return PreparedReport(
        clips=len(keys),
        without_clip=sum(len(d.utterances) for d in dialogues) - len(found),
        cached=len(keys) - made,
        made=made,
        flaws=tuple(_flaws(found, keys, store)),
        seconds=time.monotonic() - started,
        keys=tuple(keys),
    )


def _is_done(metadata: Mapping[str, str] | None, retry_crashed: bool) -> bool:
    return metadata is not None and not (retry_crashed and DIED in metadata["reasons"])


def read_prepared(key: str, spec: ModelSpec, cache: Path) -> PreparedClip:
    """A clip that `prepare` prepared.

    Raises:
        UserError: It was not, or it was deleted since.
    """
    entry = EntryStore(cache / CLIPS).read(key)
    if entry is None:
        raise UserError(f"{cache}: a clip is missing; run `python -m training.preprocess` again")
    return unpack(entry, spec.audio)


def _run(
    tasks: Sequence[ClipTask], work: Callable[[ClipTask], None], jobs: int, store: EntryStore
) -> None:
    if not tasks:
        return
    died = 0
    with progress_bar() as bar:
        row = bar.add_task("clips", total=len(tasks), note="")
        for task, finished in map_isolated(functools.partial(_done, work), tasks, jobs):
            if finished is None:
                died += 1
                store.write(task.key, pack(_nothing(task.audio, DIED)))
            bar.update(row, advance=1, note=f"{died} crashed" if died else "")


def _done(work: Callable[[ClipTask], None], task: ClipTask) -> bool:
    work(task)
    return True


def _nothing(audio: AudioSpec, reason: str) -> PreparedClip:
    reasons = (f"video: {reason}", f"audio: {reason}")
    return PreparedClip((), np.zeros((0, audio.features), np.float32), reasons=reasons)


class _Networks(NamedTuple):
    """Files of what finds faces."""

    detector: Path | None
    landmarks: Path | None


_NO_NETWORKS = _Networks(None, None)


def _networks(spec: VideoSpec) -> _Networks:
    """The files, fetched and tried once before many processes load them."""
    if spec.source != "face":
        return _NO_NETWORKS
    detector, landmarks = resolve("blazeface"), resolve("face-landmarks")
    FaceDetector(detector, landmarks)
    return _Networks(detector, landmarks)


def _clips(dialogues: Iterable[Dialogue]) -> Iterator[_Found]:
    """Every clip with its utterance."""
    for dialogue in dialogues:
        for utterance in dialogue.utterances:
            if utterance.clip is not None:
                yield utterance.clip, utterance


def hash_media(dialogues: Sequence[Dialogue], cache: Path, jobs: int) -> None:
    """Hash the media files of dialogues that are new, so that `prepare` need not.

    Raises:
        UserError: The cache cannot be written.
    """
    _hash(list(_clips(dialogues)), MediaHashes(cache), jobs)


def _hash(found: Sequence[_Found], hashes: MediaHashes, jobs: int) -> None:
    cuts = [cut for clip, _ in found for cut in (clip.video, clip.audio) if cut is not None]
    hashes.digest_all((cut.path for cut in cuts), jobs)


def _keys(found: Sequence[_Found], spec: ModelSpec, cache: Path, jobs: int) -> list[str]:
    """The key of each clip; media files that are new are hashed first."""
    hashes = MediaHashes(cache)
    _hash(found, hashes, jobs)
    return [clip_key(clip, spec, hashes.digest, utterance.seconds) for clip, utterance in found]


def _flaws(found: Iterable[_Found], keys: Iterable[str], store: EntryStore) -> Iterator[Flaw]:
    for key, (clip, utterance) in zip(keys, found, strict=True):
        metadata = store.read_metadata(key)
        for reason in unpack_reasons((metadata or {}).get("reasons", "[]")):
            cut = clip.audio if reason.startswith("audio") else clip.video
            cut = cut or clip.video or clip.audio
            if cut is not None:
                yield Flaw(utterance.dialogue_id, utterance.utterance_id, cut.path, reason)
