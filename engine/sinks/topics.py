"""Where each message goes: the MQTT topics under `bemerc/v1`."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from engine import checks

ROOT = "bemerc/v1"
UTTERANCES = f"{ROOT}/+/src/+/p/+/utterance"
"""Filter of every event of every node, source and participant."""
FILTER_BYTES = 65_535
"""Longest topic filter that MQTT can carry."""


def level(name: str) -> str:
    """`name` as one topic level: `/`, `+`, `#` and whatever is not ASCII percent-encoded."""
    return quote(checks.name(name), safe="")


@dataclass(frozen=True)
class Topics:
    """The topics of one source on one node."""

    node: str
    source: str

    @property
    def status(self) -> str:
        """`online` or `offline`, retained; the last will of the node."""
        return f"{ROOT}/{level(self.node)}/status"

    @property
    def info(self) -> str:
        """Model, version and labels, retained."""
        return f"{ROOT}/{level(self.node)}/info"

    @property
    def source_status(self) -> str:
        """`online` or `offline` of the source, retained."""
        return f"{ROOT}/{level(self.node)}/src/{level(self.source)}/status"

    def utterance(self, participant: str) -> str:
        """The events of a participant."""
        return f"{self._participant(participant)}/utterance"

    def partial(self, participant: str) -> str:
        """News of an utterance of a participant that goes on."""
        return f"{self._participant(participant)}/partial"

    def state(self, participant: str) -> str:
        """The latest label of a participant, retained; empty once they left."""
        return f"{self._participant(participant)}/state"

    def _participant(self, participant: str) -> str:
        return f"{ROOT}/{level(self.node)}/src/{level(self.source)}/p/{level(participant)}"


def is_filter(text: str) -> bool:
    """Whether `text` is a topic filter: `+` a whole level, `#` the whole last level."""
    levels = text.split("/")
    return (
        0 < len(text.encode(errors="replace")) <= FILTER_BYTES
        and "\0" not in text
        and all(part == "+" or "+" not in part for part in levels)
        and all("#" not in part for part in levels[:-1])
        and (levels[-1] == "#" or "#" not in levels[-1])
    )
