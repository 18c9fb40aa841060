"""Faces: found in a picture, followed forward in time, cut out for the encoder, seen talking."""

from engine.faces.crop import FER2013_FRAMING, Framing, crop_face
from engine.faces.detector import Face, FaceDetector
from engine.faces.follower import FaceFollower, TrackedFace
from engine.faces.geometry import Box, Square
from engine.faces.main import MainFace, heaviest
from engine.faces.talking import MouthMotion, choose_speaker
from engine.faces.track import FaceCrop, FaceTrack, cut_face, main_faces, main_person, track_faces

__all__ = [
    "FER2013_FRAMING",
    "Box",
    "Face",
    "FaceCrop",
    "FaceDetector",
    "FaceFollower",
    "FaceTrack",
    "Framing",
    "MainFace",
    "MouthMotion",
    "Square",
    "TrackedFace",
    "choose_speaker",
    "crop_face",
    "cut_face",
    "heaviest",
    "main_faces",
    "main_person",
    "track_faces",
]
