"""Addresses of sources, taken apart in one place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from stream.errors import UserError

STDIN = "pipe://stdin"
"""Address of standard input."""

_KINDS = "a path, file:///PATH, rtsp://HOST/PATH, camera://NUMBER or pipe://stdin"
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://(?P<rest>.*)", re.DOTALL)


@dataclass(frozen=True)
class Address:
    """What an address means; one of `path`, `stream` and `camera`, or none for standard input."""

    name: str
    """Short name for topics and logs."""
    path: Path | None = None
    """Of a file."""
    stream: str | None = None
    """Of a network stream, as FFmpeg takes it; may hold a password."""
    camera: int | None = None
    """Number of a camera."""


def parse_address(uri: str | Path) -> Address:
    """What an address means.

    A path is taken as it is, with a home folder for `~`. So is the path of a `file://` address,
    but for characters written as `%20`: a `#` or `?` in it belongs to the name.

    Args:
        uri: A path, `file:///PATH`, `rtsp://HOST/PATH`, `camera://NUMBER` or `pipe://stdin`.

    Raises:
        UserError: No source has such an address.
    """
    text = str(uri)
    if isinstance(uri, str) and text in ("-", STDIN):
        return Address("stdin")
    scheme, rest = _split(text) if isinstance(uri, str) else ("", text)
    if scheme in ("rtsp", "rtsps"):
        return Address(f"{scheme}-{_rtsp_host(text)}", stream=text)
    if scheme == "camera":
        return Address(f"camera-{rest}", camera=_camera_index(rest))
    if scheme not in ("", "file"):
        raise UserError(f"cannot read {scheme}:// addresses; give {_KINDS}")
    path = _local_path(rest) if scheme else _at_home(text)
    return Address(path.stem, path=path)


def file_path(uri: str | Path) -> Path | None:
    """The file that an address names; None where it names no file.

    Raises:
        UserError: No source has such an address.
    """
    return parse_address(uri).path


def _split(text: str) -> tuple[str, str]:
    """Scheme, in lower case and empty for a path, and what follows it."""
    if re.match(r"file:/(?!/)", text, re.IGNORECASE):  # a short form of RFC 8089
        return "file", text[len("file:") :]
    match = _SCHEME.fullmatch(text)
    return (match["scheme"].lower(), match["rest"]) if match else ("", text)


def _local_path(rest: str) -> Path:
    """The path of `file://` and `rest`: as it is written if only that exists."""
    if rest.startswith("~"):
        return _at_home(unquote(rest))
    host, slash, path = rest.partition("/")
    if host.lower() not in ("", "localhost", "127.0.0.1"):
        raise UserError(f"file://{rest} is on another computer; write file:///PATH, or the path")
    literal, decoded = Path(slash + path), Path(slash + unquote(path))
    return literal if not _exists(decoded) and _exists(literal) else decoded


def _at_home(text: str) -> Path:
    """A path; `~` is the home folder, as in a shell, unless a file is really called that."""
    path = Path(text)
    if not text.startswith("~") or _exists(path):
        return path
    try:
        return path.expanduser()
    except RuntimeError:  # nobody is called that
        return path


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or not to be looked into
        return False


def _rtsp_host(address: str) -> str:
    try:
        host = urlsplit(address).hostname
    except ValueError:
        host = None
    if not host:
        raise UserError("the RTSP address names no host; write rtsp://HOST/PATH")
    return host


def _camera_index(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise UserError(f"no camera {text!r}; give its number, as `run_live.py devices` shows it")
    return int(text)
