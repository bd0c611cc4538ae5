"""Requests that wait for the word of whoever reads the mails to an address, and other single mails."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, insert, or_, select, type_coerce, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import BigInteger

from syndicate.domain.consent import Matter, Said, Via
from syndicate.domain.delivery import Standing, State
from syndicate.store.tables import sign_ups, to_instant

_HOUR = 3_600_000_000  # microseconds


@dataclass(frozen=True, kw_only=True)
class SignUp:
    """One request, and how its mail stands."""

    id: int
    address: str
    digest: str
    newsletters: tuple[str, ...]
    language: str
    via: Via
    asked_at: datetime
    standing: Standing
    answer: Said | None  # CONFIRMED, DENIED
    matter: Matter = Matter.JOIN
    subscriber_id: int | None = None  # who wants to be written to at this address, or was until now


async def add(
    connection: AsyncConnection,
    *,
    address: str,
    digest: str,
    newsletters: Sequence[str],
    language: str,
    via: Via,
    now: datetime,
    matter: Matter = Matter.JOIN,
    subscriber_id: int | None = None,
) -> int:
    """A new request, with its mail still to be sent. Returns its number."""
    row: dict[str, object] = {
        "address": address,
        "digest": digest,
        "newsletters": list(newsletters),
        "language": language,
        "kind": matter.value,
        "subscriber_id": subscriber_id,
    }
    row |= {"origin": via.value, "asked_at": now, "state": State.DUE.value, "attempt": 0, "code": "", "text": ""}
    number: int = (
        await connection.execute(insert(sign_ups).values(**row, answer="").returning(sign_ups.c.id))
    ).scalar_one()
    return number


async def get(connection: AsyncConnection, number: int, *, lock: bool = False) -> SignUp | None:
    """One request. `lock`: nobody else answers or mails it until this transaction ends."""
    query = select(sign_ups).where(sign_ups.c.id == number)
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    return _sign_up(row) if row else None


def _sign_up(row: Row[Any]) -> SignUp:
    return SignUp(
        id=row.id,
        address=row.address,
        digest=row.digest,
        newsletters=tuple(row.newsletters),
        language=row.language,
        via=Via(row.origin),
        asked_at=row.asked_at,
        standing=Standing(
            state=State(row.state), attempt=row.attempt, first_due=row.asked_at, code=row.code, text=row.text
        ),
        answer=Said(row.answer) if row.answer else None,
        matter=Matter(row.kind),
        subscriber_id=row.subscriber_id,
    )


async def set_standing(connection: AsyncConnection, number: int, standing: Standing) -> None:
    """How its mail stands now."""
    values = {"state": standing.state.value, "attempt": standing.attempt, "code": standing.code, "text": standing.text}
    await connection.execute(update(sign_ups).where(sign_ups.c.id == number).values(**values))


async def set_answer(connection: AsyncConnection, number: int, answer: Said) -> None:
    """What the reader said."""
    await connection.execute(update(sign_ups).where(sign_ups.c.id == number).values(answer=answer.value))


async def of_person(connection: AsyncConnection, digest: str, subscriber_id: int) -> list[SignUp]:
    """All that waits for a person, and mails to them of the last days."""
    theirs = or_(sign_ups.c.digest == digest, sign_ups.c.subscriber_id == subscriber_id)
    rows = await connection.execute(select(sign_ups).where(theirs).order_by(sign_ups.c.id))
    return [_sign_up(row) for row in rows]


async def forget_moves(connection: AsyncConnection, subscriber_id: int, *, but: int) -> None:
    """Drops what a person asked for besides: a link of before they moved is worth nothing."""
    others = sign_ups.c.subscriber_id == subscriber_id, sign_ups.c.kind == Matter.MOVE.value, sign_ups.c.id != but
    await connection.execute(delete(sign_ups).where(*others))


async def forget_person(connection: AsyncConnection, digest: str, subscriber_id: int | None) -> int:
    """Drops all that waits for a person, and mails to them that didn't go yet. Returns how many."""
    theirs = or_(sign_ups.c.digest == digest, sign_ups.c.subscriber_id == subscriber_id)
    return (await connection.execute(delete(sign_ups).where(theirs))).rowcount


async def count(connection: AsyncConnection, *, since: datetime) -> int:
    """How many there were."""
    return await connection.scalar(select(func.count()).where(sign_ups.c.asked_at > since, _asks())) or 0


async def usual_per_hour(connection: AsyncConnection, *, since: datetime, now: datetime) -> float:
    """The median of the hours from `since` on, those without any included."""
    hour = type_coerce(sign_ups.c.asked_at, BigInteger) // _HOUR
    counted = await connection.execute(select(func.count()).where(sign_ups.c.asked_at > since, _asks()).group_by(hour))
    busy = [row[0] for row in counted]
    hours = (to_instant(now) - to_instant(since)) // _HOUR
    return median(busy + [0] * (hours - len(busy)))


async def forget(connection: AsyncConnection, *, before: datetime) -> None:
    """Drops what is too old to be answered; the consents stay."""
    await connection.execute(delete(sign_ups).where(sign_ups.c.asked_at <= before))


def _asks() -> ColumnElement[bool]:
    return sign_ups.c.kind != Matter.NOTICE.value
