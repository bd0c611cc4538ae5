"""An address that a person pasted → the newsroom behind it, and the best of its channels.

Every channel is asked once, in the order in which it is worth having (gather.md §0.1): the REST API, the feed, the
sitemap, the front page. Nothing is kept.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urljoin, urlsplit

from syndicate.domain.markup import plain_text
from syndicate.domain.source import SourceConfig, obeys_robots
from syndicate.errors import Refused
from syndicate.jail import JailFailure
from syndicate.net.client import FEED, Fetched, FetchFailed
from syndicate.net.guard import literal
from syndicate.pipeline.sample import SHOWN, Sample, sample_feed, sample_pages, sample_posts
from syndicate.sources import Tools
from syndicate.sources.guide import GuideReader, Link
from syndicate.sources.ladder import Closed, Trouble, asked_wait, parsed, whole
from syndicate.sources.moves import same_site
from syndicate.sources.rest import RestChannel
from syndicate.sources.sitemap import SitemapMemory, Sitemaps

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
    passing: bool = False  # it may be open another time
    links: tuple[Link, ...] = ()
    excerpts: bool = False  # its stories are cut short


@dataclass(frozen=True, kw_only=True)
class Discovery:
    """A newsroom. `best` and `config` say how to gather it; None where no channel brings stories."""

    home: str
    channels: tuple[Channel, ...]
    best: Channel | None
    config: SourceConfig | None
    sample: Sample


@dataclass(frozen=True, kw_only=True)
class Signs:
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
    signs = await read_signs(url, like, tools)
    config = replace(like, location=signs.home)
    channels = []
    for name, called in _CALLED.items():
        tell(f"asking for its {called}")
        channels.append(await ask_channel(name, signs, config, tools, now=now))
    tell("reading stories")
    problems: list[str] = []
    for channel, way in _ways(channels, signs, config):
        sample = await take_sample(channel, way, tools, now=now)
        if sample.articles:
            return Discovery(home=signs.home, channels=tuple(channels), best=channel, config=way, sample=sample)
        problems += sample.problems
    nothing = Sample(problems=tuple(dict.fromkeys(problems)))
    return Discovery(home=signs.home, channels=tuple(channels), best=None, config=None, sample=nothing)


async def ask_channel(name: str, signs: Signs, config: SourceConfig, tools: Tools, *, now: datetime) -> Channel:
    """How a stranger finds this channel."""
    ways = {"rest": _rest, "feed": _feed, "sitemap": _sitemap, "page": _page}
    return await ways[name](signs, config, tools, now)


_CALLED: Mapping[str, str] = {"rest": "REST API", "feed": "feed", "sitemap": "sitemap", "page": "front page"}


def _ways(channels: Sequence[Channel], signs: Signs, config: SourceConfig) -> Iterator[tuple[Channel, SourceConfig]]:
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


async def take_sample(channel: Channel, config: SourceConfig, tools: Tools, *, now: datetime) -> Sample:
    """The newest stories of a channel that is open, as this config would gather them."""
    if channel.name in ("sitemap", "page") or config.kind == "page":
        return await sample_pages(channel.links, config, tools, now=now)
    if channel.name == "rest":
        return await sample_posts(channel.url, {"per_page": str(SHOWN)}, config, tools, now=now)
    return await sample_feed(channel.url, config, tools, now=now)


async def read_signs(url: str, like: SourceConfig, tools: Tools) -> Signs:
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
    return Signs(home=home, rest=rest, feeds=tuple(own), is_wordpress=is_wordpress)


async def _arrive(url: str, like: SourceConfig, tools: Tools) -> Fetched:
    """The page itself. Raises Refused."""
    candidates = [url] if "://" in url else [f"https://{url}", f"http://{url}"]
    trouble = ""
    for candidate in candidates:
        answer = await _fetch(candidate, like, tools)
        if isinstance(answer, Fetched):
            if answer.status in _BUSY or answer.status >= 500:
                raise Refused(f"{candidate} answered {answer.status}: {_later(asked_wait(answer))}")
            return answer
        trouble = trouble or f"{candidate} {_unreached(candidate, answer)}"
    raise Refused(trouble)


_BUSY = (408, 429)


def _later(wait: timedelta | None) -> str:
    minutes = -(-(wait or timedelta()) // timedelta(minutes=1))
    return f"the site is too busy or out of order just now. Try again {f'in {minutes} min' if minutes else 'later'}"


def _unreached(url: str, why: FetchFailed) -> str:
    """Why there is no answer, and what to do about it."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    cures = {
        "refused_address": f'If it is meant, write its address into [net] allow: "{_address(parts.hostname)}:{port}"',
        "timeout": "The site is too slow just now, or leaves us without an answer: try again later",
        "asked_to_wait": _later(timedelta(seconds=why.wait_seconds or 0)),
        "robots": "Ask the newsroom to let us in there",
    }
    cure = cures.get(why.kind, "Open it in a browser to check the address, and try again")
    return f"could not be reached: {why.safe_words} ({why.detail}). {cure}"


def _address(host: str | None) -> str:
    """For `[net] allow`, which takes no names."""
    found = literal(host or "")
    return "ADDRESS" if found is None else f"[{found}]" if found.version == 6 else str(found)


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


async def _rest(signs: Signs, config: SourceConfig, tools: Tools, now: datetime) -> Channel:
    channel, tried = RestChannel(config, tools.client, tools.jail), []
    for root in dict.fromkeys(filter(None, (signs.rest, f"{signs.home}wp-json/", f"{signs.home}?rest_route=/"))):
        try:
            await channel.probe(root)
        except (Closed, Trouble) as why:
            tried.append(_failed("rest", root, why))
        else:
            return Channel(name="rest", state=State.OPEN, url=root)
    return _most_telling(tried)


async def _feed(signs: Signs, config: SourceConfig, tools: Tools, now: datetime) -> Channel:
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


async def _sitemap(signs: Signs, config: SourceConfig, tools: Tools, now: datetime) -> Channel:
    memory = SitemapMemory()
    reader = GuideReader(config, tools.client, tools.jail, tools.rules)
    try:
        links = await Sitemaps(config, tools.client, reader).links(memory, now=now)
    except (Closed, Trouble) as why:
        return _failed("sitemap", urljoin(signs.home, "/robots.txt"), why)
    return Channel(name="sitemap", state=State.OPEN, url=memory.entries[0], links=links)


async def _page(signs: Signs, config: SourceConfig, tools: Tools, now: datetime) -> Channel:
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
    passing = isinstance(why, Trouble)
    return Channel(name=name, state=state, url=url, words=str(why), status=status, passing=passing)


def _most_telling(tried: Iterable[Channel]) -> Channel:
    """Of several addresses the first that is shut, else the first: it is the one that the site itself named."""
    every = list(tried)
    return next((one for one in every if one.state is State.SHUT), every[0])
