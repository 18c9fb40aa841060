"""The speech encoder learns from windows, and out-of-fold scores never come from the speaker."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from engine.model.encoders import SpeechEncoder
from engine.model.spec import AudioSpec
from stream.media import SAMPLE_RATE
from training import speech
from training.datasets.speech import SpeechClip
from training.features import clip_key, speech_features
from training.speech import Clips, SpeechTraining, evaluate, fit, out_of_fold

SPEC = AudioSpec(hidden=16)
OPTIONS = SpeechTraining(epochs=25, folds=3, dropout=0.1, batch_size=16)


def clips(count: int, seed: int, corpus: str = "ravdess") -> Clips:
    """Clips of one to three windows; the functionals with the label's number stand out."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 7
    owner = torch.repeat_interleave(torch.arange(count), 1 + torch.arange(count) % 3)
    windows = torch.randn(len(owner), SPEC.features, generator=generator)
    windows[torch.arange(len(owner)), labels[owner]] += 4
    return Clips(windows, owner, labels, (corpus,) * count)


def test_it_learns_and_keeps_the_best_epoch() -> None:
    """On new clips it is far above chance, and the figure is that of the weights returned."""
    dev = clips(70, seed=2)
    model, figures = fit(clips(140, seed=1), dev, SPEC, OPTIONS)
    assert figures["ravdess"] > 0.6
    assert evaluate(model, dev) == figures
    again, _ = fit(clips(140, seed=1), dev, SPEC, OPTIONS)
    for key, value in again.state_dict().items():
        assert torch.equal(value, model.state_dict()[key]), key


def test_unweighted_accuracy_is_the_mean_recall_of_each_corpus() -> None:
    """Windows of a clip are averaged, then labels that are rare count as much as the others."""
    model = SpeechEncoder(2, 4, 7)
    model.layers = torch.nn.Sequential(torch.nn.Linear(2, 7))
    with torch.no_grad():
        model.layers[0].weight.zero_()
        model.layers[0].bias.zero_()
        model.layers[0].weight[0, 0] = model.layers[0].weight[1, 1] = 1
    windows = torch.tensor([[3.0, 0], [0, 2], [0, 1], [0, 1], [2, 0], [0, 4]])
    owner = torch.tensor([0, 0, 1, 2, 3, 4])
    labels = torch.tensor([0, 1, 1, 1, 0])
    figures = evaluate(model, Clips(windows, owner, labels, ("a", "a", "a", "a", "b")))
    assert figures == {"a": pytest.approx((1 + 2 / 3) / 2), "b": 0}


def test_a_subset_keeps_windows_with_their_clip() -> None:
    """In the order that is asked for."""
    whole = clips(6, seed=1)
    part = whole.subset(torch.tensor([4, 1]))
    assert part.labels.tolist() == [4, 1]
    for index, clip in enumerate((4, 1)):
        assert torch.equal(part.windows[part.owner == index], whole.windows[whole.owner == clip])


def test_out_of_fold_scores_come_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """No encoder scores a speaker that it was trained on, and every clip is scored."""
    train = clips(42, seed=1)
    speakers = [f"ravdess/{index % 5}" for index in range(42)]
    heard: list[set[str]] = []
    real_fit = speech.fit

    def note(chosen: Clips, *rest: object) -> object:
        rows = {tuple(row.tolist()) for row in chosen.windows}
        heard.append(
            {
                speakers[int(owner)]
                for row, owner in zip(train.windows, train.owner, strict=True)
                if tuple(row.tolist()) in rows
            }
        )
        return real_fit(chosen, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(speech, "fit", note)
    scores = out_of_fold(train, speakers, SPEC, dataclasses.replace(OPTIONS, epochs=1))
    assert [score.shape for score in scores] == [
        (int((train.owner == index).sum()), 7) for index in range(42)
    ]
    left_out = [set(speakers) - one for one in heard]
    assert sorted(name for names in left_out for name in names) == sorted(set(speakers))


def clip_of(path: Path, samples: np.ndarray) -> SpeechClip:
    """A sound file as a clip of a corpus."""
    soundfile.write(path, samples.astype(np.float32), SAMPLE_RATE, "PCM_16")
    return SpeechClip(path, "ravdess", "1", "joy", None)


def test_functionals_are_computed_once(tmp_path: Path) -> None:
    """A cached clip is not heard again; another hop or another size is computed anew."""
    time = np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE
    clip = clip_of(tmp_path / "a.wav", 0.3 * np.sin(2 * np.pi * 200 * time))
    cache = tmp_path / "cache"
    (first,) = speech_features([clip], SPEC, cache)
    assert first.shape == (2, SPEC.features)
    clip_of(clip.path, 0.3 * np.sin(2 * np.pi * 300 * time))
    np.testing.assert_array_equal(speech_features([clip], SPEC, cache)[0], first)
    (denser,) = speech_features([clip], dataclasses.replace(SPEC, hop_seconds=0.5), cache)
    assert denser.shape == (3, SPEC.features)
    key = clip_key(clip)
    clip_of(clip.path, 0.3 * np.sin(2 * np.pi * 300 * time[: 2 * SAMPLE_RATE]))
    assert clip_key(clip) != key
    (shorter,) = speech_features([clip], SPEC, cache)
    assert len(shorter) == 1
    assert not np.array_equal(shorter[0], first[0])
