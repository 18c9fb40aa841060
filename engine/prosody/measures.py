"""The measures of an utterance, as in the prosody that is published for MELD.

Definitions and parameters are those of that file (docs/data.md): Praat's intensity, pitch
and harmonicity, and the syllable count of de Jong and Wempe. They were written anew from
the papers, so that nothing here is under Praat's licence.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.prosody.harmonicity import harmonicity
from engine.prosody.level import levels, mean_level
from engine.prosody.pitch import PitchSearch, pitch_track
from engine.prosody.syllables import articulation_rate
from stream.media import SAMPLE_RATE, Samples

MEASURES = (
    "duration",
    "avg_intensity",
    "intensity_variation",
    "avg_pitch",
    "pitch_std",
    "pitch_range",
    "articulation_rate",
    "mean_hnr",
)
"""Names as in the published files: seconds, dB, dB, Hz, Hz, Hz, syllables/s, dB."""

LONGEST_SECONDS = 30.0
"""Of a longer utterance the end is measured, so that it costs no more."""
LOWEST_PITCH = 100.0
"""Hz, of the intensity."""
LARGEST_FALL = 50.0
"""dB below the mean: the level of what is quieter. Films have no digital silence, but a
microphone that cuts off noise does, and without this it alone would be the variation."""


def measure(samples: Samples) -> NDArray[np.float32]:
    """Measure the sound (N,) of an utterance at 16 kHz: (P,) in the order of `MEASURES`.

    What cannot be measured is NaN: pitch without voiced sound, the rate without a syllable,
    the rest where the sound is too short. Of silence everything but the duration is NaN.
    """
    found = np.full(len(MEASURES), np.nan, np.float32)
    found[0] = len(samples) / SAMPLE_RATE
    sound = np.nan_to_num(np.asarray(samples, np.float64), posinf=0.0, neginf=0.0)
    sound = sound[-int(LONGEST_SECONDS * SAMPLE_RATE) :]
    if not len(sound) or not np.ptp(sound):
        return found
    level, _ = levels(sound, LOWEST_PITCH)
    if len(level):
        found[1] = mean_level(level)
        found[2] = np.maximum(level, found[1] - LARGEST_FALL).std()
    track, _ = pitch_track(sound, PitchSearch())
    voiced = track[track > 0]
    if len(voiced):
        found[3], found[4], found[5] = voiced.mean(), voiced.std(), np.ptp(voiced)
    found[6] = articulation_rate(sound)
    ratios = harmonicity(sound)
    if len(ratios):
        found[7] = ratios.mean()
    return found
