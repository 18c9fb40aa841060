"""Addresses of sources, taken apart in one place."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from stream.errors import UserError
from stream.sources.address import Address, file_path, parse_address

_NAMES = ["talk show.flac", "100%.mp4", "50%20off.mp4", "a#1?x=y&z.mkv", "日本 é.mov", "a:b.wav"]


@pytest.mark.parametrize("name", _NAMES)
def test_a_name_is_found_however_it_is_written(tmp_path: Path, name: str) -> None:
    """As a path, as an address with escapes, and as one without where that exists."""
    path = tmp_path / name
    path.touch()
    assert file_path(str(path)) == path
    assert file_path(path) == path
    escaped = quote(str(path))
    for address in (f"file://{escaped}", f"file://localhost{escaped}", f"FILE://{escaped}"):
        assert file_path(address) == path
    assert file_path(f"file:{escaped}") == path
    assert file_path(f"file://{path}") == path
    assert parse_address(f"file://{escaped}").name == path.stem


def test_what_an_address_escapes_is_meant_where_both_exist(tmp_path: Path) -> None:
    """The rule of RFC 8089 wins."""
    for name in ("a b.wav", "a%20b.wav"):
        (tmp_path / name).touch()
    assert file_path(f"file://{tmp_path}/a%20b.wav") == tmp_path / "a b.wav"
    assert file_path(f"{tmp_path}/a%20b.wav") == tmp_path / "a%20b.wav"


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shells do not expand --file=~/talk.mp4."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert file_path("~/talk.mp4") == tmp_path / "talk.mp4"
    assert file_path("file://~/talk%20show.mp4") == tmp_path / "talk show.mp4"
    (tmp_path / "~really").touch()
    assert file_path("~really") == Path("~really")
    assert file_path("~nobody-is-called-that/x") == Path("~nobody-is-called-that/x")


def test_what_is_no_file_names_none() -> None:
    """So nothing lies beside it."""
    assert parse_address("-") == parse_address("pipe://stdin") == Address("stdin")
    assert parse_address("camera://2") == Address("camera-2", camera=2)
    rtsp = "rtsp://ann:secret@door.example/a?b#c"
    assert parse_address(rtsp) == Address("rtsp-door.example", stream=rtsp)
    assert file_path("pipe://stdin") is file_path("camera://0") is file_path(rtsp) is None


def test_a_path_is_no_address_if_it_is_given_as_one() -> None:
    """A Path names a file, whatever it looks like."""
    assert file_path(Path("-")) == Path("-")
    assert file_path("-x.wav") == Path("-x.wav")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://x.example/a.mp4", "cannot read http:// addresses"),
        ("file://talk.mp4", "on another computer; write file:///PATH"),
        ("file://server/share/talk.mp4", "on another computer"),
        ("camera://front", "no camera 'front'"),
        ("rtsp:///stream", "names no host"),
        ("pipe://other", "cannot read pipe:// addresses"),
    ],
)
def test_what_no_source_has_is_said(address: str, said: str) -> None:
    """One line, with what to write instead."""
    with pytest.raises(UserError, match=said):
        parse_address(address)
