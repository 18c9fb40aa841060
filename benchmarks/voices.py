"""How well people are told apart by voice and by mouth, on real speakers.

`sound` measures on clips of emotional speech: whether two belong to one speaker, who speaks in
drawn conversations, and where the speaker changes in joined clips. The thresholds were chosen
on some speakers, so the others are what counts. `mouths` puts two films side by side, with the
sound of the first, and asks whose mouth moves.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from random import Random
from statistics import fmean, median

import numpy as np

from benchmarks.mouths import measure_mouths
from benchmarks.voice_clips import WINDOW, Floats, Voice, by_speaker, hear
from engine.arguments import Parser, run_command
from engine.voices import HOP_SECONDS, Speakers, VoiceChange, VoiceEmbedding
from export.models import resolve
from stream.errors import UserError
from stream.media import SAMPLE_RATE, Samples
from training.datasets.speech import SpeechClip, find_speech

CHOSEN_ON = {
    "ravdess": frozenset(map(str, range(1, 11))),
    "emodb": frozenset({"03", "08", "09", "10"}),
    "nemo": frozenset({"EB0", "IC0", "KD0"}),
}
"""The speakers on whom the thresholds were chosen."""
TURNS = 24
"""Of a conversation."""
CLOSE_SECONDS = 0.5
"""A change found this near is right."""


def equal_error(voices: Sequence[Voice], corpus: str, *, windows: bool) -> dict[str, float]:
    """Equal error rate, and its threshold, over the pairs of a corpus."""
    kept = [v for v in voices if v.clip.corpus == corpus and (v.window is not None or not windows)]
    vectors = np.stack([v.window if windows and v.window is not None else v.vector for v in kept])
    speakers = np.array([v.clip.speaker for v in kept])
    emotions = np.array([v.clip.emotion for v in kept])
    pairs = np.triu_indices(len(kept), 1)
    alike = (vectors @ vectors.T)[pairs]
    same = (speakers[:, None] == speakers)[pairs]
    calm = (emotions[:, None] == emotions)[pairs]
    rate, threshold = _equal(alike[same], alike[~same])
    one_emotion, _ = _equal(alike[same & calm], alike[~same & calm])
    return {"all pairs": rate, "threshold": threshold, "pairs of one emotion": one_emotion}


def _equal(same: Floats, other: Floats) -> tuple[float, float]:
    thresholds = np.quantile(np.concatenate([same, other]), np.linspace(0, 1, 1001))
    missed = np.searchsorted(np.sort(same), thresholds) / len(same)
    mistaken = 1 - np.searchsorted(np.sort(other), thresholds) / len(other)
    best = int(np.abs(missed - mistaken).argmin())
    return float(missed[best] + mistaken[best]) / 2, float(thresholds[best])


def conversations(voices: Sequence[Voice], count: int) -> dict[str, float]:
    """Who speaks in drawn conversations of one to four people of one corpus."""
    draw = Random(0)
    people = by_speaker(voices)
    corpora = sorted({corpus for corpus, _ in people})
    totals: Counter[str] = Counter()
    for index in range(count):
        names = sorted(name for name in people if name[0] == corpora[index % len(corpora)])
        cast = draw.sample(names, min(1 + index // len(corpora) % 4, len(names)))
        turns = [draw.choice(cast) for _ in range(TURNS)]
        totals.update(_conversation(turns, [draw.choice(people[name]) for name in turns]))
    return {
        "right": totals["right"] / (TURNS * count),
        "sure": totals["sure"] / (TURNS * count),
        "right where sure": totals["right and sure"] / max(1, totals["sure"]),
        "people too many": totals["too many"] / count,
        "people too few": totals["too few"] / count,
    }


def _conversation(turns: Sequence[tuple[str, str]], said: Sequence[Voice]) -> dict[str, int]:
    """Counts of one conversation."""
    speakers = Speakers()
    guesses = [speakers.heard(0.0, len(v.sound) / SAMPLE_RATE, v.vector) for v in said]
    meant: dict[int, tuple[str, str]] = {}
    # Which speaker each person stands for, one to one: the most frequent pairs first.
    pairs = Counter((guess.person, name) for guess, name in zip(guesses, turns, strict=True))
    for (person, name), _ in pairs.most_common():
        if person not in meant and name not in meant.values():
            meant[person] = name
    right = [meant.get(guess.person) == name for guess, name in zip(guesses, turns, strict=True)]
    surplus = len(speakers) - len(set(turns))
    return {
        "right": sum(right),
        "sure": sum(guess.sure for guess in guesses),
        "right and sure": sum(g.sure and good for g, good in zip(guesses, right, strict=True)),
        "too many": max(0, surplus),
        "too few": max(0, -surplus),
    }


def changes(voices: Sequence[Voice], embed: VoiceEmbedding, count: int) -> dict[str, float]:
    """Changes of speaker in joined clips: those found, and those where there are none."""
    draw = Random(0)
    long = [voice for voice in voices if len(voice.sound) >= WINDOW]
    off: list[float] = []
    hits: list[bool] = []
    alarms: defaultdict[str, list[int]] = defaultdict(list)
    for kind in ("other speaker", "same emotion", "other emotion"):
        for first in draw.sample(long, min(count, len(long))):
            then = [voice for voice in long if _relation(first, voice) == kind]
            gap = np.zeros(round(draw.uniform(0, 0.2) * SAMPLE_RATE), np.float32)
            if not then:
                continue
            found = _changes(np.concatenate([first.sound, gap, draw.choice(then).sound]), embed)
            alarms[kind].append(len(found))
            if kind == "other speaker":
                away = [abs(at - len(first.sound) / SAMPLE_RATE) for at in found]
                hits.append(min(away, default=math.inf) <= CLOSE_SECONDS)
                off += away
    return {
        "recall": sum(hits) / max(1, len(hits)),
        "precision": sum(hits) / max(1, len(off)),
        "seconds off (median)": median(off or [0.0]),
        "false alarms a join, one speaker and emotion": fmean(alarms["same emotion"] or [0]),
        "false alarms a join, one speaker, two emotions": fmean(alarms["other emotion"] or [0]),
    }


def _relation(first: Voice, then: Voice) -> str | None:
    """What of two clips of a corpus differs; None for another corpus or the same clip."""
    if then is first or then.clip.corpus != first.clip.corpus:
        return None
    if then.speaker != first.speaker:
        return "other speaker"
    return "same emotion" if then.clip.emotion == first.clip.emotion else "other emotion"


def _changes(sound: Samples, embed: VoiceEmbedding) -> list[float]:
    change = VoiceChange()
    hop = round(HOP_SECONDS * SAMPLE_RATE)
    found = []
    for first in range(0, len(sound) - WINDOW + 1, hop):
        vector = embed(sound[first : first + WINDOW])
        if vector is not None:
            found.append(change.heard(first / SAMPLE_RATE, vector))
    return [at for at in (*found, change.flush()) if at is not None]


def measure_sound(data: Path, clips: int, draws: int) -> dict[str, dict[str, float]]:
    """All tables about sound.

    Args:
        data: Folder with any of the three corpora of speech.
        clips: Most of one speaker.
        draws: Conversations, and joined clips, of each group of speakers.
    """
    draw = Random(0)
    people: defaultdict[tuple[str, str], list[SpeechClip]] = defaultdict(list)
    for clip in find_speech(data):
        people[clip.corpus, clip.speaker].append(clip)
    embed = VoiceEmbedding(resolve("speaker-embedding"))
    chosen = [clip for own in people.values() for clip in draw.sample(own, min(clips, len(own)))]
    voices = hear(chosen, embed)
    tables = {"cost": _cost(voices[0], embed)}
    for group, inside in (("chosen on", True), ("others", False)):
        of = [v for v in voices if (v.clip.speaker in CHOSEN_ON[v.clip.corpus]) == inside]
        for corpus in sorted({v.clip.corpus for v in of}):
            for unit in ("window", "utterance"):
                rates = equal_error(of, corpus, windows=unit == "window")
                tables[f"{group}: equal error, {corpus}, {unit}"] = rates
        calm = [v for v in of if v.clip.emotion == "neutral"]
        tables[f"{group}: conversations, any emotion"] = conversations(of, draws)
        tables[f"{group}: conversations, calm"] = conversations(calm, draws)
        tables[f"{group}: changes"] = changes(of, embed, draws)
    return tables


def _cost(voice: Voice, embed: VoiceEmbedding) -> dict[str, float]:
    """Median milliseconds of processor time of this thread."""
    taken = []
    for _ in range(20):
        began = time.thread_time()
        embed(np.resize(voice.sound, WINDOW))
        taken.append(1000 * (time.thread_time() - began))
    return {"ms for a window of 1.6 s": median(taken)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; returns the exit code."""
    parser = Parser(prog="python -m benchmarks.voices", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    sound = kinds.add_parser("sound", help="telling voices apart")
    sound.add_argument("--data", type=Path, required=True, help="folder with speech corpora")
    sound.add_argument("--clips", type=int, default=24, help="most of a speaker (default: 24)")
    sound.add_argument(
        "--draws", type=int, default=60, help="conversations and joins of a kind (default: 60)"
    )
    mouths = kinds.add_parser("mouths", help="whose mouth moves with the speech")
    mouths.add_argument("speaker", type=Path, help="film of a person who talks, with the voice")
    mouths.add_argument("others", type=Path, nargs="+", help="films of people to put beside")
    mouths.add_argument("--rate", type=float, default=15.0, help="pictures a second (default: 15)")
    for one in (sound, mouths):
        one.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    try:
        if options.kind == "sound":
            tables = measure_sound(options.data, options.clips, options.draws)
        else:
            tables = measure_mouths(options.speaker, options.others, options.rate)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(tables))
        return 0
    for name, table in tables.items():
        print(name)
        for what, number in table.items():
            print(f"  {what:44}{number:8.3f}")
    return 0


if __name__ == "__main__":
    run_command(main)
