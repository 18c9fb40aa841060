"""Transcripts beside the media."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.captions import MAX_BYTES, Cue, captions_beside, read_captions
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
        (b"WEBVTT\n\n00:02.000 --> 00:01.000\nx", "has no captions"),
        (b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 40, "has no captions"),
        (b"WEBVTT" + b"\n" * MAX_BYTES, "is it a caption file"),
    ],
)
def test_malformed_files_are_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    """One line names the file and the remedy where nothing can be read."""
    with pytest.raises(UserError, match=complaint) as caught:
        read_captions(write(tmp_path, content))
    assert "\n" not in str(caught.value)


GOOD = "00:00:03,000 --> 00:00:04,000\ngood\n"


@pytest.mark.parametrize(
    "timing",
    [
        "00:00:02,000 --> 00:00:01,000",
        "00:00:01,000 --> 00:00:01,000",
        "00:0x:01,000 --> 00:00:02,000",
        "-00:00:01,000 --> 00:00:02,000",
    ],
    ids=["ends first", "no time", "no number", "before the start"],
)
def test_a_cue_without_valid_times_is_left_out_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, timing: str
) -> None:
    """It costs its own words, not those of the others."""
    captions = read_captions(write(tmp_path, f"1\n{timing}\nbad\n\n2\n{GOOD}", "talk.srt"))
    assert [cue.text for cue in captions.cues] == ["good"]
    assert captions.unreadable == 1
    assert [record.message for record in caplog.records] == [
        "talk.srt: 1 caption left out, without valid times"
    ]


@pytest.mark.parametrize(
    "timing",
    [
        "00:00:01,000000 --> 00:00:02,500000",
        "00:00:01.0 --> 00:00:02.5",
        "0:0:1,000-->0:0:2,500",
        "00:00:01,000 -> 00:00:02,500",
        "00:00:01,000 \u2014> 00:00:02,500",
        "00:00:01,000 \u2192 00:00:02,500",
        "00:00:01,000 - 00:00:02,500",
        "00: 00: 01, 000 --> 00: 00: 02, 500",
        "00:00:01:000 --> 00:00:02:500 X1:10 X2:90",
        "00:00:01 --> 00:00:02,500",
    ],
)
def test_times_of_other_writers(tmp_path: Path, timing: str) -> None:
    """Fractions of any length or none, and arrows of all kinds."""
    captions = read_captions(write(tmp_path, f"1\n{timing}\nwords\n", "talk.srt"))
    assert captions.cues == (Cue(1.0, 2.5, "words"),)
    assert not captions.unreadable


def test_hours_beyond_a_hundred(tmp_path: Path) -> None:
    """A recording may be that long."""
    text = "100:00:00,000 --> 100:00:01,000\nlate\n"
    assert read_captions(write(tmp_path, text)).cues[0].start == 360_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1\n{0}\nFrom London --> to Paris.\n\n2\n{1}\nb", ["From London --> to Paris.", "b"]),
        ("1\r\r\n{0}\r\r\na\r\r\n\r\r\n2\r\r\n{1}\r\r\nb", ["a", "b"]),
        ("1\n{0}\na\n\nand more\n\n2\n{1}\nb", ["a and more", "b"]),
        ("1\n{0}\na\n2\n{1}\nb\n", ["a", "b"]),
        ("{0}\na\n\n{1}\n42\n\n", ["a", "42"]),
        ("1\n{0}\n5:30 - 6:30\n\n2\n{1}\n12: 3 - 4", ["5:30 - 6:30", "12: 3 - 4"]),
        ("1\n\n{0}\n\na\n\n2\n\n{1}\n\nb\n\n", ["a", "b"]),
    ],
    ids=[
        "arrow",
        "cr cr lf",
        "empty line",
        "no empty line",
        "no numbers",
        "words like times",
        "double-spaced",
    ],
)
def test_subrip_of_other_writers(tmp_path: Path, text: str, expected: list[str]) -> None:
    """All words, and no number among them."""
    times = "00:00:01,000 --> 00:00:02,000", "00:00:03,000 --> 00:00:04,000"
    captions = read_captions(write(tmp_path, text.format(*times), "talk.srt"))
    assert [cue.text for cue in captions.cues] == expected
    assert not captions.unreadable


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    """Whatever editors write."""
    content = f"1\n{GOOD[:-5]}Caf\u00e9 \u2019s".encode(encoding)
    captions = read_captions(write(tmp_path, content, "talk.srt"))
    assert [cue.text for cue in captions.cues] == ["Caf\u00e9 \u2019s"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("[laughs] Well... (sighs)", "Well..."),
        ("\u266a Happy birthday \u266a", "Happy birthday"),
        ("- Who?\n- Me.", "Who? Me."),
        ("ROSS: Hi.\nDR. GELLER 2: Hello.", "Hi. Hello."),
        (">> I see. And you?", "I see. And you?"),
        ("Well: I < 3 you &amp; me", "Well: I < 3 you & me"),
        ("<v.loud Ross>Hi</v> <00:00:03.500><c.yellow>there</c>", "Hi there"),
        ("{\\an8}<font color='red'>Up</font>", "Up"),
    ],
)
def test_only_what_is_spoken_is_left(tmp_path: Path, words: str, expected: str) -> None:
    """Mark-up, sounds and the names of speakers are no words of the speaker."""
    text = f"WEBVTT\n\n00:03.000 --> 00:04.000\n{words}\n"
    assert read_captions(write(tmp_path, text)).text(3, 4) == expected


ROLLING = """WEBVTT
Kind: captions

00:00:00.500 --> 00:00:02.390 align:start position:0%
 
it<00:00:00.700><c> was</c><00:00:01.000><c> dark</c>

00:00:02.390 --> 00:00:02.400 align:start position:0%
it was dark
 

00:00:02.400 --> 00:00:05.190 align:start position:0%
it was dark
and<00:00:03.600><c> cold</c>

00:00:05.190 --> 00:00:05.200 align:start position:0%
and cold
 
"""  # noqa: W293


def test_automatic_captions_say_each_phrase_once(tmp_path: Path) -> None:
    """A line that is shown again while the next one comes was spoken once."""
    captions = read_captions(write(tmp_path, ROLLING))
    assert captions.cues == (Cue(0.5, 2.39, "it was dark"), Cue(2.4, 5.19, "and cold"))


def test_who_repeats_himself_is_taken_at_his_word(tmp_path: Path) -> None:
    """Captions that do not roll keep what is said twice."""
    cues = [f"00:0{n}.000 --> 00:0{n + 1}.000\nNo.\n" for n in range(3)]
    assert (
        read_captions(write(tmp_path, "WEBVTT\n\n" + "\n".join(cues))).text(0, 9) == "No. No. No."
    )


@pytest.mark.parametrize(
    "text",
    [
        "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\n\n[Events]\n"
        "Format: Layer, Start, End, Style, Name, MarginL, MarginR, "
        "MarginV, Effect, Text\n"
        "Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,{\\i1}Hello\\Nthere\n",
        "{1}{1}25\n{25}{63}Hello|there\n",
        "[10][25]Hello|there\n",
    ],
    ids=["ass", "microdvd", "mpl2"],
)
def test_other_formats(tmp_path: Path, text: str) -> None:
    """What else captions are kept in."""
    (cue,) = read_captions(write(tmp_path, text, "talk.sub")).cues
    assert (cue.start, cue.end) == pytest.approx((1.0, 2.5), abs=0.05)
    assert cue.text == "Hello there"


def test_missing_file(tmp_path: Path) -> None:
    """The flag to correct is named."""
    with pytest.raises(UserError, match="--transcript"):
        read_captions(tmp_path / "none.vtt")


def test_hostile_markup_is_read_in_linear_time(tmp_path: Path) -> None:
    """A megabyte of open brackets is text like any other."""
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\n" + "<" * 1_000_000
    assert read_captions(write(tmp_path, text)).text(1, 2) == "<" * 1_000_000


@pytest.mark.parametrize("line", ["1:" + "-" * 200_000 + "> a", "A" * 500_000, "(" * 500_000])
def test_hostile_lines_are_read_in_linear_time(tmp_path: Path, line: str) -> None:
    """What looks like times, speakers or sounds, and is not."""
    text = f"WEBVTT\n\n00:01.000 --> 00:02.000\n{line}\n"
    assert read_captions(write(tmp_path, text)).cues


def test_beside_the_media(tmp_path: Path) -> None:
    """WebVTT wins over SRT, and their absence is said."""
    media = tmp_path / "talk.mp4"
    with pytest.raises(UserError, match=r"no talk\.vtt or talk\.srt beside"):
        captions_beside(media)
    srt = write(tmp_path, SRT, "talk.srt")
    assert captions_beside(media) == srt
    vtt = write(tmp_path, VTT, "talk.vtt")
    assert captions_beside(media) == vtt


@pytest.mark.parametrize("name", ["talk.en.vtt", "talk.SRT", "talk.mp4.srt", "Talk.en-US.cc.vtt"])
def test_names_beside_the_media(tmp_path: Path, name: str) -> None:
    """A language, or another case, in the name."""
    path = write(tmp_path, SRT, name)
    write(tmp_path, SRT, "talk.part2.srt")
    write(tmp_path, SRT, "talkative.srt")
    assert captions_beside(tmp_path / "talk.mp4") == path


def test_of_several_beside_the_media_it_is_said_which(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """English ones before those of other languages."""
    for language in ("de", "en", "pl"):
        write(tmp_path, SRT, f"talk.{language}.srt")
    assert captions_beside(tmp_path / "talk.mp4").name == "talk.en.srt"
    assert [record.message for record in caplog.records] == [
        "words from talk.en.srt; not from talk.de.srt, talk.pl.srt"
    ]


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
