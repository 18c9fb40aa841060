"""What a run counts, and when it is well."""

from __future__ import annotations

import threading
import timeit

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from engine import vitals as module
from engine.vitals import Vitals


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
def vitals(clock: Clock) -> Vitals:
    """Nothing has happened yet."""
    return Vitals(clock, version="1.2.3")


@pytest.fixture
def running(vitals: Vitals) -> Vitals:
    """Media flow, and an inference has completed."""
    vitals.media("ross", "audio")
    vitals.inference_completed()
    return vitals


def value(vitals: Vitals, series: str, label: str | None = None) -> float:
    """What a scraper reads for a series, whose only label has that value."""
    labels = [] if label is None else [label]
    (sample,) = [
        sample
        for family in text_string_to_metric_families(vitals.exposition().decode())
        for sample in family.samples
        if sample.name == series and list(sample.labels.values()) == labels
    ]
    return float(sample.value)


def test_counts_what_happens(vitals: Vitals) -> None:
    """Each call counts under its label, and under no other."""
    vitals.media("ross", "audio")
    vitals.media("rachel", "audio")
    vitals.media("ross", "video")
    vitals.event("final")
    vitals.event("partial")
    vitals.event("partial")
    vitals.drop("frames", 3)
    vitals.drop("frames")
    vitals.failure("sink:mqtt")
    vitals.restart("source:ross")
    vitals.inference_completed()
    assert value(vitals, "bemerc_media_items_total", "audio") == 2
    assert value(vitals, "bemerc_media_items_total", "video") == 1
    assert value(vitals, "bemerc_events_total", "final") == 1
    assert value(vitals, "bemerc_events_total", "partial") == 2
    assert value(vitals, "bemerc_dropped_total", "frames") == 4
    assert value(vitals, "bemerc_dropped_total", "events") == 0
    assert value(vitals, "bemerc_failures_total", "sink") == 1
    assert value(vitals, "bemerc_restarts_total", "source") == 1
    assert value(vitals, "bemerc_inferences_total") == 1


def test_measures_how_long_things_take(vitals: Vitals) -> None:
    """Stages and latency are histograms in seconds."""
    vitals.stage("asr", 0.2)
    vitals.stage("asr", 0.4)
    vitals.latency(0.9)
    assert value(vitals, "bemerc_stage_seconds_count", "asr") == 2
    assert value(vitals, "bemerc_stage_seconds_sum", "asr") == pytest.approx(0.6)
    assert value(vitals, "bemerc_stage_seconds_count", "llm") == 0
    assert value(vitals, "bemerc_event_latency_seconds_bucket", "0.75") == 0
    assert value(vitals, "bemerc_event_latency_seconds_bucket", "1.0") == 1


@pytest.mark.parametrize("seconds", [-1.0, float("nan")])
def test_an_impossible_duration_counts_as_none(vitals: Vitals, seconds: float) -> None:
    """Two clocks that disagree must not spoil the sum for the rest of the run."""
    vitals.latency(seconds)
    vitals.stage("llm", seconds)
    assert value(vitals, "bemerc_event_latency_seconds_sum") == 0
    assert value(vitals, "bemerc_event_latency_seconds_count") == 1
    assert value(vitals, "bemerc_stage_seconds_sum", "llm") == 0


def test_gauges_are_read_when_asked(vitals: Vitals, clock: Clock) -> None:
    """Queues, participants, the age of media and uptime are those of the scrape."""
    queue = ["a"]
    vitals.queue("utterances", lambda: len(queue))
    vitals.participants(lambda: 2 * len(queue))
    vitals.media("ross", "audio")
    queue.append("b")
    clock.now += 7
    assert value(vitals, "bemerc_queue_depth", "utterances") == 2
    assert value(vitals, "bemerc_participants") == 4
    assert value(vitals, "bemerc_media_age_seconds", "audio") == 7
    assert value(vitals, "bemerc_media_age_seconds", "video") == float("inf")
    assert value(vitals, "bemerc_uptime_seconds") == 7


def test_queues_of_a_kind_are_added_up(vitals: Vitals) -> None:
    """One that is forgotten is not asked again."""
    vitals.queue("outbox:mqtt", lambda: 2)
    vitals.queue("outbox:jsonl", lambda: 3)
    assert value(vitals, "bemerc_queue_depth", "outbox") == 5
    vitals.queue("outbox:mqtt", None)
    vitals.queue("outbox:never-there", None)
    assert value(vitals, "bemerc_queue_depth", "outbox") == 3


def test_participants_flow_until_their_media_stop(vitals: Vitals, clock: Clock) -> None:
    """Who is silent for long does not count, and is forgotten when somebody comes."""
    vitals.media("ross", "audio")
    vitals.media("rachel", "video")
    assert value(vitals, "bemerc_participants_flowing") == 2
    clock.now += 31
    vitals.media("rachel", "video")
    assert value(vitals, "bemerc_participants_flowing") == 1
    for guest in range(100):
        clock.now += 10
        vitals.media(f"guest-{guest}", "audio")
    assert value(vitals, "bemerc_participants_flowing") == 4  # of the last 30 s
    assert len(vitals._seen) == 4


def test_the_process_is_measured(vitals: Vitals) -> None:
    """Memory in bytes and processor time in seconds, as the system sees them."""
    process = psutil.Process()  # type: ignore[no-untyped-call]
    rss = process.memory_info().rss
    assert value(vitals, "bemerc_process_resident_memory_bytes") == pytest.approx(rss, rel=0.2)
    before = value(vitals, "bemerc_process_cpu_seconds_total")
    assert 0 < before <= value(vitals, "bemerc_process_cpu_seconds_total")
    assert value(vitals, "bemerc_build_info", "1.2.3") == 1


def test_names_never_make_series(vitals: Vitals) -> None:
    """Whatever is passed as a name, the series are the same and it is not among them."""
    before = {line.rpartition(" ")[0] for line in vitals.exposition().decode().splitlines()}
    for index in range(50):
        name = f"ross-{index}"
        vitals.media(name, "audio")
        vitals.stage(name, 0.1)
        for call in (vitals.drop, vitals.failure, vitals.restart, vitals.gave_up):
            call(name)
            call(f"source:{name}")
        vitals.queue(f"capture:{name}", lambda: 1)
        vitals.queue(name, lambda: 1)
    text = vitals.exposition().decode()
    assert {line.rpartition(" ")[0] for line in text.splitlines()} == before
    assert "ross" not in text + " ".join(vitals.problems())
    assert value(vitals, "bemerc_stage_seconds_count", "other") == 50
    assert value(vitals, "bemerc_dropped_total", "other") == 100
    assert value(vitals, "bemerc_restarts_total", "source") == 50
    assert value(vitals, "bemerc_queue_depth", "capture") == 50
    assert value(vitals, "bemerc_queue_depth", "other") == 50


def test_every_metric_explains_itself(vitals: Vitals) -> None:
    """Names begin with bemerc_, counters end with _total, and help is whole sentences."""
    families = list(text_string_to_metric_families(vitals.exposition().decode()))
    assert len(families) == 17
    for family in families:
        assert family.name.startswith("bemerc_")
        assert family.documentation[0].isupper() or family.documentation[0] == "1"
        assert family.documentation.endswith(".")
        assert family.type in ("counter", "gauge", "histogram")
        assert (family.type == "counter") == family.samples[0].name.endswith("_total")


def test_every_known_name_has_a_series_from_the_start(vitals: Vitals) -> None:
    """A counter that appears with its first count hides that count from rate()."""
    for stage in module.STAGES:
        assert value(vitals, "bemerc_stage_seconds_count", stage) == 0
    for what in module.DROPS:
        assert value(vitals, "bemerc_dropped_total", what) == 0
    for what in module.FAILURES:
        assert value(vitals, "bemerc_failures_total", what) == 0
    for part in module.PARTS:
        assert value(vitals, "bemerc_restarts_total", part) == 0


def test_runs_do_not_share_counts(vitals: Vitals) -> None:
    """Two at once are apart, and nothing is registered for the whole process."""
    other = Vitals()
    vitals.event("final")
    assert value(other, "bemerc_events_total", "final") == 0
    assert not [family for family in REGISTRY.collect() if family.name.startswith("bemerc")]


def test_threads_lose_no_count(vitals: Vitals) -> None:
    """Two threads count while a third scrapes."""
    each = 500

    def work(name: str) -> None:
        for index in range(each):
            vitals.media(f"{name}-{index}", "audio")
            vitals.stage("llm", 0.5)
            vitals.gave_up(f"source:{name}-{index}")
            vitals.queue(f"capture:{name}-{index}", lambda: 1)

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        vitals.exposition()
    assert value(vitals, "bemerc_media_items_total", "audio") == 2 * each
    assert value(vitals, "bemerc_stage_seconds_sum", "llm") == each
    assert value(vitals, "bemerc_queue_depth", "capture") == 2 * each
    assert f"given up: source ({2 * each} of them)" in vitals.problems()


def test_a_call_is_cheap(vitals: Vitals) -> None:
    """Twenty microseconds at most, in the quietest of some moments."""
    calls = (
        lambda: vitals.media("ross", "audio"),
        lambda: vitals.stage("llm", 40.0),
        lambda: vitals.latency(0.5),
        lambda: vitals.drop("frames"),
        vitals.inference_completed,
        lambda: vitals.waiting(1.0),
    )
    for call in calls:
        assert min(timeit.repeat(call, number=200, repeat=20)) / 200 < 20e-6


def test_is_not_healthy_before_it_works(vitals: Vitals) -> None:
    """A supervisor waits for media and for the first inference."""
    assert vitals.problems() == [
        "no media have arrived yet",
        "no inference has completed yet",
    ]
    vitals.media("ross", "audio")
    assert vitals.problems() == ["no inference has completed yet"]
    assert value(vitals, "bemerc_healthy") == 0
    vitals.inference_completed()
    assert vitals.problems() == []
    assert value(vitals, "bemerc_healthy") == 1


def test_a_silent_room_is_healthy(running: Vitals, clock: Clock) -> None:
    """Nobody speaks for an hour, but windows of sound arrive and are looked at."""
    for _ in range(360):
        clock.now += 10
        running.media("ross", "audio")
        running.inference_completed()
        running.waiting(None)
        assert running.problems() == []


def test_media_that_stop_are_a_problem(running: Vitals, clock: Clock) -> None:
    """Only after `stale_seconds`, and only until they flow again."""
    clock.now += 30
    assert running.problems() == []
    clock.now += 1
    assert running.problems() == ["no media for 31 s"]
    running.media("rachel", "video")
    assert running.problems() == []


def test_media_without_inference_are_a_problem(running: Vitals, clock: Clock) -> None:
    """What is computed must keep up with what arrives."""
    for _ in range(4):
        clock.now += 10
        running.media("ross", "audio")
    assert running.problems() == ["no inference for 40 s of media"]
    running.inference_completed()
    assert running.problems() == []


def test_after_a_pause_the_first_inference_gets_its_time(running: Vitals, clock: Clock) -> None:
    """The pause itself is not held against the inference that follows it."""
    clock.now += 500
    running.media("ross", "audio")
    assert running.problems() == []
    for _ in range(2):
        clock.now += 20
        running.media("ross", "audio")
    assert running.problems() == ["no inference for 40 s of media"]


def test_work_that_nobody_finishes_is_a_problem(running: Vitals, clock: Clock) -> None:
    """Also while windows of sound are still looked at by another thread."""
    running.waiting(clock.now)
    for _ in range(4):
        clock.now += 10
        running.media("ross", "audio")
        running.inference_completed()
    assert running.problems() == ["work unfinished for 40 s"]
    running.waiting(clock.now - 5)
    assert running.problems() == []


def test_a_part_given_up_is_a_problem_until_it_recovers(running: Vitals) -> None:
    """Of several of a kind it is said how many, never which."""
    for part in ("source:ross", "source:rachel", "compute", "source:ross", "surprise"):
        running.gave_up(part)
    assert running.problems() == [
        "given up: compute",
        "given up: other",
        "given up: source (2 of them)",
    ]
    for part in ("source:ross", "source:rachel", "compute", "surprise", "never given up"):
        running.recovered(part)
    assert running.problems() == []


def test_stale_seconds_are_checked() -> None:
    """No patience at all is a mistake."""
    with pytest.raises(ValueError, match="stale_seconds"):
        Vitals(stale_seconds=0)


@given(st.lists(st.tuples(st.sampled_from(["media", "inference", "wait"]), st.integers(0, 50))))
def test_health_is_what_it_says(steps: list[tuple[str, int]]) -> None:
    """Healthy means recent media, an inference not far behind them; else there is a reason."""
    clock = Clock()
    vitals = Vitals(clock)
    media, inference = [], []
    for what, seconds in steps:
        clock.now += seconds
        if what == "media":
            vitals.media("ross", "audio")
            media.append(clock.now)
        elif what == "inference":
            vitals.inference_completed()
            inference.append(clock.now)
    if not vitals.problems():
        assert clock.now - media[-1] <= 30
        resumed = [b for a, b in zip([-1e9, *media], media, strict=False) if b - a > 30][-1]
        assert media[-1] - max(inference[-1], resumed) <= 30
    elif media and inference:
        assert clock.now - media[-1] > 30 or media[-1] - inference[-1] > 30
