"""How a run is doing, over HTTP: `/metrics` for Prometheus, `/health` for a supervisor.

Anyone who reaches the port may read it. There are numbers and names of parts of this
program, never what was said or by whom; still, only this machine reaches it by default.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from aiohttp import web

from engine.vitals import CONTENT_TYPE, Vitals
from engine.web import listening

HOST = "127.0.0.1"
PORT = 9464
"""What OpenTelemetry's Prometheus exporters listen on, too."""
SHUTDOWN_SECONDS = 1.0
_FRESH = {"Cache-Control": "no-store"}


def metrics_routes(vitals: Vitals) -> list[web.RouteDef]:
    """`GET /metrics` and `GET /health`, for any aiohttp application."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(
            body=vitals.exposition(), headers={"Content-Type": CONTENT_TYPE, **_FRESH}
        )

    async def health(_: web.Request) -> web.Response:
        problems, failures = vitals.problems(), vitals.failures()
        answer: dict[str, object] = {"status": "unhealthy" if problems else "ok"}
        if problems:
            answer["problems"] = problems
        if failures:
            answer["failures"] = failures
        return web.json_response(answer, status=503 if problems else 200, headers=_FRESH)

    return [web.get("/metrics", metrics), web.get("/health", health)]


class MetricsServer:
    """Serves `metrics_routes` while it is entered.

    Args:
        vitals: What to tell.
        host: Address to listen on; "0.0.0.0" lets other machines read it.
        port: 0 for any free one.
    """

    def __init__(self, vitals: Vitals, *, host: str = HOST, port: int = PORT) -> None:
        self._vitals, self._host, self._port = vitals, host, port
        self._sockets: Sequence[socket.socket] = ()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """`http://HOST:PORT` as it really listens; only while entered."""
        if self._runner is None:
            raise ValueError("the metrics server is not running")
        return listening.url(self._sockets)

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            UserError: If the address cannot be had.
        """
        self._sockets = listening.listen(self._host, self._port, "metrics", "--metrics")
        application = web.Application()
        application.add_routes(metrics_routes(self._vitals))
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
        await listening.serve(runner, self._sockets)
        self._runner = runner
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop listening; a connection that is kept open is closed."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
