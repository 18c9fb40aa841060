"""Whether a box shows a face: the presence that MediaPipe's Face Mesh gives.

The detector takes the back of a head, a beam or a flask for a face now and then, with scores
of 0.5 to 0.65; some faces have no more. The mesh (Kartynnik et al., arXiv 1907.06724) looks at
the box alone and closer, and was trained to tell these from faces. It knows upright faces best,
so the turn of the box in which it is surest tells which way up the face is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from engine.faces.crop import Framing, crop_face
from engine.faces.geometry import Box
from engine.faces.network import load_interpreter
from stream.errors import UserError
from stream.media import Image

MESH_FILE = "face_landmark.tflite"
SIDE = 192
"""Of the network's input, pixels."""
MESH_VALUES = 3 * 468
LOGIT_LIMIT = 80.0
"""Logits are clipped to this before the sigmoid, so that it stays in float32."""
SCALE = 1.5
"""Side of what the network looks at, in sides of the face's box: as in its training."""
TILTS = (-45, 45)
"""Degrees by which a face may be tilted ..."""
FALLEN = (-90, 90)
"""... and by which it lies on its side: nothing is read from it, nor from one upside down."""
MIN_PRESENCE = 0.5
"""From here on a box that nothing is known of shows a face: the network's own threshold. Rates
are printed by `python -m benchmarks.face_presence`."""
KEPT_PRESENCE = 0.2
"""Down to here a box still shows the face that it showed before: one that turns to profile, or
that a hand covers."""

_WIDE = 272
"""Side in pixels of a crop in which a square of `SIDE` can be turned."""


class Presence(NamedTuple):
    """What the landmark network says of a box."""

    score: float
    """Confidence that it shows a face, 0 to 1."""
    upright: bool = True
    """Whether the network is surer of the face as it is, or tilted, than lying or upside down."""

    @property
    def begins(self) -> bool:
        """Whether a box that nothing is known of shows a face."""
        return self.upright and self.score >= MIN_PRESENCE

    @property
    def lasts(self) -> bool:
        """Whether a box that showed a face still does."""
        return self.upright and self.score >= KEPT_PRESENCE


UNCHECKED = Presence(1.0)
"""Of any box, where there is no landmark network."""


class FacePresence:
    """Looks for a face in a box. Not for several threads at once.

    Two looks of 1.5 ms where there is an upright face, six where there is none.
    """

    def __init__(self, folder: Path) -> None:
        """Load the network.

        Args:
            folder: The prepared model `face-landmarks`.

        Raises:
            UserError: If the file is missing or is another network.
        """
        path = folder / MESH_FILE
        advice = "fetch it with `python -m export.models face-landmarks`"
        self._network = load_interpreter(path, f"the network {path}", advice)
        (taken,) = self._network.get_input_details()
        given = {tuple(item["shape"]): item["index"] for item in self._network.get_output_details()}
        needed = {(1, 1, 1, MESH_VALUES), (1, 1, 1, 1)}
        if tuple(taken["shape"]) != (1, SIDE, SIDE, 3) or not needed <= set(given):
            raise UserError(f"{path} is another network than expected: {advice}")
        self._input, self._presence = taken["index"], given[1, 1, 1, 1]

    def __call__(self, image: Image, box: Box) -> Presence:
        """Tell whether a box shows a face, and an upright one.

        Args:
            image: Shape (H, W, 3), RGB.
            box: Where the detector found one.
        """
        wide = crop_face(image, box, _WIDE, Framing(SCALE * _WIDE / SIDE, 0.0))
        upright, fallen = self._look(wide, 0), self._look(wide, 180)
        if not (upright > fallen and _sigmoid(upright) >= MIN_PRESENCE):
            upright = max(upright, *(self._look(wide, turn) for turn in TILTS))
            fallen = max(fallen, *(self._look(wide, turn) for turn in FALLEN))
        return Presence(_sigmoid(upright), upright > fallen)

    def _look(self, wide: Image, turn: int) -> float:
        """The logit of the presence in a wide crop turned by some degrees."""
        middle = (_WIDE - 1) / 2
        matrix = np.asarray(cv2.getRotationMatrix2D((middle, middle), turn, 1), np.float64)
        matrix[:, 2] -= (_WIDE - SIDE) / 2
        turned: Any = cv2.warpAffine(wide, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
        self._network.set_tensor(self._input, turned[None].astype(np.float32) / 255)
        self._network.invoke()
        return float(self._network.get_tensor(self._presence).item())


def _sigmoid(logit: float) -> float:
    return float(1 / (1 + np.exp(-np.clip(logit, -LOGIT_LIMIT, LOGIT_LIMIT))))
