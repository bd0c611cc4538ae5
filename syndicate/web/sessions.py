"""Who asks, by the session in their cookie, and what they may see. Turns away what other sites have browsers do (CSRF).

The cookie is `__Host-syndicate`: browsers take that name only over https, for this host alone and with path `/`, so no
neighbouring host can plant one. On plain http, which is for this machine only, it is called `syndicate`.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from syndicate.domain.account import Account, Role
from syndicate.pipeline.accounts import account_of
from syndicate.settings.addresses import is_loopback
from syndicate.web.pages import NEVER, Front, page
from syndicate.web.security import host_name

SIGN_IN = "/sign-in"
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_OURS = frozenset({"same-origin", "none"})  # "none": a person's own doing, such as a bookmark
Endpoint = Callable[[Request], Awaitable[Response]]


def only_for(front: Front, role: Role, endpoint: Endpoint) -> Endpoint:
    """The endpoint for accounts of this role or a greater one. What it answers is kept by no cache."""
    return partial(_guarded, front, role, endpoint)


def only_from_us(front: Front, endpoint: Endpoint) -> Endpoint:
    """The endpoint for requests that a page of ours made, or that change nothing."""
    return partial(_from_us, front, endpoint)


def refused_to_others(front: Front, endpoint: Endpoint) -> Endpoint:
    """The endpoint for who has a secret address, unless a page of another site made the request, and nothing changes.

    Such an address is told to nobody (`Referrer-Policy: no-referrer`), and then some browsers name no Origin either.
    """
    return partial(_not_from_others, front, endpoint)


def shown_session(front: Front, request: Request) -> str:
    """What the cookie names as the session, "" without one."""
    return request.cookies.get(_cookie(front), "")


async def asking_account(front: Front, request: Request) -> Account | None:
    """Whose session it is; pages then show it."""
    app = front.app
    account = await account_of(app.db, shown_session(front, request), now=app.clock.now())
    request.state.account = account
    return account


def give_session(front: Front, answer: Response, session: str) -> None:
    """Has the browser keep a session until it is closed; we end it earlier. None for scripts, none for other sites."""
    secure = _is_https(front)
    answer.set_cookie(_cookie(front), session, path="/", secure=secure, httponly=True, samesite="lax")


def take_session(front: Front, answer: Response) -> None:
    """Has the browser forget it."""
    answer.delete_cookie(_cookie(front), path="/", secure=_is_https(front), httponly=True, samesite="lax")


def refused(front: Front, request: Request) -> Response:
    """The page for who is signed in and asks for more than their role covers."""
    return page(front, request, "error.html.j2", status=403, cache=NEVER, problem="not_allowed")


async def _guarded(front: Front, role: Role, endpoint: Endpoint, request: Request) -> Response:
    account = await asking_account(front, request)
    if account is None:
        query = urlencode({"to": request.url.path})
        return RedirectResponse(f"{SIGN_IN}?{query}", 303, headers={"cache-control": NEVER})
    if not account.role.covers(role):
        return refused(front, request)
    answer = await _from_us(front, endpoint, request)
    answer.headers["cache-control"] = NEVER
    return answer


async def _from_us(front: Front, endpoint: Endpoint, request: Request) -> Response:
    """Every browser names the site that made a request (T17). Who names none is no browser, and has no session."""
    if request.method not in _READS and not _is_from_us(front, request):
        return page(front, request, "error.html.j2", status=403, cache=NEVER, problem="cross_site")
    return await endpoint(request)


async def _not_from_others(front: Front, endpoint: Endpoint, request: Request) -> Response:
    names_none = "sec-fetch-site" not in request.headers and request.headers.get("origin", "null") == "null"
    return await endpoint(request) if names_none else await _from_us(front, endpoint, request)


def _is_from_us(front: Front, request: Request) -> bool:
    """Fetch Metadata where the browser sends it (not over plain http to other machines), else the Origin (RFC 6454)."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in _OURS
    origin = request.headers.get("origin", "").lower()
    here = f"http://{request.headers.get('host', '')}".lower() if is_loopback(host_name(request.scope)) else ""
    return origin in {front.app.site.public_url.lower(), here} - {""}


def _is_https(front: Front) -> bool:
    return front.app.site.public_url.startswith("https:")


def _cookie(front: Front) -> str:
    return "__Host-syndicate" if _is_https(front) else "syndicate"
