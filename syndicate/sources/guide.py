"""Documents that lead to a newsroom's stories: a front page or section, a sitemap, a feed.

For discovery only: what a story says is read on its own page. What such a document is, its answer tells.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from syndicate.domain.source import SourceConfig, obeys_robots
from syndicate.jail import Jail
from syndicate.net.client import FEED, Client, Fetched
from syndicate.sources.ladder import Trouble, parsed, whole
from syndicate.sources.moves import same_site
from syndicate.sources.read.dates import read_date
from syndicate.sources.read.rules import PageRule

MOST_LINKS = 150  # newest ones of one document
_ACCEPT = "text/html, application/xml;q=0.9, application/rss+xml;q=0.9, application/atom+xml;q=0.9, */*;q=0.5"
_GZIP = b"\x1f\x8b"
_HEAD = 4096  # bytes; a document's first element stands there
_ROOT = re.compile(rb"<(?:\w+:)?(urlset|sitemapindex|rss|feed|rdf|html)\b", re.IGNORECASE)
_SITEMAPS = (b"urlset", b"sitemapindex")
_NEVER = datetime.min.replace(tzinfo=UTC)

Kind = Literal["sitemap", "feed", "listing"]


@dataclass(frozen=True, kw_only=True)
class Link:
    """A story's address as another place of the site names it; times as written there, "" where it says none."""

    url: str
    changed: str = ""
    published: str = ""
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Guide:
    """What one such document says: the newest stories first, or, of an index, its sitemaps in its own order."""

    kind: Kind
    links: tuple[Link, ...] = ()
    maps: tuple[Link, ...] = ()


class GuideReader:
    """Reads guides, conditionally where the server gives validators."""

    def __init__(self, config: SourceConfig, client: Client, jail: Jail, rules: Sequence[PageRule]) -> None:
        self._config, self._client, self._jail = config, client, jail
        own = [PageRule(name="rules", **config.page_rule)] if config.page_rule.get("listing") else []
        self._rules = [rule.as_option() for rule in (*own, *rules)]

    async def read_location(self, values: dict[str, str]) -> Guide:
        """The document at the source's own address; what it leaves for the next look goes into `values`.

        Raises Closed or Trouble.
        """
        kept: dict[str, Any] = json.loads(values.get("guide", "{}"))
        guide = await self.read(self._config.location, kept)
        values["guide"] = json.dumps(kept)
        return guide

    async def read(self, url: str, kept: dict[str, Any]) -> Guide:
        """`kept` is what this document left at the last look, {} at the first; it is brought up to date.

        Raises Closed or Trouble.
        """
        headers = {"Accept": _ACCEPT, "Accept-Language": self._config.language}
        headers |= {name: kept[name] for name in ("If-None-Match", "If-Modified-Since") if name in kept}
        robots = obeys_robots(self._config, page=True)
        answer = whole(await self._client.fetch("GET", url, headers=headers, caps=FEED, obey_robots=robots))
        if answer.status == 304:
            if not kept:
                raise Trouble("answered 304 to a question without validators")
            return Guide(kind=kept["kind"], links=tuple(_link(row) for row in kept["links"]))
        guide = await self._parsed(answer)
        kept.clear()
        validators = _validators(answer)
        if validators and not guide.maps:  # an index is small, and tells of parts that changed
            kept |= {"kind": guide.kind, "links": [list(astuple(link)) for link in guide.links], **validators}
        return guide

    async def _parsed(self, answer: Fetched) -> Guide:
        kind = _kind(answer.body)
        if kind == "sitemap":
            return await self._sitemap(answer)
        content_type = answer.headers.get("content-type", "")
        if kind == "feed":
            value = await parsed(
                self._jail, "syndicate.sources.read.parse:parse_feed", answer, content_type=content_type
            )
            entries = [item for item in value["items"] if item["link"]]
            links = [
                Link(url=one["link"], changed=one["updated"], published=one["published"], title=one["title"])
                for one in entries
            ]
        else:
            value = await parsed(
                self._jail,
                "syndicate.sources.read.page:read_listing",
                answer,
                content_type=content_type,
                rules=self._rules,
            )
            links = [Link(url=url) for url in value["links"]]
        return Guide(kind=kind, links=self._own(links))

    async def _sitemap(self, answer: Fetched) -> Guide:
        value = await parsed(self._jail, "syndicate.sources.read.sitemap:read_sitemap", answer)
        maps = [Link(url=one["url"], changed=one["changed"]) for one in value["maps"]]
        links = [Link(**one) for one in value["pages"] if not _is_front(one["url"])]
        return Guide(
            kind="sitemap",
            links=self._own(newest_first(links, self._config.zone)),
            maps=self._own(maps, most=len(maps)),
        )

    def _own(self, links: Sequence[Link], *, most: int = MOST_LINKS) -> tuple[Link, ...]:
        """Each address of this site once: other sites' stories are not the newsroom's."""
        hosts = {urlsplit(link.url).netloc for link in links}
        own = {host for host in hosts if same_site(f"https://{host}/", self._config.location)}
        once = {link.url: link for link in reversed(links) if urlsplit(link.url).netloc in own}
        return tuple(reversed(once.values()))[:most]


def newest_first(links: Sequence[Link], zone: str) -> list[Link]:
    """By what they say of their time. Where none says anything, the newest stand last, as old WordPress has it."""
    backwards = list(reversed(links))
    return sorted(backwards, key=lambda link: moment(link.published or link.changed, zone), reverse=True)


def moment(text: str, zone: str) -> datetime:
    """A time as written, so that times can be compared; what can't be read was long ago."""
    return read_date(text, zone) or _NEVER


def _kind(body: bytes) -> Kind:
    if body.startswith(_GZIP):
        return "sitemap"
    if body[:_HEAD].lstrip().startswith(b"{"):
        return "feed"
    hit = _ROOT.search(body, 0, _HEAD)
    name = hit[1].lower() if hit else b"html"
    return "listing" if name == b"html" else "sitemap" if name in _SITEMAPS else "feed"


def _link(row: Sequence[str]) -> Link:
    url, changed, published, title = row
    return Link(url=url, changed=changed, published=published, title=title)


def _is_front(url: str) -> bool:
    return urlsplit(url).path in ("", "/") and not urlsplit(url).query


def _validators(answer: Fetched) -> Mapping[str, str]:
    """What to send next time, byte for byte."""
    told = {"If-None-Match": answer.headers.get("etag"), "If-Modified-Since": answer.headers.get("last-modified")}
    return {name: value for name, value in told.items() if value}
