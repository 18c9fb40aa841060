"""Metrics and health over real HTTP."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from engine.vitals import Vitals
from engine.web.metrics import MetricsServer
from stream.errors import UserError


@pytest.fixture
def vitals() -> Vitals:
    """Nothing has happened yet."""
    return Vitals(lambda: 1000.0)


@pytest.fixture
async def server(vitals: Vitals) -> AsyncIterator[MetricsServer]:
    """On any free port."""
    async with MetricsServer(vitals, port=0) as server:
        yield server


@pytest.fixture
async def client(server: MetricsServer) -> AsyncIterator[aiohttp.ClientSession]:
    """Knows the server's address."""
    async with aiohttp.ClientSession(server.url) as client:
        yield client


async def test_metrics_are_what_prometheus_reads(
    vitals: Vitals, client: aiohttp.ClientSession
) -> None:
    """The text format, under its content type, as of now."""
    vitals.event("final")
    async with client.get("/metrics") as response:
        text = await response.text()
    assert response.status == 200
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store"
    families = {family.name: family for family in text_string_to_metric_families(text)}
    counts = {sample.labels["kind"]: sample.value for sample in families["bemerc_events"].samples}
    assert counts == {"final": 1.0, "partial": 0.0}
    assert families["bemerc_process_resident_memory_bytes"].samples[0].value > 1e6


async def test_health_says_what_is_wrong(vitals: Vitals, client: aiohttp.ClientSession) -> None:
    """503 with the reasons until it works, then 200."""
    async with client.get("/health") as response:
        assert response.status == 503
        assert await response.json() == {
            "status": "unhealthy",
            "problems": ["no media have arrived yet", "no inference has completed yet"],
        }
    vitals.media("ross", "audio")
    vitals.inference_completed()
    async with client.get("/health") as response:
        assert response.status == 200
        assert response.headers["Cache-Control"] == "no-store"
        assert await response.json() == {"status": "ok"}
    vitals.failure("utterance")
    async with client.get("/health") as response:
        assert response.status == 200
        assert await response.json() == {"status": "ok", "failures": {"utterance": 1}}


async def test_nobody_is_named(vitals: Vitals, client: aiohttp.ClientSession) -> None:
    """Neither page shows a pseudonym, not even of a part that was given up."""
    vitals.media("ross", "audio")
    vitals.gave_up("source:ross")
    vitals.restart("source:ross")
    vitals.queue("capture:ross", lambda: 1)
    for path in ("/metrics", "/health"):
        async with client.get(path) as response:
            assert "ross" not in await response.text() + str(response.headers)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/metrics/../etc", 404), ("POST", "/metrics", 405)],
)
async def test_nothing_else_is_served(
    client: aiohttp.ClientSession, method: str, path: str, status: int
) -> None:
    """It only tells, and only these two things."""
    async with client.request(method, path) as response:
        assert response.status == status


async def test_listens_on_loopback_only(server: MetricsServer) -> None:
    """Another address of this machine, which 0.0.0.0 would cover, is refused."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    assert host == "127.0.0.1"
    with pytest.raises(OSError, match=r"127\.0\.0\.2"):
        await asyncio.open_connection("127.0.0.2", int(port))


async def test_an_ipv6_address_is_a_valid_url(vitals: Vitals) -> None:
    """It stands in brackets."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    async with (
        MetricsServer(vitals, host="::1", port=0) as server,
        aiohttp.ClientSession(server.url) as client,
        client.get("/metrics") as response,
    ):
        assert server.url.startswith("http://[::1]:")
        assert response.status == 200


async def test_a_taken_port_is_explained(vitals: Vitals) -> None:
    """In one line, with what to do next; asyncio's own words are not repeated."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UserError) as caught:
            async with MetricsServer(vitals, port=port):
                pass
    assert str(caught.value) == (
        f"cannot serve metrics on 127.0.0.1, port {port} (Address already in use): free the port, "
        "or choose another one with --metrics, or an address of this machine"
    )


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70_000), ("192.0.2.1", 0)])
async def test_an_impossible_address_is_explained(vitals: Vitals, host: str, port: int) -> None:
    """Neither a traceback nor a server that listens somewhere else."""
    with pytest.raises(UserError, match=f"cannot serve metrics on {host}, port {port}"):
        async with MetricsServer(vitals, host=host, port=port):
            pass


async def test_ends_at_once_with_a_scraper_connected(vitals: Vitals) -> None:
    """The connection that Prometheus keeps open does not hold the run back."""
    async with aiohttp.ClientSession() as client:
        async with MetricsServer(vitals, port=0) as server:
            url = server.url
            async with client.get(f"{url}/metrics") as response:
                await response.read()
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 5
        with pytest.raises(aiohttp.ClientConnectorError):
            await client.get(f"{url}/metrics")
    with pytest.raises(ValueError, match="not running"):
        _ = server.url
