"""Whose mouth moves while there is speech, from small crops of faces.

A head that moves moves its mouth too. So the motion of the upper face is measured first, as
one linear step of image registration (Lucas and Kanade, IJCAI 1981) with an affine motion and
a change of light; what the mouth changes beyond that is its own.

Letters in shapes: S side of a crop, P pixels of a part of it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from stream.media import Image

SIDE = 48
"""Pixels; crops of another size are scaled to it."""
GAP_SECONDS = 0.3
"""Crops further apart are not compared."""
LARGEST_MOTION = 4.0
"""No crop counts more than this: a hand before the face, or another face."""
LEAD_SECONDS = 0.2
"""A mouth moves this long before it is heard; measured on two faces."""
SPEECH, SILENCE = 0.5, 0.3
"""Probabilities from which and up to which there is speech and there is none."""
QUIET_SHARE = 0.5
"""How much of the motion in silence is taken off."""
MIN_CROPS = 4
"""Motion of fewer crops is not believed."""
MOVING = 0.8
"""Motion from which a mouth talks, in contrasts of the face a second: a still face has 0 to 0.4,
a talking one about 2."""
CLEAR_FACTOR = 1.8
"""A speaker is sure who moves this many times as much as anybody else ..."""
HIDDEN_SHARE = 0.6
"""... if everybody is seen in this share of the speech, as a hidden mouth may be the one."""

Floats = NDArray[np.float32]
Track = Sequence[tuple[float, float]]
"""Pairs of media seconds and a number, in the order of time."""


class MouthMotion:
    """How much the mouth of one person moves, crop by crop; about 0.2 ms each."""

    def __init__(self) -> None:
        self._last: tuple[float, Floats] | None = None

    def __call__(self, time: float, crop: Image) -> float | None:
        """Compare with the crop before.

        Args:
            time: Media seconds.
            crop: As `cut_face` gives it with `FER2013_FRAMING`: shape (S, S), or (S, S, 3) RGB.

        Returns:
            Change of the mouth that the motion of the head does not explain, in contrasts of
            the face a second, at least 0; None for the first crop and after a gap.
        """
        grey = crop if crop.ndim == 2 else cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
        if grey.shape != (SIDE, SIDE):
            grey = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        # Smoothed, so that a motion of a pixel or two is still linear.
        blurred = cv2.GaussianBlur(np.asarray(grey, np.float32), (0, 0), 1.2)
        smooth = np.asarray(blurred, np.float32)
        last, self._last = self._last, (time, smooth)
        if last is None or not 0 < time - last[0] <= GAP_SECONDS:
            return None
        return min(_own_change(last[1], smooth) / (time - last[0]), LARGEST_MOTION)


def choose_speaker(
    motions: Mapping[int, Track], speech: Track, start: float, end: float
) -> tuple[int | None, bool]:
    """Whose mouth moves with the speech of an utterance.

    Args:
        motions: By person, the time and the motion of every crop that has one; those around
            the utterance are welcome, as they show who moves in silence too.
        speech: Time of the middle of a window of sound, and the probability of speech in it.
        start: Of the utterance, media seconds.
        end: Likewise.

    Returns:
        The person, or None where nobody's mouth moves; and whether that is sure: the mouth
        moves clearly more than any other, and none of the others is hidden.
    """
    heard = {person: _in_speech(track, speech) for person, track in motions.items()}
    spoken = {
        person: [motion for time, motion, loud in track if loud and start <= time <= end]
        for person, track in heard.items()
    }
    most = max((len(track) for track in spoken.values()), default=0)
    scores = {
        person: sum(track) / len(track) - QUIET_SHARE * _in_silence(heard[person])
        for person, track in spoken.items()
        if len(track) >= MIN_CROPS
    }
    ranked = sorted(scores, key=lambda person: (-scores[person], person))
    if not ranked or scores[ranked[0]] < MOVING:
        return None, False
    other = scores[ranked[1]] if len(ranked) > 1 else 0.0
    all_seen = all(len(track) >= HIDDEN_SHARE * most for track in spoken.values())
    return ranked[0], all_seen and scores[ranked[0]] >= CLEAR_FACTOR * other


def _in_speech(track: Track, speech: Track) -> list[tuple[float, float, bool | None]]:
    """Time, motion and whether there is speech then; None where that is unknown or unclear."""
    times = [time for time, _ in speech]
    found: list[tuple[float, float, bool | None]] = []
    for time, motion in track:
        index = bisect_right(times, time + LEAD_SECONDS) - 1
        probability = speech[index][1] if index >= 0 else 0.5 * (SPEECH + SILENCE)
        loud = True if probability >= SPEECH else False if probability <= SILENCE else None
        found.append((time, motion, loud))
    return found


def _in_silence(track: Sequence[tuple[float, float, bool | None]]) -> float:
    """Mean motion without speech; 0 where too little is known."""
    quiet = [motion for _, motion, loud in track if loud is False]
    return sum(quiet) / len(quiet) if len(quiet) >= MIN_CROPS else 0.0


def _own_change(before: Floats, after: Floats) -> float:
    """Change of the mouth beyond that of the upper face, in contrasts of the face."""
    mean, change = ((before + after) / 2).ravel(), (after - before).ravel()[_PIXELS]
    # How each pixel changes with the parts of an affine motion and with the light: (8, P).
    terms = np.empty((8, len(_PIXELS)), np.float32)
    np.multiply(mean[_PIXELS + 1] - mean[_PIXELS - 1], _PLACES, out=terms[:3])
    np.multiply(mean[_PIXELS + SIDE] - mean[_PIXELS - SIDE], _PLACES, out=terms[3:6])
    terms[6], terms[7] = mean[_PIXELS], 1
    upper = terms[:, :_UPPER_PIXELS]
    square = upper @ upper.T
    square[_DIAGONAL] += 1e-5 * square.trace() / len(square)
    motion = np.linalg.solve(square, upper @ change[:_UPPER_PIXELS])
    left = np.square(change - motion @ terms)
    own = np.sqrt(left[_UPPER_PIXELS:].mean()) - np.sqrt(left[:_UPPER_PIXELS].mean())
    return max(0.0, float(own)) / max(_LEAST_CONTRAST, float(terms[6].std()))


def _part(rows: range, columns: range) -> NDArray[np.int64]:
    """Where the pixels of a part are in a crop laid out as one row: (P,)."""
    return np.array([SIDE * row + column for row in rows for column in columns])


# The upper face without hair and background, then the mouth. Every second pixel is enough of
# a smoothed picture.
_UPPER, _MOUTH = _part(range(8, 28, 2), range(9, 39, 2)), _part(range(29, 45, 2), range(14, 34, 2))
_PIXELS, _UPPER_PIXELS = np.concatenate([_UPPER, _MOUTH]), len(_UPPER)
_ROWS, _COLUMNS = ((np.stack(divmod(_PIXELS, SIDE)) - SIDE / 2) / (SIDE / 2)).astype(np.float32)
_PLACES = np.stack([np.ones_like(_ROWS), _COLUMNS, _ROWS])  # (3, P)
_LEAST_CONTRAST = 4.0  # grey levels; a crop of less shows no face
_DIAGONAL = np.diag_indices(8)
