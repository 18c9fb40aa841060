"""How fast the live engine is: latency, throughput, losses and memory.

    python -m benchmarks.live                     # one and four participants, 60 s each
    python -m benchmarks.live --seconds 300 --json out/live.json
    python -m benchmarks.live --soak 3600         # memory over an hour of two participants

Plays real clips at real pace as if each were a live participant, and prints for every
scenario the time from the last voiced sample to the published event, stage by stage. The
same scenario is played once more with everything left to the end of the utterance, and once
with the dialogue read anew each time, so that what these bring is seen side by side.

Nothing else should run on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import os
import platform
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
import psutil
import torch
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.looped_clip import LoopedClip, find_speech
from engine import assembly, cli
from engine.arguments import Parser, run_command
from engine.dialogue import Turn
from engine.events import EmotionEvent
from engine.faces import FaceDetector, FaceFollower
from engine.giving_up import Check, go_on
from engine.live import Engine
from engine.memory import share_arenas
from engine.model.outputs import Recognition
from engine.model.recognizer import Recognizer
from engine.sinks import Departure
from engine.vitals import Vitals
from engine.worker import Place, Recognized, Worker
from export.models import resolve
from stream.cutter import SoundWindow, UtteranceCutter, WorkPlan
from stream.media import Utterance, VideoFrame
from stream.segmenter import Boundary
from stream.sources import open_source
from stream.vad import SileroVad
from training.progress import Results

CLIP = Path(__file__).parents[1] / "demo" / "talk.mp4"
PARTICIPANTS = 4
SHARE = 3
"""With several participants, each speaks for one part in so many."""
TURNS = 200
"""Length of the dialogue whose language model times are compared."""
REPEATS = 15
"""Utterances whose language model times are compared at each length."""
NEVER = 1e9


@dataclass(frozen=True)
class Scenario:
    """What is played, and with what switched off."""

    name: str
    participants: int = 1
    incremental: bool = True
    cached: bool = True
    share: int = 1
    """Every so-manieth utterance is heard."""


@dataclass
class Figures:
    """What a scenario gave."""

    scenario: str
    seconds: float = 0.0
    utterances: int = 0
    partials: int = 0
    milliseconds: dict[str, dict[str, float]] = field(default_factory=dict)
    """p50, p95 and p99 of every stage; `total` is end of speech to published event."""
    pictures_per_second: float = 0.0
    dropped: dict[str, int] = field(default_factory=dict)
    degraded: int = 0
    rss_mb: float = 0.0
    cpu_cores: float = 0.0


class Arrivals:
    """A sink that notes when events arrive."""

    name = "arrivals"
    takes_partials = True

    def __init__(self) -> None:
        self.events: list[EmotionEvent] = []
        self.total_ms: list[float] = []

    async def __aenter__(self) -> Self:
        """Nothing to open."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing to close."""

    async def publish(self, event: EmotionEvent) -> None:
        """Note it."""
        self.events.append(event)
        if "total" in event.latency_ms:
            on_the_way = (datetime.now(UTC) - event.time).total_seconds()
            self.total_ms.append(event.latency_ms["total"] + 1000 * on_the_way)

    async def leave(self, departure: Departure) -> None:
        """Nothing to forget."""


class LateWorker(Worker):
    """Leaves everything to the end of the utterance, one after the other."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._pictures: defaultdict[str, list[VideoFrame]] = defaultdict(list)

    def listen(self, utterance: Utterance) -> None:
        """The words come with the utterance, too."""

    def see(self, pictures: Sequence[tuple[str, VideoFrame]]) -> None:
        """Keep the pictures."""
        for key, frame in pictures:
            self._pictures[key].append(frame)

    def hear(self, key: str, window: SoundWindow) -> None:
        """The sound comes with the utterance."""

    def recognize(
        self, place: Place, utterance: Utterance, *, final: bool = True, check: Check = go_on
    ) -> Recognized:
        """Look at all pictures, then recognise."""
        frames = self._pictures.pop(place.key, [])
        super().see([(place.key, frame) for frame in frames])
        return super().recognize(place, utterance, final=final, check=check)


class ForgetfulWorker(Worker):
    """Reads the whole dialogue anew for every utterance."""

    def recognize(
        self, place: Place, utterance: Utterance, *, final: bool = True, check: Check = go_on
    ) -> Recognized:
        """Forget what was read, then recognise."""
        self._recognizer.forget(place.dialogue)
        return super().recognize(place, utterance, final=final, check=check)


class Bench:
    """Loaded once for all scenarios."""

    def __init__(self, options: cli.Options) -> None:
        self.options = options
        self.info, self.spec = assembly.check_bundle(options.bundle)
        wanted = assembly.Wanted(listen=True, look=options.behaviour)
        self._loaded = assembly.load_models(options, resolve, self.spec["llm"]["base"], wanted)

    @property
    def recognizer(self) -> Recognizer:
        """Of the workers."""
        return self._loaded.recognizer

    def worker(self, scenario: Scenario) -> Worker:
        """A fresh dialogue."""
        loaded = self._loaded
        kind = LateWorker if not scenario.incremental else Worker
        kind = ForgetfulWorker if not scenario.cached else kind
        return kind(loaded.recognizer, loaded.transcribe, perception=loaded.perception)

    def cutter(self, participant: str, scenario: Scenario) -> UtteranceCutter:
        """A live participant's."""
        audio = self.spec["audio"]
        plan = WorkPlan(audio["window_seconds"], audio["hop_seconds"])
        if not scenario.incremental:
            plan = dataclasses.replace(plan, pause_seconds=NEVER, partial_seconds=NEVER)
        return UtteranceCutter(
            SileroVad(resolve("silero-vad")),
            participant=participant,
            ahead=plan,
            video_lag_seconds=assembly.LIVE_VIDEO_LAG,
        )


async def play(
    bench: Bench,
    scenario: Scenario,
    clip: Path,
    seconds: float,
    speech: Sequence[Boundary],
    pace: str = "real",
    watch: Callable[[float], object] = lambda _: None,
) -> Figures:
    """Play one scenario.

    Args:
        bench: Models and options.
        scenario: What to play.
        clip: What everybody says.
        seconds: Of media.
        speech: Utterances of the clip.
        pace: See `LoopedClip`.
        watch: Called every second with the seconds since the start.
    """
    arrivals, vitals, process = Arrivals(), Vitals(), this_process()
    sources = [
        LoopedClip(clip, f"person-{k + 1}", seconds, speech, scenario.share, k, pace)
        for k in range(scenario.participants)
    ]
    began, busy = time.monotonic(), sum(process.cpu_times()[:2])

    async def tick() -> None:
        while True:
            watch(time.monotonic() - began)
            await asyncio.sleep(1)

    engine = Engine(bench.worker(scenario), [arrivals], vitals=vitals)
    async with engine:
        ticking = asyncio.create_task(tick())
        await asyncio.gather(
            *(
                engine.attend(
                    source,
                    bench.cutter(source.participant, scenario),
                    build=assembly.event_builder("bench", "clip", bench.info, "d"),
                )
                for source in sources
            )
        )
        ticking.cancel()
    took = time.monotonic() - began
    finals = [event for event in arrivals.events if not event.partial]
    stages: defaultdict[str, list[float]] = defaultdict(list)
    for event in finals:
        for stage, value in event.latency_ms.items():
            stages[stage].append(value)
    stages["total"] = arrivals.total_ms
    looked = sum(event.window.frames for event in finals)
    spoken = sum(event.window.end - event.window.start for event in finals)
    return Figures(
        scenario.name,
        seconds=took,
        utterances=len(finals),
        partials=len(arrivals.events) - len(finals),
        milliseconds={stage: percentiles(values) for stage, values in stages.items() if values},
        pictures_per_second=looked / max(spoken, 1e-9),
        dropped=dropped(vitals),
        degraded=sum(bool(event.degraded) for event in finals),
        rss_mb=process.memory_info().rss / 1e6,
        cpu_cores=(sum(process.cpu_times()[:2]) - busy) / took,
    )


def this_process() -> psutil.Process:
    """Whose memory and processor time are measured."""
    return psutil.Process()  # type: ignore[no-untyped-call]


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """50th, 95th and 99th."""
    found = np.percentile(values, [50, 95, 99]).tolist()
    return dict(zip(("p50", "p95", "p99"), found, strict=True))


def dropped(vitals: Vitals) -> dict[str, int]:
    """What was given up, by what it was."""
    lines = vitals.exposition().decode().splitlines()
    counts = [line for line in lines if line.startswith("bemerc_dropped_total{")]
    found = {line.split('"')[1]: int(float(line.rsplit(" ", 1)[1])) for line in counts}
    return {what: count for what, count in found.items() if count}


def language_model_times(bench: Bench, turns: int = TURNS) -> dict[str, float]:
    """Median milliseconds of the language model at turn 5 and at the last turn.

    Both are measured in turns, so that whatever else the machine does slows both.
    """
    recognizer = bench.recognizer
    words = ("Oh my God, you did what?", "I just thought that it would be nice.", "Really?")
    sound = np.random.default_rng(1).normal(0, 0.05, 40_000).astype(np.float32)

    def say(number: int, history: Sequence[Turn], dialogue: str) -> Recognition:
        text = words[number % len(words)]
        said = Utterance(str(number), "ab"[number % 2], 0, 2.5, (), sound, text)
        return recognizer.recognize(said, history, dialogue=dialogue)

    lengths, histories = (5, turns), dict[int, list[Turn]]()
    for length in lengths:
        history = list[Turn]()
        for number in range(length - 1):
            found = say(number, history, f"turn {length}")
            history.append(Turn("ab"[number % 2], words[number % len(words)], found.inputs))
            history = recognizer.settle(history, f"turn {length}")
        histories[length] = history
    took: dict[int, list[float]] = {length: [] for length in lengths}
    for number in range(REPEATS):
        for length, history in histories.items():
            found = say(number, history, f"turn {length}")
            took[length].append(found.latency_ms["llm"])
    for length in lengths:
        recognizer.forget(f"turn {length}")
    return {f"turn {length}": statistics.median(values) for length, values in took.items()}


async def pictures_on_one_core(bench: Bench, clip: Path, count: int = 240) -> float:
    """Pictures a second that are searched, cropped and encoded on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    frames: list[VideoFrame] = []
    async with open_source(clip, pace="max", audio=False) as source:
        async for item in source:
            if isinstance(item, VideoFrame) and len(frames) < count:
                frames.append(item)
    follow = FaceFollower(FaceDetector(resolve("blazeface"), resolve("face-landmarks")))
    began = time.perf_counter()
    for first in range(0, len(frames), 4):
        batch = frames[first : first + 4]
        faces = [next(iter(follow(frame)), None) for frame in batch]
        bench.recognizer.look(batch, faces)
    took = time.perf_counter() - began
    torch.set_num_threads(threads)
    return len(frames) / took


def show(console: Console, figures: Sequence[Figures]) -> None:
    """Print the scenarios side by side."""
    table = Table(title="milliseconds, p50 / p95 / p99")
    table.add_column("stage")
    for one in figures:
        table.add_column(one.scenario, justify="right")
    stages = dict.fromkeys(stage for one in figures for stage in one.milliseconds)
    for stage in sorted(stages, key=lambda name: name == "total"):
        cells = []
        for one in figures:
            found = one.milliseconds.get(stage)
            cells.append("" if found is None else " / ".join(f"{v:.0f}" for v in found.values()))
        name = "end of speech to event" if stage == "total" else stage
        table.add_row(name, *cells, style="bold" if stage == "total" else "")
    table.add_section()
    for name, values in {
        "utterances": [f"{one.utterances}" for one in figures],
        "partial events": [f"{one.partials}" for one in figures],
        "pictures a second, each": [f"{one.pictures_per_second:.1f}" for one in figures],
        "dropped": [
            ", ".join(f"{n} {k}" for k, n in one.dropped.items()) or "0" for one in figures
        ],
        "degraded events": [f"{one.degraded}" for one in figures],
        "RSS, MB": [f"{one.rss_mb:.0f}" for one in figures],
        "cores busy": [f"{one.cpu_cores:.2f}" for one in figures],
    }.items():
        table.add_row(name, *values)
    console.print(table)


async def compare(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Play every scenario; returns all figures."""
    bench = Bench(cli.parse(["--file", str(options.clip)], "bench"))
    plain = UtteranceCutter(SileroVad(resolve("silero-vad")), participant="p")
    speech = await find_speech(options.clip, plain)
    scenarios = [
        Scenario("one participant"),
        Scenario("all at the end", incremental=False),
        Scenario("no cache", cached=False),
        Scenario(f"{PARTICIPANTS} participants", PARTICIPANTS, share=SHARE - 1),
    ]
    wanted = [one for one in scenarios if not options.only or options.only in one.name]
    found = []
    with Progress(console=console, transient=True) as progress:
        for scenario in wanted:
            task = progress.add_task(scenario.name, total=options.seconds)
            found.append(
                await play(
                    bench,
                    scenario,
                    options.clip,
                    options.seconds,
                    speech,
                    watch=lambda now, task=task: progress.update(task, completed=now),  # type: ignore[misc]
                )
            )
            progress.remove_task(task)
    show(console, found)
    results: dict[str, Any] = {"scenarios": [dataclasses.asdict(one) for one in found]}
    by_name = {one.scenario: one.milliseconds.get("total", {}).get("p95") for one in found}
    if (fast := by_name.get("one participant")) and (slow := by_name.get("all at the end")):
        results["times_faster_p95"] = slow / fast
        console.print(f"incremental against all at the end, p95: {slow / fast:.1f} times faster")
    if not options.only:
        results["llm_ms"] = times = language_model_times(bench)
        early, late = times.values()
        console.print(
            f"language model at turn {TURNS} against turn 5: {late:.0f} ms / {early:.0f} ms = "
            f"{late / early:.2f}"
        )
        results["pictures_per_second"] = rate = await pictures_on_one_core(bench, options.clip)
        console.print(f"faces found, cropped and encoded on one core: {rate:.0f} a second")
    return results


async def soak(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Two participants as fast as they can be recognised; prints memory over time."""
    bench = Bench(cli.parse(["--file", str(options.clip)], "bench"))
    plain = UtteranceCutter(SileroVad(resolve("silero-vad")), participant="p")
    speech = await find_speech(options.clip, plain)
    process, memory = this_process(), list[tuple[float, float]]()

    def watch(now: float) -> None:
        memory.append((now, process.memory_info().rss / 1e6))
        if len(memory) % 30 == 1:
            console.print(f"{now:6.0f} s  {memory[-1][1]:.0f} MB")

    scenario = Scenario("2 participants", 2)
    figures = await play(bench, scenario, options.clip, options.soak, speech, "max", watch)
    settled = [rss for now, rss in memory if now >= 60] or [memory[-1][1]]
    growth = settled[-1] / settled[0] - 1
    console.print(
        f"{figures.utterances} utterances in {figures.seconds:.0f} s; after the first minute "
        f"{settled[0]:.0f} MB, at the end {settled[-1]:.0f} MB ({growth:+.1%})"
    )
    return {"soak": dataclasses.asdict(figures), "rss_mb": memory, "growth": growth}


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, play, print."""
    parser = Parser(
        prog="python -m benchmarks.live",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--clip", type=Path, default=CLIP, help="what is played (default: demo)")
    parser.add_argument("--seconds", type=float, default=60, help="of each scenario (default: 60)")
    parser.add_argument("--only", metavar="NAME", help="the scenarios with this in their name")
    parser.add_argument("--soak", type=float, metavar="SECONDS", help="memory over so much media")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    options = parser.parse_args(arguments)
    share_arenas()
    console = Results()
    run = soak if options.soak else compare
    results = {"machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs"}
    results |= asyncio.run(run(options, console))
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    run_command(main)
