"""Addresses of feeds that are no longer theirs, and one that never quite was: `/feeds/NAME` without what follows.

Served by the framework, behind the feeds themselves, so that they cost those nothing.
"""

from collections.abc import Iterable
from functools import partial

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from syndicate.domain.feed import Feed
from syndicate.formats import FORMATS
from syndicate.web.pages import SHORTLY, Front, missing

_ARCHIVE = "/{archive}"
_PAGE = ("", "/")
_A_DAY = "public, max-age=86400"  # a reader that keeps no redirects asks again each time


def former_routes(front: Front) -> list[BaseRoute]:
    """Routes for every former name. Must stand before those that take any name."""
    moved = front.app.settings.moved_feeds()
    routes: list[BaseRoute] = []
    for name, heir in ((name, front.app.feeds[new]) for name, new in moved.items()):
        lead = partial(show_new_address, front, name, heir)
        routes += [Route(f"/feeds/{name}{rest}", lead) for rest in _addresses(heir)]
    endings = [f".{ending}" for ending in FORMATS]
    for name in front.app.settings.web.gone_feeds:
        lament = partial(show_gone, front)
        routes += [Route(f"/feeds/{name}{rest}", lament) for rest in (*_PAGE, *endings, _ARCHIVE)]
    return [*routes, Route("/feeds/{name}", partial(show_page_address, front))]


async def show_new_address(front: Front, name: str, heir: Feed, request: Request) -> Response:
    """301, which readers understand as "subscribe there"; 308 they follow each time and remember nothing (H-10)."""
    rest = request.url.path.removeprefix(f"/feeds/{name}")
    return _lead_to(front, request, f"/feeds/{heir.name}{rest or '/'}", to_scripts=not heir.partners)


async def show_gone(front: Front, request: Request) -> Response:
    """410 (H-11). No page: a reader that looks for feeds in it would subscribe its user to another one."""
    site = front.app.site
    words = site.phrases.words(site.phrases.language_for(site.language), "page")
    text = words["gone_feed"].format(url=f"{front.app.site.public_url}/feeds/")
    return PlainTextResponse(f"{text}\n", 410, headers={"cache-control": SHORTLY})


async def show_page_address(front: Front, request: Request) -> Response:
    """One address, one representation (H-14): what has no ending is the feed's page."""
    feed = front.app.feeds.get(request.path_params["name"])
    if feed is None or feed.partners:
        return missing(front, request)
    return _lead_to(front, request, f"/feeds/{feed.name}/")


def _addresses(feed: Feed) -> Iterable[str]:
    """What may follow the name: a private feed has neither page nor archives."""
    return (*(f".{ending}" for ending in feed.formats), *(() if feed.partners else (*_PAGE, _ARCHIVE)))


def _lead_to(front: Front, request: Request, path: str, *, to_scripts: bool = False) -> Response:
    """A permanent redirect. Scripts of other sites may follow it (`to_scripts`) to what is made for them (H-17)."""
    query = f"?{request.url.query}" if request.url.query else ""
    headers = {"cache-control": _A_DAY}
    if to_scripts and path.endswith(".json"):
        headers["access-control-allow-origin"] = "*"
    return RedirectResponse(f"{front.app.site.public_url}{path}{query}", 301, headers=headers)
