"""What a feed showed, as found articles: identity, times, sections. Runs outside the jail, on clean values."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from syndicate.domain.article import Content, Picture
from syndicate.domain.merge import TOLD
from syndicate.domain.selection import slug
from syndicate.domain.source import FoundArticle, SourceConfig
from syndicate.sources.read.addresses import canonical
from syndicate.sources.read.dates import choose_times

_WORDPRESS_ID = re.compile(r"^https?://.*[?&](?:amp;)?p=(\d{1,18})(?:&|$)")


def found_articles(
    items: Sequence[Mapping[str, Any]], *, config: SourceConfig, home: str, now: datetime, channel: str = "feed"
) -> tuple[tuple[FoundArticle, ...], tuple[str, ...]]:
    """The stories in the feed's order, and a line for each that was left out.

    What they say comes from `channel`; an item's own "provenance" names the fields that came another way.

    Every key is there once: of entries with one id the first keeps it, others get their link added (gather.md
    §1.8), and what has the same link too is the same story twice. A name that several entries share is nobody's
    alias, for the store takes two stories with a common name for one: a feed whose links all point at the front
    page would melt together.
    """
    shared = _shared_names(items) | {canonical(home) or ""}
    articles: dict[str, FoundArticle] = {}
    problems = []
    for item in items:
        if item["protected"]:
            problems.append(f"{item['title'][:80]!r}: left out, since its text is behind a password")
        elif not item["title"] and not item["body"]:
            problems.append(f"{(item['link'] or item['guid'])[:80]!r}: left out, since it has neither title nor text")
        else:
            key = source_key(item, shared)
            if key in articles and articles[key].content.url != item["link"]:
                key = f"{key}|{item['link']}"
            if key not in articles:
                articles[key] = _article(item, key, shared, config=config, channel=channel, now=now)
    return tuple(articles.values()), tuple(problems)


def _shared_names(items: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    # What is there twice with the same id and link is one story, so its names are its own.
    distinct = {(item["guid"] or index, item["link"]): item for index, item in enumerate(items)}
    counts = Counter(name for item in distinct.values() for name in {item["link"], item["guid"]} if name)
    return frozenset(name for name, count in counts.items() if count > 1)


def source_key(item: Mapping[str, Any], shared: frozenset[str]) -> str:
    """WordPress's post id, else guid or Atom id, else the story's own link, else a digest of title and date.

    All opaque: an id may be on an old domain for ever.
    """
    guid, link = item["guid"], item["link"]
    if item.get("wp_id"):
        return f"wp:{item['wp_id']}"
    if hit := _WORDPRESS_ID.match(guid):
        return f"wp:{hit[1]}"
    if guid:
        return str(guid)
    if link and link not in shared:
        return str(link)
    label = f"{item['title']}\n{item['published'] or item['updated']}"
    return "hash:" + hashlib.blake2b(label.encode(), digest_size=16).hexdigest()


def _article(
    item: Mapping[str, Any], key: str, shared: frozenset[str], *, config: SourceConfig, channel: str, now: datetime
) -> FoundArticle:
    published, updated, flags = choose_times(item["published"], item["updated"], zone=config.zone, now=now)
    sections, tags = _sorted(item, config)
    content = Content(
        title=item["title"] or item["summary"][:80],
        summary=item["summary"],
        body_html=item["body"],
        published=published,
        updated=updated,
        url=item["link"],
        authors=tuple(item["authors"]),
        sections=sections,
        tags=tags,
        language=item["language"] or config.language,
        picture=Picture(**item["picture"]) if item["picture"] else None,
        flags=(*flags, *item["flags"], *(() if item["title"] else ("title_guess",))),
        dateline=item["dateline"],
        initials=tuple(item["initials"]),
    )
    content = replace(content, provenance=_provenance(item, content, channel))
    every = (item["link"], item["guid"], *item.get("aliases", ()))
    names = dict.fromkeys(name for name in every if name and name not in shared)
    return FoundArticle(key=key, content=content, aliases=tuple(names))


def _provenance(item: Mapping[str, Any], content: Content, channel: str) -> dict[str, str]:
    """Which channel said what; that it says nothing is its word too. What we made up (a date, a language) has none."""
    guessed = [
        *item.get("silent", ()),  # what the newsroom keeps from this channel
        *(("published", "updated") if not item["published"] and not item["updated"] else ()),
        *(() if item["language"] else ("language",)),
    ]
    said = [name for name in TOLD if name not in guessed]
    return {name: item.get("provenance", {}).get(name, channel) for name in said}


def _sorted(item: Mapping[str, Any], config: SourceConfig) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Sections and tags: as the newsroom keeps them apart, or as the operator told us to split a feed's mix."""
    if "sections" in item:
        return tuple(item["sections"]), tuple(item["tags"])
    return _split(item["categories"], config.sections)


def _split(categories: Sequence[str], wanted: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Sections (as the operator spells them; "Daerah/Semarang" is found as "Semarang" too) and tags."""
    known = {slug(name): path for path in wanted for name in (path.rpartition("/")[2], path)}
    sections = dict.fromkeys(known[slug(name)] for name in categories if slug(name) in known)
    return tuple(sections), tuple(dict.fromkeys(name for name in categories if slug(name) not in known))
