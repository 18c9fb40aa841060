"""A transcript that came with the media: WebVTT or SubRip (SRT).

Both formats are blocks of a timing line and text, parted by blank lines, so one reader
does for both. It is lenient where players are (headers, notes, styles, numbers, cue
settings and mark-up are passed over) and strict about times: a cue at a wrong time would
put words into the wrong utterance.

WebVTT: https://www.w3.org/TR/webvtt1/
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from pathlib import Path

from stream.errors import UserError

SUFFIXES = (".vtt", ".srt")
MAX_BYTES = 10_000_000
"""A day of subtitles takes about 2 MB."""
MIN_OVERLAP = 0.5
"""Share of the shorter of cue and utterance that must be in common."""

_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_TIMING = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?")
_MARKUP = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")


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
    """Read a WebVTT or SRT file.

    Raises:
        UserError: If the file cannot be read, is no caption file, or has a wrong time.
    """
    cues = sorted(_cues(path, _read(path).splitlines()), key=lambda cue: cue.start)
    if not cues:
        raise UserError(f"{path} has no captions: give a WebVTT or SRT file to --transcript")
    return Captions(tuple(cues))


def captions_beside(media: Path) -> Path:
    """The caption file next to a media file: the same name with `.vtt` or `.srt`.

    Raises:
        UserError: If there is none.
    """
    candidates = [media.with_suffix(suffix) for suffix in SUFFIXES]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    names = " or ".join(candidate.name for candidate in candidates)
    raise UserError(f"no {names} beside {media}: add one, or use --transcript FILE")


def _belongs(cue: Cue, start: float, end: float) -> bool:
    overlap = min(cue.end, end) - max(cue.start, start)
    return overlap > 0 and overlap >= MIN_OVERLAP * min(cue.end - cue.start, end - start)


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path} is over {MAX_BYTES // 1_000_000} MB: is it a caption file?")
        return path.read_bytes().decode("utf-8-sig").replace("\0", "")
    except OSError as error:
        raise UserError(f"cannot read {path} ({error.strerror}): check --transcript") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no UTF-8 text: save the captions as UTF-8") from error


def _cues(path: Path, lines: list[str]) -> list[Cue]:
    """Every block that has a timing line, and words after it."""
    cues = []
    number = 0
    while number < len(lines):
        if "-->" not in lines[number]:
            number += 1
            continue
        start, end = _times(path, number + 1, lines[number])
        words = []
        number += 1
        while number < len(lines) and lines[number].strip() and "-->" not in lines[number]:
            words.append(lines[number])
            number += 1
        if text := _plain(" ".join(words)):
            cues.append(Cue(start, end, text))
    return cues


def _times(path: Path, number: int, line: str) -> tuple[float, float]:
    found = _TIMING.fullmatch(line)
    if found is None:
        raise UserError(
            f"{path} line {number} has no valid times: write 00:00:01.000 --> 00:00:02.000"
        )
    parts = found.groups(default="0")
    start, end = _seconds(*parts[:4]), _seconds(*parts[4:])
    if end <= start:
        raise UserError(f"{path} line {number} ends before it starts: correct its times")
    return start, end


def _seconds(hours: str, minutes: str, seconds: str, fraction: str) -> float:
    whole = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    return whole + float(f"0.{fraction}")


def _plain(text: str) -> str:
    return " ".join(html.unescape(_MARKUP.sub("", text)).split())
