"""A reader → another address of theirs: asked for by their link, and true once the new one has said yes.

Whoever asks is told the same whatever becomes of it, as at a sign-up, and under the same limits. The old address gets
a notice, since a link may be in other hands; links of before open nothing then, but those to unsubscribe.
"""

from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.consent import Consent, ConsentText, Matter, Said, Via, evidence
from syndicate.pipeline.preferences import Visit
from syndicate.pipeline.signup import Asking, Entrance, Verdict, ask
from syndicate.store import audience, consents, jobs, sign_ups
from syndicate.store import preferences as store
from syndicate.store.db import Database
from syndicate.store.sign_ups import SignUp

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Removal:
    """Where somebody wants to be written to, and what they were shown beside the button."""

    address: str  # normal
    client: IPv4Address | IPv6Address
    shown: ConsentText


async def ask_to_move(db: Database, way_in: Entrance, visit: Visit, removal: Removal, *, now: datetime) -> Verdict:
    """Has the new address asked, unless something stands against it. The verdict is for the log alone."""
    known = way_in.room.newsletters
    read = [one.newsletter for one in visit.chosen.choices if one.newsletter in known]
    asking = Asking(
        address=removal.address,
        newsletters=tuple(read or list(known)[:1]),  # somebody must send the mail
        via=Via.LINK,
        client=removal.client,
        text=removal.shown,
        mover=visit.reader.person.id,
    )
    return await ask(db, way_in, asking, now=now)


async def move(
    connection: AsyncConnection,
    sign_up: SignUp,
    *,
    client: IPv4Address | IPv6Address,
    shown: ConsentText,
    now: datetime,
) -> bool:
    """The new address said yes. False: the reader is no more, or somebody else has the address by now."""
    reader = await store.get(connection, sign_up.subscriber_id or 0, lock=True)
    if reader is None or await audience.by_digest(connection, sign_up.digest) is not None:
        return False
    person, read = reader.person, [one.newsletter for one in reader.preferences.choices]
    await store.move(connection, person.id, sign_up.address, sign_up.digest, now=now)
    await sign_ups.forget_moves(connection, person.id, but=sign_up.id)
    notice = await sign_ups.add(
        connection,
        address=person.address,
        digest=reader.digest,
        newsletters=sign_up.newsletters,
        language=person.language,
        via=Via.LINK,
        now=now,
        matter=Matter.NOTICE,
        subscriber_id=person.id,
    )
    await jobs.add(connection, lane="mail", kind="confirm", key=f"confirm:{notice}", ref={"sign_up": notice}, now=now)
    left = Consent(newsletter="", what=Said.MOVED, at=now, origin=Via.LINK.value)
    await consents.add(connection, reader.digest, [left])
    said = evidence(Said.CONFIRMED, read, origin=Via.LINK.value, client=client, text=shown, now=now)
    await consents.add(connection, sign_up.digest, said)
    log.info("subscriber.moved", subscriber=person.id)
    return True
