"""Tests of the commands that a newcomer runs first."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make in a folder."""
    command = ["make", "-C", str(folder), *arguments]
    # The tests may themselves run under make, whose flags are not meant for this one.
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What `make setup` needs of the repository, without any environment yet."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def script(path: Path, body: str) -> str:
    """An executable shell script; returns its path."""
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


@needs_make
def test_help_is_the_default_and_lists_the_commands(checkout: Path) -> None:
    """Plain `make` explains the commands and changes nothing."""
    done = make(checkout)
    assert done.returncode == 0
    for target in ("setup", "demo", "test", "lint"):
        assert f"make {target} " in done.stdout
    assert not (checkout / ".venv").exists()


@needs_make
def test_setup_refuses_an_old_python(checkout: Path, tmp_path: Path) -> None:
    """An interpreter before 3.11 is refused with the way to name another."""
    old = script(tmp_path / "old-python", "exit 1")
    done = make(checkout, "setup", f"PYTHON={old}")
    assert done.returncode != 0
    assert "is not Python 3.11 to 3.14: name one that is with PYTHON=" in done.stderr


@needs_make
def test_setup_says_what_to_install_without_venv(checkout: Path, tmp_path: Path) -> None:
    """Where the venv module is missing, the Debian package that brings it is named."""
    bare = script(tmp_path / "bare-python", 'test "$1" = -c')
    done = make(checkout, "setup", f"PYTHON={bare}")
    assert done.returncode != 0
    assert "python3-venv" in done.stderr
    assert not (checkout / ".venv" / "installed.stamp").exists()


@needs_make
def test_setup_is_not_repeated_until_the_dependencies_change(checkout: Path) -> None:
    """With a stamp newer than pyproject.toml nothing is installed; with an older one it is."""
    stamp = checkout / ".venv" / "installed.stamp"
    stamp.parent.mkdir()
    stamp.touch()
    os.utime(checkout / "pyproject.toml", (1_000, 1_000))
    assert "pip install" not in make(checkout, "-n", "setup").stdout
    os.utime(stamp, (500, 500))
    assert "pip install" in make(checkout, "-n", "setup").stdout


@needs_make
def test_the_demo_ends_by_itself_with_the_embedded_broker(checkout: Path) -> None:
    """The demo reads a file as fast as it can, gives no broker, and starts afresh."""
    commands = make(checkout, "-n", "demo").stdout
    assert "rm -f out/demo.jsonl" in commands
    assert "run_live.py --file demo/talk.mp4 --pace max --jsonl out/demo.jsonl" in commands
    assert "--mqtt" not in commands


def test_the_check_of_every_change_can_be_run() -> None:
    """`.ci/run` is executable, is valid shell, and runs the tests before the demo."""
    path = ROOT / ".ci" / "run"
    assert os.access(path, os.X_OK)
    subprocess.run(["bash", "-n", str(path)], check=True)
    text = path.read_text()
    for step in (
        "\nmake test\n",
        "make demo",
        "check_demo_events",
        ".ci/pythons",
        "make test-fast",
    ):
        assert step in text


def test_the_pythons_of_this_machine_are_found() -> None:
    """Each version once, with a path that runs; the one that runs this is among them."""
    done = subprocess.run([ROOT / ".ci" / "pythons"], capture_output=True, text=True, check=True)
    found = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert set(found) <= set(VERSIONS)
    for version, python in found.items():
        shown = subprocess.run([python, "--version"], capture_output=True, text=True, check=True)
        assert shown.stdout.startswith(f"Python {version}.")


def _requirements() -> list[Requirement]:
    """Everything that pyproject.toml asks for, extras and build too."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = document["project"]
    groups = [project["dependencies"], document["build-system"]["requires"]]
    groups += project["optional-dependencies"].values()
    return [Requirement(text) for group in groups for text in group]


def test_no_dependency_floats_into_a_version_that_nobody_tried() -> None:
    """Each has a lowest and a highest version, and so has Python."""
    unbounded = [
        str(one)
        for one in _requirements()
        if not {">=", "<"} <= {part.operator for part in one.specifier}
    ]
    assert unbounded == []
    python = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert python == ">=3.11,<3.15"


@pytest.mark.parametrize("version", VERSIONS)
def test_the_lock_of_every_python_fits_what_is_asked_for(version: str) -> None:
    """It names a version of each dependency within its bounds, and no place to get it from."""
    lines = (ROOT / "constraints" / f"py{version.replace('.', '')}.txt").read_text().splitlines()
    environment = {"python_version": version, "python_full_version": f"{version}.0"}
    locked: dict[str, str] = {}
    for line in lines[1:]:
        one = Requirement(line)
        assert one.url is None
        if one.marker is None or one.marker.evaluate(environment):
            (pin,) = one.specifier
            assert pin.operator == "=="
            locked[canonicalize_name(one.name)] = pin.version
    for wanted in _requirements():
        if wanted.name != "setuptools":  # it builds the package, and need not be in its environment
            assert wanted.specifier.contains(locked[canonicalize_name(wanted.name)]), wanted


def test_every_package_is_installed() -> None:
    """Each top-level package and `run_live` are in the distribution's configuration."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    included = {pattern.rstrip("*") for pattern in tools["packages"]["find"]["include"]}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert included >= packages
    assert "run_live" in tools["py-modules"]
