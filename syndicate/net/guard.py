"""Which addresses we connect to when the URL comes from data, so that no feed, webhook or picture URL can make
us reach into the operator's own network (SSRF).

Only decisions and the look-up live here, on the standard library alone; `transport` puts them where the
connection is made. `ipaddress.is_global` is not enough: Python 3.11 calls 224.0.0.1, 192.0.0.192 (Oracle's
metadata service), 64:ff9b::7f00:1 (NAT64 of 127.0.0.1) and 2002:7f00:1:: (6to4 of it) global.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Self

from syndicate.errors import ConfigError
from syndicate.net.answer import Stopped

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network
Resolver = Callable[[str, int], Sequence[str]]
"""(host, port) -> address literals; blocking, called in a thread; raises OSError when there are none."""

PORTS: Final = frozenset({80, 443})
LOOKUPS_AT_ONCE: Final = 16  # threads; a look-up can't be cancelled, so hung ones must not pile up

_NOT_PUBLIC_V4: Final = (
    IPv4Network("100.64.0.0/10"),  # carrier NAT, RFC 6598; 100.100.100.200 is Alibaba's metadata service
    IPv4Network("192.0.0.0/24"),  # protocol assignments, RFC 6890; 192.0.0.192 is Oracle's metadata service
    IPv4Network("192.88.99.0/24"),  # 6to4 relay anycast, RFC 7526
    IPv4Network("198.18.0.0/15"),  # benchmarking, RFC 2544
)
_PUBLIC_V6: Final = IPv6Network("2000::/3")  # global unicast, RFC 4291 §2.4; everything else is refused
_NOT_PUBLIC_V6: Final = (
    IPv6Network("2001::/23"),  # protocol assignments with Teredo, RFC 2928
    IPv6Network("2001:db8::/32"),  # documentation, RFC 3849
    IPv6Network("2002::/16"),  # 6to4, RFC 3056: carries an IPv4 address of anybody's choice
    IPv6Network("3fff::/20"),  # documentation, RFC 9637
)
_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052; a DNS64 network needs it, so it is unwrapped, not refused


@dataclass(frozen=True)
class Allowed:
    """The addresses that `[net] allow` opens besides the public internet: pairs of network and port (None = any).

    Never a switch for everything: tests open their own loopback port, an operator the intranet CMS.
    """

    pairs: frozenset[tuple[IPNetwork, int | None]] = frozenset()

    @classmethod
    def parse(cls, entries: Sequence[str]) -> Self:
        """Read `"127.0.0.1:8080"`, `"10.0.0.0/8:443"`, `"[::1]:8080"`, `"[fd00::/8]:*"`.

        Raises ConfigError with one line for each entry that can't be used.
        """
        pairs, problems = set(), []
        for entry in entries:
            try:
                pairs.add(_read_entry(entry))
            except ValueError as why:
                problems.append(f"[net] allow = [{entry!r}]: {why}")
        if problems:
            raise ConfigError(*problems)
        return cls(frozenset(pairs))

    def opens(self, ip: IPAddress, port: int) -> bool:
        return any(open_port in (None, port) and ip in network for network, open_port in self.pairs)

    def opens_port(self, port: int) -> bool:
        """Is there any address at all with that port? Lets a URL be refused before its name is looked up."""
        return any(open_port in (None, port) for _, open_port in self.pairs)

    def names(self, host: str) -> bool:
        """Is the host, written as an address, one of the opened ones (whatever the port)?"""
        ip = literal(host)
        return ip is not None and any(ip in network for network, _ in self.pairs)


def _read_entry(entry: str) -> tuple[IPNetwork, int | None]:
    host, colon, port = entry.strip().rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not host or (":" in host and not bracketed):
        raise ValueError('write ADDRESS:PORT, for example "10.0.0.5:443", "[fd00::5]:443" or "10.0.0.5:*"')
    return _read_network(host.strip("[]")), _read_port(port)


def _read_network(text: str) -> IPNetwork:
    try:
        network = ip_network(text)
    except ValueError as why:
        raise ValueError(f"{why}; write an address or a network such as 10.0.0.0/8, not a name") from why
    if network.prefixlen == 0:
        raise ValueError("a network of all addresses would turn the guard off; name the network you mean")
    return network


def _read_port(text: str) -> int | None:
    if text == "*":
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise ValueError(f'the port {text!r} is not a number from 1 to 65535; "*" means any')
    return int(text)


def refuse(ip: IPAddress, port: int, allowed: Allowed) -> str | None:
    """Say in words why we don't connect there; None when we do."""
    inner = _unwrap(ip)
    if allowed.opens(ip, port) or allowed.opens(inner, port):
        return None
    if port not in PORTS:
        return f"port {port} is neither 80 nor 443 and [net] allow doesn't open {ip}:{port}"
    if not _is_public(inner):
        return f"{ip} is not an address of the public internet and [net] allow doesn't open {ip}:{port}"
    return None


def refuse_port(port: int, allowed: Allowed) -> str | None:
    """The part of `refuse` that needs no look-up."""
    if port in PORTS or allowed.opens_port(port):
        return None
    return f"port {port} is neither 80 nor 443 and [net] allow opens no address with it"


def _unwrap(ip: IPAddress) -> IPAddress:
    """The IPv4 address that an IPv6 one stands for (mapped, RFC 4291 §2.5.5.2; NAT64, RFC 6052), else itself."""
    if isinstance(ip, IPv4Address):
        return ip
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip


def _is_public(ip: IPAddress) -> bool:
    if isinstance(ip, IPv6Address):
        return ip.scope_id is None and ip in _PUBLIC_V6 and not any(ip in net for net in _NOT_PUBLIC_V6)
    special = ip.is_multicast or ip.is_reserved or ip.is_unspecified
    return ip.is_global and not special and not any(ip in net for net in _NOT_PUBLIC_V4)


def literal(host: str) -> IPAddress | None:
    """The address when the host is written as one. `127.1`, `0x7f000001` and the like are names: getaddrinfo
    reads them as addresses, and what it answers is checked."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def ask_system(host: str, port: int) -> Sequence[str]:
    """The system's own look-up, in the order of RFC 6724."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _in_words(found: Sequence[str] | Exception) -> str:
    """Without the number of the system's error, which says nothing to people."""
    return (found.strerror if isinstance(found, OSError) else None) or str(found or "")


class Lookups:
    """Names to addresses, each asked exactly once (a second look-up is what DNS rebinding lives on).

    At most 16 threads; they are daemons and not an executor's, because the interpreter waits for an executor's
    threads at exit and a dead name server holds them for half a minute.
    """

    def __init__(self, resolver: Resolver | None = None) -> None:
        self._resolver = resolver or ask_system
        self._slots = asyncio.Semaphore(LOOKUPS_AT_ONCE)

    async def addresses(self, host: str, port: int) -> list[IPAddress]:
        """All answers, without repeats. Raises Stopped("connect") when there is none. The caller sets the time."""
        await self._slots.acquire()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sequence[str] | Exception] = loop.create_future()
        threading.Thread(target=self._look_up, args=(loop, answer, host, port), daemon=True).start()
        found = await answer
        if isinstance(found, Exception) or not found:
            raise Stopped("connect", f"{host} has no address: {_in_words(found) or 'empty answer'}")
        return list(dict.fromkeys(ip_address(text) for text in found))

    def _look_up(
        self,
        loop: asyncio.AbstractEventLoop,
        answer: "asyncio.Future[Sequence[str] | Exception]",
        host: str,
        port: int,
    ) -> None:
        found: Sequence[str] | Exception = OSError("the look-up broke")
        try:
            found = self._resolver(host, port)
        except (OSError, UnicodeError) as why:  # UnicodeError: a label over 63 characters
            found = why
        finally:
            with suppress(RuntimeError):  # the loop may be closed by now; then nobody waits
                loop.call_soon_threadsafe(self._settle, answer, found)

    def _settle(self, answer: "asyncio.Future[Sequence[str] | Exception]", found: Sequence[str] | Exception) -> None:
        self._slots.release()
        if not answer.done():
            answer.set_result(found)
