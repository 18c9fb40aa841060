"""The speech encoder learns from windows, and out-of-fold scores never come from the speaker."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from engine.model.calibration import fit_temperature
from engine.model.encoders import SpeechEncoder
from engine.model.spec import AudioSpec
from stream.media import SAMPLE_RATE
from training import speech
from training.datasets.speech import SpeechClip
from training.speech import SpeechTraining, evaluate, fit, out_of_fold, score, temper
from training.voice.clips import Clips
from training.voice.features import clip_key, speech_features

SPEC = AudioSpec(hidden=16)
OPTIONS = SpeechTraining(epochs=25, folds=3, dropout=0.1, batch_size=16, average=0.9)


def clips(count: int, seed: int, corpus: str = "ravdess", voices: float = 0.0) -> Clips:
    """Clips of one to three windows by six speakers; the label's functional stands out.

    Everyone's functionals lie around a place of their own, `voices` wide.
    """
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 7
    speakers = torch.randint(0, 6, (count,), generator=generator)
    owner = torch.repeat_interleave(torch.arange(count), 1 + torch.arange(count) % 3)
    windows = torch.randn(len(owner), SPEC.features, generator=generator)
    windows[torch.arange(len(owner)), labels[owner]] += 4
    places = voices * torch.randn(6, SPEC.features, generator=generator)
    windows += places[speakers[owner]]
    names = tuple(f"{corpus}/{speaker}" for speaker in speakers.tolist())
    return Clips(windows, owner, labels, (corpus,) * count, names)


def test_it_learns_and_is_repeatable() -> None:
    """On new clips it is far above chance; the same seed gives the same weights."""
    model = fit(clips(140, seed=1), SPEC, OPTIONS)
    assert not model.training
    assert evaluate(model, clips(70, seed=2))["ravdess"] > 0.6
    again = fit(clips(140, seed=1), SPEC, OPTIONS)
    for key, value in again.state_dict().items():
        assert torch.equal(value, model.state_dict()[key]), key


def test_a_known_speaker_is_understood_better() -> None:
    """Where voices differ more than emotions, the utterances heard before tell them apart."""
    spec = AudioSpec(hidden=16, speaker_normalised=True)
    train, dev = clips(420, seed=1, voices=3), clips(210, seed=2, voices=3)
    model = fit(train, spec, OPTIONS)
    known, unknown = evaluate(model, dev)["ravdess"], evaluate(model, dev, 0)["ravdess"]
    assert known > unknown + 0.1
    assert known > evaluate(fit(train, SPEC, OPTIONS), dev)["ravdess"] + 0.1


def test_only_useful_functionals_are_kept() -> None:
    """The seven that carry the labels are among those selected, and stay so in the weights."""
    spec = AudioSpec(hidden=16, selected=10)
    model = fit(clips(140, seed=1), spec, OPTIONS)
    assert set(range(7)) < set(model.state_dict()["columns"].tolist())
    assert evaluate(model, clips(70, seed=2))["ravdess"] > 0.6


def test_the_length_is_fixed_beforehand() -> None:
    """The weights kept are averages, which the last step alone does not move far."""
    quick = dataclasses.replace(OPTIONS, average=0.0)
    last, averaged = (fit(clips(140, seed=1), SPEC, one) for one in (quick, OPTIONS))
    assert not torch.equal(last.layers[0].weight, averaged.layers[0].weight)


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
    seen: list[set[str]] = []
    real_fit, real_score = speech.fit, speech.score

    def note_fit(chosen: Clips, *rest: object) -> SpeechEncoder:
        seen.append(set(chosen.speakers))
        return real_fit(chosen, *rest)  # type: ignore[arg-type]

    def check_score(model: SpeechEncoder, part: Clips) -> torch.Tensor:
        assert not seen[-1] & set(part.speakers)
        return real_score(model, part)

    monkeypatch.setattr(speech, "fit", note_fit)
    monkeypatch.setattr(speech, "score", check_score)
    scores = out_of_fold(train, SPEC, dataclasses.replace(OPTIONS, epochs=1))
    assert [one.shape for one in scores] == [
        (int((train.owner == index).sum()), 7) for index in range(42)
    ]
    assert len(seen) == OPTIONS.folds


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


def test_scores_are_as_sure_as_of_speakers_that_are_not_known() -> None:
    """It and its out-of-fold scores are divided by the temperature that these need."""
    train = clips(140, seed=1, voices=3)
    model = fit(train, SPEC, OPTIONS)
    before = score(model, train)
    unseen = out_of_fold(train, SPEC, OPTIONS)
    tempered = temper(model, unseen, train)
    division = float(unseen[0][0, 0] / tempered[0][0, 0])
    torch.testing.assert_close(score(model, train), before / division)
    means = torch.stack([rows.mean(0) for rows in tempered])
    assert fit_temperature(means, train.labels) == pytest.approx(1, abs=0.01)
