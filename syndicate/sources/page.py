"""A newsroom of which only the pages can be read. Where they are, a front page, section, sitemap or feed tells."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from syndicate.domain.source import Gathered, Look, Memory, SourceConfig
from syndicate.jail import Jail
from syndicate.net.client import Client
from syndicate.sources.guide import GuideReader, Link
from syndicate.sources.ladder import Closed, Trouble, keep_word
from syndicate.sources.pages import PageChannel, PageMemory
from syndicate.sources.read.rules import PageRule
from syndicate.sources.reader import PageReader
from syndicate.sources.sitemap import SitemapMemory, Sitemaps


class PageSource:
    """Memory: a JSON text each for the pages, the sitemaps and the document at `location`."""

    def __init__(self, config: SourceConfig, client: Client, jail: Jail, rules: Sequence[PageRule]) -> None:
        self._config = config
        self._guides = GuideReader(config, client, jail, rules)
        self._sitemaps = Sitemaps(config, client, self._guides)
        self._pages = PageChannel(config, PageReader(config, client, jail, rules))

    async def gather(self, memory: Memory, *, now: datetime) -> Gathered:
        """One look. Never raises for what the other side did."""
        values = dict(memory.values) if memory.values.get("url") == self._config.location else {}
        values["url"] = self._config.location
        try:
            links = await self._links(values)
            return await look_at_pages(self._pages, values, links, now=now)
        except Closed as why:
            return self._failed(str(why))
        except Trouble as why:
            return replace(self._failed(str(why)), retry_after=why.wait)

    async def _links(self, values: dict[str, str]) -> Sequence[Link]:
        guide = await self._guides.read_location(values)
        links: Sequence[Link] = guide.links
        if guide.maps:
            sitemaps = SitemapMemory.of(values.get("sitemap", ""))
            links = await self._sitemaps.of_index(guide, sitemaps, is_first="pages" not in values)
            values["sitemap"] = sitemaps.text()
        return links

    def _failed(self, words: str) -> Gathered:
        return Gathered(look=Look.FAILED, problem=f"{self._config.location} {words}.")


async def look_at_pages(
    channel: PageChannel, values: dict[str, str], links: Sequence[Link], *, now: datetime
) -> Gathered:
    """One look at the pages that these links lead to; what is remembered of them goes into `values`.

    Raises Trouble for what may pass; a list without any link is a site in disorder.
    """
    memory = PageMemory.of(values.get("pages", ""))
    if not links:
        raise Trouble(f"leads to no stories{', though it did before' if memory.rows else ''}")
    importing = not memory.imported_at
    look = await channel.look(memory, links, confirmed=values.get("confirmed", ""), now=now)
    keep_word(values, look)
    values["pages"] = memory.text()
    return Gathered(
        look=Look.OK if memory.imported_at else Look.DEGRADED,
        articles=tuple(look.articles.values()),
        gone=frozenset(look.gone),
        memory=Memory(values=values),
        importing=importing,
        problem=look.alarm,
        problems=tuple(look.problems),
    )
