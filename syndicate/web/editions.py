"""`/editions/…`: issues of a newsletter as they were mailed, for whoever reads in a browser."""

import re
from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from syndicate.domain.edition import Edition
from syndicate.domain.token import Purpose, name_number, read_token
from syndicate.domain.variant import WHOLE
from syndicate.formats.digest import HOLES, holes_filled
from syndicate.pipeline.render import edition_url
from syndicate.store import editions
from syndicate.store.editions import READABLE, Rendering
from syndicate.web.directory import Issue
from syndicate.web.pages import NEVER, Front, missing, moment, page
from syndicate.web.readers import HEADERS

_SLOT = re.compile(r"[A-Za-z0-9-]{1,40}")
_LISTED = 100
_SETTLED = "public, max-age=3600"  # the content of an edition never changes


async def show_editions(front: Front, request: Request) -> Response:
    """The newest issues of one newsletter."""
    newsletter = front.app.newsletters.get(request.path_params["name"])
    if newsletter is None:
        return missing(front, request)
    async with front.app.db.read() as connection:
        found = await editions.readable(connection, newsletter=newsletter.name, limit=_LISTED)
    issues = [Issue(edition=edition, when=moment(front, request, edition.slot_at, long=True)) for edition in found]
    return page(front, request, "editions.html.j2", newsletter=newsletter, issues=issues)


async def show_edition(front: Front, request: Request) -> Response:
    """The frozen mail itself, without scripts, forms and a way out of its box (T12).

    It is nobody's own: where a reader's link to leave stands in the mail, this page's address stands here.
    """
    name, slot = request.path_params["name"], request.path_params["slot"]
    if name not in front.app.newsletters or not _SLOT.fullmatch(slot):
        return missing(front, request)
    async with front.app.db.read() as connection:
        edition = await editions.by_slot(connection, name, slot)
        rendering = await _shown(connection, edition, WHOLE)
    if edition is None or rendering is None:
        return missing(front, request)
    return _as_page(front, edition, rendering, {"cache-control": _SETTLED})


async def show_copy(front: Front, request: Request) -> Response:
    """The variant of an edition that a reader was mailed, by the link in the mail.

    The link names the mail. Nothing of whose it is stands in the page, and the links that are a reader's own lead to
    the whole edition: whoever a mail is passed on to can only read.
    """
    token = read_token(front.app.room.ring, Purpose.VIEW, request.path_params["token"])
    found, rendering = None, None
    if token is not None:
        async with front.app.db.read() as connection:
            found = await editions.of_delivery(connection, token.subscriber)
            if found is not None and name_number(found[0].newsletter) == token.newsletter:
                rendering = await _shown(connection, *found)
    if found is None or rendering is None:
        return page(front, request, "error.html.j2", status=404, cache=NEVER, headers=HEADERS, problem="unknown_link")
    return _as_page(front, found[0], rendering, {"cache-control": NEVER, **HEADERS})


async def _shown(connection: AsyncConnection, edition: Edition | None, number: int) -> Rendering | None:
    """A variant of an edition that may be read; None for one that may not."""
    if edition is None or edition.state.value not in READABLE:
        return None
    return (await editions.renderings(connection, edition.id, [number])).get(number)


def _as_page(front: Front, edition: Edition, rendering: Rendering, headers: Mapping[str, str]) -> Response:
    holes = dict.fromkeys(HOLES, edition_url(front.app.site, edition.newsletter, edition.slot))
    body = holes_filled(rendering.html, rendering.mark, holes, html=True)
    policy = {"content-security-policy": mail_policy(front.app.site.public_url)}
    return HTMLResponse(body, headers={**headers, **policy})


def mail_policy(origin: str, *, sandbox: str = "sandbox", framed_by: str = "'none'") -> str:
    """The Content-Security-Policy for a mail as a page: pictures and its own look, nothing that acts."""
    return (
        f"{sandbox}; default-src 'none'; img-src https: data: {origin}; style-src 'unsafe-inline'; "
        f"form-action 'none'; base-uri 'none'; frame-ancestors {framed_by}"
    )
