"""Whose mouth moves: films side by side in one picture, with the sound of the first."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np

from engine.faces import FaceDetector, FaceFollower, MouthMotion, choose_speaker, cut_face
from engine.faces.talking import SIDE, SPEECH
from export.models import resolve
from stream.errors import UserError
from stream.media import SAMPLE_RATE, Image, Samples, VideoFrame
from stream.vad import WINDOW_SAMPLES, WINDOW_SECONDS, SileroVad

HEIGHT, WIDTH = 360, 480
"""Of each film in the picture."""
SECONDS = (1.0, 2.0)
"""Lengths of the stretches that are judged."""
SHIFT_SECONDS = 1.0
"""Between two starts of the other film."""

Track = list[tuple[float, float]]


def measure_mouths(
    speaker: Path, others: Sequence[Path], rate: float
) -> dict[str, dict[str, float]]:
    """Shares of stretches with speech: right, wrong, nobody; and of them the sure ones.

    Args:
        speaker: Film of a person who talks, with the voice.
        others: Films of people who are put beside, each also as a still picture.
        rate: Pictures a second.
    """
    cv2.setNumThreads(1)
    pictures, sound = _pictures(speaker, rate), _sound(speaker)
    speech = _speech(sound)
    tables = {"speaker beside an own still picture": _judge(pictures, pictures[:1], speech)}
    for path in others:
        tables[f"speaker beside {path.stem}"] = _judge(pictures, _pictures(path, rate), speech)
    return tables


def _judge(pictures: list[VideoFrame], beside: list[VideoFrame], speech: Track) -> dict[str, float]:
    """The shares where the speaker is on the left; the other film starts ever later."""
    counts: Counter[str] = Counter()
    taken: list[float] = []
    step = max(1, round(SHIFT_SECONDS * len(beside) / max(0.1, beside[-1].time - beside[0].time)))
    longest = max(1, len(beside) - len(pictures) // 2)
    for shift in range(0, longest, step):
        right = beside if len(beside) > 1 else beside * len(pictures)
        both = [
            VideoFrame(one.time, np.hstack([one.image, other.image]))
            for one, other in zip(pictures, right[shift:], strict=False)
        ]
        tracks, left = _tracks(both, taken)
        for seconds in SECONDS:
            for start in np.arange(0, both[-1].time - seconds, seconds / 2).tolist():
                end = start + seconds
                heard = sum(p >= SPEECH for t, p in speech if start <= t < end) * WINDOW_SECONDS
                if heard >= seconds / 2:
                    person, sure = choose_speaker(tracks, speech, start, end)
                    answer = "nobody" if person is None else "right" if person == left else "wrong"
                    counts.update([f"{seconds:g} s", f"{seconds:g} s: {answer}"])
                    counts[f"{seconds:g} s: {answer} and sure"] += sure
    shares = {
        name: count / counts[name.split(":")[0]] if ":" in name else count
        for name, count in sorted(counts.items())
    }
    return {"ms a crop": 1000 * float(np.median(taken)), **shares}


def _tracks(frames: Sequence[VideoFrame], taken: list[float]) -> tuple[dict[int, Track], int]:
    """Motion of everybody's mouth, and who is on the left."""
    follower = FaceFollower(FaceDetector(resolve("blazeface"), resolve("face-landmarks")))
    motions: defaultdict[int, MouthMotion] = defaultdict(MouthMotion)
    tracks: defaultdict[int, Track] = defaultdict(list)
    places: defaultdict[int, list[float]] = defaultdict(list)
    for frame in frames:
        for face in follower(frame):
            crop = cut_face(frame.image, face, SIDE).image
            began = time.thread_time()
            motion = motions[face.person](frame.time, crop)
            taken.append(time.thread_time() - began)
            places[face.person].append(face.box.centre[0])
            if motion is not None:
                tracks[face.person].append((frame.time, motion))
    if not places:
        raise UserError("no face is seen in the films: give others")
    return dict(tracks), min(places, key=lambda person: float(np.median(places[person])))


def _pictures(path: Path, rate: float) -> list[VideoFrame]:
    """At most `rate` pictures a second, the middle of each in the size of a half."""
    kept: list[VideoFrame] = []
    with av.open(str(path)) as film:
        for frame in film.decode(video=0):
            at = float(frame.time or 0.0)
            if not kept or at - kept[-1].time >= 1 / rate - 0.01:
                image = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
                kept.append(VideoFrame(at, _half(image)))
    return kept


def _half(image: Image) -> Image:
    height, width = image.shape[:2]
    scale = max(HEIGHT / height, WIDTH / width)
    resized = cv2.resize(image, (round(width * scale), round(height * scale)))
    top, left = (resized.shape[0] - HEIGHT) // 2, (resized.shape[1] - WIDTH) // 2
    return np.asarray(resized[top : top + HEIGHT, left : left + WIDTH], np.uint8)


def _sound(path: Path) -> Samples:
    resampler = av.AudioResampler("fltp", "mono", SAMPLE_RATE)
    with av.open(str(path)) as film:
        decoded = [*film.decode(audio=0), None]
    parts = [part.to_ndarray()[0] for frame in decoded for part in resampler.resample(frame)]
    return np.concatenate(parts).astype(np.float32)


def _speech(sound: Samples) -> Track:
    detector = SileroVad(resolve("silero-vad"))
    return [
        (
            (first + WINDOW_SAMPLES / 2) / SAMPLE_RATE,
            detector(sound[first : first + WINDOW_SAMPLES]),
        )
        for first in range(0, len(sound) - WINDOW_SAMPLES + 1, WINDOW_SAMPLES)
    ]
