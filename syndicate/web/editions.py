"""`/editions/…`: issues of a newsletter as they were mailed, for whoever reads in a browser."""

import re

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from syndicate.formats.digest import holes_filled
from syndicate.pipeline.compose import VARIANT, edition_url
from syndicate.store import editions
from syndicate.store.editions import READABLE
from syndicate.web.directory import Issue
from syndicate.web.pages import Front, missing, moment, page

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
        shown = edition is not None and edition.state.value in READABLE
        rendering = await editions.rendering(connection, edition.id, VARIANT) if edition and shown else None
    if rendering is None:
        return missing(front, request)
    holes = {"unsubscribe_url": edition_url(front.app.site, name, slot)}
    body = holes_filled(rendering.html, rendering.mark, holes, html=True)
    headers = {"cache-control": _SETTLED, "content-security-policy": mail_policy(front.app.site.public_url)}
    return HTMLResponse(body, headers=headers)


def mail_policy(origin: str, *, sandbox: str = "sandbox", framed_by: str = "'none'") -> str:
    """The Content-Security-Policy for a mail as a page: pictures and its own look, nothing that acts."""
    return (
        f"{sandbox}; default-src 'none'; img-src https: data: {origin}; style-src 'unsafe-inline'; "
        f"form-action 'none'; base-uri 'none'; frame-ancestors {framed_by}"
    )
