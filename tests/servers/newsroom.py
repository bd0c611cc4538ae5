"""A real newsroom on loopback: it keeps its stories, makes its feed and validators from them, and has its bad days.

    async with open_newsroom() as newsroom:
        newsroom.publish("jembatan", "Jembatan baru dibuka", "Paragraf pertama.")
        newsroom.edit("jembatan", title="Jembatan baru ditutup lagi")
        ... newsroom.feed_url ... newsroom.looks

A newsroom that said "429, come back in 20 seconds" notes everyone who comes earlier in `impatient`.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from enum import StrEnum
from html import escape

from tests.servers.http import Heard, Site, Wire, serve

FEED = "/umpan/rss.xml"
SHOWN = 20  # items in the feed, the newest by their own dates
_FEED = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>
<title>Ruang Redaksi</title><link>{home}</link><description>Kabar dari ruang redaksi</description>
<language>id</language>
{items}
</channel></rss>
"""
_ITEM = """<item><title>{title}</title><link>{link}</link><guid isPermaLink="false">{guid}</guid>
<pubDate>{published}</pubDate><category>Kota</category><description>{summary}</description>
<content:encoded>{body}</content:encoded></item>"""
_LOGIN = "<!doctype html><html lang=id><title>Masuk</title><h1>Pemeliharaan</h1><p>Silakan kembali nanti.</p></html>"


class Trouble(StrEnum):
    """What the newsroom does instead of its duty, until it is told to stop."""

    CUT_SHORT = "cut short"  # announces the whole feed, sends half of it and hangs up
    HTML = "html"  # 200, and a maintenance page where the feed was due
    BROKEN = "broken"  # 500
    SLOW = "slow"  # takes the request and answers rightly when `hurry` is set


@dataclass(frozen=True, kw_only=True)
class Item:
    """A story as the newsroom keeps it."""

    guid: str
    link: str
    title: str
    text: str
    published: datetime
    in_feed: bool = True


@dataclass(frozen=True, kw_only=True)
class Look:
    """A request for the feed, and how it was answered."""

    status: int
    conditional: bool


@dataclass(kw_only=True)
class Newsroom:
    """The stories by their short names, and all that happened."""

    site: Site
    items: dict[str, Item] = field(default_factory=dict)
    looks: list[Look] = field(default_factory=list)
    impatient: list[float] = field(default_factory=list)  # seconds by which somebody came too early
    trouble: Trouble | None = None
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0  # requests that are being answered slowly
    _changed: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    _retry_after: int = 0  # seconds; said at the next look
    _closed_until: float = 0.0  # the event loop's seconds

    @property
    def feed_url(self) -> str:
        """Where the feed is."""
        return self.site.url(FEED)

    @property
    def closed(self) -> bool:
        """True between a 429 and the end of its Retry-After."""
        return asyncio.get_running_loop().time() < self._closed_until

    def link(self, name: str) -> str:
        """The story's page."""
        return self.site.url(f"/berita/{name}")

    def publish(self, name: str, title: str, text: str) -> None:
        """A new story, from now."""
        now = datetime.now(UTC)
        guid = f"naskah-{name}"
        self._put(name, Item(guid=guid, link=self.link(name), title=title, text=text, published=now))

    def edit(self, name: str, *, title: str = "", text: str = "") -> None:
        """Other words for the same story; its date stays."""
        old = self.items[name]
        self._put(name, replace(old, title=title or old.title, text=text or old.text))

    def back_date(self, name: str, by: timedelta) -> None:
        """The story says that it is older than it is."""
        self._put(name, replace(self.items[name], published=self.items[name].published - by))

    def change_guid(self, name: str, guid: str) -> None:
        """As after a move to another content system: a new id under the old link."""
        self._put(name, replace(self.items[name], guid=guid))

    def remove_from_feed(self, name: str) -> None:
        """The story leaves the feed; it is still the newsroom's."""
        self._put(name, replace(self.items[name], in_feed=False))

    def close_for(self, seconds: int) -> None:
        """Whoever comes next is told to stay away for so long (429)."""
        self._retry_after = seconds

    def feed(self) -> bytes:
        """The feed as it is now."""
        shown = sorted((i for i in self.items.values() if i.in_feed), key=lambda i: i.published, reverse=True)
        return _FEED.format(home=self.site.url(), items="\n".join(map(_as_rss, shown[:SHOWN]))).encode()

    async def answer(self, request: Heard, wire: Wire) -> None:
        """One look at the feed."""
        if self._retry_after or self.closed:
            await self._refuse(wire)
        elif self.trouble is Trouble.CUT_SHORT:
            body = self.feed()
            await wire.head(200, {"Content-Type": "application/rss+xml", "Content-Length": str(len(body))})
            await wire.send(body[: len(body) // 2])
            self._note(request, 200)
        elif self.trouble is Trouble.HTML:
            await wire.respond(200, _LOGIN.encode(), {"Content-Type": "text/html; charset=utf-8"})
            self._note(request, 200)
        elif self.trouble is Trouble.BROKEN:
            await wire.respond(500, b"out of order", {"Content-Type": "text/plain"})
            self._note(request, 500)
        else:
            await self._answer_rightly(request, wire)

    async def _answer_rightly(self, request: Heard, wire: Wire) -> None:
        if self.trouble is Trouble.SLOW:
            self.waiting += 1
            await self.hurry.wait()
            self.waiting -= 1
        body = self.feed()
        etag, modified = f'"{hashlib.sha256(body).hexdigest()[:20]}"', self._changed
        headers = {"ETag": etag, "Last-Modified": format_datetime(modified, usegmt=True)}
        status = 304 if _has_it(request, etag, modified) else 200
        if status == 304:
            await wire.respond(304, headers=headers)
        else:
            await wire.respond(200, body, {"Content-Type": "application/rss+xml; charset=utf-8", **headers})
        self._note(request, status)

    async def _refuse(self, wire: Wire) -> None:
        now = asyncio.get_running_loop().time()
        if self._retry_after:
            self._closed_until, self._retry_after = now + self._retry_after, 0
        else:
            self.impatient.append(self._closed_until - now)
        wait = max(round(self._closed_until - now), 1)
        await wire.respond(429, b"not so often", {"Retry-After": str(wait)})
        self.looks.append(Look(status=429, conditional=False))

    def _put(self, name: str, item: Item) -> None:
        """HTTP's dates have whole seconds: two changes in one second are told apart by the ETag alone."""
        self.items[name] = item
        self._changed = datetime.now(UTC).replace(microsecond=0)

    def _note(self, request: Heard, status: int) -> None:
        conditional = "if-none-match" in request.headers or "if-modified-since" in request.headers
        self.looks.append(Look(status=status, conditional=conditional))


@asynccontextmanager
async def open_newsroom() -> AsyncIterator[Newsroom]:
    """Listens until the block ends."""
    async with serve() as site:
        newsroom = Newsroom(site=site)
        site.on(FEED, newsroom.answer)
        yield newsroom
        newsroom.hurry.set()


def _has_it(request: Heard, etag: str, modified: datetime) -> bool:
    """RFC 9110 §13.2.2: the date counts only when no ETag was sent."""
    if held := request.headers.get("if-none-match"):
        return etag in (part.strip().removeprefix("W/") for part in held.split(","))
    since = request.headers.get("if-modified-since")
    return since is not None and parsedate_to_datetime(since) >= modified


def _as_rss(item: Item) -> str:
    body = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in item.text.split("\n\n"))
    return _ITEM.format(
        title=escape(item.title),
        link=escape(item.link),
        guid=escape(item.guid),
        published=format_datetime(item.published),
        summary=escape(item.text[:80]),
        body=escape(body),
    )
