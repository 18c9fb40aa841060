"""What differs between the versions of PyAV, in one place.

PyAV 18 (the last one for Python 3.11) takes `metadata_errors`, and raises where a picture has
side data of a kind that it has no name for; newer ones know neither trouble.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import av
from av.container import InputContainer
from av.sidedata import sidedata

# Tags of files are in any encoding; by default PyAV 18 refuses a file for one wrong byte.
_LENIENT: dict[str, Any] = (
    {"metadata_errors": "replace"} if hasattr(InputContainer, "metadata_errors") else {}
)


def open_container(url: str | object, **options: Any) -> InputContainer:
    """`av.open` for reading; what cannot be read in a file's tags is replaced.

    Args:
        url: As FFmpeg takes it, or an open file.
        options: What else `av.open` takes.
    """
    return av.open(url, **options, **_LENIENT)  # type: ignore[no-any-return]


def packets_of(
    container: InputContainer, tracks: Sequence[av.stream.Stream]
) -> Iterator[av.Packet[av.stream.Stream]]:
    """The packets of some tracks, and after the last one an empty packet for each of them.

    Noise in a file may look like one more track. PyAV 18 then fails when it has emptied the
    decoders of the tracks that were there at first, so when all is done.
    """
    try:
        yield from container.demux(*tracks)
    except IndexError:
        return


def display_matrix(frame: av.VideoFrame) -> Any | None:
    """The display matrix beside a picture, as a buffer; None where it has none."""
    sides: Any = frame.side_data  # PyAV 18's type stubs say that it holds strings
    return sides.get("DISPLAYMATRIX")


def _name_unknown(kinds: Any, value: object) -> object:
    """A kind of side data that PyAV has no name for, as an unnamed one."""
    if not isinstance(value, int):
        return None
    kind = object.__new__(kinds)
    kind._name_, kind._value_ = f"UNKNOWN_{value}", value
    return kinds._value2member_map_.setdefault(value, kind)


def _accept_unknown_side_data() -> None:
    """Let PyAV 18 name unknown kinds as PyAV 19 does: one of them hid all side data of a frame."""
    kinds: Any = sidedata.Type
    try:
        kinds(-1)
    except ValueError:
        kinds._missing_ = classmethod(_name_unknown)


_accept_unknown_side_data()
