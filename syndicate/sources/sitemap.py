"""A newsroom's sitemaps: where they are, and which of their parts name the newest stories (gather.md §2.4)."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urljoin, urlsplit

from syndicate.domain.source import SourceConfig
from syndicate.net.client import FEED, Client, FetchFailed
from syndicate.sources.guide import Guide, GuideReader, Link, moment
from syndicate.sources.ladder import Closed, Trouble, Unreadable, is_due
from syndicate.sources.moves import same_site
from syndicate.sources.read.addresses import web_address

_PLACES = ("/wp-sitemap.xml", "/sitemap_index.xml", "/news-sitemap.xml", "/sitemap.xml")
_AGAIN = timedelta(days=7)  # between two searches for sitemaps
_MOST_ENTRIES = 5  # sitemaps that robots.txt names
_FEW = 50  # links; a part that has just been begun doesn't hold all the newest
_MOST_PARTS = 3
_NAMED = re.compile(rb"^[ \t]*sitemap[ \t]*:[ \t]*(\S{1,2000})", re.IGNORECASE | re.MULTILINE)
_NO_STORIES = re.compile(
    r"categor|kategori|taxonom|tag|topi[ck]|author|user|penulis|page|halaman|image|video|product|attachment|local",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(\d{1,9})\D*$")


@dataclass(kw_only=True)
class SitemapMemory:
    """What is remembered of a site's sitemaps; `documents` as `GuideReader` keeps them."""

    entries: list[str] = field(default_factory=list)
    found_at: str = ""
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> "SitemapMemory":
        """From what `text` gave."""
        return cls(**json.loads(text)) if text else cls()

    def text(self) -> str:
        """As a source's memory keeps it."""
        return json.dumps(asdict(self), separators=(",", ":"))


class Sitemaps:
    """One look at a time. The news sitemap names the last two days, the newest part of the others what was before."""

    def __init__(self, config: SourceConfig, client: Client, reader: GuideReader) -> None:
        self._config, self._client, self._reader = config, client, reader

    async def links(self, memory: SitemapMemory, *, now: datetime) -> tuple[Link, ...]:
        """The newest stories first. Raises Closed when no sitemap leads to any, Trouble for what may pass.

        A sitemap that is closed or can't be read is passed over, and one in trouble too while others lead to stories;
        but without times in them the first look wants them all, for what it lacks would be news later.
        """
        is_first = not memory.found_at
        if not memory.entries or is_due(memory.found_at, _AGAIN, now):
            memory.entries, memory.found_at = await self._entries(), now.isoformat()
        visit = _Visit(kept=memory.documents, is_first=is_first)
        found: list[Link] = []
        working: list[str] = []
        for entry in memory.entries:
            if working and entry in self._guesses() and not _is_news(entry) and not all(map(_is_news, working)):
                continue  # the same sitemaps under the name that another plugin gives them
            if guide := await self._read(entry, visit):
                working.append(entry)
                found += [*guide.links, *await self._parts(guide.maps, visit)]
        if visit.troubles and (not found or (is_first and not _are_dated(found))):
            raise visit.troubles[0]
        if not found and visit.unreadable:
            raise visit.unreadable
        if not found:
            raise Closed("has none that leads to stories")
        memory.entries = memory.entries if visit.troubles else working
        memory.documents = visit.left
        return merged_links(found)

    async def of_index(self, guide: Guide, memory: SitemapMemory, *, is_first: bool) -> tuple[Link, ...]:
        """The newest stories of an index that was read already, by the rules of `links`. Raises Trouble."""
        visit = _Visit(kept=memory.documents, is_first=is_first)
        links = merged_links(await self._parts(guide.maps, visit))
        if visit.troubles and (not links or (is_first and not _are_dated(links))):
            raise visit.troubles[0]
        memory.documents = visit.left
        return links

    async def _entries(self) -> list[str]:
        """As robots.txt names them, else where they usually are; those for news first."""
        answer = await self._client.fetch("GET", urljoin(self._config.location, "/robots.txt"), caps=FEED)
        body = b"" if isinstance(answer, FetchFailed) or answer.status != 200 else answer.body
        told = [web_address(one.decode("utf-8", "replace"), self._config.location) for one in _NAMED.findall(body)]
        own = [one for one in dict.fromkeys(told) if one and same_site(one, self._config.location)]
        useful = sorted((one for one in own if not _NO_STORIES.search(_name(one))), key=lambda one: not _is_news(one))
        return useful[:_MOST_ENTRIES] or self._guesses()

    def _guesses(self) -> list[str]:
        return [urljoin(self._config.location, place) for place in _PLACES]

    async def _parts(self, maps: Sequence[Link], visit: "_Visit") -> list[Link]:
        """Of an index: its news sitemap, and as many of the newest other parts as hold enough stories.

        An older part never stands in for a newer one in trouble: its stories would look new to us. Nor, at the first
        look, for one that is closed, unless it says when its stories changed: the newer ones would be news later.
        """
        useful = [one for one in maps if not _NO_STORIES.search(_name(one.url))]
        newest = sorted(useful, key=self._age, reverse=True)
        posts = [one for one in newest if "post" in _name(one.url)] or [one for one in newest if not _is_news(one.url)]
        found: list[Link] = []
        for part in [one for one in newest if _is_news(one.url)][:1]:
            found += await self._links(part, visit)
        older: list[Link] = []
        is_whole = True
        for part in posts[:_MOST_PARTS]:
            before = len(visit.troubles)
            links = await self._links(part, visit)
            if visit.is_first and not is_whole and not _are_dated(links):
                break
            older += links
            is_whole = is_whole and bool(links)
            if len(older) >= _FEW or len(visit.troubles) > before:
                break
        return found + older

    def _age(self, part: Link) -> tuple[datetime, int]:
        place = urlsplit(part.url)
        number = _NUMBER.search(f"{place.path}?{place.query}")
        return moment(part.changed, self._config.zone), int(number[1]) if number else 0

    async def _links(self, part: Link, visit: "_Visit") -> Sequence[Link]:
        guide = await self._read(part.url, visit)
        return guide.links if guide else ()

    async def _read(self, url: str, visit: "_Visit") -> Guide | None:
        """None when it is closed, not readable, no sitemap, or in trouble that may pass; that is noted.

        Raises Trouble when the site wants to be left alone.
        """
        kept = visit.kept.get(url, {})
        try:
            guide = await self._reader.read(url, kept)
        except Closed:
            return None
        except Unreadable as why:
            visit.unreadable = why
            return None
        except Trouble as why:
            if why.wait:
                raise
            visit.troubles.append(why)
            return None
        if guide.kind != "sitemap":
            return None
        if kept:
            visit.left[url] = kept
        return guide


@dataclass(kw_only=True)
class _Visit:
    """One look through the documents: what they left the last time, what they leave now, and what went wrong."""

    kept: dict[str, dict[str, Any]]
    is_first: bool
    left: dict[str, dict[str, Any]] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)  # those that may pass
    unreadable: Unreadable | None = None


def merged_links(links: Sequence[Link]) -> tuple[Link, ...]:
    """Each address once, at its first place, with all that is said of it anywhere."""
    found: dict[str, Link] = {}
    for link in links:
        held = found.setdefault(link.url, link)
        said = {name: getattr(held, name) or getattr(link, name) for name in ("changed", "published", "title")}
        found[link.url] = replace(held, **said)
    return tuple(found.values())


def _are_dated(links: Sequence[Link]) -> bool:
    return all(link.changed or link.published for link in links)


def _name(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[2].lower()


def _is_news(url: str) -> bool:
    return "news" in _name(url)
