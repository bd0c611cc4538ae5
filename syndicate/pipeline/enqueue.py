"""Edition → deliveries. Everybody due is written down before anything is sent, then the edition is frozen.

After the freeze the candidates are final, so the books balance by construction:
candidates = accepted + refused + uncertain + excluded + still open.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.delivery import Exclusion
from syndicate.domain.edition import Books, Edition, EditionState
from syndicate.domain.partner import Endpoint
from syndicate.domain.slot import Slot, is_late
from syndicate.errors import Refused, StoreTrouble
from syndicate.pipeline.compose import VARIANT, cut_name
from syndicate.pipeline.notify import plan_edition
from syndicate.store import changes, editions, jobs, ledger, partners
from syndicate.store.db import Database

BATCH = 1000  # deliveries a job; no channel takes more in one call
_CHUNK = 5000  # candidates a transaction


@dataclass(frozen=True, kw_only=True)
class FreezeReport:
    """An edition whose content and candidates are final."""

    edition: Edition
    books: Books


async def freeze_edition(
    db: Database, edition: Edition, endpoints: Sequence[Endpoint], *, now: datetime
) -> FreezeReport:
    """Writes the candidates down in chunks, then freezes in one short transaction.

    A slot that is more than two hours late, or an edition too large for a mail, is frozen on hold: a person decides
    whether it goes out.
    """
    after: int | None = 0
    while after is not None:
        async with db.write() as connection:
            after = await editions.add_candidates(connection, edition, after=after, limit=_CHUNK, now=now)
    late = is_late(Slot(at=edition.slot_at, name=edition.slot), now)
    reasons = [edition.why, "its slot was missed by more than two hours" if late else ""]
    async with db.write() as connection:
        await changes.cursor(connection, cut_name(edition.newsletter), lock=True)  # nobody rewrites its content now
        if await editions.missing_candidates(connection, edition):
            raise StoreTrouble(f"edition {edition.id} misses candidates; it was not frozen and will be tried again")
        books = await editions.count_books(connection, edition.id)
        if await editions.withdrawn_stories(connection, edition.id):
            reasons.append("a story in it was withdrawn meanwhile")
        why = "; ".join(filter(None, reasons))
        frozen = await _freeze(connection, edition, hold=why, now=now)
        await editions.put_books(connection, edition.id, books)
        await changes.move_cursor(connection, cut_name(edition.newsletter), edition.cut_to)
        if not why:
            await _let_go(connection, frozen, endpoints, now=now)
    return FreezeReport(edition=frozen, books=books)


async def hold_edition(db: Database, edition: Edition, *, why: str) -> None:
    """Stops an edition at once: no mail or push more is handed over; what is on the wire ends by itself."""
    async with db.write() as connection:
        going = (EditionState.FROZEN,)
        if not await editions.set_state(connection, edition.id, EditionState.HELD, came_from=going, why=why):
            raise Refused(f"the edition is {edition.state}; only one that is being sent can be held")


async def release_edition(db: Database, edition: Edition, endpoints: Sequence[Endpoint], *, now: datetime) -> None:
    """A person's word that a held edition may go out. The 72 h of what is unsent begin now."""
    async with db.write() as connection:
        held = (EditionState.HELD,)
        values: dict[str, Any] = {"why": "", "released_at": now}
        if not await editions.set_state(connection, edition.id, EditionState.FROZEN, came_from=held, **values):
            raise Refused(f"the edition is {edition.state}; only one on hold can be released")
        await _let_go(connection, edition, endpoints, now=now)


async def cancel_edition(db: Database, edition: Edition, *, why: str, now: datetime) -> None:
    """What is unsent of an edition never goes out."""
    async with db.write() as connection:
        stoppable = (EditionState.HELD, EditionState.FROZEN)
        done = await editions.set_state(connection, edition.id, EditionState.CANCELLED, came_from=stoppable, why=why)
        if not done and edition.state is EditionState.COMPOSING:
            raise Refused("the edition is still being composed; cancel it when `editions list` shows it held or frozen")
        if not done:
            raise Refused(f"the edition is {edition.state}; there is nothing left to cancel")
        await ledger.cancel_unsent(connection, edition.id, now=now)
        await partners.exclude_edition(connection, edition.id, Exclusion.CANCELLED, now=now)


async def _freeze(connection: AsyncConnection, edition: Edition, *, hold: str, now: datetime) -> Edition:
    rendering = await editions.rendering(connection, edition.id, VARIANT)
    if rendering is None:
        raise LookupError(f"edition {edition.id} has no rendering")
    digest = hashlib.sha256("\0".join((rendering.subject, rendering.html, rendering.text)).encode()).hexdigest()
    state = EditionState.HELD if hold else EditionState.FROZEN
    values: dict[str, Any] = {"subject": rendering.subject, "content_hash": digest, "frozen_at": now, "why": hold}
    if not await editions.set_state(connection, edition.id, state, came_from=(EditionState.COMPOSING,), **values):
        raise Refused(f"edition {edition.id} was frozen by somebody else meanwhile")
    return replace(edition, state=state, **values)


async def _let_go(
    connection: AsyncConnection, edition: Edition, endpoints: Sequence[Endpoint], *, now: datetime
) -> None:
    """Jobs for the mails and pushes for the partners, in the transaction that lets the edition go."""
    if not await ask_for_mailing(connection, edition.id, now=now):
        await editions.set_state(
            connection, edition.id, EditionState.DONE, came_from=(EditionState.FROZEN,), done_at=now
        )
    for endpoint in endpoints:
        if edition.newsletter in endpoint.newsletters:
            await plan_edition(connection, edition, endpoint, now=now)


async def ask_for_mailing(connection: AsyncConnection, edition_id: int, *, now: datetime) -> bool:
    """One job for each batch of an edition. False: it has no candidates."""
    span = await editions.delivery_span(connection, edition_id)
    first, last = span or (1, 0)
    for start in range(first, last + 1, BATCH):
        ref = {"edition": edition_id, "first": start, "last": min(start + BATCH - 1, last)}
        await jobs.add(connection, lane="bulk", kind="mail", key=f"mail:{edition_id}:{start}", ref=ref, now=now)
    return span is not None
