"""Asks each site's robots.txt where we may look (RFC 9309), by Protego: urllib's parser knows neither `*` nor `$`
and takes the first match for the longest (gather.md §1.4).
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import httpx2

from syndicate.net.answer import KIB, MIB, Caps, Fetched, FetchFailed

if TYPE_CHECKING:
    from protego import Protego

FRESH: Final = 86_400.0  # seconds; rules are believed for a day (RFC 9309 §2.4)
KEPT: Final = 30 * 86_400.0  # seconds; what was known counts so long while robots.txt can't be reached (§2.3.1.4)
AGAIN: Final = 600.0  # seconds until a robots.txt that could not be reached is asked for again
READ: Final = 500 * KIB  # what §2.5 demands; the rest isn't parsed
LONGEST_DELAY: Final = 30.0  # seconds of Crawl-delay that we honour
MOST_SITES: Final = 256  # redirects name sites at a stranger's will, so the memory of them is bounded
ROBOTS_TXT: Final = Caps(wire_bytes=MIB, body_bytes=2 * MIB, hops=5)  # five redirects: §2.3.1.2

_TOO_MANY_REQUESTS: Final = 429  # of all 4xx the one that doesn't mean "there are no rules" (§2.3.1.3)
_TOKEN: Final = re.compile(r"[A-Za-z_-]+")  # §2.2.1


@dataclass
class _Site:
    """What one origin says. `rules` None: everything may be read; before `rules_at` nothing was ever learned."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    rules: "Protego | None" = None
    rules_at: float | None = None  # monotonic seconds
    again_at: float = 0.0  # monotonic seconds
    trouble: str = ""  # why robots.txt could not be read the last time


class Robots:
    """Remembers the rules of each origin in memory. `ask` fetches robots.txt, guarded and polite like all else;
    `slow_down` is told the Crawl-delay of a host; `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        ask: Callable[[str], Awaitable[Fetched | FetchFailed]],
        *,
        user_agent: str,
        slow_down: Callable[[str, float], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        hit = _TOKEN.match(user_agent)
        self._ask = ask
        self._token = hit[0] if hit else user_agent
        self._slow_down = slow_down
        self._clock = clock
        self._sites: dict[str, _Site] = {}

    async def refusal(self, url: httpx2.URL) -> FetchFailed | None:
        """Why this URL is not for us; None when it may be read."""
        origin = f"{url.scheme}://{url.netloc.decode('ascii')}"
        site = self._site(origin)
        async with site.lock:
            if self._clock() >= site.again_at:
                await self._learn(origin, site)
        if site.rules_at is None:
            return self._refused(site, f"{origin}/robots.txt could not be read ({site.trouble}), which means no")
        delay = site.rules.crawl_delay(self._token) if site.rules else None
        self._slow_down(url.host, min(delay or 0.0, LONGEST_DELAY))
        if site.rules is None or site.rules.can_fetch(str(url), self._token):
            return None
        return self._refused(site, f"{origin}/robots.txt keeps {self._token} away from {url}")

    async def _learn(self, origin: str, site: _Site) -> None:
        answer = await self._ask(f"{origin}/robots.txt")
        now = self._clock()
        if trouble := _trouble(answer):
            site.trouble, site.again_at = trouble, now + AGAIN
            if site.rules_at is not None and now - site.rules_at > KEPT:
                site.rules, site.rules_at = None, None
            return
        found = answer.body if isinstance(answer, Fetched) and answer.status // 100 == 2 else b""
        site.rules = await asyncio.to_thread(_parse, found) if found else None
        site.rules_at, site.again_at = now, now + FRESH

    def _refused(self, site: _Site, why: str) -> FetchFailed:
        """Asking again before the rules are asked for again would bring the same."""
        return FetchFailed(
            kind="robots",
            detail=f'{why}; for the paper\'s own site write relation = "owner"',
            maybe_delivered=False,
            wait_seconds=max(1.0, site.again_at - self._clock()),
        )

    def _site(self, origin: str) -> _Site:
        if origin not in self._sites and len(self._sites) >= MOST_SITES:
            idle = (name for name, site in self._sites.items() if not site.lock.locked())
            oldest = min(idle, key=lambda name: self._sites[name].again_at, default=None)
            if oldest is not None:
                del self._sites[oldest]
        return self._sites.setdefault(origin, _Site())


def _trouble(answer: Fetched | FetchFailed) -> str:
    """Why the answer says neither what the rules are nor that there are none."""
    if isinstance(answer, FetchFailed):
        return "" if answer.kind == "redirect" else answer.safe_words  # lost in redirects: unavailable, §2.3.1.2
    if answer.status >= 500 or answer.status == _TOO_MANY_REQUESTS:
        return f"it answered {answer.status}"
    return ""


def _parse(body: bytes) -> "Protego":
    """In a thread: half a MiB of rules takes half a second."""
    from protego import Protego

    return Protego.parse(body[:READ].decode("utf-8", "replace").removeprefix("\ufeff"))
