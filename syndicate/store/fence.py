"""Notices a restored backup: the disk knows of sends that the database does not, so nobody may be sent to by guess.

Once per group commit, before the wire, the database's counter and then a file beside the keys are raised. A file ahead
of its database means that the database is an older copy. The other way round is a crash between the two, and harmless.
Whoever leaves is also appended to a journal beside it, which is replayed at start.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.store.db import insert_new, rows_of, upsert
from syndicate.store.files import write_whole
from syndicate.store.tables import deliveries, editions, fences, holds, subscribers

_OUTSIDE = (editions, deliveries, subscribers)  # their numbers stand in Message-IDs, bounce addresses and links
_SKIP_SQLITE = (  # the table of AUTOINCREMENT; a table that never had a row isn't in it
    "INSERT INTO sqlite_sequence(name, seq) SELECT :name, 0 WHERE :name NOT IN (SELECT name FROM sqlite_sequence)",
    "UPDATE sqlite_sequence SET seq = seq + :by WHERE name = :name",
)
_SKIP_POSTGRES = (
    "SELECT setval(pg_get_serial_sequence(:name, 'id'), nextval(pg_get_serial_sequence(:name, 'id')) + :by)",
)

_BY_ONE = text(
    "INSERT INTO fences (install, value) VALUES (:install, :least) ON CONFLICT (install) DO UPDATE "
    "SET value = CASE WHEN fences.value < excluded.value THEN excluded.value ELSE fences.value + 1 END RETURNING value"
)


@dataclass(frozen=True, kw_only=True)
class Departure:
    """One line of the journal: somebody left, and must stay gone whatever database is restored."""

    digest: str  # HMAC of the address
    newsletter: str  # "" for a suppression of the address as such
    reason: str
    at: datetime


def disk_value(path: Path) -> int:
    """The highest fence this install has put on disk; 0 if none, or if a full disk kept the first one out."""
    try:
        return int(path.read_text() or 0)
    except FileNotFoundError:
        return 0


def raise_disk(path: Path, value: int) -> None:
    """Puts a fence on disk, synced. Called before the wire."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(descriptor, f"{value:020d}".encode(), 0)
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


async def value(connection: AsyncConnection, install: str) -> int:
    """The database's fence."""
    return await connection.scalar(select(fences.c.value).where(fences.c.install == install)) or 0


async def raise_value(connection: AsyncConnection, install: str, number: int) -> None:
    """Raises the database's fence, in the transaction that marks deliveries as `sending`."""
    await upsert(connection, fences, {"install": install}, {"value": number})


async def raise_by_one(connection: AsyncConnection, install: str, *, least: int) -> int:
    """The same by one step, or to `least` where that is more. Returns the database's fence then."""
    ((value,),) = await rows_of(connection, _BY_ONE, {"install": install, "least": least})
    return int(value)


async def hold(connection: AsyncConnection, name: str, why: str, *, now: datetime) -> None:
    """Nothing is sent any more until a person releases it."""
    await insert_new(connection, holds, {"name": name, "why": why, "at": now})


async def skip_numbers(connection: AsyncConnection, by: int) -> None:
    """Moves the numbers of editions, deliveries and subscribers on.

    Those that this copy of the database would give next were given before it was restored, to others: evidence for
    their mails would count for ours, and their bounces and unsubscribe links would do so too.
    """
    for table in _OUTSIDE:
        for statement in _SKIP_SQLITE if connection.dialect.name == "sqlite" else _SKIP_POSTGRES:
            await connection.execute(text(statement), {"name": table.name, "by": by})


async def held(connection: AsyncConnection) -> dict[str, str]:
    """What holds the house, and why."""
    return {row.name: row.why for row in await connection.execute(select(holds))}


async def release(connection: AsyncConnection, name: str) -> bool:
    """A person has looked. False: there was no such hold."""
    return (await connection.execute(delete(holds).where(holds.c.name == name))).rowcount == 1


def note_departure(path: Path, *departures: Departure) -> None:
    """Appends to the journal, synced, before the answer is given. A line that a crash cut short is closed first."""
    records = b"".join(map(_record, departures))
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        cut_short = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        os.write(descriptor, b"\n" + records if cut_short else records)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _record(departure: Departure) -> bytes:
    line = {"digest": departure.digest, "newsletter": departure.newsletter, "reason": departure.reason}
    return json.dumps(line | {"at": departure.at.isoformat()}).encode() + b"\n"


def departures(path: Path) -> Iterator[Departure]:
    """The journal, oldest first. A line that a crash cut short was never answered for and is left out."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            yield Departure(**record | {"at": datetime.fromisoformat(record["at"])})


def new_install(path: Path, random: bytes) -> str:
    """The name of this install, made once and kept beside the keys."""
    if not path.exists():
        write_whole(path, random.hex().encode())
    return path.read_text().strip()
