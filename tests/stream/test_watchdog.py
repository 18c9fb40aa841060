"""Parts that are stuck, and parts that are not."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.watchdog import Verdict, Watchdog

PARTS = ("compute", "source:ross")
quarters = st.integers(0, 80).map(lambda n: n / 4)
"""Seconds that add up without rounding."""


class Clock:
    """Shows what it is set to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until it is moved."""
    return Clock()


@pytest.fixture
def watchdog(clock: Clock) -> Watchdog:
    """Watches nothing yet."""
    return Watchdog(clock)


def after(watchdog: Watchdog, clock: Clock, seconds: float) -> list[Verdict]:
    """The verdicts when so much time has passed."""
    clock.now += seconds
    return watchdog.check(clock.now)


def exhausted(watchdog: Watchdog, clock: Clock) -> None:
    """Let a part be stuck until it is given up."""
    watchdog.start("compute", 1.0)
    verdicts = [verdict for _ in range(6) for verdict in after(watchdog, clock, 2.0)]
    assert [verdict.action for verdict in verdicts] == [*5 * ["restart"], "give_up"]


def test_silence_beyond_the_limit_is_a_restart(watchdog: Watchdog, clock: Clock) -> None:
    """Up to the limit nothing happens; after a restart it gets its limit again."""
    watchdog.start("compute", 10.0)
    assert after(watchdog, clock, 10.0) == []
    assert after(watchdog, clock, 1.0) == [Verdict("compute", "restart", 11.0)]
    assert after(watchdog, clock, 10.0) == []
    assert after(watchdog, clock, 1.0) == [Verdict("compute", "restart", 22.0)]


def test_parts_are_judged_apart(watchdog: Watchdog, clock: Clock) -> None:
    """Each has its own limit and its own count."""
    watchdog.start("compute", 3.0)
    watchdog.start("source:ross", 5.0)
    assert after(watchdog, clock, 4.0) == [Verdict("compute", "restart", 4.0)]
    watchdog.beat("compute")
    assert after(watchdog, clock, 2.0) == [Verdict("source:ross", "restart", 6.0)]


def test_what_has_ended_is_not_watched(watchdog: Watchdog, clock: Clock) -> None:
    """It may be silent, and a late beat or a second end does no harm."""
    watchdog.start("compute", 1.0)
    watchdog.end("compute")
    watchdog.end("compute")
    watchdog.beat("compute")
    assert after(watchdog, clock, 100.0) == []


def test_a_part_is_given_up_once(watchdog: Watchdog, clock: Clock) -> None:
    """After that there is nothing more to say, however long it stays silent."""
    exhausted(watchdog, clock)
    assert after(watchdog, clock, 1000.0) == []


def test_a_beat_after_giving_up_is_reported(watchdog: Watchdog, clock: Clock) -> None:
    """From then on it is watched as before."""
    exhausted(watchdog, clock)
    clock.now += 100
    watchdog.beat("compute")
    assert after(watchdog, clock, 1.0) == [Verdict("compute", "recovered", 112.0)]
    assert after(watchdog, clock, 1.0) == [Verdict("compute", "restart", 2.0)]


def test_a_recovery_is_reported_even_if_the_part_ends(watchdog: Watchdog, clock: Clock) -> None:
    """A thread that finishes after all says so, and has nothing more to do."""
    exhausted(watchdog, clock)
    watchdog.beat("compute")
    watchdog.end("compute")
    assert after(watchdog, clock, 1.0) == [Verdict("compute", "recovered", 12.0)]


def test_a_part_that_recovers_briefly_is_given_up_again(watchdog: Watchdog, clock: Clock) -> None:
    """Its restarts of the last minute are used up."""
    exhausted(watchdog, clock)
    watchdog.beat("compute")
    actions = [verdict.action for verdict in after(watchdog, clock, 2.0)]
    assert actions == ["recovered", "give_up"]


def test_starting_again_buys_no_restarts(watchdog: Watchdog, clock: Clock) -> None:
    """A part whose restart is an end and a start is given up like any other."""
    actions = []
    watchdog.start("source:ross", 1.0)
    for _ in range(6):
        for verdict in after(watchdog, clock, 2.0):
            actions.append(verdict.action)
            watchdog.end("source:ross")
            watchdog.start("source:ross", 1.0)
    assert actions == [*5 * ["restart"], "give_up"]


def test_starting_what_was_given_up_waits_for_a_beat(watchdog: Watchdog, clock: Clock) -> None:
    """That it starts does not show that it works."""
    exhausted(watchdog, clock)
    watchdog.start("compute", 1.0)
    assert after(watchdog, clock, 50.0) == []
    watchdog.beat("compute")
    assert after(watchdog, clock, 0.0) == [Verdict("compute", "recovered", 50.0)]


def test_restarts_are_forgotten_in_time(watchdog: Watchdog, clock: Clock) -> None:
    """Names of participants who came and went do not pile up."""
    for guest in range(100):
        watchdog.start(f"source:guest-{guest}", 1.0)
        assert [verdict.action for verdict in after(watchdog, clock, 10.0)] == ["restart"]
        watchdog.end(f"source:guest-{guest}")
    assert len(watchdog._restarts) == 7  # those of the last 60 s
    after(watchdog, clock, 61.0)
    assert not watchdog._restarts


def test_without_restarts_it_is_given_up_at_once(clock: Clock) -> None:
    """For a part that cannot be restarted."""
    watchdog = Watchdog(clock, max_restarts=0)
    watchdog.start("compute", 1.0)
    assert after(watchdog, clock, 2.0) == [Verdict("compute", "give_up", 2.0)]


def test_wrong_numbers_are_refused(watchdog: Watchdog) -> None:
    """Each message names what is wrong."""
    with pytest.raises(ValueError, match="max_restarts"):
        Watchdog(max_restarts=-1)
    with pytest.raises(ValueError, match="per_seconds"):
        Watchdog(per_seconds=0)
    with pytest.raises(ValueError, match="limit_seconds"):
        watchdog.start("compute", 0)


def test_threads_may_beat_while_it_checks() -> None:
    """Parts that come, beat and go in other threads disturb no check."""
    watchdog = Watchdog(time.monotonic)

    def work(name: str) -> None:
        for index in range(2000):
            watchdog.start(f"{name}-{index}", 3600.0)
            watchdog.beat(f"{name}-{index}")
            watchdog.end(f"{name}-{index - 5}")

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert watchdog.check(time.monotonic()) == []


@given(
    st.lists(
        st.tuples(
            quarters, st.sampled_from(["check", "beat", "start", "end"]), st.sampled_from(PARTS)
        ),
        max_size=200,
    ),
    st.sampled_from([0.25, 1.0, 5.0]),
)
def test_never_more_than_five_restarts_a_minute(
    steps: list[tuple[float, str, str]], limit: float
) -> None:
    """Whatever the parts do; giving up and recovering take turns."""
    clock = Clock()
    watchdog = Watchdog(clock)
    for part in PARTS:
        watchdog.start(part, limit)
    restarts: dict[str, list[float]] = {part: [] for part in PARTS}
    given_up: set[str] = set()
    for seconds, step, target in steps:
        clock.now += seconds
        if step == "start":
            watchdog.start(target, limit)
        elif step == "beat":
            watchdog.beat(target)
        elif step == "end":
            watchdog.end(target)
            given_up.discard(target)
        for verdict in watchdog.check(clock.now):
            if verdict.action == "restart":
                assert verdict.part not in given_up
                restarts[verdict.part].append(clock.now)
            elif verdict.action == "give_up":
                assert verdict.part not in given_up
                given_up.add(verdict.part)
            else:
                assert verdict.part in given_up
                given_up.remove(verdict.part)
            assert verdict.silent_seconds >= 0
    for times in restarts.values():
        for index, time_of_one in enumerate(times):
            assert sum(t - time_of_one <= 60 for t in times[index:]) <= 5


@given(st.lists(st.tuples(quarters, st.booleans()), max_size=200))
def test_a_beating_part_is_left_alone(steps: list[tuple[float, bool]]) -> None:
    """Beats up to its limit apart are enough, whenever it is checked."""
    clock = Clock()
    watchdog = Watchdog(clock)
    watchdog.start("compute", 20.0)
    for seconds, checked in steps:
        clock.now += seconds
        if checked:
            assert watchdog.check(clock.now) == []
        watchdog.beat("compute")


@given(
    limit=st.floats(0.01, 30.0),
    interval=st.floats(0.01, 5.0),
    beats=st.lists(st.floats(0.0, 1.0), max_size=20),
)
def test_a_stuck_part_is_reported_in_time(
    limit: float, interval: float, beats: list[float]
) -> None:
    """Within its limit and one interval of the checks after its last beat, and not before."""
    clock = Clock()
    watchdog = Watchdog(clock)
    watchdog.start("compute", limit)
    for share in beats:
        clock.now += share * limit
        watchdog.beat("compute")
    last = clock.now
    while not (verdicts := after(watchdog, clock, interval)):
        assert clock.now - last <= limit
    assert [verdict.action for verdict in verdicts] == ["restart"]
    assert limit < clock.now - last <= limit + interval + 1e-6


@given(st.lists(st.tuples(st.integers(-4000, 4000).map(lambda n: n / 4), st.booleans())))
def test_a_clock_that_goes_back_does_no_harm(steps: list[tuple[float, bool]]) -> None:
    """No verdict for a part that beats, and one that is stuck afterwards is still found."""
    clock = Clock()
    watchdog = Watchdog(clock)
    watchdog.start("compute", 10.0)
    for jump, beats in steps:
        clock.now += min(jump, 10.0)
        if beats or jump > 0:
            watchdog.beat("compute")
        assert watchdog.check(clock.now) == []
    watchdog.beat("compute")
    assert after(watchdog, clock, 10.0) == []
    assert after(watchdog, clock, 1.0) == [Verdict("compute", "restart", 11.0)]
