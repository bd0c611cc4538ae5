"""`/subscribe` and `/api/v1/subscriptions`: asking for newsletters. All who ask are told the same.

A form carries when it was shown, signed, so that it needs no cookie: programs that post at once, or a form they found
last week, get it again. A form on another site (`docs/http.md`) has no such token and ends on our page, with the
address filled in and the text of the consent beside the button.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from syndicate.domain.audience import normal_address
from syndicate.domain.consent import ConsentText, Via, is_timely, new_form
from syndicate.domain.feed import Site
from syndicate.domain.phrases import ORIGINAL
from syndicate.errors import AddressProblem
from syndicate.pipeline.signup import Asking, ask
from syndicate.web.caller import caller
from syndicate.web.forms import read_form
from syndicate.web.language import page_language
from syndicate.web.pages import NEVER, Front, missing, page

API = "/api/v1/subscriptions"
_MOST_FIELDS = 50


class ConsentTexts:
    """The words beside the buttons, in the newest version, as this newspaper shows them."""

    def __init__(self, front: Front) -> None:
        site = front.app.site
        self._by_language = {language: _newest_consent(site, language) for language in site.phrases.languages}

    def in_language(self, language: str) -> ConsentText:
        """The text in one of our languages; in English where its catalogue has none for this version."""
        return self._by_language[language]

    def shown(self, digest: str) -> ConsentText | None:
        """The text that somebody says they were shown; None where it isn't one of these."""
        return next((one for one in self._by_language.values() if one.digest == digest), None)


def _newest_consent(site: Site, language: str) -> ConsentText:
    """What the newest version says in a language, or in the first that stands in for it."""
    newest = max(site.phrases.words(ORIGINAL, "consent"), key=int)
    said = next(one for one in site.phrases.chain(language) if ("consent", newest) in one.phrases)
    words = said.phrases["consent", newest].format(site=site.title)
    return ConsentText(version=int(newest), language=said.language, words=words)


class _Wish(BaseModel):
    """The body of a POST to the API."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    address: Annotated[str, Field(max_length=320)]
    newsletters: Annotated[list[str], Field(min_length=1, max_length=_MOST_FIELDS)]
    token: str
    consent: str
    subject: str = ""  # stays empty: only a program fills it


@dataclass(frozen=True, kw_only=True)
class _Filled:
    """What somebody wrote into the form."""

    address: str = ""
    newsletters: Sequence[str] = ()
    token: str | None = None  # None: a form that isn't ours
    consent: str = ""
    subject: str = ""  # as in `_Wish`


class SignUpDesk:
    """Takes requests by form and by API."""

    def __init__(self, front: Front, texts: ConsentTexts) -> None:
        self._front, self._texts = front, texts

    async def show_form(self, request: Request) -> Response:
        """The form; `?newsletter=NAME` chooses one. Changes nothing."""
        return self._form(request, _Filled(newsletters=request.query_params.getlist("newsletter")))

    async def take_form(self, request: Request) -> Response:
        """The same answer for every address, unless the form must be shown again for what stands in it."""
        filled = await _read(request)
        if filled.token is None:
            return self._form(request, filled, problem="finish", via=Via.FORM)
        if filled.subject:
            return self._asked(request)
        address, newsletters = _address(filled.address), self._known(filled.newsletters)
        if address is None:
            return self._form(request, filled, problem="address")
        if not newsletters:
            return self._form(request, filled, problem="none")
        via = is_timely(self._front.app.room.ring, filled.token, self._front.app.clock.now())
        text = self._texts.shown(filled.consent)
        if via is None or via is Via.API or text is None:
            return self._form(request, filled, problem="again")
        await self._ask(request, address, newsletters, via, text)
        return self._asked(request)

    async def show_offer(self, request: Request) -> Response:
        """For who makes a form of their own: what there is, what people agree to, and the token to send back."""
        app = self._front.app
        if not app.newsletters:
            return missing(self._front, request)
        text = self._texts.in_language(page_language(request, app.site))
        offer = {
            "token": new_form(app.room.ring, Via.API, app.clock.now()),
            "newsletters": [
                {"name": one.name, "title": one.title, "description": one.description, "language": one.language}
                for one in app.newsletters.values()
            ],
            "consent": {
                "digest": text.digest,
                "version": text.version,
                "language": text.language,
                "text": text.words,
            },
        }
        return JSONResponse(offer, headers={"cache-control": NEVER, "vary": "accept-language"})

    async def take_wish(self, request: Request) -> Response:
        """202 for every address, 422 with a reason (RFC 9457) for what can't be a request."""
        app = self._front.app
        try:
            wish = _Wish.model_validate_json(await request.body())
        except ValidationError as flaw:
            places = sorted({".".join(map(str, one["loc"][:1])) or "the body" for one in flaw.errors()})
            return _problem(f"not as documented: {', '.join(places)}")
        address, newsletters = _address(wish.address), self._known(wish.newsletters)
        if address is None:
            return _problem("address: not an address that mail can be sent to")
        if len(newsletters) < len(set(wish.newsletters)):
            return _problem("newsletters: one of them doesn't exist")
        text = self._texts.shown(wish.consent)
        if text is None:
            return _problem("consent: not the digest of a text that is offered now; get it again and show it")
        if is_timely(app.room.ring, wish.token, app.clock.now()) is not Via.API:
            return _problem("token: not ours, too young (2 s) or too old (2 h); get another one")
        if not wish.subject:
            await self._ask(request, address, newsletters, Via.API, text)
        return JSONResponse({"status": "asked"}, 202, headers={"cache-control": NEVER})

    async def _ask(
        self, request: Request, address: str, newsletters: tuple[str, ...], via: Via, text: ConsentText
    ) -> None:
        app = self._front.app
        client = caller(request, app.settings.web.trusted_proxies)
        asking = Asking(address=address, newsletters=newsletters, via=via, client=client, text=text)
        await ask(app.db, app.way_in, asking, now=app.clock.now())

    def _known(self, names: Iterable[str]) -> tuple[str, ...]:
        """Each once, in the order of the configuration."""
        asked = set(names)
        return tuple(name for name in self._front.app.newsletters if name in asked)

    def _form(self, request: Request, filled: _Filled, *, problem: str = "", via: Via = Via.PAGE) -> Response:
        app = self._front.app
        if not app.newsletters:
            return missing(self._front, request)
        only = len(app.newsletters) == 1
        return page(
            self._front,
            request,
            "subscribe.html.j2",
            status=422 if problem not in ("", "finish") else 200,
            cache=NEVER,
            newsletters=list(app.newsletters.values()),
            chosen=list(app.newsletters) if only else filled.newsletters,
            address=filled.address,
            problem=problem,
            token=new_form(app.room.ring, via, app.clock.now()),
            consent=self._texts.in_language(page_language(request, app.site)),
        )

    def _asked(self, request: Request) -> Response:
        return page(self._front, request, "asked.html.j2", cache=NEVER)


async def _read(request: Request) -> _Filled:
    form = await read_form(request, most_fields=_MOST_FIELDS)
    fields = {name: str(value) for name, value in form.items()}
    return _Filled(
        address=fields.get("address", ""),
        newsletters=[str(value) for value in form.getlist("newsletter")],
        token=fields.get("token"),
        consent=fields.get("consent", ""),
        subject=fields.get("subject", ""),
    )


def _address(typed: str) -> str | None:
    try:
        return normal_address(typed.strip())
    except AddressProblem:
        return None


def _problem(detail: str) -> Response:
    body: Mapping[str, object] = {"title": "The request can't be taken", "status": 422, "detail": detail}
    headers = {"cache-control": NEVER}
    return JSONResponse(body, 422, headers=headers, media_type="application/problem+json")
