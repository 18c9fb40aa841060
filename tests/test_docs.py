"""What the documents promise is what the program does."""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from itertools import dropwhile
from pathlib import Path
from typing import Any, cast

import pytest

from engine.events import EmotionEvent
from engine.sinks.topics import UTTERANCES, Topics
from training.face import FaceTraining
from training.recipe import read_recipe, recipe_names
from training.settings import Settings
from training.speech import SpeechTraining

ROOT = Path(__file__).parents[1]
DOCUMENTS = (
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "demo" / "LICENSES.md",
    ROOT / "benchmarks" / "README.md",
)
PACKAGES = ("training", "export", "benchmarks")
LAUNCHERS = ("python", ".venv/bin/python", "accelerate", "torchrun")
"""What starts a program of this project: several processes by one of the last two."""
TRAININGS = (FaceTraining(), SpeechTraining(), *vars(Settings()).values())
"""All hyper-parameters, with their defaults."""
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)(?:#[^)]*)?\)")


def blocks(document: Path, language: str = "") -> list[str]:
    """The fenced blocks of a document that are in a language."""
    text = document.read_text(encoding="utf-8")
    return [content for name, content in FENCE.findall(text) if name == language]


def commands(document: Path) -> Iterator[list[str]]:
    """The commands of this project in a document: program, arguments."""
    for block in blocks(document):
        for line in block.replace("\\\n", " ").splitlines():
            if not any(f"{launcher} " in line for launcher in LAUNCHERS):
                continue
            words = shlex.split(line, comments=True)
            words = list(dropwhile(lambda word: "=" in word, words))  # environment variables
            if words and words[0] in LAUNCHERS:
                program = words[words.index("-m") + 1 :] if "-m" in words else words[1:]
                if program[0] == "run_live.py" or program[0].split(".")[0] in PACKAGES:
                    yield program


def title(document: Path) -> str:
    """Where a document is, as the name of its tests."""
    return document.relative_to(ROOT).as_posix()


COMMANDS = sorted({tuple(words) for document in DOCUMENTS for words in commands(document)})


@pytest.fixture(scope="module")
def help_flags() -> dict[tuple[str, ...], set[str]]:
    """The flags in the help of a program, kept once they are known."""
    return {}


def flags_of(program: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> set[str]:
    """The flags that `program --help` lists."""
    module = importlib.import_module(program[0].removesuffix(".py"))
    with pytest.raises(SystemExit) as ended:
        module.main([*program[1:], "--help"])
    assert ended.value.code == 0
    return set(FLAG.findall(capsys.readouterr().out))


def test_commands_are_found() -> None:
    """The documents show commands of the engine, training, export and benchmarks."""
    programs = {words[0] for words in COMMANDS}
    assert {"run_live.py", "training.run", "export.bundle", "benchmarks.packed"} <= programs
    assert {"training.check", "training.describe", "training.audit", "training.ablate"} <= programs


def test_commands_of_several_processes_are_found(tmp_path: Path) -> None:
    """Behind a launcher, an environment variable and a continued line."""
    document = tmp_path / "document.md"
    document.write_text(
        "```\nA=1 python -m training.run \\\n  --smoke # tries it\n"
        "torchrun --nproc-per-node 2 -m training.stage2 compact --data data &\n"
        "accelerate launch --num_processes 2 -m training.stage1 mine\npython -m pytest\n```\n"
    )
    assert list(commands(document)) == [
        ["training.run", "--smoke"],
        ["training.stage2", "compact", "--data", "data", "&"],
        ["training.stage1", "mine"],
    ]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_has_only_flags_that_its_help_lists(
    words: tuple[str, ...],
    help_flags: dict[tuple[str, ...], set[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A reader can type every command of the documents."""
    nested = words[0] == "run_live.py" and words[1:2] in (("watch",), ("devices",), ("serve",))
    program = words[: 2 if nested else 1]
    if program not in help_flags:
        help_flags[program] = flags_of(program, capsys)
    flags = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert flags <= help_flags[program] | {"--help"}


def test_the_example_of_the_events_is_an_event() -> None:
    """The reader takes the example of docs/events.md, and writes it again unchanged."""
    (example,) = blocks(ROOT / "docs" / "events.md", "json")
    document = json.loads(example)
    assert EmotionEvent.from_json(document).to_json() == document


def test_every_key_of_the_example_is_explained() -> None:
    """Each key of `data`, and each that is nested in it, stands in a table of docs/events.md."""
    text = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
    (example,) = blocks(ROOT / "docs" / "events.md", "json")
    data = json.loads(example)["data"]
    nested = ("window", "emotion", "modalities", "model")
    keys = [key for key in data if key not in nested]
    keys += [f"{part}.{key}" for part in nested for key in data[part]]
    table = "\n".join(line for line in text.splitlines() if line.startswith("| `"))
    assert [key for key in keys if f"`{key}`" not in table] == []


@pytest.mark.parametrize("name", ["README.md", "docs/events.md"])
def test_the_topics_are_those_of_the_sink(name: str) -> None:
    """Every topic that the sink uses is written in the document as it is."""
    text = (ROOT / name).read_text(encoding="utf-8")
    topics = Topics("NODE", "SOURCE")
    used = (topics.status, topics.info, topics.source_status)
    used += (topics.utterance("PARTICIPANT"), topics.state("PARTICIPANT"))
    used += (topics.partial("PARTICIPANT"),)
    assert [topic for topic in used if f"`{topic}`" not in text] == []


def test_the_filter_of_all_events_is_documented() -> None:
    """The default filter of `watch` stands in docs/events.md."""
    assert f"`{UTTERANCES}`" in (ROOT / "docs" / "events.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("document", DOCUMENTS, ids=title)
def test_links_lead_to_files(document: Path) -> None:
    """Every relative link and picture of a document is in the repository."""
    targets = LINK.findall(document.read_text(encoding="utf-8"))
    assert [target for target in targets if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=title)
def test_files_that_are_named_exist(document: Path) -> None:
    """A path of this project in backticks is where the document says."""
    text = document.read_text(encoding="utf-8")
    named = re.findall(
        r"`((?:stream|engine|training|export|benchmarks|tests|docs|demo)/[\w./-]+\.\w+)`", text
    )
    real = [path for path in named if "NAME" not in path]
    assert [path for path in real if not (ROOT / path).exists()] == []


def test_every_document_is_linked_from_the_readme() -> None:
    """Whoever begins there finds all of them."""
    linked = set(LINK.findall((ROOT / "README.md").read_text(encoding="utf-8")))
    documents = {title(path) for path in DOCUMENTS} - {"README.md"}
    assert documents - linked == set()


def rows(heading: str) -> dict[str, Any]:
    """Key and value of the rows of a table of docs/training.md; values are as in TOML."""
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    table = text.partition(f"| `{heading}` |")[2].partition("\n\n")[0]
    written = re.findall(r"^\| `([\w.]+)` \| `?([^|`]+)`? \|", table, re.MULTILINE)
    return {name: tomllib.loads(f"value = {value}")["value"] for name, value in written}


@pytest.mark.parametrize("settings", TRAININGS, ids=lambda settings: type(settings).__name__)
def test_hyper_parameters_are_those_of_the_code(settings: object) -> None:
    """docs/training.md has a table of each training's settings with the default of every one."""
    defaults = dataclasses.asdict(cast(Any, settings))
    plain = {k: list(v) if isinstance(v, tuple) else v for k, v in defaults.items()}
    assert rows(type(settings).__name__) == {k: v for k, v in plain.items() if k != "seed"}


@pytest.mark.parametrize("name", ["bemerc-meld", "bemerc-iemocap"])
def test_the_numbers_of_the_paper_recipes_are_told(name: str) -> None:
    """docs/training.md has every setting in which the recipe differs from the defaults."""
    settings, defaults = read_recipe(name).settings, Settings()
    changed = {
        f"{part}.{key}": value
        for part, own in dataclasses.asdict(settings).items()
        for key, value in own.items()
        if value != getattr(getattr(defaults, part), key)
    }
    assert rows("bemerc-*") == changed


def test_the_example_recipe_is_one(tmp_path: Path) -> None:
    """The TOML file of docs/training.md is read, and has what its comments say."""
    (example,) = blocks(ROOT / "docs" / "training.md", "toml")
    path = tmp_path / "mine.toml"
    path.write_text(example)
    recipe = read_recipe(path)
    assert recipe.spec.labels == ("calm", "tense", "glad")
    assert recipe.settings.stage2.epochs == 3


def test_every_recipe_is_described() -> None:
    """The table of recipes in docs/training.md has all that there are."""
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    table = text.partition("| recipe |")[2].partition("\n\n")[0]
    assert [name for name in recipe_names() if f"`{name}`" not in table] == []


def test_no_figure_is_left_to_fill_in() -> None:
    """The README has numbers, not places for them."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"FIGURE:\w+", text) == []
