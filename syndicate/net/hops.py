"""Follows redirects without being led anywhere: each hop is guarded, polite and within one common time, and
secrets stay with the host they were written for.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import httpx2

from syndicate.net.answer import Caps, Fetched, FetchFailed
from syndicate.net.exchange import exchange
from syndicate.net.polite import Politeness
from syndicate.net.robots import ROBOTS_TXT, Robots
from syndicate.net.transport import GuardedTransport, port_of

PERMANENT: Final = (301, 308)  # RFC 9110 §15.4
REPEATED: Final = (307, 308)  # the same method and body again
REDIRECTS: Final = (301, 302, 303, 307, 308)
BUSY: Final = (429, 503)  # the answers whose Retry-After counts for the host

OURS: Final = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding"})
HARMLESS: Final = frozenset({"accept", "accept-language", "content-type", "if-none-match", "if-modified-since"})
"""The headers another host may see. A list of what may go, not of what must stay: partners invent secret ones."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    method: str
    url: httpx2.URL
    headers: Mapping[str, str]
    body: bytes | None


@dataclass
class _TimeLeft:
    seconds: float  # of the fetch's whole time; the wait for a polite turn doesn't count


class Hops:
    """The transport and the politeness that one client's fetches share."""

    def __init__(
        self,
        transport: GuardedTransport,
        *,
        user_agent: str,
        polite: Politeness | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._user_agent = user_agent
        self._polite = polite
        self._clock = clock
        self._robots = Robots(self._fetch_robots, user_agent=user_agent, slow_down=self._slow_down, clock=clock)

    async def fetch(self, ask: Ask, caps: Caps, *, follow: bool, obey_robots: bool) -> Fetched | FetchFailed:
        """Hop until an answer is not to be followed."""
        left, permanent = _TimeLeft(caps.total_seconds), True
        for hop in range(caps.hops + 1):
            if obey_robots and (refused := await self._robots.refusal(ask.url)):
                return refused
            answer = await self._polite_hop(ask, caps, left)
            after = next_ask(ask, answer) if follow and isinstance(answer, Fetched) else None
            if isinstance(answer, FetchFailed) or after is None:
                return _with_new_address(answer) if hop and permanent else answer
            if isinstance(after, FetchFailed):
                return after
            ask, permanent = after, permanent and answer.status in PERMANENT
        return _lost(f"more than {caps.hops} redirects, the last to {ask.url}")

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def _fetch_robots(self, url: str) -> Fetched | FetchFailed:
        ask = Ask(method="GET", url=httpx2.URL(url), headers={}, body=None)
        return await self.fetch(ask, ROBOTS_TXT, follow=True, obey_robots=False)

    def _slow_down(self, host: str, seconds: float) -> None:
        if self._polite is not None:
            self._polite.slow_down(host, seconds)

    async def _polite_hop(self, ask: Ask, caps: Caps, left: _TimeLeft) -> Fetched | FetchFailed:
        if self._polite is None:
            return await self._hop(ask, caps, left)
        host = ask.url.host
        async with self._polite.turn(host) as closed_seconds:
            if closed_seconds:
                return _asked_to_wait(host, closed_seconds)
            answer = await self._hop(ask, caps, left)
            if isinstance(answer, Fetched) and answer.status in BUSY:
                self._polite.heed(host, answer.headers)
            return answer

    async def _hop(self, ask: Ask, caps: Caps, left: _TimeLeft) -> Fetched | FetchFailed:
        started = self._clock()
        try:
            return await exchange(self._transport, self._request(ask), caps, left.seconds)
        finally:
            left.seconds -= self._clock() - started

    def _request(self, ask: Ask) -> httpx2.Request:
        given = {name: value for name, value in ask.headers.items() if name.lower() not in OURS}
        names = {name.lower() for name in given}
        ours = {"User-Agent": self._user_agent, "Accept": "*/*", "Accept-Encoding": "gzip"}
        headers = {name: value for name, value in ours.items() if name.lower() not in names} | given
        raw = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
        return httpx2.Request(ask.method, ask.url, headers=raw, content=ask.body)


def read_url(url: str) -> httpx2.URL | FetchFailed:
    try:
        return httpx2.URL(url)
    except httpx2.InvalidURL as why:
        return FetchFailed(kind="bad_url", detail=str(why), maybe_delivered=False)


def next_ask(ask: Ask, answer: Fetched) -> Ask | FetchFailed | None:
    """Where the answer sends us; None when it is to be returned as it is. `Client.fetch` states the rules."""
    location = answer.headers.get("location")
    if answer.status not in REDIRECTS or not location:
        return None
    idempotent = ask.method in ("GET", "HEAD")
    if not idempotent and answer.status not in (303, *REPEATED):
        return None
    target = _target(ask.url, location)
    if isinstance(target, FetchFailed):
        return target
    same_again = idempotent or answer.status in REPEATED
    return Ask(
        method=ask.method if same_again else "GET",
        url=target,
        headers=_carried(ask, target),
        body=ask.body if same_again else None,
    )


def _target(base: httpx2.URL, location: str) -> httpx2.URL | FetchFailed:
    try:
        target = base.join(_as_text(location)).copy_with(fragment=None)
    except (httpx2.InvalidURL, ValueError) as why:  # ValueError: urllib's word for a bad [address]
        return _lost(f"Location {location!r}: {why}")
    if base.scheme == "https" and target.scheme == "http":
        return _lost(f"from https to {target}")
    return target


def _as_text(location: str) -> str:
    """Many sites write raw UTF-8 into Location, as browsers allow; header text comes to us as latin-1."""
    try:
        return location.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return location


def _carried(ask: Ask, target: httpx2.URL) -> Mapping[str, str]:
    if _is_same_party(ask.url, target):
        return ask.headers
    return {name: value for name, value in ask.headers.items() if name.lower() in HARMLESS}


def _is_same_party(old: httpx2.URL, new: httpx2.URL) -> bool:
    """The same origin (RFC 6454), or its move from http to https on the usual ports."""
    upgraded = (old.scheme, port_of(old), new.scheme, port_of(new)) == ("http", 80, "https", 443)
    same = (old.scheme, port_of(old)) == (new.scheme, port_of(new))
    return old.host == new.host and (same or upgraded)


def _with_new_address(answer: Fetched | FetchFailed) -> Fetched | FetchFailed:
    return replace(answer, permanent_url=answer.url) if isinstance(answer, Fetched) else answer


def _lost(detail: str) -> FetchFailed:
    return FetchFailed(kind="redirect", detail=detail, maybe_delivered=False)


def _asked_to_wait(host: str, seconds: float) -> FetchFailed:
    return FetchFailed(
        kind="asked_to_wait",
        detail=f"{host} asked to be left alone for another {seconds:.0f} s",
        maybe_delivered=False,
        wait_seconds=seconds,
    )
