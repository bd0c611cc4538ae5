"""What a person chose, as one whole."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.audience import Rhythm, Subscriber, SubscriptionState
from syndicate.domain.preferences import Choice, Preferences
from syndicate.store.tables import subscribers, subscriptions


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A person with all that they chose."""

    person: Subscriber
    digest: str  # of the address
    preferences: Preferences
    moved_at: datetime | None  # when the address was another one last


async def get(connection: AsyncConnection, identifier: int, *, lock: bool = False) -> Reader | None:
    """The person with this number. `lock`: nobody else changes their choices or address until this transaction ends."""
    query = select(subscribers).where(subscribers.c.id == identifier)
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        return None
    active = select(subscriptions.c.newsletter, subscriptions.c.topics, subscriptions.c.rhythm).where(
        subscriptions.c.subscriber_id == identifier, subscriptions.c.state == SubscriptionState.ACTIVE.value
    )
    chosen = await connection.execute(active.order_by(subscriptions.c.newsletter))
    return Reader(
        person=Subscriber(
            id=row.id,
            address=row.address,
            name=row.name,
            language=row.language,
            timezone=row.timezone,
            generation=row.generation,
            created_at=row.created_at,
        ),
        digest=row.digest,
        preferences=Preferences(
            choices=tuple(
                Choice(newsletter=one.newsletter, topics=tuple(one.topics), rhythm=Rhythm(one.rhythm)) for one in chosen
            ),
            language=row.language,
            timezone=row.timezone,
            hour=row.hour,
            paused_until=row.paused_until,
        ),
        moved_at=row.moved_at,
    )


async def move(connection: AsyncConnection, identifier: int, address: str, digest: str, *, now: datetime) -> None:
    """Another address: links of before open nothing any more, but those to unsubscribe."""
    moved = {"address": address, "folded": address.casefold(), "digest": digest, "moved_at": now}
    await connection.execute(
        update(subscribers)
        .where(subscribers.c.id == identifier)
        .values(**moved, generation=subscribers.c.generation + 1)
    )


async def set_own(connection: AsyncConnection, identifier: int, chosen: Preferences) -> None:
    """What a person chose for all that they get."""
    values = {"language": chosen.language, "timezone": chosen.timezone}
    await connection.execute(
        update(subscribers)
        .where(subscribers.c.id == identifier)
        .values(**values, hour=chosen.hour, paused_until=chosen.paused_until)
    )


async def set_choice(connection: AsyncConnection, identifier: int, choice: Choice) -> None:
    """How a person gets a newsletter that they subscribe to."""
    await connection.execute(
        update(subscriptions)
        .where(subscriptions.c.subscriber_id == identifier, subscriptions.c.newsletter == choice.newsletter)
        .values(topics=list(choice.topics), rhythm=choice.rhythm.value)
    )
