"""The plan has the parameters of the real model and the tokens of the real prompts."""

from __future__ import annotations

import dataclasses
import json
import random
import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig

from engine.model.densenet import DenseNet
from engine.model.encoders import SpeechEncoder
from engine.model.model import EmotionModel, add_lora, load_base
from engine.model.prompt import PromptBuilder, TurnShape
from engine.model.spec import ModelSpec
from export.models import resolve
from stream.errors import UserError
from training.datasets.meld import read_meld
from training.datasets.pretuning import read_dialogues
from training.learning.batching import make_batches
from training.learning.objectives import Objectives
from training.plan import Plan, StagePlan, corpus_sizes, main, plan, pretuning_sizes
from training.planning.hardware import Hardware
from training.planning.parameters import count_parameters, language_model
from training.planning.shapes import base_config
from training.planning.stages import after_dropout
from training.planning.tokens import Presence, one_by_one, packed
from training.recipe import read_recipe, recipe_names
from training.settings import Dropout
from training.smoke import Smoke


@pytest.fixture(scope="module")
def meld() -> Plan:
    """The paper's sizes on MELD, on one A100, without the corpus."""
    recipe = read_recipe("bemerc-meld")
    return plan(recipe, corpus_sizes(recipe, None), Hardware())


def stage_of(made: Plan, name: str) -> StagePlan:
    """The stage of a plan."""
    (stage,) = (one for one in made.stages if one.name == name)
    return stage


def test_parameters_are_those_of_the_real_model(smoke: Smoke) -> None:
    """Each part has as many parameters as the modules that training builds."""
    llm, tokenizer = load_base(Path(smoke.spec.llm.base))
    objectives = Objectives(EmotionModel(smoke.spec, add_lora(llm, smoke.spec.llm), tokenizer))
    spec = smoke.spec
    counted = count_parameters(spec, language_model(base_config(spec.llm.base), spec.llm))
    encoders = (
        DenseNet(spec.video.densenet),
        SpeechEncoder.of(spec.audio, len(spec.labels)),
    )
    assert counted.encoders == sum(p.numel() for e in encoders for p in e.parameters())
    assert counted.trained == sum(p.numel() for p in objectives.parameters() if p.requires_grad)
    frozen = sum(p.numel() for p in objectives.parameters() if not p.requires_grad)
    assert counted.base == frozen
    assert counted.total == frozen + counted.trained + counted.encoders


def test_vicuna_is_counted_without_weights(meld: Plan) -> None:
    """6.738 billion as published, and LoRA of rank 16 on every linear map of its layers."""
    parameters = meld.parameters
    assert parameters.base == 6_738_415_616
    per_layer = 16 * (4 * (4096 + 4096) + 3 * (4096 + 11008))
    assert parameters.lora == 32 * per_layer
    ours = parameters.lora + parameters.fusion + parameters.placeholders + parameters.encoders
    assert parameters.total == 6_738_415_616 + ours
    assert 60e6 < ours < 70e6


def test_packed_meld_takes_a_fourth_of_the_tokens(meld: Plan) -> None:
    """A prompt per utterance with 8 past utterances reads MELD at least four times over."""
    assert meld.tokens_estimated
    assert meld.one_by_one_tokens > 4 * meld.packed_tokens
    assert 200_000 < meld.packed_tokens < 300_000


def test_work_adds_up(meld: Plan) -> None:
    """Updates are batches of a process, operations about four per parameter and token."""
    first, second = meld.stages
    assert [stage.name for stage in meld.stages] == ["stage 1", "stage 2"]
    assert second.tokens == 3 * second.epochs[0].tokens
    batches = second.epochs[0].padded_tokens / 4096
    assert batches <= second.epochs[0].updates <= 1.3 * batches + 1
    # Forward, again for checkpointing, and backward without weight gradients: 3 x 2.
    assert first.flops / first.tokens / meld.parameters.base == pytest.approx(6, rel=0.06)
    assert first.hours == pytest.approx(first.flops / (0.4 * 312e12) / 3600)


def test_seven_billion_in_bf16_need_14_gigabytes(meld: Plan) -> None:
    """Weights, then activations in the order of the published formula; it fits 80 GB."""
    for stage in meld.stages:
        assert 13.5e9 < stage.memory.weights < 14e9
        assert stage.memory.total < 25e9
        assert stage.fits
    assert meld.stages[0].memory.logits > 0 == meld.stages[1].memory.logits


def test_more_gpus_do_the_same_updates_with_less_memory(meld: Plan) -> None:
    """Four GPUs share each batch, and under FSDP the weights; small ones do not fit it."""
    recipe = read_recipe("bemerc-meld")
    sizes = corpus_sizes(recipe, None)
    four = plan(recipe, sizes, Hardware(gpus=4, memory_bytes=6e9))
    for alone, shared in zip(meld.stages, four.stages, strict=True):
        assert shared.updates == alone.updates
        assert shared.memory.activations < alone.memory.activations / 2
        assert shared.hours == pytest.approx(alone.hours / 4)
        assert alone.sharded is None
        assert shared.sharded is not None
        assert shared.sharded.total < shared.memory.total / 2
        assert not shared.fits
    assert four.host_bytes == 4 * meld.host_bytes == 4 * 2 * meld.parameters.base


def test_iemocap_is_planned_too() -> None:
    """120 dialogues of many utterances, each a sequence that fits the context."""
    recipe = read_recipe("bemerc-iemocap")
    made = plan(recipe, corpus_sizes(recipe, None), Hardware())
    (clips,) = made.stages[1].epochs
    assert clips.sequences == 120
    assert clips.largest.padded_tokens < 2 * recipe.spec.prompt.context_tokens
    assert made.one_by_one_tokens > 4 * made.packed_tokens


def test_tokens_of_a_corpus_are_counted(smoke: Smoke) -> None:
    """Packed and one by one, with and without modalities, as the prompt builder builds them."""
    recipe = smoke.recipe
    sizes = corpus_sizes(recipe, smoke.data)
    assert not sizes.estimated
    _, tokenizer = load_base(Path(smoke.spec.llm.base))
    builder = PromptBuilder(tokenizer, smoke.spec.prompt)
    dialogues = [
        [(u.speaker, u.text) for u in dialogue.utterances]
        for dialogue in read_meld(smoke.data / "meld" / "train_sent_emo.csv")
    ]

    def length(turns: list[tuple[str, str]], video: int, audio: int) -> int:
        return len(builder.build([TurnShape(*turn, video, audio) for turn in turns]).ids)

    words = [length(dialogue, 0, 0) for dialogue in dialogues]
    assert [one.tokens for one in packed(sizes, smoke.spec, Presence())] == words
    # Utterances of the synthesised corpus are two seconds long: one window.
    full = [length(dialogue, smoke.spec.video.tokens, 1) for dialogue in dialogues]
    assert [one.tokens for one in packed(sizes, smoke.spec, Presence(1, 1, 1))] == full
    single = [
        length(dialogue[max(0, end - 2) : end + 1], 0, 0)
        for dialogue in dialogues
        for end in range(len(dialogue))
    ]
    assert [one.tokens for one in one_by_one(sizes, smoke.spec, Presence(), past=2)] == single


def test_descriptions_branch_off_every_turn(smoke: Smoke) -> None:
    """Stage 1 reads the dialogue once and a description of each turn behind it."""
    sizes = corpus_sizes(smoke.recipe, smoke.data)
    plain = packed(sizes, smoke.spec, Presence(1, 1, 1))
    described = packed(sizes, smoke.spec, Presence(1, 1, 1), described=True)
    fixed = sizes.fixed
    instruction = fixed.behaviour_instruction - fixed.instruction
    for stem, whole, dialogue in zip(plain, described, sizes.dialogues, strict=True):
        branches = len(dialogue) * (fixed.behaviour_cue + 60)
        assert whole.tokens == stem.tokens + instruction + branches
        assert whole.logits == 60 * len(dialogue)


def test_a_full_context_cuts_a_dialogue(smoke: Smoke) -> None:
    """Where the budget is small a dialogue is several sequences, each within it."""
    recipe = smoke.recipe.with_spec(prompt={"context_tokens": 60})
    sizes = corpus_sizes(recipe, smoke.data)
    made = packed(sizes, recipe.spec, Presence())
    assert len(made) > len(sizes.dialogues)
    assert max(one.tokens for one in made) <= 60


def test_updates_are_those_of_the_training_loop(smoke: Smoke) -> None:
    """The batches of the plan are made by the function that training makes its batches with."""
    recipe = smoke.recipe.with_settings(
        stage2={"text_epochs": 1, "composed_epochs": 0, "clip_epochs": 0, "batch_tokens": 150},
        stage1={"epochs": 0},
        trainer={"accumulate": 2},
    )
    sizes = corpus_sizes(recipe, smoke.data)
    stage = stage_of(plan(recipe, sizes, Hardware()), "stage 2")
    lengths = [one.tokens for one in packed(sizes, recipe.spec, Presence())]
    batches = make_batches(lengths, int, 150, random.Random(1))
    assert stage.updates == -(-len(batches) // 2)
    assert stage.epochs[0].padded_tokens == sum(max(b) * len(b) for b in batches)


def test_words_alone_cost_less(smoke: Smoke) -> None:
    """No gradient goes below the first layer with LoRA, but where descriptions are learned too."""
    sizes = corpus_sizes(smoke.recipe, smoke.data)
    from_below, later = (
        plan(smoke.recipe.with_spec(llm={"lora_first_layer": layer}), sizes, Hardware())
        for layer in (0, 1)
    )
    below, above = (stage_of(one, "stage 2").epochs[0] for one in (from_below, later))
    assert below.tokens == above.tokens
    assert above.flops < 0.85 * below.flops


def test_members_are_counted(smoke: Smoke) -> None:
    """Two trainings of the words have twice the epochs."""
    sizes = corpus_sizes(smoke.recipe, smoke.data)
    two = smoke.recipe.with_settings(stage2={"members": 2})
    once, twice = (
        stage_of(plan(one, sizes, Hardware()), "stage 2").epochs[0] for one in (smoke.recipe, two)
    )
    assert twice.count == 2 * once.count


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_has_a_plan(name: str, smoke: Smoke) -> None:
    """Also where the precision depends on the machine."""
    sizes = corpus_sizes(smoke.recipe, smoke.data)
    recipe = smoke.recipe if name == "smoke" else read_recipe(name)
    made = plan(recipe, sizes, Hardware())
    assert made.precision in ("bf16", "fp32")


def test_dropout_leaves_a_share() -> None:
    """A modality is there in dialogues that are not words alone, in turns that keep it."""
    dropout = Dropout(text_only_dialogue=0.5, text=0.2, audio=0.4, video=1.0)
    assert after_dropout(dropout) == Presence(text=0.9, audio=0.3, video=0.0)


def test_joint_training_has_one_stage(smoke: Smoke) -> None:
    """Its descriptions are read in every epoch of stage 2."""
    recipe = smoke.recipe.with_settings(
        stage2={"joint": True, "composed_epochs": 0, "clip_epochs": 0},
        distillation={"share": 0},
    )
    sizes = corpus_sizes(recipe, smoke.data)
    (stage,) = plan(recipe, sizes, Hardware()).stages
    assert stage.epochs[0].sequences == 2 * len(sizes.dialogues)
    assert stage.epochs[0].largest.logits > 0


def test_the_command_prints_json_and_tables(capsys: pytest.CaptureFixture[str]) -> None:
    """Every figure of the issue: parameters, memory, steps, tokens, FLOPs."""
    assert main(["bemerc-meld", "--gpus", "2", "--gpu", "h100", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["parameters"]["total"] > printed["parameters"]["base"] == 6_738_415_616
    assert printed["hardware"]["gpus"] == 2
    for stage in printed["stages"]:
        assert min(stage[key] for key in ("tokens", "updates", "flops", "hours")) > 0
        assert stage["memory"]["weights"] > stage["sharded"]["weights"]
    assert main(["bemerc-meld", "--gpu-memory", "16"]) == 0
    text = capsys.readouterr().out
    assert "6,738,415,616" in text
    assert "Loading needs 13.5 GB of the machine's RAM" in text
    assert "stage 1 does not fit 16 GB" in text
    assert "estimated from Poria" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bemerc-meld", "--gpu", "tpu"], "--gpu tpu: one of a100"),
        (["bemerc-meld", "--gpus", "0"], "--gpus 0: at least 1"),
        (["bemerc-meld", "--utilisation", "2"], "--utilisation"),
        (["bemerc-meld", "--data", "/nowhere"], "/nowhere/meld"),
        (["no-such-recipe"], "there is no recipe no-such-recipe"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and what to do about it."""
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def changed_llm(smoke: Smoke, **changes: object) -> ModelSpec:
    """The spec on another base."""
    return dataclasses.replace(smoke.spec, llm=dataclasses.replace(smoke.spec.llm, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base": "somebody/unheard-of"}, "config.json"),
        ({"base": "./not/a/folder"}, "the shape of ./not/a/folder is not known"),
        ({"hidden_size": 65}, "hidden_size is 65: set it to 64"),
        ({"lora_first_layer": 2}, "lora_first_layer 2: the base has 2"),
    ],
)
def test_a_shape_that_is_not_known_is_named(
    smoke: Smoke, changes: dict[str, object], message: str
) -> None:
    """The error says how to give the shape, and nothing is downloaded."""
    recipe = dataclasses.replace(smoke.recipe, spec=changed_llm(smoke, **changes))
    with pytest.raises(UserError, match=message):
        plan(recipe, corpus_sizes(recipe, None), Hardware())


def test_a_config_is_enough(smoke: Smoke, tmp_path: Path) -> None:
    """A folder with config.json alone gives the shape; tokens are then estimated."""
    shutil.copy(Path(smoke.spec.llm.base) / "config.json", tmp_path)
    recipe = dataclasses.replace(smoke.recipe, spec=changed_llm(smoke, base=str(tmp_path)))
    sizes = corpus_sizes(recipe, smoke.data)
    assert sizes.estimated
    made = plan(recipe, sizes, Hardware())
    beside_weights = plan(smoke.recipe, sizes, Hardware())
    assert made.parameters == beside_weights.parameters


def test_a_damaged_config_is_named(smoke: Smoke, tmp_path: Path) -> None:
    """What is not a model's shape is the user's to put right."""
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"config\.json is not a model's shape"):
        base_config(str(tmp_path))
    (tmp_path / "config.json").write_text("not json")
    with pytest.raises(UserError, match=r"config\.json is not a model's shape"):
        base_config(str(tmp_path))


def test_known_shapes_are_those_of_the_weights() -> None:
    """SmolLM2's in the table is what its prepared folder says."""
    real = AutoConfig.from_pretrained(resolve("smollm2-135m-instruct", offline=True))
    table = base_config("smollm2-135m-instruct")
    for key in (
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "tie_word_embeddings",
    ):
        assert getattr(table, key) == getattr(real, key), key


def test_nothing_is_put_in_memory() -> None:
    """Counting seven billion parameters makes no tensor with data."""
    llm = language_model(base_config("lmsys/vicuna-7b-v1.5"), read_recipe("bemerc-meld").spec.llm)
    assert {parameter.device for parameter in llm.parameters()} == {torch.device("meta")}


def test_pretuning_is_counted() -> None:
    """Without its corpora it is as long as the published ones are, at most so many of a label."""
    recipe = read_recipe("compact")
    sizes = corpus_sizes(recipe, None)
    made = plan(recipe, sizes, Hardware(), pretuning_sizes(recipe, None))
    assert [one.name for one in made.stages] == ["pretune", "distillation", "stage 2"]
    (epochs,) = made.stages[0].epochs
    comments = 4000 + 4000 + 4000 + 3858 + 2326 + 541 + 498
    assert epochs.sequences == -(-comments // 8)
    assert made.stages[1:] == plan(recipe, sizes, Hardware()).stages
    assert pretuning_sizes(read_recipe("bemerc-meld"), None) is None


def test_the_teacher_is_counted_with_its_own_shape(smoke: Smoke) -> None:
    """Every fold is left out once, and it is the large LLM that reads the others."""
    recipe = read_recipe("compact")
    sizes = corpus_sizes(recipe, None)
    made = plan(recipe, sizes, Hardware())
    teacher, words = stage_of(made, "distillation"), stage_of(made, "stage 2")
    settings = recipe.settings.distillation
    assert teacher.epochs[0].count == settings.epochs * settings.folds
    assert teacher.epochs[0].sequences == round(len(sizes.dialogues) / 2)
    per_token = [one.epochs[0].flops / one.epochs[0].tokens for one in (teacher, words)]
    assert per_token[0] > 8 * per_token[1]
    assert teacher.memory.weights > 8 * words.memory.weights
    assert plan(recipe.with_settings(distillation={"share": 0}), sizes, Hardware()).stages == (
        words,
    )


def test_pretuning_at_hand_is_counted_as_it_is_read(smoke: Smoke, tmp_path: Path) -> None:
    """A size for every turn that is read; without its corpora estimated."""
    recipe = smoke.recipe.with_settings(pretune={"epochs": 1, "turns": 3})
    settings = recipe.settings.pretune
    counted, published = (pretuning_sizes(recipe, data) for data in (smoke.data, tmp_path))
    assert counted is not None
    assert published is not None
    assert (counted.estimated, published.estimated) == (False, True)
    dialogues = read_dialogues(settings, smoke.data, "train")
    assert [len(one) for one in counted.dialogues] == [len(one.utterances) for one in dialogues]
    assert all(turn.text > 0 for one in counted.dialogues for turn in one)
