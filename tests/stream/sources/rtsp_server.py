"""A small real RTSP server on loopback: one track of PCMU sound, interleaved over TCP."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_PACKET_SAMPLES = 160
_SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=door\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 0 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=control:track1\r\n"
)


class RtspServer:
    """Answers the requests of one client at a time (RFC 2326).

    Args:
        sound: What to send: PCMU, 8,000 bytes per second.
        hangs: Whether the connection just falls silent when all is sent, or is closed.
        password: What a client must give, if anything.
    """

    def __init__(self, sound: bytes, *, hangs: bool = False, password: bool = False) -> None:
        self._sound, self._hangs, self._password = sound, hangs, password

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk to one client until it leaves."""
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                lines = request.decode().split("\r\n")
                method, headers = lines[0].split()[0], _headers(lines[1:])
                self._answer(writer, method, headers)
                if method == "PLAY":
                    self._send(writer)
                    if not self._hangs:
                        break
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, writer: asyncio.StreamWriter, method: str, headers: dict[str, str]) -> None:
        body, status, more = "", "200 OK", "Session: 1\r\n"
        if method == "OPTIONS":
            more = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
        elif self._password and "authorization" not in headers:
            status, more = "401 Unauthorized", 'WWW-Authenticate: Basic realm="door"\r\n'
        elif method == "DESCRIBE":
            body, more = _SDP, f"Content-Type: application/sdp\r\nContent-Length: {len(_SDP)}\r\n"
        elif method == "SETUP":
            more += "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
        text = f"RTSP/1.0 {status}\r\nCSeq: {headers['cseq']}\r\n{more}\r\n{body}"
        writer.write(text.encode())

    def _send(self, writer: asyncio.StreamWriter) -> None:
        for number, first in enumerate(range(0, len(self._sound), _PACKET_SAMPLES)):
            payload = self._sound[first : first + _PACKET_SAMPLES]
            packet = struct.pack("!BBHII", 0x80, 0, number, first, 7) + payload
            writer.write(struct.pack("!cBH", b"$", 0, len(packet)) + packet)


def _headers(lines: list[str]) -> dict[str, str]:
    pairs = (line.split(": ", 1) for line in lines if ": " in line)
    return {name.lower(): value for name, value in pairs}


@asynccontextmanager
async def rtsp_server(
    sound: bytes, *, hangs: bool = False, password: bool = False
) -> AsyncIterator[str]:
    """Serve on loopback; gives HOST:PORT."""
    server = await asyncio.start_server(
        RtspServer(sound, hangs=hangs, password=password).serve, "127.0.0.1", 0
    )
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
