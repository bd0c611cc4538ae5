"""A WordPress newsroom on loopback that holds its posts and computes every answer from them.

    async with open_wordpress(Options(theme="default")) as wordpress:
        wordpress.publish("jembatan", "Jembatan baru dibuka", "Paragraf pertama.", categories=["Malang Raya/Batu"])
        wordpress.now += timedelta(minutes=5)
        wordpress.edit("jembatan", title="Jembatan baru ditutup lagi")
        ... wordpress.home ... wordpress.link("jembatan") ... wordpress.log ...

The clock stands still until a test moves it. What it does was taken from recordings of a real WordPress.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum

import httpx2

from tests.servers.http import Heard, Site, Wire, serve
from tests.servers.wordpress_desk import Desk
from tests.servers.wordpress_feeds import answer_feed, wanted_feed
from tests.servers.wordpress_pages import MAINTENANCE, answer_page, not_found
from tests.servers.wordpress_pictures import answer_picture
from tests.servers.wordpress_posts import START, Options, Picture, Post, Status, jpeg
from tests.servers.wordpress_rest import answer_rest
from tests.servers.wordpress_sitemaps import answer_sitemap
from tests.servers.wordpress_wire import HTML, Answer, Asked, read_query

__all__ = ["START", "Asked", "Options", "Picture", "Post", "Status", "Trouble", "Wordpress", "jpeg", "open_wordpress"]


class Trouble(StrEnum):
    """What the site does instead of its duty, at every address, until it is told to stop."""

    MAINTENANCE = "maintenance"  # 200 and a page of HTML
    CUT_SHORT = "cut short"  # announces the whole, sends half of it and hangs up
    SLOW = "slow"  # takes the request and answers rightly when `hurry` is set


@dataclass(kw_only=True)
class Wordpress(Desk):
    """The running site: the editors' verbs of `Desk`, its troubles, and a log of all that was asked."""

    site: Site
    log: list[Asked] = field(default_factory=list)
    trouble: Trouble | None = None
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0  # requests that are being answered slowly
    weak_etags: bool = False  # as behind nginx, which packs
    _refusals: list[Answer] = field(default_factory=list)

    @property
    def feed_url(self) -> str:
        """Where the feed of all posts is."""
        return f"{self.home}/feed/"

    def refuse(self, times: int = 1, *, status: int = 429, retry_after: str | None = "120") -> None:
        """The next requests get this status, whatever they ask; `retry_after` is seconds or an HTTP date."""
        said = (("Retry-After", retry_after),) if retry_after is not None else ()
        self._refusals += [Answer(status=status, body=b"Too busy", headers=(HTML, *said))] * times

    def seen(self, path: str) -> list[Asked]:
        """What was asked at this path."""
        return [asked for asked in self.log if asked.path == path]

    async def ask(self, path: str, headers: dict[str, str] | None = None) -> httpx2.Response:
        """What a stranger gets here, which the log tells too; redirects are not followed."""
        # No TLS here: loading the authorities would take most of a test's time.
        async with httpx2.AsyncClient(base_url=self.home, trust_env=False, verify=False) as client:
            return await client.get(path, headers=headers)

    async def answer(self, request: Heard, wire: Wire) -> None:
        """One request."""
        asked = Asked(
            method=request.method,
            path=request.path,
            query=read_query(request.target),
            headers=request.headers,
            target=request.target,
        )
        if self.trouble is Trouble.SLOW:
            await self._dawdle()
        answer = self._answer(asked)
        self.log.append(replace(asked, status=answer.status))
        await self._send(wire, asked, answer.weakened() if self.weak_etags else answer)

    async def _dawdle(self) -> None:
        self.waiting += 1
        await self.hurry.wait()
        self.waiting -= 1

    async def _send(self, wire: Wire, asked: Asked, answer: Answer) -> None:
        length = () if answer.status == 304 else (("Content-Length", str(len(answer.body))),)
        await wire.head(answer.status, (*answer.headers, *length))
        if self.trouble is Trouble.CUT_SHORT:
            await wire.send(answer.body[: len(answer.body) // 2])
            return
        if asked.method != "HEAD":
            await wire.send(answer.body)
        wire.keep = True

    def _answer(self, asked: Asked) -> Answer:
        if self._refusals:
            return self._refusals.pop(0)
        if self.trouble is Trouble.MAINTENANCE:
            return Answer(body=MAINTENANCE, headers=(HTML,))
        if asked.path.startswith("/wp-json") or "rest_route" in asked.query:
            return self._rest(asked)
        found = answer_picture(self, asked) or answer_sitemap(self, asked) or self._feed(asked)
        return found or answer_page(self, asked)

    def _rest(self, asked: Asked) -> Answer:
        if self.options.rest == "closed_403":
            return _forbidden()
        if self.options.rest == "missing_404":
            return not_found(self)
        route = asked.query.get("rest_route", asked.path.removeprefix("/wp-json"))
        return answer_rest(self, asked, route)

    def _feed(self, asked: Asked) -> Answer | None:
        wanted = wanted_feed(asked)
        if wanted and self.options.feed == "closed_403":
            return _forbidden()
        if wanted and self.options.feed == "missing_404":
            return not_found(self)
        return (answer_feed(self, asked, wanted) or not_found(self)) if wanted else None


def _forbidden() -> Answer:
    return Answer(status=403, body=b"<html><h1>403 Forbidden</h1></html>", headers=(HTML,))


@asynccontextmanager
async def open_wordpress(options: Options | None = None) -> AsyncIterator[Wordpress]:
    """Listens until the block ends."""
    async with serve() as site:
        wordpress = Wordpress(site=site, home=site.url(""), options=options or Options(), now=START)
        site.on("*", wordpress.answer)
        yield wordpress
        wordpress.hurry.set()
