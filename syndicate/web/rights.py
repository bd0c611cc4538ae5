"""`/p/TOKEN/…`: what else a reader may ask for: another address, all that is kept of them, and to be forgotten.

The address that somebody types is asked under all the limits of a sign-up, and they are told the same whatever becomes
of it. What is kept is given to a button, not to a link, so that no scanner of mails takes it along.
"""

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from syndicate.domain.audience import normal_address
from syndicate.domain.consent import Via, is_timely
from syndicate.errors import AddressProblem
from syndicate.pipeline.erase import erase_by_link
from syndicate.pipeline.holdings import tell_holdings
from syndicate.pipeline.moving import Removal, ask_to_move
from syndicate.web.caller import caller
from syndicate.web.forms import read_form
from syndicate.web.pages import NEVER, Front, page
from syndicate.web.preferences import PreferencesDesk
from syndicate.web.readers import HEADERS
from syndicate.web.subscribe import ConsentTexts

_FIELDS = 10  # of a form; ours have four
_FILE = 'attachment; filename="data.json"'


class RightsDesk:
    """Takes these wishes; whose they are, the link says."""

    def __init__(self, front: Front, texts: ConsentTexts, choices: PreferencesDesk) -> None:
        self._front, self._texts, self._choices = front, texts, choices

    async def ask_address(self, request: Request) -> Response:
        """Has a new address asked whether it is theirs."""
        app, visit = self._front.app, await self._choices.visit(request)
        if visit is None:
            return self._choices.unknown(request)
        form = await read_form(request, most_fields=_FIELDS)
        typed, shown = str(form.get("address", "")), self._texts.shown(str(form.get("consent", "")))
        if form.get("subject"):  # only a program fills it
            return self._page(request, "moving.html.j2")
        try:
            address = normal_address(typed.strip())
        except AddressProblem:
            return self._choices.page(request, visit, problem="bad_address", typed=typed)
        now = app.clock.now()
        if shown is None or is_timely(app.room.ring, str(form.get("token", "")), now) is not Via.LINK:
            return self._choices.page(request, visit, problem="again", typed=typed)
        client = caller(request, app.settings.web.trusted_proxies)
        await ask_to_move(
            db=app.db,
            way_in=app.way_in,
            visit=visit,
            removal=Removal(address=address, client=client, shown=shown),
            now=now,
        )
        return self._page(request, "moving.html.j2")

    async def give_holdings(self, request: Request) -> Response:
        """All that is kept of them, as a file."""
        app, visit = self._front.app, await self._choices.visit(request)
        if visit is None:
            return self._choices.unknown(request)
        headers = {"cache-control": NEVER, "content-disposition": _FILE, **HEADERS}
        pieces = tell_holdings(app.db, visit, now=app.clock.now())
        return StreamingResponse(pieces, headers=headers, media_type="application/json")

    async def show_erasure(self, request: Request) -> Response:
        """What being forgotten means, and the button. Changes nothing."""
        if await self._choices.visit(request) is None:
            return self._choices.unknown(request)
        return self._page(request, "erase.html.j2", token=request.path_params["token"])

    async def erase(self, request: Request) -> Response:
        """The button. The link opens nothing afterwards."""
        app = self._front.app
        erased = await erase_by_link(app.db, app.way_out, request.path_params["token"], now=app.clock.now())
        if erased is None:
            return self._choices.unknown(request)
        return self._page(request, "erase.html.j2", token="")

    def _page(self, request: Request, template: str, *, token: str = "") -> Response:
        """`token` opens the page that led here; "" where nothing does any more."""
        return page(self._front, request, template, cache=NEVER, headers=HEADERS, token=token)
