"""J: JSON Feed 1.1."""

import re
from collections.abc import Iterator

from tests.formats.rules.document import JSON, TAG, Document, Rules

# All keys of the format (SchemaStore's feed.json), but for `author`, which is JSON Feed 1.0's.
TOP_KEYS = frozenset(
    {"version", "title", "home_page_url", "feed_url", "description", "authors", "language", "items"}
) | {*("next_url", "expired", "icon", "favicon", "hubs", "user_comment")}
ITEM_KEYS = frozenset({"id", "url", "external_url", "title", "content_html", "content_text", "summary", "image"}) | {
    *("banner_image", "date_published", "date_modified", "authors", "tags", "language", "attachments")
}


def j01(doc: Document) -> Iterator[str]:
    if next(iter(doc.data), "") != "version" or doc.data.get("version") != "https://jsonfeed.org/version/1.1":
        yield "version has to come first"
    if not doc.data.get("title") or not isinstance(doc.data.get("items"), list) or doc.data.get("feed_url") != doc.url:
        yield "title, items or feed_url"


def j02(doc: Document) -> Iterator[str]:
    names = [item.get("id") for item in doc.items]
    if any(not isinstance(name, str) or not name for name in names) or len(set(names)) != len(names):
        yield "an item without an id of its own"
    for item in doc.items:
        if not item.get("content_html") and not item.get("content_text"):
            yield "an item without content"
        if TAG.search(item.get("summary", "") + item.get("content_text", "")):
            yield "HTML outside content_html"


def j03(doc: Document) -> Iterator[str]:
    for holder in (doc.data, *doc.items):
        if "author" in holder or any(not {"name", "url", "avatar"} & set(a) for a in holder.get("authors", [])):
            yield "authors are a list of people with names"
    if not doc.data.get("language") or any(not item.get("language") for item in doc.items):
        yield "no language"


def j04(doc: Document) -> Iterator[str]:
    for item in doc.items:
        tags = item.get("tags", [])
        if len(set(tags)) != len(tags) or not all(isinstance(tag, str) for tag in tags):
            yield "tags are not unique strings"


def j05(doc: Document) -> Iterator[str]:
    for item in doc.items:
        if any(not a.get("url") or not a.get("mime_type") for a in item.get("attachments", [])):
            yield "an attachment without url or mime_type"


def j06(doc: Document) -> Iterator[str]:
    if any(hub.get("type") not in ("WebSub", "rssCloud") or not hub.get("url") for hub in doc.data.get("hubs", [])):
        yield "a hub without type or url"


def j07(doc: Document) -> Iterator[str]:
    if doc.data.get("next_url", "") == doc.data.get("feed_url"):
        yield "the next page is this page"


def j08(doc: Document) -> Iterator[str]:
    for known, holder in ((TOP_KEYS, doc.data), *((ITEM_KEYS, item) for item in doc.items)):
        for key in set(holder) - known:
            if not re.fullmatch(r"_[A-Za-z][^.]+", key):
                yield f"{key!r} is neither the format's nor an extension"


def j09(doc: Document) -> Iterator[str]:
    if len(doc.raw) > 1_000_000:
        yield "over 1 MB"


RULES: Rules = {
    "J-01": (JSON, j01),
    "J-02": (JSON, j02),
    "J-03": (JSON, j03),
    "J-04": (JSON, j04),
    "J-05": (JSON, j05),
    "J-06": (JSON, j06),
    "J-07": (JSON, j07),
    "J-08": (JSON, j08),
    "J-09": (JSON, j09),
}
