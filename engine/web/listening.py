"""Ports to listen on, had before anything slow begins."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
from collections.abc import Iterable

from aiohttp import web

from stream.errors import UserError

BACKLOG = 128
_LOOPBACKS = {"127.0.0.1": "::1", "::1": "127.0.0.1", "localhost": "::1"}
"""Which other address of this machine a name such as `localhost` may be resolved to."""
_NO_SUCH_FAMILY = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EINVAL)


def listen(host: str, port: int, what: str, option: str) -> list[socket.socket]:
    """Sockets that listen: on one address, or on both loopbacks where it is one of them.

    A client that asks for `localhost` may try `::1` or `127.0.0.1` first, and some try no other.

    Args:
        host: Address or name to listen on.
        port: 0 for any free one, the same on both loopbacks.
        what: What is served there, for messages.
        option: The option that names the port, for messages.

    Raises:
        UserError: The address cannot be had.
    """
    try:
        first = _listen("127.0.0.1" if host.lower() == "localhost" else host, port)
    except (OSError, OverflowError, UnicodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise UserError(
            f"cannot serve {what} on {host}, port {port} ({reason}): free the port, or choose "
            f"another one with {option}, or an address of this machine"
        ) from None
    other = _LOOPBACKS.get(host.lower())
    taken = first[0].getsockname()[1]
    if other is None:
        return first
    try:
        return [*first, *_listen(other, taken)]
    except OSError as error:
        if error.errno in _NO_SUCH_FAMILY:  # a machine without IPv6
            return first
        _close(first)
        if port == 0:
            return listen(host, 0, what, option)
        raise UserError(
            f"cannot serve {what} on {other}, port {port} ({error.strerror}): free the port, or "
            f"choose another one with {option}"
        ) from None


async def serve(runner: web.AppRunner, sockets: Iterable[socket.socket]) -> None:
    """Answer whoever connects to the sockets, which the runner closes in the end."""
    await runner.setup()
    for one in sockets:
        await web.SockSite(runner, one).start()


def url(sockets: Iterable[socket.socket]) -> str:
    """`http://ADDRESS:PORT` of the first socket."""
    host, port = next(iter(sockets)).getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listen(host: str, port: int) -> list[socket.socket]:
    """One socket for each address of a host."""
    opened: list[socket.socket] = []
    try:
        for family, address in _addresses(host, port or 0):
            taken = opened[0].getsockname()[1] if opened and not port else port
            one = socket.socket(family, socket.SOCK_STREAM)
            opened.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind((address, taken))
            one.listen(BACKLOG)
            one.setblocking(False)
    except BaseException:
        _close(opened)
        raise
    return opened


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    with contextlib.suppress(ValueError):
        version = ipaddress.ip_address(host).version
        return [(socket.AF_INET6 if version == 6 else socket.AF_INET, host)]
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, str(address[0])) for family, *_, address in found))


def _close(sockets: Iterable[socket.socket]) -> None:
    for one in sockets:
        one.close()
