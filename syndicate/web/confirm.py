"""`/c/TOKEN`: the reader's own word on a sign-up or another address. Looking changes nothing; only a button does."""

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from syndicate.domain.consent import Said
from syndicate.pipeline.confirm import Pending, Word, read_pending, take_word
from syndicate.pipeline.postroom import preferences_url
from syndicate.web.caller import caller
from syndicate.web.forms import read_form
from syndicate.web.language import page_language
from syndicate.web.pages import NEVER, Front, page
from syndicate.web.readers import HEADERS
from syndicate.web.subscribe import ConsentTexts


class ConfirmDesk:
    """Shows what was asked for and takes the answer."""

    def __init__(self, front: Front, texts: ConsentTexts) -> None:
        self._front, self._texts = front, texts

    async def show(self, request: Request) -> Response:
        """The page with the buttons."""
        app = self._front.app
        pending = await read_pending(app.db, app.way_in, request.path_params["token"], now=app.clock.now())
        return self._answered(request, pending, None)

    async def take(self, request: Request) -> Response:
        """One of the buttons. A body that is none of them, or a text that isn't shown any more, gets the page again."""
        app = self._front.app
        form = await read_form(request, most_fields=5)
        text, button = self._texts.shown(str(form.get("consent", ""))), form.get("answer")
        if text is None or button not in (Said.CONFIRMED, Said.DENIED):
            return await self.show(request)
        word = Word(said=Said(button), client=caller(request, app.settings.web.trusted_proxies), shown=text)
        token, now = request.path_params["token"], app.clock.now()
        pending = await take_word(app.db, app.way_in, token, word, now=now)
        return self._answered(request, pending, word.said)

    def _answered(self, request: Request, pending: Pending | None, said: Said | None) -> Response:
        moves = pending is not None and pending.moves
        state = ("move" if moves else "confirm") if said is None else said.value
        if moves and said is Said.CONFIRMED:
            state = "moved"
        if pending is None:
            state = "ended_link"
        elif pending.answer:
            state = "used"
        return page(
            self._front,
            request,
            "confirm.html.j2",
            status=404 if pending is None else 200,
            cache=NEVER,
            headers=HEADERS,
            state=state,
            newsletters=pending.newsletters if pending else (),
            choices=self._choices(pending),
            consent=self._texts.in_language(page_language(request, self._front.app.site)),
        )

    def _choices(self, pending: Pending | None) -> str:
        """Where the reader who has just said yes finds what else there is to choose; told to nobody who only looks."""
        if pending is None or pending.reader is None:
            return ""
        room = self._front.app.room
        return urlsplit(preferences_url(room.site, room.ring, pending.reader)).path
