"""A few stories of a newsroom as they would be gathered, for a person who wants to see what it brings.

A first import reads hundreds of stories; here no more are read than shown. Nothing is kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from syndicate.domain.source import FoundArticle, Memory, SourceConfig, obeys_robots
from syndicate.net.client import REST_PAGE
from syndicate.sources import Tools
from syndicate.sources.feed import FeedSource
from syndicate.sources.filling import Filler
from syndicate.sources.guide import Link
from syndicate.sources.ladder import Closed, Trouble, parsed, whole
from syndicate.sources.read.items import found_articles
from syndicate.sources.reader import PageReader, story_of

SHOWN = 5  # stories
_MOST_READ = 8  # pages, to find so many


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A few stories as they would be gathered, and what stood against others."""

    articles: tuple[FoundArticle, ...] = ()
    problems: tuple[str, ...] = ()


async def sample_posts(root: str, query: str, config: SourceConfig, tools: Tools, *, now: datetime) -> Sample:
    """What the REST API answers to one question."""
    url = f"{root}wp/v2/posts{'&' if '?' in root else '?'}{query}&_embed=1"
    headers = {"Accept": "application/json", "Accept-Language": config.language}
    robots = obeys_robots(config, page=False)
    try:
        answer = whole(await tools.client.fetch("GET", url, headers=headers, caps=REST_PAGE, obey_robots=robots))
        value = await parsed(tools.jail, "syndicate.sources.read.rest:read_posts", answer)
    except (Closed, Trouble) as why:
        return Sample(problems=(f"{url} {why}",))
    posts = [{**post, "language": config.language} for post in value["posts"] if not post["elsewhere"]]
    found, problems = found_articles(posts, config=config, home=config.location, channel="rest", now=now)
    return Sample(articles=found, problems=(*value["problems"], *problems))


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
