"""The mail digest: HTML and plain text of an edition, from the templates, rendered once per variant.

What differs per person is left open as holes: `MARK-NAME-`, where MARK is 16 random letters that no story can know.
The mail channel fills them while it joins the message; `holes_filled` does so for the browser copy and previews.
"""

import re
import textwrap
from binascii import b2a_qp
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path
from zoneinfo import ZoneInfo

from syndicate.domain.article import Article
from syndicate.domain.audience import Rhythm
from syndicate.domain.feed import Site
from syndicate.domain.look import Sponsor
from syndicate.domain.newsletter import Newsletter, subject_line
from syndicate.errors import ConfigError
from syndicate.formats.dates import clock_time, day_month, long_date, short_date
from syndicate.formats.template import PAGE, WORDS, css_inliner, folders_of, open_templates
from syndicate.formats.template_words import words_of
from syndicate.formats.wording import Image, web_address, wording

HOLES = frozenset({"preferences_url", "unsubscribe_url", "view_url"})
# Gmail cuts a mail at about 102 kB of HTML, and what is cut away is the end, where the link to leave stands. Both are
# bytes of the HTML part as it is sent (quoted-printable), 1 kB = 1,000 bytes.
LARGE = 70_000
TOO_LARGE = 90_000
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
    brief: int = 0  # of the last stories only the headline is shown in the HTML part, for want of room
    language: str = ""  # of the mail's own words; "": the newsletter's
    zone: str = ""  # of dates and hours; "": the newsletter's
    updated: frozenset[str] = frozenset()  # articles that its readers have got as they were before
    repeated: frozenset[str] = frozenset()  # articles that were sent before
    rhythm: Rhythm = Rhythm.EACH
    is_whole: bool = True  # False: for some readers alone, and "in your browser" leads to their own

    @property
    def reading(self) -> str:
        """The language of the mail's own words, of those that we have."""
        return self.site.phrases.language_for(self.language or self.newsletter.language)

    @property
    def clock(self) -> str:
        """The zone of its dates and hours."""
        return self.zone or self.newsletter.timezone


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """An edition in words. `html` and `text` still have their holes; `subject` and `preheader` have none."""

    subject: str
    preheader: str
    html: str
    text: str

    @property
    def size(self) -> int:
        """Of the HTML part."""
        return html_size(self.html)


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
    section: str  # with what it is part of: "Daerah · Semarang"
    heading: str  # the section alone: "Daerah"; "" for a story of none
    subsection: str  # what is left below that heading: "Semarang"
    authors: str
    newsroom: str  # "" for the newspaper's own
    when: str
    picture: MailPicture | None
    note: str  # the newsroom's words on a correction
    corrected: str  # the day of it; "" where there is no note
    brief: bool  # only its headline
    mark: str  # that its readers have got it before; "" for what is new to them
    language: str  # of its own words, where they are others than the mail's; else ""


@dataclass(frozen=True, kw_only=True)
class Section:
    """Stories below one heading; `title` is "" for those of no section."""

    title: str
    stories: tuple[Story, ...]


def render(view: DigestView, templates: Sequence[Path]) -> Rendered:
    """The edition, from the folder `<newsletter.template>` in the first of `templates` that has it.

    A pure function of the view and the templates. A large mail gets its link to leave at the top too. Raises
    ValueError when a story can't be shown or holds the mark, ConfigError when the template doesn't exist.
    """
    if not _MARK.fullmatch(view.mark):
        raise ValueError("the mark of the holes must be 16 letters a-z")
    folders = folders_of(view.newsletter.template, templates)
    if not folders:
        raise ConfigError(f"there is no digest template called {view.newsletter.template!r}")
    language = view.reading
    words = words_of(folders, view.site.phrases, language)
    brief_from = len(view.stories) - view.brief
    stories = tuple(
        _story(article, view, words, brief=place >= brief_from) for place, article in enumerate(view.stories)
    )
    date = long_date(view.date, zone=view.clock, language=language)
    subject = subject_line(view.newsletter, lead=stories[0].title if stories else words["nothing_new"], date=date)
    preheader = _preheader(stories, words, view, date)
    facts: Mapping[str, object] = {
        "view": view,
        "stories": stories,
        "sections": _sections(stories[1:]),
        "words": words,
        "look": view.newsletter.look,
        "sponsor": _sponsor(view),
        "is_weekly": view.rhythm is Rhythm.WEEKLY,
        "edition_url": view.edition_url if view.is_whole else "",
        "subject": subject,
        "preheader": preheader,
        "date": date,
    }
    return Rendered(
        subject=subject,
        preheader=preheader,
        html=_html(folders, view.mark, facts),
        text=_fill(folders, WORDS, view.mark, facts),
    )


def html_size(html: str) -> int:
    """Bytes of an HTML part as it is sent; the mail channel's own encoder needs the same within one in a hundred."""
    return len(b2a_qp(html.replace("\n", "\r\n").encode()))


def holes_filled(body: str, mark: str, values: Mapping[str, str], *, html: bool) -> str:
    """`body` with its holes filled in one pass, so a value that looks like a hole stays as it is.

    `html` escapes the values. Raises KeyError for a hole without a value.
    """

    def value(hole: re.Match[str]) -> str:
        return escape(values[hole[1]]) if html else values[hole[1]]

    return re.sub(f"{re.escape(mark)}-([a-z_]+)-", value, body)


def _html(folders: tuple[Path, ...], mark: str, facts: Mapping[str, object]) -> str:
    for leave_on_top in (False, True):
        filled = _fill(folders, PAGE, mark, {**facts, "leave_on_top": leave_on_top})
        html = css_inliner().inline(filled)
        if html_size(html) < LARGE:
            break
    return html


def _fill(folders: tuple[Path, ...], name: str, mark: str, facts: Mapping[str, object]) -> str:
    """One template. Counts the holes it opened: one more mark than that came out of a story."""
    from jinja2 import TemplateError, TemplateNotFound

    opened: list[str] = []

    def hole(what: str) -> str:
        if what not in HOLES:
            raise ConfigError(
                f"{folders[0] / name}: there is no hole called {what!r}. Known: {', '.join(sorted(HOLES))}"
            )
        opened.append(what)
        return f"{mark}-{what}-"

    def browser_url() -> str:
        """Where the mail is read in a browser: everybody's page, or each reader's own."""
        return str(facts["edition_url"]) or hole("view_url")

    try:
        filled = open_templates(folders).get_template(name).render(facts, hole=hole, browser_url=browser_url)
    except TemplateNotFound as missing:
        raise ConfigError(f"{folders[0]}: the template's file {missing.name} is missing") from missing
    except TemplateError as flaw:
        place = getattr(flaw, "filename", None) or folders[0] / name
        raise ConfigError(f"{place}: {flaw.message}") from flaw
    if filled.count(mark) != len(opened):
        raise ValueError("a story holds the mark of the holes; take another mark")
    return filled


def _story(article: Article, view: DigestView, words: Mapping[str, str], *, brief: bool) -> Story:
    told, language = wording(article, view.site), view.reading
    mark = "updated_since" if article.id in view.updated else "sent_before" if article.id in view.repeated else ""
    content = article.content
    path = content.sections[0].split("/") if content.sections else []
    note = told.note if told.state == "corrected" else ""  # a withdrawal's stands in the summary
    at = article.loud_at or article.changed_at
    return Story(
        title=told.title,
        link=told.link,
        standfirst=textwrap.shorten(told.summary, STANDFIRST_LIMIT, placeholder=" …"),
        section=" · ".join(path),
        subsection=" · ".join(path[1:]),
        heading=path[0] if path else "",
        authors=" · ".join(content.authors),
        newsroom=told.newsroom,
        when=_when(told.published, view, language),
        picture=_picture(told.image, told.title),
        note=note,
        corrected=short_date(at, zone=view.clock, language=language) if note else "",
        brief=brief,
        mark=words[mark] if mark else "",
        language=told.language if told.language.split("-")[0] != language.split("-")[0] else "",
    )


def _sponsor(view: DigestView) -> Sponsor | None:
    """By the newsletter's own calendar, so that all readers of an edition see the same."""
    sponsor = view.newsletter.sponsor
    day = view.date.astimezone(ZoneInfo(view.newsletter.timezone)).date()
    return sponsor if sponsor and sponsor.pays_on(day) else None


def _sections(stories: Sequence[Story]) -> tuple[Section, ...]:
    """In the order of their first story; those of no section last."""
    found: dict[str, list[Story]] = {}
    for story in stories:
        found.setdefault(story.heading, []).append(story)
    titles = sorted(found, key=lambda title: not title)
    return tuple(Section(title=title, stories=tuple(found[title])) for title in titles)


def _when(at: datetime, view: DigestView, language: str) -> str:
    """The clock alone for a story of the edition's own day, else with the day."""
    zone = view.clock
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


def _preheader(stories: tuple[Story, ...], words: Mapping[str, str], view: DigestView, date: str) -> str:
    """What the list of mails shows after the subject: the lead's standfirst, and headlines until it is long enough."""
    shortest, longest = PREHEADER_SPAN
    line = stories[0].standfirst if stories else words["nothing_new"]
    for more in (*(story.title for story in stories[1:]), view.newsletter.title, date, view.site.title):
        if len(line) >= shortest:
            break
        line = " · ".join(filter(None, (line, more)))
    return textwrap.shorten(line, longest, placeholder=" …")
