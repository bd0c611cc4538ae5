"""`/p/TOKEN`: all that a reader chose, on one page. Looking changes nothing; only the buttons there do.

The link says who somebody is, so no page of another site may press its buttons (T17), and no address stands in it. What
is shown of the reader's own address is its first letter and its domain: the mail with the link may be passed on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from zoneinfo import available_timezones

from starlette.requests import Request
from starlette.responses import Response

from syndicate.domain.consent import Via, new_form
from syndicate.domain.newsletter import Newsletter, rhythms_of
from syndicate.domain.preferences import HOURS, Field, masked, name_of, write_form
from syndicate.formats.dates import short_date
from syndicate.pipeline.preferences import Saved, Visit, Wish, read_visit, save
from syndicate.web.caller import caller
from syndicate.web.forms import read_form
from syndicate.web.language import page_language
from syndicate.web.pages import NEVER, Front, page
from syndicate.web.readers import HEADERS
from syndicate.web.subscribe import ConsentTexts

_MOST_FIELDS = 2000  # newsletters by topics; what a body may hold is limited before
_HOME_ZONES: Mapping[str, str] = {
    "Asia/Jakarta": "WIB · Jakarta",
    "Asia/Pontianak": "WIB · Pontianak",
    "Asia/Makassar": "WITA · Makassar",
    "Asia/Jayapura": "WIT · Jayapura",
}
_REGIONS = ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")


@dataclass(frozen=True, kw_only=True)
class Topic:
    """One of a newsletter's topics, as the page names it."""

    slug: str
    label: str


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One newsletter, and what of it there is to choose."""

    newsletter: Newsletter
    topics: Sequence[Topic]
    rhythms: Sequence[str]  # none where there is only one
    topics_name: str  # of the fields
    rhythm_name: str


class PreferencesDesk:
    """Shows what somebody chose and takes what they choose now."""

    def __init__(self, front: Front, texts: ConsentTexts) -> None:
        self._front, self._texts = front, texts

    async def show(self, request: Request) -> Response:
        """The page as things are."""
        visit = await self.visit(request)
        return self.unknown(request) if visit is None else self.page(request, visit)

    async def take(self, request: Request) -> Response:
        """The whole form. The answer says what was saved, or which field can't be."""
        app = self._front.app
        form = await read_form(request, most_fields=_MOST_FIELDS)
        filled = {name: [str(value) for value in form.getlist(name)] for name in form}
        shown = self._texts.shown("".join(filled.get("consent", [])))
        if shown is None:  # a form that was open when the text became another one
            visit = await self.visit(request)
            return self.unknown(request) if visit is None else self.page(request, visit, problem="again")
        wish = Wish(
            filled=filled,
            languages=frozenset(app.site.phrases.languages),
            zones=zones(),
            client=caller(request, app.settings.web.trusted_proxies),
            shown=shown,
        )
        saved = await save(app.db, app.way_out, request.path_params["token"], wish, now=app.clock.now())
        if saved is None:
            return self.unknown(request)
        return self.page(request, saved.visit, saved=saved, filled=filled if saved.flaws else None)

    async def visit(self, request: Request) -> Visit | None:
        """Whose link was asked for."""
        app = self._front.app
        return await read_visit(app.db, app.way_out, request.path_params["token"], now=app.clock.now())

    def unknown(self, request: Request) -> Response:
        """One and the same page for all that is no link of ours, or no longer."""
        headers, problem = HEADERS, "unknown_link"
        return page(self._front, request, "error.html.j2", status=404, cache=NEVER, headers=headers, problem=problem)

    def page(
        self,
        request: Request,
        visit: Visit,
        *,
        saved: Saved | None = None,
        filled: Mapping[str, Sequence[str]] | None = None,
        problem: str = "",
        typed: str = "",
    ) -> Response:
        """The page; `typed` is the new address that somebody asked for in vain."""
        app, now = self._front.app, self._front.app.clock.now()
        language, until = page_language(request, app.site), visit.chosen.paused_until
        flaws = saved.flaws if saved else ()
        return page(
            self._front,
            request,
            "preferences.html.j2",
            status=422 if flaws or problem else 200,
            cache=NEVER,
            headers=HEADERS,
            token=request.path_params["token"],
            address=masked(visit.reader.person.address),
            held=visit.held,
            filled=filled or write_form(visit.chosen, app.newsletters, now=now),
            shown=[_shown(newsletter) for newsletter in app.newsletters.values()],
            home_zones=_HOME_ZONES,
            other_zones=sorted({visit.chosen.timezone, *zones()} - {*_HOME_ZONES}),
            tongues=self._languages(visit.chosen.language),
            hours=HOURS,
            paused=short_date(until, zone=visit.chosen.timezone, language=language) if until else "",
            saved=saved if saved and not flaws else None,
            titles={name: newsletter.title for name, newsletter in app.newsletters.items()},
            flaws={flaw.name: flaw for flaw in flaws},
            problem=problem,
            typed=typed,
            form_token=new_form(app.room.ring, Via.LINK, now),
            consent=self._texts.in_language(language),
        )

    def _languages(self, own: str) -> Mapping[str, str]:
        """Those of our words; a reader's own beside them, where it is another one."""
        phrases = self._front.app.site.phrases
        return {own: own} | {each: phrases.own_name(each) for each in phrases.languages}


@cache
def zones() -> frozenset[str]:
    """The time zones that readers can choose: those called by a place. The system's files are read once."""
    return frozenset({"UTC", *(name for name in available_timezones() if name.partition("/")[0] in _REGIONS)})


def _shown(newsletter: Newsletter) -> Shown:
    rhythms = [rhythm.value for rhythm in rhythms_of(newsletter)]
    return Shown(
        newsletter=newsletter,
        topics=[Topic(slug=slug, label=_label(slug)) for slug in newsletter.topics],
        rhythms=rhythms if len(rhythms) > 1 else (),
        topics_name=name_of(Field.TOPICS, newsletter.name),
        rhythm_name=name_of(Field.RHYTHM, newsletter.name),
    )


def _label(slug: str) -> str:
    """ "daerah/kota-malang" is "Daerah · Kota malang"."""
    return " · ".join(part.replace("-", " ").capitalize() for part in slug.split("/"))
