"""A transcript that came with the media, read as players read it.

SubRip and WebVTT are read here, line by line: what people call by these names departs from the
formats in more ways than a library forgives (`pysubs2` takes every line with two times for a
timing line, also one of karaoke; reads notes and cue names as words; knows no microseconds; and
needs milliseconds). All other formats (ASS, SSA, MicroDVD, MPL2, SAMI, TTML, TMP) are read by
`pysubs2`. A cue that cannot be read is left out and counted.

WebVTT: https://www.w3.org/TR/webvtt1/
"""

from __future__ import annotations

import codecs
import html
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pysubs2

from stream.errors import UserError
from stream.printable import printable

logger = logging.getLogger(__name__)

SUFFIXES = (".vtt", ".srt", ".ass", ".ssa", ".ttml", ".sub", ".smi")
"""Of caption files beside the media, the first first."""
MAX_BYTES = 10_000_000
"""A day of subtitles takes about 2 MB."""
MIN_OVERLAP = 0.5
"""Share of the shorter of cue and utterance that must be in common."""
ROLLING_SHARE = 0.5
"""Share of the cues that begin with what the cue before them ended with, from which on captions
roll: each line is shown again while the next one comes."""

LONGEST_TIMING = 200
"""Characters of a line that was meant to give times."""

_TIME = r"(?:(\d{1,4})\s?:\s?)?(\d{1,2})\s?:\s?(\d{1,2})(?:\s?[.,:]\s?(\d{1,9}))?"
_ARROW = r"(?:[-=\u2010-\u2015\u2212]{1,3}\s?>|[-\u2010-\u2015\u2212]{1,3}|[\u2192\u21d2\u27f6])"
_TIMING = re.compile(rf"\s*{_TIME}\s*{_ARROW}\s*{_TIME}(?:\s.*)?", re.DOTALL)
_POINTED = re.compile(r"[>\u2192\u21d2\u27f6]")
_LIKE_TIMING = re.compile(rf"\s*-?[\d?x]+\s?:[\d\s:.,?x-]*{_ARROW}[\s\d:.,?x-]*", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|</?>|<\d[\d:.,]*>|\{\\[^{}]*\}")
_SOUND = re.compile(r"\[[^\[\]]*\]|\([^()]*\)|[\u2669-\u266c]")  # [laughs], (sighs), notes of music
_SPEAKER = re.compile(
    r"\s*(?:>>+|[-\u2010-\u2015]+)?\s*(?:[A-Z][A-Z0-9.' -]*[A-Z0-9]\s?:(?=\s|$))?"
)
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:[-_][a-z0-9]{2,8})*", re.IGNORECASE)
_ENGLISH = re.compile(r"en(?:g)?(?:[-_].*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Cue:
    """A stretch of media and the words spoken in it."""

    start: float
    """Media seconds."""
    end: float
    """Media seconds."""
    text: str
    """Plain words on one line."""


@dataclass(frozen=True)
class Captions:
    """The cues of a file, in order of their start."""

    cues: tuple[Cue, ...]
    unreadable: int = 0
    """Cues left out because their times cannot be read, or because they take no time."""

    def text(self, start: float, end: float) -> str | None:
        """The words of the cues that lie in [start, end), in media seconds.

        A cue counts where at least half of it is inside, or where it covers at least half
        of the stretch: caption files seldom cut where a voice detector does.

        Returns:
            The words on one line, or None where no cue lies there.
        """
        words = [cue.text for cue in self.cues if _belongs(cue, start, end)]
        return " ".join(words) or None


def read_captions(path: Path) -> Captions:
    """Read a caption file; cues that cannot be read are counted and said in one line.

    Raises:
        UserError: If the file cannot be read, or nothing in it.
    """
    text = _read(path)
    found, unreadable = _scan(text)
    if not found:
        found = _foreign(text)
    timed = [cue for cue in found if cue.end > cue.start >= 0]
    unreadable += len(found) - len(timed)
    # Stable: cues of one time stay in the order of the file.
    cues = _once(sorted(timed, key=lambda cue: cue.start))
    if not cues:
        raise UserError(
            f"{path} has no captions that can be read: give a WebVTT or SRT file to --transcript"
        )
    if unreadable:
        noun = "caption" if unreadable == 1 else "captions"
        name = printable(path.name)
        logger.warning("%s: %d %s left out, without valid times", name, unreadable, noun)
    return Captions(tuple(cues), unreadable)


def captions_beside(media: Path) -> Path:
    """The caption file next to a media file: its name with another suffix, in any case.

    The name may have a language in it (`talk.en.vtt`). The plain name is taken before an English
    one, that before others. Where there are several, it is said which one is taken.

    Raises:
        UserError: If there is none.
    """
    try:
        names = sorted(path for path in media.parent.iterdir() if path.is_file())
    except OSError:
        names = []
    ranked = [(rank, path) for path in names if (rank := _rank(media, path)) is not None]
    if not ranked:
        expected = " or ".join(media.with_suffix(suffix).name for suffix in SUFFIXES[:2])
        raise UserError(f"no {expected} beside {media}: add one, or use --transcript FILE")
    taken, *others = [path for _, path in sorted(ranked)]
    if others:
        beside = printable(", ".join(path.name for path in others))
        logger.warning("words from %s; not from %s", printable(taken.name), beside)
    return taken


def _rank(media: Path, path: Path) -> tuple[int, int] | None:
    """How well a file's name fits as captions of a media file, least best; None if not at all."""
    suffix, stem = path.suffix.lower(), media.stem
    if suffix not in SUFFIXES or not path.stem.casefold().startswith(stem.casefold()):
        return None
    rest = path.stem[len(stem) :]
    if not rest or rest.casefold() == media.suffix.casefold():
        return 0, SUFFIXES.index(suffix)
    tags = rest.split(".")[1:]
    if not rest.startswith(".") or not all(_LANGUAGE.fullmatch(tag) for tag in tags):
        return None
    english = any(_ENGLISH.fullmatch(tag) for tag in tags)
    return 1 if english else 2, SUFFIXES.index(suffix)


def _belongs(cue: Cue, start: float, end: float) -> bool:
    overlap = min(cue.end, end) - max(cue.start, start)
    return overlap > 0 and overlap >= MIN_OVERLAP * min(cue.end - cue.start, end - start)


def _read(path: Path) -> str:
    """The text of a file, its lines ended by line feeds alone."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path} is over {MAX_BYTES // 1_000_000} MB: is it a caption file?")
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path} ({error.strerror}): check --transcript") from error
    # Text that was made into Windows' text twice has two carriage returns.
    return re.sub(r"\r+\n|\r", "\n", _decode(content)).replace("\0", "")


def _decode(content: bytes) -> str:
    """Unicode by its mark or as UTF-8; all else is what Windows writes in Western Europe."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        every_other = content[first:200:2]
        if len(every_other) > 2 and every_other.count(0) > 0.8 * len(every_other):
            return content.decode(encoding, "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _scan(text: str) -> tuple[list[Cue], int]:
    """The cues of SubRip or WebVTT, in order, and how many timing lines could not be read."""
    cues: list[Cue] = []
    unreadable = 0
    strict = text.lstrip().startswith("WEBVTT")
    for timing, lines in _blocks(text.split("\n"), strict):
        found = _TIMING.fullmatch(timing)
        if found is None:
            unreadable += 1
            continue
        parts = found.groups(default="0")
        cues.append(Cue(_seconds(*parts[:4]), _seconds(*parts[4:]), "\n".join(lines)))
    return cues, unreadable


def _blocks(lines: Sequence[str], webvtt: bool) -> Iterator[tuple[str, list[str]]]:
    """Every timing line with the lines of its words.

    In WebVTT an empty line ends a cue, and what follows is a note or the next cue's name. In
    SubRip only the next timing line does: words may have an empty line among them.
    """
    timings = [number for number, line in enumerate(lines) if _is_timing(line)]
    counted = 0
    for first, after in pairwise([*timings, len(lines)]):
        words = list(lines[first + 1 : after])
        if webvtt and "" in words:
            words = words[: words.index("")]
        elif after < len(lines):
            counted = _drop_number(words, counted)
        yield lines[first], words


def _is_timing(line: str) -> bool:
    """Whether a line gives times, or was meant to. "5:30 - 6:30" may be words."""
    pointed = bool(_POINTED.search(line))
    found = _TIMING.fullmatch(line)
    if found is not None:
        return pointed or None not in (found[1], found[5])
    return pointed and len(line) <= LONGEST_TIMING and bool(_LIKE_TIMING.fullmatch(line))


def _drop_number(words: list[str], before: int) -> int:
    """Take the number of the next cue from the end of a cue's lines; returns that number.

    It stands right above the timing line, or further up where every other line is empty.
    """
    last = next((n for n in reversed(range(len(words))) if words[n].strip()), None)
    if last is None or not re.fullmatch(r"\s*\d{1,6}\s*", words[last]):
        return before
    number = int(words[last])
    if last < len(words) - 1 and before and number != before + 1:
        return before
    if last < len(words) - 1 and not before and number != 2:
        return before
    del words[last:]
    return number


def _seconds(hours: str, minutes: str, seconds: str, fraction: str) -> float:
    whole = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    return whole + float(f"0.{fraction}")


def _foreign(text: str) -> list[Cue]:
    """The cues of another format; none where it is no caption file."""
    try:
        events = pysubs2.SSAFile.from_string(text)
        return [
            Cue(event.start / 1000, event.end / 1000, event.plaintext)
            for event in events
            if not event.is_comment and not event.is_drawing
        ]
    except Exception as error:  # readers of seven formats, given what may be anything
        logger.debug("no captions: %s", error)
        return []


def _once(cues: Sequence[Cue]) -> list[Cue]:
    """The cues with their plain words, those of captions that roll once each."""
    plain = [Cue(cue.start, cue.end, _plain(cue.text)) for cue in cues]
    plain = [cue for cue in plain if cue.text]
    shown = [cue.text.split() for cue in plain]
    repeated = [_repeated(before, after) for before, after in pairwise([[], *shown])]
    added = any(1 < again < len(words) for again, words in zip(repeated, shown, strict=True))
    rolls = added and sum(map(bool, repeated)) >= ROLLING_SHARE * (len(plain) - 1)
    if not rolls:
        return plain
    new = [words[again:] for again, words in zip(repeated, shown, strict=True)]
    return [
        Cue(cue.start, cue.end, " ".join(words))
        for cue, words in zip(plain, new, strict=True)
        if words
    ]


def _repeated(before: Sequence[str], after: Sequence[str]) -> int:
    """With how many of the last words before it some words begin."""
    longest = min(len(before), len(after), 100)
    return next((n for n in range(longest, 0, -1) if before[-n:] == after[:n]), 0)


def _plain(text: str) -> str:
    """Words as they are spoken: without mark-up, sounds in brackets, and who speaks."""
    lines = [_SOUND.sub(" ", html.unescape(_TAG.sub("", line))) for line in text.split("\n")]
    return " ".join(" ".join(_SPEAKER.sub("", line, count=1) for line in lines).split())
