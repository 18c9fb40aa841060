"""The error tree."""

from __future__ import annotations

from stream.errors import BemercError, UserError


def test_a_user_error_shows_exactly_its_message() -> None:
    """What is raised for the user is what the user reads, and is one of ours."""
    error = UserError("no file a.mp4; check the path")
    assert str(error) == "no file a.mp4; check the path"
    assert isinstance(error, BemercError)
