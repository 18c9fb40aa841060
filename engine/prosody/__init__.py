"""Measured prosody of an utterance: level, pitch, rate and clearness of a voice, with numpy."""

from engine.prosody.measures import MEASURES, measure

__all__ = ["MEASURES", "measure"]
