"""A teacher on a server that does not always behave."""

from __future__ import annotations

import base64
import dataclasses
import json
import random
import socket
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import pytest
from requests_double import SEEN, frames, request
from server_double import ANSWER, Behaviour, Call, Reply, ServerDouble, completion

from stream.errors import UserError
from training.describe.backoff import Backoff
from training.describe.pictures import LONGEST_EDGE
from training.describe.prompt import write_prompt
from training.describe.server import (
    KEY_VARIABLE,
    MAX_RESPONSE_BYTES,
    PATIENCE,
    ServerOptions,
    ServerTeacher,
)
from training.describe.teacher import Failure, Request, TeacherDownError

QUICK = ServerOptions(concurrency=4, tries=3, timeout_seconds=5)


def script(*replies: Reply) -> Behaviour:
    """These replies one after the other, then good ones."""
    return lambda call: replies[call.number] if call.number < len(replies) else completion()


class Waits:
    """Takes the place of sleeping."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        """Note how long it would be."""
        self.seconds.append(seconds)


def teacher(url: str, options: ServerOptions = QUICK, **changes: Any) -> ServerTeacher:
    """One that waits no time."""
    backoff = Backoff(random.Random(1), clock=lambda: 0.0)
    values: dict[str, Any] = {"sleep": Waits(), "backoff": backoff, "key": "", **changes}
    return ServerTeacher(url, "a-model", options, **values)


def ask(behaviour: Behaviour, requests: Sequence[Request] = (), **changes: Any) -> Any:
    """What a teacher says when its server behaves so, and the server's calls."""
    with ServerDouble(behaviour) as server:
        asked = teacher(server.url, **changes)
        return asked.describe(requests or [request()]), server.calls


def test_a_request_holds_prompt_and_pictures() -> None:
    """What a vision model on vLLM needs: text, JPEG pictures in order, greedy, JSON."""
    wide = dataclasses.replace(request(), frames=frames(1, 3, (200, 2 * LONGEST_EDGE)))
    (answer,), (call,) = ask(script(), [wide])
    assert answer == SEEN
    assert call.path == "/v1/chat/completions"
    assert call.text == write_prompt(wide)
    assert call.body["model"] == "a-model"
    assert call.body["temperature"] == 0
    assert call.body["response_format"] == {"type": "json_object"}
    urls = [part["image_url"]["url"] for part in call.body["messages"][0]["content"][:-1]]
    assert len(urls) == 3
    for url, frame in zip(urls, wide.frames, strict=True):
        kind, _, data = url.partition(",")
        assert kind == "data:image/jpeg;base64"
        image = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR_RGB)
        assert image.shape == (100, LONGEST_EDGE, 3)
        smaller = cv2.resize(frame.image, (LONGEST_EDGE, 100), interpolation=cv2.INTER_AREA)
        assert np.abs(image.astype(int) - smaller).mean() < 30
        assert abs(image.mean() - smaller.mean()) < 2


def test_a_second_attempt_is_sampled() -> None:
    """The same question gets another answer when the first could not be used."""
    bodies = [
        ask(script(), [dataclasses.replace(request(), attempt=attempt)])[1][0].body
        for attempt in (1, 2, 3)
    ]
    assert [body["temperature"] > 0 for body in bodies] == [False, True, True]
    assert len({body["seed"] for body in bodies}) == 3


def test_answers_are_in_the_order_of_the_requests() -> None:
    """However many are on their way at once, each answer goes to its utterance."""

    def behaviour(call: Call) -> Reply:
        word = call.text.rpartition("Word ")[2].partition(".")[0]
        return completion(ANSWER.replace("Leaning forward", f"Word {word}"))

    requests = [request(index, f"Word {index}.") for index in range(12)]
    answers, calls = ask(behaviour, requests)
    assert [answer.posture for answer in answers] == [f"Word {index}." for index in range(12)]
    assert len(calls) == 12


def test_requests_at_once_are_bounded() -> None:
    """A server is not flooded."""
    with ServerDouble(script()) as server:
        teacher(server.url).describe([request(index) for index in range(20)])
        assert 1 <= server.at_once <= QUICK.concurrency


@pytest.mark.parametrize(
    "bad",
    [
        Reply(429, b"slow down"),
        Reply(500, b"oops"),
        Reply(503),
        dataclasses.replace(completion(), cut=True),
        Reply(200, b"<html>no</html>"),
        Reply(200, b'{"choices": []}'),
        Reply(200, b'{"choices": [{"message": null}]}'),
        Reply(200, b"[" * 50_000),
    ],
    ids=["429", "500", "503", "cut", "html", "no choice", "no message", "deep"],
)
def test_what_may_pass_is_tried_again(bad: Reply) -> None:
    """One bad reply, then a good one, is a description after one wait."""
    waits = Waits()
    (answer,), calls = ask(script(bad), sleep=waits)
    assert answer == SEEN
    assert len(calls) == 2
    assert len(waits.seconds) == 1
    assert 0 < waits.seconds[0] <= 1


def test_retry_after_is_waited_for() -> None:
    """In seconds or as a date."""
    waits = Waits()
    first = Reply(429, headers={"Retry-After": "17"})
    second = Reply(503, headers={"Retry-After": "Thu, 01 Jan 1970 00:00:42 GMT"})
    (answer,), _ = ask(script(first, second), sleep=waits)
    assert answer == SEEN
    assert waits.seconds == [17, 42]


def test_a_reply_that_hangs_times_out() -> None:
    """The request is given up after its time, and tried again."""
    options = dataclasses.replace(QUICK, timeout_seconds=0.3)
    (answer,), calls = ask(script(Reply(hang=True)), options=options)
    assert answer == SEEN
    assert len(calls) == 2


def test_one_request_that_always_fails_is_a_failure() -> None:
    """The others are described, and asking again would be no use."""

    def behaviour(call: Call) -> Reply:
        return Reply(500, b"assertion failed") if "poison" in call.text else completion()

    requests = [request(0), request(1, "poison"), request(2)]
    answers, calls = ask(behaviour, requests)
    assert answers == [
        SEEN,
        Failure("the server answered 500 (assertion failed)", final=True),
        SEEN,
    ]
    assert len(calls) == 2 + QUICK.tries


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("I am sorry.", "no whole JSON object"),
        ("", "empty"),
        (None, "empty"),
        (17, "empty"),
    ],
)
def test_nonsense_is_a_failure_that_may_be_asked_again(content: object, reason: str) -> None:
    """Another attempt may do better."""
    (answer,), calls = ask(lambda call: completion(content))
    assert reason in answer.reason
    assert not answer.final
    assert len(calls) == 1


def test_an_answer_that_is_cut_off_says_so() -> None:
    """The reason tells a small limit from a bad model."""
    (answer,), _ = ask(lambda call: completion(ANSWER[:40], finish="length"))
    assert "cut off after 300 tokens" in answer.reason


def test_json_mode_is_left_out_where_the_server_refuses_it() -> None:
    """Once it is known, no further request asks for it."""

    def behaviour(call: Call) -> Reply:
        refused = "response_format" in call.body
        return Reply(400, b"unknown field response_format") if refused else completion()

    with ServerDouble(behaviour) as server:
        asked = teacher(server.url)
        assert asked.describe([request(0)]) == [SEEN]
        assert asked.describe([request(1)]) == [SEEN]
        assert ["response_format" in call.body for call in server.calls] == [True, False, False]


def test_a_request_that_is_refused_for_itself_keeps_json_mode() -> None:
    """A 400 that comes without response_format too is about the request."""

    def behaviour(call: Call) -> Reply:
        return Reply(400, b"too long") if "poison" in call.text else completion()

    with ServerDouble(behaviour) as server:
        asked = teacher(server.url)
        (failure,) = asked.describe([request(0, "poison")])
        assert failure == Failure("the server answered 400 (too long)", final=True)
        asked.describe([request(1)])
        assert "response_format" in server.calls[-1].body


@pytest.mark.parametrize(
    ("status", "hint"), [(401, KEY_VARIABLE), (403, KEY_VARIABLE), (404, "--model")]
)
def test_no_access_ends_the_run_at_once(status: int, hint: str) -> None:
    """Nothing is tried again, and the message says what to set."""
    with ServerDouble(lambda call: Reply(status)) as server:
        with pytest.raises(TeacherDownError, match=hint):
            teacher(server.url).describe([request()])
        assert len(server.calls) == 1


def test_a_server_that_dies_half_way_keeps_what_it_answered() -> None:
    """The error has the answers so far, by the index of their request."""

    def behaviour(call: Call) -> Reply:
        return completion() if "good" in call.text else Reply(502)

    requests = [request(0, "good"), request(1, "bad"), request(2, "good")]
    with ServerDouble(behaviour) as server, pytest.raises(TeacherDownError) as raised:
        teacher(server.url).describe(requests)
    assert raised.value.answers == {0: SEEN, 2: SEEN}


def test_no_server_is_a_user_s_mistake() -> None:
    """A refused connection is tried again, then says what to look at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        waits = Waits()
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(TeacherDownError, match="is the server running"):
            teacher(url, sleep=waits).describe([request()])
    assert len(waits.seconds) == QUICK.tries - 1


@pytest.mark.parametrize("reply", [Reply(500), Reply(400), Reply(200, b"hello"), Reply(302)])
def test_a_server_that_answers_nothing_is_down(reply: Reply) -> None:
    """After a few requests in a row without a completion, no more are wasted."""
    with ServerDouble(lambda call: reply) as server:
        asked = teacher(server.url)
        for index in range(PATIENCE - 1):
            assert isinstance(asked.describe([request(index)])[0], Failure)
        with pytest.raises(TeacherDownError) as raised:
            asked.describe([request(PATIENCE)])
        assert raised.value.answers == {}


def test_an_endless_response_is_cut_off() -> None:
    """A response has a size that no completion has."""
    (answer,), calls = ask(lambda call: Reply(200, b" " * (MAX_RESPONSE_BYTES + 1)))
    assert "more than 1000000 bytes" in answer.reason
    assert len(calls) == 1


def test_the_key_is_sent_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It comes from the environment, and not even a server that quotes it gets it into a file."""
    monkeypatch.setenv(KEY_VARIABLE, "s3cr3t-key")
    caplog.set_level("DEBUG")

    def behaviour(call: Call) -> Reply:
        if "quote" not in call.text:
            return completion()
        return Reply(400, json.dumps({"headers": call.headers}).encode())

    with ServerDouble(behaviour) as server:
        asked = ServerTeacher(server.url, "a-model", QUICK)
        answers = asked.describe([request(0), request(1, "quote")])
        assert server.calls[0].headers["Authorization"] == "Bearer s3cr3t-key"
    assert isinstance(answers[1], Failure)
    assert "Bearer ***" in answers[1].reason
    assert "s3cr3t-key" not in f"{answers} {asked!r} {caplog.text}"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("localhost:8000/v1", "like http://"),
        ("ftp://host/v1", "like http://"),
        ("", "like http://"),
        ("http://[::1/v1", "like http://"),
        ("http://me:password@host/v1", KEY_VARIABLE),
    ],
)
def test_an_address_that_is_none_is_refused(url: str, reason: str) -> None:
    """Before anything is asked; a password in it is not repeated."""
    with pytest.raises(UserError, match=r"--url.*") as raised:
        teacher(url)
    assert reason in str(raised.value)
    assert "password" not in str(raised.value)


@pytest.mark.parametrize("key", ["a b", "a\nb", "schlüssel"])
def test_a_key_that_no_header_holds_is_refused(key: str) -> None:
    """A line end pasted with the key is said, and the key is not."""
    with pytest.raises(UserError, match=KEY_VARIABLE) as raised:
        teacher("http://host/v1", key=key)
    assert key not in str(raised.value)


def test_options_that_ask_nothing_are_refused() -> None:
    """No request at once, or no try."""
    makers: list[Callable[[], object]] = [
        lambda: ServerOptions(concurrency=0),
        lambda: ServerOptions(tries=0),
    ]
    for make in makers:
        with pytest.raises(ValueError, match="at least 1"):
            make()
