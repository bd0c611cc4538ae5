"""Readers who differ, editions for them, and what each of them got."""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from syndicate.domain.audience import Rhythm
from syndicate.domain.edition import Edition
from syndicate.domain.newsletter import Newsletter
from syndicate.domain.slot import Slot
from syndicate.pipeline.compose import ComposeReport, Composition, compose_edition, know_newsletters
from syndicate.pipeline.enqueue import freeze_edition
from syndicate.store import candidates, editions
from syndicate.store.db import Database
from syndicate.store.editions import Rendering
from syndicate.store.tables import deliveries, subscribers, subscriptions
from tests.factories import NOW, add_reader, make_newsletter
from tests.pipeline.mailing import STUDIO

_OF_READER = frozenset({"language", "timezone", "hour", "paused_until"})
PAGI = make_newsletter(topics=("ekonomi", "olahraga", "daerah"))


class Town:
    """A newspaper's readers and its newsletters."""

    def __init__(self, db: Database, *newsletters: Newsletter) -> None:
        self.db = db
        self.newsletters = {one.name: one for one in newsletters or (PAGI,)}
        self._slots = 0

    async def open(self) -> "Town":
        await know_newsletters(self.db, list(self.newsletters.values()))
        return self

    async def reader(self, number: int, *newsletters: str, **chosen: Any) -> int:
        """A subscriber of these newsletters, or of all, with choices of their own. Returns their number."""
        async with self.db.write() as connection:
            for name in newsletters or self.newsletters:
                person = await add_reader(connection, number, name)
            own = {name: value for name, value in chosen.items() if name in _OF_READER}
            if own:
                await connection.execute(update(subscribers).where(subscribers.c.id == person.id).values(**own))
            if of_each := {name: value for name, value in chosen.items() if name not in _OF_READER}:
                mine = update(subscriptions).where(subscriptions.c.subscriber_id == person.id)
                await connection.execute(mine.values(**of_each))
        return person.id

    async def compose(
        self, name: str = "pagi", *, rhythm: Rhythm = Rhythm.EACH, slot: Slot | None = None, now: datetime = NOW
    ) -> ComposeReport:
        self._slots += 1
        slot = slot or Slot(at=NOW, name=f"slot-{self._slots}")
        return await compose_edition(self.db, self.newsletters[name], slot, STUDIO, rhythm=rhythm, now=now)

    async def freeze(self, report: ComposeReport, *, now: datetime = NOW) -> Edition:
        assert report.composition is Composition.READY, report.why
        assert report.edition is not None
        newsletter = self.newsletters[report.newsletter]
        frozen = await freeze_edition(self.db, report.edition, [], newsletter=newsletter, studio=STUDIO, now=now)
        assert frozen.books.balance
        return frozen.edition

    async def issue(self, name: str = "pagi", *, now: datetime = NOW, **how: Any) -> Edition:
        return await self.freeze(await self.compose(name, now=now, **how), now=now)

    async def rows(self, edition: Edition) -> dict[int, Any]:
        """The ledger's rows of an edition by subscriber."""
        async with self.db.read() as connection:
            found = await connection.execute(select(deliveries).where(deliveries.c.edition_id == edition.id))
            return {row.subscriber_id: row for row in found}

    async def got(self, edition: Edition) -> dict[int, str]:
        """By subscriber: the keys of the stories that their variant shows, with marks, or why they get none."""
        async with self.db.read() as connection:
            shown = [s.article_id for s in await editions.stories(connection, edition.id) if not s.left_out]
            keys = await candidates.keys(connection, [edition.id])
            found = await editions.renderings(connection, edition.id, {number for _, number in keys})
        said = {number: _said(found[number], keys[edition.id, number], shown) for number in found}
        return {number: row.reason or said[row.variant] for number, row in (await self.rows(edition)).items()}

    async def rendering(self, edition: Edition, reader: int) -> Rendering:
        row = (await self.rows(edition))[reader]
        async with self.db.read() as connection:
            return (await editions.renderings(connection, edition.id, [row.variant]))[row.variant]

    async def settle(self, edition: Edition, *readers: int, **values: Any) -> None:
        """Writes into the ledger what became of these readers' mails."""
        async with self.db.write() as connection:
            mine = deliveries.c.edition_id == edition.id, deliveries.c.subscriber_id.in_(readers)
            await connection.execute(update(deliveries).where(*mine).values(**values))

    def change(self, name: str = "pagi", **values: Any) -> None:
        """The configuration is another one from now on."""
        self.newsletters[name] = replace(self.newsletters[name], **values)


def _said(rendering: Rendering, key: Any, shown: Iterable[str]) -> str:
    """The stories in a rendering: "k2 k1+" says that k1 is marked as updated, "k1=" as sent before.

    Taken from the text itself; the key must say the same.
    """
    told = re.findall(r"^Berita (\d+)[^\n]*\n(?:\[([^\]]+)\]\n)?", rendering.text, re.MULTILINE)
    marks = {"": "", "Diperbarui sejak dikirim": "+", "Sudah dikirim": "=", "Updated since it was sent": "+"}
    assert len(told) == len([one for one in shown if one not in key.left_out])
    return " ".join(f"k{number}{marks[mark]}" for number, mark in sorted(told, key=lambda one: -int(one[0])))
