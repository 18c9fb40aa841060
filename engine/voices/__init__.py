"""Voices: told apart by a vector each, and followed through a conversation."""

from engine.voices.change import HOP_SECONDS, VoiceChange
from engine.voices.embedding import WINDOW_SECONDS, VoiceEmbedding
from engine.voices.speakers import SpeakerGuess, Speakers

__all__ = [
    "HOP_SECONDS",
    "WINDOW_SECONDS",
    "SpeakerGuess",
    "Speakers",
    "VoiceChange",
    "VoiceEmbedding",
]
