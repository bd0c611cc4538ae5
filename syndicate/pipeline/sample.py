"""A few stories of a newsroom as they would be gathered, for a person who wants to see what it brings.

A first import reads hundreds of stories; here no more are read than shown. Nothing is kept.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from syndicate.domain.source import FoundArticle, Memory, SourceConfig
from syndicate.sources import Tools
from syndicate.sources.feed import FeedSource
from syndicate.sources.filling import Filler
from syndicate.sources.guide import Link
from syndicate.sources.ladder import Closed, Trouble
from syndicate.sources.reader import PageReader, story_of
from syndicate.sources.rest import RestChannel

SHOWN = 5  # stories
_MOST_READ = 8  # pages, to find so many


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A few stories as they would be gathered, and what stood against others."""

    articles: tuple[FoundArticle, ...] = ()
    problems: tuple[str, ...] = ()


async def sample_posts(
    root: str, query: Mapping[str, str], config: SourceConfig, tools: Tools, *, now: datetime
) -> Sample:
    """What the REST API answers to one question."""
    try:
        look = await RestChannel(config, tools.client, tools.jail).peek(root, query, now=now)
    except (Closed, Trouble) as why:
        return Sample(problems=(f"{root} {why}",))
    return Sample(articles=tuple(look.articles.values()), problems=tuple(look.problems))


async def sample_feed(
    url: str,
    config: SourceConfig,
    tools: Tools,
    *,
    now: datetime,
    is_wanted: Callable[[FoundArticle], bool] = lambda _article: True,
) -> Sample:
    """The newest of a feed's stories that are wanted; of WordPress with what their own pages know better."""
    gathered = await FeedSource(replace(config, location=url), tools.client, tools.jail).gather(Memory(), now=now)
    wanted = filter(is_wanted, gathered.articles)
    newest = sorted(wanted, key=lambda one: (one.content.published, one.key), reverse=True)[:SHOWN]
    problems = [*filter(None, (gathered.problem, *gathered.problems))]
    if config.kind != "wordpress":
        return Sample(articles=tuple(newest), problems=tuple(problems))
    filler = Filler(config, PageReader(config, tools.client, tools.jail, tools.rules))
    whole_ones, missing = await filler.fill(newest, {}, lacks=lambda _content: True, most=SHOWN, now=now)
    return Sample(articles=whole_ones, problems=(*problems, *missing))


async def sample_pages(links: Sequence[Link], config: SourceConfig, tools: Tools, *, now: datetime) -> Sample:
    """What the first of these pages make."""
    reader = PageReader(config, tools.client, tools.jail, tools.rules)
    articles: list[FoundArticle] = []
    problems: list[str] = []
    for link in links[:_MOST_READ]:
        try:
            seen = await reader.read(link)
        except Trouble as why:
            problems.append(f"{link.url}: {why}")
            break
        story, problem = story_of(seen.item, config, now=now) if seen.item else (None, seen.problem)
        articles += [story] if story else []
        problems += [f"{link.url}: {problem}"] if problem else []
        if len(articles) == SHOWN:
            break
    return Sample(articles=tuple(articles), problems=tuple(problems))
