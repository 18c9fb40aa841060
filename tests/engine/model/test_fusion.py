"""Features into slots: counted, in order, and absent where there are none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.model.fusion import Adapter, Fusion, audio_features, pool_frames, video_features
from engine.model.prompt import AUDIO, NO_AUDIO, NO_TEXT, NO_VIDEO, VIDEO
from engine.model.spec import compact, paper
from training.smoke import smoke_recipe

SPEC = smoke_recipe(Path("base")).spec
WIDTH = SPEC.llm.hidden_size
IDS = torch.tensor(
    [
        [5, VIDEO, VIDEO, AUDIO, 6, 7],
        [8, NO_VIDEO, AUDIO, AUDIO, NO_TEXT, 0],
        [9, VIDEO, VIDEO, NO_AUDIO, 4, 0],
    ]
)
VIDEO_COUNT, AUDIO_COUNT = 4, 3


def features(video: int = VIDEO_COUNT, audio: int = AUDIO_COUNT) -> tuple[Tensor, Tensor]:
    """Random features of so many tokens."""
    return torch.randn(video, video_features(SPEC)), torch.randn(audio, audio_features(SPEC))


@pytest.fixture
def fusion() -> Fusion:
    """Untrained."""
    torch.manual_seed(0)
    return Fusion(SPEC, gain=0.3)


def test_slots_are_filled_in_order(fusion: Fusion) -> None:
    """Words stay; the k-th slot of a modality gets the k-th feature, across the batch."""
    tokens = torch.randn(*IDS.shape, WIDTH)
    before = tokens.clone()
    video, audio = features()
    filled = fusion.embed(IDS, tokens, video, audio)
    assert torch.equal(filled[IDS >= 0], tokens[IDS >= 0])
    assert torch.equal(filled[IDS == VIDEO], fusion.adapters["video"](video))
    assert torch.equal(filled[IDS == AUDIO], fusion.adapters["audio"](audio))
    assert torch.equal(tokens, before)


def test_absent_slots_get_their_learned_embedding(fusion: Fusion) -> None:
    """One for each modality, and three different ones."""
    filled = fusion.embed(IDS, torch.randn(*IDS.shape, WIDTH), *features())
    for name, row, column in (("video", 1, 1), ("text", 1, 4), ("audio", 2, 3)):
        assert torch.equal(filled[row, column], fusion.absent[name])
    assert len({tuple(value.tolist()) for value in fusion.absent.values()}) == 3


@pytest.mark.parametrize(
    ("video", "audio", "message"),
    [
        (VIDEO_COUNT - 1, AUDIO_COUNT, "4 video tokens but there are 3 video features"),
        (VIDEO_COUNT + 1, AUDIO_COUNT, "4 video tokens but there are 5 video features"),
        (VIDEO_COUNT, AUDIO_COUNT - 1, "3 audio tokens but there are 2 audio features"),
        (VIDEO_COUNT, AUDIO_COUNT + 1, "3 audio tokens but there are 4 audio features"),
        (0, AUDIO_COUNT, "4 video tokens but there are 0 video features"),
    ],
)
def test_counts_that_differ_are_an_error(
    fusion: Fusion, video: int, audio: int, message: str
) -> None:
    """Too few or too many features are never cut, padded or masked away."""
    with pytest.raises(ValueError, match=message):
        fusion.embed(IDS, torch.randn(*IDS.shape, WIDTH), *features(video, audio))


def test_features_without_any_slot_are_an_error(fusion: Fusion) -> None:
    """Words alone take no features."""
    ids = torch.tensor([[5, NO_VIDEO, NO_AUDIO, 6]])
    fusion.embed(ids, torch.randn(1, 4, WIDTH), *features(0, 0))
    with pytest.raises(ValueError, match="0 audio tokens but there are 1"):
        fusion.embed(ids, torch.randn(1, 4, WIDTH), *features(0, 1))


def test_everything_in_it_can_learn(fusion: Fusion) -> None:
    """A loss on the embeddings reaches both adapters and the three absent tokens."""
    filled = fusion.embed(IDS, torch.zeros(*IDS.shape, WIDTH), *features())
    (filled * torch.randn_like(filled)).sum().backward()
    for name, parameter in fusion.named_parameters():
        if not name.startswith("evidence"):
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name


def test_an_adapter_speaks_as_loud_as_words() -> None:
    """Whatever the scale of the features, tokens begin with the LLM's own root mean square."""
    adapter = Adapter(20, WIDTH, gain=0.07)
    for scale in (1e-3, 1.0, 1e4):
        tokens = adapter(torch.randn(50, 20) * scale)
        assert tokens.square().mean().sqrt().item() == pytest.approx(0.07, rel=0.05)


def test_evidence_is_a_weighted_sum(fusion: Fusion) -> None:
    """Absent modalities, whose evidence is zero, add nothing."""
    with torch.no_grad():
        fusion.evidence_weights["audio"].fill_(2.0)
        fusion.evidence_weights["video"].fill_(3.0)
    audio, video = torch.randn(2, 7).log_softmax(1)
    none = torch.zeros(7)
    evidence = torch.stack(
        [torch.stack(pair) for pair in ((audio, video), (audio, none), (none, none))]
    )
    added = fusion.weigh_evidence(evidence)
    torch.testing.assert_close(added, torch.stack([2 * audio + 3 * video, 2 * audio, none]))


def test_widths_follow_from_the_spec() -> None:
    """Mean and peak of the DenseNet's features; functionals; with evidence, label scores."""
    assert video_features(compact()) == 2 * compact().video.densenet.features + 7
    assert audio_features(compact()) == 88 + 7
    assert (video_features(paper()), audio_features(paper())) == (2 * 1024, 6373)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 70), st.integers(1, 9))
def test_pooling_splits_time_evenly(count: int, tokens: int) -> None:
    """Frames keep their order; each is in one stretch, or in several when there are too few."""
    features = torch.stack([torch.arange(count).float(), -torch.arange(count).float()], 1)
    pooled = pool_frames(features, tokens)
    assert pooled.shape == (tokens, 4)
    mean, _, last, first = pooled.unbind(1)
    first = -first
    assert torch.equal(mean, (first + last) / 2)
    assert first[0] == 0
    assert last[-1] == count - 1
    lengths = last - first + 1
    if count >= tokens:
        assert torch.equal(first[1:], last[:-1] + 1)
        assert lengths.max() - lengths.min() <= 1
    else:
        assert torch.equal(lengths, torch.ones(tokens))
        assert set(first.tolist()) == set(range(count))


def test_pooling_keeps_peaks() -> None:
    """An expression of one frame in 64 is not averaged away."""
    features = torch.zeros(64, 3)
    features[40, 1] = 5.0
    pooled = pool_frames(features, 2)
    assert pooled[1].tolist() == [0, pytest.approx(5 / 32), 0, 0, 5, 0]
    assert pooled[0].abs().sum() == 0
