"""What the web server serves, put together: feeds in front, behind them the door, behind it the pages.

Every address of the web edge stands in the lists here.
"""

from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy.exc import DBAPIError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, ExceptionHandler

from syndicate.app import App
from syndicate.domain.account import Role
from syndicate.errors import StoreTrouble
from syndicate.web import articles, directory, editions, health, outbox, pages, readers, receiver
from syndicate.web.archives import ArchiveDesk
from syndicate.web.confirm import ConfirmDesk
from syndicate.web.feeds import FeedDesk
from syndicate.web.former import former_routes
from syndicate.web.hooks import HookDesk
from syndicate.web.pages import NEVER, Front, open_front, page
from syndicate.web.preferences import PreferencesDesk
from syndicate.web.rights import RightsDesk
from syndicate.web.security import Door
from syndicate.web.sessions import SIGN_IN, Endpoint, only_for, only_from_us, refused_to_others
from syndicate.web.shelf import Shelf
from syndicate.web.sign_in import SignInDesk
from syndicate.web.sitemaps import Sitemaps
from syndicate.web.subscribe import API, ConsentTexts, SignUpDesk
from syndicate.web.tally import Tally

_PROBLEMS = {404: "missing", 405: "method", 413: "too_large"}
log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class OpenSite:
    """The ASGI app, and the documents it serves, which somebody has to keep fresh."""

    asgi: ASGIApp
    shelf: Shelf


def open_site(app: App) -> OpenSite:
    """Everything of the web edge. Reads the program's own templates; touches neither data nor database."""
    tally = Tally()
    shelf = Shelf(app.press, now=app.clock.now())
    front = open_front(app, tally)
    framework = Starlette(routes=routes(front), exception_handlers=_handlers(front))
    framework.router.redirect_slashes = False
    door = Door(framework, public_url=app.site.public_url, tally=tally, larger={receiver.PATH: receiver.LARGEST})
    return OpenSite(asgi=FeedDesk(shelf, db=app.db, clock=app.clock, tally=tally, behind=door), shelf=shelf)


def routes(front: Front) -> list[BaseRoute]:
    """All addresses but those of feeds, which `FeedDesk` answers. tests/web/routes.txt says who gets what at each."""
    sitemaps, texts = Sitemaps(front), ConsentTexts(front)
    sign_ups, confirmations = SignUpDesk(front, texts), ConfirmDesk(front, texts)
    signing_in, hooks = SignInDesk(front), HookDesk(front)
    found: list[BaseRoute] = [
        Route("/", partial(directory.show_home, front)),
        Route("/feeds/", partial(directory.show_feeds, front)),
        *former_routes(front),
        Route("/feeds/{name}/", partial(directory.show_feed, front)),
        Route("/feeds/{name}/{month}.atom", ArchiveDesk(front).show),
        Route("/articles/{identifier}", partial(articles.show_article, front)),
        Route("/media/{digest}", partial(articles.show_picture, front)),
        Route("/editions/{name}/", partial(editions.show_editions, front)),
        Route("/editions/{name}/{slot}", partial(editions.show_edition, front)),
        Route("/v/{token}", partial(editions.show_copy, front)),
        Route("/u/{token}", partial(readers.show_leaving, front)),
        Route("/u/{token}", partial(readers.end_subscription, front), methods=["POST"]),
        Route("/u/{token}", partial(readers.say_methods, front), methods=["OPTIONS"]),
        Route("/subscribe", sign_ups.show_form),
        Route("/subscribe", sign_ups.take_form, methods=["POST"]),
        Route(API, sign_ups.show_offer),
        Route(API, sign_ups.take_wish, methods=["POST"]),
        Route("/c/{token}", confirmations.show),
        Route("/c/{token}", confirmations.take, methods=["POST"]),
        *_of_readers(front, texts),
        Route(SIGN_IN, signing_in.show),
        Route(SIGN_IN, only_from_us(front, signing_in.take), methods=["POST"]),
        Route("/sign-out", only_from_us(front, signing_in.leave), methods=["POST"]),
        Route("/hooks/{channel}", hooks.say_ready, methods=["HEAD"]),
        Route("/hooks/{channel}", hooks.take, methods=["POST"]),
        Route("/outbox", _inside(front, partial(outbox.show_outbox, front))),
        Route("/outbox/{name}", _inside(front, partial(outbox.show_mail, front))),
        Route("/outbox/{name}/html", _inside(front, partial(outbox.show_mail_html, front))),
        Route("/assets/{name}", partial(pages.show_asset, front)),
        Route("/robots.txt", sitemaps.show_robots),
        Route("/sitemap.xml", sitemaps.show_index),
        Route("/sitemap-pages.xml", sitemaps.show_pages),
        Route("/sitemap-news.xml", sitemaps.show_news),
        Route("/sitemap-{month}.xml", sitemaps.show_month),
        Route("/healthz", health.show_health),
        Route("/readyz", partial(health.show_readiness, front)),
        Route("/metrics", partial(health.show_metrics, front)),
    ]
    if front.app.settings.sample:
        desk = receiver.open_receiver(front)
        found += [
            Route(receiver.PATH, partial(receiver.show_deliveries, front, desk)),
            Route(receiver.PATH, partial(receiver.take_delivery, front, desk), methods=["POST"]),
        ]
    return found


def _of_readers(front: Front, texts: ConsentTexts) -> list[BaseRoute]:
    """What a reader's own link opens."""
    desk = PreferencesDesk(front, texts)
    rights = RightsDesk(front, texts, desk)
    return [
        Route("/p/{token}", desk.show),
        Route("/p/{token}", refused_to_others(front, desk.take), methods=["POST"]),
        Route("/p/{token}", partial(readers.say_methods, front), methods=["OPTIONS"]),
        Route("/p/{token}/address", desk.show),
        Route("/p/{token}/address", refused_to_others(front, rights.ask_address), methods=["POST"]),
        Route("/p/{token}/data", desk.show),
        Route("/p/{token}/data", refused_to_others(front, rights.give_holdings), methods=["POST"]),
        Route("/p/{token}/erase", rights.show_erasure),
        Route("/p/{token}/erase", refused_to_others(front, rights.erase), methods=["POST"]),
    ]


def _handlers(front: Front) -> dict[int | type[Exception], ExceptionHandler]:
    return {
        HTTPException: partial(_refused, front),
        StoreTrouble: partial(_unavailable, front),
        DBAPIError: partial(_unavailable, front),
        Exception: partial(_broken, front),
    }


def _inside(front: Front, endpoint: Endpoint) -> Endpoint:
    """For mails, which hold addresses and links that act: who can't be anybody else needs no account."""
    return endpoint if front.app.settings.web.outbox else only_for(front, Role.VIEWER, endpoint)


async def _refused(front: Front, request: Request, error: Exception) -> Response:
    """No such page, another method, too large."""
    status = error.status_code if isinstance(error, HTTPException) else 400
    headers = error.headers if isinstance(error, HTTPException) else None
    problem = _PROBLEMS.get(status, "missing")
    return page(front, request, "error.html.j2", status=status, cache=NEVER, headers=headers, problem=problem)


async def _unavailable(front: Front, request: Request, error: Exception) -> Response:
    """The database is away: the page says so, feeds go on."""
    log.warning("web.store_failed", path=request.url.path, problem=str(error).splitlines()[0])
    return page(
        front, request, "error.html.j2", status=503, cache=NEVER, headers={"retry-after": "30"}, problem="store"
    )


async def _broken(front: Front, request: Request, error: Exception) -> Response:
    """Our own mistake. The server writes the traceback to the log; the page says nothing of it."""
    return page(front, request, "error.html.j2", status=500, cache=NEVER, problem="broken")
