"""What the encoders are given of a clip: the same pictures and windows as live, as plain arrays.

It needs no trained weights, so it is made once for all models of a spec. `ClipPreparer` makes
it, `pack` and `unpack` bring it to the cache and back.

Letters in shapes: F pictures, S side, C channels, W windows, D functionals, P measures.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.faces import FaceDetector
from engine.model.inputs import (
    audio_windows,
    clean_samples,
    fit_picture,
    is_silent,
    participant_pictures,
)
from engine.model.smile import OpenSmile
from engine.model.spec import AudioSpec, VideoSpec
from engine.prosody import measure
from stream.errors import UserError
from stream.media import Image, Samples, VideoFrame
from training.checks.faults import ClipFault
from training.checks.probe import inspect
from training.clips.cache import Entry
from training.clips.utterances import read_clip
from training.datasets.clip import Clip

RAW_SIDE = 96
"""Larger pictures are kept as JPEG: 64 of 336x336 are 21 MB raw and about 3 MB so."""
JPEG_QUALITY = 95
"""Of those; the noise it adds is below that of the video codecs the corpora come in."""


@dataclass(frozen=True, eq=False)
class PreparedClip:
    """What the encoders are given of a clip."""

    pictures: tuple[Image, ...]
    """(S, S) or (S, S, 3) each, as `engine.model.inputs.picture_tensor` takes them; none where
    there is no picture, or no face."""
    functionals: NDArray[np.float32]
    """(W, D) openSMILE functionals; W is 0 without sound."""
    prosody: NDArray[np.float32] | None = None
    """(P,) of the sound, in the order of `engine.prosody.MEASURES`; None without sound."""
    reasons: tuple[str, ...] = ()
    """Why something is absent or worse than it could be: `video: REASON`, `audio: REASON`."""


class ClipPreparer:
    """Reads clips and prepares them; not for several threads at once.

    Args:
        video: Numbers of the pictures.
        audio: Numbers of the windows.
        detector: BlazeFace's file; only `video.source == "face"` needs it.
        landmarks: The prepared model `face-landmarks`, which tells what is a face; likewise.

    Raises:
        UserError: The detector cannot be loaded.
    """

    def __init__(
        self,
        video: VideoSpec,
        audio: AudioSpec,
        detector: Path | None,
        landmarks: Path | None = None,
    ) -> None:
        self._video, self._audio = video, audio
        self._smile = OpenSmile(audio)
        self._detector = None if detector is None else FaceDetector(detector, landmarks)

    def __call__(self, clip: Clip, seconds: float | None = None) -> PreparedClip:
        """Prepare a clip; what cannot be read or `training.check` finds fault with is absent.

        Args:
            clip: Pictures and sound.
            seconds: Length by the corpus's own times; None where it has none.
        """
        utterance = read_clip(clip, self._video)
        reasons = [_brief(reason, clip) for reason in utterance.degraded]
        pictures = clip_pictures(utterance.frames, self._video, self._detector)
        if utterance.frames and not pictures:
            reasons.append("video: no face")
        windows = clip_windows(utterance.audio, self._audio)
        if len(utterance.audio) and not windows:
            reasons.append("audio: silence")
        prosody = measure(clean_samples(utterance.audio)) if windows else None
        prepared = PreparedClip(tuple(pictures), self._smile(windows), prosody, tuple(reasons))
        for fault in inspect(clip, seconds):
            prepared = _without(prepared, fault, clip)
        return prepared


def clip_pictures(
    frames: Sequence[VideoFrame], spec: VideoSpec, detector: FaceDetector | None
) -> list[Image]:
    """What the DenseNet looks at: tracked faces or whole frames, fitted but not normalised."""
    images = participant_pictures(frames, spec, detector).images
    return [_fit(image, spec) for image in images]


def clip_windows(samples: Samples, spec: AudioSpec) -> list[Samples]:
    """What openSMILE hears; nothing of a microphone that is muted."""
    cleaned = clean_samples(samples)
    return [] if is_silent(cleaned) else audio_windows(cleaned, spec)


def pack(clip: PreparedClip) -> Entry:
    """A prepared clip as an entry of the cache."""
    tensors: dict[str, NDArray[Any]] = {}
    if len(clip.functionals):
        tensors["functionals"] = clip.functionals
    if clip.prosody is not None:
        tensors["prosody"] = clip.prosody
    if clip.pictures and max(clip.pictures[0].shape) > RAW_SIDE:
        tensors |= {f"jpeg/{n:04d}": _to_jpeg(image) for n, image in enumerate(clip.pictures)}
    elif clip.pictures:
        tensors["pictures"] = np.stack(clip.pictures)
    return Entry(tensors, {"reasons": json.dumps(clip.reasons)})


def unpack(entry: Entry, spec: AudioSpec) -> PreparedClip:
    """The prepared clip of an entry; `spec` gives the width of the functionals.

    Raises:
        UserError: A picture in it is damaged.
    """
    tensors = entry.tensors
    names = sorted(name for name in tensors if name.startswith("jpeg/"))
    pictures = [_from_jpeg(tensors[name]) for name in names] or list(tensors.get("pictures", ()))
    nothing = np.zeros((0, spec.features), np.float32)
    functionals = tensors.get("functionals", nothing)
    reasons = unpack_reasons(entry.metadata["reasons"])
    return PreparedClip(tuple(pictures), functionals, tensors.get("prosody"), reasons)


def unpack_reasons(noted: str) -> tuple[str, ...]:
    """Why something of a clip is absent, as `pack` noted it."""
    return tuple(json.loads(noted))


def _fit(image: Image, spec: VideoSpec) -> Image:
    """The picture at its final size and channels; grey without the axis that is 1."""
    channels = spec.densenet.in_channels
    fitted = fit_picture(image, spec.size, channels)
    return np.ascontiguousarray(fitted[:, :, 0] if channels == 1 else fitted)


def _without(prepared: PreparedClip, fault: ClipFault, clip: Clip) -> PreparedClip:
    """Leave out what was read although it is at fault, such as five minutes for two seconds."""
    for modality in fault.modalities:
        if len(prepared.pictures if modality == "video" else prepared.functionals):
            reason = _brief(f"{modality}: {fault.kind}: {fault.detail}", clip)
            prepared = replace(
                prepared,
                pictures=() if modality == "video" else prepared.pictures,
                functionals=prepared.functionals[: 0 if modality == "audio" else None],
                prosody=None if modality == "audio" else prepared.prosody,
                reasons=(*prepared.reasons, reason),
            )
    return prepared


def _brief(reason: str, clip: Clip) -> str:
    """Without the path, since a moved file keeps its entry, and without advice for live use."""
    for cut in (clip.video, clip.audio):
        if cut is not None:
            reason = reason.replace(str(cut.path), "FILE").replace(cut.path.name, "FILE")
    return reason.partition(";")[0]


def _to_jpeg(image: Image) -> NDArray[np.uint8]:
    """Bytes (n,) of a JPEG."""
    ordered = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    encoded: NDArray[np.uint8] = cv2.imencode(
        ".jpg", ordered, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )[1]
    return encoded.reshape(-1)


def _from_jpeg(encoded: NDArray[np.uint8]) -> Image:
    image: Any = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    if image is None:
        raise UserError("a picture in the cache is damaged; delete the folder of the cache")
    return np.asarray(image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
