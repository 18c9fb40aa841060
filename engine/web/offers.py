"""What a stranger offers in SDP (RFC 8866), looked at before a connection is made of it.

aiortc trusts an offer: each of its sections opens sockets, its lists are walked one in the
other, and much of what is wrong shows only later, in a task that nobody awaits.
"""

from __future__ import annotations

import ipaddress
import re

from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import MediaDescription, SessionDescription

MAX_LINES = 1_000
MAX_CODECS = 128
"""All payload types that RTP has room for (RFC 3551, 6)."""
MAX_CANDIDATES = 32

_SENDING = ("sendonly", "sendrecv")
_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PASSWORD = re.compile(r"[A-Za-z0-9+/]{22,256}")
_CANDIDATE = "a=candidate:"


class OfferError(ValueError):
    """What is wrong with an offer, and what to offer instead; holds nothing of the offer."""


def read_offer(text: str) -> str:
    """An offer that is safe to negotiate: checked, with the ICE candidates that can be used.

    The end of the candidates is left out: who cannot be reached by those may still reach us.

    Raises:
        OfferError: It is none, is out of bounds, or sends neither sound nor pictures.
    """
    lines = text.splitlines()
    if len(lines) > MAX_LINES or sum(line.startswith("a=rtpmap:") for line in lines) > MAX_CODECS:
        raise OfferError("the offer is far longer than any of sound and pictures; shorten it")
    candidates = [line for line in lines if line.startswith(_CANDIDATE) and _usable(line)]
    kept = set(candidates[:MAX_CANDIDATES])
    lines = [line for line in lines if line in kept or not line.startswith(_CANDIDATE)]
    offer = "".join(f"{line}\r\n" for line in lines if line.strip() != "a=end-of-candidates")
    try:
        description = SessionDescription.parse(offer)
    except Exception:  # aiortc raises whatever it stumbles over
        raise OfferError("the offer is not SDP that can be read; send a WebRTC offer") from None
    _check(description)
    return offer


async def answer_offer(peer: RTCPeerConnection, offer: str) -> str:
    """Negotiate, and gather all ICE candidates; gives the answer.

    Raises:
        OfferError: There is no common ground.
    """
    try:
        await peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await peer.setLocalDescription()
    except Exception:  # as above
        raise OfferError(
            "nothing in the offer can be taken; offer Opus or G.711 and VP8 or H.264, with "
            "rtcp-mux and BUNDLE"
        ) from None
    return peer.localDescription.sdp


def _check(description: SessionDescription) -> None:
    media = description.media
    kinds = [section.kind for section in media]
    if not set(kinds) <= {"audio", "video"}:
        raise OfferError("only sound and pictures are taken; leave out data channels")
    if len(kinds) != len(set(kinds)):
        raise OfferError("at most one track of sound and one of pictures is taken; send no more")
    if not any(section.direction in _SENDING for section in media):
        raise OfferError("the offer sends neither sound nor pictures; make it sendonly")
    mids = [section.rtp.muxId for section in media]
    bundle = next((group.items for group in description.group if group.semantic == "BUNDLE"), mids)
    if not all(mids) or len(set(mids)) < len(mids) or sorted(map(str, bundle)) != sorted(mids):
        raise OfferError("the tracks need a mid each, all of them in one group BUNDLE")
    for section in media:
        _check_transport(section)


def _check_transport(section: MediaDescription) -> None:
    if section.direction is None:
        raise OfferError("a track has no direction; make it sendonly")
    if section.dtls is None or not section.dtls.fingerprints:
        raise OfferError("a track has no DTLS fingerprint and setup; send a WebRTC offer")
    ice = section.ice
    if ice is None or not (
        _UFRAG.fullmatch(ice.usernameFragment or "") and _PASSWORD.fullmatch(ice.password or "")
    ):
        raise OfferError("a track has no valid ice-ufrag and ice-pwd; send a WebRTC offer")


def _usable(line: str) -> bool:
    """Whether we can send to a candidate (RFC 8839, 5.1): RTP over UDP to an IP address.

    Names of mDNS are left out: to look one up takes a second, and who has one finds us.
    """
    match line.removeprefix(_CANDIDATE).split():
        case [_, "1", transport, priority, host, port, "typ", ("host" | "srflx" | "relay"), *_]:
            numbers = priority.isascii() and priority.isdigit() and re.fullmatch(r"\d{1,5}", port)
            return bool(
                transport.lower() == "udp"
                and numbers
                and len(priority) <= 10
                and 0 < int(port) < 1 << 16
                and _is_address(host)
            )
    return False


def _is_address(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return not (address.is_multicast or address.is_unspecified)
