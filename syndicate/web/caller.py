"""Who asks: the address that counts for limits, and what a consent keeps a part of."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.requests import Request

_WITH_PORT = re.compile(r"([0-9.]{7,15}):[0-9]{1,5}|\[([0-9A-Fa-f:.]{2,45})\](?::[0-9]{1,5})?")  # 1.2.3.4:5, [::1]:5
_NOBODY = IPv4Address(0)  # a peer that has no address, such as a socket in the file system


def caller(request: Request, trusted: Sequence[str]) -> IPv4Address | IPv6Address:
    """The peer, or, where the peer is a trusted proxy, the last address in its X-Forwarded-For.

    Only the last: the proxy wrote that one, all before it came from whoever asked. Some write a port behind it.
    """
    peer = _address(request.client.host if request.client else "") or _NOBODY
    if not any(peer in ip_network(one) for one in trusted):
        return peer
    said = ",".join(request.headers.getlist("x-forwarded-for")).rpartition(",")[2].strip()
    found = _WITH_PORT.fullmatch(said)
    return _address((found[1] or found[2]) if found else said) or peer


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
