"""A dialogue that is read turn by turn scores as one that is read anew each time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from tiny_model import as_after_training, random_turn

from engine.model.attention import attention_mask
from engine.model.model import EmotionModel, TurnInputs
from engine.model.prompt import AUDIO, VIDEO, TurnShape
from engine.model.reader import DialogueReader
from engine.model.recognizer import without
from engine.model.spec import ModelSpec
from training.smoke import Smoke

CLOSE = {"atol": 1e-4, "rtol": 0.0}
NAMES = ("Ann", "Ben", "Cem")


@pytest.fixture(scope="module")
def spec(smoke: Smoke) -> ModelSpec:
    """A context that some eight turns fill."""
    return replace(smoke.spec, prompt=replace(smoke.spec.prompt, context_tokens=160))


@pytest.fixture(scope="module")
def model(spec: ModelSpec) -> EmotionModel:
    """Tiny and real."""
    return as_after_training(spec)


def make_turns(spec: ModelSpec, count: int) -> list[TurnInputs]:
    """Of three speakers, with and without each modality."""
    return [
        random_turn(
            spec,
            number,
            NAMES[number * number % 3],
            None if number % 7 == 6 else "what a lovely day " * (1 + number % 3),
            windows=number % 4,
            video=number % 3 > 0,
        )
        for number in range(count)
    ]


def variants_of(turn: TurnInputs) -> list[TurnInputs]:
    """The turn, and without each modality."""
    return [turn, *(without(turn, name) for name in ("text", "audio", "video"))]


def kept(model: EmotionModel, turns: list[TurnInputs]) -> list[TurnInputs]:
    """The history of the last turn, cut to the context."""
    return turns[model.prompt.first_read([turn.shape for turn in turns]) : -1]


@contextmanager
def tokens_read(model: EmotionModel) -> Iterator[list[int]]:
    """How many tokens the LLM was given, each time."""
    counts: list[int] = []

    def count(_: object, __: object, arguments: dict[str, torch.Tensor]) -> None:
        counts.append(arguments["inputs_embeds"].shape[1])

    hook = model.llm.get_decoder().register_forward_pre_hook(count, with_kwargs=True)
    yield counts
    hook.remove()


@torch.inference_mode()
def test_variants_are_scored_as_last_turns(model: EmotionModel, spec: ModelSpec) -> None:
    """Alternatives of different length, in one pass, score as whole dialogues do."""
    turn = random_turn(spec, 9, "Ben", "oh really you did that")
    longer = random_turn(spec, 10, "Dot", "a much longer turn of somebody else " * 5, windows=8)
    variants = [*variants_of(turn), without(turn, "text", "audio", "video"), longer]
    for past in (make_turns(spec, 3), []):
        expected = torch.stack([model([[*past, variant]])[-1] for variant in variants])
        torch.testing.assert_close(DialogueReader(model)(past, variants), expected, **CLOSE)


@torch.inference_mode()
def test_long_dialogues_are_as_if_read_anew(model: EmotionModel, spec: ModelSpec) -> None:
    """After 1, 10 and 200 turns, over many cuts of the context."""
    reader, turns, cuts = DialogueReader(model), make_turns(spec, 200), 0
    before: list[TurnInputs] = []
    for number in range(1, 201):
        history = kept(model, turns[:number])
        cuts += bool(before) and history[:1] != before[:1]
        before = history
        found = reader(history, variants_of(turns[number - 1]))
        anew = DialogueReader(model)(history, variants_of(turns[number - 1]))
        torch.testing.assert_close(found, anew, **CLOSE)
        if number in (1, 10, 200):
            whole = model([[*history, turns[number - 1]]])[-1]
            torch.testing.assert_close(found[0], whole, **CLOSE)
    assert cuts > 10


@torch.inference_mode()
def test_an_utterance_costs_its_own_tokens(model: EmotionModel, spec: ModelSpec) -> None:
    """And the end of the line before; only where the context is cut is history read again."""
    reader, turns = DialogueReader(model), make_turns(spec, 6)
    with tokens_read(model) as counts:
        for number, turn in enumerate(turns):
            reader(turns[:number], [turn])
    lengths = [model.prompt.turn_length(turn.shape) for turn in turns]
    assert counts == [len(model.prompt.instruction) + lengths[0] - 1, *lengths[1:]]
    end = model.prompt.history_length([turn.shape for turn in turns]) - 1
    assert reader.cached_tokens == end


@torch.inference_mode()
def test_a_history_that_went_another_way(model: EmotionModel, spec: ModelSpec) -> None:
    """What was read and did not become history is taken back; so is all of another dialogue."""
    turns, others = make_turns(spec, 5), make_turns(spec, 4)[::-1]
    reader = DialogueReader(model)
    reader(turns[:3], [turns[3]])
    for history, turn in (
        (turns[:3], turns[4]),
        (turns[:1], turns[2]),
        (others[:3], turns[0]),
        ([], turns[1]),
        (turns[:4], turns[4]),
    ):
        anew = DialogueReader(model)(history, variants_of(turn))
        torch.testing.assert_close(reader(history, variants_of(turn)), anew, **CLOSE)


@torch.inference_mode()
def test_a_failure_leaves_nothing_behind(model: EmotionModel, spec: ModelSpec) -> None:
    """What it began to read is thrown away, and the next turn is right."""
    turns, reader = make_turns(spec, 4), DialogueReader(model)
    reader(turns[:2], [turns[2]])
    known = reader.cached_tokens
    last = model.llm.get_decoder().layers[-1]
    hook = last.register_forward_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        reader(turns[:3], [turns[3]])
    hook.remove()
    assert 0 < reader.cached_tokens <= known
    anew = DialogueReader(model)(turns[:3], [turns[3]])
    torch.testing.assert_close(reader(turns[:3], [turns[3]]), anew, **CLOSE)


@pytest.mark.parametrize("layer", [0, 1])
@torch.inference_mode()
def test_a_reading_that_is_given_up_costs_nothing(
    model: EmotionModel, spec: ModelSpec, layer: int
) -> None:
    """Whatever layer it ends at, what was read before is known and right."""
    reader, turns = DialogueReader(model), make_turns(spec, 5)
    history, turn = kept(model, turns), turns[-1]
    reader.prepare(history)
    known, calls = reader.cached_tokens, itertools.count()

    def stop() -> None:
        if next(calls) == layer:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        reader.contrast(history, turn, {"audio": without(turn, "audio")}, stop)
    assert reader.cached_tokens == known
    with tokens_read(model) as counts:
        scores = reader.contrast(history, turn, {})
    assert counts[0] < known
    torch.testing.assert_close(scores, model([[*history, turn]])[-1:], **CLOSE)


@torch.inference_mode()
def test_a_history_can_be_read_before_its_next_turn(model: EmotionModel, spec: ModelSpec) -> None:
    """The turn then costs its own tokens alone, and scores the same."""
    turns = make_turns(spec, 6)
    expected = DialogueReader(model)(turns[:5], variants_of(turns[5]))
    reader = DialogueReader(model)
    reader(turns[:2], [turns[2]])
    reader.prepare(turns[:5])
    reader.prepare(turns[:5])  # nothing is left to do
    with tokens_read(model) as counts:
        scores = reader(turns[:5], variants_of(turns[5]))
    lengths = [model.prompt.turn_length(v.shape) - 1 for v in variants_of(turns[5])]
    assert lengths[0] + len(lengths) - 1 <= counts[0] < sum(lengths)  # what is alike is read once
    assert len(counts) == 1
    torch.testing.assert_close(scores, expected, **CLOSE)


@torch.inference_mode()
def test_without_voice_or_pictures_only_the_cue_is_read_anew(
    model: EmotionModel, spec: ModelSpec
) -> None:
    """It does not see them; the words do, and without words the turn is another."""
    past, turn = make_turns(spec, 3), random_turn(spec, 9, "Ben", "oh really", windows=3)
    others = {name: without(turn, name) for name in ("text", "audio", "video")}
    reader = DialogueReader(model)
    reader.prepare(past)
    with tokens_read(model) as counts:
        scores = reader.contrast(past, turn, others)
    cue, own = model.prompt.cue_length, model.prompt.turn_length(turn.shape) - 1
    assert counts == [own + (1 + cue) + 2 * cue]
    torch.testing.assert_close(scores[:2], reader(past, [turn, others["text"]]), **CLOSE)
    prompt = model.prompt.build([one.shape for one in (*past, turn)])
    for row, (name, slot) in enumerate((("audio", AUDIO), ("video", VIDEO)), 2):
        visible = torch.ones(1, len(prompt.ids), len(prompt.ids), dtype=torch.bool).tril()
        line = torch.arange(len(prompt.ids)) >= len(prompt.ids) - own
        visible[0, -cue:, line & torch.from_numpy(prompt.ids == slot)] = False
        embeddings = model.embed([prompt], [[*past, turn]])
        mask = attention_mask(visible, embeddings)
        hidden = model.llm.get_decoder()(inputs_embeds=embeddings, attention_mask=mask)
        expected = model.score(hidden.last_hidden_state[0, -1:], [others[name]])
        torch.testing.assert_close(scores[row : row + 1], expected, **CLOSE)
        assert not torch.allclose(scores[row], scores[0], atol=1e-3)


@torch.inference_mode()
def test_a_line_is_written_once(
    model: EmotionModel, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A history that goes on costs the lines of its new turns, not of all."""
    reader, turns, written = DialogueReader(model), make_turns(spec, 6), list[int]()
    write = model.prompt.lines

    def count(speakers: list[str], shapes: list[TurnShape]) -> list[list[int]]:
        written.append(len(shapes))
        return write(speakers, shapes)

    monkeypatch.setattr(model.prompt, "lines", count)
    for length in (3, 4, 2, 5):
        reader(turns[:length], [turns[5]])
    assert written[1::2] == [3, 1, 0, 3]


@torch.inference_mode()
def test_what_was_scored_is_not_read_again(model: EmotionModel, spec: ModelSpec) -> None:
    """The same question, and the history that it becomes."""
    turns, reader = make_turns(spec, 4), DialogueReader(model)
    expected = reader(turns[:3], variants_of(turns[3]))
    with tokens_read(model) as counts:
        again = reader(turns[:3], variants_of(turns[3]))
    assert not counts
    torch.testing.assert_close(again, expected)
    with tokens_read(model) as counts:
        reader.prepare(turns)
    assert counts == [len(model.prompt.line_end)]
