"""What comes first, what is dropped, and that nobody is left out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.schedule import (
    BATCH,
    CLEAR,
    MAX_PICTURES,
    MAX_UTTERANCES,
    NEWS_DELAY,
    PATIENCE,
    WORTHWHILE,
    Leave,
    Listen,
    Look,
    Recognize,
    Schedule,
)
from stream.cutter import Resumed, SoFar, SoundWindow, Work
from stream.media import Utterance, VideoFrame

IMAGE = np.zeros((1, 1, 3), np.uint8)


def frame(time: float) -> VideoFrame:
    """A picture."""
    return VideoFrame(time, IMAGE)


def window(first: int = 0) -> SoundWindow:
    """A window of sound."""
    return SoundWindow(first, np.zeros(1, np.float32))


def said(number: int, end: float = 1.0) -> Utterance:
    """An utterance."""
    return Utterance(str(number), "p", 0.0, end)


def so_far(number: int = 0, *, paused: bool, ends_in: float = math.inf) -> SoFar:
    """An utterance that goes on."""
    return SoFar(said(number), paused, ends_in)


def schedule(*keys: str, lossless: bool = False) -> Schedule:
    """With some participants."""
    made = Schedule()
    for key in keys:
        made.join(key, lossless=lossless)
    return made


def test_ended_utterances_come_first_then_those_in_a_pause() -> None:
    """Everything else waits, in the order in which it came."""
    line = schedule("a", "b")
    line.put("a", window(), 0.0)
    line.put("a", frame(2.0), 0.1)
    line.put("b", so_far(paused=False), 0.2)
    line.put("a", so_far(paused=True), 0.3)
    line.put("b", said(9), 0.4)
    taken = [line.take(1.0) for _ in range(6)]
    kinds = [type(job) for job in taken]
    assert kinds == [Recognize, Recognize, Listen, Look, Recognize, type(None)]
    assert [(job.key, job.final) for job in taken if isinstance(job, Recognize)] == [
        ("b", True),
        ("a", False),
        ("b", False),
    ]


def test_news_waits_a_little_but_not_for_ever() -> None:
    """Pictures that came half a second later still come first, later ones do not."""
    line = schedule("a")
    line.put("a", so_far(paused=False), 0.0)
    line.put("a", frame(1.0), NEWS_DELAY / 2)
    assert isinstance(line.take(1.0), Look)
    line.put("a", frame(2.0), NEWS_DELAY * 2)
    assert isinstance(line.take(1.0), Recognize)


def test_an_utterance_brings_its_own_pictures() -> None:
    """Those before its end are looked at with it, the others wait on."""
    line = schedule("a")
    for time in (0.5, 0.9, 1.0, 1.5):
        line.put("a", frame(time), time)
    line.put("a", said(1, end=1.0), 2.0)
    job = line.take(2.0)
    assert isinstance(job, Recognize)
    assert [one.time for one in job.pictures] == [0.5, 0.9]
    assert line.depth("frames") == 2


def test_pictures_of_several_are_looked_at_together() -> None:
    """One of each in turn, so that who has many does not keep the others waiting."""
    line = schedule("a", "b", "c")
    for number in range(10):
        line.put("a", frame(number), 0.0)
    line.put("b", frame(0.0), 1.0)
    line.put("c", frame(0.0), 1.0)
    job = line.take(1.0)
    assert isinstance(job, Look)
    keys = [key for key, _ in job.pictures]
    assert len(keys) == BATCH
    assert set(keys[:3]) == {"a", "b", "c"}


def test_a_picture_waits_for_company() -> None:
    """For a little while, or until there are enough."""
    line = schedule("a", "b")
    line.put("a", frame(0.0), 10.0)
    assert line.take(10.0) is None
    assert isinstance(line.take(10.01 + PATIENCE), Look)
    for number in range(WORTHWHILE):
        line.put("b", frame(number), 20.0)
        assert isinstance(line.take(20.0), Look) == (number == WORTHWHILE - 1)


def test_who_leaves_waits_for_nobody_elses_work() -> None:
    """Whatever comes of others all the time: ended utterances, pauses, pictures, sound, news."""
    others: list[Work | Utterance] = [
        said(1),
        so_far(paused=True),
        frame(0.0),
        window(),
        so_far(paused=False),
    ]
    for item in others:
        line = schedule("a", "b")
        line.put("a", frame(1.0), 30.0)
        for _ in range(WORTHWHILE):
            line.put("b", item, 30.0)
        line.leave("a")
        assert isinstance(line.take(30.0), Leave)
        assert line.depth("frames") in (0, WORTHWHILE)


def test_the_oldest_pictures_of_a_camera_go_first() -> None:
    """They are counted, and the next utterance says how many."""
    line = schedule("a")
    for number in range(MAX_PICTURES + 5):
        line.put("a", frame(number), number)
    assert line.dropped["frames"] == 5
    assert line.lag("a", MAX_PICTURES + 5) == MAX_PICTURES
    line.put("a", said(1, end=1e9), 99.0)
    first, second = line.take(99.0), line.take(99.0)
    assert isinstance(first, Recognize)
    assert first.lost_pictures == 5
    assert first.pictures[0].time == 5
    assert second is None


def test_too_many_ended_utterances() -> None:
    """The oldest go, and the next one says how many."""
    line = schedule("a")
    for number in range(MAX_UTTERANCES + 2):
        line.put("a", said(number), number)
    job = line.take(99.0)
    assert isinstance(job, Recognize)
    assert (job.utterance.id, job.lost_utterances) == ("2", 2)
    assert line.dropped["utterances"] == 2


def test_of_a_file_nothing_goes() -> None:
    """Its reader is told to wait instead."""
    line = schedule("a", lossless=True)
    assert not line.is_full("a")
    for number in range(MAX_PICTURES + 5):
        line.put("a", frame(number), number)
    assert line.is_full("a")
    assert line.depth("frames") == MAX_PICTURES + 5
    assert not line.dropped


@pytest.mark.parametrize("later", ["resumed", "newer", "ended"])
def test_speculation_that_is_not_begun_is_dropped(later: str) -> None:
    """When speech goes on, when there is newer news, and when the utterance has ended."""
    line = schedule("a")
    line.put("a", so_far(paused=True), 0.0)
    items: dict[str, Work | Utterance] = {
        "resumed": Resumed(),
        "newer": so_far(paused=False),
        "ended": said(0),
    }
    line.put("a", items[later], 1.0)
    jobs = [job for job in (line.take(2.0), line.take(2.0)) if isinstance(job, Recognize)]
    assert [job.paused and not job.final for job in jobs] == [False] * len(jobs)
    assert line.dropped["speculations"] == (0 if later == "ended" else 1)


def test_leaving_comes_after_all_that_waits() -> None:
    """Who leaves is forgotten once their last utterance is done."""
    line = schedule("a", "b")
    line.put("a", frame(0.0), 0.0)
    line.put("a", said(1), 0.0)
    line.leave("a")
    kinds = [type(line.take(1.0)) for _ in range(3)]
    assert kinds == [Recognize, Leave, type(None)]
    assert not line.is_full("a")


ITEMS = st.sampled_from(["picture", "window", "news", "pause", "resumed", "ended"])


@given(st.lists(st.tuples(st.sampled_from("abcd"), ITEMS), max_size=200))
def test_everything_is_bounded_and_comes_to_an_end(puts: list[tuple[str, str]]) -> None:
    """Whatever comes, little waits, and all of it is taken or counted as dropped."""
    line = schedule(*"abcd")
    wanted = 0
    for number, (key, what) in enumerate(puts):
        items: dict[str, Work | Utterance] = {
            "picture": frame(number),
            "window": window(number),
            "news": so_far(number, paused=False),
            "pause": so_far(number, paused=True),
            "resumed": Resumed(),
            "ended": said(number, end=number),
        }
        line.put(key, items[what], number)
        wanted += what in ("picture", "ended")
    assert line.depth("frames") <= 4 * MAX_PICTURES
    assert line.depth("utterances") <= 4 * MAX_UTTERANCES
    assert line.depth("partials") <= 4
    done = line.dropped["frames"] + line.dropped["utterances"]
    while (job := line.take(1e9)) is not None:
        if isinstance(job, Look):
            done += len(job.pictures)
        elif isinstance(job, Recognize):
            done += len(job.pictures) + job.final
    assert done == wanted
    assert line.waiting_since() is None


@given(st.integers(2, 6), st.integers(1, 5))
def test_nobody_waits_for_more_than_one_utterance_of_each_other(people: int, rounds: int) -> None:
    """Who always has ended utterances waiting does not keep the others from theirs."""
    keys = [str(number) for number in range(people)]
    line = schedule(*keys)
    served: list[str] = []
    for step in range(people * rounds):
        for key in keys:
            line.put(key, said(step), step)
        job = line.take(step)
        assert isinstance(job, Recognize)
        served.append(job.key)
    assert all(served.count(key) == rounds for key in keys)


def test_what_is_being_recognised_may_become_worthless() -> None:
    """A try when its speech goes on, news when somebody ends or pauses; the end never."""
    line = schedule("a", "b")
    line.put("a", so_far(1, paused=True), 0.0)
    tried = line.take(0.0)
    line.put("b", so_far(2, paused=False), 0.0)
    news = line.take(1.0)
    assert isinstance(tried, Recognize)
    assert isinstance(news, Recognize)
    assert line.is_wanted(tried)
    assert line.is_wanted(news)
    line.put("a", Resumed(), 1.0)
    assert not line.is_wanted(tried)
    assert line.is_wanted(news)
    line.put("a", said(1), 2.0)
    assert not line.is_wanted(news)
    ended = line.take(2.0)
    assert isinstance(ended, Recognize)
    line.put("b", said(2), 2.0)
    assert line.is_wanted(ended)


def test_nothing_is_begun_when_an_utterance_is_about_to_end() -> None:
    """Its result is there; it goes at once, or speech goes on."""
    line = schedule("a", "b")
    line.put("a", so_far(paused=True, ends_in=0.45), 10.0)
    assert isinstance(line.take(10.0), Recognize)
    line.put("b", window(), 10.0)
    line.put("b", window(), 10.0)
    line.put("b", window(), 10.0)
    assert isinstance(line.take(10.44 - CLEAR), Listen)
    assert line.take(10.46 - CLEAR) is None
    line.put("a", Resumed(), 10.46)
    assert isinstance(line.take(10.46), Listen)
    line.put("a", so_far(paused=True, ends_in=0.45), 10.5)
    line.take(10.5)
    line.put("a", said(0), 10.95)
    assert isinstance(line.take(10.95), Recognize)
    assert isinstance(line.take(10.95), Listen)


def test_an_end_that_does_not_come_holds_nothing_up() -> None:
    """A source may stop in the middle of a pause."""
    line = schedule("a", "b")
    line.put("a", so_far(paused=True, ends_in=0.4), 0.0)
    line.take(0.0)
    line.put("b", window(), 0.5)
    assert line.take(0.5) is None
    assert isinstance(line.take(0.41 + CLEAR), Listen)


def test_ends_that_are_always_near_keep_nobody_from_being_seen() -> None:
    """In a full room somebody is always about to end; listeners are looked at too."""
    waiting = schedule("listener", *(f"speaker-{number}" for number in range(10)))
    seen, lost = 0, 0
    for step in range(1, 1000):
        now = step / 15
        waiting.put("listener", frame(now), now)
        waiting.put(f"speaker-{step % 10}", so_far(paused=True, ends_in=CLEAR / 2), now)
        while (job := waiting.take(now)) is not None:
            seen += len(job.pictures) if isinstance(job, Look) else 0
        lost = waiting.dropped["frames"]
    assert lost == 0
    assert seen >= 999 - MAX_PICTURES
