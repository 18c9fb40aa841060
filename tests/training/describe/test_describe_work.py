"""What there is to describe."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.errors import UserError
from training.datasets.clip import Clip, MediaCut
from training.datasets.corpus import Corpus
from training.datasets.dialogues import Dialogue, DialogueUtterance
from training.describe.prompt import MAX_TURNS
from training.describe.work import tasks_of

CLIP = Clip(MediaCut(Path("a.mp4")), MediaCut(Path("a.mp4")))


def utterance(index: int, text: str = "Hi.", clip: Clip | None = CLIP) -> DialogueUtterance:
    """Of speaker 0 or 1 in turn."""
    speaker = f"Speaker {index % 2}"
    return DialogueUtterance("5", index, speaker, text, "joy", None, None, clip=clip)


def corpus(*utterances: DialogueUtterance) -> Corpus:
    """One dialogue in each of train and dev."""
    dialogues = (Dialogue("5", utterances),)
    return Corpus("meld", ("joy",), {"train": dialogues, "dev": dialogues})


def test_every_utterance_of_the_splits_is_a_task() -> None:
    """In the order of the splits asked for and of the corpus, each once."""
    tasks = tasks_of(corpus(utterance(0), utterance(3)), ["dev", "train", "dev"])
    keys = [task.request.key for task in tasks]
    assert [(k.corpus, k.split, k.dialogue, k.utterance) for k in keys] == [
        ("meld", split, "5", index) for split in ("dev", "train") for index in (0, 3)
    ]


def test_the_turns_before_are_the_context() -> None:
    """Never the turn itself or a later one: live, there is only the past."""
    count = MAX_TURNS + 3
    tasks = tasks_of(corpus(*(utterance(index, f"w{index}") for index in range(count))), ["train"])
    assert tasks[0].request.context == ()
    assert tasks[2].request.context == (("Speaker 0", "w0"), ("Speaker 1", "w1"))
    last = tasks[-1].request
    assert (last.speaker, last.text) == ("Speaker 0", f"w{count - 1}")
    assert [text for _, text in last.context] == [f"w{index}" for index in range(2, count - 1)]


def test_the_label_is_not_told() -> None:
    """A teacher that knew the emotion would give it away."""
    (task, *_) = tasks_of(corpus(utterance(0)), ["train"])
    assert "joy" not in repr(task.request)


def test_an_utterance_may_lack_words_or_pictures() -> None:
    """No words are an unknown transcript; sound alone is no clip to look at."""
    deaf = utterance(0, text="")
    blind = utterance(1, clip=Clip(None, MediaCut(Path("a.wav"))))
    first, second, third = tasks_of(corpus(deaf, blind, utterance(2, clip=None)), ["train"])
    assert first.request.text is None
    assert (first.clip, second.clip, third.clip) == (CLIP, None, None)


def test_only_the_first_utterances_can_be_asked_for() -> None:
    """To try a teacher before it is paid for."""
    tasks = tasks_of(corpus(utterance(0), utterance(1)), ["train", "dev"], limit=3)
    assert [task.request.key.split for task in tasks] == ["train", "train", "dev"]


def test_a_split_that_is_not_there_is_named() -> None:
    """With the ones that are."""
    with pytest.raises(UserError, match="has no test: give --splits train dev"):
        tasks_of(corpus(utterance(0)), ["train", "test"])


def test_a_copy_without_clips_is_said_at_once() -> None:
    """Rather than 13,000 failures."""
    with pytest.raises(UserError, match=r"no pictures of train or dev: docs/data\.md"):
        tasks_of(corpus(utterance(0, clip=None)), ["train", "dev"])
