"""What a WordPress holds: posts, pictures, authors, categories and tags, comments; and how it is set up."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from io import BytesIO
from typing import Literal

from PIL import Image

START = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)


class Status(StrEnum):
    """Of a post. `FUTURE` becomes public by itself when its date comes, without being modified by that."""

    PUBLISH = "publish"
    DRAFT = "draft"
    PRIVATE = "private"
    TRASH = "trash"
    FUTURE = "future"


@cache
def jpeg(colour: str = "steelblue", width: int = 1200, height: int = 675) -> bytes:
    """A real, small picture."""
    out = BytesIO()
    Image.new("RGB", (width, height), colour).save(out, "JPEG")
    return out.getvalue()


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A featured picture; `name` is the file's, its folder is that of the month it was uploaded in."""

    name: str = "balai-kota.jpg"
    caption: str = ""
    alt: str = ""
    title: str = ""  # in the media library; else the file's name
    credit: str = ""  # EXIF's, which newsrooms mostly leave empty; readers see the one in the caption
    data: bytes = field(default_factory=jpeg)
    id: int = 0
    uploaded: datetime = START
    changed: datetime = START  # of the file

    @property
    def path(self) -> str:
        """Where the file is."""
        return f"/wp-content/uploads/{self.uploaded:%Y/%m}/{self.name}"


@dataclass(frozen=True, kw_only=True)
class Author:
    """A user who writes."""

    id: int
    slug: str
    name: str
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class Term:
    """A category, possibly below another, or a tag."""

    id: int
    slug: str
    name: str
    taxonomy: Literal["category", "post_tag"]
    parent: int = 0


@dataclass(frozen=True, kw_only=True)
class Comment:
    """What a reader said below a post."""

    id: int
    author: str
    text: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Post:
    """A story as the database has it."""

    id: int
    slug: str
    title: str
    content: str
    date_gmt: datetime
    modified_gmt: datetime
    author: int
    guid: str  # a path of the site, or a whole URL of an older one
    excerpt: str = ""
    categories: tuple[int, ...] = ()
    tags: tuple[int, ...] = ()
    picture: int = 0
    status: Status = Status.PUBLISH
    password: str = ""
    old_slugs: tuple[str, ...] = ()
    sticky: bool = False
    revisions: tuple[int, ...] = ()  # one more with every save
    comments: tuple[Comment, ...] = ()


@dataclass(kw_only=True)
class Options:
    """What is set up once on a site; may be changed while it runs."""

    name: str = "Koran Uji"
    tagline: str = "Situs uji lokal"
    zone: str = "Asia/Jakarta"
    rest: Literal["open", "closed_401", "closed_403", "missing_404"] = "open"
    users_closed: bool = False  # by a plugin: 401, and no author in what is embedded
    seo_plugin: bool = True  # yoast_head_json, Open Graph and JSON-LD
    feed: Literal["open", "closed_403", "missing_404"] = "open"
    excerpts_only: bool = False  # "For each post in a feed, include: excerpt"
    per_feed: int = 10
    theme: Literal["tagdiv", "tagdiv_cloud", "default"] = "tagdiv"
    microdata: bool = False
    advertisements: bool = True
    sitemap: Literal["core", "yoast", "none"] = "core"
    sitemap_lastmod: bool = False  # core writes it since 6.5
    sitemap_size: int = 2000
    news_sitemap: bool = False
