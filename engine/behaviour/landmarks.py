"""Points of a face: MediaPipe's Face Mesh and irises.

The mesh (Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on
Mobile GPUs", arXiv 1907.06724) has 468 points, in 3D up to scale. The iris network
(Ablavatski et al., "Real-time Pupil Tracking from Monocular Video for Digital Puppetry",
arXiv 2006.11341) sees one eye at a time and gives its lids more exactly than the mesh,
and the iris. About 12 ms a face on one core, of which the networks take 8: the mesh looks
twice, then each eye.

Right and left are the person's own: the right eye is on the left of the picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.behaviour.network import Network, sigmoid
from engine.behaviour.region import Floats, Region, around, crop, to_picture
from engine.faces import Box
from stream.media import Image

MESH_FILE = "face_landmark.tflite"
IRIS_FILE = "iris_landmark.tflite"
MESH_SIDE, IRIS_SIDE = 192, 64
"""Sides of the networks' inputs, pixels."""
MESH_POINTS = 468
FACE_SCALE, EYE_SCALE = 1.5, 2.3
"""Sides of what the networks look at, in sides of the face's box and in widths of an eye:
those of MediaPipe's graphs, so those of the training."""
MIN_PRESENCE = 0.5
"""Below this there is no face where one was looked for."""

EYE_CORNERS = ((33, 133), (263, 362))
"""Outer and inner corner in the mesh, right eye and left."""
LIDS = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398),
)
"""Points of the mesh that are the first of the iris network, right eye and left: the lower lid
from the outer corner to the inner, then the upper one."""


@dataclass(frozen=True, eq=False)
class FaceLandmarks:
    """Where the points of one face are."""

    points: Floats
    """Shape (468, 3): x and y in pixels of the picture, depth in the same unit, less is nearer."""
    irises: Floats
    """Shape (2, 2): the middle of the right and of the left iris, pixels."""
    presence: float
    """Confidence that this is a face, 0 to 1."""


class FaceLandmarker:
    """Finds the points of a face whose box is known."""

    def __init__(self, folder: Path) -> None:
        """Load both networks.

        Args:
            folder: The prepared model `face-landmarks`.

        Raises:
            UserError: If a file is missing or is another network.
        """
        self._mesh = Network(
            folder / MESH_FILE,
            MESH_SIDE,
            {"conv2d_21": (1, 1, 1, 3 * MESH_POINTS), "conv2d_31": (1, 1, 1, 1)},
            "face-landmarks",
        )
        self._iris = Network(
            folder / IRIS_FILE,
            IRIS_SIDE,
            {"output_eyes_contours_and_brows": (1, 213), "output_iris": (1, 15)},
            "face-landmarks",
        )

    def __call__(self, image: Image, box: Box) -> FaceLandmarks | None:
        """Find the points of one face; None where there turns out to be none.

        Args:
            image: Shape (H, W, 3), RGB.
            box: The face, as the detector gives it.
        """
        side = max(1.0, FACE_SCALE * max(box.x1 - box.x0, box.y1 - box.y0))
        points, presence = self._look(image, Region(*box.centre, side))
        if presence < MIN_PRESENCE:
            return None
        # The second look is upright and framed by the face itself, as in MediaPipe's tracking.
        (right, _), (left, _) = EYE_CORNERS
        upright = around(points[:, :2], _angle(points[right], points[left]), FACE_SCALE)
        points, presence = self._look(image, upright)
        if presence < MIN_PRESENCE:
            return None
        irises = np.stack([self._eye(image, points, eye) for eye in (0, 1)])
        return FaceLandmarks(points, irises, presence)

    def _look(self, image: Image, region: Region) -> tuple[Floats, float]:
        """The mesh and its presence in one region."""
        found = self._mesh(crop(image, region, MESH_SIDE) / 255)
        points = found["conv2d_21"].reshape(MESH_POINTS, 3)
        return to_picture(points, region, MESH_SIDE), float(sigmoid(found["conv2d_31"]).item())

    def _eye(self, image: Image, points: Floats, eye: int) -> Floats:
        """The middle of an iris, shape (2,); moves the mesh's lids to where they are seen."""
        corners = points[list(EYE_CORNERS[eye]), :2]
        inwards = corners[1] - corners[0]
        # The network knows eyes on the left of the picture; the other one is mirrored.
        mirror = eye == 1
        angle = math.atan2(float(inwards[1]), float(inwards[0])) + (math.pi if mirror else 0.0)
        x, y = corners.mean(axis=0).tolist()
        region = Region(x, y, max(1.0, EYE_SCALE * math.hypot(*inwards)), angle)
        seen = self._iris(crop(image, region, IRIS_SIDE, mirror=mirror) / 255)
        lids = seen["output_eyes_contours_and_brows"].reshape(-1, 3)[: len(LIDS[eye])]
        iris = seen["output_iris"].reshape(-1, 3)[:1]
        points[list(LIDS[eye]), :2] = to_picture(lids, region, IRIS_SIDE, mirror=mirror)[:, :2]
        return to_picture(iris, region, IRIS_SIDE, mirror=mirror)[0, :2]


def _angle(start: Floats, end: Floats) -> float:
    """Radians, clockwise in the picture, of the way from one point to another."""
    return math.atan2(float(end[1] - start[1]), float(end[0] - start[0]))
