"""Joining over WHIP, with real peers on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web
from whip_client import SDP, WAIT_SECONDS, Clip, client

from engine.web import WhipServer
from stream.errors import UserError
from stream.media import AudioChunk, VideoFrame
from stream.sources.base import MediaItem
from stream.sources.webrtc import WebRtcSource

_TOKEN = "correct-horse"


class Guest:
    """Someone who joined, and what came from them."""

    def __init__(self, room: str, source: WebRtcSource) -> None:
        self.room, self.source = room, source
        self.items: list[MediaItem] = []
        self.left = False

    @property
    def chunks(self) -> list[AudioChunk]:
        """What was heard."""
        return [item for item in self.items if isinstance(item, AudioChunk)]

    @property
    def frames(self) -> list[VideoFrame]:
        """What was seen."""
        return [item for item in self.items if isinstance(item, VideoFrame)]


class House:
    """Admits everyone, and keeps what they send."""

    def __init__(self) -> None:
        self.guests: list[Guest] = []
        self.changed = asyncio.Condition()

    async def admit(self, room: str, source: WebRtcSource) -> None:
        """Read a source to its end."""
        guest = Guest(room, source)
        async with source:
            self.guests.append(guest)
            async for item in source:
                guest.items.append(item)
                async with self.changed:
                    self.changed.notify_all()
        guest.left = True
        async with self.changed:
            self.changed.notify_all()

    async def until(self, happened: Callable[[], object]) -> None:
        """Wait for something that shows in what came."""
        async with asyncio.timeout(WAIT_SECONDS), self.changed:
            await self.changed.wait_for(happened)


@pytest.fixture
def house() -> House:
    """Admits everyone."""
    return House()


@asynccontextmanager
async def _server(house: House, **options: Any) -> AsyncIterator[WhipServer]:
    """A server; afterwards nothing that it began is left."""
    before = asyncio.all_tasks()
    async with WhipServer(house.admit, **options) as server:
        yield server
    assert server.sessions == 0
    async with asyncio.timeout(WAIT_SECONDS):
        while left := asyncio.all_tasks() - before:
            await asyncio.wait(left)
    assert not [thread for thread in threading.enumerate() if "decoder" in thread.name]


async def _free(server: WhipServer, sessions: int = 0) -> None:
    """Wait until no more than so many places are taken."""
    async with asyncio.timeout(WAIT_SECONDS):
        while server.sessions > sessions:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


async def _post(url: str, body: bytes | str = b"", **headers: str) -> tuple[int, str, Any]:
    async with (
        aiohttp.ClientSession() as http,
        http.post(url, data=body, headers={**SDP, **headers}) as response,
    ):
        return response.status, await response.text(), response.headers


def _onsets(marks: list[tuple[float, bool]]) -> list[float]:
    """When it became bright or loud."""
    return [after for (_, was), (after, is_) in itertools.pairwise(marks) if is_ and not was]


def _beeps(guest: Guest) -> list[float]:
    marks = []
    for chunk in guest.chunks:
        for first in range(0, len(chunk.samples) - 79, 80):
            block = chunk.samples[first : first + 80]
            marks.append((chunk.time + first / 16_000, float(np.abs(block).max()) > 0.1))
    return _onsets(marks)


def _flashes(guest: Guest) -> list[float]:
    return _onsets([(frame.time, float(frame.image.mean()) > 125) for frame in guest.frames])


async def test_sound_and_pictures_arrive_on_one_clock(house: House) -> None:
    """A flash and a beep that were made together are less than 150 ms apart."""
    clip = Clip()
    async with (
        _server(house) as server,
        client(server.url, clip.sound(), clip.pictures()) as joining,
    ):
        await joining.join("/whip/kitchen?participant=anna")
        await house.until(
            lambda: (
                house.guests and len(_beeps(house.guests[0])) > 2 < len(_flashes(house.guests[0]))
            )
        )
        [guest] = house.guests
        assert (guest.room, guest.source.participant, guest.source.name) == (
            "kitchen",
            "anna",
            "kitchen",
        )
        assert guest.source.has_audio
        assert guest.source.has_video
        assert guest.frames[0].image.shape == (48, 64, 3)
        beeps, flashes = np.array(_beeps(guest)), np.array(_flashes(guest))
        apart = np.abs(beeps[:, None] - flashes)
        assert np.sum(apart < 0.15) >= 2
        assert not np.any((apart >= 0.15) & (apart < 0.5))
        assert await joining.leave() == 200
        await _free(server)
        assert await joining.leave() == 404
    assert guest.left


@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_one_kind_is_enough(house: House, kind: str) -> None:
    """Whoever has no camera is heard, whoever has no microphone is seen."""
    track = Clip().sound() if kind == "audio" else Clip().pictures()
    async with _server(house) as server, client(server.url, track) as joining:
        await joining.join()
        await house.until(lambda: house.guests and len(house.guests[0].items) > 5)
        source = house.guests[0].source
        assert (source.has_audio, source.has_video) == (kind == "audio", kind == "video")
        assert source.participant == "guest-1"


async def test_sound_goes_on_when_the_camera_stops(house: House) -> None:
    """A track that ends is not a peer that leaves."""
    clip = Clip()
    pictures = clip.pictures()
    async with (
        _server(house, idle_seconds=1.0) as server,
        client(server.url, clip.sound(), pictures) as joining,
    ):
        await joining.join()
        await house.until(lambda: house.guests and house.guests[0].frames)
        pictures.stop()
        [guest] = house.guests
        heard = guest.chunks[-1].end if guest.chunks else 0.0
        await house.until(lambda: guest.chunks and guest.chunks[-1].end > heard + 1.5)
        assert not guest.left


async def test_a_peer_that_hangs_up_frees_its_place(house: House) -> None:
    """Closing the page is leaving, and no error."""
    async with _server(house) as server, client(server.url, Clip().sound()) as joining:
        await joining.join()
        await house.until(lambda: house.guests and house.guests[0].chunks)
        await joining.peer.close()
        await _free(server)
    assert house.guests[0].left


async def test_a_peer_that_vanishes_frees_its_place(house: House) -> None:
    """Without a goodbye it takes until nothing came for a while."""
    async with (
        _server(house, idle_seconds=0.5) as server,
        client(server.url, Clip().sound()) as joining,
    ):
        await joining.join()
        await house.until(lambda: house.guests and house.guests[0].chunks)
        joining.vanish()
        await _free(server)
    assert house.guests[0].left


async def test_a_peer_that_never_connects_frees_its_place(house: House) -> None:
    """An offer alone holds a place for a short time only."""
    async with (
        _server(house, connect_seconds=0.3) as server,
        client(server.url, Clip().sound()) as joining,
    ):
        assert (await joining.post()).status == 201
        await _free(server)
    assert house.guests[0].left


async def test_closing_the_server_ends_everyone(house: House) -> None:
    """They are told as if they had left, and what does not end is cancelled."""
    cancelled = asyncio.Event()

    async def linger(room: str, source: WebRtcSource) -> None:
        async with source:
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                cancelled.set()

    async with _server(house) as server, client(server.url, Clip().sound()) as first:
        await first.join()
        await house.until(lambda: house.guests and house.guests[0].chunks)
    assert house.guests[0].left
    house.admit = linger  # type: ignore[method-assign]
    async with (
        _server(house, close_seconds=0.1) as server,
        client(server.url, Clip().sound()) as one,
    ):
        await one.join()
        await server.__aexit__(None, None, None)
        assert cancelled.is_set()


@pytest.mark.parametrize("error", [UserError("no model"), ValueError("a defect")])
async def test_who_cannot_be_served_is_told_to_come_back(house: House, error: Exception) -> None:
    """Nothing is answered until somebody takes what would come."""

    async def refuse(room: str, source: WebRtcSource) -> None:
        raise error

    house.admit = refuse  # type: ignore[method-assign]
    async with _server(house) as server, client(server.url, Clip().sound()) as joining:
        response = await joining.post()
        assert (response.status, response.headers["Retry-After"]) == (503, "5")
        assert server.sessions == 0


async def test_a_source_that_is_never_opened_is_given_up(house: House) -> None:
    """Who asks is not kept waiting for long."""

    async def dawdle(room: str, source: WebRtcSource) -> None:
        await asyncio.get_running_loop().create_future()

    house.admit = dawdle  # type: ignore[method-assign]
    async with (
        _server(house, connect_seconds=0.2) as server,
        client(server.url, Clip().sound()) as joining,
    ):
        assert (await joining.post()).status == 503
        assert server.sessions == 0


async def test_the_server_and_each_room_have_room_for_so_many(house: House) -> None:
    """One too many is told when to try again; a place that is freed is taken."""
    async with (
        _server(house, max_sessions=2, max_per_room=1) as server,
        client(server.url, Clip().sound()) as first,
        client(server.url, Clip().sound()) as second,
        client(server.url, Clip().sound()) as third,
    ):
        await first.join("/whip/one")
        response = await second.post("/whip/one")
        assert (response.status, response.headers["Retry-After"]) == (503, "5")
        assert "room is full" in await response.text()
        await second.join("/whip/two")
        response = await third.post("/whip/three")
        assert "server is full" in await response.text()
        assert await first.leave() == 200
        await house.until(lambda: house.guests[0].left)
        await _free(server, 1)
        await third.join("/whip/one")


async def test_nobody_in_a_room_shares_a_name(house: House) -> None:
    """A name that is taken is refused; without one there is always a free one."""
    async with (
        _server(house) as server,
        client(server.url, Clip().sound()) as first,
        client(server.url, Clip().sound()) as second,
        client(server.url, Clip().sound()) as third,
    ):
        await first.join("/whip/room?participant=guest-1")
        response = await second.post("/whip/room?participant=guest-1")
        assert response.status == 409
        await second.join("/whip/room")
        await third.join("/whip/other")
        assert [guest.source.participant for guest in house.guests] == [
            "guest-1",
            "guest-2",
            "guest-1",
        ]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/whip/Room", 400),
        ("/whip/-room", 400),
        ("/whip/" + 65 * "a", 400),
        ("/whip/a%2Fb", 400),
        ("/whip/..", 404),
        ("/whip", 404),
        ("/whip/", 404),
        ("/whip/room/extra", 405),
        ("/elsewhere", 404),
        ("/whip/room?participant=", 400),
        ("/whip/room?participant=%2B%23", 400),
        ("/whip/room?participant=a&participant=b", 400),
        ("/whip/room?participant=" + 65 * "a", 400),
    ],
)
async def test_names_are_checked(house: House, path: str, status: int) -> None:
    """Rooms and participants become parts of topics and logs."""
    async with _server(house) as server, client(server.url, Clip().sound()) as joining:
        response = await joining.post(path)
        assert response.status == status
        assert await response.text() not in ("404: Not Found", "405: Method Not Allowed")
        assert server.sessions == 0


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("Team_Room.1", "team-room-1"),
        ("Caf%C3%A9", "cafe"),
        ("%E4%BC%9A%E8%AD%B0", "room-1"),
        ("-a-", "a"),
        (80 * "b", 64 * "b"),
        ("a%1b%5b2J", "a-2j"),
    ],
)
async def test_a_name_that_is_none_is_answered_with_one_that_is(
    house: House, asked: str, told: str
) -> None:
    """For rooms, and for participants in the same words."""
    async with _server(house) as server, client(server.url, Clip().sound()) as joining:
        for path in (f"/whip/{asked}", f"/whip/room?participant={asked}"):
            text = await (await joining.post(path)).text()
            nearest = text.rpartition("try ")[2].strip()
            assert nearest in (told, told.replace("room-1", "participant-1"))
            assert text.isprintable() or text.rstrip("\n").isprintable()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
async def test_both_loopbacks_are_listened_on(house: House, host: str) -> None:
    """Whichever of them a client finds behind `localhost`, also where any port will do."""
    async with WhipServer(house.admit, host=host) as server:
        port = int(server.url.rpartition(":")[2])
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            with contextlib.closing(socket.socket(family)) as one:
                one.settimeout(5)
                one.connect((address, port))


async def test_a_port_is_taken_before_it_is_served(house: House) -> None:
    """So that a run knows it before it loads its models; who comes meanwhile waits."""
    server = WhipServer(house.admit)
    server.listen()
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(UserError, match="free the port"):
        WhipServer(house.admit, port=port).listen()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with server:
        assert b"404" in await asyncio.wait_for(reader.readline(), 60)
    writer.close()


_NO_TRANSPORT = "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe\x00binary\x80",
        b"\x00" * 1000,
        b"GET / HTTP/1.1",
        b"m=audio",
        _NO_TRANSPORT.encode(),
        _NO_TRANSPORT.encode() + b"a=sendonly\r\na=mid:0\r\n",
        b"v=0\r\n" + b"a=rtpmap:0 a/1\r\n" * 2_000,
        b"v=0\r\n" + b"m=audio 9 A/B 0\r\n" * 2_000,
    ],
)
async def test_what_is_no_offer_is_refused(house: House, body: bytes) -> None:
    """With a reason, and without a connection left behind."""
    async with _server(house) as server:
        status, text, _ = await _post(f"{server.url}/whip/room", body)
        assert (status, server.sessions) == (400, 0)
        assert "offer" in text
    assert not house.guests


_TRANSPORT = (
    """\
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1 1 udp 2113937151 7e5b1c43-2c0a-4a53-9d4e.local 54400 typ host generation 0
a=ice-ufrag:EsAw
a=ice-pwd:bP+XJMM09aR8AiX1jdukzR6Y
a=ice-options:trickle
a=fingerprint:sha-256 """
    + ":".join(32 * ["A7"])
    + """
a=setup:actpass
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=extmap:13/sendrecv urn:3gpp:video-orientation
a=sendonly
a=msid:- 4b1c
a=rtcp-mux
a=rtcp-rsize
"""
)
_BROWSER_OFFER = f"""\
v=0
o=- 5228595038118931041 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
a=msid-semantic: WMS
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9
{_TRANSPORT}a=mid:0
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=ssrc:1 cname:x
m=video 9 UDP/TLS/RTP/SAVPF 96 97 103 45
{_TRANSPORT}a=mid:1
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 goog-remb
a=rtcp-fb:96 ccm fir
a=rtcp-fb:96 nack pli
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:103 H264/90000
a=fmtp:103 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
a=rtpmap:45 AV1/90000
a=fmtp:45 level-idx=5;profile=0;tier=0
a=ssrc-group:FID 2 3
a=ssrc:2 cname:x
a=ssrc:3 cname:x
""".replace("\n", "\r\n")


def _with(old: str, new: str) -> Callable[[str], str]:
    return lambda offer: offer.replace(old, new)


def _without(start: str) -> Callable[[str], str]:
    return lambda offer: "".join(
        line for line in offer.splitlines(keepends=True) if not line.startswith(start)
    )


@pytest.mark.parametrize(
    "spoil",
    [
        _with("a=sendonly", "a=recvonly"),
        _with("a=sendonly", "a=inactive"),
        _without("a=sendonly"),
        _without("a=fingerprint"),
        _without("a=setup"),
        _without("a=ice-pwd"),
        _without("a=mid"),
        _without("a=rtcp-mux"),
        _without("a=rtpmap"),
        _with("a=mid:1", "a=mid:0"),
        _with("BUNDLE 0 1", "BUNDLE 7 0 1"),
        _with("m=video", "m=audio"),
        _with("m=video", "m=text"),
        _with("a=ice-ufrag:", "a=ice-ufrag:" + 300 * "a"),
        _with("opus/48000", "opus/x"),
        _with(" UDP/TLS/RTP/SAVPF ", " "),
        _with("a=setup:actpass", "a=setup:nonsense"),
        lambda offer: offer[: len(offer) // 3],
        lambda offer: offer + offer[offer.index("m=audio") :],
        lambda offer: offer.replace("opus", "speex").replace("PCM", "pcx").replace("G722", "x"),
    ],
)
async def test_a_spoilt_offer_is_refused(house: House, spoil: Callable[[str], str]) -> None:
    """A real offer with one thing wrong gets a reason, and leaves no connection behind."""
    clip = Clip()
    async with (
        _server(house) as server,
        client(server.url, clip.sound(), clip.pictures()) as joining,
    ):
        offer = await joining.offer()
        status, text, _ = await _post(f"{server.url}/whip/room", spoil(offer))
        assert (status, server.sessions) == (400, 0), text
        assert text.strip()
    assert not house.guests


async def test_a_data_channel_is_not_enough(house: House) -> None:
    """Only sound and pictures are taken."""
    async with _server(house) as server, client(server.url) as joining:
        joining.peer.createDataChannel("chat")
        response = await joining.post()
        assert response.status == 400
        assert "data channel" in await response.text()


async def test_an_offer_as_browsers_write_it_is_answered(house: House) -> None:
    """With codecs that we lack, retransmission, extensions, and only a name of mDNS."""
    async with _server(house) as server:
        status, answer, headers = await _post(f"{server.url}/whip/room", _BROWSER_OFFER)
        assert status == 201
        assert answer.count("a=recvonly") == 2
        assert "a=candidate:" in answer
        assert "opus/48000/2" in answer
        assert "AV1" not in answer
        async with aiohttp.ClientSession() as http:
            async with http.delete(server.url + headers["Location"]) as response:
                assert response.status == 200


async def test_candidates_that_cannot_be_used_do_no_harm(house: House) -> None:
    """Names, wrong ports and other protocols are left out; the peer still finds us."""
    async with _server(house) as server, client(server.url, Clip().sound()) as joining:
        real_post = joining._http.post
        bad = [
            "1 1 udp 1 x.local 5000 typ host",
            "1 1 udp 1 example.org 5000 typ host",
            "1 1 udp 1 127.0.0.1 99999 typ host",
            "1 1 tcp 1 127.0.0.1 9 typ host tcptype active",
            "1 2 udp 1 127.0.0.1 5000 typ host",
            "1 1 udp -1 127.0.0.1 5000 typ host",
            "nonsense",
        ]

        def post(url: str, *, data: str, headers: dict[str, str]) -> Any:
            lines = [line for line in data.splitlines() if not line.startswith("a=candidate")]
            lines += [f"a=candidate:{candidate}" for candidate in bad]
            return real_post(url, data="\r\n".join(lines) + "\r\n", headers=headers)

        joining._http.post = post  # type: ignore[method-assign, assignment]
        await joining.join()
        await house.until(lambda: house.guests and house.guests[0].chunks)


async def test_other_types_and_sizes_and_methods_are_refused(house: House) -> None:
    """Each with the status that RFC 9725 and RFC 9110 have for it."""
    async with _server(house) as server, aiohttp.ClientSession() as http:
        url = f"{server.url}/whip/room"
        status, _, headers = await _post(url, b"{}", **{"Content-Type": "application/json"})
        assert (status, headers["Accept-Post"]) == (415, "application/sdp")
        status, _, _ = await _post(url, b"v" * (64 * 1024 + 1))
        assert status == 413
        for method, path in [("GET", url), ("PUT", url), ("PATCH", f"{url}/session")]:
            async with http.request(method, path) as response:
                assert response.status == 405
                assert "OPTIONS" in response.headers["Allow"]
        async with http.delete(f"{url}/unknown") as response:
            assert response.status == 404
        async with http.options(url) as response:
            assert (response.status, response.headers["Accept-Post"]) == (200, "application/sdp")
            assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        ("", 401),
        ("Bearer", 401),
        ("Bearer wrong", 401),
        (f"Bearer {_TOKEN}x", 401),
        (f"Basic {_TOKEN}", 401),
        ("Bearer caf\u00e9", 401),
        (f"Bearer {_TOKEN}", 400),
        (f"bearer {_TOKEN}", 400),
    ],
)
async def test_the_token_is_asked_for(house: House, authorization: str | None, status: int) -> None:
    """On every route, also where there is none; 400 is who may ask, and asks for nothing."""
    headers = {} if authorization is None else {"Authorization": authorization}
    async with _server(house, token=f"{_TOKEN}\n") as server:
        for path in ("/whip/room", "/nowhere"):
            got, _, answered = await _post(server.url + path, **headers)
            assert got == (404 if (status, path) == (400, "/nowhere") else status)
            assert answered.get("WWW-Authenticate") == ("Bearer" if got == 401 else None)
        async with aiohttp.ClientSession() as http, http.options(f"{server.url}/whip/room") as seen:
            assert seen.status == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "example.org"])
def test_strangers_are_not_listened_to_without_a_token(house: House, host: str) -> None:
    """The message names the option."""
    with pytest.raises(UserError, match="--token-file"):
        WhipServer(house.admit, host=host)
    with pytest.raises(UserError, match="--token-file"):
        WhipServer(house.admit, host=host, token=" \n")
    WhipServer(house.admit, host=host, token=_TOKEN)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:80", 400),
        ("127.0.0.1", 400),
        ("127.9.9.9:1", 400),
        ("[::1]:80", 400),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("192.168.0.1", 403),
        ("", 403),
    ],
)
async def test_a_name_that_only_points_here_is_refused(
    house: House, host: str, status: int
) -> None:
    """A page elsewhere cannot have its own name resolve to us, and ask as if it were ours."""
    async with _server(house) as server:
        assert (await _post(f"{server.url}/whip/room", Host=host))[0] == status


async def test_pages_of_the_named_origins_may_ask(house: House) -> None:
    """Others get no such header, on answers and refusals alike."""
    async with _server(house, origins=("https://a.example",)) as server:
        url = f"{server.url}/whip/room"
        _, _, headers = await _post(url, Origin="https://a.example")
        assert headers["Access-Control-Allow-Origin"] == "https://a.example"
        assert headers["Access-Control-Expose-Headers"] == "Location"
        _, _, headers = await _post(url, Origin="https://b.example")
        assert "Access-Control-Allow-Origin" not in headers


async def test_other_routes_can_be_added(house: House) -> None:
    """Such as the state of the server."""

    async def state(request: web.Request) -> web.Response:
        return web.Response(text="fine")

    async with (
        _server(house, extra=[web.get("/state", state)]) as server,
        aiohttp.ClientSession() as http,
        http.get(f"{server.url}/state") as response,
    ):
        assert await response.text() == "fine"


async def test_a_port_that_is_taken_says_what_to_do(house: House) -> None:
    """One line, with the address and the next step."""
    async with _server(house) as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(UserError, match=f"on 127.0.0.1, port {port} .*choose"):
            async with WhipServer(house.admit, port=port):
                pass


async def test_no_log_holds_a_secret(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the token, nor an offer, nor the address of a session."""
    caplog.set_level(logging.DEBUG)
    async with (
        _server(house, token=_TOKEN) as server,
        client(server.url, Clip().sound()) as joining,
    ):
        joining._http.headers["Authorization"] = f"Bearer {_TOKEN}"
        await joining.join()
        await house.until(lambda: house.guests and house.guests[0].chunks)
        lines = joining.peer.localDescription.sdp.splitlines()
        assert await joining.leave() == 200
        await _free(server)
    [password] = {line for line in lines if line.startswith("a=ice-pwd:")}
    assert "guest-1 joined room" in caplog.text
    for secret in (_TOKEN, joining.location, password):
        assert secret not in caplog.text
