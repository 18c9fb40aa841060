"""What every teacher is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from stream.errors import UserError
from stream.media import VideoFrame
from training.describe.description import Description, UtteranceKey


@dataclass(frozen=True, eq=False)
class Request:
    """One utterance to describe."""

    key: UtteranceKey
    speaker: str
    text: str | None
    """What is said; None where no transcript is known."""
    context: tuple[tuple[str, str], ...] = ()
    """The turns before, oldest first: speaker and words."""
    frames: tuple[VideoFrame, ...] = ()
    """Pictures of the utterance in order; times in seconds of the recording."""
    prosody: tuple[float, ...] | None = None
    """Published measures of the voice (`engine.prosody.MEASURES`), for a teacher of voices."""
    attempt: int = 1
    """Higher when earlier answers could not be used: a teacher that samples gives another."""


@dataclass(frozen=True)
class Failure:
    """Why an utterance has no description."""

    reason: str
    """One line."""
    answer: str = ""
    """What the teacher answered, where it did."""
    final: bool = False
    """Whether asking again would give the same."""


class TeacherDownError(UserError):
    """No further request can be served: a server is down, a key is wrong.

    Args:
        message: One line for the user.
        answers: What was answered before, by the index of the request in the call.
    """

    def __init__(
        self, message: str, answers: Mapping[int, Description | Failure] | None = None
    ) -> None:
        super().__init__(message)
        self.answers = dict(answers or {})


class Teacher(Protocol):
    """Describes behaviour: one of `training.describe.teachers.TEACHERS`."""

    @property
    def name(self) -> str:
        """Of the model; a part of what a line of the output is known by."""

    @property
    def prompt_version(self) -> str:
        """Changes with whatever changes the answers other than the model: prompt or rules."""

    @property
    def batch(self) -> int:
        """Requests of one call of `describe` that keep the teacher busy."""

    def describe(self, requests: Sequence[Request]) -> list[Description | Failure]:
        """Describe some utterances, which come in the order of the corpus.

        Args:
            requests: All with frames, or with prosody for a teacher of voices; all at the
                same attempt.

        Returns:
            One per request, in their order. A `Failure` is an answer that cannot be used;
            what is wrong with the teacher itself is raised.

        Raises:
            TeacherDownError: No further request can be served.
        """
