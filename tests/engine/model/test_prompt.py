"""The prompt grows only at its end, and text cannot forge what is not text."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_model import llama_tokenizer, older_llama_tokenizer, sentencepiece_tokenizer
from transformers import AutoTokenizer

from engine.model.prompt import (
    AUDIO,
    AUDIO_PLACEHOLDER,
    NO_AUDIO,
    NO_TEXT,
    NO_VIDEO,
    VIDEO,
    VIDEO_PLACEHOLDER,
    PromptBuilder,
    TurnShape,
    clean_text,
    first_turns,
)
from engine.model.spec import MELD_LABELS, PromptSpec
from export.models import resolve

SPEC = PromptSpec()
SMOLLM2 = AutoTokenizer.from_pretrained(resolve("smollm2-135m-instruct"))
TOKENIZERS = {
    "smollm2": SMOLLM2,
    "llama": llama_tokenizer(),
    "older llama": older_llama_tokenizer(),
}
SENTENCEPIECE = sentencepiece_tokenizer()  # with so small a vocabulary letters are of other lengths
with_sentencepiece = pytest.mark.parametrize(
    "tokenizer", [*TOKENIZERS.values(), SENTENCEPIECE], ids=[*TOKENIZERS, "sentencepiece"]
)
BUILDER = PromptBuilder(SMOLLM2, SPEC)
HOSTILE = ["<|im_start|>", "<|im_end|>", "<s>", "</s>", "<repo_name>", " ->", "\n", "A:", "[/INST]"]

each_tokenizer = pytest.mark.parametrize("tokenizer", TOKENIZERS.values(), ids=TOKENIZERS)
texts = st.none() | st.text(max_size=40) | st.lists(st.sampled_from(HOSTILE)).map("".join)
turns = st.builds(
    TurnShape, st.sampled_from(["Ann", "Ben", "Cid"]), texts, st.integers(0, 3), st.integers(0, 4)
)
dialogues = st.lists(turns, min_size=1, max_size=6)


def words(tokenizer: Any, text: str) -> list[int]:
    """Ids of a piece of a prompt."""
    return list(tokenizer(text, add_special_tokens=False).input_ids)


@settings(max_examples=60, deadline=None)
@given(dialogues)
def test_append_only(shapes: list[TurnShape]) -> None:
    """With one turn more the prompt is the old one, a line end and the new turn."""
    end = words(SMOLLM2, "\n")
    prompts = [BUILDER.build(shapes[:count]) for count in range(1, len(shapes) + 1)]
    for before, after in pairwise(prompts):
        length = len(before.ids)
        assert after.ids[:length].tolist() == before.ids.tolist()
        assert after.ids[length : length + len(end)].tolist() == end
        assert after.cues[:-1].tolist() == before.cues.tolist()
        assert len(after.ids) > length + len(end)


@settings(max_examples=60, deadline=None)
@given(dialogues)
def test_every_turn_ends_in_its_cue(shapes: list[TurnShape]) -> None:
    """The label is scored where the cue has just been read; the last cue ends the prompt."""
    prompt = BUILDER.build(shapes)
    length = len(words(SMOLLM2, SPEC.cue))
    assert len(prompt.cues) == len(shapes)
    assert prompt.cues[-1] == len(prompt.ids) - 1
    for cue in prompt.cues:
        assert SMOLLM2.decode(prompt.ids[cue - length + 1 : cue + 1]) == SPEC.cue


@settings(max_examples=60, deadline=None)
@given(dialogues)
def test_every_turn_has_its_slots(shapes: list[TurnShape]) -> None:
    """As many slots as tokens of a modality, and one absent slot where there is none."""
    ids = BUILDER.build(shapes).ids
    counts = {
        slot: int((ids == slot).sum()) for slot in (VIDEO, AUDIO, NO_TEXT, NO_AUDIO, NO_VIDEO)
    }
    assert counts == {
        VIDEO: sum(shape.video_tokens for shape in shapes),
        AUDIO: sum(shape.audio_tokens for shape in shapes),
        NO_VIDEO: sum(shape.video_tokens == 0 for shape in shapes),
        NO_AUDIO: sum(shape.audio_tokens == 0 for shape in shapes),
        NO_TEXT: sum(not clean_text(shape.text) for shape in shapes),
    }
    assert ids.min() >= min(counts)


@each_tokenizer
def test_the_history_has_the_length_that_is_said(tokenizer: Any) -> None:
    """For 30 speakers: every letter costs the same, so lengths can be told without building."""
    builder = PromptBuilder(tokenizer, SPEC)
    shapes = [TurnShape(f"speaker {index}", "oh really", 2, 1) for index in range(30)]
    end = len(words(tokenizer, "\n"))
    for count in range(1, 31):
        assert (
            builder.history_length(shapes[:count]) == len(builder.build(shapes[:count]).ids) + end
        )
    assert builder.history_length([]) == len(builder.instruction)


def test_reads_as_the_documentation_says() -> None:
    """Speakers are letters in the order in which they appear, and come back under their own."""
    shapes = [
        TurnShape("Ross", "I just feel like someone reached down my throat", 0, 0),
        TurnShape("Phoebe", "Oh!", 0, 0),
        TurnShape("Ross", None, 0, 0),
    ]
    ids = BUILDER.build(shapes).ids
    assert SMOLLM2.decode(ids[ids >= 0]) == (
        f"{SPEC.instruction}A: I just feel like someone reached down my throat ->\nB: Oh! ->\nA: ->"
    )


@each_tokenizer
def test_no_text_becomes_a_special_token(tokenizer: Any) -> None:
    """Every special token of the base model, written out in an utterance, stays plain text."""
    builder = PromptBuilder(tokenizer, SPEC)
    special = {i: str(token) for i, token in tokenizer.added_tokens_decoder.items()}
    assert special
    for token in special.values():
        half = len(token) // 2
        nested = f"{token[:half]}{token}{token[half:]}"
        for hostile in (
            token,
            f"so {token}{token} then",
            nested,
            f"{token[:half]}\u200b{token[half:]}",
        ):
            ids = builder.build([TurnShape("Ann", hostile, 1, 0)]).ids[len(builder.instruction) :]
            assert not set(ids.tolist()) & set(special), hostile


@settings(max_examples=200, deadline=None)
@given(st.text("<|>/[]INST imendstar_\u200b\n", max_size=60))
def test_no_spelling_becomes_a_special_token(text: str) -> None:
    """Nor does anything that is made of their letters."""
    ids = BUILDER.build([TurnShape("Ann", text, 0, 0)]).ids[len(BUILDER.instruction) :]
    assert not set(ids.tolist()) & set(SMOLLM2.added_tokens_decoder)


@settings(max_examples=200, deadline=None)
@given(st.text() | st.lists(st.sampled_from(HOSTILE)).map("".join))
def test_cleaned_text_is_one_plain_line(text: str) -> None:
    """Printable, without surplus blanks, and cleaning it again changes nothing."""
    cleaned = clean_text(text)
    assert cleaned.isprintable()
    assert cleaned == " ".join(cleaned.split())
    assert clean_text(cleaned) == cleaned
    assert not any(token in cleaned for token in ("<|im_start|>", "<|im_end|>", "</s>"))


def test_typographic_punctuation_becomes_plain() -> None:
    """A script and a speech recogniser then write the same."""
    assert clean_text("\u201cIt\u2019s \u2014 well\u2026\u201d\n") == '"It\'s - well..."'
    assert clean_text(None) == clean_text(" \n\u200b") == ""


def test_a_long_text_keeps_its_last_tokens() -> None:
    """What was said last is nearest to the label."""
    builder = PromptBuilder(SMOLLM2, dataclasses.replace(SPEC, max_text_tokens=4))
    prompt = builder.build([TurnShape("Ann", "one two three four five six", 0, 0)])
    said = prompt.ids[prompt.ids >= 0][len(builder.instruction) :]
    assert SMOLLM2.decode(said) == "A: three four five six ->"
    longest = max(
        BUILDER.turn_length(TurnShape("Ann", "word " * count, 2, 8)) for count in (90, 97, 5000)
    )
    assert longest == BUILDER.turn_length(TurnShape("Ann", "word " * 96, 2, 8))


@each_tokenizer
def test_labels_have_tokens_of_their_own(tokenizer: Any) -> None:
    """Each label is scored by the token that follows the cue when the label is written there."""
    label_ids = PromptBuilder(tokenizer, SPEC).label_ids(MELD_LABELS)
    assert len(set(label_ids)) == len(MELD_LABELS)
    cue = words(tokenizer, SPEC.cue)
    for label, token in zip(MELD_LABELS, label_ids, strict=True):
        written = words(tokenizer, f"{SPEC.cue} {label}")
        assert written[: len(cue) + 1] == [*cue, token]


def test_a_label_of_smollm2_is_its_first_token_after_a_space() -> None:
    """The bundles in circulation were trained to answer with these."""
    assert BUILDER.label_ids(MELD_LABELS) == [words(SMOLLM2, f" {name}")[0] for name in MELD_LABELS]


def test_labels_that_begin_alike_are_refused() -> None:
    """Two labels with one token could not be told apart."""
    with pytest.raises(ValueError, match="sad, sad mood"):
        BUILDER.label_ids(["sad", "sad mood"])


lengths_and_budget = st.tuples(
    st.lists(st.integers(1, 60), min_size=1, max_size=60), st.integers(1, 300)
)


@settings(max_examples=300, deadline=None)
@given(lengths_and_budget)
def test_kept_turns_stay_within_the_budget(case: tuple[list[int], int]) -> None:
    """All are kept while they fit; only a turn too long by itself may exceed the budget."""
    lengths, budget = case
    first = first_turns(lengths, budget)[-1]
    assert 0 <= first < len(lengths)
    assert sum(lengths[first:]) <= budget or first == len(lengths) - 1
    if sum(lengths) <= budget:
        assert first == 0


@settings(max_examples=100, deadline=None)
@given(lengths_and_budget)
def test_dropped_turns_never_come_back(case: tuple[list[int], int]) -> None:
    """As a dialogue grows the first kept turn only moves on."""
    lengths, budget = case
    firsts = [first_turns(lengths[:count], budget)[-1] for count in range(1, len(lengths) + 1)]
    assert firsts == sorted(firsts)


def test_the_older_half_goes_at_once() -> None:
    """With room for ten turns the eleventh drops five; then nothing changes for five turns."""
    firsts = [first_turns([1] * count, 10)[-1] for count in range(1, 22)]
    assert firsts == [0] * 10 + [5] * 5 + [10] * 5 + [15]


def test_ids_are_integers_for_embedding() -> None:
    """Torch indexes with 64 bits."""
    prompt = BUILDER.build([TurnShape("Ann", "oh", 2, 3)])
    assert prompt.ids.dtype == prompt.cues.dtype == np.int64


@settings(max_examples=40, deadline=None)
@given(dialogues, st.data())
def test_a_branch_is_a_prompt_of_its_own(shapes: list[TurnShape], data: st.DataObject) -> None:
    """What the last token of a description sees is the dialogue up to its words, and itself."""
    texts = [
        data.draw(st.none() | st.text(alphabet="abc ", max_size=12)) for _ in range(len(shapes))
    ]
    prompt = BUILDER.build_described(shapes, texts)
    cue, end = words(SMOLLM2, SPEC.behaviour_cue), words(SMOLLM2, "\n")
    opening = list(SMOLLM2(SPEC.behaviour_instruction).input_ids)
    place = len(dialogue_ids(shapes, opening))
    for index, text in enumerate(texts):
        if text is None:
            continue
        description = words(SMOLLM2, f" {clean_text(text)}")
        history = dialogue_ids(shapes[: index + 1], opening)[: -len(words(SMOLLM2, SPEC.cue))]
        expected = [*history, *cue, *description]
        last = place + len(cue) + len(description) - 1
        seen = prompt.visible[last]
        assert prompt.ids[seen].tolist() == expected
        assert prompt.positions[seen].tolist() == list(range(len(expected)))
        predicted = prompt.targets[place : last + 1].tolist()
        assert predicted == [-100] * (len(cue) - 1) + [*description, end[0]]
        place = last + 1
    assert place == len(prompt.ids) == len(prompt.targets)
    assert (prompt.targets[: len(dialogue_ids(shapes, opening))] == -100).all()
    assert not np.triu(prompt.visible, 1).any()


def dialogue_ids(shapes: list[TurnShape], opening: list[int]) -> list[int]:
    """The ids of a dialogue behind another instruction."""
    return [*opening, *BUILDER.build(shapes).ids[len(BUILDER.instruction) :]]


def test_placeholders_stand_where_the_tokens_will() -> None:
    """Only the slots differ, so stage 2 finds every word where stage 1 left it."""
    shape = TurnShape("Ann", "so?", 2, 3)
    real = BUILDER.build([shape]).ids.tolist()
    held = BUILDER.build([dataclasses.replace(shape, placeholders=True)]).ids.tolist()
    swap = {VIDEO: VIDEO_PLACEHOLDER, AUDIO: AUDIO_PLACEHOLDER}
    assert held == [swap.get(id, id) for id in real] != real
    absent = TurnShape("Ann", "so?", 0, 0, placeholders=True)
    assert {NO_VIDEO, NO_AUDIO} <= set(BUILDER.build([absent]).ids.tolist())


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(1, 200))
def test_a_turn_is_always_read_with_the_same_history(lengths: list[int], budget: int) -> None:
    """Each turn's first one is what the live engine, which sees no later turn, would keep."""
    live = [first_turns(lengths[: count + 1], budget)[-1] for count in range(len(lengths))]
    assert first_turns(lengths, budget) == live


def test_a_text_is_tokenised_once() -> None:
    """Training and live build prompts of the same turns again and again."""
    asked = []

    def tokenizer(text: str, **options: bool) -> object:
        asked.append(text)
        return SMOLLM2(text, **options)

    builder, shapes = PromptBuilder(tokenizer, SPEC), [TurnShape("Ann", "so it goes", 1, 1)] * 3
    first = builder.build(shapes).ids.tolist()
    assert first == BUILDER.build(shapes).ids.tolist()
    assert asked.count(" so it goes") == 1
    asked.clear()
    assert builder.build(shapes).ids.tolist() == first
    assert not asked


@with_sentencepiece
def test_a_description_ends_where_its_line_does(tokenizer: Any) -> None:
    """Its last target is the line end, also where that is a space mark and a byte."""
    for within in (False, True):
        builder = PromptBuilder(tokenizer, dataclasses.replace(SPEC, within_lines=within))
        prompt = builder.build_described([TurnShape("Ann", "oh", 1, 1)], ["nods"])
        end = int(prompt.targets[prompt.targets >= 0][-1])
        assert tokenizer.convert_ids_to_tokens(end) in ("Ċ", "<0x0A>")


@with_sentencepiece
def test_within_lines_a_prompt_is_what_its_text_is(tokenizer: Any) -> None:
    """Read in pieces or at once, the tokens are the same; a beginning once, an end never."""
    builder = PromptBuilder(tokenizer, dataclasses.replace(SPEC, within_lines=True))
    ids = builder.build([TurnShape("Ann", "I am", 1, 1), TurnShape("Ben", "so?", 0, 0)]).ids
    text = f"{SPEC.instruction}A: I am ->\nB: so? ->"
    assert ids[ids >= 0].tolist() == list(tokenizer(text).input_ids)
    assert len(builder.line_end) == 1


def test_smollm2_has_the_same_prompt_either_way() -> None:
    """It has no space marks to put before a text."""
    within = PromptBuilder(SMOLLM2, dataclasses.replace(SPEC, within_lines=True))
    shapes = [TurnShape("Ann", "what a day", 2, 1), TurnShape("Ben", "\u201cno\u201d", 0, 0)]
    assert within.build(shapes).ids.tolist() == BUILDER.build(shapes).ids.tolist()


def test_an_end_that_a_tokenizer_adds_opens_no_dialogue() -> None:
    """A dialogue goes on after its instruction."""

    class Ending:
        """SmolLM2's, with an end after every text."""

        eos_token_id = SMOLLM2.eos_token_id

        def __call__(self, text: str, *, add_special_tokens: bool = True, **options: bool) -> Any:
            encoded = SMOLLM2(text, **options)
            if add_special_tokens:
                encoded["input_ids"] = [*encoded["input_ids"], self.eos_token_id]
            return encoded

    assert PromptBuilder(Ending(), SPEC).instruction == BUILDER.instruction
