"""A reader with a link to their choices, at a newspaper with three newsletters."""

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

from syndicate.domain.audience import Subscriber
from syndicate.domain.consent import Consent, ConsentText
from syndicate.domain.preferences import write_form
from syndicate.domain.slot import parse_schedule
from syndicate.pipeline.postroom import preferences_url
from syndicate.pipeline.preferences import Saved, Visit, Wish, read_visit, save
from syndicate.ports import Mailer
from syndicate.store import audience, consents
from syndicate.store.audience import Subscription
from syndicate.store.db import Database
from tests.factories import NOW, RING, SITE, add_reader, make_newsletter
from tests.pipeline.mailing import Postoffice

TEXT = ConsentText(version=3, language="id", words="Saya ingin menerima.")
HOME = ip_address("203.0.113.7")


class Chooser:
    """The newspaper, and what its readers say by their links."""

    def __init__(self, db: Database, folder: Path, mailer: Mailer) -> None:
        self.office = Postoffice(db, folder, mailer)
        self.db, self.clock, self.room = db, self.office.clock, self.office.room
        self.newsletters = {
            "pagi": make_newsletter(topics=("kota", "daerah")),
            "sore": make_newsletter(name="sore", roundup=parse_schedule("sun 07:00"), breaking=("kota",)),
            "pekan": make_newsletter(name="pekan"),
        }
        object.__setattr__(self.room, "newsletters", self.newsletters)
        self.way_out = replace(self.office.way_out, newsletters=self.newsletters)

    async def add(self, number: int = 1, newsletter: str | None = "pagi") -> Subscriber:
        async with self.db.write() as connection:
            return await add_reader(connection, number, newsletter)

    async def visit(self, text: str) -> Visit | None:
        return await read_visit(self.db, self.way_out, text, now=self.clock.at)

    async def choose(self, text: str, **changes: Sequence[str]) -> Saved | None:
        """Sends the form as it is shown, with some fields filled in otherwise; `topics_pagi` is `topics-pagi`."""
        visit = await self.visit(text)
        shown = write_form(visit.chosen, self.newsletters, now=self.clock.at) if visit else {}
        wish = Wish(
            filled={**shown, **{name.replace("_", "-"): value for name, value in changes.items()}},
            languages=frozenset({"id", "en"}),
            zones=frozenset({"Asia/Jakarta", "Asia/Jayapura"}),
            client=HOME,
            shown=TEXT,
        )
        return await save(self.db, self.way_out, text, wish, now=self.clock.at)

    async def subscriptions(self, person: Subscriber) -> dict[str, Subscription]:
        async with self.db.read() as connection:
            return {one.newsletter: one for one in await audience.subscriptions_of(connection, person.id)}

    async def consents(self, person: Subscriber) -> list[Consent]:
        async with self.db.read() as connection:
            digest = await audience.digest_of(connection, person.id)
            return await consents.of_person(connection, digest)


def token_of(person: Subscriber) -> str:
    """What stands in the link in a person's mails."""
    return preferences_url(SITE, RING, person).rpartition("/")[2]


__all__ = ["HOME", "NOW", "TEXT", "Chooser", "token_of"]
