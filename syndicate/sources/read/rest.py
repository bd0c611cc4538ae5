"""Answers of WordPress's REST API, read as stories. Runs inside the jail.

Post records know more than any other channel of a newsroom: sections apart from tags, the time of the last edit,
all pages of a long story, the lead picture with its caption (gather.md §2.1).
"""

import html
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from syndicate.domain.markup import plain_text
from syndicate.sources.moves import same_site
from syndicate.sources.read.addresses import canonical, web_address
from syndicate.sources.read.entry import RawEntry, RawPicture
from syndicate.sources.read.parse import story_item
from syndicate.sources.read.words import without_illegal

MOST_POSTS = 200  # WordPress gives 100 a page
_NO_NUMBER = 10**18
_ABOVE = re.compile(r"/category/(.+?)/?$")
_DEEPEST = 8  # categories above one; more are no newsroom's
_BLANKS = str.maketrans("-/", "  ")
_WRITTEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")

same_site("https://a.example", "https://b.example")  # else it reads its list of suffixes at the first post


class _Strange(Exception):
    """Not what the API answers; the text says what it is instead."""


def read_posts(payload: bytes, options: dict[str, Any]) -> tuple[Any, bytes]:
    """`{"refused"}`, or `{"posts"}`: items as of `story_item`, with `wp_id`, `sections`, `tags`, `elsewhere`.

    `elsewhere` is the address of the original, when the newsroom says that the story is another site's. Records
    that can't be read are left out and named in `problems`.
    """
    try:
        records = _records(payload)
    except _Strange as why:
        return {"refused": str(why)}, b""
    posts, problems = [], []
    for record in records:
        try:
            posts.append(_post(record, url=options["url"]))
        except (TypeError, ValueError, KeyError, AttributeError, LookupError):
            problems.append(f"{_name(record)}: left out, since its record is not as WordPress writes them")
    return {"posts": posts, "problems": problems}, b""


def read_stamps(payload: bytes, options: dict[str, Any]) -> tuple[Any, bytes]:
    """`{"refused"}`, or `{"posts"}`: `[id, modified, link]` each, in the answer's order; "" for a time that is none."""
    try:
        stamps = [
            [_number(record["id"]), _moment(record["modified_gmt"]), _text(record["link"])[:2000]]
            for record in _records(payload)
        ]
    except _Strange as why:
        return {"refused": str(why)}, b""
    except (TypeError, KeyError, ValueError):
        return {"refused": "its list of posts is not as WordPress writes it"}, b""
    return {"posts": stamps}, b""


def _records(payload: bytes) -> list[Any]:
    try:
        found = json.loads(payload.removeprefix(b"\xef\xbb\xbf").decode())
    except (ValueError, RecursionError):
        raise _Strange("it is no JSON; perhaps a login or maintenance page") from None
    if isinstance(found, dict) and "id" in found:
        return [found]
    if not isinstance(found, list):
        raise _Strange("it is JSON, but no list of posts")
    return found[:MOST_POSTS]


def _post(record: Mapping[str, Any], *, url: str) -> dict[str, Any]:
    number = _number(record["id"])
    embedded = record.get("_embedded") or {}
    yoast = record.get("yoast_head_json") or {}
    link = web_address(_text(record["link"]), url) or ""
    entry = RawEntry(
        guid=_rendered(record.get("guid")),
        link=link,
        title=_rendered(record.get("title")),
        authors=_authors(embedded, yoast),
        published=_instant(record.get("date_gmt")) or _text(record.get("date")),
        updated=_instant(record.get("modified_gmt")),
        summary=_rendered(record.get("excerpt")),
        body=without_illegal(_rendered(record.get("content"))),
        picture=_picture(embedded, yoast),
    )
    terms = [term for group in _list(embedded.get("wp:term")) for term in _list(group) if isinstance(term, dict)]
    item = story_item(entry, feed_url=url, language="")
    if not entry.body.strip():
        item["body"] = ""  # `story_item` puts the excerpt there
    item |= {"sections": _paths(terms), "tags": _named(terms, "post_tag"), "wp_id": number}
    item["silent"] = [name for name, closed in _closed(record, embedded, item) if closed]
    item["protected"] = bool((record.get("content") or {}).get("protected")) or item["protected"]
    original = canonical(_text(yoast.get("canonical"))) if yoast.get("canonical") else None
    item["elsewhere"] = original if original and link and not same_site(original, link) else ""
    item["aliases"] = [alias for alias in (canonical(f"{_site_of(link)}/?p={number}"),) if alias]
    return item


def _closed(record: Mapping[str, Any], embedded: Mapping[str, Any], item: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """Fields that the record has, but whose values the site keeps closed: that they are empty says nothing.

    Nor does an empty text: a plugin that builds pages and is switched off empties all of them.
    """
    terms = "wp:term" not in embedded
    picture = bool(record.get("featured_media")) and item["picture"] is None
    of_text = [(name, not item["body"]) for name in ("body_html", "dateline", "initials")]
    summary = ("summary", not item["body"] and not item["summary"])
    return [
        ("authors", not item["authors"]),
        ("sections", terms),
        ("tags", terms),
        ("picture", picture),
        *of_text,
        summary,
    ]


def _site_of(link: str) -> str:
    return "/".join(link.split("/", 3)[:3])


def _authors(embedded: Mapping[str, Any], yoast: Mapping[str, Any]) -> tuple[str, ...]:
    """Embedded authors; where the site keeps them closed, the name that its SEO plugin writes."""
    named = [_text(one.get("name")) for one in _list(embedded.get("author")) if isinstance(one, dict) and "name" in one]
    return tuple(map(html.unescape, named or ([_text(yoast["author"])] if yoast.get("author") else [])))


def _picture(embedded: Mapping[str, Any], yoast: Mapping[str, Any]) -> RawPicture | None:
    """The featured image with its caption; without the media record only its address is known."""
    for media in _list(embedded.get("wp:featuredmedia")):
        if isinstance(media, dict) and media.get("source_url"):
            details = media.get("media_details") or {}
            credit = (details.get("image_meta") or {}).get("credit")
            return RawPicture(
                url=_text(media["source_url"]),
                mime_type=_text(media.get("mime_type")),
                width=str(details.get("width") or ""),
                height=str(details.get("height") or ""),
                caption=plain_text(_rendered(media.get("caption"))),
                credit=_text(credit),
                alt=_text(media.get("alt_text")),
            )
    for image in _list(yoast.get("og_image")):
        if isinstance(image, dict) and image.get("url"):
            return RawPicture(url=_text(image["url"]), mime_type=_text(image.get("type")))
    return None


def _paths(terms: list[dict[str, Any]]) -> list[str]:
    """Categories, each below those above it, which its address leads through (`/category/daerah/tulungagung/`).

    A name that the record doesn't have is the address's; an address of another form says nothing of what is above.
    """
    sections = [term for term in terms if term.get("taxonomy") == "category"]
    names = {_text(term.get("slug")): name for term in sections for name in _named([term], "category")}
    paths = []
    for term in sections:
        above = _ABOVE.search(urlsplit(_text(term.get("link"))).path)
        slugs = above[1].split("/")[:-1] if above else []
        if len(slugs) > _DEEPEST:
            slugs = []
        elements = [names.get(slug) or unquote(slug).translate(_BLANKS).title() for slug in slugs]
        paths += ["/".join([*elements, name]) for name in _named([term], "category")]
    return list(dict.fromkeys(paths))


def _named(terms: list[dict[str, Any]], taxonomy: str) -> list[str]:
    names = (html.unescape(_text(term.get("name"))) for term in terms if term.get("taxonomy") == taxonomy)
    return [name for name in dict.fromkeys(" ".join(name.split()) for name in names) if name]


def _instant(stamp: object) -> str:
    """Times of the API bear no zone; only the `_gmt` ones are to be believed (gather.md §1.7)."""
    return f"{text}Z" if (text := _moment(stamp)) else ""


def _moment(stamp: object) -> str:
    """A time of the API as it is written, or "": drafts have the year 0, and after imports anything may stand there."""
    text = _text(stamp)
    try:
        at = datetime.fromisoformat(text) if _WRITTEN.fullmatch(text) else None
    except ValueError:  # 31 February
        return ""
    return text if at else ""


def _rendered(value: object) -> str:
    return _text(value.get("rendered")) if isinstance(value, dict) else _text(value)


def _name(record: object) -> str:
    """In words for the operator."""
    number = record.get("id") if isinstance(record, dict) else None
    return f"post {number}" if isinstance(number, int) and 0 < number < _NO_NUMBER else "a post without a number"


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < _NO_NUMBER:
        raise ValueError("no post id")
    return value
