"""Names of sources."""

from __future__ import annotations

import pytest

from stream.sources.base import source_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("talk", "talk"),
        ("My Talk (2)", "my-talk-2"),
        ("a/b#c+d", "a-b-c-d"),
        ("rtsp-10.0.0.7", "rtsp-10.0.0.7"),
        ("Gespräch", "gespr-ch"),
        ("日本語", "source"),
        ("..", "source"),
    ],
)
def test_a_name_is_safe_in_topics_files_and_urls(text: str, name: str) -> None:
    """Only lower-case letters, digits, dots and dashes are left, and something always is."""
    assert source_name(text) == name
