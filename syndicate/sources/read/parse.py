"""A feed's bytes to a plain list of stories, cleaned. Runs inside the jail, one call per feed."""

import dataclasses
import html
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from syndicate.domain.markup import excerpt, one_line, plain_text, plain_title
from syndicate.sources.read.addresses import canonical, web_address
from syndicate.sources.read.charset import decode
from syndicate.sources.read.clean import Cleaned, clean
from syndicate.sources.read.entry import RawEntry, Refused
from syndicate.sources.read.jsonfeed import read_json_feed
from syndicate.sources.read.words import credit_of, dateline_of, initials_of, opening, summarize, without_illegal
from syndicate.sources.read.xmlfeed import MOST_ENTRIES, read_xml_feed

_TAIL = re.compile(r"\s*(\[?(…|\.\.\.)\]?)\s*$")  # how cut text ends
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_MIME_TYPES = {"png": "image/png", "webp": "image/webp", "gif": "image/gif"}
_SAME = 200  # characters; a summary that shares so many with the text was cut from it
_LONGEST_SUMMARY = 600  # characters
_MOST_DIGITS = 6  # of a width or height
# How WordPress begins the titles of what has a password, in the languages of our newsrooms. Beside it excerpt feeds
# show a sentence instead of the form.
_SEALED = re.compile(r"(Diproteksi|Terproteksi|Dilindungi|Protected): ")
_SEALED_BODY = 200  # characters; a story of that title has more
_LONGEST_LINE = 1000  # characters of a title, name or caption


def parse_feed(payload: bytes, options: dict[str, Any]) -> tuple[Any, bytes]:
    """RSS 0.9x, 1.0, 2.0, Atom or JSON Feed (`content_type` and `url` are those of the answer).

    `{"refused", "wrong_type"}`, or `{"malformed", "home", "items"}` with at most 500 items whose keys are those of
    `story_item`. `malformed` says in words what was wrong with a document that could be read all the same.
    """
    text, complaint = decode(payload, options["content_type"])
    try:
        entries, language, home, malformed = _read(text)
    except Refused as why:
        return {"refused": str(why), "wrong_type": why.wrong_type}, b""
    base = web_address(home, options["url"]) if home else None
    items = [story_item(entry, feed_url=base or options["url"], language=language) for entry in entries[:MOST_ENTRIES]]
    return {"malformed": complaint or malformed, "home": base or "", "items": items}, b""


def _read(text: str) -> tuple[list[RawEntry], str, str, str]:
    if text.lstrip().startswith("{"):
        found = read_json_feed(text)
        if found is None:
            raise Refused("it is JSON, but no JSON Feed", wrong_type=True)
        return (*found, "")
    whole = without_illegal(text)
    entries, language, home, malformed = read_xml_feed(whole)
    return entries, language, home, malformed or ("" if whole == text else "it has characters that XML forbids")


def story_item(
    entry: RawEntry, *, feed_url: str, language: str, body: Cleaned | None = None, outlets: Sequence[str] = ()
) -> dict[str, Any]:
    """One story cleaned: what every reader of a newsroom's channels makes of an entry. Addresses lean on `feed_url`.

    `body` is the entry's text, where it was cleaned already; `outlets` are names of the newspaper in its datelines.
    """
    link = web_address(entry.link, feed_url) if entry.link else None
    base = web_address(entry.base, feed_url) if entry.base else None
    body = body or clean(entry.body or entry.summary, base=base or link or feed_url)
    title = _line(entry.title if entry.title_is_text else plain_title(entry.title))
    return {
        "guid": entry.guid.strip(),
        "link": canonical(link, home=feed_url) if link else None,
        "title": title,
        "authors": [name for name in map(_line, entry.authors) if name],
        "categories": [name for name in (_line(plain_title(category)) for category in entry.categories) if name],
        "published": entry.published,
        "updated": entry.updated,
        "language": next((tag for tag in (entry.language, language) if _LANGUAGE.fullmatch(tag)), None),
        "summary": _summary(entry, body.markup, outlets),
        "body": body.markup,
        "picture": _picture(entry, body, base or link or feed_url),
        "protected": body.protected or (bool(_SEALED.match(title)) and len(opening(body.markup)) < _SEALED_BODY),
        "flags": list(body.flags),
        "dateline": dateline_of(body.markup, outlets),
        "initials": list(initials_of(body.markup)),
    }


def _summary(entry: RawEntry, body: str, outlets: Sequence[str]) -> str:
    """The newsroom's own words; what a machine cut off the top of the text is cut anew, without the dateline."""
    given = opening(entry.summary) if entry.body else ""
    start = _TAIL.sub("", given)[:_SAME]
    if not start or opening(body).startswith(start):
        return summarize(body, outlets)
    return excerpt(html.escape(given), _LONGEST_SUMMARY)


def _picture(entry: RawEntry, body: Cleaned, base: str) -> dict[str, Any] | None:
    """What the feed says beside the text counts more than the first picture inside it."""
    raw = entry.picture
    url = web_address(raw.url, base) if raw else None
    if raw and url:
        caption = _line(plain_text(raw.caption))
        twin = body.picture if body.picture and body.picture.url == url else None
        return {
            "url": url,
            "alt": _line(raw.alt) or (twin.alt if twin else ""),
            "caption": caption or (twin.caption if twin else ""),
            "credit": _line(plain_text(raw.credit)) or credit_of(caption),
            "mime_type": raw.mime_type if raw.mime_type.startswith("image/") else _mime_type(url),
            "width": _pixels(raw.width),
            "height": _pixels(raw.height),
        }
    if body.picture is None:
        return None
    found = dataclasses.asdict(body.picture)
    return {
        **found,
        "credit": credit_of(found["caption"]),
        "mime_type": _mime_type(body.picture.url),
        "width": None,
        "height": None,
    }


def _mime_type(url: str) -> str:
    """A guess by the name until the picture itself is seen."""
    return _MIME_TYPES.get(urlsplit(url).path.lower().rpartition(".")[2], "image/jpeg")


def _pixels(text: str) -> int | None:
    return int(text) or None if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


def _line(text: str) -> str:
    return one_line(text)[:_LONGEST_LINE]
