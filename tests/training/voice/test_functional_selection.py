"""What tells emotions apart is kept; voices, languages and copies are not."""

from __future__ import annotations

import pytest
import torch

from training.voice.clips import Clips
from training.voice.selection import select_functionals


def made() -> Clips:
    """0 and 5 tell labels, 1 the speaker, 2 copies 0, 3 tells labels in one corpus, 4 nothing."""
    count = 400
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(count, 7, generator=generator)
    labels, corpus = torch.arange(count) % 2, torch.arange(count) // 200
    speakers = torch.arange(count) // 50
    windows = noise.clone()
    windows[:, 0] += 2 * labels
    windows[:, 1] = 3 * labels * (speakers % 2) - 3 * labels * (1 - speakers % 2) + noise[:, 1]
    windows[:, 2] = windows[:, 0] * 3 + 1
    windows[:, 3] += 1.2 * labels * corpus
    windows[:, 5] -= 2 * labels
    windows[:, 6] = 7
    return Clips(
        windows,
        torch.arange(count),
        labels,
        tuple("ab"[index] for index in corpus.tolist()),
        tuple(str(index) for index in speakers.tolist()),
    )


def test_those_that_tell_emotions_are_kept_once() -> None:
    """The best first, a copy of one that is kept never, then what helps in one corpus only."""
    kept = select_functionals(made(), 3).tolist()
    assert 5 in kept
    assert 3 in kept
    assert (0 in kept) != (2 in kept)


def test_too_many_are_refused() -> None:
    """A copy and a constant cannot fill the places."""
    assert len(select_functionals(made(), 5)) == 5
    with pytest.raises(ValueError, match=r"lower audio\.selected"):
        select_functionals(made(), 6)
