"""OpenSMILE functionals of windows of sound, without waiting for openSMILE to be made ready.

An instance of openSMILE hears one sound. To make one, it reads the hundreds of components of
a feature set from text, which takes as long as the 2 seconds of sound that it then hears; so
the next one is made when there is time (`get_ready`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from opensmile.core.config import config
from opensmile.core.define import FeatureLevel, FeatureSet
from opensmile.core.smile import Smile

from engine.model.spec import AudioSpec
from stream.media import SAMPLE_RATE, Samples

FULL_SCALE = 32768
"""Of 16 bits, which openSMILE reads."""


class OpenSmile:
    """OpenSMILE functionals of windows (Eyben et al., 2010; research licence)."""

    def __init__(self, spec: AudioSpec) -> None:
        """Load the feature set of `spec`."""
        self._smile = Smile(
            feature_set=FeatureSet[spec.feature_set],
            feature_level=FeatureLevel.Functionals,
        )
        self.features = spec.features
        self._ready: Any = None

    def __call__(self, windows: Sequence[Samples]) -> NDArray[np.float32]:
        """Functionals of each window: W arrays (N,) -> (W, D); undefined ones are 0."""
        out = np.zeros((len(windows), self.features), np.float32)
        for index, window in enumerate(windows):
            for values in self._hear(window)[:1]:  # none of a sound that is too short
                out[index] = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
        return out

    def get_ready(self) -> None:
        """Make what the next window needs, if it is not there yet."""
        if self._ready is None:
            options = self._smile._options()
            source = Path(self._smile.default_config_root) / config.EXTERNAL_INPUT_CONFIG
            options |= {"source": str(source), "sampleRate": SAMPLE_RATE, "nBits": 16}
            self._ready = self._smile._smile(options=options)

    def _hear(self, window: Samples) -> list[NDArray[np.float32]]:
        """What `Smile.process_signal` gives, bit for bit."""
        self.get_ready()
        smile, self._ready = self._ready, None
        found: list[NDArray[np.float32]] = []
        try:
            smile.external_sink_set_callback_ex(
                config.EXTERNAL_OUTPUT_COMPONENT, lambda rows, _: found.extend(rows.copy())
            )
            sound = (window * np.float32(FULL_SCALE)).astype(np.int16)
            smile.external_audio_source_write_data(
                config.EXTERNAL_SOURCE_COMPONENT, sound.tobytes()
            )
            smile.external_audio_source_set_eoi(config.EXTERNAL_SOURCE_COMPONENT)
            smile.run()
        finally:
            smile.free()
        return found
