"""Who may ask: a bearer token (RFC 6750), or being on this machine."""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Collection

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from stream.errors import UserError

_HOST = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<name>[^:]*))(?::\d*)?")
_BEARER = "bearer "


def check_access(host: str, token: str | None) -> None:
    """Whether to listen on `host` with or without a token.

    Raises:
        UserError: Others could reach it without a token, or the token is empty.
    """
    if token is None and not is_loopback(host):
        raise UserError(
            f"whoever reaches {host or 'this machine'} could send to it; name a file that holds "
            "a secret with --token-file, or listen on 127.0.0.1"
        )
    if token is not None and not token.strip():
        raise UserError("the token is empty; write a long random one to the file of --token-file")


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine, and nothing that a name server may say it is."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def guard(token: str | None) -> Middleware:
    """Refuses requests without the token.

    Where there is none, it refuses those that call this machine by another name: a page in a
    browser here could have had its own name point to us (DNS rebinding).
    """
    expected = None if token is None else token.strip().encode()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if expected is None:
            if not _calls_loopback(request.headers.get(hdrs.HOST, "")):
                raise web.HTTPForbidden(text="use the address 127.0.0.1 or the name localhost\n")
        # A browser asks what it may do before it may say who it is.
        elif request.method != hdrs.METH_OPTIONS and not _carries(request, expected):
            raise web.HTTPUnauthorized(
                headers={hdrs.WWW_AUTHENTICATE: "Bearer"},
                text="send the token of this server: Authorization: Bearer TOKEN\n",
            )
        return await handler(request)

    return check


def allow_origins(app: web.Application, origins: Collection[str], methods: str) -> None:
    """Let pages of these origins ask (CORS)."""

    async def allow(request: web.Request, response: web.StreamResponse) -> None:
        origin = request.headers.get(hdrs.ORIGIN, "")
        response.headers.add(hdrs.VARY, hdrs.ORIGIN)
        if origin in origins:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = methods
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = "Authorization, Content-Type"
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = "Location"

    if origins:
        app.on_response_prepare.append(allow)


def _calls_loopback(host_header: str) -> bool:
    match = _HOST.fullmatch(host_header)
    return match is not None and is_loopback(match["six"] or match["name"] or "")


def _carries(request: web.Request, expected: bytes) -> bool:
    given = request.headers.get(hdrs.AUTHORIZATION, "")
    if given[: len(_BEARER)].lower() != _BEARER:
        return False
    return hmac.compare_digest(given[len(_BEARER) :].strip().encode(errors="replace"), expected)
