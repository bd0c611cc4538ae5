"""A suppression → its end: by the operator's word with a reason, or by the reader's own confirmation.

First the database, then the journal: if we stop in between, the next start finds the lift in the ledger of consents
and completes the journal. The other way round an address could be written to that nobody lifted.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.account import Deed, Entry
from syndicate.domain.consent import Consent, Said
from syndicate.domain.receipt import Suppressed
from syndicate.domain.suppression import LIFTED, REOPENED, only_by_reader, opens_to_reader
from syndicate.errors import Refused
from syndicate.store import accounts, audience, consents, fence
from syndicate.store.db import Database
from syndicate.store.fence import Departure

LEAST_WORDS, MOST_WORDS = 5, 500  # characters of a reason
_SUBJECT = 16  # letters of the digest in the audit log: an address there would outlive its erasure
log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Lift:
    """What an operator says."""

    digest: str  # of the address
    why: str
    who: str  # as the audit log names them
    complaint: bool = False  # they looked at the complaint, and the reader wants to confirm anew


@dataclass(frozen=True, kw_only=True)
class Lifted:
    """What there was, and what became of it."""

    reason: str
    since: datetime
    reopened: bool  # nothing is lifted yet: the reader has to confirm
    journaled: bool = True  # False: the journal couldn't be written; the next start does it


async def lift(db: Database, journal: Path, order: Lift, *, now: datetime) -> Lifted:
    """Ends a suppression by hand. Raises Refused where there is none, and where only the reader can."""
    why = " ".join(order.why.split())
    if not LEAST_WORDS <= len(why) <= MOST_WORDS:
        raise Refused(f"say in {LEAST_WORDS} to {MOST_WORDS} characters why the address may be written to again")
    async with db.write() as connection:
        held = await audience.suppression(connection, order.digest, lock=True)
        if held is None:
            raise Refused("the address is not suppressed; nothing was changed")
        reason, since = held
        _may(reason, order)
        reopened = reason == Suppressed.COMPLAINT.value
        if reopened:
            await audience.reopen(connection, order.digest, now=now)
        else:
            await audience.lift(connection, order.digest, until=now)
        what = Said.REOPENED if reopened else Said.LIFTED
        said = Consent(newsletter="", what=what, at=now, origin=why, note=reason)
        await consents.add(connection, order.digest, [said])
        deed = Deed.REOPENED if reopened else Deed.LIFTED
        subject, note = f"reader {order.digest[:_SUBJECT]}", f"{reason}: {why}"
        await accounts.note(connection, Entry(at=now, who=order.who, what=deed, subject=subject, note=note))
    line = Departure(digest=order.digest, newsletter="", reason=REOPENED if reopened else LIFTED, at=now)
    written = await note_lifts(journal, line)
    return Lifted(reason=reason, since=since, reopened=reopened, journaled=written)


async def lift_by_reader(connection: AsyncConnection, digest: str, said: Sequence[Consent]) -> Departure | None:
    """The reader confirmed, and `said` is the evidence. The line for the journal, once this is committed; None: there
    is nothing that this lifts."""
    held = await audience.suppression(connection, digest, lock=True)
    if held is None or not opens_to_reader(held[0]) or not said:
        return None
    at = said[0].at
    await audience.lift(connection, digest, until=at)
    await consents.add(connection, digest, [replace(said[0], newsletter="", what=Said.LIFTED, note=held[0])])
    return Departure(digest=digest, newsletter="", reason=LIFTED, at=at)


async def note_lifts(journal: Path, *lines: Departure) -> bool:
    """Writes lifts that are committed into the journal. False: it couldn't be written, which is logged."""
    try:
        await asyncio.to_thread(fence.note_departure, journal, *lines)
    except OSError as error:  # the next start does it
        log.error("departure.unnoted", reasons=sorted({one.reason for one in lines}), problem=str(error))
        return False
    return True


def _may(reason: str, order: Lift) -> None:
    if reason == Suppressed.COMPLAINT.value and not order.complaint:
        raise Refused(
            "the reader complained; if they want mail again, --complaint opens the way: then they sign up themselves, "
            "and only their own confirmation lifts it"
        )
    if only_by_reader(reason):
        raise Refused(f"{reason}: nobody but the reader lifts that, by signing up and confirming anew")
