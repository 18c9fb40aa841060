"""What every command line does alike."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def commands() -> list[str]:
    """Every module that can be run."""
    files = [
        path
        for package in ("training", "export", "benchmarks")
        for path in sorted((ROOT / package).rglob("*.py"))
    ]
    return [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in files
        if '__name__ == "__main__"' in path.read_text() and "def main(" in path.read_text()
    ]


@pytest.mark.parametrize("module", commands())
def test_options_are_written_in_full_everywhere(
    module: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An abbreviation that means one thing today may mean another tomorrow."""
    with pytest.raises(SystemExit) as caught:
        importlib.import_module(module).main(["--hel"])
    assert caught.value.code == 2
    _, err = capsys.readouterr()
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert "--help" in err


def test_no_command_has_a_parser_of_its_own() -> None:
    """Then it would behave in its own way."""
    packages = ("engine", "training", "export", "benchmarks")
    own = [
        path.name
        for package in packages
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "argparse.ArgumentParser"
    ]
    assert own == []
