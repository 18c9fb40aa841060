"""What a run counts and measures, and whether it is well.

Label values come from the tuples below and from nowhere else, so the number of series is
bounded and no pseudonym becomes a label. A name may say more after a colon (`source:ross`,
`outbox:mqtt`): only what stands before the colon is shown, and a name that is in no tuple
counts as `other`.

The text format is https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Literal, TypeVar

import psutil
from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

MediaKind = Literal["audio", "video"]
EventKind = Literal["final", "partial"]

STAGES = (
    "queue",
    "vad",
    "asr",
    "audio",
    "prosody",
    "faces",
    "video",
    "llm",
    "behaviour",
    "partial",
    "publish",
    "total",
)
DROPS = ("frames", "audio", "utterances", "partials", "events", "speculations")
FAILURES = ("utterance", "frame", "sink", "source", "asr", "behaviour", "partial", "compute")
PARTS = ("source", "decoder", "compute", "sink")
QUEUES = ("capture", "utterances", "frames", "partials", "outbox")
OTHER = "other"

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
STALE_SECONDS = 30.0
STAGE_BUCKETS = (0.001, 0.003, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LATENCY_BUCKETS = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
NEVER = -math.inf

M = TypeVar("M", Counter, Histogram)


class Vitals:
    """Counters, histograms and gauges of one run, for any thread; a call takes microseconds.

    Args:
        clock: Seconds, never going back.
        stale_seconds: How long media or inference may be absent before that is a problem.
        version: Of this program, for `bemerc_build_info`.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        stale_seconds: float = STALE_SECONDS,
        version: str = "unknown",
    ) -> None:
        if not stale_seconds > 0:
            raise ValueError(f"stale_seconds must be positive, not {stale_seconds}")
        self._clock, self._stale = clock, stale_seconds
        self._lock = threading.Lock()
        self._newest = self._flowing_since = self._inferred = NEVER
        self._newest_of: dict[MediaKind, float] = {"audio": NEVER, "video": NEVER}
        self._seen: dict[str, float] = {}
        self._unfinished_since: float | None = None
        self._given_up: set[str] = set()
        self._failed = Tally[str]()
        self._depths: dict[str, Callable[[], float]] = {}
        self._registry = CollectorRegistry()
        self._count_work()
        self._time_work()
        self._watch_state(version)

    def _count_work(self) -> None:
        media = self._counter(
            "media_items",
            "Chunks of sound and pictures that arrived from all participants."
            " A rate of 0 means that the sources give nothing.",
            "kind",
        )
        self._media: dict[MediaKind, Counter] = {
            "audio": media.labels("audio"),
            "video": media.labels("video"),
        }
        events = self._counter(
            "events",
            "Events made: final ones close an utterance, partial ones come while it lasts.",
            "kind",
        )
        self._events: dict[EventKind, Counter] = {
            "final": events.labels("final"),
            "partial": events.labels("partial"),
        }
        self._inferences = Counter(
            "bemerc_inferences",
            "Inferences completed, each for a frame, a window of sound or an utterance."
            " It also grows in a silent room; where it does not, computing is stuck.",
            registry=self._registry,
        )
        self._drops = _children(
            self._counter(
                "dropped",
                "What was given up because this machine is slower than live media."
                " Growth means overload: use a smaller model or fewer participants.",
                "what",
            ),
            DROPS,
        )
        self._failures = _children(
            self._counter(
                "failures",
                "What failed and was passed over; the log says why, once for each.",
                "what",
            ),
            FAILURES,
        )
        self._restarts = _children(
            self._counter(
                "restarts",
                "Parts that were started again because they were stuck or had broken off.",
                "part",
            ),
            PARTS,
        )

    def _time_work(self) -> None:
        self._stages = _children(
            Histogram(
                "bemerc_stage_seconds",
                "How long each stage of recognition took; queue is the wait before it, total the"
                " whole way. rate(_sum)/rate(_count) is the mean of a stage.",
                ["stage"],
                buckets=STAGE_BUCKETS,
                registry=self._registry,
            ),
            STAGES,
        )
        self._latency = Histogram(
            "bemerc_event_latency_seconds",
            "From the end of speech until the event about it was published:"
            " what somebody who watches the events has to wait.",
            buckets=LATENCY_BUCKETS,
            registry=self._registry,
        )

    def _watch_state(self, version: str) -> None:
        """Gauges, each read when somebody asks."""
        began = self._clock()
        age = self._gauge(
            "media_age_seconds",
            "How long ago the newest chunk of sound or picture arrived; +Inf before the first.",
            "kind",
        )
        for kind in self._newest_of:
            age.labels(kind).set_function(partial(self._age, kind))
        self._participants = self._gauge("participants", "Participants who are taking part now.")
        self._gauge(
            "participants_flowing",
            "Participants whose media arrived lately. Fewer than bemerc_participants: a camera or"
            " microphone is silent, or a connection is gone.",
        ).set_function(self._flowing)
        queues = self._gauge(
            "queue_depth",
            "What waits in the queues of that name, added up. One that stays full is followed by"
            " bemerc_dropped_total.",
            "queue",
        )
        for name in (*QUEUES, OTHER):
            queues.labels(name).set_function(partial(self._depth, name))
        self._gauge(
            "healthy",
            "1 while media flow, inferences complete and no part has been given up, else 0;"
            " /health says what is wrong.",
        ).set_function(lambda: float(not self.problems()))
        self._gauge("uptime_seconds", "How long this run has lasted.").set_function(
            lambda: self._clock() - began
        )
        self._registry.register(_Process())
        build = Info("bemerc_build", "Which version this is.", registry=self._registry)
        build.info({"version": version})

    def _counter(self, name: str, help_text: str, label: str) -> Counter:
        return Counter(f"bemerc_{name}", help_text, [label], registry=self._registry)

    def _gauge(self, name: str, help_text: str, *labels: str) -> Gauge:
        return Gauge(f"bemerc_{name}", help_text, labels, registry=self._registry)

    def media(self, participant: str, kind: MediaKind) -> None:
        """A chunk of sound or a picture of a participant arrived."""
        self._media[kind].inc()
        now = self._clock()
        with self._lock:
            if now - self._newest > self._stale:
                self._flowing_since = now
            self._newest = self._newest_of[kind] = now
            if participant not in self._seen:
                # Those who left are forgotten when somebody comes: names must not pile up.
                self._seen = {p: t for p, t in self._seen.items() if now - t <= self._stale}
            self._seen[participant] = now

    def stage(self, name: str, seconds: float) -> None:
        """A stage of `STAGES` took that long."""
        _child(self._stages, name).observe(max(0.0, seconds))

    def event(self, kind: EventKind) -> None:
        """An event was made."""
        self._events[kind].inc()

    def latency(self, seconds: float) -> None:
        """An event was published so long after the end of the speech it is about."""
        self._latency.observe(max(0.0, seconds))

    def drop(self, what: str, count: int = 1) -> None:
        """Something of `DROPS` was given up for lack of time or room."""
        _child(self._drops, what).inc(count)

    def failure(self, what: str) -> None:
        """Something of `FAILURES` failed and was passed over."""
        _child(self._failures, what).inc()
        with self._lock:
            self._failed[_label(what, FAILURES)] += 1

    def restart(self, part: str) -> None:
        """A part of `PARTS` was started again."""
        _child(self._restarts, part).inc()

    def queue(self, name: str, depth: Callable[[], float] | None) -> None:
        """A queue of `QUEUES`, whose depth is asked for at each scrape; None forgets it.

        Those that differ only after the colon are added up.
        """
        with self._lock:
            if depth is None:
                self._depths.pop(name, None)
            else:
                self._depths[name] = depth

    def participants(self, count: Callable[[], float]) -> None:
        """How many take part, asked for at each scrape."""
        self._participants.set_function(count)

    def inference_completed(self) -> None:
        """An inference has completed just now: for a frame, a window of sound or an utterance."""
        self._inferences.inc()
        self._inferred = self._clock()

    def waiting(self, since: float | None) -> None:
        """Since when (seconds of the clock) the oldest unfinished work waits; None for no work.

        It tells a compute thread that is stuck from one that has nothing to do.
        """
        self._unfinished_since = since

    def gave_up(self, part: str) -> None:
        """A part is not restarted any more: a problem until it has recovered."""
        with self._lock:
            self._given_up.add(part)

    def recovered(self, part: str) -> None:
        """A part works again, or is not needed any more; harmless if it was never given up."""
        with self._lock:
            self._given_up.discard(part)

    def exposition(self) -> bytes:
        """Everything in Prometheus' text format, see `CONTENT_TYPE`."""
        return generate_latest(_WithoutCreated(self._registry))

    def failures(self) -> dict[str, int]:
        """How often something of `FAILURES` failed so far, by what it was; no problem by itself."""
        with self._lock:
            return dict(sorted(self._failed.items()))

    def problems(self) -> list[str]:
        """What is wrong, a sentence each; empty while the run is healthy.

        Healthy is: media flowed within `stale_seconds`, an inference completed within
        `stale_seconds` of the newest of them, no work is older than that, and no part has
        been given up. Nobody has to speak for that: windows of silence are inferred, too.
        """
        now = self._clock()
        with self._lock:
            newest, flowing_since = self._newest, self._flowing_since
            given_up = Tally(_label(part, PARTS) for part in self._given_up)
        inferred, since = self._inferred, self._unfinished_since
        problems = []
        if newest == NEVER:
            problems.append("no media have arrived yet")
        elif now - newest > self._stale:
            problems.append(f"no media for {now - newest:.0f} s")
        # After a pause the first inference gets its time, as it does at the start.
        behind = newest - max(inferred, flowing_since)
        if inferred == NEVER:
            problems.append("no inference has completed yet")
        elif behind > self._stale:
            problems.append(f"no inference for {behind:.0f} s of media")
        if since is not None and now - since > self._stale:
            problems.append(f"work unfinished for {now - since:.0f} s")
        for part, count in sorted(given_up.items()):
            problems.append(f"given up: {part}" + (f" ({count} of them)" if count > 1 else ""))
        return problems

    def _age(self, kind: MediaKind) -> float:
        return self._clock() - self._newest_of[kind]

    def _flowing(self) -> float:
        now = self._clock()
        with self._lock:
            return sum(now - time <= self._stale for time in self._seen.values())

    def _depth(self, label: str) -> float:
        with self._lock:
            depths = [d for name, d in self._depths.items() if _label(name, QUEUES) == label]
        return sum(depth() for depth in depths)


class _Process(Collector):
    """Memory and processor time; prometheus_client's own collector knows Linux only."""

    def __init__(self) -> None:
        self._process = psutil.Process()  # type: ignore[no-untyped-call]

    def collect(self) -> Iterable[Metric]:
        with self._process.oneshot():
            memory, processor = self._process.memory_info(), self._process.cpu_times()
        yield GaugeMetricFamily(
            "bemerc_process_resident_memory_bytes",
            "Memory of this process that is in RAM. Steady growth over hours is a leak.",
            value=memory.rss,
        )
        yield CounterMetricFamily(
            "bemerc_process_cpu_seconds",
            "Processor time of all threads of this process. A rate of 2 keeps two cores busy.",
            value=processor.user + processor.system,
        )


class _WithoutCreated(Collector):
    """A registry without the `_created` series, which would double what is to be read.

    prometheus_client can only leave them out everywhere in the process.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[Metric]:
        for metric in self._registry.collect():
            metric.samples = [s for s in metric.samples if not s.name.endswith("_created")]
            yield metric


def _children(metric: M, names: Sequence[str]) -> dict[str, M]:
    """The series of all names, from the start: one that appears late has no rate at first."""
    return {name: metric.labels(name) for name in (*names, OTHER)}


def _child(children: dict[str, M], name: str) -> M:
    return children[_label(name, children)]


def _label(name: str, known: Iterable[str]) -> str:
    kind = name.partition(":")[0]
    return kind if kind in known else OTHER
