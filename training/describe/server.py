"""A teacher on an OpenAI-compatible server, such as vLLM.

Every utterance is one POST to `URL/chat/completions`, with the pictures as JPEG in data URIs;
several are on their way at once. What can go wrong, and what is done about it:

    it is not there: connection refused, 429, 502 to 504     waits, tries again; then it is down
    no access (401, 403), no such address or model (404)     it is down
    other 5xx, cut off, too slow, no chat completion         waits, tries again; then a `Failure`
    it refuses a request (other 4xx)                         a `Failure`

It is also down when none of `PATIENCE` requests in a row got a chat completion.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from stream.errors import UserError
from stream.printable import printable
from training.describe.answers import parse_answer
from training.describe.backoff import Backoff
from training.describe.description import Description
from training.describe.pictures import fit, jpeg
from training.describe.prompt import PROMPT_VERSION, write_prompt
from training.describe.teacher import Failure, Request, TeacherDownError

KEY_VARIABLE = "BEMERC_TEACHER_KEY"
"""Environment variable of the server's API key, where it wants one."""
PATIENCE = 3
MAX_TOKENS = 300
MAX_RESPONSE_BYTES = 1_000_000
RETRY_TEMPERATURE = 0.7
"""Of the second and later attempts; the first is greedy."""

_ABSENT = frozenset({429, 502, 503, 504})
_FOR_GOOD = {
    401: f"the key is wrong or missing: set {KEY_VARIABLE}",
    403: f"the key gives no access: set {KEY_VARIABLE} to another",
    404: "no such address or model: check --url (it ends with /v1) and --model",
}


@dataclass(frozen=True)
class ServerOptions:
    """How a server is asked."""

    concurrency: int = 16
    """Requests on their way at once."""
    tries: int = 6
    """Of one request, before it is given up."""
    timeout_seconds: float = 300.0
    """From sending a request to the end of the answer."""
    connect_seconds: float = 10.0

    def __post_init__(self) -> None:
        """Refuse numbers with which nothing is asked."""
        if self.concurrency < 1 or self.tries < 1:
            raise ValueError("concurrency and tries: at least 1")


class _UnansweredError(Exception):
    """A request got no chat completion.

    Args:
        reason: One line.
        down: Whether no other request would get one either.
        again: Whether the same request may get one later.
        refused: Whether the server found fault with the request's form.
        retry_after: What the server says about when.
    """

    def __init__(
        self,
        reason: str,
        *,
        down: bool = False,
        again: bool = False,
        refused: bool = False,
        retry_after: str = "",
    ) -> None:
        super().__init__(reason)
        self.down, self.again, self.refused = down, again, refused
        self.retry_after = retry_after


_Answer = Description | Failure


@dataclass
class ServerTeacher:
    """A `Teacher` behind HTTP.

    Raises:
        UserError: The address or the key is none.
    """

    url: str
    """Up to and with `/v1`."""
    name: str
    """Of the model on the server."""
    options: ServerOptions = field(default_factory=ServerOptions)
    key: str = field(default_factory=lambda: os.environ.get(KEY_VARIABLE, ""), repr=False)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    backoff: Backoff = field(default_factory=Backoff)
    prompt_version: str = PROMPT_VERSION
    _json_mode: bool = field(default=True, init=False)
    """Whether to ask for JSON with `response_format`: until the server refuses it."""
    _silent: int = field(default=0, init=False)
    """Requests in a row that got no chat completion."""

    def __post_init__(self) -> None:
        """Refuse an address that is none, or that holds a password: it would get into messages."""
        try:
            url = httpx.URL(self.url)
        except httpx.InvalidURL as error:
            raise UserError(f"--url: {error}; give one like http://localhost:8000/v1") from error
        if url.userinfo:
            raise UserError(f"--url: give the key in the variable {KEY_VARIABLE}, not in the URL")
        if url.scheme not in ("http", "https") or not url.host:
            raise UserError(f"--url {self.url!r}: give one like http://localhost:8000/v1")
        if not self.key.isascii() or any(map(str.isspace, self.key)):
            raise UserError(f"{KEY_VARIABLE} has characters that no key has: set it again")

    @property
    def batch(self) -> int:
        """As many as are on their way at once."""
        return self.options.concurrency

    def describe(self, requests: Sequence[Request]) -> list[_Answer]:
        """Ask for all of them; see `Teacher`."""
        return self._judge(asyncio.run(self._ask_all(requests)))

    async def _ask_all(self, requests: Sequence[Request]) -> list[_Answer | _UnansweredError]:
        gate = asyncio.Semaphore(self.options.concurrency)
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        timeout = httpx.Timeout(None, connect=self.options.connect_seconds)
        async with httpx.AsyncClient(headers=headers, timeout=timeout) as client:

            async def one(request: Request) -> _Answer | _UnansweredError:
                try:
                    async with gate:
                        return await self._ask(client, request)
                except _UnansweredError as error:
                    return error

            return await asyncio.gather(*map(one, requests))

    def _judge(self, results: Sequence[_Answer | _UnansweredError]) -> list[_Answer]:
        """Tell requests that fail from a server that is down."""
        answers: dict[int, _Answer] = {}
        unanswered = []
        for index, result in enumerate(results):
            if isinstance(result, _UnansweredError):
                unanswered.append(result)
            else:
                answers[index] = result
        self._silent = 0 if answers else self._silent + len(results)
        down = next((error for error in unanswered if error.down), None)
        if unanswered and self._silent >= PATIENCE:
            down = unanswered[-1]
        if down is not None:
            raise TeacherDownError(f"{self.url}: {down}", answers)
        return [
            Failure(str(result), final=True) if isinstance(result, _UnansweredError) else result
            for result in results
        ]

    async def _ask(self, client: httpx.AsyncClient, request: Request) -> _Answer:
        body = self._body(request)
        try:
            return await self._persist(client, body)
        except _UnansweredError as error:
            if not (error.refused and body.pop("response_format", None)):
                raise
        answer = await self._persist(client, body)
        self._json_mode = False  # it was this that the server refused
        return answer

    async def _persist(self, client: httpx.AsyncClient, body: dict[str, Any]) -> _Answer:
        """Try until the server answers, or refuses."""
        tries = 1
        while True:
            try:
                return await self._try(client, body)
            except _UnansweredError as error:
                if not error.again or tries >= self.options.tries:
                    raise
                await self.sleep(self.backoff.seconds(tries, error.retry_after))
            tries += 1

    async def _try(self, client: httpx.AsyncClient, body: dict[str, Any]) -> _Answer:
        seconds = self.options.timeout_seconds
        url = f"{self.url.rstrip('/')}/chat/completions"
        try:
            async with asyncio.timeout(seconds), client.stream("POST", url, json=body) as response:
                text = await self._read(response)
        except TimeoutError:
            raise _UnansweredError(f"no answer within {seconds:g} s", again=True) from None
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            reason = f"no connection ({printable(str(error))}): is the server running?"
            raise _UnansweredError(reason, down=True, again=True) from error
        except httpx.HTTPError as error:
            reason = f"the connection broke ({type(error).__name__})"
            raise _UnansweredError(reason, again=True) from error
        if response.status_code != 200:
            raise _refusal(response, text)
        return _read_completion(text)

    async def _read(self, response: httpx.Response) -> str:
        data = bytearray()
        async for block in response.aiter_bytes():
            data += block
            if len(data) > MAX_RESPONSE_BYTES:
                raise _UnansweredError(f"a response of more than {MAX_RESPONSE_BYTES} bytes")
        text = data.decode(errors="replace")
        # A server may quote the request's headers; the key must not get into any file.
        return text.replace(self.key, "***") if self.key else text

    def _body(self, request: Request) -> dict[str, Any]:
        pictures = [
            {"type": "image_url", "image_url": {"url": _data_uri(jpeg(fit(frame.image)))}}
            for frame in request.frames
        ]
        content = [*pictures, {"type": "text", "text": write_prompt(request)}]
        body: dict[str, Any] = {
            "model": self.name,
            "messages": [{"role": "user", "content": content}],
            "max_tokens": MAX_TOKENS,
            "temperature": 0.0 if request.attempt == 1 else RETRY_TEMPERATURE,
            "seed": request.attempt,
        }
        if self._json_mode:
            body["response_format"] = {"type": "json_object"}
        return body


def _refusal(response: httpx.Response, text: str) -> _UnansweredError:
    """What a status other than 200 means."""
    status = response.status_code
    if status in _FOR_GOOD:
        return _UnansweredError(f"{status}, {_FOR_GOOD[status]}", down=True)
    reason = f"the server answered {status} ({printable(text) or response.reason_phrase})"
    return _UnansweredError(
        reason,
        down=status in _ABSENT,
        again=status in _ABSENT or status >= 500,
        refused=status in (400, 422),
        retry_after=response.headers.get("Retry-After", ""),
    )


def _read_completion(text: str) -> _Answer:
    """The description in a chat completion."""
    try:
        choice = json.loads(text)["choices"][0]
        content = choice["message"]["content"]
        cut = choice.get("finish_reason") == "length"
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        reason = f"the server answered with no chat completion ({printable(text)})"
        raise _UnansweredError(reason, again=True) from None
    answer = parse_answer(content if isinstance(content, str) else "")
    if cut and isinstance(answer, Failure):
        return Failure(f"{answer.reason}; it was cut off after {MAX_TOKENS} tokens", answer.answer)
    return answer


def _data_uri(data: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
