"""Receipts as they came, and what they mean to the ledger. Each is kept once and counts once, in whichever order."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.delivery import State
from syndicate.domain.receipt import FAILURES, Receipt, Suppressed, Trace, Verdict
from syndicate.store.db import insert_new
from syndicate.store.sets import among
from syndicate.store.tables import deliveries, editions, receipts, subscribers, suppressions

_NEW, _DONE, _FAILED = "new", "done", "failed"
_LOOKED_AT = 200  # of a person's newest mails, to judge whether they can be reached


@dataclass(frozen=True, kw_only=True)
class Arrived:
    """A receipt that nobody has read yet."""

    id: int
    origin: str
    received_at: datetime
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A delivery, as far as a receipt asks for it."""

    id: int
    edition_id: int
    subscriber_id: int
    newsletter: str
    state: State
    receipt: Receipt | None


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A receipt for people."""

    id: int
    origin: str
    received_at: datetime
    state: str
    verdict: str
    status: str
    text: str
    step: str
    delivery_id: int | None
    subscriber_id: int | None


async def add(connection: AsyncConnection, *, digest: str, origin: str, body: bytes, now: datetime) -> bool:
    """Keeps what came, unread. False: it came before."""
    row = {"digest": digest, "origin": origin, "body": body, "received_at": now, "state": _NEW}
    return await insert_new(connection, receipts, row | {"verdict": "", "status": "", "text": "", "step": ""})


async def unread(connection: AsyncConnection, *, after: int, limit: int) -> list[Arrived]:
    """What nobody has read yet, oldest first, behind a number."""
    columns = (receipts.c.id, receipts.c.origin, receipts.c.received_at, receipts.c.body)
    query = select(*columns).where(receipts.c.state == _NEW, receipts.c.id > after)
    rows = await connection.execute(query.order_by(receipts.c.id).limit(limit))
    return [Arrived(**row._asdict()) for row in rows]


async def note(
    connection: AsyncConnection,
    identifier: int,
    verdict: Verdict,
    *,
    status: str = "",
    text: str = "",
    step: str = "",
    delivery_id: int | None = None,
    subscriber_id: int | None = None,
) -> bool:
    """Writes down what a receipt means; only what is unclear keeps its bytes. False: somebody else did so before."""
    values: dict[str, object] = {"state": _DONE, "verdict": verdict.value, "status": status, "text": text, "step": step}
    values |= {"delivery_id": delivery_id, "subscriber_id": subscriber_id}
    if verdict is not Verdict.UNCLEAR:
        values["body"] = None
    here = and_(receipts.c.id == identifier, receipts.c.state == _NEW)
    return (await connection.execute(update(receipts).where(here).values(**values))).rowcount == 1


async def set_aside(connection: AsyncConnection, identifier: int, problem: str) -> None:
    """What couldn't be followed keeps its bytes and waits for a person."""
    here = and_(receipts.c.id == identifier, receipts.c.state == _NEW)
    await connection.execute(update(receipts).where(here).values(state=_FAILED, text=problem))


async def retry(connection: AsyncConnection, identifier: int | None) -> int:
    """What was set aside is unread again; None: all of it. Returns how many."""
    aside = update(receipts).where(receipts.c.state == _FAILED)
    if identifier is not None:
        aside = aside.where(receipts.c.id == identifier)
    return (await connection.execute(aside.values(state=_NEW, text=""))).rowcount


async def set_step(connection: AsyncConnection, identifier: int, step: str) -> None:
    """What followed from a receipt for the person."""
    await connection.execute(update(receipts).where(receipts.c.id == identifier).values(step=step))


async def sent(connection: AsyncConnection, delivery: int, *, lock: bool = False) -> Sent | None:
    """A delivery; `lock` keeps it as it is until the transaction ends."""
    return await _sent(connection, deliveries.c.id == delivery, lock=lock)


async def _sent(connection: AsyncConnection, which: ColumnElement[bool], *, lock: bool = False) -> Sent | None:
    ledger = deliveries.c
    query = (
        select(ledger.id, ledger.edition_id, ledger.subscriber_id, editions.c.newsletter, ledger.state, ledger.receipt)
        .join(editions, editions.c.id == ledger.edition_id)
        .where(which)
    )
    row = (await connection.execute(query.with_for_update(of=deliveries) if lock else query)).one_or_none()
    if row is None:
        return None
    state, receipt = State(row.state), Receipt(row.receipt) if row.receipt else None
    return Sent(**row._asdict() | {"state": state, "receipt": receipt})


async def set_receipt(connection: AsyncConnection, delivery: int, receipt: Receipt) -> None:
    """What stands beside the state from now on."""
    await connection.execute(update(deliveries).where(deliveries.c.id == delivery).values(receipt=receipt.value))


async def traces(connection: AsyncConnection, subscriber: int) -> list[Trace]:
    """A person's newest mails to the address they have that the channel had its say about, and how each bounced."""
    settled = (State.ACCEPTED.value, State.REFUSED.value)
    columns = (deliveries.c.id, deliveries.c.settled_at, deliveries.c.state, deliveries.c.code, deliveries.c.text)
    query = (
        select(*columns, deliveries.c.receipt)
        .where(deliveries.c.subscriber_id == subscriber, deliveries.c.state.in_(settled))
        .where(deliveries.c.settled_at.is_not(None))
        .where(~exists().where(subscribers.c.id == subscriber, subscribers.c.moved_at > deliveries.c.settled_at))
    )
    rows = (await connection.execute(query.order_by(deliveries.c.id.desc()).limit(_LOOKED_AT))).all()
    bounces = await _bounces(connection, [row.id for row in rows if row.receipt == Receipt.BOUNCED.value])
    return [
        Trace(
            at=row.settled_at,
            state=State(row.state),
            code=row.code,
            text=row.text,
            receipt=Receipt(row.receipt) if row.receipt else None,
            verdict=bounces.get(row.id),
        )
        for row in rows
    ]


async def refused_people(connection: AsyncConnection, edition: int) -> list[int]:
    """Whom an edition was refused for, in the channel's own session."""
    query = select(deliveries.c.subscriber_id).where(
        deliveries.c.edition_id == edition, deliveries.c.state == State.REFUSED.value, deliveries.c.code.startswith("5")
    )
    return [row.subscriber_id for row in await connection.execute(query.order_by(deliveries.c.subscriber_id))]


async def suspend(connection: AsyncConnection, digest: str, *, until: datetime, now: datetime) -> bool:
    """Doesn't write to an address for a time. False: it isn't written to already."""
    row = {"digest": digest, "reason": Suppressed.SUSPENDED.value, "at": now, "until": until}
    return await insert_new(connection, suppressions, row)


async def end_suspensions(connection: AsyncConnection, *, now: datetime) -> int:
    """Whose time is over gets the next mail, and is suspended again if it fails. Returns how many."""
    return (await connection.execute(delete(suppressions).where(suppressions.c.until <= now))).rowcount


async def forget_bodies(connection: AsyncConnection, *, before: datetime) -> None:
    """Lets go of the bytes of old receipts that nobody understood."""
    old = and_(receipts.c.state == _DONE, receipts.c.received_at < before, receipts.c.body.is_not(None))
    await connection.execute(update(receipts).where(old).values(body=None))


async def forget_person(connection: AsyncConnection, subscriber: int) -> None:
    """What was said of a person's mails may name them; what it meant stays."""
    theirs = select(deliveries.c.id).where(deliveries.c.subscriber_id == subscriber)
    by_nobody = and_(receipts.c.delivery_id.is_(None), receipts.c.subscriber_id == subscriber)
    for which in (receipts.c.delivery_id.in_(theirs), by_nobody):
        await connection.execute(update(receipts).where(which).values(body=None, text=""))


async def forget_old(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Drops the oldest receipts, of which the ledger keeps what they meant. Returns how many; fewer than `limit`: all.

    They are numbered as they come, so the oldest have the lowest numbers.
    """
    oldest = select(receipts.c.id, receipts.c.received_at).order_by(receipts.c.id).limit(limit)
    old = [row.id for row in await connection.execute(oldest) if row.received_at < before]
    if old:
        await connection.execute(delete(receipts).where(among(connection, receipts.c.id, old)))
    return len(old)


async def policy_share(connection: AsyncConnection, edition: int, domain: str) -> tuple[int, int]:
    """How many of an edition's mails to a domain came back by its policy, and how many were taken over in all."""
    there = subscribers.c.folded.endswith(f"@{domain}", autoescape=True)
    by_policy = exists().where(receipts.c.delivery_id == deliveries.c.id, receipts.c.verdict == Verdict.POLICY.value)
    query = (
        select(func.count().filter(by_policy), func.count())
        .select_from(deliveries)
        .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(deliveries.c.edition_id == edition, deliveries.c.state == State.ACCEPTED.value, there)
    )
    row = (await connection.execute(query)).one()
    return row[0], row[1]


async def of_deliveries(connection: AsyncConnection, ids: Iterable[int]) -> list[Kept]:
    """What came back of these deliveries, oldest first."""
    columns = [column for column in receipts.c if column.name not in ("digest", "body")]
    query = select(*columns).where(among(connection, receipts.c.delivery_id, ids)).order_by(receipts.c.id)
    return [Kept(**row._asdict()) for row in await connection.execute(query)]


async def by_nobody(connection: AsyncConnection, subscriber: int) -> list[Kept]:
    """What came back from a person, but of no mail that we know, oldest first."""
    columns = [column for column in receipts.c if column.name not in ("digest", "body")]
    query = select(*columns).where(receipts.c.delivery_id.is_(None), receipts.c.subscriber_id == subscriber)
    return [Kept(**row._asdict()) for row in await connection.execute(query.order_by(receipts.c.id))]


async def listed(connection: AsyncConnection, *, limit: int, unclear: bool = False) -> list[Kept]:
    """What came, newest first; `unclear`: what nobody understood, what was set aside, and what isn't read yet."""
    columns = [column for column in receipts.c if column.name not in ("digest", "body")]
    query = select(*columns).order_by(receipts.c.id.desc()).limit(limit)
    if unclear:
        query = query.where(or_(receipts.c.state != _DONE, receipts.c.verdict == Verdict.UNCLEAR.value))
    return [Kept(**row._asdict()) for row in await connection.execute(query)]


async def _bounces(connection: AsyncConnection, ids: Iterable[int]) -> dict[int, Verdict]:
    """How each of these came back; one that bounced at several places counts as the worst."""
    verdicts = [verdict.value for verdict in FAILURES]
    query = select(receipts.c.delivery_id, receipts.c.verdict).where(
        among(connection, receipts.c.delivery_id, ids), receipts.c.verdict.in_(verdicts)
    )
    found: dict[int, Verdict] = {}
    for row in await connection.execute(query):
        worst = Verdict(row.verdict)
        if row.delivery_id not in found or FAILURES.index(worst) > FAILURES.index(found[row.delivery_id]):
            found[row.delivery_id] = worst
    return found
