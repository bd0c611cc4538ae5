"""JSON Feed 1.0 and 1.1 (jsonfeed.org/version/1.1). Runs inside the jail, as part of `parse`."""

import json
from typing import Any

from syndicate.sources.read.entry import RawEntry, RawPicture
from syndicate.sources.read.words import paragraphs

_VERSION = "https://jsonfeed.org/version/"


def read_json_feed(text: str) -> tuple[list[RawEntry], str, str] | None:
    """The entries, the feed's language and home page; None when it is JSON, or nearly, but no feed."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or not _text(document, "version").startswith(_VERSION):
        return None
    items = document.get("items")
    feed_authors = _authors(document)
    entries = (
        [_entry(item, feed_authors) for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    )
    return entries, _text(document, "language"), _text(document, "home_page_url")


def _entry(item: dict[str, Any], feed_authors: tuple[str, ...]) -> RawEntry:
    body = _text(item, "content_html") or paragraphs(_text(item, "content_text"))
    return RawEntry(
        guid=_text(item, "id"),
        link=_text(item, "url") or _text(item, "external_url"),
        title=_text(item, "title"),
        title_is_text=True,
        authors=_authors(item) or feed_authors,
        categories=_texts(item.get("tags")),
        published=_text(item, "date_published"),
        updated=_text(item, "date_modified"),
        language=_text(item, "language"),
        summary=paragraphs(_text(item, "summary")),
        body=body,
        picture=_picture(item),
    )


def _picture(item: dict[str, Any]) -> RawPicture | None:
    for name in ("image", "banner_image"):
        if address := _text(item, name):
            return RawPicture(url=address)
    attachments = item.get("attachments")
    for attachment in attachments if isinstance(attachments, list) else []:
        if isinstance(attachment, dict) and _text(attachment, "mime_type").startswith("image/"):
            return RawPicture(url=_text(attachment, "url"), mime_type=_text(attachment, "mime_type"))
    return None


def _authors(holder: dict[str, Any]) -> tuple[str, ...]:
    """Version 1.1 has a list, 1.0 one `author`."""
    listed = holder.get("authors")
    people = listed if isinstance(listed, list) else [holder.get("author")]
    return tuple(name for person in people if isinstance(person, dict) and (name := _text(person, "name")))


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(one) for one in value if isinstance(one, str | int)) if isinstance(value, list) else ()


def _text(holder: dict[str, Any], name: str) -> str:
    """Ids are sometimes numbers; everything else that is no text is as good as missing."""
    value = holder.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and name == "id":
        return str(value)
    return value if isinstance(value, str) else ""
