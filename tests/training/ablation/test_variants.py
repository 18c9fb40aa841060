"""Each variant changes one thing, and is left out where there is nothing to change."""

from __future__ import annotations

import dataclasses

import pytest

from engine.model.spec import structured_instruction
from stream.errors import UserError
from training.ablation.variants import VARIANTS, choose
from training.learning.learner import owner
from training.recipe import Recipe, read_recipe


@pytest.fixture(scope="module")
def paper() -> Recipe:
    """Two stages, clips, a structured prompt and a context of 2,048 tokens."""
    return read_recipe("bemerc-meld")


def changes(recipe: Recipe, name: str) -> dict[str, tuple[object, object]]:
    """Values that a variant changes: by path, before and after."""

    def flat(values: object, path: str = "") -> dict[str, object]:
        if not isinstance(values, dict):
            return {path: values}
        return {k: v for key, own in values.items() for k, v in flat(own, f"{path}.{key}").items()}

    def all_of(one: Recipe) -> dict[str, object]:
        return flat({"spec": one.spec.to_dict(), **dataclasses.asdict(one.settings)})

    before, after = all_of(recipe), all_of(VARIANTS[name].change(recipe))
    return {key: (before[key], after[key]) for key in before if before[key] != after[key]}


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("without-facial-expression", ".stage1.parts", ("body_language", "posture", "voice")),
        ("without-body-language", ".stage1.parts", ("facial_expression", "posture", "voice")),
        ("without-posture", ".stage1.parts", ("facial_expression", "body_language", "voice")),
        ("without-behaviour", ".stage1.epochs", 0),
        ("single-stage", ".stage2.joint", True),
        ("without-text", ".stage2.without", ("text",)),
        ("without-audio", ".stage2.without", ("audio",)),
        ("without-video", ".stage2.without", ("video",)),
        ("context-1", ".spec.prompt.context_tokens", 1),
        ("context-256", ".spec.prompt.context_tokens", 256),
    ],
)
def test_a_variant_changes_one_value(paper: Recipe, name: str, path: str, value: object) -> None:
    """And no other: what differs in the figures is its doing."""
    assert {key: after for key, (_, after) in changes(paper, name).items()} == {path: value}


def test_full_is_the_recipe(paper: Recipe) -> None:
    """What all is compared with is not changed."""
    assert changes(paper, "full") == {}


def test_prompts_are_of_the_corpus_labels() -> None:
    """The prompt that the recipe does not have is the one that is tried, with its own labels."""
    recipe = read_recipe("bemerc-iemocap")
    (change,) = changes(recipe, "flat-prompt").items()
    assert change[0] == ".spec.prompt.instruction"
    assert change[1][0] == structured_instruction(recipe.spec.labels)
    for label in recipe.spec.labels:
        assert label in str(change[1][1])
    chosen, skipped = choose(recipe)
    assert "flat-prompt" in [variant.name for variant in chosen]
    assert skipped["structured-prompt"] == "the recipe's prompt is structured as it is"


def test_the_paper_recipe_has_all_but_its_own_prompt(paper: Recipe) -> None:
    """With two stages and clips there is something to take out everywhere; `full` is first."""
    chosen, skipped = choose(paper)
    assert set(skipped) == {"structured-prompt"}
    assert [variant.name for variant in chosen][:2] == ["full", "without-facial-expression"]
    assert {variant.name for variant in chosen} | set(skipped) == set(VARIANTS)


def test_words_alone_leave_little(paper: Recipe) -> None:
    """`compact` has no stage 1 and no clips: prompts and contexts are left, with reasons."""
    chosen, skipped = choose(read_recipe("compact"))
    assert [variant.name for variant in chosen] == [
        "full", "structured-prompt", "context-1", "context-64", "context-128", "context-256",
        "context-512",
    ]  # fmt: skip
    assert "stage1.epochs is 0" in skipped["without-posture"]
    assert "stage1.epochs is 0" in skipped["without-behaviour"]
    assert skipped["single-stage"] == "the recipe has one stage as it is"
    assert "stage2.clip_epochs is 0" in skipped["without-audio"]
    assert skipped["context-1024"] == "the recipe's context is 1024 tokens: not shorter"


@pytest.mark.parametrize(
    ("settings", "name", "reason"),
    [
        ({"stage1": {"parts": ["posture"]}}, "without-posture", "see without-behaviour"),
        ({"stage1": {"parts": ["posture"]}}, "without-body-language", "leaves it out already"),
        ({"stage2": {"without": ["audio"]}}, "without-audio", "leaves it out already"),
        ({"stage2": {"without": ["audio", "video"]}}, "without-text", "only modality"),
        ({"stage2": {"joint": True}}, "single-stage", "one stage as it is"),
    ],
)
def test_what_is_out_already_is_not_taken_out(
    paper: Recipe, settings: dict[str, dict[str, object]], name: str, reason: str
) -> None:
    """A recipe that is itself an ablation lacks some variants, and says which and why."""
    _, skipped = choose(paper.with_settings(**settings))
    assert reason in skipped[name]


def test_a_joint_recipe_learns_behaviour(paper: Recipe) -> None:
    """Without stage 1 descriptions may still be learned: without them, nothing is joint."""
    joint = paper.with_settings(stage2={"joint": True})
    changed = VARIANTS["without-behaviour"].change(joint).settings
    assert (changed.stage1.epochs, changed.stage2.joint) == (0, False)
    assert "without-posture" not in choose(joint)[1]


def test_stage_1_is_the_same_only_where_it_is(paper: Recipe) -> None:
    """A modality taken out of stage 2 leaves stage 1 alone; contexts and parts do not."""
    same = [
        name
        for name, variant in VARIANTS.items()
        if owner(variant.change(paper), "stage1", 1) == owner(paper, "stage1", 1)
    ]
    assert same == [
        "full", "single-stage", "structured-prompt", "without-text", "without-audio",
        "without-video",
    ]  # fmt: skip


def test_only_what_is_named_is_trained(paper: Recipe) -> None:
    """`full` comes along; what is not there is named with what is."""
    assert [v.name for v in choose(paper, ("context-1",))[0]] == ["full", "context-1"]
    with pytest.raises(UserError, match=r"--only context-2: there are full, without-facial"):
        choose(paper, ("context-2",))
    with pytest.raises(UserError, match=r"nothing to compare .* name more than full"):
        choose(paper, ("full",))
    with pytest.raises(UserError, match=r"nothing to compare .*structured as it is"):
        choose(paper, ("structured-prompt",))
