"""An OpenAI-compatible server on loopback that misbehaves as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Reply:
    """What the server does with a call."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    """Close the connection in the middle of the body."""
    hang: bool = False
    """Never answer."""


@dataclass(frozen=True)
class Call:
    """What the server was asked."""

    number: int
    """From 0."""
    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def text(self) -> str:
        """The prompt."""
        content = self.body["messages"][0]["content"]
        return str(next(part["text"] for part in content if part["type"] == "text"))


Behaviour = Callable[[Call], Reply]
ANSWER = json.dumps(
    {
        "facial_expression": "The brows are raised.",
        "body_language": "One hand points.",
        "posture": "Leaning forward.",
    }
)


def completion(text: object = ANSWER, finish: str = "stop") -> Reply:
    """A chat completion."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": finish,
    }
    return Reply(body=json.dumps({"object": "chat.completion", "choices": [choice]}).encode())


class ServerDouble:
    """Runs in a thread while it is a context.

    Args:
        behaviour: What it does with a call.
    """

    def __init__(self, behaviour: Behaviour) -> None:
        self.calls: list[Call] = []
        self.at_once = 0
        """Most calls that were on their way at the same time."""
        self._behaviour = behaviour
        self._open = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()

    @property
    def url(self) -> str:
        """Up to and with `/v1`."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Self:
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                double._serve(self, json.loads(self.rfile.read(size)))

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _serve(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        with self._lock:
            call = Call(len(self.calls), handler.path, dict(handler.headers), body)
            self.calls.append(call)
            self._open += 1
            self.at_once = max(self.at_once, self._open)
        try:
            self._reply(handler, self._behaviour(call))
        except OSError:
            handler.close_connection = True  # the client has gone, or was killed
        finally:
            with self._lock:
                self._open -= 1

    def _reply(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        if reply.hang:
            self._closing.wait(30)
            handler.close_connection = True
            return
        handler.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(reply.body[: len(reply.body) // 2] if reply.cut else reply.body)
        handler.close_connection = reply.cut
