"""What all pages have in common: templates, words, stylesheet, and the one type whose text is taken as markup."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from syndicate.app import App
from syndicate.domain.feed import Feed
from syndicate.formats import FORMATS
from syndicate.formats.dates import clock_time, long_date, rfc3339, short_date
from syndicate.settings import assets
from syndicate.web.language import chosen_language, page_language
from syndicate.web.tally import Tally

FORMAT_NAMES: Mapping[str, str] = {"rss": "RSS", "atom": "Atom", "json": "JSON Feed"}
_ASSETS: Mapping[str, str] = {"page.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"}
_FOREVER = "public, max-age=31536000, immutable"
SHORTLY = "public, max-age=60"  # pages that a withdrawal must reach soon
NEVER = "no-store"


@dataclass(frozen=True, slots=True)
class SafeHtml:
    """Markup that passed the sanitiser when its article was taken in. Nothing else is shown unescaped."""

    markup: str

    def __html__(self) -> str:
        """Jinja2 and MarkupSafe ask for this."""
        return self.markup


@dataclass(frozen=True, kw_only=True)
class Asset:
    """A file that comes with the program."""

    path: str  # with a hash of its bytes in it, so that it may be kept for ever
    media_type: str
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Alternate:
    """A feed as `<link rel="alternate">` names it."""

    url: str
    title: str
    media_type: str
    label: str  # "RSS"


@dataclass(frozen=True, kw_only=True)
class Front:
    """What pages are made with."""

    app: App
    tally: Tally
    environment: Environment
    assets: Mapping[str, Asset]

    @property
    def public_feeds(self) -> list[Feed]:
        """The feeds that anybody may know of."""
        return [feed for feed in self.app.feeds.values() if not feed.partners]


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A time on a page, in words and for machines."""

    day: str
    clock: str
    machine: str


def open_front(app: App, tally: Tally) -> Front:
    """Reads templates and assets, once."""
    folder = assets("templates") / "web"
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    del environment.filters["safe"]  # SafeHtml is the only way
    return Front(
        app=app,
        tally=tally,
        environment=environment,
        assets={name: _asset(folder, name, media_type) for name, media_type in _ASSETS.items()},
    )


def page(
    front: Front,
    request: Request,
    template: str,
    *,
    status: int = 200,
    cache: str = SHORTLY,
    first: Iterable[Feed] = (),
    headers: Mapping[str, str] | None = None,
    **facts: object,
) -> Response:
    """A page from a template. `first` are the feeds that fit it best; they are named before the others."""
    phrases = front.app.site.phrases
    language, chosen = page_language(request, front.app.site), chosen_language(request, phrases)
    common: Mapping[str, object] = {
        "site": front.app.site,
        "settings": front.app.settings,
        "language": language,
        "languages": {each: phrases.own_name(each) for each in phrases.languages},
        "account": getattr(request.state, "account", None),  # only where a session was asked for; nobody keeps that
        "words": phrases.words(language, "page"),
        "link": lambda path: f"{path}?lang={chosen}" if chosen else path,
        "asset": lambda name: front.assets[name].path,
        "alternates": [each for feed in _ordered(front, first) for each in alternates(front, feed)],
    }
    body = front.environment.get_template(template).render(common, **facts)
    kept = {"cache-control": cache, "vary": "accept-language"}
    return HTMLResponse(body, status, headers=kept | dict(headers or {}))


def alternates(front: Front, feed: Feed) -> list[Alternate]:
    """A feed's formats."""
    return [
        Alternate(
            url=f"{front.app.site.public_url}/feeds/{feed.name}.{name}",
            title=f"{feed.title} ({FORMAT_NAMES[name]})",
            media_type=FORMATS[name].media_type.partition(";")[0],
            label=FORMAT_NAMES[name],
        )
        for name in feed.formats
    ]


def moment(front: Front, request: Request, at: datetime, *, long: bool = False) -> Moment:
    """A time as the page shows it, in the newspaper's zone."""
    zone, language = front.app.site.timezone, page_language(request, front.app.site)
    day = long_date if long else short_date
    return Moment(
        day=day(at, zone=zone, language=language),
        clock=clock_time(at, zone=zone, language=language),
        machine=rfc3339(at),
    )


async def show_asset(front: Front, request: Request) -> Response:
    """A packaged file, by the table of them; no path ever reaches the disk."""
    for asset in front.assets.values():
        if asset.path == request.url.path:
            return Response(asset.body, headers={"content-type": asset.media_type, "cache-control": _FOREVER})
    return missing(front, request)


def missing(front: Front, request: Request, *, cache: str = SHORTLY) -> Response:
    """The page for what isn't there. It says nothing about what was asked for."""
    return page(front, request, "error.html.j2", status=404, cache=cache, problem="missing")


def _ordered(front: Front, first: Iterable[Feed]) -> list[Feed]:
    ahead = [feed for feed in first if not feed.partners]
    return [*ahead, *(feed for feed in front.public_feeds if feed not in ahead)]


def _asset(folder: Path, name: str, media_type: str) -> Asset:
    body = (folder / name).read_bytes()
    stem, _, ending = name.partition(".")
    digest = hashlib.blake2b(body, digest_size=6).hexdigest()
    return Asset(path=f"/assets/{stem}.{digest}.{ending}", media_type=media_type, body=body)
