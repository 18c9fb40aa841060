"""WebRTC in over HTTP: WHIP (RFC 9725), with all ICE candidates in the answer.

    POST   /whip/ROOM?participant=NAME    an offer; 201, the answer, and where it is
    DELETE /whip/ROOM/SESSION             leave

A room and a participant have a name of up to 64 lower-case letters, digits and dashes, since it
becomes a part of topics and addresses; who asks for another one is told which would do.

There is neither trickle ICE nor an ICE restart, so a PATCH gets 405.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import re
import socket
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from types import TracebackType
from typing import Any, Self

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from aiortc import RTCIceServer

from engine.web import listening
from engine.web.access import allow_origins, check_access, guard
from engine.web.offers import OfferError, read_offer
from engine.web.session import Admit, Session
from stream.sources.webrtc import IDLE_SECONDS

_log = logging.getLogger(__name__)

MAX_OFFER_BYTES = 64 * 1024
MAX_SESSIONS = 16
MAX_PER_ROOM = 8
CONNECT_SECONDS = 20.0
"""How long a peer may take to connect."""
CLOSE_SECONDS = 10.0
"""How long closing waits for what still reads a source, before it is cancelled."""

_BODY_SECONDS = 10.0
_RETRY_SECONDS = 5
_SDP = "application/sdp"
_BARE = web.HTTPNotFound().text
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_METHODS = "POST, DELETE, OPTIONS"


class WhipServer:
    """Takes peers in, each as a source of its own, while it is entered.

    Everyone in a room has another name. Who asks for one that is taken gets 409, rather than
    a name that they did not choose; who asks for none is `guest-1`, `guest-2` and so on.

    Args:
        admit: Called with the room and the source of each peer, in a task of its own: opens
            the source, and reads it until it ends. The peer gets its answer when the source
            is open, and its place is free again when this returns.
        host: Address to listen on; others than loopback need a token.
        port: Port to listen on; 0 for a free one.
        token: What every request must carry as its bearer token.
        max_sessions: Peers at a time.
        max_per_room: Peers at a time in one room.
        connect_seconds: See `CONNECT_SECONDS`.
        idle_seconds: How long a connected peer may send nothing.
        close_seconds: See `CLOSE_SECONDS`.
        origins: Of pages elsewhere that may use it, like `https://example.org`.
        ice_servers: STUN and TURN; without any, peers of the same network are reached.
        extra: Other routes; the token is asked for on these too.

    Raises:
        UserError: It would listen to strangers without a token.
    """

    def __init__(
        self,
        admit: Admit,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str | None = None,
        max_sessions: int = MAX_SESSIONS,
        max_per_room: int = MAX_PER_ROOM,
        connect_seconds: float = CONNECT_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
        close_seconds: float = CLOSE_SECONDS,
        origins: Collection[str] = (),
        ice_servers: Sequence[RTCIceServer] = (),
        extra: Iterable[web.RouteDef] = (),
    ) -> None:
        check_access(host, token)
        self._admit, self._host, self._port = admit, host, port
        self._max_sessions, self._max_per_room = max_sessions, max_per_room
        self._connect_seconds, self._idle_seconds = connect_seconds, idle_seconds
        self._close_seconds = close_seconds
        self._ice_servers = ice_servers
        self._sessions: dict[Session, asyncio.Task[None]] = {}
        self._guests: dict[str, itertools.count[int]] = {}
        self._closing = False
        app = web.Application(middlewares=[_explain, guard(token)], client_max_size=MAX_OFFER_BYTES)
        room = "/whip/{room}"
        session = f"{room}/{{session}}"
        app.add_routes([web.post(room, self._join), web.delete(session, self._leave)])
        app.add_routes([web.options(path, self._describe) for path in (room, session)])
        app.add_routes([web.post(path, _no_room) for path in ("/whip", "/whip/")])
        app.add_routes(extra)
        allow_origins(app, origins, _METHODS)
        # No access log: the addresses of sessions are secrets.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=close_seconds)
        self._sockets: Sequence[socket.socket] = ()

    @property
    def url(self) -> str:
        """Where it listens, without a path."""
        port = self._sockets[0].getsockname()[1]
        return (
            f"http://[{self._host}]:{port}" if ":" in self._host else f"http://{self._host}:{port}"
        )

    def listen(self) -> None:
        """Take the port now, so that it is known to be free; whoever comes waits until entered.

        Raises:
            UserError: The address cannot be listened on.
        """
        self._sockets = listening.listen(self._host, self._port, "WebRTC", "--port")

    @property
    def sessions(self) -> int:
        """Peers that are here, or about to come or go."""
        return len(self._sessions)

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            UserError: The address cannot be listened on.
        """
        if not self._sockets:
            self.listen()
        await listening.serve(self._runner, self._sockets)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End all sessions; what does not end in time is cancelled."""
        self._closing = True
        for session in self._sessions:
            session.stop()
        tasks = set(self._sessions.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._close_seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=self._close_seconds)
        await self._runner.cleanup()

    async def _join(self, request: web.Request) -> web.Response:
        room = _named("room", request.match_info["room"])
        if request.content_type != _SDP:
            raise web.HTTPUnsupportedMediaType(
                headers={"Accept-Post": _SDP}, text=f"send an offer as {_SDP}\n"
            )
        try:
            offer = read_offer(await _body(request))
            session = self._open(room, request.query.getall("participant", []))
            task = self._sessions[session] = asyncio.create_task(session.run(offer, self._admit))
            task.add_done_callback(lambda _: self._forget(session))
            await _first_of(task, session.answer, self._connect_seconds)
            if not session.answer.done():
                task.cancel()
                await asyncio.wait({task})
                if not task.cancelled():
                    task.result()
                raise _unavailable("the room cannot be joined now; try again")
        except OfferError as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from error
        _log.info("%s joined %s", session.participant, room)
        return web.Response(
            status=201,
            text=session.answer.result(),
            content_type=_SDP,
            headers={hdrs.LOCATION: f"/whip/{room}/{session.id}"},
        )

    async def _leave(self, request: web.Request) -> web.Response:
        room, id_ = request.match_info["room"], request.match_info["session"]
        for session in self._sessions:
            if session.room == room and session.id == id_ and not session.left:
                session.stop()
                return web.Response()
        raise web.HTTPNotFound(text="there is no such session; it has ended\n")

    async def _describe(self, request: web.Request) -> web.Response:
        return web.Response(headers={"Accept-Post": _SDP, hdrs.ALLOW: _METHODS})

    def _open(self, room: str, names: Sequence[str]) -> Session:
        taken = {session.participant for session in self._sessions if session.room == room}
        if self._closing or len(self._sessions) >= self._max_sessions:
            raise _unavailable("the server is full; try again later")
        if len(taken) >= self._max_per_room:
            raise _unavailable("the room is full; try again later")
        if not names:
            guests = self._guests.setdefault(room, itertools.count(1))
            names = [next(name for n in guests if (name := f"guest-{n}") not in taken)]
        if len(names) > 1:
            raise web.HTTPBadRequest(
                text="participant is given more than once: give one name, or none\n"
            )
        _named("participant", names[0])
        if names[0] in taken:
            raise web.HTTPConflict(
                text="somebody in this room has that name; choose another, or leave it out\n"
            )
        return Session(
            room,
            names[0],
            connect_seconds=self._connect_seconds,
            idle_seconds=self._idle_seconds,
            ice_servers=self._ice_servers,
        )

    def _forget(self, session: Session) -> None:
        task = self._sessions.pop(session)
        if not task.cancelled():
            task.exception()  # an offer that cannot be answered, and whoever sent it is told
        if all(other.room != session.room for other in self._sessions):
            self._guests.pop(session.room, None)
        if session.answer.done():
            _log.info("%s left %s", session.participant, session.room)


def _named(what: str, name: str) -> str:
    """The name, or an answer that says what a name may be."""
    if _NAME.fullmatch(name):
        return name
    nearest = _nearest(name)
    raise web.HTTPBadRequest(
        text=f"the name of a {what} has 1 to 64 lower-case letters a-z, digits and dashes, and "
        f"begins with a letter or digit; try {nearest or f'{what}-1'}\n"
    )


def _nearest(name: str) -> str:
    """The name that somebody may have meant who gave one that is none."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:65].strip("-")[:64].rstrip("-")


@web.middleware
async def _explain(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Say what there is where somebody asks for what there is not."""
    try:
        return await handler(request)
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        error.text = f"{error.method} is not possible here, only {allowed}\n"
        raise
    except web.HTTPNotFound as error:
        if error.text == _BARE:
            error.text = "there is nothing here: POST a WebRTC offer to /whip/ROOM\n"
        raise


async def _no_room(_: web.Request) -> web.Response:
    raise web.HTTPNotFound(text="name a room: POST the offer to /whip/ROOM\n")


async def _first_of(task: asyncio.Task[None], answer: asyncio.Future[str], seconds: float) -> None:
    waited: set[asyncio.Future[Any]] = {task, answer}
    await asyncio.wait(waited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)


async def _body(request: web.Request) -> str:
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            return (await request.read()).decode()
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="the offer did not come; send it again\n") from None
    except UnicodeDecodeError:
        raise OfferError("the offer is not text in UTF-8; send a WebRTC offer") from None


def _unavailable(text: str) -> web.HTTPServiceUnavailable:
    return web.HTTPServiceUnavailable(
        headers={hdrs.RETRY_AFTER: str(_RETRY_SECONDS)}, text=f"{text}\n"
    )
