"""A real peer that joins over WHIP, and clips that it sends."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction

import aiohttp
import av
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from stream.sources.webrtc import hang_up

SDP = {"Content-Type": "application/sdp"}
WAIT_SECONDS = 60.0
"""Only a test that fails waits this long."""
FLASH_SECONDS = 0.2
"""How long, at the start of every second, a clip is bright and loud."""

_RATE = 48_000
_FPS = 15


class Clip:
    """Sound and pictures that begin together: a flash and a beep every second."""

    def __init__(self) -> None:
        self.began: float | None = None

    def sound(self) -> MediaStreamTrack:
        """Its sound."""
        return _Track(self, "audio", 0.02)

    def pictures(self) -> MediaStreamTrack:
        """Its pictures."""
        return _Track(self, "video", 1 / _FPS)


class _Track(MediaStreamTrack):
    """A frame for every `seconds`, in real time."""

    def __init__(self, clip: Clip, kind: str, seconds: float) -> None:
        super().__init__()
        self.kind, self._clip, self._seconds = kind, clip, seconds
        self._number: int | None = None

    async def recv(self) -> av.AudioFrame | av.VideoFrame:
        """The next frame, when its time has come."""
        if self.readyState != "live":
            raise MediaStreamError
        now = time.monotonic()
        if self._clip.began is None:
            self._clip.began = now
        since = now - self._clip.began
        self._number = math.ceil(since / self._seconds) if self._number is None else self._number
        moment = self._number * self._seconds
        await asyncio.sleep(moment - since)
        self._number += 1
        return _sound(moment) if self.kind == "audio" else _picture(moment)


def _sound(moment: float) -> av.AudioFrame:
    first = round(moment * _RATE)
    times = np.arange(first, first + _RATE // 50) / _RATE
    beep = np.sin(2 * np.pi * 440 * times) * (times % 1 < FLASH_SECONDS)
    frame = av.AudioFrame.from_ndarray(
        (16_000 * beep[None]).astype(np.int16), format="s16", layout="mono"
    )
    frame.sample_rate, frame.time_base, frame.pts = _RATE, Fraction(1, _RATE), first
    return frame


def _picture(moment: float) -> av.VideoFrame:
    level = 230 if (moment + 1e-6) % 1 < FLASH_SECONDS else 20
    image = np.full((48, 64, 3), level, np.uint8)
    frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
    frame.time_base, frame.pts = Fraction(1, 90_000), round(moment * 90_000)
    return frame


class Client:
    """A peer with these tracks."""

    def __init__(self, http: aiohttp.ClientSession, url: str, *tracks: MediaStreamTrack) -> None:
        self._http, self._url = http, url
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        for track in tracks:
            self.peer.addTransceiver(track, direction="sendonly")
        self.location = ""

    async def offer(self) -> str:
        """What it would send, with all its candidates."""
        await self.peer.setLocalDescription(await self.peer.createOffer())
        return self.peer.localDescription.sdp

    async def post(self, path: str = "/whip/room") -> aiohttp.ClientResponse:
        """Offer, and take no notice of the answer."""
        offer = await self.offer()
        async with self._http.post(self._url + path, data=offer, headers=SDP) as response:
            await response.read()
            return response

    async def join(self, path: str = "/whip/room") -> None:
        """Offer, and connect."""
        response = await self.post(path)
        assert response.status == 201, await response.text()
        assert response.content_type == "application/sdp"
        self.location = response.headers["Location"]
        answer = await response.text()
        await self.peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def leave(self) -> int:
        """Say goodbye; gives the status."""
        async with self._http.delete(self._url + self.location) as response:
            return response.status

    def vanish(self) -> None:
        """Lose the network: nothing is sent any more, not even a goodbye."""
        for transceiver in self.peer.getTransceivers():
            for protocol in transceiver.sender.transport.transport._connection._protocols:
                protocol.transport.abort()


@asynccontextmanager
async def client(url: str, *tracks: MediaStreamTrack) -> AsyncIterator[Client]:
    """A peer that hangs up in the end."""
    async with aiohttp.ClientSession() as http:
        joining = Client(http, url, *tracks)
        try:
            yield joining
        finally:
            await hang_up(joining.peer)
