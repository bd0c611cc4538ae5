"""Who asks: the address that counts for limits, and what a consent keeps a part of."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.requests import Request

_NOBODY = IPv4Address(0)  # a peer that has no address, such as a socket in the file system


def caller(request: Request, trusted: Sequence[str]) -> IPv4Address | IPv6Address:
    """The peer, or, where the peer is a trusted proxy, the last address in its X-Forwarded-For.

    Only the last: the proxy wrote that one, all before it came from whoever asked.
    """
    peer = _address(request.client.host if request.client else "") or _NOBODY
    if not any(peer in ip_network(one) for one in trusted):
        return peer
    said = ",".join(request.headers.getlist("x-forwarded-for"))
    return _address(said.rpartition(",")[2].strip()) or peer


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
