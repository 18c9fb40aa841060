"""Text that is safe to print."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.printable import MESSAGE_LIMIT, message, printable


def test_hostile_text_is_escaped() -> None:
    """Escape sequences, line breaks and direction overrides lose their power."""
    assert printable("a\x1b[2J\r\nb\u202ec\x9b") == r"a\x1b[2J b\u202ec\x9b"


def test_emoji_sequences_stay_whole() -> None:
    """Joiners inside an emoji are not harmful."""
    assert printable("👩\u200d🔬 né") == "👩\u200d🔬 né"


@settings(deadline=None)
@given(st.text(st.characters(), max_size=400))
def test_printable_is_one_short_line(text: str) -> None:
    """Any text becomes one line of valid Unicode of bounded length."""
    shown = printable(text, 50)
    assert len(shown) <= 50
    assert len(shown.splitlines()) <= 1
    shown.encode()


@given(st.text(st.characters(), max_size=400))
def test_a_message_is_one_line_with_its_spaces(text: str) -> None:
    """Whatever a file or a person is called in it."""
    shown = message(f"error:  {text}")
    assert shown.startswith("error:  ")
    assert len(shown.splitlines()) == 1


def test_a_message_is_bounded() -> None:
    """A name of a megabyte does not fill the screen."""
    assert len(message("x" * 10**6)) == MESSAGE_LIMIT + 1
