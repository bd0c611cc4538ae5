"""`/sign-in` and `/sign-out`: for the people of the house. Readers need no account."""

import re

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from syndicate.pipeline.accounts import COME_BACK, Attempt, NotSignedIn, Porter, sign_out
from syndicate.web.caller import caller
from syndicate.web.forms import read_form
from syndicate.web.language import chosen_language
from syndicate.web.pages import NEVER, Front, page
from syndicate.web.sessions import asking_account, give_session, shown_session, take_session

_FIELDS = 10  # of a form; ours has three
_OUTBOX = "/outbox"  # where a sign-in leads that was not asked for by a page
_OWN_PATH = re.compile(r"/[A-Za-z0-9][A-Za-z0-9_.:,/-]{0,300}")  # never `//host` (open redirect)


class SignInDesk:
    """The page, and what its form does."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._porter = Porter(front.app.db, front.app.digest)

    async def show(self, request: Request) -> Response:
        """The form; for who is signed in, as whom."""
        if await asking_account(self._front, request) is not None:
            return page(self._front, request, "signed_in.html.j2", cache=NEVER)
        return self._form(request, to=_own_path(request.query_params.get("to", "")))

    async def take(self, request: Request) -> Response:
        """A name and a password. The answer to a wrong name is the answer to a wrong password."""
        form = await read_form(request, most_fields=_FIELDS)
        name, password, to = (str(form.get(field, "")) for field in ("name", "password", "to"))
        attempt = Attempt(
            name=name.strip().casefold(),
            password=password,
            client=caller(request, self._front.app.settings.web.trusted_proxies),
            cookie=shown_session(self._front, request),
        )
        session = await self._porter.sign_in(attempt, now=self._front.app.clock.now())
        if isinstance(session, NotSignedIn):
            return self._form(request, to=_own_path(to), problem=session)
        chosen = chosen_language(request, self._front.app.site.phrases)
        query = f"?lang={chosen}" if chosen else ""
        answer = RedirectResponse(f"{_own_path(to)}{query}", 303, headers={"cache-control": NEVER})
        give_session(self._front, answer, session)
        return answer

    async def leave(self, request: Request) -> Response:
        """Ends the session, wherever the cookie was copied to."""
        app = self._front.app
        client = caller(request, app.settings.web.trusted_proxies)
        await sign_out(app.db, shown_session(self._front, request), client, now=app.clock.now())
        answer = RedirectResponse("/", 303, headers={"cache-control": NEVER})
        take_session(self._front, answer)
        return answer

    def _form(self, request: Request, *, to: str, problem: NotSignedIn | None = None) -> Response:
        """What was typed isn't shown again: it may be a password in the wrong field."""
        too_often = problem is NotSignedIn.TOO_OFTEN
        return page(
            self._front,
            request,
            "sign_in.html.j2",
            status=200 if problem is None else 429 if too_often else 403,
            cache=NEVER,
            headers={"retry-after": str(int(COME_BACK.total_seconds()))} if too_often else None,
            to=to,
            problem=problem.name.lower() if problem else "",
        )


def _own_path(asked: str) -> str:
    return asked if _OWN_PATH.fullmatch(asked) else _OUTBOX
