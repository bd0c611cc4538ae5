"""A person's wish to be forgotten → nothing here names them any more, and nothing brings them back but themselves.

An HMAC of the address stays in suppressions and in the journal, so that no list and no restored database makes a
reader of them again; in the ledger of consents it is the proof of what was said. Deliveries keep the bare number.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.account import Entry
from syndicate.domain.consent import Consent, Said
from syndicate.domain.delivery import Exclusion
from syndicate.domain.receipt import Suppressed
from syndicate.errors import NotFound
from syndicate.pipeline.preferences import find, journal
from syndicate.pipeline.reconcile import Exit
from syndicate.store import accounts, audience, consents, erasure, jobs, ledger, sign_ups
from syndicate.store import preferences as store
from syndicate.store.db import Database
from syndicate.store.fence import Departure
from syndicate.store.preferences import Reader

_WIRE_ENDS = timedelta(hours=1)  # after which no reply to a mail of before is waited for
log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Erased:
    """What went."""

    newsletters: tuple[str, ...] = ()  # subscriptions that were active
    mails: int = 0  # that were still to be sent
    requests: int = 0  # that waited for an answer, where the address was no reader's


async def erase_by_link(db: Database, way_out: Exit, text: str, *, now: datetime) -> Erased | None:
    """The reader's own word, by the link to what they chose. None: it is no such link, or no longer."""
    async with db.write() as connection:
        visit = await find(connection, way_out, text, now=now, lock=True)
        if visit is None:
            return None
        erased = await _erase(connection, way_out, visit.reader, origin="link", now=now)
    _stop(way_out, visit.reader, erased)
    return erased


async def erase_by_hand(db: Database, way_out: Exit, digest: str, entry: Entry, *, now: datetime) -> Erased:
    """The operator's word, for who asked in another way; also for an address that only was typed into a form.

    `entry` is its line in the audit log. Raises NotFound when nothing names the person.
    """
    async with db.write() as connection:
        known = await audience.by_digest(connection, digest)
        reader = await store.get(connection, known.id, lock=True) if known else None
        if reader is not None:
            erased = await _erase(connection, way_out, reader, origin="operator", now=now)
        else:
            erased = Erased(requests=await sign_ups.forget_person(connection, digest, None))
            if not erased.requests:
                raise NotFound("subscriber", "with this address")
            await _bar(connection, way_out, digest, origin="operator", now=now)
        await accounts.note(connection, entry)
    if reader is not None:
        _stop(way_out, reader, erased)
    return erased


async def forget_replies(db: Database, subscriber: int) -> None:
    """Once more, when what was on the wire at the time has ended: replies name addresses."""
    async with db.write() as connection:
        if await audience.get(connection, subscriber) is None:
            await erasure.forget_words(connection, subscriber)


async def _erase(connection: AsyncConnection, way_out: Exit, reader: Reader, *, origin: str, now: datetime) -> Erased:
    number, names = reader.person.id, tuple(one.newsletter for one in reader.preferences.choices)
    mails = await ledger.exclude_person(connection, number, Exclusion.ERASED, now=now)
    ended = [Consent(newsletter=name, what=Said.ENDED, at=now, origin=origin) for name in names]
    await consents.add(connection, reader.digest, ended)
    await _bar(connection, way_out, reader.digest, origin=origin, now=now)
    await erasure.forget_person(connection, number, reader.digest)
    later, ref = now + _WIRE_ENDS, {"subscriber": number}
    await jobs.add(connection, lane="work", kind="forget", key=f"forget:{number}", ref=ref, now=now, not_before=later)
    return Erased(newsletters=names, mails=mails)


async def _bar(connection: AsyncConnection, way_out: Exit, digest: str, *, origin: str, now: datetime) -> None:
    """Nobody but the person brings the address back: not a list, and not a database of before."""
    await consents.add(connection, digest, [Consent(newsletter="", what=Said.ERASED, at=now, origin=origin)])
    await audience.suppress(connection, digest, Suppressed.ERASED.value, now=now)
    await journal(way_out, Departure(digest=digest, newsletter="", reason=Suppressed.ERASED.value, at=now))


def _stop(way_out: Exit, reader: Reader, erased: Erased) -> None:
    """Also what is marked already, and not on the wire yet."""
    number, at = reader.person.id, way_out.clock.now()
    for name in {*way_out.newsletters, *erased.newsletters}:
        way_out.revocations.add(name, number, at=at)
    log.info("subscriber.erased", subscriber=number, newsletters=len(erased.newsletters), mails=erased.mails)
