"""A recipe is read whole, or refused with the file, the key and what is known."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from engine.model.recognizer import read_spec
from engine.model.spec import MELD_LABELS, paper
from stream.errors import UserError
from training.datasets.labels import CORPUS_LABELS, IEMOCAP_LABELS
from training.recipe import read_recipe, recipe_names


def write(folder: Path, text: str) -> Path:
    """A recipe of one's own."""
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_is_valid(name: str) -> None:
    """The name is that of the file, and the labels are those of the corpus."""
    recipe = read_recipe(name)
    assert recipe.name == recipe.spec.name == name
    assert recipe.spec.labels == CORPUS_LABELS[recipe.corpus]
    assert all(label in recipe.spec.prompt.instruction for label in recipe.spec.labels)


def test_the_recipes_of_the_issue_are_there() -> None:
    """The paper's on both corpora, the compact one, and the one to try things with."""
    assert {"bemerc-meld", "bemerc-iemocap", "compact", "smoke"} <= set(recipe_names())


def test_compact_is_the_spec_of_the_bundle() -> None:
    """The recipe makes the bundle that is shipped."""
    shipped = Path(__file__).parents[2] / "bundles" / "compact"
    assert read_recipe("compact").spec == read_spec(shipped)


def test_bemerc_has_the_sizes_of_the_paper() -> None:
    """Vicuna-7B, DenseNet-121, 64 frames of 336x336, ComParE on 2-second windows, two stages."""
    for name, labels in (("bemerc-meld", MELD_LABELS), ("bemerc-iemocap", IEMOCAP_LABELS)):
        recipe = read_recipe(name)
        video, audio, full = recipe.spec.video, recipe.spec.audio, paper()
        assert (video.frames, video.size, video.source) == (64, 336, "frame")
        assert video.densenet == full.video.densenet
        assert (audio.feature_set, audio.window_seconds) == ("ComParE_2016", 2.0)
        assert recipe.spec.llm.base == "lmsys/vicuna-7b-v1.5"
        assert recipe.spec.labels == labels
        assert recipe.settings.teacher.model.startswith("Qwen/Qwen2-VL")
        assert recipe.settings.stage1.epochs > 0
        stage = recipe.settings.stage2
        assert (stage.text_epochs, stage.composed_epochs) == (0, 0)
        assert stage.clip_epochs > 0
        assert recipe.settings.trainer.precision == "bf16"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "[model]\nprosody = true\n[stage2]\nclip_epochs = 1",
            "model.prosody: how much prosody counts is fitted",
        ),
        ("stage3 = 1", r"unknown key stage3 \(did you mean stage2\?\); known: .*stage1, stage2"),
        (
            "[stage2]\nepochs = 3",
            r"mine\.stage2: unknown key epochs \(did you mean text_epochs\?\)",
        ),
        ("[stage2]\ntext_epochs = 1.5", "mine.stage2.text_epochs must be int, not 1.5"),
        ("[stage2]\ntext_epochs = -1", "stage2: epochs: 0 or more"),
        ("[stage2]\ntext_epochs=0\ncomposed_epochs=0", "at least one of text, composed and clip"),
        ("[stage2]\nlearning_rate = 0", "stage2.learning_rate: more than 0"),
        ('[stage2]\nwithout = ["text", "audio", "video"]', "stage2.without: some of text, audio"),
        ("[stage2]\nrank_dropout = 1.0", "stage2.rank_dropout: 0 or more, less than 1"),
        (
            '[stage2]\nrank_dropout = 0.1\n[trainer]\nquantization = "4bit"',
            "rank_dropout: not with trainer.quantization",
        ),
        ("[stage2]\ncut_share = 1.5", "stage2.cut_share: 0 to 1"),
        ("[stage2]\nmember_average = 1.0", "stage2.member_average: 0 or more, less than 1"),
        ("[pretune]\nlora_rank = -1", "pretune.lora_rank: 0 or more"),
        ("[pretune]\nlora_first_layer = -1", "pretune.lora_first_layer: 0 or more"),
        ('[stage2]\nclass_weights = "x"', "stage2.class_weights: none or balanced"),
        ('[stage1]\nparts = ["feelings"]', "stage1.parts: of facial_expression, body_language"),
        ('[teacher]\nkind = "x"', "teacher.kind 'x': one of none, measured, prosody"),
        ('[teacher]\nkind = "vision"', "teacher.model: name the model of the vision teacher"),
        ('[trainer]\nprecision = "fp8"', "trainer.precision: auto or fp32 or bf16"),
        ('[encoders]\naudio = "x"', "encoders.audio: train or standardise"),
        ('corpus = "friends"', "corpus 'friends': one of meld, iemocap, emorynlp, goemotions,"),
        ('corpus = "manifest"', "labels: name the emotions of your corpus, in their order"),
        ('corpus = "manifest"\nlabels = "joy"', "labels must be a list of names"),
        ('labels = ["joy"]', "labels: meld has its own"),
        ('[model]\nbase = "huge"', "model.base 'huge': one of compact, paper"),
        ('[model]\ninstruction = "rude"', "model.instruction 'rude': one of flat, structured"),
        ("[model]\nspeed = 1", "spec: unknown key speed"),
        ("model = 3", "model must be a table"),
        ('corpus = "iemocap"', "model.evidence: the encoders classify into MELD's labels"),
        (
            'corpus = "iemocap"\n[model]\nevidence = false',
            "stage2.composed_epochs: its voices and faces have MELD's labels",
        ),
        ("corpus = ", "mine.toml is not TOML"),
    ],
)
def test_a_mistake_is_named(text: str, told: str, tmp_path: Path) -> None:
    """File, key, and what would be right."""
    path = write(tmp_path, text)
    with pytest.raises(UserError, match=told) as caught:
        read_recipe(path)
    assert str(path) in str(caught.value)


def test_an_unknown_recipe_lists_those_there_are() -> None:
    """The message is the menu."""
    with pytest.raises(UserError, match=r"there is no recipe best: give one of .*bemerc-meld"):
        read_recipe("best")


def test_changes_are_checked_like_files() -> None:
    """A changed recipe is a whole new one; the old one stays as it was."""
    recipe = read_recipe("compact")
    changed = recipe.with_spec(prompt={"context_tokens": 64}).with_settings(
        stage2={"text_epochs": 5}
    )
    assert changed.spec.prompt.context_tokens == 64
    assert changed.settings.stage2 == dataclasses.replace(recipe.settings.stage2, text_epochs=5)
    assert recipe == read_recipe("compact")
    with pytest.raises(ValueError, match="unknown key text_epoch"):
        recipe.with_settings(stage2={"text_epoch": 5})
    with pytest.raises(ValueError, match=r"stage2\.composed_epochs: its voices"):
        read_recipe("bemerc-iemocap").with_settings(stage2={"composed_epochs": 1})
    with pytest.raises(ValueError, match="context_tokens: at least 1"):
        recipe.with_spec(prompt={"context_tokens": 0})


def test_a_corpus_of_ones_own_names_its_labels(tmp_path: Path) -> None:
    """A manifest has any emotions; the instruction names them."""
    text = 'corpus = "manifest"\nlabels = ["calm", "tense"]\n[model]\nevidence = false\n'
    text += "[stage2]\ncomposed_epochs = 0\n"
    recipe = read_recipe(write(tmp_path, text))
    assert recipe.corpus == "manifest"
    assert recipe.spec.labels == ("calm", "tense")
    assert "calm or tense" in recipe.spec.prompt.instruction
