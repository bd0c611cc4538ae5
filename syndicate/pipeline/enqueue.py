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

from syndicate.domain.account import Entry
from syndicate.domain.audience import Rhythm
from syndicate.domain.candidate import rhythms_for
from syndicate.domain.delivery import Exclusion
from syndicate.domain.edition import Books, Edition, EditionState
from syndicate.domain.newsletter import Newsletter
from syndicate.domain.partner import Endpoint
from syndicate.domain.slot import Slot, is_late
from syndicate.errors import Refused, StoreTrouble
from syndicate.pipeline.compose import cut_name
from syndicate.pipeline.notify import plan_edition
from syndicate.pipeline.render import VARIANT, Studio, read_choice, render_variants
from syndicate.pipeline.tailor import Tailor, write_candidates
from syndicate.store import accounts, candidates, changes, desk, editions, jobs, ledger, partners
from syndicate.store.db import Database

BATCH = 1000  # deliveries a job; no channel takes more in one call
_RENDERINGS = 20  # read at once


@dataclass(frozen=True, kw_only=True)
class FreezeReport:
    """An edition whose content and candidates are final."""

    edition: Edition
    books: Books


async def freeze_edition(
    db: Database,
    edition: Edition,
    endpoints: Sequence[Endpoint],
    *,
    newsletter: Newsletter,
    studio: Studio,
    now: datetime,
) -> FreezeReport:
    """Writes the candidates down in chunks, renders their variants, then freezes in one short transaction.

    A slot that is more than two hours late, or an edition too large for a mail, is frozen on hold: a person decides
    whether it goes out.
    """
    choice = await read_choice(db, edition)
    await write_candidates(db, Tailor(edition=edition, newsletter=newsletter, site=studio.site, choice=choice), now=now)
    too_large = await render_variants(db, newsletter, edition, studio)
    late = edition.frozen_at is None and is_late(Slot(at=edition.slot_at, name=edition.slot), now)
    reasons = [edition.why or too_large, "its slot was missed by more than two hours" if late else ""]
    digest, marks = await _content_hash(db, edition.id)
    cut = cut_name(edition.newsletter, edition.rhythm)
    async with db.write() as connection:
        place = await changes.cursor(connection, cut, lock=True) or 0  # nobody rewrites its content now
        is_short = await candidates.missing(connection, edition, rhythms_for(newsletter, edition.rhythm))
        if is_short or "" in marks.values() or marks != await editions.marks(connection, edition.id):
            raise StoreTrouble(f"edition {edition.id} misses candidates; it was not frozen and will be tried again")
        books = await editions.count_books(connection, edition.id)
        if await editions.withdrawn_stories(connection, edition.id):
            reasons.append("a story in it was withdrawn meanwhile")
        if pause := await desk.pause_of(connection, edition.newsletter):
            reasons.append(pause.reason)
        why = "; ".join(filter(None, reasons))
        frozen = await _freeze(connection, edition, digest, hold=why, now=now)
        await editions.put_books(connection, edition.id, books)
        if place < edition.cut_to:  # one that is frozen again may have had others after it
            await changes.move_cursor(connection, cut, edition.cut_to)
        if not why:
            await _let_go(connection, frozen, endpoints, now=now)
    return FreezeReport(edition=frozen, books=books)


async def hold_edition(db: Database, edition: Edition, *, why: str, said: Entry | None = None) -> None:
    """Stops an edition at once: no mail or push more is handed over; what is on the wire ends by itself.

    `said` is the line of the audit log, for what a person does.
    """
    async with db.write() as connection:
        going = (EditionState.FROZEN,)
        if not await editions.set_state(connection, edition.id, EditionState.HELD, came_from=going, why=why):
            raise Refused(f"the edition is {edition.state}; only one that is being sent can be held")
        await _note(connection, said)


async def release_edition(
    db: Database, edition: Edition, endpoints: Sequence[Endpoint], *, now: datetime, said: Entry | None = None
) -> None:
    """A person's word that a held edition may go out. The 72 h of what is unsent begin now."""
    async with db.write() as connection:
        if await desk.pause_of(connection, edition.newsletter):
            name = edition.newsletter
            raise Refused(f"{name} is paused; `syndicate newsletters resume {name}` lets its editions go on")
        held = (EditionState.HELD,)
        values: dict[str, Any] = {"why": "", "released_at": now}
        if not await editions.set_state(connection, edition.id, EditionState.FROZEN, came_from=held, **values):
            raise Refused(f"the edition is {edition.state}; only one on hold can be released")
        await _let_go(connection, edition, endpoints, now=now)
        await _note(connection, said)


async def cancel_edition(db: Database, edition: Edition, *, why: str, now: datetime, said: Entry | None = None) -> None:
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
        await _note(connection, said)


async def _note(connection: AsyncConnection, said: Entry | None) -> None:
    if said is not None:
        await accounts.note(connection, said)


async def _freeze(connection: AsyncConnection, edition: Edition, digest: str, *, hold: str, now: datetime) -> Edition:
    rendering = await editions.rendering(connection, edition.id, VARIANT)
    if rendering is None:
        raise LookupError(f"edition {edition.id} has no rendering")
    state = EditionState.HELD if hold else EditionState.FROZEN
    values: dict[str, Any] = {"subject": rendering.subject, "content_hash": digest, "frozen_at": now, "why": hold}
    if not await editions.set_state(connection, edition.id, state, came_from=(EditionState.COMPOSING,), **values):
        raise Refused(f"edition {edition.id} was frozen by somebody else meanwhile")
    return replace(edition, state=state, **values)


async def _content_hash(db: Database, edition_id: int) -> tuple[str, dict[int, str]]:
    """Of all its renderings, and the mark that each of them has: another rendering has another one.

    Outside of the transaction that freezes, and some at a time: hundreds may be as many as 30 MB.
    """
    digest = hashlib.sha256()
    async with db.read() as connection:
        marks = await editions.marks(connection, edition_id)
        numbers = sorted(marks)
        for start in range(0, len(numbers), _RENDERINGS):
            found = await editions.renderings(connection, edition_id, numbers[start : start + _RENDERINGS])
            for number in sorted(found):
                one = found[number]
                digest.update("\0".join((one.subject, one.html, one.text)).encode())
    return digest.hexdigest(), marks


async def _let_go(
    connection: AsyncConnection, edition: Edition, endpoints: Sequence[Endpoint], *, now: datetime
) -> None:
    """Jobs for the mails and pushes for the partners, in the transaction that lets the edition go."""
    if not await ask_for_mailing(connection, edition, now=now):
        await editions.set_state(
            connection, edition.id, EditionState.DONE, came_from=(EditionState.FROZEN,), done_at=now
        )
    for endpoint in endpoints:
        if edition.newsletter in endpoint.newsletters:
            await plan_edition(connection, edition, endpoint, now=now)


async def ask_for_mailing(connection: AsyncConnection, edition: Edition, *, now: datetime) -> bool:
    """One job for each batch of an edition. False: it has no candidates."""
    lane, number = "breaking" if edition.rhythm is Rhythm.BREAKING else "bulk", edition.id
    span = await editions.delivery_span(connection, number)
    first, last = span or (1, 0)
    refs = {
        f"mail:{number}:{start}": {"edition": number, "first": start, "last": min(start + BATCH - 1, last)}
        for start in range(first, last + 1, BATCH)
    }
    await jobs.add_all(connection, lane=lane, kind="mail", refs=refs, now=now)
    return span is not None
