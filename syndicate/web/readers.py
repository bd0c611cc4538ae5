"""`/u/TOKEN`: leaving a newsletter. Looking at the link changes nothing; every POST to it ends the subscription.

RFC 8058: mail programs post without cookies, without asking, with bodies of any shape; they must never be sent on or
refused. So the body is not read, the Origin is not asked, and nothing but the token counts.
"""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from syndicate.pipeline.reconcile import leave, read_leaving
from syndicate.web.pages import NEVER, Front, page

HEADERS: Mapping[str, str] = {"referrer-policy": "no-referrer", "x-robots-tag": "noindex, nofollow"}


async def show_leaving(front: Front, request: Request) -> Response:
    """The page with the button."""
    return await _leaving(front, request, act=False)


async def end_subscription(front: Front, request: Request) -> Response:
    """The button, or one click in a mail program. Saying it twice changes nothing."""
    return await _leaving(front, request, act=True)


async def say_methods(front: Front, request: Request) -> Response:
    """OPTIONS: the same for every token, good or bad."""
    return Response(status_code=204, headers={"allow": "GET, HEAD, POST, OPTIONS", "cache-control": NEVER, **HEADERS})


async def _leaving(front: Front, request: Request, *, act: bool) -> Response:
    app = front.app
    leaving = await read_leaving(app.db, app.way_out, request.path_params["token"])
    if leaving is None:
        return page(front, request, "error.html.j2", status=404, cache=NEVER, headers=HEADERS, problem="unknown_link")
    if act:
        await leave(app.db, app.way_out, leaving, now=app.clock.now())
    return page(front, request, "leave.html.j2", cache=NEVER, headers=HEADERS, newsletter=leaving.title, done=act)
