"""A way in beside a scripted postroom, and what happened there."""

import email
import email.policy
import re
from email.message import EmailMessage
from functools import partial
from ipaddress import ip_address
from pathlib import Path

from syndicate.domain.audience import address_digest
from syndicate.domain.consent import Consent, ConsentText, Said, Via
from syndicate.pipeline.confirm import Pending, Word, read_pending, send_confirmation, take_word
from syndicate.pipeline.signup import Asking, Entrance, Verdict, ask
from syndicate.ports import Mail, Mailer
from syndicate.store import audience, consents, jobs
from syndicate.store.audience import Subscription
from syndicate.store.db import Database
from tests.factories import PEPPER, make_newsletter
from tests.pipeline.mailing import Postoffice

TEXT = ConsentText(version=1, language="id", words="Saya ingin menerima.")
DEWI = "dewi@pembaca.example"
HOME = "203.0.113.7"


class Reception:
    """Signing up at a newspaper with two newsletters."""

    def __init__(self, db: Database, folder: Path, mailer: Mailer) -> None:
        self.office = Postoffice(db, folder, mailer)
        self.db, self.clock, self.room = db, self.office.clock, self.office.room
        self.newsletters = {name: make_newsletter(name=name, title=name.title()) for name in ("pagi", "sore")}
        object.__setattr__(self.room, "newsletters", self.newsletters)
        self.way_in = Entrance(
            room=self.room,
            templates=Path(__file__).parents[2] / "templates",
            digest=partial(address_digest, PEPPER),
            mark=lambda: "q" * 16,
            journal=folder / "departures.jsonl",
        )

    async def ask(
        self, address: str = DEWI, *newsletters: str, client: str = HOME, text: ConsentText = TEXT
    ) -> Verdict:
        asking = Asking(
            address=address,
            newsletters=newsletters or ("pagi",),
            via=Via.PAGE,
            client=ip_address(client),
            text=text,
        )
        return await ask(self.db, self.way_in, asking, now=self.clock.at)

    async def waiting(self) -> list[int]:
        """The requests whose mail is still to be sent."""
        async with self.db.read() as connection:
            return [job.ref["sign_up"] for job in await jobs.listed(connection, limit=20_000) if job.kind == "confirm"]

    async def post(self) -> None:
        """Sends the mail of every request once; the jobs stay, as after a crash at their end."""
        for number in await self.waiting():
            await send_confirmation(self.db, self.way_in, number)

    async def read(self, token: str) -> Pending | None:
        return await read_pending(self.db, self.way_in, token, now=self.clock.at)

    async def say(self, token: str, said: Said = Said.CONFIRMED) -> Pending | None:
        word = Word(said=said, client=ip_address(HOME), shown=TEXT)
        return await take_word(self.db, self.way_in, token, word, now=self.clock.at)

    async def subscriptions(self, address: str = DEWI) -> dict[str, Subscription]:
        async with self.db.read() as connection:
            person = await audience.by_address(connection, address)
            chosen = await audience.subscriptions_of(connection, person.id) if person else []
        return {one.newsletter: one for one in chosen}

    async def consents(self, address: str = DEWI) -> list[Consent]:
        async with self.db.read() as connection:
            return await consents.of_person(connection, self.way_in.digest(address))


def token_of(content: bytes) -> str:
    """The token of the link in a mail, by its text part; the HTML has the same."""
    mail = parsed(content)
    found = {re.findall(r"/c/([\w-]+)", part.get_content())[0] for part in mail.iter_parts()}
    assert len(found) == 1
    return str(found.pop())


def parsed(content: bytes) -> EmailMessage:
    found = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def only(mails: list[Mail]) -> bytes:
    assert len(mails) == 1
    return mails[0].content
