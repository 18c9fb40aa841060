"""How the scores of frames become those of an utterance."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engine.model.densenet import DenseNet
from engine.model.encoders import utterance_scores
from engine.model.spec import compact
from training.datasets.labels import MELD_INDEX
from training.measure_pooling import FRAMES, SHARES, main, recalls, report
from training.smoke import Smoke

JOY, NEUTRAL = MELD_INDEX["joy"], MELD_INDEX["neutral"]


def frames(joyful: int) -> torch.Tensor:
    """Scores of frames of which some clearly show joy and the rest nothing."""
    logits = torch.zeros(FRAMES, len(MELD_INDEX))
    logits[:, NEUTRAL] = 3
    logits[:joyful] = 0
    logits[:joyful, JOY] = 6
    return logits


@pytest.mark.parametrize("peak", [0.0, 0.5, 2.0])
def test_equal_frames(peak: float) -> None:
    """Frames that agree give their own scores, whatever the peak; the order is of no account."""
    logits = torch.randn(7).repeat(FRAMES, 1)
    torch.testing.assert_close(utterance_scores(logits, peak), logits[0].log_softmax(0))
    mixed = frames(4)
    torch.testing.assert_close(utterance_scores(mixed, peak), utterance_scores(mixed.flip(0), peak))


def test_a_short_expression_counts() -> None:
    """A mean forgets what lasts for a quarter of the frames, a peak does not."""
    logits = frames(FRAMES // 4)
    assert utterance_scores(logits).argmax() == NEUTRAL
    assert utterance_scores(logits, 1.0).argmax() == JOY


def test_small_peak_is_the_mean() -> None:
    """The peak begins where the mean is."""
    logits = torch.randn(FRAMES, 7, generator=torch.Generator().manual_seed(1)).double()
    torch.testing.assert_close(
        utterance_scores(logits, 1e-4), utterance_scores(logits), atol=2e-3, rtol=0
    )
    assert math.isclose(float(utterance_scores(logits, 3.0).exp().sum()), 1, rel_tol=1e-5)


def test_recalls_and_report() -> None:
    """Every label counts the same, however many videos it has."""
    joy = (JOY, {share: frames(round(FRAMES * share)) for share in SHARES})
    rest = (NEUTRAL, {share: frames(0) for share in SHARES})
    found = recalls([joy, joy, rest], 0.25, 0.0)
    assert found == {JOY: 0.0, NEUTRAL: 1.0}
    lines = list(report([joy, rest]))
    assert lines[1].split() == ["0", "100.0", "100.0", "50.0", "50.0", "75.0", "100.0"]


def test_command(smoke: Smoke, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table comes out; weights of another network are refused with what to do."""
    weights = tmp_path / "face.safetensors"
    faces = str(smoke.data / "fer2013")
    save_file(DenseNet(compact().video.densenet).state_dict(), weights)
    assert main([faces, str(weights), "--videos", "2"]) == 0
    assert "12%" in capsys.readouterr().out
    save_file({"x": torch.zeros(1)}, weights)
    assert main([faces, str(weights)]) == 2
    assert "no weights of compact's DenseNet" in capsys.readouterr().err
