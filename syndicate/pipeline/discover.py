"""An address that a person pasted → the newsroom behind it, and the best of its channels.

Every channel is asked once, in the order in which it is worth having (gather.md §0.1): the REST API, the feed, the
sitemap, the front page. Nothing is kept.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urljoin, urlsplit

from syndicate.domain.markup import plain_text
from syndicate.domain.source import FoundArticle, Memory, SourceConfig, obeys_robots
from syndicate.errors import Refused
from syndicate.jail import JailFailure
from syndicate.net.client import FEED, Fetched, FetchFailed
from syndicate.sources import Tools, open_source
from syndicate.sources.guide import GuideReader, Link
from syndicate.sources.ladder import Closed, Trouble, parsed, whole
from syndicate.sources.moves import same_site
from syndicate.sources.reader import PageReader, story_of
from syndicate.sources.rest import RestChannel
from syndicate.sources.sitemap import SitemapMemory, Sitemaps

SHOWN = 5  # stories that a person is shown
_MOST_READ = 8  # pages, to find so many
_FEWEST = 250  # characters of a story's text; less is an excerpt (gather.md §3)
_ACCEPT = {"Accept": "text/html, application/rss+xml;q=0.9, application/xml;q=0.9, application/json;q=0.8, */*;q=0.5"}
_FEEDS = ("feed/", "rss", "rss.xml", "feed.xml", "atom.xml")  # where feeds are that no page names

Tell = Callable[[str], None]


class State(StrEnum):
    """Of a channel, as a stranger finds it."""

    OPEN = "open"
    SHUT = "shut"  # it is there, but not for us (401, 403)
    NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Channel:
    """What was found of one channel; `links` are the stories that it leads to, where it leads to any."""

    name: str  # "rest", "feed", "sitemap", "page"
    state: State
    url: str
    words: str = ""  # why it isn't open, or what is in it
    status: int | None = None  # of the answer that shut it
    links: tuple[Link, ...] = ()
    excerpts: bool = False  # its stories are cut short


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A few stories as they would be gathered, and what stood against others."""

    articles: tuple[FoundArticle, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Discovery:
    """A newsroom. `best` and `config` say how to gather it; None where no channel brings stories."""

    home: str
    channels: tuple[Channel, ...]
    best: Channel | None
    config: SourceConfig | None
    sample: Sample


@dataclass(frozen=True, kw_only=True)
class _Signs:
    """What the site says of itself."""

    home: str
    rest: str
    feeds: tuple[str, ...]
    is_wordpress: bool


async def discover(url: str, like: SourceConfig, tools: Tools, *, tell: Tell, now: datetime) -> Discovery:
    """Asks every channel of the site that `url` belongs to; without `https://` both schemes are tried.

    `like` has the newsroom's relation, zone and language. Raises Refused when the site can't be reached.
    """
    tell("asking the site")
    signs = await _read_signs(url, like, tools)
    config = replace(like, location=signs.home)
    channels = []
    for name, ask in (("rest", _rest), ("feed", _feed), ("sitemap", _sitemap), ("page", _page)):
        tell(f"asking for its {_CALLED[name]}")
        channels.append(await ask(signs, config, tools, now))
    tell("reading stories")
    problems: list[str] = []
    for channel, way in _ways(channels, signs, config):
        sample = await _take_sample(channel, way, tools, now=now)
        if sample.articles:
            return Discovery(home=signs.home, channels=tuple(channels), best=channel, config=way, sample=sample)
        problems += sample.problems
    nothing = Sample(problems=tuple(dict.fromkeys(problems)))
    return Discovery(home=signs.home, channels=tuple(channels), best=None, config=None, sample=nothing)


_CALLED: Mapping[str, str] = {"rest": "REST API", "feed": "feed", "sitemap": "sitemap", "page": "front page"}


def _ways(channels: Sequence[Channel], signs: _Signs, config: SourceConfig) -> Iterator[tuple[Channel, SourceConfig]]:
    """How the newsroom can be gathered, the best way first.

    WordPress with all its channels, so that a story stays one whichever shows it. Of other sites a feed that holds
    only excerpts leads to their pages, and is taken as it is where those can't be read.
    """
    for channel in (one for one in channels if one.state is State.OPEN):
        if signs.is_wordpress or channel.name == "rest":
            yield channel, replace(config, kind="wordpress")
        else:
            kinds = ("page", "feed") if channel.excerpts else ("feed",) if channel.name == "feed" else ("page",)
            yield from ((channel, replace(config, kind=kind, location=channel.url)) for kind in kinds)


async def _take_sample(channel: Channel, config: SourceConfig, tools: Tools, *, now: datetime) -> Sample:
    """The newest stories; of a newsroom's pages no more are read than shown."""
    if channel.name in ("sitemap", "page") or config.kind == "page":
        return await _sample_pages(channel.links, config, tools, now=now)
    gathered = await open_source(config, tools).gather(Memory(), now=now)
    newest = sorted(gathered.articles, key=lambda one: (one.content.published, one.key), reverse=True)
    problems = filter(None, (gathered.problem, *gathered.problems))
    return Sample(articles=tuple(newest[:SHOWN]), problems=tuple(problems))


async def _sample_pages(links: Sequence[Link], config: SourceConfig, tools: Tools, *, now: datetime) -> Sample:
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


async def _read_signs(url: str, like: SourceConfig, tools: Tools) -> _Signs:
    """From the page that was pasted and from the front page: an article or a feed names only a part."""
    pasted = await _arrive(url, like, tools)
    told = await _signposts(pasted, tools)
    rest = told["rest"] if same_site(told["rest"], pasted.url) else ""
    home = _home(rest or pasted.url)
    feeds, generator = [one["url"] for one in told["feeds"]], [*told["generator"]]
    if pasted.url != home:
        front = await _fetch(home, like, tools)
        more = _NO_SIGNS if isinstance(front, FetchFailed) else await _signposts(front, tools)
        is_feed = isinstance(await _entries(pasted, tools), tuple)
        # A feed that was pasted is meant; one that an article names may be of its comments.
        feeds = [*([pasted.url] if is_feed else []), *(one["url"] for one in more["feeds"]), *feeds]
        generator += more["generator"]
        rest = rest or (more["rest"] if same_site(more["rest"], home) else "")
        home = _home(rest) if rest else home
    is_wordpress = bool(rest) or any("wordpress" in one.lower() for one in generator)
    own = dict.fromkeys(one for one in feeds if same_site(one, home) or one == pasted.url)
    return _Signs(home=home, rest=rest, feeds=tuple(own), is_wordpress=is_wordpress)


async def _arrive(url: str, like: SourceConfig, tools: Tools) -> Fetched:
    """The page itself. Raises Refused."""
    candidates = [url] if "://" in url else [f"https://{url}", f"http://{url}"]
    trouble = ""
    for candidate in candidates:
        answer = await _fetch(candidate, like, tools)
        if isinstance(answer, Fetched):
            return answer
        trouble = trouble or f"{candidate} could not be reached: {answer.safe_words} ({answer.detail})"
    raise Refused(f"{trouble}. Open it in a browser to check the address, and try again")


async def _fetch(url: str, like: SourceConfig, tools: Tools) -> Fetched | FetchFailed:
    headers = {**_ACCEPT, "Accept-Language": like.language}
    robots = obeys_robots(like, page=False)
    return await tools.client.fetch("GET", url, headers=headers, caps=FEED, obey_robots=robots)


_NO_SIGNS: Mapping[str, Any] = {"rest": "", "feeds": [], "generator": []}


async def _signposts(answer: Fetched, tools: Tools) -> Mapping[str, Any]:
    made = await tools.jail.call(
        "syndicate.sources.read.signposts:read_signposts", answer.body, url=answer.url, links=list(answer.links)
    )
    return _NO_SIGNS if isinstance(made, JailFailure) else made.value


def _home(url: str) -> str:
    """The front page of a REST root, else of the host: WordPress may live in a folder."""
    if "rest_route=" in urlsplit(url).query:
        return url.partition("?")[0]
    before, is_root, _ = url.partition("/wp-json")
    return f"{before.removesuffix('/index.php')}/" if is_root else urljoin(url, "/")


async def _rest(signs: _Signs, config: SourceConfig, tools: Tools, now: datetime) -> Channel:
    channel, tried = RestChannel(config, tools.client, tools.jail), []
    for root in dict.fromkeys(filter(None, (signs.rest, f"{signs.home}wp-json/", f"{signs.home}?rest_route=/"))):
        try:
            await channel.probe(root)
        except (Closed, Trouble) as why:
            tried.append(_failed("rest", root, why))
        else:
            return Channel(name="rest", state=State.OPEN, url=root)
    return _most_telling(tried)


async def _feed(signs: _Signs, config: SourceConfig, tools: Tools, now: datetime) -> Channel:
    usual = (urljoin(signs.home, place) for place in _FEEDS)
    tried = []
    for url in dict.fromkeys([*signs.feeds, *usual]):
        try:
            answer = whole(await _fetch(url, config, tools))
            entries = await _entries(answer, tools)
        except (Closed, Trouble) as why:
            tried.append(_failed("feed", url, why))
            continue
        if isinstance(entries, str) or not entries:
            words = entries if isinstance(entries, str) else "has no entries"
            tried.append(Channel(name="feed", state=State.NONE, url=url, words=words))
            continue
        cut = sum(map(_is_cut, entries)) * 2 > len(entries)
        links = [
            Link(url=one["link"], published=one["published"], changed=one["updated"], title=one["title"])
            for one in entries
            if one["link"]
        ]
        return Channel(
            name="feed",
            state=State.OPEN,
            url=answer.permanent_url or url,
            words="excerpts only" if cut else "",
            links=tuple(links),
            excerpts=cut,
        )
    return _most_telling(tried)


def _is_cut(entry: Mapping[str, Any]) -> bool:
    return "excerpt_only" in entry["flags"] or len(plain_text(entry["body"])) < _FEWEST


async def _entries(answer: Fetched, tools: Tools) -> tuple[Mapping[str, Any], ...] | str:
    """A feed's entries, or why it is none."""
    content_type = answer.headers.get("content-type", "")
    try:
        value = await parsed(tools.jail, "syndicate.sources.read.parse:parse_feed", answer, content_type=content_type)
    except Trouble as why:
        return str(why)
    return tuple(value["items"])


async def _sitemap(signs: _Signs, config: SourceConfig, tools: Tools, now: datetime) -> Channel:
    memory = SitemapMemory()
    reader = GuideReader(config, tools.client, tools.jail, tools.rules)
    try:
        links = await Sitemaps(config, tools.client, reader).links(memory, now=now)
    except (Closed, Trouble) as why:
        return _failed("sitemap", urljoin(signs.home, "/robots.txt"), why)
    return Channel(name="sitemap", state=State.OPEN, url=memory.entries[0], links=links)


async def _page(signs: _Signs, config: SourceConfig, tools: Tools, now: datetime) -> Channel:
    reader = GuideReader(config, tools.client, tools.jail, tools.rules)
    try:
        guide = await reader.read(signs.home, {})
    except (Closed, Trouble) as why:
        return _failed("page", signs.home, why)
    if not guide.links:
        return Channel(name="page", state=State.NONE, url=signs.home, words="leads to no stories")
    return Channel(name="page", state=State.OPEN, url=signs.home, links=guide.links)


def _failed(name: str, url: str, why: Closed | Trouble) -> Channel:
    status = why.status if isinstance(why, Closed) else None
    state = State.SHUT if status in (401, 403) else State.NONE
    return Channel(name=name, state=state, url=url, words=str(why), status=status)


def _most_telling(tried: Iterable[Channel]) -> Channel:
    """Of several addresses the first that is shut, else the first: it is the one that the site itself named."""
    every = list(tried)
    return next((one for one in every if one.state is State.SHUT), every[0])
