"""One peer that sends to us, from its offer until it has left."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection

from engine.web.offers import OfferError, answer_offer
from stream.errors import UserError
from stream.sources.webrtc import WebRtcSource, hang_up

Admit = Callable[[str, WebRtcSource], Coroutine[Any, Any, None]]
"""Opens the source of someone who joined a room, and reads it to its end."""

NEGOTIATION_SECONDS = 10.0
CLOSE_SECONDS = 5.0

_log = logging.getLogger(__name__)
# They log whole offers and candidates, passwords included.
for _name in ("aiortc.rtcpeerconnection", "aioice"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class Session:
    """A peer in a room.

    Args:
        room: Name of the room.
        participant: Who is seen and heard.
        connect_seconds: How long its connection may take, once it has the answer.
        idle_seconds: How long it may send nothing.
        ice_servers: STUN and TURN.
    """

    def __init__(
        self,
        room: str,
        participant: str,
        *,
        connect_seconds: float,
        idle_seconds: float,
        ice_servers: Sequence[RTCIceServer] = (),
    ) -> None:
        self.room, self.participant = room, participant
        self.id = secrets.token_urlsafe(24)
        self.left = False
        """Whether the peer said goodbye."""
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Set once the source is open: aiortc would queue without bound what comes before."""
        self._connect_seconds, self._idle_seconds = connect_seconds, idle_seconds
        # An empty list, since aiortc asks a server of Google's if there is none.
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=list(ice_servers)))
        self._source: WebRtcSource | None = None

    def stop(self) -> None:
        """End soon, as if the peer had left."""
        self.left = True
        if self._source is not None:
            self._source.stop()

    async def run(self, offer: str, admit: Admit) -> None:
        """Answer the offer, hand the source over, and clean up when that is done with it.

        Raises:
            OfferError: The offer cannot be answered.
        """
        expiry = None
        try:
            answer = await self._negotiate(offer)
            self._source = WebRtcSource(
                self._peer,
                name=self.room,
                participant=self.participant,
                idle_seconds=self._idle_seconds,
                on_open=lambda: self.answer.set_result(answer),
            )
            expiry = asyncio.get_running_loop().call_later(self._connect_seconds, self._expire)
            await admit(self.room, self._source)
        except OfferError:
            raise
        except UserError as error:
            _log.warning("%s in %s cannot be served: %s", self.participant, self.room, error)
        except Exception:
            _log.exception("serving %s in %s failed", self.participant, self.room)
        finally:
            if expiry is not None:
                expiry.cancel()
            closing = asyncio.ensure_future(hang_up(self._peer))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(closing), CLOSE_SECONDS)

    async def _negotiate(self, offer: str) -> str:
        try:
            async with asyncio.timeout(NEGOTIATION_SECONDS):
                return await answer_offer(self._peer, offer)
        except TimeoutError:
            raise OfferError("the offer took too long to answer; try again") from None

    def _expire(self) -> None:
        if self._peer.connectionState != "connected":
            _log.info("%s in %s never connected", self.participant, self.room)
            self.stop()
