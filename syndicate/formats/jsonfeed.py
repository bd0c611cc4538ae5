"""JSON Feed 1.1, by an own writer with a fixed order of keys."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from syndicate.domain.article import Article
from syndicate.domain.feed import Feed, Site, Tombstone
from syndicate.formats.dates import rfc3339
from syndicate.formats.wording import Wording, language_tag, tombstone_comment, unlike_markup, wording

VERSION = "https://jsonfeed.org/version/1.1"
_ABOUT = "deleted: stories that were withdrawn and whose notice has left this feed (RFC 6721)"


class JsonFeed:
    """The format for programmers. It has no word for corrections and deletions: they stand under `_syndicate`."""

    name = "json"
    media_type = "application/feed+json"
    flavour = "json-3"

    def fragment(self, article: Article, site: Site) -> bytes:
        """One object of `items`."""
        try:
            return _written(_item(article, wording(article, site)))
        except ValueError as trouble:  # UnicodeEncodeError (a lone surrogate) is one too
            raise ValueError(
                f"article {article.id}, version {article.version}, can't be written as JSON Feed: {trouble}"
            ) from trouble

    def parts(
        self,
        feed: Feed,
        site: Site,
        fragments: Sequence[bytes],
        *,
        updated: datetime,
        gone: Sequence[Tombstone] = (),
        archive: str | None = None,
    ) -> tuple[bytes, ...]:
        """Everything before the first item, the items with commas between, the end.

        It has no date of its own, and archives are in Atom.
        """
        head = _written(_top(feed, site, gone)).removesuffix(b"]}")
        return (head, *_with_commas(fragments), b"]}")


def _top(feed: Feed, site: Site, gone: Sequence[Tombstone]) -> Mapping[str, object]:
    return {
        "version": VERSION,
        "title": feed.title,
        "home_page_url": f"{site.public_url}/feeds/{feed.name}/",
        "feed_url": f"{site.public_url}/feeds/{feed.name}.json",
        "description": feed.description or site.description or feed.title,
        "authors": [{"name": site.title, "url": site.url}],
        "language": language_tag(feed.language),
        **({"_syndicate": {"about": _ABOUT, "deleted": [_deleted(one, site) for one in gone]}} if gone else {}),
        "items": [],
    }


def _deleted(tombstone: Tombstone, site: Site) -> Mapping[str, str]:
    """In the words of RFC 6721, which JSON Feed has none for."""
    return {
        "id": tombstone.ref,
        "when": rfc3339(tombstone.when),
        "comment": tombstone_comment(tombstone, site),
    }


def _item(article: Article, told: Wording) -> Mapping[str, object]:
    content = article.content
    title, summary = unlike_markup(told.title), unlike_markup(told.summary)
    item: dict[str, object] = {
        "id": article.public_id,
        "url": told.link,
        "title": title,
        "content_html" if told.body else "content_text": told.body or summary or title,
        "summary": summary,
        "image": told.image.url if told.image else None,
        "date_published": rfc3339(told.published),
        "date_modified": rfc3339(told.modified),
        "authors": [{"name": name} for name in content.authors],
        "tags": list(dict.fromkeys((*content.sections, *content.tags))),
        "language": told.language,
        "_syndicate": _present({"version": article.version, "state": told.state, "note": told.note}),
    }
    return _present(item)


def _present(record: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in record.items() if value}


def _with_commas(fragments: Sequence[bytes]) -> Iterator[bytes]:
    for number, fragment in enumerate(fragments):
        if number:
            yield b","
        yield fragment


def _written(record: Mapping[str, object]) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
