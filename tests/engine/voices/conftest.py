"""The real network and a real voice: the weights of `make setup` and the recorded reading."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from engine.voices import VoiceEmbedding
from export.models import resolve
from stream.errors import UserError
from stream.media import Samples

SPEECH = Path(__file__).parents[2] / "assets" / "speech.wav"


@pytest.fixture(scope="session")
def embed() -> VoiceEmbedding:
    """The network that the live engine uses."""
    try:
        return VoiceEmbedding(resolve("speaker-embedding", offline=True))
    except UserError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def sentences() -> list[Samples]:
    """Two sentences of one reader, 3.6 s and 3 s."""
    sound, _ = soundfile.read(SPEECH, dtype="float32")
    return [sound[9_600:67_200], sound[86_400:134_400]]
