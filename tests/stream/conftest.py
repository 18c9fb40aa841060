"""What the tests of the media share."""

from __future__ import annotations

import os
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from export.models import resolve
from stream.errors import UserError
from stream.media import SAMPLE_RATE, Samples
from stream.vad import SileroVad

# How long an example takes says more about the machine than about the code.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

_SPEECH = Path(__file__).parent.parent / "assets" / "speech.wav"


@pytest.fixture(scope="session")
def silero_path() -> Path:
    """The real voice detector; the test is skipped where its weights cannot be had."""
    named = os.environ.get("BEMERC_SILERO")
    if named:
        return Path(named)
    try:
        return resolve("silero-vad")
    except UserError as error:
        pytest.skip(f"no weights of the voice detector: {error}")


@pytest.fixture
def silero(silero_path: Path) -> SileroVad:
    """The real voice detector, which has heard nothing yet."""
    return SileroVad(silero_path)


@pytest.fixture(scope="session")
def speech() -> Samples:
    """Real speech at 16 kHz, shape (N,)."""
    with wave.open(str(_SPEECH)) as file:
        assert (file.getframerate(), file.getnchannels()) == (SAMPLE_RATE, 1)
        raw = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    return (raw / 32768).astype(np.float32)
