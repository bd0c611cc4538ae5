"""Fetches URLs that come from data. The one HTTP client of the program: one instance per purpose (gathering with
politeness, pushing without).
"""

import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING

from syndicate.net.answer import FEED, PAGE, PICTURE, PUSH, REST_PAGE, Caps, FailureKind, Fetched, FetchFailed
from syndicate.net.guard import Allowed, Resolver
from syndicate.net.polite import Politeness

if TYPE_CHECKING:
    from syndicate.net.hops import Hops

__all__ = [
    "FEED",
    "PAGE",
    "PICTURE",
    "PUSH",
    "REST_PAGE",
    "Caps",
    "Client",
    "FailureKind",
    "FetchFailed",
    "Fetched",
]


class Client:
    """Opens nothing, and imports no HTTP library, before the first fetch: commands that fetch nothing start fast.

    `resolver` and `tls` are for tests with names and authorities of their own.
    """

    def __init__(
        self,
        *,
        allowed: Allowed,
        user_agent: str,
        polite: Politeness | None = None,
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allowed = allowed
        self._user_agent = user_agent
        self._polite = polite
        self._resolver = resolver
        self._tls = tls
        self._hops: Hops | None = None

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        caps: Caps,
        follow: bool = True,
        obey_robots: bool = False,
    ) -> Fetched | FetchFailed:
        """Ask once, follow redirects, give a whole answer of any status or say why there is none.

        Never raises for what the other side does. Nothing is retried. Redirects: at most `caps.hops`, never from
        https to http, each hop guarded anew; another host gets only the harmless headers; GET and HEAD follow
        301, 302, 303, 307 and 308, other methods only 307 and 308 (the same again, RFC 9110 §15.4) and 303 (a
        GET of the result); what isn't followed is returned as the answer. With `obey_robots` the robots.txt of each
        hop's site is asked first; where it says no, that is the failure.
        """
        from syndicate.net.hops import Ask, read_url

        target = read_url(url)
        if isinstance(target, FetchFailed):
            return target
        ask = Ask(method=method.upper(), url=target, headers=headers or {}, body=body)
        return await self._opened().fetch(ask, caps, follow=follow, obey_robots=obey_robots)

    async def aclose(self) -> None:
        """Close the kept connections. The client can be used again; it opens anew."""
        if self._hops is not None:
            hops, self._hops = self._hops, None
            await hops.aclose()

    def _opened(self) -> "Hops":
        if self._hops is None:
            from syndicate.net.hops import Hops
            from syndicate.net.transport import GuardedTransport

            transport = GuardedTransport(allowed=self._allowed, resolver=self._resolver, tls=self._tls)
            self._hops = Hops(transport, user_agent=self._user_agent, polite=self._polite)
        return self._hops
