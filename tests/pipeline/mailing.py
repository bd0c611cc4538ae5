"""A frozen edition in a postroom of which every part can be scripted."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from syndicate.domain.edition import Edition
from syndicate.domain.partner import Endpoint
from syndicate.domain.slot import Slot
from syndicate.pipeline.compose import compose_edition, know_newsletters
from syndicate.pipeline.dispatch import Dispatcher, DispatchReport
from syndicate.pipeline.enqueue import freeze_edition
from syndicate.pipeline.postroom import Postroom, Revocations
from syndicate.pipeline.reconcile import Exit
from syndicate.pipeline.render import Studio
from syndicate.ports import Mailer
from syndicate.store import editions
from syndicate.store.db import Database
from tests.factories import NOW, RING, SITE, SetClock, add_reader, make_newsletter
from tests.pipeline.stories import publish

TEMPLATES = (Path(__file__).parents[2] / "templates" / "digest",)
STUDIO = Studio(site=SITE, templates=TEMPLATES, sources=(), mark=lambda: "q" * 16)


def address(number: int) -> str:
    return f"pembaca{number}@pembaca.example"


class Postoffice:
    """One worker with one channel."""

    def __init__(self, db: Database, folder: Path, mailer: Mailer, *, owner: str = "a") -> None:
        self.db, self.clock, self.newsletter = db, SetClock(), make_newsletter()
        self.room = Postroom(
            site=SITE,
            ring=RING,
            mailers={"post": mailer},
            newsletters={"pagi": self.newsletter},
            signing_keys={},
            revocations=Revocations(),
            owner=owner,
            fence_file=folder / "fence",
            install="here",
            clock=self.clock,
            chance=lambda: 0.5,
        )
        self.way_out = Exit(
            ring=RING,
            newsletters={"pagi": self.newsletter},
            revocations=self.room.revocations,
            journal=folder / "departures.jsonl",
            clock=self.clock,
        )
        self.dispatcher = Dispatcher(db, self.room)

    async def freeze(self, readers: int = 3, *endpoints: Endpoint) -> Edition:
        """An edition with one story for so many readers."""
        await know_newsletters(self.db, [self.newsletter])
        async with self.db.write() as connection:
            for number in range(readers):
                await add_reader(connection, number)
        await publish(self.db, 1)
        slot = Slot(at=NOW, name="2026-11-24T0600")
        report = await compose_edition(self.db, self.newsletter, slot, STUDIO, now=NOW)
        assert report.edition is not None
        ours: dict[str, Any] = {"newsletter": self.newsletter, "studio": STUDIO}
        return (await freeze_edition(self.db, report.edition, endpoints, **ours, now=NOW)).edition

    async def send(self, edition: Edition, **batch: Any) -> DispatchReport:
        return await self.dispatcher.send_batch(edition_id=edition.id, **{"first": 1, "last": 10**15} | batch)

    async def send_first(self, edition: Edition, count: int = 1) -> DispatchReport:
        """Sends no more than so many: ids go on from what other tests left."""
        async with self.db.read() as connection:
            span = await editions.delivery_span(connection, edition.id)
        assert span is not None
        return await self.send(edition, last=span[0] + count - 1)

    async def books(self, edition: Edition) -> dict[str, int]:
        """What is not zero in the books; the kept ones must say what the ledger says."""
        async with self.db.read() as connection:
            counted = await editions.count_books(connection, edition.id)
            kept = await editions.books(connection, edition.id)
        assert counted == kept
        return {name: count for name, count in vars(counted).items() if count and name != "candidates"}


def numbers(recipients: Sequence[str]) -> list[str]:
    """Just the numbers of `pembacaN@…`."""
    return sorted(recipient.removeprefix("pembaca").partition("@")[0] for recipient in recipients)
