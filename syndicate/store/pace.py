"""What is in the way of claimed mails: how full a channel's allowances are, and domains that are held back."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.delivery import Happening, State, origins, step
from syndicate.domain.edition import EditionState
from syndicate.domain.pace import Wait
from syndicate.store.db import rows_of, upsert, upsert_all
from syndicate.store.sets import among
from syndicate.store.tables import deliveries, domain_holds, edition_books, editions, rates, subscribers, to_instant

RATE, DOMAIN = "rate", "domain"  # codes of deliveries that wait: for room in an allowance; for their domain
_PUT_OFF = """
UPDATE deliveries SET state = :due, owner = '', not_before = o.until, code = o.code, text = o.why,
  first_due = CASE WHEN attempt = 0 AND first_due < o.until THEN o.until ELSE first_due END
FROM {rows} AS o
WHERE deliveries.id = o.id AND deliveries.state = :claimed AND deliveries.owner = :owner
"""
_ROWS_SQLITE = """(SELECT json_extract(value, '$[0]') AS id, json_extract(value, '$[1]') AS until,
  json_extract(value, '$[2]') AS code, json_extract(value, '$[3]') AS why FROM json_each(:rows))"""
_ROWS_POSTGRES = """(SELECT (value->>0)::bigint AS id, (value->>1)::bigint AS until, value->>2 AS code,
  value->>3 AS why FROM jsonb_array_elements(CAST(:rows AS jsonb)))"""
_PUT_OFF_SQLITE = text(_PUT_OFF.format(rows=_ROWS_SQLITE) + "RETURNING 1")
_PUT_OFF_POSTGRES = text(_PUT_OFF.format(rows=_ROWS_POSTGRES.replace("::", r"\:\:")) + "RETURNING 1")


@dataclass(frozen=True, kw_only=True)
class DomainHold:
    """A mail domain that doesn't want our mail for now."""

    channel: str
    domain: str
    why: str
    at: datetime
    until: datetime


async def levels(connection: AsyncConnection, channel: str, names: Collection[str], *, now: datetime) -> dict[str, int]:
    """Up to where these allowances are filled, by name. Nobody else takes anything of them before the commit."""
    keys = {_key(channel, name): name for name in names}
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    rows = [{"key": key, "free_at": to_instant(now)} for key in sorted(keys)]
    await connection.execute(make(rates).values(rows).on_conflict_do_nothing())
    query = select(rates.c.key, rates.c.free_at).where(among(connection, rates.c.key, keys)).order_by(rates.c.key)
    return {keys[row.key]: row.free_at for row in await connection.execute(query.with_for_update())}


async def fill(connection: AsyncConnection, channel: str, filled: Mapping[str, int]) -> None:
    """Keeps up to where they are filled."""
    rows = [{"key": _key(channel, name), "free_at": level} for name, level in sorted(filled.items())]
    await upsert_all(connection, rates, ["key"], rows)


async def standing(connection: AsyncConnection, edition_id: int, channel: str, *, first: int) -> tuple[int, int]:
    """How many editions go by a channel now, and how many open mails of this one come before number `first`.

    The second by the kept books: mails go out in the order of their numbers, as good as.
    """
    going = (
        select(func.count())
        .join_from(editions, edition_books, edition_books.c.edition_id == editions.c.id)
        .where(editions.c.state == EditionState.FROZEN.value, editions.c.channel.in_(("", channel)))
        .where(edition_books.c.open > 0)
    )
    counts = edition_books.c
    settled = counts.accepted + counts.refused + counts.uncertain + counts.excluded
    done = await connection.scalar(select(settled).where(counts.edition_id == edition_id)) or 0
    begins = select(func.min(deliveries.c.id)).where(deliveries.c.edition_id == edition_id)
    before = first - (await connection.scalar(begins) or first)
    return max(1, await connection.scalar(going) or 1), max(0, before - done)


async def put_off(connection: AsyncConnection, waits: Mapping[int, Wait], *, code: str, owner: str) -> None:
    """Gives claimed mails back until later. No try is counted, and what was never tried counts its 72 h from then."""
    rows = [[number, to_instant(wait.until), code, wait.why[:500]] for number, wait in waits.items()]
    states = {"due": step(State.CLAIMED, Happening.RELEASE).value, "claimed": State.CLAIMED.value}
    statement = _PUT_OFF_SQLITE if connection.dialect.name == "sqlite" else _PUT_OFF_POSTGRES
    if rows:
        await rows_of(connection, statement, {"rows": json.dumps(rows), "owner": owner, **states})


async def hold_domain(connection: AsyncConnection, hold: DomainHold) -> None:
    """Nothing more goes to this domain by this channel until then."""
    values = {"why": hold.why, "at": hold.at, "until": hold.until}
    await upsert(connection, domain_holds, {"channel": hold.channel, "domain": hold.domain}, values)


async def domains_held(connection: AsyncConnection, *, now: datetime) -> list[DomainHold]:
    """What is held back, the newest first."""
    query = select(domain_holds).where(domain_holds.c.until > now).order_by(domain_holds.c.at.desc())
    return [DomainHold(**row._asdict()) for row in await connection.execute(query)]


async def resume_domain(connection: AsyncConnection, domain: str, *, now: datetime) -> tuple[int, list[int]]:
    """A person's word that a domain is written to again, by every channel.

    Returns how many holds that ended, and the editions whose mails are due at once by it.
    """
    ended = await connection.execute(delete(domain_holds).where(domain_holds.c.domain == domain))
    theirs = select(subscribers.c.id).where(subscribers.c.folded.like(f"%@{_escaped(domain)}", escape="\\"))
    waiting = deliveries.c.state.in_([state.value for state in origins(Happening.CLAIM)])
    going = select(editions.c.id).where(editions.c.state == EditionState.FROZEN.value)
    held = update(deliveries).where(waiting, deliveries.c.code == DOMAIN, deliveries.c.edition_id.in_(going))
    held = held.where(or_(deliveries.c.not_before > now), deliveries.c.subscriber_id.in_(theirs))
    done = await connection.execute(held.values(not_before=now, code="", text="").returning(deliveries.c.edition_id))
    return ended.rowcount, sorted({row.edition_id for row in done})


def _escaped(domain: str) -> str:
    return domain.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _key(channel: str, name: str) -> str:
    """Of the row; a long domain is shortened to what can't be another's."""
    key = f"mail:{channel}/{name}"
    return key if len(key) <= 120 else f"mail:{channel}/{hashlib.sha256(name.encode()).hexdigest()}"
