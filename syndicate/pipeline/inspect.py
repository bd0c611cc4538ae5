"""What a source brings, for a person who asks: its newest stories, or one page read through every layer.

Writes nothing, remembers nothing, and asks for no more than it shows.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import unquote, urlsplit

from syndicate.domain.source import FoundArticle, Gathered, Look, Memory, SourceConfig
from syndicate.errors import Refused
from syndicate.pipeline.discover import Channel, State, ask_channel, read_signs, take_sample
from syndicate.pipeline.sample import Sample, sample_feed, sample_pages, sample_posts
from syndicate.ports import Source
from syndicate.sources import Tools
from syndicate.sources.guide import GuideReader, Link
from syndicate.sources.ladder import Closed, Trouble
from syndicate.sources.read.addresses import canonical
from syndicate.sources.read.items import found_articles
from syndicate.sources.reader import PageReader, Seen
from syndicate.sources.sitemap import SitemapMemory, Sitemaps
from syndicate.sources.wordpress import CHANNELS

SAMPLED = ("wordpress", "page")  # kinds of which only the newest stories are looked at


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """`story` is what the page alone makes, even where a person would have to look first."""

    seen: Seen
    story: FoundArticle | None = None
    told: FoundArticle | None = None  # the same story as the source's own channel tells it now
    problem: str = ""  # of the source's look, or why `told` is missing


async def glance(config: SourceConfig, source: Source, tools: Tools, *, now: datetime) -> Gathered:
    """A look at a newsroom's newest stories; at all of them where that costs one request or none."""
    if config.kind not in SAMPLED:
        return await source.gather(Memory(), now=now)
    try:
        sample = await (_of_wordpress if config.kind == "wordpress" else _of_pages)(config, tools, now=now)
    except (Refused, Closed, Trouble) as why:
        return Gathered(look=Look.FAILED, problem=f"{config.location}: {why}.")
    if sample.problems and not sample.articles:
        return Gathered(look=Look.FAILED, problem=sample.problems[0], problems=sample.problems[1:])
    return Gathered(look=Look.OK, articles=sample.articles, problems=sample.problems)


async def inspect_page(url: str, config: SourceConfig, source: Source, tools: Tools, *, now: datetime) -> Inspection:
    """The page, beside what a feed or the REST API says of the story now; a story of pages alone stands there once."""
    try:
        seen = await PageReader(config, tools.client, tools.jail, tools.rules).read(Link(url=url))
    except Trouble as why:
        seen = Seen(problem=str(why))
    found = (
        found_articles([seen.item], config=config, home=config.location, channel="page", now=now)[0]
        if seen.item
        else ()
    )
    story = next(iter(found), None)
    names = {url, canonical(url), *((story.key, *story.aliases) if story else ())}
    try:
        sample = await _told(url, seen, names, config, source, tools, now=now)
    except (Refused, Trouble) as why:
        return Inspection(seen=seen, story=story, problem=f"{why}.")
    if sample is None:
        return Inspection(seen=seen, story=story)
    told = next(iter(sample.articles), None)
    missing = "" if told else "this story isn't among those that its channel shows now."
    return Inspection(seen=seen, story=story, told=told, problem=next(filter(None, sample.problems), missing))


async def _told(
    url: str,
    seen: Seen,
    names: Container[str | None],
    config: SourceConfig,
    source: Source,
    tools: Tools,
    *,
    now: datetime,
) -> Sample | None:
    """The story as the source's channel tells it; None where that channel leads to pages only."""

    def is_it(one: FoundArticle) -> bool:
        return any(name in names for name in (one.key, one.content.url, *one.aliases))

    if config.kind == "feed":
        gathered = await source.gather(Memory(), now=now)
        return Sample(articles=tuple(filter(is_it, gathered.articles)), problems=(gathered.problem,))
    channel = await _open_channel(config, tools, now=now) if config.kind == "wordpress" else None
    if channel is not None and channel.name == "rest":
        sample = await sample_posts(channel.url, _one_post(url, seen), config, tools, now=now)
        return replace(sample, articles=tuple(filter(is_it, sample.articles)))
    if channel is not None and channel.name == "feed":
        return await sample_feed(channel.url, config, tools, now=now, is_wanted=is_it)
    return None


def _one_post(url: str, seen: Seen) -> Mapping[str, str]:
    """The question for the story of this page: by its number where the page says it, else by its address."""
    number = seen.item["wp_id"] if seen.item else None
    return {"include": str(number)} if number else {"slug": unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2])}


async def _of_wordpress(config: SourceConfig, tools: Tools, *, now: datetime) -> Sample:
    return await take_sample(await _open_channel(config, tools, now=now), config, tools, now=now)


async def _open_channel(config: SourceConfig, tools: Tools, *, now: datetime) -> Channel:
    """The channel that a look would use: the first that is open. Raises Refused, Trouble."""
    signs = await read_signs(config.location, config, tools)
    shut = []
    for name in config.channels or CHANNELS:
        channel = await ask_channel(name, signs, config, tools, now=now)
        if channel.state is State.OPEN:
            return channel
        if channel.passing:
            raise Trouble(f"{name} {channel.words}")
        shut.append(f"{name} {channel.words}")
    raise Refused("; ".join(shut))


async def _of_pages(config: SourceConfig, tools: Tools, *, now: datetime) -> Sample:
    reader = GuideReader(config, tools.client, tools.jail, tools.rules)
    guide = await reader.read(config.location, {})
    links = guide.links
    if guide.maps:
        links = await Sitemaps(config, tools.client, reader).of_index(guide, SitemapMemory(), is_first=False)
    return await sample_pages(links, config, tools, now=now)
