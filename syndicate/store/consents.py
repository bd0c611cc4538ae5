"""The ledger of consents. There is no statement here that changes or drops a row."""

from collections.abc import Collection, Iterable
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.consent import Consent, Said
from syndicate.store.sets import among
from syndicate.store.tables import consents


async def add(connection: AsyncConnection, digest: str, said: Iterable[Consent]) -> None:
    """Notes what the person with this address said."""
    rows = [asdict(one) | {"digest": digest, "what": one.what.value} for one in said]
    if rows:
        await connection.execute(insert(consents), rows)


async def of_person(connection: AsyncConnection, digest: str) -> list[Consent]:
    """All that the person with this address ever said, oldest first."""
    found = await connection.execute(select(consents).where(consents.c.digest == digest).order_by(consents.c.id))
    return [
        Consent(
            newsletter=row.newsletter,
            what=Said(row.what),
            at=row.at,
            origin=row.origin,
            network=row.network,
            language=row.language,
            text_version=row.text_version,
            text_hash=row.text_hash,
            note=row.note,
        )
        for row in found
    ]


async def last_lifts(connection: AsyncConnection, digests: Collection[str]) -> dict[str, datetime]:
    """When a suppression of these addresses was lifted last, by digest."""
    lifted = consents.c.what == Said.LIFTED.value
    query = select(consents.c.digest, consents.c.at).where(among(connection, consents.c.digest, digests), lifted)
    return {row.digest: row.at for row in await connection.execute(query.order_by(consents.c.id))}


async def has_denied(connection: AsyncConnection, digest: str, *, since: datetime) -> bool:
    """True when the owner of the address told us lately that it wasn't them."""
    query = select(consents.c.id).where(
        consents.c.digest == digest, consents.c.what == Said.DENIED.value, consents.c.at > since
    )
    return await connection.scalar(query.limit(1)) is not None
