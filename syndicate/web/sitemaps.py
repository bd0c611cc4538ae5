"""`/sitemap.xml`, what it names, `/sitemap-news.xml` and `/robots.txt`: what search engines ask for.

The index names one sitemap of the standing pages and one for each month of stories and editions, so that none ever
grows over the protocol's bounds and last year's need not be read again. They are made when asked for and answered as
feeds are. All lie at the top: a sitemap may only list what lies beside or below it.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from syndicate.domain.feed import month_of
from syndicate.domain.source import Relation
from syndicate.formats.news_sitemap import (
    MOST_NEWS,
    NEWS_LASTS,
    NewsStory,
    is_news,
    news_sitemap,
    news_story,
)
from syndicate.formats.sitemap import MEDIA_TYPE, MOST_URLS, Page, sitemap, sitemap_index
from syndicate.pipeline.render import edition_url
from syndicate.store import articles, changes, editions, feeds
from syndicate.store import sitemap as listing
from syndicate.store.sitemap import Span
from syndicate.web.pages import Front, missing
from syndicate.web.shelf import Served, document_of, respond

_TEXT = "text/plain; charset=utf-8"
_INDEX_STAYS = timedelta(minutes=1)  # it asks for every month there is
_READ_AT_ONCE = 100  # stories
_ALWAYS_CLOSED = ("/u/", "/p/", "/v/", "/metrics", "/healthz", "/readyz")


@dataclass(frozen=True, kw_only=True)
class News:
    """The newest stories of the paper's own newsrooms, as of a place in the change log; `MOST_NEWS` at most."""

    seq: int
    changed: datetime
    stories: tuple[NewsStory, ...]

    def shown(self, now: datetime) -> list[NewsStory]:
        """Those that are news at this moment."""
        return [story for story in self.stories if is_news(story.published, now=now)]

    def last_modified(self, now: datetime) -> datetime:
        """When the list was last another one: also when a story only became too old."""
        left = [story.published + NEWS_LASTS for story in self.stories if not is_news(story.published, now=now)]
        return max([self.changed, *(at + timedelta(seconds=1) for at in left)])


class Sitemaps:
    """The answers. It keeps the index for a minute, and the news until a story comes, changes or grows old."""

    def __init__(self, front: Front) -> None:
        self._front, self._clock = front, front.app.clock
        self._started = self._clock.now()
        self._site, self._url = front.app.site, front.app.site.public_url
        self._newsletters = tuple(front.app.newsletters)
        self._own = [config.name for config, _ in front.app.sources.values() if config.relation is Relation.OWNER]
        self._index: tuple[datetime, Served] | None = None
        self._news: News | None = None
        self._printed: tuple[tuple[int, int], Served] | None = None  # (seq, stories), and the answer
        self._robots = self._served("robots.txt", _TEXT, self._rules().encode(), self._started)

    async def show_robots(self, request: Request) -> Response:
        """Where the sitemaps are, and what is no use to a search engine."""
        return respond(self._robots, request, self._clock)

    async def show_index(self, request: Request) -> Response:
        """The standing pages, and every month that has something."""
        now = self._clock.now()
        if self._index is None or not timedelta(0) <= now - self._index[0] <= _INDEX_STAYS:
            async with self._front.app.db.read() as connection:
                found = await self._months(connection, now)
            named = [Page(url=f"{self._url}/sitemap-pages.xml"), *found]
            changed = max((page.changed for page in found if page.changed), default=self._started)
            self._index = now, await self._made("sitemap.xml", lambda: sitemap_index(named[:MOST_URLS]), changed)
        return respond(self._index[1], request, self._clock)

    async def show_pages(self, request: Request) -> Response:
        """The front page, the feeds and the newsletters."""
        async with self._front.app.db.read() as connection:
            states = await feeds.states(connection)
            latest = {name: await editions.readable(connection, newsletter=name, limit=1) for name in self._newsletters}
        issued = {name: found[0].frozen_at for name, found in latest.items() if found}
        pages = [Page(url=f"{self._url}/", changed=max(filter(None, issued.values()), default=None))]
        pages.append(Page(url=f"{self._url}/feeds/"))
        for feed in self._front.public_feeds:
            state = states.get(feed.name)
            pages.append(Page(url=f"{self._url}/feeds/{feed.name}/", changed=state.updated_at if state else None))
        pages += [Page(url=f"{self._url}/editions/{name}/", changed=issued.get(name)) for name in self._newsletters]
        changed = max(page.changed for page in [*pages, Page(url="", changed=self._started)] if page.changed)
        return respond(await self._made("sitemap-pages.xml", lambda: sitemap(pages), changed), request, self._clock)

    async def show_month(self, request: Request) -> Response:
        """The stories and editions of one month."""
        month = request.path_params["month"]
        try:
            span = self._span(month)
        except (ValueError, OverflowError):
            return missing(self._front, request)
        async with self._front.app.db.read() as connection:
            issues = await listing.readable_editions(connection, span, limit=MOST_URLS)
            stories = await listing.own_pages(connection, span, limit=MOST_URLS - len(issues))
            changed = await listing.last_changed(connection, span)
        pages = [Page(url=f"{self._url}/articles/{identifier}", changed=at) for identifier, at in stories]
        pages += [Page(url=edition_url(self._site, one.newsletter, one.slot), changed=one.frozen_at) for one in issues]
        if not pages or changed is None:
            return missing(self._front, request)
        return respond(await self._made(f"sitemap-{month}.xml", lambda: sitemap(pages), changed), request, self._clock)

    async def show_news(self, request: Request) -> Response:
        """The news of this moment."""
        now = self._clock.now()
        async with self._front.app.db.read() as connection:
            seq = await changes.head(connection)
            if self._news is None or self._news.seq != seq:
                self._news = await self._read_news(connection, seq, now)
        news, shown = self._news, self._news.shown(now)
        place = news.seq, len(shown)  # while the log stands still, stories only leave
        if self._printed is None or self._printed[0] != place:
            changed = max(news.last_modified(now), self._started)
            made = await self._made("sitemap-news.xml", lambda: news_sitemap(self._site, shown), changed)
            self._printed = place, made
        return respond(self._printed[1], request, self._clock)

    async def _read_news(self, connection: AsyncConnection, seq: int, now: datetime) -> News:
        """The newest ones win where there are too many: each stood here for hours, and engines ask every few minutes.

        An old story never comes back by an edit: its place in feed order stays where it came in.
        """
        found: dict[str, NewsStory] = {}
        below: tuple[datetime, str] | None = None
        while len(found) < MOST_NEWS:
            page = await articles.published_since(
                connection, self._own, now - NEWS_LASTS, limit=_READ_AT_ONCE, below=below
            )
            for article in page:
                with suppress(ValueError):  # no format shows it either: it is in quarantine
                    story = news_story(article, self._site)
                    if story is not None and is_news(story.published, now=now):
                        found.setdefault(story.url, story)
            if len(page) < _READ_AT_ONCE:
                break
            below = page[-1].sort_at, page[-1].id
        last = await changes.span(connection, seq - 1, seq)
        newest = sorted(islice(found.values(), MOST_NEWS), key=lambda story: story.published, reverse=True)
        return News(seq=seq, changed=max((one.at for one in last), default=self._started), stories=tuple(newest))

    async def _months(self, connection: AsyncConnection, now: datetime) -> list[Page]:
        """The sitemaps of months that have something, newest first."""
        begin = await listing.begin(connection, self._newsletters)
        found: list[Page] = []
        for month in months_back(now, to=begin) if begin else ():
            changed = await listing.last_listed(connection, self._span(month))
            if changed is not None:
                found.append(Page(url=f"{self._url}/sitemap-{month}.xml", changed=changed))
        return found

    def _span(self, month: str) -> Span:
        """A month of UTC. Raises ValueError or OverflowError for what is none."""
        start = datetime.fromisoformat(f"{month}-01T00:00:00+00:00")
        return Span(start=start, end=(start + timedelta(days=31)).replace(day=1), newsletters=self._newsletters)

    def _rules(self) -> str:
        settings = self._front.app.settings
        closed = list(_ALWAYS_CLOSED)
        if settings.web.outbox:
            closed.append("/outbox")
        if settings.sample:
            closed.append("/sample/")
        disallow = "".join(f"Disallow: {path}\n" for path in closed)
        named = "".join(f"Sitemap: {self._url}/{name}\n" for name in ("sitemap.xml", "sitemap-news.xml"))
        return f"User-agent: *\n{disallow}\n{named}"

    async def _made(self, name: str, write: Callable[[], bytes], changed: datetime) -> Served:
        """Off the loop: a full sitemap is 8 MB."""
        return await asyncio.to_thread(lambda: self._served(name, MEDIA_TYPE, write(), changed))

    def _served(self, name: str, media_type: str, plain: bytes, changed: datetime) -> Served:
        document = document_of(plain, name=name, media_type=media_type, changed=changed)
        return Served(document, f"{self._url}/{name}", private=False)


def months_back(now: datetime, *, to: datetime) -> Iterator[str]:
    """The months of UTC from that of `now` back to that of `to`, newest first: "2026-11"."""
    at, last = now.astimezone(UTC), month_of(to, zone="UTC")
    while (month := month_of(at, zone="UTC")) >= last:
        yield month
        at = at.replace(day=1) - timedelta(days=1)
