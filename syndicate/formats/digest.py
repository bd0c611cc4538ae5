"""The mail digest: HTML and plain text of an edition, from the templates, rendered once per variant.

What differs per person is left open as holes: `MARK-NAME-`, where MARK is 16 random letters that no story can know.
The mail channel fills them while it joins the message; `holes_filled` does so for the browser copy and previews.
"""

import re
import textwrap
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from html import escape
from pathlib import Path
from zoneinfo import ZoneInfo

import css_inline
from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateNotFound, select_autoescape

from syndicate.domain.article import Article
from syndicate.domain.feed import Site
from syndicate.domain.newsletter import Newsletter, subject_line
from syndicate.errors import ConfigError
from syndicate.formats.dates import clock_time, day_month, long_date, reading_language
from syndicate.formats.wording import Image, web_address, wording

HOLES = frozenset({"unsubscribe_url"})
TEXT_COLUMNS = 72
PREHEADER_SPAN = (40, 90)  # characters: fewer let the client show the first links, more are cut
PICTURE_WIDTH = 600  # pixels: the width of the page
STANDFIRST_LIMIT = 320  # characters
_MARK = re.compile("[a-z]{16}")
# Word, which draws mail in Outlook on Windows, knows no others.
_MAIL_PICTURES = frozenset({"image/jpeg", "image/png", "image/gif"})


@dataclass(frozen=True, kw_only=True)
class DigestView:
    """All that an edition shows. `stories` come newest first; `date` is the slot's moment."""

    site: Site
    newsletter: Newsletter
    edition_url: str  # the same for everybody
    stories: tuple[Article, ...]
    date: datetime
    mark: str  # [a-z]{16}, random: what makes a hole a hole
    intro: str = ""
    left_out_count: int = 0


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """An edition in words. `html` and `text` still have their holes; `subject` and `preheader` have none."""

    subject: str
    preheader: str
    html: str
    text: str


@dataclass(frozen=True, kw_only=True)
class MailPicture:
    """A picture with the size at which mail shows it."""

    url: str
    alt: str
    caption: str
    width: int
    height: int | None


@dataclass(frozen=True, kw_only=True)
class Story:
    """One article, in the words of a digest."""

    title: str
    link: str
    standfirst: str
    section: str
    authors: str
    newsroom: str  # "" for the newspaper's own
    when: str
    picture: MailPicture | None


def render(view: DigestView, templates: Path) -> Rendered:
    """The edition, from `templates/<newsletter.template>/`.

    A pure function of the view and the templates. Raises ValueError when a story can't be shown or holds the mark,
    ConfigError when the template doesn't exist.
    """
    if not _MARK.fullmatch(view.mark):
        raise ValueError("the mark of the holes must be 16 letters a-z")
    folder = templates / view.newsletter.template
    language = reading_language(view.newsletter.language)
    words = _words(folder)[language]
    stories = tuple(_story(article, view, language) for article in view.stories)
    date = long_date(view.date, zone=view.newsletter.timezone, language=language)
    subject = subject_line(view.newsletter, lead=stories[0].title if stories else words["nothing_new"], date=date)
    preheader = _preheader(stories, words)
    facts: Mapping[str, object] = {
        "view": view,
        "stories": stories,
        "words": words,
        "subject": subject,
        "preheader": preheader,
        "date": date,
    }
    return Rendered(
        subject=subject,
        preheader=preheader,
        html=_inliner().inline(_fill(folder, "digest.html.j2", view.mark, facts)),
        text=_fill(folder, "digest.txt.j2", view.mark, facts),
    )


def holes_filled(body: str, mark: str, values: Mapping[str, str], *, html: bool) -> str:
    """`body` with its holes filled in one pass, so a value that looks like a hole stays as it is.

    `html` escapes the values. Raises KeyError for a hole without a value.
    """

    def value(hole: re.Match[str]) -> str:
        return escape(values[hole[1]]) if html else values[hole[1]]

    return re.sub(f"{re.escape(mark)}-([a-z_]+)-", value, body)


def _fill(folder: Path, name: str, mark: str, facts: Mapping[str, object]) -> str:
    """One template. Counts the holes it opened: one more mark than that came out of a story."""
    opened: list[str] = []

    def hole(what: str) -> str:
        if what not in HOLES:
            raise ConfigError(f"{folder / name}: there is no hole called {what!r}. Known: {', '.join(sorted(HOLES))}")
        opened.append(what)
        return f"{mark}-{what}-"

    try:
        filled = _environment(folder).get_template(name).render(facts, hole=hole)
    except TemplateNotFound as missing:
        raise ConfigError(f"{folder}: the template {missing.name} is missing there") from missing
    if filled.count(mark) != len(opened):
        raise ValueError("a story holds the mark of the holes; take another mark")
    return filled


def _story(article: Article, view: DigestView, language: str) -> Story:
    told = wording(article, view.site)
    content = article.content
    return Story(
        title=told.title,
        link=told.link,
        standfirst=textwrap.shorten(told.summary, STANDFIRST_LIMIT, placeholder=" …"),
        section=" · ".join(content.sections[0].split("/")) if content.sections else "",
        authors=" · ".join(content.authors),
        newsroom=told.newsroom,
        when=_when(told.published, view, language),
        picture=_picture(told.image, told.title),
    )


def _when(at: datetime, view: DigestView, language: str) -> str:
    """The clock alone for a story of the edition's own day, else with the day."""
    zone = view.newsletter.timezone
    clock = clock_time(at, zone=zone, language=language)
    same_day = at.astimezone(ZoneInfo(zone)).date() == view.date.astimezone(ZoneInfo(zone)).date()
    return clock if same_day else f"{day_month(at, zone=zone, language=language)}, {clock}"


def _picture(image: Image | None, title: str) -> MailPicture | None:
    if image is None or image.picture.mime_type not in _MAIL_PICTURES:
        return None
    picture = image.picture
    width = min(PICTURE_WIDTH, picture.width or PICTURE_WIDTH)
    height = round(width * picture.height / picture.width) if picture.width and picture.height else None
    url = web_address(image.small_url)
    return MailPicture(url=url, alt=image.alt or title, caption=image.caption, width=width, height=height)


def _preheader(stories: tuple[Story, ...], words: Mapping[str, str]) -> str:
    """What the list of mails shows after the subject: the lead's standfirst, and headlines until it is long enough."""
    if not stories:
        return words["nothing_new"]
    shortest, longest = PREHEADER_SPAN
    line = stories[0].standfirst
    for story in stories[1:]:
        if len(line) >= shortest:
            break
        line = " · ".join(filter(None, (line, story.title)))
    return textwrap.shorten(line or stories[0].title, longest, placeholder=" …")


def _wrapped(text: str) -> str:
    return textwrap.fill(text, TEXT_COLUMNS, break_long_words=False, break_on_hyphens=False)


@lru_cache
def _environment(folder: Path) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=select_autoescape(("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["wrapped"] = _wrapped
    return environment


@lru_cache
def _words(folder: Path) -> Mapping[str, Mapping[str, str]]:
    """The template's own words, by language."""
    try:
        return tomllib.loads((folder / "words.toml").read_text(encoding="utf-8"))
    except FileNotFoundError as missing:
        raise ConfigError(f"{folder}: there is no template here (words.toml is missing)") from missing


@lru_cache
def _inliner() -> css_inline.CSSInliner:
    """Without looking outside: by itself css-inline reads files and URLs that a stylesheet link names."""
    return css_inline.CSSInliner(load_remote_stylesheets=False, minify_css=True)
