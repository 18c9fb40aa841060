"""Tests of the prosody encoder and of prosody as evidence."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.model.fusion import Fusion
from engine.model.model import TurnInputs
from engine.model.prosody import ProsodyEncoder, add_prosody, past_prosody
from engine.model.recognizer import used_modalities, without
from engine.model.spec import ModelSpec, compact
from engine.prosody import MEASURES

NAN = math.nan
VOICE = torch.tensor([2.5, 63.0, 8.0, 200.0, 60.0, 280.0, 3.8, 6.5])


def changed(**changes: float) -> Tensor:
    """An ordinary voice with some other measures."""
    voice = VOICE.clone()
    for name, value in changes.items():
        voice[MEASURES.index(name)] = value
    return voice


@pytest.fixture
def encoder() -> ProsodyEncoder:
    """With random weights and a scale of some voices."""
    torch.manual_seed(1)
    made = ProsodyEncoder(7)
    voices = VOICE * (1 + 0.2 * torch.randn(200, len(MEASURES)))
    made.fit_scale(voices, torch.randint(0, 7, (200,)))
    return made.eval()


def test_scores_are_log_probabilities(encoder: ProsodyEncoder) -> None:
    """Of every label, whatever is missing."""
    for voice in (VOICE, changed(avg_pitch=NAN), torch.full((len(MEASURES),), NAN)):
        found = encoder.scores(voice, encoder.scale([VOICE]))
        assert found.shape == (7,)
        assert float(found.exp().sum()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", ["avg_intensity", "mean_hnr"])
def test_the_microphone_does_not_count(encoder: ProsodyEncoder, name: str) -> None:
    """All utterances 2 dB louder or clearer are the same to it, also the first."""
    place = MEASURES.index(name)
    louder = changed(**{name: float(VOICE[place]) + 2})
    first = encoder.describe(VOICE, encoder.scale([]))
    assert torch.equal(encoder.describe(louder, encoder.scale([])), first)
    other = changed(avg_pitch=240.0, **{name: float(VOICE[place]) - 1})
    other_louder = changed(avg_pitch=240.0, **{name: float(VOICE[place]) + 1})
    second = encoder.describe(other, encoder.scale([VOICE]))
    assert encoder.describe(other_louder, encoder.scale([louder])) == pytest.approx(
        second, abs=1e-5
    )


def test_a_turn_is_compared_with_those_before(encoder: ProsodyEncoder) -> None:
    """A voice that is louder than its past is another than one that is not."""
    loud = changed(avg_intensity=68.0)
    same = encoder.scores(loud, encoder.scale([loud, loud]))
    louder = encoder.scores(loud, encoder.scale([VOICE, VOICE]))
    assert not torch.allclose(same, louder)


def test_how_long_it_is_does_not_count(encoder: ProsodyEncoder) -> None:
    """Voice activity decides it live."""
    scale = encoder.scale([VOICE])
    assert torch.equal(encoder.scores(changed(duration=9.0), scale), encoder.scores(VOICE, scale))


def test_the_scale_is_of_what_is_known(encoder: ProsodyEncoder) -> None:
    """NaN and a range of 0, which is unknown, change no mean."""
    voices = torch.stack([VOICE, changed(avg_pitch=NAN), changed(pitch_std=0, pitch_range=0)])
    encoder.fit_scale(voices, torch.tensor([0, 1, 2]))
    assert float(encoder.mean[3]) == pytest.approx(math.log(200))
    assert float(encoder.mean[4]) == pytest.approx(60)
    assert encoder.standardise(voices)[2, 4:6].isnan().all()


def test_only_the_same_speaker_before_counts(encoder: ProsodyEncoder) -> None:
    """`add_prosody` finds the past of the turn's speaker."""
    loud = changed(avg_intensity=68.0)
    history = [
        TurnInputs("Ann", "hello", prosody=VOICE),
        TurnInputs("Ben", "hi", prosody=loud),
        TurnInputs("Ann", "well"),
    ]
    assert past_prosody(history, "Ann") == [VOICE]
    turn = add_prosody(TurnInputs("Ann", "so"), loud, encoder, history)
    assert turn.prosody is loud
    expected = encoder.scores(loud, encoder.scale([VOICE]))
    assert turn.prosody_scores is not None
    assert torch.equal(turn.prosody_scores, expected)


def test_it_belongs_to_the_voice() -> None:
    """Without the voice there is no prosody; alone it is no modality that is calibrated."""
    turn = TurnInputs("Ann", "so", prosody=VOICE, prosody_scores=torch.zeros(7))
    assert used_modalities(turn) == ("text",)
    bare = without(turn, "audio")
    assert bare.prosody is None
    assert bare.prosody_scores is None
    assert not replace(turn, text=None).is_wordless


def test_weights_are_there_only_when_asked_for() -> None:
    """So that bundles without prosody load as they are."""
    assert "evidence_weights.prosody" not in Fusion(compact()).state_dict()
    fusion = Fusion(compact(prosody=True))
    assert fusion.state_dict()["evidence_weights.prosody"].shape == (7,)
    evidence = torch.zeros(1, 3, 7)
    evidence[0, 2] = 1
    assert fusion.weigh_evidence(evidence)[0].detach() == pytest.approx(torch.full((7,), 0.5))


def test_prosody_is_evidence() -> None:
    """A spec that has evidence off cannot have it; an old spec has none."""
    with pytest.raises(ValueError, match="prosody"):
        compact(prosody=True, evidence=False)
    values = compact().to_dict()
    del values["prosody"]
    assert ModelSpec.from_dict(values).prosody is False
