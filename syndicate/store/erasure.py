"""Forgetting a person: what names them goes; the ledger keeps a number, consents and suppressions a digest."""

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.store import ledger, receipts, sign_ups
from syndicate.store.tables import subscribers, subscriptions


async def forget_person(connection: AsyncConnection, subscriber: int, digest: str) -> None:
    """Drops the person and all that waits for them. Their links open nothing then: each asks for the row."""
    await sign_ups.forget_person(connection, digest, subscriber)
    await connection.execute(delete(subscriptions).where(subscriptions.c.subscriber_id == subscriber))
    await connection.execute(delete(subscribers).where(subscribers.c.id == subscriber))
    await forget_words(connection, subscriber)


async def forget_words(connection: AsyncConnection, subscriber: int) -> None:
    """What others said of a person's mails: relays and providers like to name an address."""
    await receipts.forget_person(connection, subscriber)
    await ledger.forget_words(connection, subscriber)
