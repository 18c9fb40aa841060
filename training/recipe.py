"""A recipe: corpus, model and hyper-parameters of one training, as a TOML file.

`read_recipe("bemerc-meld")` reads `training/recipes/bemerc-meld.toml`; a path reads that
file. What a recipe does not say is the default of the dataclass. Keys:

    corpus = "meld"                  a key of `training.datasets.corpora.CORPORA`
    labels = ["calm", "tense"]       emotions of a `manifest`; the other corpora have their own
    [model]                          a ModelSpec: `base`, a key of SPECS, and changes to it
    base = "paper"
    instruction = "structured"       a key of INSTRUCTIONS, written out for the corpus's labels
    [encoders] [teacher] [pretune] [distillation] [stage1] [stage2] [composition] [dropout]
    [trainer]                        see training/settings.py
"""

from __future__ import annotations

import argparse
import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.model.spec import INSTRUCTIONS, SPECS, ModelSpec
from engine.model.typed import build, require
from stream.errors import UserError
from training.datasets.labels import CORPUS_LABELS, MELD_LABELS
from training.settings import Settings

MANIFEST = "manifest"
"""A corpus of one's own, see `training.datasets.manifest`."""
RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Recipe:
    """One training, fully specified."""

    name: str
    corpus: str
    """Key of `CORPUS_LABELS`, or `manifest`."""
    spec: ModelSpec
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        """Refuse labels that what the recipe trains on does not have."""
        melds = self.spec.labels == MELD_LABELS
        evidence = "model.evidence: the encoders classify into MELD's labels; set it to false"
        require(melds or not self.spec.evidence, evidence)
        composed = "stage2.composed_epochs: its voices and faces have MELD's labels; set it to 0"
        require(melds or not self.settings.stage2.composed_epochs, composed)
        measured = (
            "model.prosody: how much prosody counts is fitted where it is published beside words, "
            "which a training on clips never sees; set it to false, or stage2.clip_epochs to 0"
        )
        require(not (self.spec.prosody and self.settings.stage2.clip_epochs), measured)
        together = self.settings.pretune.epochs > 0 or self.has_stage1
        soup = (
            "stage2.members: weights of trainings that began apart have no average of use: "
            "give them pretune.epochs or a stage 1"
        )
        require(self.settings.stage2.members < 2 or together, soup)

    @property
    def has_stage1(self) -> bool:
        """Whether there are two stages."""
        return self.settings.stage1.epochs > 0 and not self.settings.stage2.joint

    def with_spec(self, **changes: Any) -> Recipe:
        """The recipe with another spec: `prompt={"context_tokens": 1}` changes one number."""
        values = _merge(self.spec.to_dict(), changes)
        return dataclasses.replace(self, spec=ModelSpec.from_dict(values))

    def with_settings(self, **changes: Mapping[str, Any]) -> Recipe:
        """The recipe with other settings: `stage2={"text_epochs": 1}`."""
        values = _merge(dataclasses.asdict(self.settings), changes)
        return dataclasses.replace(self, settings=build(Settings, values, self.name))


def read_recipe(name_or_path: str | Path) -> Recipe:
    """Read a recipe by name in `training/recipes`, or by a path that ends in .toml.

    Raises:
        UserError: There is no such recipe, or it has a key or value that none has.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = RECIPES / f"{name_or_path}.toml"
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"there is no recipe {name_or_path}: give one of {', '.join(recipe_names())}, "
            "or the path of a TOML file"
        ) from error
    except ValueError as error:
        raise UserError(f"{path} is not TOML: {error}") from error
    try:
        return _parse(values, path.stem)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error


def recipe_names() -> list[str]:
    """Names of the recipes of this project."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def add_recipe_arguments(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    """Add what names a recipe, and `--set`, which changes it, to a command line."""
    names = ", ".join(recipe_names())
    if default is None:
        parser.add_argument("recipe", metavar="RECIPE", help=f"{names}, or a TOML file")
    else:
        parser.add_argument(
            "recipe", nargs="?", default=default, help=f"{names}, or a TOML file; default {default}"
        )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change the recipe, such as --set stage2.text_epochs=1 or --set spec.llm.lora_rank=8",
    )


def chosen_recipe(options: argparse.Namespace) -> Recipe:
    """The recipe of a command line with `add_recipe_arguments`.

    Raises:
        UserError: There is no such recipe, or no such key or value.
    """
    return changed(read_recipe(options.recipe), options.set)


def changed(recipe: Recipe, changes: Sequence[str]) -> Recipe:
    """A recipe with some `KEY=VALUE`, the values as in TOML; a bare word is a string.

    Raises:
        UserError: a change has another form, or there is no such key or value.
    """
    for change in changes:
        key, equals, value = change.partition("=")
        table, *path = key.strip().split(".")
        if not (equals and path):
            raise UserError(f"--set {change}: expected KEY=VALUE, such as stage2.text_epochs=1")
        nested: Any = _toml_value(value.strip())
        for name in reversed(path):
            nested = {name: nested}
        try:
            if table == "spec":
                recipe = recipe.with_spec(**nested)
            else:
                recipe = recipe.with_settings(**{table: nested})
        except ValueError as error:
            raise UserError(f"--set {change}: {error}") from error
    return recipe


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _parse(values: dict[str, Any], name: str) -> Recipe:
    corpus, model = values.pop("corpus", "meld"), values.pop("model", {})
    known = _labels(corpus, values.pop("labels", None))
    require(isinstance(model, dict), "model must be a table")
    base, style = model.pop("base", "compact"), model.pop("instruction", "flat")
    require(base in SPECS, f"model.base {base!r}: one of {', '.join(SPECS)}")
    require(style in INSTRUCTIONS, f"model.instruction {style!r}: one of {', '.join(INSTRUCTIONS)}")
    prompt = {"instruction": INSTRUCTIONS[style](known)}
    fixed = {"name": name, "labels": list(known), "prompt": prompt}
    spec = ModelSpec.from_dict(_merge(_merge(SPECS[base]().to_dict(), fixed), model))
    return Recipe(name, corpus, spec, build(Settings, values, name))


def _labels(corpus: str, given: Any) -> tuple[str, ...]:
    """Emotions of a corpus, in their order."""
    if corpus != MANIFEST:
        known = ", ".join((*CORPUS_LABELS, MANIFEST))
        require(corpus in CORPUS_LABELS, f"corpus {corpus!r}: one of {known}")
        require(given is None, f"labels: {corpus} has its own")
        return CORPUS_LABELS[corpus]
    require(given is not None, "labels: name the emotions of your corpus, in their order")
    named = isinstance(given, list) and all(isinstance(label, str) for label in given)
    require(named, "labels must be a list of names")
    return tuple(given)


def _merge(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with `changes`, tables merged key by key."""
    merged = dict(values)
    for key, change in changes.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(change, Mapping):
            change = _merge(old, change)
        merged[key] = change
    return merged
