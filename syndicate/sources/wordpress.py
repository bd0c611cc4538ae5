"""A newsroom on WordPress, through the best of its channels that is open: REST, else its feed, else its pages, which
its sitemap or else its front page leads to.

One source is one newsroom, so a story keeps its identity whatever channel shows it: WordPress's post number stands in
all of them (gather.md §0.2). A channel that is shut is tried again after a week; trouble that may pass is no reason
to change the channel.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from syndicate.domain.article import Content
from syndicate.domain.source import Gathered, Look, Memory, SourceConfig, obeys_robots
from syndicate.jail import Jail, JailFailure
from syndicate.net.client import PAGE, Client, FetchFailed
from syndicate.sources.feed import FeedSource
from syndicate.sources.filling import Filler
from syndicate.sources.guide import GuideReader
from syndicate.sources.ladder import Closed, Trouble, asked_wait, keep_word, whole
from syndicate.sources.moves import same_site
from syndicate.sources.page import look_at_pages
from syndicate.sources.pages import PageChannel
from syndicate.sources.posts import RestMemory
from syndicate.sources.read.rules import PageRule
from syndicate.sources.reader import PageReader
from syndicate.sources.rest import RestChannel
from syndicate.sources.sitemap import SitemapMemory, Sitemaps
from syndicate.sources.watch import FeedWatch

CHANNELS = ("rest", "feed", "sitemap", "page")
_SHUT_FOR = timedelta(days=7)  # then a shut channel is tried again (gather.md §2.2)
_POOR, _UNSIGNED = 10, 5  # stories filled in from their pages in one look, through the feed and through REST


class WordPressSource:
    """Memory: a JSON text for each channel, `shut:CHANNEL` with the time until which it is left alone, and why."""

    def __init__(self, config: SourceConfig, client: Client, jail: Jail, rules: Sequence[PageRule]) -> None:
        self._config, self._client, self._jail = config, client, jail
        self._rest = RestChannel(config, client, jail)
        reader = PageReader(config, client, jail, rules)
        self._filler, self._pages = Filler(config, reader), PageChannel(config, reader)
        self._watch = FeedWatch(config, reader)
        self._guides = GuideReader(config, client, jail, rules)
        self._sitemaps = Sitemaps(config, client, self._guides)

    async def gather(self, memory: Memory, *, now: datetime) -> Gathered:
        """One look through the first channel that is open. Never raises for what the other side did.

        That another one is shut is trouble only when none is open. What was learned stays, also when the look failed.
        """
        values = dict(memory.values) if memory.values.get("url") == self._config.location else {}
        values["url"] = self._config.location
        notes: list[str] = []
        for channel in self._config.channels or CHANNELS:
            until, _, why = values.get(f"shut:{channel}", "").partition(" ")
            if until and datetime.fromisoformat(until) > now:
                notes.append(f"{channel} {why}")
                continue
            try:
                gathered = await self._through(channel, values, now=now)
            except Closed as closed:
                notes.append(f"{channel} {closed}")
                values[f"shut:{channel}"] = f"{(now + _SHUT_FOR).isoformat()} {closed}"
                continue
            except Trouble as trouble:
                gathered = self._failed([*notes, f"{channel} {trouble}"], wait=trouble.wait)
            else:
                values.pop(f"shut:{channel}", None)
            return replace(gathered, memory=Memory(values=values))
        return replace(self._failed(notes), memory=Memory(values=values))

    async def _through(self, channel: str, values: dict[str, str], *, now: datetime) -> Gathered:
        """One look through one channel; what it remembers goes into `values`."""
        ways = {
            "rest": self._through_rest,
            "feed": self._through_feed,
            "sitemap": self._through_sitemap,
            "page": self._through_page,
        }
        return await ways[channel](values, now=now)

    async def _through_rest(self, values: dict[str, str], *, now: datetime) -> Gathered:
        memory = RestMemory.of(values.get("rest", ""))
        importing = not memory.imported_at
        memory.root = memory.root or await self._find_root(values)
        look = await self._rest.look(memory, confirmed=values.get("confirmed", ""), now=now)
        keep_word(values, look)
        values["rest"] = memory.text()
        gathered = Gathered(
            look=Look.OK if look.articles or look.gone else Look.UNCHANGED,
            articles=tuple(look.articles.values()),
            gone=frozenset(look.gone),
            importing=importing,
            problem=look.alarm,
            problems=tuple(look.problems),
        )
        return await self._filled(gathered, values, lacks=_is_unsigned, most=_UNSIGNED, now=now)

    async def _through_feed(self, values: dict[str, str], *, now: datetime) -> Gathered:
        if "feed_url" not in values:
            await self._read_signposts(values)
        feed = FeedSource(replace(self._config, location=values["feed_url"]), self._client, self._jail)
        gathered = await feed.gather(Memory(values=json.loads(values.get("feed", "{}"))), now=now)
        if gathered.memory is not None:
            values["feed"] = json.dumps(dict(gathered.memory.values))
        if gathered.shut:
            raise Closed(gathered.problem.removeprefix(f"The feed {values['feed_url']} ").rstrip("."))
        return await self._watched(
            await self._filled(gathered, values, lacks=_is_poor, most=_POOR, now=now), values, now=now
        )

    async def _through_sitemap(self, values: dict[str, str], *, now: datetime) -> Gathered:
        memory = SitemapMemory.of(values.get("sitemap", ""))
        links = await self._sitemaps.links(memory, now=now)
        gathered = await look_at_pages(self._pages, values, links, now=now)
        values["sitemap"] = memory.text()  # only now: a first look that failed is to be followed by a first look
        return gathered

    async def _through_page(self, values: dict[str, str], *, now: datetime) -> Gathered:
        guide = await self._guides.read_location(values)
        return await look_at_pages(self._pages, values, guide.links, now=now)

    async def _watched(self, gathered: Gathered, values: dict[str, str], *, now: datetime) -> Gathered:
        """With what is gone of the feed's stories, where we may ask their pages."""
        if gathered.look is Look.FAILED or "page" not in (self._config.channels or CHANNELS):
            return gathered
        confirmed = values.get("confirmed", "")
        seen = await self._watch.look(values, gathered.articles, confirmed=confirmed, now=now)
        keep_word(values, seen)
        problem = "; ".join(filter(None, [gathered.problem, seen.alarm]))
        return replace(gathered, gone=gathered.gone | seen.gone, problem=problem)

    async def _filled(
        self, gathered: Gathered, values: dict[str, str], *, lacks: Callable[[Content], bool], most: int, now: datetime
    ) -> Gathered:
        """With what the stories' own pages know better, where we may read them."""
        if not gathered.articles or "page" not in (self._config.channels or CHANNELS):
            return gathered
        articles, problems = await self._filler.fill(gathered.articles, values, lacks=lacks, most=most, now=now)
        return replace(gathered, articles=articles, problems=(*gathered.problems, *problems))

    async def _find_root(self, values: dict[str, str]) -> str:
        """Where the REST API lies: as the site says, else where it usually is. Raises Closed when there is none."""
        if "root" not in values:  # else they were read by a look that failed
            await self._read_signposts(values)
        home = _slashed(self._config.location)
        last = Closed("is not there")
        for root in dict.fromkeys(r for r in (values["root"], f"{home}wp-json/", f"{home}?rest_route=/") if r):
            try:
                await self._rest.probe(root)
            except Closed as why:
                last = why
            else:
                return root
        del values["root"]
        raise last

    async def _read_signposts(self, values: dict[str, str]) -> None:
        """What the front page says about REST and feeds; its silence means the usual places."""
        home = self._config.location
        headers, robots = {"Accept": "text/html"}, obeys_robots(self._config, page=False)
        answer = await self._client.fetch("GET", home, headers=headers, caps=PAGE, obey_robots=robots)
        front = whole(answer) if isinstance(answer, FetchFailed) else answer
        if front.status == 429 or front.status >= 500:
            raise Trouble(f"could not be asked: the front page answered {front.status}", wait=asked_wait(front))
        values |= {"root": "", "feed_url": f"{_slashed(home)}feed/"}
        parsed = await self._jail.call(
            "syndicate.sources.read.signposts:read_signposts", front.body, url=front.url, links=list(front.links)
        )
        if isinstance(parsed, JailFailure):
            return
        named = [parsed.value["rest"], *(feed["url"] for feed in parsed.value["feeds"])]
        rest, *feeds = [url if url and same_site(url, home) else "" for url in named]
        values["root"] = rest
        values["feed_url"] = next(filter(None, feeds), values["feed_url"])

    def _failed(self, channels: Sequence[str], *, wait: timedelta | None = None) -> Gathered:
        """`channels` are those that were tried, each with what is wrong with it."""
        words = f"{self._config.location}: {'; '.join(channels)}."
        return Gathered(look=Look.FAILED, problem=words, retry_after=wait)


def _is_poor(content: Content) -> bool:
    """What feeds mostly show."""
    return content.picture is None or "excerpt_only" in content.flags


def _is_unsigned(content: Content) -> bool:
    """All that REST may lack for sure: sites that close their list of authors still show the byline."""
    return not content.authors


def _slashed(url: str) -> str:
    return url if url.endswith("/") else f"{url}/"
