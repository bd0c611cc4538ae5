"""Partners' keys, how their endpoints do, and the ledger of pushes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Row, and_, exists, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from syndicate.domain.change import ChangeKind
from syndicate.domain.delivery import Exclusion, Happening, Standing, State, origins
from syndicate.domain.edition import EditionState
from syndicate.domain.partner import WITHDRAWN_TYPE, Heard, Push, kind_instead, push_kind, push_type
from syndicate.store.db import insert_new, upsert
from syndicate.store.sets import among
from syndicate.store.tables import editions, endpoints, partner_keys, pushes

_UNSENT = (State.DUE, State.CLAIMED, State.DEFERRED)
_OPEN = (*_UNSENT, State.SENDING)
_MAY_BE_THERE = or_(pushes.c.arrived, pushes.c.state == State.SENDING.value)  # what was on the wire may be there


@dataclass(frozen=True, kw_only=True)
class Key:
    """A partner's key; only its digest is kept."""

    id: str
    partner: str
    digest: str
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class PushLine:
    """One push as the operator sees it."""

    id: int
    endpoint: str
    subject: str
    type: str
    state: str
    reason: str
    attempt: int
    at: datetime
    not_before: datetime | None
    code: str
    text: str
    settled_at: datetime | None


async def add_key(connection: AsyncConnection, key: Key) -> None:
    """Keeps a new key's digest. Two live keys let a partner change over without a gap."""
    await insert_new(connection, partner_keys, vars(key))


async def key(connection: AsyncConnection, identifier: str) -> Key | None:
    """The live key with this id."""
    query = select(partner_keys).where(partner_keys.c.id == identifier, partner_keys.c.revoked_at.is_(None))
    row = (await connection.execute(query)).one_or_none()
    return Key(**row._asdict()) if row else None


async def keys(connection: AsyncConnection) -> list[Key]:
    """Every key, revoked ones too."""
    rows = await connection.execute(select(partner_keys).order_by(partner_keys.c.created_at))
    return [Key(**row._asdict()) for row in rows]


async def revoke_key(connection: AsyncConnection, identifier: str, *, now: datetime) -> bool:
    """Ends a key. False: there is no such live key."""
    live = and_(partner_keys.c.id == identifier, partner_keys.c.revoked_at.is_(None))
    return (await connection.execute(update(partner_keys).where(live).values(revoked_at=now))).rowcount == 1


async def add_push(connection: AsyncConnection, push: Push, *, at: datetime) -> bool:
    """Writes a push down as `due`. False: this change was written down for this endpoint already."""
    row: dict[str, Any] = {"endpoint": push.endpoint, "seq": push.seq, "subject": push.subject, "type": push.type}
    row |= {"article_id": push.article_id, "edition_id": push.edition_id, "state": push.state.value}
    row |= {"arrived": False, "reason": "", "attempt": 0, "at": at, "first_due": push.first_due}
    row |= {"owner": "", "code": "", "text": ""}
    return await insert_new(connection, pushes, row)


async def unsent(connection: AsyncConnection, endpoint: str, subject: str) -> list[tuple[int, ChangeKind]]:
    """The waiting pushes of one article to one endpoint: id and kind of change."""
    query = select(pushes.c.id, pushes.c.type).where(
        pushes.c.endpoint == endpoint, pushes.c.subject == subject, _in(_UNSENT)
    )
    return [(row.id, push_kind(row.type)) for row in await connection.execute(query)]


async def heard(connection: AsyncConnection, endpoint: str, subject: str) -> Heard:
    """What may have reached the endpoint about this article."""
    query = select(pushes.c.type).where(pushes.c.endpoint == endpoint, pushes.c.subject == subject, _MAY_BE_THERE)
    told = [row.type for row in await connection.execute(query.order_by(pushes.c.id))]
    if all(one == WITHDRAWN_TYPE for one in told):
        return Heard.NOTHING
    return Heard.WITHDRAWAL if told[-1] == WITHDRAWN_TYPE else Heard.STORY


async def exclude(connection: AsyncConnection, ids: Iterable[int], reason: Exclusion, *, now: datetime) -> None:
    """Drops waiting pushes, with the reason."""
    here = and_(among(connection, pushes.c.id, ids), _in(_UNSENT))
    changed = update(pushes).where(here).values(state=State.EXCLUDED.value, reason=reason.value, settled_at=now)
    await connection.execute(changed)


async def exclude_edition(connection: AsyncConnection, edition_id: int, reason: Exclusion, *, now: datetime) -> None:
    """Drops the waiting pushes about an edition, to whichever endpoint."""
    here = and_(pushes.c.edition_id == edition_id, _in(_UNSENT))
    changed = update(pushes).where(here).values(state=State.EXCLUDED.value, reason=reason.value, settled_at=now)
    await connection.execute(changed)


async def renew(connection: AsyncConnection, endpoint: str, edition_id: int, *, now: datetime) -> None:
    """A waiting push about an edition that was held may be tried at once, and its 72 h begin now."""
    await _renew(connection, and_(pushes.c.endpoint == endpoint, pushes.c.edition_id == edition_id), now=now)


async def claim(
    connection: AsyncConnection, endpoint: str, *, owner: str, limit: int, now: datetime
) -> list[tuple[Push, datetime]]:
    """Takes the next pushes of an endpoint with the time of what they tell, withdrawals first.

    Strict order per subject: a push is claimable only when no earlier one of its subject is open; and not while it
    waits for a person, because its endpoint is switched off or its edition held.
    """
    await _supersede(connection, endpoint, now=now)
    earlier = aliased(pushes)
    blocked = exists().where(_follows(pushes, earlier), earlier.c.state.in_([s.value for s in _OPEN]))
    ready = or_(pushes.c.not_before.is_(None), pushes.c.not_before <= now)
    first = pushes.c.type != WITHDRAWN_TYPE
    picked = select(pushes.c.id).where(
        pushes.c.endpoint == endpoint, _in(origins(Happening.CLAIM)), ready, ~blocked, ~_waits_for_a_person()
    )
    picked = picked.order_by(first, pushes.c.id).limit(limit).with_for_update(skip_locked=True)
    taken = update(pushes).where(pushes.c.id.in_(picked.scalar_subquery()))
    rows = await connection.execute(taken.values(state=State.CLAIMED.value, owner=owner).returning(pushes))
    found = sorted(rows.all(), key=lambda row: (row.type != WITHDRAWN_TYPE, row.id))
    return [(_push(row), row.at) for row in found]


async def mark(connection: AsyncConnection, identifier: int, *, owner: str) -> bool:
    """`claimed → sending`, right before the wire. False: no longer ours, or it waits for a person since."""
    mine = and_(pushes.c.id == identifier, _in(origins(Happening.MARK)), pushes.c.owner == owner)
    marked = update(pushes).where(mine, ~_waits_for_a_person()).values(state=State.SENDING.value)
    return (await connection.execute(marked)).rowcount == 1


async def settle(
    connection: AsyncConnection, identifier: int, standing: Standing, *, doubtful: bool, owner: str, now: datetime
) -> None:
    """Writes an outcome down, if we still hold the push. `doubtful`: it may be with the partner all the same."""
    mine = and_(pushes.c.id == identifier, pushes.c.state == State.SENDING.value, pushes.c.owner == owner)
    final = standing.state is not State.DEFERRED
    await connection.execute(
        update(pushes)
        .where(mine)
        .values(
            state=standing.state.value,
            arrived=or_(pushes.c.arrived, literal(doubtful or standing.state is State.ACCEPTED)),
            attempt=standing.attempt,
            not_before=standing.not_before,
            code=standing.code[:64],
            text=standing.text.replace("\0", "")[:500],
            owner="",
            settled_at=now if final else None,
        )
    )


async def release(connection: AsyncConnection, ids: Iterable[int], *, owner: str) -> None:
    """Gives back what was claimed and has no outcome. Safe also for what was on the wire, as in `abandon`."""
    mine = and_(among(connection, pushes.c.id, ids), _in((State.CLAIMED, State.SENDING)), pushes.c.owner == owner)
    await connection.execute(update(pushes).where(mine).values(state=State.DUE.value, owner="", arrived=_MAY_BE_THERE))


async def abandon(connection: AsyncConnection, *, alive: Iterable[str]) -> None:
    """After a crash: whatever dead workers held is due again.

    That is safe also for what was on the wire: a push carries the same id on every try, so the partner drops a double.
    """
    held = _in((State.CLAIMED, State.SENDING))
    lost = and_(held, ~among(connection, pushes.c.owner, alive))
    await connection.execute(update(pushes).where(lost).values(state=State.DUE.value, owner="", arrived=_MAY_BE_THERE))


async def next_time(connection: AsyncConnection, endpoint: str) -> datetime | None:
    """When the endpoint's next waiting push may be tried; None: nothing waits, or only for a person."""
    when = func.min(func.coalesce(pushes.c.not_before, pushes.c.first_due))
    query = select(when).where(pushes.c.endpoint == endpoint, _in(_UNSENT), ~_waits_for_a_person())
    return await connection.scalar(query)


async def disable(connection: AsyncConnection, endpoint: str, why: str, *, now: datetime) -> None:
    """The partner's address is no more (410): what waits is dropped, what is planned later waits for `enable`."""
    await upsert(connection, endpoints, {"name": endpoint}, {"disabled_at": now, "why": why})
    waiting = and_(pushes.c.endpoint == endpoint, _in(_UNSENT))
    values = {"state": State.EXCLUDED.value, "reason": Exclusion.ENDPOINT_DISABLED.value, "settled_at": now}
    await connection.execute(update(pushes).where(waiting).values(**values))


async def enable(connection: AsyncConnection, endpoint: str, *, now: datetime) -> bool:
    """A person's word that an endpoint is there again: what was planned since may go. False: it was not off."""
    off = and_(endpoints.c.name == endpoint, endpoints.c.disabled_at.is_not(None))
    done = await connection.execute(update(endpoints).where(off).values(disabled_at=None, why=""))
    if done.rowcount:
        await _renew(connection, pushes.c.endpoint == endpoint, now=now)
    return done.rowcount == 1


async def disabled(connection: AsyncConnection) -> dict[str, str]:
    """The endpoints that are switched off, and why."""
    rows = await connection.execute(select(endpoints).where(endpoints.c.disabled_at.is_not(None)))
    return {row.name: row.why for row in rows}


async def lines(connection: AsyncConnection, *, limit: int, dead_only: bool = False) -> list[PushLine]:
    """Pushes, newest first. `dead_only`: the dead letters, those given up or refused."""
    query = select(pushes).order_by(pushes.c.id.desc()).limit(limit)
    rows = await connection.execute(query.where(pushes.c.state == State.REFUSED.value) if dead_only else query)
    return [PushLine(**{name: getattr(row, name) for name in PushLine.__dataclass_fields__}) for row in rows]


async def about(connection: AsyncConnection, endpoints: Iterable[str], subjects: Iterable[str]) -> list[PushLine]:
    """The pushes of these subjects to these endpoints, oldest first."""
    query = select(pushes).where(
        among(connection, pushes.c.endpoint, endpoints), among(connection, pushes.c.subject, subjects)
    )
    rows = await connection.execute(query.order_by(pushes.c.id))
    return [PushLine(**{name: getattr(row, name) for name in PushLine.__dataclass_fields__}) for row in rows]


async def line(connection: AsyncConnection, identifier: int) -> PushLine | None:
    """One push."""
    row = (await connection.execute(select(pushes).where(pushes.c.id == identifier))).one_or_none()
    return PushLine(**{name: getattr(row, name) for name in PushLine.__dataclass_fields__}) if row else None


async def replay(connection: AsyncConnection, identifier: int, *, now: datetime) -> str | None:
    """The operator's retry of a dead letter. Returns its endpoint, None if it can't be retried.

    It can't when something newer of the same subject went out or waits: an old version must not follow a new one.
    """
    newer = aliased(pushes)
    there = [s.value for s in (*_OPEN, State.ACCEPTED, State.UNCERTAIN)]
    outdated = exists().where(_follows(newer, pushes), newer.c.state.in_(there))
    here = and_(pushes.c.id == identifier, _in(origins(Happening.RETRY)), ~outdated)
    again = {"state": State.DUE.value, "not_before": None, "first_due": now, "attempt": 0, "settled_at": None}
    endpoint: str | None = await connection.scalar(
        update(pushes).where(here).values(**again).returning(pushes.c.endpoint)
    )
    return endpoint


async def _supersede(connection: AsyncConnection, endpoint: str, *, now: datetime) -> None:
    """Drops waiting pushes behind which a newer one of their subject waits; that one says what they would have said.

    Planning does so for all that waits; what is on the wire at that moment may come back unsent, and is dropped here.
    """
    newer = aliased(pushes)
    query = select(pushes.c.id, pushes.c.type, newer.c.id.label("newer_id"), newer.c.type.label("newer_type"))
    query = query.join(newer, and_(_follows(newer, pushes), newer.c.state.in_([s.value for s in _UNSENT])))
    found = (await connection.execute(query.where(pushes.c.endpoint == endpoint, _in(_UNSENT)))).all()
    kinds: dict[int, ChangeKind] = {}
    for row in found:
        newest = kinds.get(row.newer_id, push_kind(row.newer_type))
        kinds[row.newer_id] = kind_instead(newest, [push_kind(row.type)])
    for kind in set(kinds.values()):
        named = among(connection, pushes.c.id, [number for number, called in kinds.items() if called is kind])
        await connection.execute(update(pushes).where(named, _in(_UNSENT)).values(type=push_type(kind)))
    await exclude(connection, {row.id for row in found}, Exclusion.SUPERSEDED, now=now)


async def _renew(connection: AsyncConnection, which: ColumnElement[bool], *, now: datetime) -> None:
    again = update(pushes).where(which, _in(_UNSENT)).values(first_due=now, not_before=None)
    await connection.execute(again)


def _follows(later: FromClause, earlier: FromClause) -> ColumnElement[bool]:
    """By `seq`, which is in the index: by `id` SQLite would walk through everything the endpoint ever got."""
    same = and_(later.c.endpoint == earlier.c.endpoint, later.c.subject == earlier.c.subject)
    return and_(same, later.c.seq > earlier.c.seq)


def _waits_for_a_person() -> ColumnElement[bool]:
    return or_(
        exists().where(endpoints.c.name == pushes.c.endpoint, endpoints.c.disabled_at.is_not(None)),
        exists().where(editions.c.id == pushes.c.edition_id, editions.c.state == EditionState.HELD.value),
    )


def _in(states: Sequence[State]) -> ColumnElement[bool]:
    return pushes.c.state.in_([state.value for state in states])


def _push(row: Row[Any]) -> Push:
    names = ("id", "endpoint", "subject", "seq", "type", "attempt", "article_id", "edition_id", "first_due")
    return Push(**{name: getattr(row, name) for name in names}, state=State(row.state))
