"""Articles and their versions: what a story is called, what changed in an edit, and how much that matters."""

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from syndicate.domain.markup import plain_text, words

CHURN_LIMIT = 24  # edits whose only sign is our own hash; after that a restless page is left alone
MAJOR_SHARE = 0.10  # share of words that makes an edit major
# A notice in capitals may stand anywhere, any other at the start of a line or in brackets. "IHSG KENA KOREKSI" is a
# headline about shares.
_NOTICE = re.compile(
    r"\bRALAT\b|\b(?:KOREKSI|HAK JAWAB)\s*[:–—]"
    r"|^\W*(?:(?:KOREKSI|HAK JAWAB)\b(?!\s+[A-Z]{2}|\s*[:–—])|(?i:ralat|koreksi|hak jawab)\s*(?:[:\])–—-]|$))"
    r"|[(\[]\s*(?i:ralat|koreksi|hak jawab)\s*[)\]]",
    re.MULTILINE,
)


class Edit(StrEnum):
    """How much an edit matters. A cosmetic one leaves the date alone; none of them mails a story again."""

    FIRST = "first"
    COSMETIC = "cosmetic"  # whitespace, caption, picture: feeds and partners get it, the date stands still
    MINOR = "minor"  # some words, summary, byline, sections
    MAJOR = "major"  # title, more than 10 % of the words, or a correction notice


class ArticleState(StrEnum):
    """Whether the newsroom still stands by the story."""

    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, kw_only=True)
class Picture:
    """The lead picture. `media` is the hash of bytes we hold (served at /media/HASH), else `url` is the newsroom's."""

    url: str | None = None
    media: str | None = None
    small: str | None = None  # hash of the same picture as mails show it, when `media` is wider
    alt: str = ""
    caption: str = ""
    credit: str = ""
    mime_type: str = "image/jpeg"
    width: int | None = None
    height: int | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Content:
    """What one version of a story says. Text is clean and legal; `body_html` has passed the sanitiser."""

    title: str
    summary: str
    body_html: str
    published: datetime  # never in the future: sources clamp it, there is no embargo yet
    updated: datetime
    url: str | None = None  # the newsroom's own page, if it has one
    authors: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()  # paths such as "Daerah/Semarang"
    tags: tuple[str, ...] = ()
    language: str = "id"
    picture: Picture | None = None
    flags: tuple[str, ...] = ()  # what we had to guess or mend, e.g. "date_guess"
    dateline: str = ""  # "MALANG POSCO MEDIA, MALANG"; it also stays in the body
    initials: tuple[str, ...] = ()  # of who wrote and edited it, from the last line: "(rex/aim)"
    provenance: Mapping[str, str] = field(default_factory=dict, hash=False)  # field → channel it came from


@dataclass(frozen=True, kw_only=True)
class Article:
    """A story in one of its versions, as it stands in the change log."""

    id: str
    public_id: str  # tag: URI, permanent, the same in every format
    source: str
    source_key: str
    version: int
    content: Content
    edit: Edit
    state: ArticleState
    first_seen: datetime
    sort_at: datetime  # feed order
    seq: int  # of its latest change
    changed_at: datetime
    announced: bool  # False: part of a first import, known to feeds only
    loud_at: datetime | None = None  # when it was last corrected or withdrawn
    note: str = ""  # the newsroom's words on a correction or withdrawal


def article_id(source: str, source_key: str) -> str:
    """Path-safe, stable: the source's name and 16 characters of base32(blake2b(source_key))."""
    digest = hashlib.blake2b(source_key.encode(), digest_size=20).digest()
    return f"{source}-{base64.b32encode(digest).decode().lower()[:16]}"


def public_id(host: str, year: int, identifier: str) -> str:
    """The permanent name of an article in all formats (RFC 4151 tag URI); stored at first sight, never remade."""
    return f"tag:{host},{year}:{identifier}"


def content_hash(content: Content) -> str:
    """Tells versions apart. Dates are left out: a touched page is not an edited story."""
    picture = content.picture
    record = [
        content.title,
        " ".join(plain_text(content.body_html).split()),
        content.body_html,
        content.summary,
        [picture.media or picture.url, picture.alt, picture.caption, picture.credit] if picture else None,
        content.authors,
        content.sections,
        content.tags,
        content.url,
        content.language,
    ]
    raw = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(raw.encode(), digest_size=16).hexdigest()


def is_correction(old: Content, new: Content) -> bool:
    """True when the newsroom itself marked the edit as a correction (press code: ralat, koreksi, hak jawab)."""
    return _notices(new) > _notices(old)


def edit_class(old: Content, new: Content) -> Edit:
    """How much the step from one version to the next matters to someone who read the first."""
    if old.title != new.title or is_correction(old, new):
        return Edit.MAJOR
    before, after = words(old.body_html), words(new.body_html)
    if before == after:
        return Edit.COSMETIC if _label(old) == _label(new) else Edit.MINOR
    return Edit.MAJOR if _changed_share(before, after) > MAJOR_SHARE else Edit.MINOR


def next_content(old: Content, new: Content, edit: Edit, *, now: datetime) -> Content:
    """The new version with the date a reader should see: a cosmetic edit doesn't move it, any other one does."""
    if edit is Edit.COSMETIC:
        return replace(new, updated=old.updated)
    moved = new.updated if new.updated > old.updated else max(now, old.updated)
    return replace(new, updated=moved)


def sort_time(published: datetime, first_seen: datetime, *, first_import: bool) -> datetime:
    """Where a story stands in a feed. A late or back-dated one comes in on top; a first import keeps its own order."""
    return min(published, first_seen) if first_import else max(published, first_seen)


def _notices(content: Content) -> int:
    return len(_NOTICE.findall(content.title + "\n" + plain_text(content.body_html)))


def _label(content: Content) -> tuple[object, ...]:
    return (content.summary, content.authors, content.sections, content.tags, content.url, content.language)


def _changed_share(before: list[str], after: list[str]) -> float:
    """Share of words taken out or put in, of the longer text. Order is not looked at: a moved paragraph is minor."""
    kept = sum((Counter(before) & Counter(after)).values())
    longest = max(len(before), len(after), 1)
    return (longest - kept) / longest
