"""Transcripts beside the media."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.captions import MAX_BYTES, captions_beside, read_captions
from stream.errors import UserError

VTT = """WEBVTT - a title

STYLE
::cue { color: red }

NOTE
nothing to see --- here

intro
00:01.000 --> 00:02.500 align:start position:10%
<v Ross>I &amp; <i>you</i></v>

01:00:03.000 --> 01:00:04.000
two
lines
"""

SRT = """1
00:00:01,000 --> 00:00:02,500
{\\an8}<b>Hello</b> there

2
00:00:03,000 --> 00:00:04,000
General
"""


def write(folder: Path, text: str | bytes, name: str = "talk.vtt") -> Path:
    """A caption file with exactly these bytes."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_webvtt(tmp_path: Path) -> None:
    """Title, styles, notes, cue names, settings and mark-up leave only times and words."""
    cues = read_captions(write(tmp_path, VTT)).cues
    assert [(cue.start, cue.end, cue.text) for cue in cues] == [
        (1.0, 2.5, "I & you"),
        (3603.0, 3604.0, "two lines"),
    ]


def test_srt(tmp_path: Path) -> None:
    """Numbers and position tags of SubRip are passed over."""
    cues = read_captions(write(tmp_path, SRT, "talk.srt")).cues
    assert [(cue.start, cue.text) for cue in cues] == [(1.0, "Hello there"), (3.0, "General")]


@pytest.mark.parametrize("text", [VTT, SRT])
def test_byte_order_mark_and_line_endings(tmp_path: Path, text: str) -> None:
    """A file from another system reads the same."""
    plain = read_captions(write(tmp_path, text))
    windows = b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()
    assert read_captions(write(tmp_path, windows)) == plain
    assert read_captions(write(tmp_path, text.replace("\n", "\r"))) == plain


def test_cues_out_of_order_are_sorted(tmp_path: Path) -> None:
    """Words come out in the order in which they were spoken."""
    text = "WEBVTT\n\n00:03.000 --> 00:04.000\nlater\n\n00:01.000 --> 00:02.000\nearlier\n"
    assert read_captions(write(tmp_path, text)).text(0, 10) == "earlier later"


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0.0, 10.0, "one two"),
        (1.2, 2.2, "one"),  # cut a little into the cue
        (1.9, 2.9, None),  # only the tail of "one"
        (3.2, 3.6, "two"),  # an utterance inside a cue
        (5.0, 6.0, None),
        (2.0, 3.0, None),  # touches both cues, shares nothing
    ],
)
def test_words_of_a_stretch(tmp_path: Path, start: float, end: float, expected: str | None) -> None:
    """A cue belongs to an utterance that shares half of the shorter of both."""
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\none\n\n00:03.000 --> 00:04.000\ntwo\n"
    assert read_captions(write(tmp_path, text)).text(start, end) == expected


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "has no captions"),
        (b"just a letter\n\nto a friend", "has no captions"),
        (b"WEBVTT\n\n00:01 --> 00:02\nx", "line 3 has no valid times"),
        (b"WEBVTT\n\n00:02.000 --> 00:01.000\nx", "line 3 ends before it starts"),
        (b"WEBVTT\n\n\xff\xfe", "UTF-8"),
        (b"WEBVTT" + b"\n" * MAX_BYTES, "is it a caption file"),
    ],
)
def test_malformed_files_are_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    """One line names the file, the place and the remedy."""
    with pytest.raises(UserError, match=complaint) as caught:
        read_captions(write(tmp_path, content))
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    """The flag to correct is named."""
    with pytest.raises(UserError, match="--transcript"):
        read_captions(tmp_path / "none.vtt")


def test_hostile_markup_is_read_in_linear_time(tmp_path: Path) -> None:
    """A megabyte of open brackets is text like any other."""
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\n" + "<" * 1_000_000
    assert read_captions(write(tmp_path, text)).text(1, 2) == "<" * 1_000_000


def test_beside_the_media(tmp_path: Path) -> None:
    """WebVTT wins over SRT, and their absence is said."""
    media = tmp_path / "talk.mp4"
    with pytest.raises(UserError, match=r"no talk\.vtt or talk\.srt beside"):
        captions_beside(media)
    srt = write(tmp_path, SRT, "talk.srt")
    assert captions_beside(media) == srt
    vtt = write(tmp_path, VTT, "talk.vtt")
    assert captions_beside(media) == vtt


@given(content=st.binary(max_size=300) | st.text("0123456789:., ->\n<{}\\&w", max_size=300))
def test_any_bytes_give_captions_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes | str
) -> None:
    """Nothing that a file can hold raises anything but UserError."""
    path = write(tmp_path_factory.mktemp("any"), content)
    try:
        captions = read_captions(path)
    except UserError:
        return
    assert all(cue.end > cue.start >= 0 and cue.text for cue in captions.cues)
