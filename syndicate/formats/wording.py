"""What every feed says about an article: decided here once, so that RSS, Atom, JSON Feed and mail agree."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape
from urllib.parse import quote, urlsplit, urlunsplit

from syndicate.domain.article import Article, ArticleState, Content, Picture
from syndicate.domain.feed import Site, Tombstone
from syndicate.domain.markup import excerpt, legal, plain_text
from syndicate.domain.phrases import Phrase
from syndicate.formats.dates import short_date, whole_second

_STRAY_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
# RFC 3986 §2.2 and §2.3: what may stand unquoted in a path, query or fragment, besides letters and digits.
# What nearly every address is, and what `web_address` leaves as it is: not taken apart, which costs 25 times as much.
_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_PLAIN_ADDRESS = re.compile(
    rf"https?://(?P<host>{_LABEL}(?:\.{_LABEL})*)(?::[1-9][0-9]{{0,3}})?(?:/[A-Za-z0-9._~/-]*)?"
)
_URI_SAFE = "%-._~!$&'()*+,;=:@/?"
_LIKE_A_TAG = re.compile(r"<([/!?]?\w[^<>]*)>")
_FIGURE = re.compile(r"<figure\b.*?</figure>", re.DOTALL)
_OPENING = 4000  # characters of HTML; to read a long story to its end takes 10 ms
_ABOVE_THE_LEAD = 160  # characters: a byline and a dateline, which a summary may leave out


@dataclass(frozen=True, kw_only=True)
class Image:
    """The lead picture with the address under which readers get it."""

    url: str
    picture: Picture
    small_url: str  # for mails; the same where there is no smaller one

    @property
    def alt(self) -> str:
        """Never empty if the newsroom wrote anything about the picture."""
        return self.picture.alt or self.picture.caption

    @property
    def caption(self) -> str:
        """What stands under the picture. Many newsrooms write the credit into the caption; it isn't said twice."""
        caption, credit = self.picture.caption, self.picture.credit
        return caption if _holds(caption, credit) else " ".join(filter(None, (caption, f"({credit})")))


@dataclass(frozen=True, kw_only=True)
class Wording:
    """An article as a feed shows it, after corrections and withdrawals have had their say."""

    title: str
    link: str
    newsroom: str  # the site of the newsroom that the story is from; "" for the newspaper's own
    summary: str
    body: str
    published: datetime
    modified: datetime
    language: str
    image: Image | None
    state: str  # "", "corrected" or "withdrawn"
    note: str


def wording(article: Article, site: Site) -> Wording:
    """How `article` reads now. Raises ValueError when one of its addresses is no absolute http(s) URL."""
    if article.state is ArticleState.WITHDRAWN:
        return _withdrawn(article, site)
    content = article.content
    image = image_of(article, site)
    note = article.note if article.loud_at else ""
    lead_in = _note(article, site) if note else ""
    return Wording(
        title=content.title,
        link=article_url(article, site),
        newsroom=newsroom_of(content, site),
        summary=content.summary or excerpt(content.body_html),
        body=lead_in + _figure(image, content.body_html) + content.body_html,
        published=whole_second(content.published),
        modified=_modified(article),
        language=language_tag(content.language),
        image=image,
        state="corrected" if note else "",
        note=note,
    )


def unlike_markup(text: str) -> str:
    """Plain text for a feed: readers take it for HTML and drop what looks like a tag, so that gets other brackets."""
    while (text := _LIKE_A_TAG.sub(r"‹\1›", before := text)) != before:
        pass
    return text


def tombstone_comment(tombstone: Tombstone, site: Site) -> str:
    """What the notice said. A note that no XML can carry is no reason to lose the feed that it stands on top of."""
    return legal(_notice(tombstone.withdrawn_at, tombstone.note, language=tombstone.language, site=site))


def article_url(article: Article, site: Site) -> str:
    """The newsroom's own page, or ours where it has none."""
    return web_address(article.content.url or f"{site.public_url}/articles/{article.id}")


def newsroom_of(content: Content, site: Site) -> str:
    """Where a story from elsewhere is at home, so that it doesn't read as ours; "" for the newspaper's own.

    What has a name before the newspaper's host (`bola.koran.co.id`) is a part of it.
    """
    host = _host(content.url or site.url)
    return "" if f".{host}".endswith(f".{_host(site.url)}") else host


def standfirst(content: Content) -> str:
    """What stands above a body that is shown in full: the summary, unless it only says what the body begins with."""
    start = content.summary.rstrip(" .…[]")
    opening = " ".join(plain_text(_FIGURE.sub("", content.body_html)[:_OPENING]).split())
    return "" if start in opening[: _ABOVE_THE_LEAD + len(start)] else content.summary


def image_of(article: Article, site: Site) -> Image | None:
    """The lead picture: from our own store when we hold it, else from the newsroom."""
    picture = article.content.picture
    if picture is None or not (picture.media or picture.url):
        return None
    url = f"{site.public_url}/media/{picture.media}" if picture.media else web_address(picture.url or "")
    small = f"{site.public_url}/media/{picture.small}" if picture.media and picture.small else url
    return Image(url=url, picture=picture, small_url=small)


def lead_image(image: Image | None, body: str) -> Image | None:
    """The picture that stands above `body`; None when the body shows it already."""
    if image is None or any(url and escape(url) in body for url in (image.url, image.picture.url)):
        return None
    return image


def web_address(url: str) -> str:
    """`url` as an absolute http(s) URI (RFC 3986): host in A-labels, the rest percent-encoded. Else ValueError."""
    if _PLAIN_ADDRESS.fullmatch(url):
        return url
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError(f"{url!r} is not an absolute http(s) address")
    host = parts.hostname if ":" in parts.hostname else parts.hostname.encode("idna").decode("ascii")
    host = f"[{host}]" if ":" in host else host
    netloc = f"{host}:{parts.port}" if parts.port else host
    path, query, fragment = (
        quote(_STRAY_PERCENT.sub("%25", text), safe=_URI_SAFE) for text in (parts.path, parts.query, parts.fragment)
    )
    return urlunsplit((parts.scheme, netloc, path, query, fragment))


def language_tag(code: str) -> str:
    """BCP 47; Java's `in` for Indonesian, which content systems still write, is an error there."""
    return re.sub(r"^in(?=-|$)", "id", code)


def _modified(article: Article) -> datetime:
    """When readers must look again. A correction moves it even if the newsroom's own date stood still."""
    updated = article.content.updated
    return whole_second(max(updated, article.changed_at) if article.loud_at else updated)


def _withdrawn(article: Article, site: Site) -> Wording:
    words = _words(site, article.content.language)
    notice = _notice(article.changed_at, article.note, language=article.content.language, site=site)
    return Wording(
        title=words["withdrawn_title"].format(title=article.content.title),
        link=article_url(article, site),
        newsroom=newsroom_of(article.content, site),
        summary=notice,
        body=f"<p>{escape(notice, quote=False)}</p>",
        published=whole_second(article.content.published),
        modified=whole_second(article.changed_at),
        language=language_tag(article.content.language),
        image=None,
        state="withdrawn",
        note=article.note,
    )


def _note(article: Article, site: Site) -> str:
    words = _words(site, article.content.language)
    at = article.loud_at or article.changed_at
    label = words["note"].format(date=_date(at, language=article.content.language, site=site))
    return f"<p><strong>{label}</strong> {escape(article.note, quote=False)}</p>"


def _notice(withdrawn_at: datetime, note: str, *, language: str, site: Site) -> str:
    date = _date(withdrawn_at, language=language, site=site)
    return " ".join(filter(None, (_words(site, language)["withdrawn"].format(date=date), note)))


def _words(site: Site, language: str) -> Mapping[str, Phrase]:
    return site.phrases.words(site.phrases.language_for(language), "feed")


def _date(at: datetime, *, language: str, site: Site) -> str:
    return short_date(at, zone=site.timezone, language=site.phrases.language_for(language))


def _host(url: str) -> str:
    """As readers say it, who leave out the `www.`."""
    plain = _PLAIN_ADDRESS.fullmatch(url)
    host = plain["host"] if plain else urlsplit(web_address(url)).hostname or ""
    return host.removeprefix("www.")


def _figure(image: Image | None, body: str) -> str:
    """The lead picture for readers that show only the body."""
    lead = lead_image(image, body)
    if lead is None:
        return ""
    picture = lead.picture
    size = "".join(f' {k}="{v}"' for k, v in (("width", picture.width), ("height", picture.height)) if v)
    under = f"<figcaption>{escape(lead.caption, quote=False)}</figcaption>" if lead.caption else ""
    return f'<figure><img src="{escape(lead.url)}" alt="{escape(lead.alt)}"{size}>{under}</figure>'


def _holds(caption: str, credit: str) -> bool:
    """Where credits stand in captions: after a mark such as "(Foto:", or at the end. "antara" is no "Antara"."""
    said, name = (" ".join(text.split()).casefold() for text in (caption, credit))
    return not name or bool(re.search(rf"[(\[:/©]\s?{re.escape(name)}(?!\w)|(?<!\w){re.escape(name)}\W*$", said))
