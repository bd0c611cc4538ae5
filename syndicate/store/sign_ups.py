"""Requests to subscribe, which wait for the word of whoever reads the mails to that address."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from sqlalchemy import delete, func, insert, select, type_coerce, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import BigInteger

from syndicate.domain.consent import Said, Via
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


async def add(
    connection: AsyncConnection,
    *,
    address: str,
    digest: str,
    newsletters: Sequence[str],
    language: str,
    via: Via,
    now: datetime,
) -> int:
    """A new request, with its mail still to be sent. Returns its number."""
    row: dict[str, object] = {
        "address": address,
        "digest": digest,
        "newsletters": list(newsletters),
        "language": language,
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
    if row is None:
        return None
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
    )


async def set_standing(connection: AsyncConnection, number: int, standing: Standing) -> None:
    """How its mail stands now."""
    values = {"state": standing.state.value, "attempt": standing.attempt, "code": standing.code, "text": standing.text}
    await connection.execute(update(sign_ups).where(sign_ups.c.id == number).values(**values))


async def set_answer(connection: AsyncConnection, number: int, answer: Said) -> None:
    """What the reader said."""
    await connection.execute(update(sign_ups).where(sign_ups.c.id == number).values(answer=answer.value))


async def count(connection: AsyncConnection, *, since: datetime) -> int:
    """How many there were."""
    return await connection.scalar(select(func.count()).where(sign_ups.c.asked_at > since)) or 0


async def usual_per_hour(connection: AsyncConnection, *, since: datetime, now: datetime) -> float:
    """The median of the hours from `since` on, those without any included."""
    hour = type_coerce(sign_ups.c.asked_at, BigInteger) // _HOUR
    counted = await connection.execute(select(func.count()).where(sign_ups.c.asked_at > since).group_by(hour))
    busy = [row[0] for row in counted]
    hours = (to_instant(now) - to_instant(since)) // _HOUR
    return median(busy + [0] * (hours - len(busy)))


async def forget(connection: AsyncConnection, *, before: datetime) -> None:
    """Drops what is too old to be answered; the consents stay."""
    await connection.execute(delete(sign_ups).where(sign_ups.c.asked_at <= before))
