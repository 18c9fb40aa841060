"""A dialogue that outgrows the context has live the past that it has in training, at no wait."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_model import as_after_training, spoken

from engine.dialogue import Turn
from engine.model.calibration import Calibration
from engine.model.densenet import DenseNet
from engine.model.encoders import Encoders, SpeechEncoder
from engine.model.model import TurnInputs
from engine.model.outputs import Recognition
from engine.model.prompt import first_turns
from engine.model.prosody import ProsodyEncoder, add_prosody
from engine.model.recognizer import Recognizer, used_modalities
from engine.model.speaker import voice_scale
from engine.model.spec import ModelSpec
from stream.media import Utterance
from training.learning.sequences import TrainingSequence, in_context
from training.smoke import Smoke

CONTEXT = 300
"""Tokens that some fifteen turns fill."""
TALK = ("oh", "what did you say to her", "I just thought that it would be nice to see you again")
TURNS = 60


@pytest.fixture(scope="module")
def recognizer(smoke: Smoke) -> Recognizer:
    """Tiny and real, that hears voices and prosody relative to what their speaker said before."""
    spec = dataclasses.replace(
        smoke.spec,
        prompt=dataclasses.replace(smoke.spec.prompt, context_tokens=CONTEXT),
        audio=dataclasses.replace(smoke.spec.audio, speaker_normalised=True),
        prosody=True,
    )
    torch.manual_seed(0)
    model = as_after_training(spec)
    return Recognizer(model, made_encoders(spec), None, Calibration())


def made_encoders(spec: ModelSpec) -> Encoders:
    """Untrained."""
    speech = SpeechEncoder.of(spec.audio, len(spec.labels))
    encoders = Encoders(spec, DenseNet(spec.video.densenet), speech)
    encoders.prosody = ProsodyEncoder(len(spec.labels)).eval()
    return encoders


@dataclasses.dataclass(frozen=True)
class Spoken:
    """A turn that was recognised live."""

    found: Recognition
    inputs: TurnInputs
    tokens: int
    """That the LLM was given while somebody waited."""
    kept: int
    """Turns of the history."""


def talk(number: int) -> str:
    """Words of a turn, of ever other lengths."""
    return " ".join(TALK[(number * step) % 3] for step in range(1, 2 + number * number % 5))


def said(number: int, *, sound: bool = False) -> Utterance:
    """A turn of Ann's or Ben's."""
    audio = spoken(2.0) * (0.2 + 0.03 * number) if sound else np.zeros(0, np.float32)
    return Utterance(str(number), ("Ann", "Ben")[number % 2], 0.0, 2.0, (), audio, talk(number))


@contextmanager
def tokens_read(recognizer: Recognizer) -> Iterator[list[int]]:
    """How many tokens the LLM is given, each time."""
    counts: list[int] = []
    hook = recognizer.model.llm.get_decoder().register_forward_pre_hook(
        lambda _, __, given: counts.append(given["inputs_embeds"].shape[1]), with_kwargs=True
    )
    yield counts
    hook.remove()


def converse(
    recognizer: Recognizer, restart: Callable[[int], bool] = lambda _: False
) -> list[Spoken]:
    """Turns as the engine does them: recognised, remembered, settled."""
    history: list[Turn] = []
    done = []
    for number in range(TURNS):
        if restart(number):  # another worker: nothing that was read is known
            recognizer.forget("long")
        with tokens_read(recognizer) as counts:
            found = recognizer.recognize(said(number), history, dialogue="long")
        assert found.inputs is not None
        done.append(Spoken(found, found.inputs, sum(counts), len(history)))
        history.append(Turn(said(number).participant, said(number).text, found.inputs))
        history = recognizer.settle(history, "long")
    recognizer.forget("long")
    return done


@pytest.mark.parametrize("restart", [lambda _: False, lambda number: number % 7 == 3])
def test_each_turn_has_the_past_that_it_has_in_training(
    recognizer: Recognizer, restart: Callable[[int], bool]
) -> None:
    """It scores as in the sequences that stage 2 and evaluation make, also after a restart."""
    done = converse(recognizer, restart)
    turns = tuple(one.inputs for one in done)
    targets = torch.eye(len(recognizer.labels))[torch.zeros(TURNS, dtype=torch.long)]
    parts = in_context(TrainingSequence(turns, targets), recognizer.model.prompt)
    assert len(parts) > 4
    with torch.inference_mode():
        scores = [recognizer.model([part.turns])[part.targets.sum(1) > 0] for part in parts]
    used = [used_modalities(turn) for turn in turns]
    expected = recognizer.calibration.probabilities(torch.cat(scores), used)
    for row, one in zip(expected, done, strict=True):
        seen = torch.tensor(list(one.found.probabilities.values()))
        torch.testing.assert_close(seen, row, atol=1e-4, rtol=0)
    assert max(one.kept for one in done) < TURNS / 2


def test_nobody_waits_for_the_older_half_to_go(recognizer: Recognizer) -> None:
    """What a turn is read with was read between two utterances, whether the older half goes."""
    done, prompt = converse(recognizer), recognizer.model.prompt
    lengths = [prompt.turn_length(one.inputs.shape) for one in done]
    firsts = first_turns(lengths, CONTEXT - len(prompt.instruction))
    cuts = [number for number in range(1, TURNS) if firsts[number] != firsts[number - 1]]
    assert len(cuts) > 4
    waited = [one.tokens for one in done]
    for number in cuts:
        # The line before at most, the turn, and it without its words.
        assert waited[number] <= lengths[number - 1] + lengths[number] + 10, number


def test_a_turn_that_fits_after_all_is_read_with_everything(recognizer: Recognizer) -> None:
    """Reading ahead costs nothing of what is known: short and long continuations are at hand."""
    prompt = recognizer.model.prompt
    history: list[Turn] = []
    while not prompt.first_ahead([turn.inputs.shape for turn in history if turn.inputs], 96):
        inputs = recognizer.recognize(said(len(history)), history, dialogue="long").inputs
        history.append(Turn(said(len(history)).participant, "", inputs))
        history = recognizer.settle(history, "long")
    past = [turn.inputs for turn in history if turn.inputs]
    short, long = TurnInputs("Ann", "oh"), TurnInputs("Ann", "and what do you say to that " * 9)
    for turn in (short, long, short, long):
        kept = past[prompt.first_read([one.shape for one in (*past, turn)]) :]
        assert (len(kept) < len(past)) == (turn is long)
        with tokens_read(recognizer) as counts:
            found = recognizer.predict(kept, turn, dialogue="long")
        assert sum(counts) <= prompt.turn_length(turn.shape) + 2
        torch.testing.assert_close(found, recognizer.predict(kept, turn, dialogue="anew"))
    for name in ("long", "anew"):
        recognizer.forget(name)


def test_a_voice_is_compared_with_all_that_its_speaker_said(recognizer: Recognizer) -> None:
    """Also with turns that are no longer read, as training does, which has the whole dialogue."""
    encoders, history, whole = recognizer.encoders, list[Turn](), list[TurnInputs]()
    assert encoders.prosody is not None
    for number in range(30):
        turn = said(number, sound=True)
        found = recognizer.recognize(turn, history, dialogue="long").inputs
        assert found is not None
        assert found.audio is not None
        assert found.prosody is not None
        scale = voice_scale(whole, turn.participant)
        torch.testing.assert_close(found.audio, encoders.audio(turn.audio, scale).tokens)
        anew = add_prosody(found, found.prosody, encoders.prosody, whole)
        torch.testing.assert_close(found.prosody_scores, anew.prosody_scores)
        whole.append(found)
        history.append(Turn(turn.participant, turn.text, found))
        history = recognizer.settle(history, "long")
    assert len(history) < len(whole)
    recognizer.forget("long")


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.integers(1, 130), min_size=1, max_size=90),
    st.sampled_from((1, 40, 120, 300, 1000)),
    st.sets(st.integers(0, 89), max_size=9),
)
def test_what_is_forgotten_changes_no_later_past(
    lengths: list[int], budget: int, not_settled: set[int]
) -> None:
    """Turns that the last one is not read with may go, now or later, whatever comes after."""
    kept, live = list[int](), list[int]()
    for index in range(len(lengths)):
        read = first_turns([lengths[one] for one in (*kept, index)], budget)[-1]
        live.append([*kept, index][read])
        kept.append(index)
        if index not in not_settled:
            kept = kept[first_turns([lengths[one] for one in kept], budget)[-1] :]
    assert live == first_turns(lengths, budget)
