"""Faces: found in a picture, followed over an utterance, cut out for the encoder."""

from engine.faces.crop import FER2013_FRAMING, Framing, crop_face
from engine.faces.detector import Face, FaceDetector
from engine.faces.geometry import Box, Square
from engine.faces.track import FaceCrop, FaceTrack, track_faces

__all__ = [
    "FER2013_FRAMING",
    "Box",
    "Face",
    "FaceCrop",
    "FaceDetector",
    "FaceTrack",
    "Framing",
    "Square",
    "crop_face",
    "track_faces",
]
