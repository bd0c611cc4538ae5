"""Form → request. Nobody is subscribed by typing an address: a mail asks its owner, see `confirm.py`.

Whoever asks learns nothing: what becomes of a request is for the log, never for the answer. One mail goes to an address
a day, whatever and however often is asked for it, so a form can't be used to flood somebody's mailbox (list bombing).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.consent import ConsentText, Matter, Said, Via, evidence, one_line
from syndicate.domain.suppression import opens_to_reader
from syndicate.pipeline.postroom import Postroom
from syndicate.store import audience, consents, jobs, rates, sign_ups
from syndicate.store.db import Database
from syndicate.store.rates import Limit

LIFE = timedelta(days=7)  # of a request, and of the link in its mail
AFTER_DENIAL = timedelta(days=30)  # in which nobody who said "not me" is asked again
# Settled in docs/architecture.md §8; the bursts are such that no span of that length ever holds more.
CLIENT = (  # 5 a minute, 20 an hour
    Limit(name="minute", burst=5, every=timedelta(minutes=1)),
    Limit(name="hour", burst=11, every=timedelta(minutes=6)),
)
ADDRESS = (  # 1 in 24 hours, 3 in 30 days
    Limit(name="day", burst=1, every=timedelta(hours=24)),
    Limit(name="month", burst=2, every=timedelta(days=15)),
)
DOMAIN = Limit(name="hour", burst=16, every=timedelta(minutes=4))  # 30 an hour
COMMON = 0.01  # part of the readers: where so many have their mail, others will too, and there is no limit
CALM = 200  # requests an hour that are no flood anywhere
FLOOD = 10  # times the usual: then nothing is mailed until there is less
log = structlog.get_logger()


class Verdict(StrEnum):
    """What became of a request. Not for whoever asked."""

    ASKED = "asked"  # a mail goes out
    SUBSCRIBED = "subscribed"  # to all of it, already
    SUPPRESSED = "suppressed"
    DENIED = "denied"  # its owner said lately that it wasn't them
    LIMITED = "limited"  # too often for this address, for its domain, or from there
    FLOOD = "flood"  # far more than usual from everywhere


@dataclass(frozen=True, kw_only=True)
class Entrance:
    """What signing up needs."""

    room: Postroom
    templates: Path
    digest: Callable[[str], str]  # of an address, or of whoever asks
    mark: Callable[[], str]  # 16 random letters
    journal: Path  # of who left, and who came back


@dataclass(frozen=True, kw_only=True)
class Asking:
    """What somebody asked for. `newsletters` are in the configuration, and there is at least one."""

    address: str  # normal
    newsletters: tuple[str, ...]
    via: Via
    client: IPv4Address | IPv6Address
    text: ConsentText  # what they were shown
    mover: int | None = None  # the reader who wants to be written to there; `newsletters` only give the sender


async def ask(db: Database, way_in: Entrance, asking: Asking, *, now: datetime) -> Verdict:
    """Notes a request and has its mail sent, unless something stands against it."""
    digest = way_in.digest(asking.address)
    async with db.write() as connection:
        spent = None
        if await _is_flood(connection, now=now):
            verdict = Verdict.FLOOD
        elif spent := await _spent(connection, way_in, asking, digest, now=now):
            verdict = Verdict.LIMITED
        else:
            wanted = await _not_yet(connection, asking, digest)
            verdict = await _judge(connection, asking, wanted, digest, now=now)
            async with connection.begin_nested() as noting:
                await _note(connection, asking, wanted or asking.newsletters, digest, now=now)
                if verdict is not Verdict.ASKED:  # noted all the same until here: the time it took tells nothing
                    await noting.rollback()
    tell = log.warning if verdict is Verdict.FLOOD else log.info
    limit = spent.partition(":")[0] if spent else None
    tell("sign_up.asked", verdict=verdict.value, limit=limit, via=asking.via.value, newsletters=asking.newsletters)
    return verdict


async def _is_flood(connection: AsyncConnection, *, now: datetime) -> bool:
    lately = await sign_ups.count(connection, since=now - timedelta(hours=1))
    if lately < CALM:
        return False
    return lately >= FLOOD * await sign_ups.usual_per_hour(connection, since=now - LIFE, now=now)


async def _spent(
    connection: AsyncConnection, way_in: Entrance, asking: Asking, digest: str, *, now: datetime
) -> str | None:
    """Takes from all allowances or from none, whoever the address belongs to. Returns which is spent."""
    domain = asking.address.rpartition("@")[2]
    wanted = [(f"address:{digest}", limit) for limit in ADDRESS]
    if await audience.share_of(connection, domain) < COMMON:
        wanted.append((f"domain:{domain[-100:]}", DOMAIN))
    asker = way_in.digest(one_line(asking.client))
    wanted += [(f"client:{asker}", limit) for limit in CLIENT]
    return await rates.take(connection, wanted, now=now)


async def _not_yet(connection: AsyncConnection, asking: Asking, digest: str) -> list[str]:
    """What the address doesn't get already; nobody can move to one that is a reader's."""
    known = await audience.by_digest(connection, digest)
    if known is not None and asking.mover is not None:
        return []
    names = asking.newsletters
    return [name for name in names if known is None or not await audience.is_active(connection, name, known.id)]


async def _judge(
    connection: AsyncConnection, asking: Asking, wanted: Sequence[str], digest: str, *, now: datetime
) -> Verdict:
    """Who left for good, was forgotten or couldn't be reached is asked too: their own word brings them back."""
    held = await audience.suppression(connection, digest)
    if held is not None and (asking.mover is not None or not opens_to_reader(held[0])):
        return Verdict.SUPPRESSED
    if await consents.has_denied(connection, digest, since=now - AFTER_DENIAL):
        return Verdict.DENIED
    return Verdict.ASKED if wanted or held is not None else Verdict.SUBSCRIBED


async def _note(
    connection: AsyncConnection, asking: Asking, wanted: Sequence[str], digest: str, *, now: datetime
) -> None:
    number = await sign_ups.add(
        connection,
        address=asking.address,
        digest=digest,
        newsletters=wanted,
        language=asking.text.language,
        via=asking.via,
        now=now,
        matter=Matter.JOIN if asking.mover is None else Matter.MOVE,
        subscriber_id=asking.mover,
    )
    said = evidence(Said.ASKED, wanted, origin=asking.via.value, client=asking.client, text=asking.text, now=now)
    await consents.add(connection, digest, said)
    await jobs.add(connection, lane="mail", kind="confirm", key=f"confirm:{number}", ref={"sign_up": number}, now=now)
