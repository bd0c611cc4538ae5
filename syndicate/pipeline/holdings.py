"""A person → all that is kept of them, as one JSON document: GDPR Art. 15 and 20, UU PDP 27/2022 Pasal 7 and 13.

It is written in pieces, and read from the database a page at a time, however much there is. No link that acts, no key
and no digest stands in it.
"""

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime
from typing import Any

from syndicate.domain.preferences import Choice
from syndicate.pipeline.preferences import Visit
from syndicate.store import audience, consents, receipts, sign_ups
from syndicate.store.audience import Received, Subscription
from syndicate.store.db import Database
from syndicate.store.receipts import Kept

_AT_ONCE = 500  # mails
_MOST = 100_000  # mails: a document is no way to take a database out; `complete` says whether there are more


async def tell_holdings(db: Database, visit: Visit, *, now: datetime) -> AsyncIterator[bytes]:
    """The document's pieces, in UTF-8. What comes in while it is written may be missing."""
    yield b"{" + b",".join(_member(name, value) for name, value in (await _about(db, visit, now=now)).items())
    yield b',"mails":['
    before: int | None = None
    count = 0
    while count < _MOST:
        async with db.read() as connection:
            person = visit.reader.person.id
            page = await audience.history(connection, person, limit=_AT_ONCE, before=before)
            said = await receipts.of_deliveries(connection, [one.id for one in page])
        if not page:
            break
        yield (b"," if count else b"") + b",".join(_json(mail) for mail in _mails(page, said))
        count, before = count + len(page), page[-1].id
    yield b"]," + _member("complete", count < _MOST) + b"}\n"


async def _about(db: Database, visit: Visit, *, now: datetime) -> Mapping[str, Any]:
    reader, person = visit.reader, visit.reader.person
    async with db.read() as connection:
        held = await audience.suppression(connection, reader.digest)
        subscriptions = await audience.subscriptions_of(connection, person.id)
        said = await consents.of_person(connection, reader.digest)
        asked = await sign_ups.of_person(connection, reader.digest, person.id)
        back = await receipts.by_nobody(connection, person.id)
    chosen = reader.preferences
    return {
        "as_of": now,
        "address": person.address,
        "name": person.name,
        "since": person.created_at,
        "address_since": reader.moved_at or person.created_at,
        "language": chosen.language,
        "time_zone": chosen.timezone,
        "hour": chosen.hour,
        "paused_until": chosen.paused_until,
        "not_written_to": {"reason": held[0], "since": held[1]} if held else None,
        "subscriptions": [_subscription(one, chosen.choice(one.newsletter)) for one in subscriptions],
        "consents": [
            {
                **{"at": one.at, "said": one.what.value, "newsletter": one.newsletter, "origin": one.origin},
                **{"network": one.network, "language": one.language, "note": one.note},
                **{"text_version": one.text_version, "text_sha256": one.text_hash},
            }
            for one in said
        ],
        "requests": [
            {
                **{"asked": one.asked_at, "about": one.matter.value, "address": one.address},
                **{"newsletters": one.newsletters, "language": one.language, "origin": one.via.value},
                **{"answer": one.answer.value if one.answer else None, "mail": one.standing.state.value},
            }
            for one in asked
        ],
        "reports": [_report(one) for one in back],
    }


def _subscription(one: Subscription, choice: Choice | None) -> Mapping[str, Any]:
    told = {"newsletter": one.newsletter, "state": one.state.value, "since": one.since, "ended": one.ended_at}
    chosen = {"topics": choice.topics, "rhythm": choice.rhythm.value} if choice else {}
    return {**told, "origin": one.origin, **chosen}


def _mails(page: Iterable[Received], said: Iterable[Kept]) -> list[Mapping[str, Any]]:
    reports: dict[int | None, list[Mapping[str, Any]]] = {}
    for one in said:
        reports.setdefault(one.delivery_id, []).append(_report(one))
    return [
        {
            **{"newsletter": one.newsletter, "edition": one.slot, "subject": one.subject, "state": one.state},
            **{"reason": one.reason, "code": one.code, "reply": one.text, "settled": one.settled_at},
            **{"receipt": one.receipt, "reports": reports.get(one.id, [])},
        }
        for one in page
    ]


def _report(kept: Kept) -> Mapping[str, Any]:
    told = {"received": kept.received_at, "by": kept.origin, "verdict": kept.verdict, "status": kept.status}
    return {**told, "text": kept.text, "led_to": kept.step}


def _member(name: str, value: object) -> bytes:
    return _json(name) + b":" + _json(value)


def _json(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_moment)
    return text.encode(errors="replace")


def _moment(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is nothing that is kept of a person")
