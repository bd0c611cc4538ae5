"""Request → mail → the reader's own word → subscription, or another address for one who reads already.

What stands in the mail comes from the configuration alone. It is marked before the wire, and what a crash left marked
is not sent again. Its link shows a page; only a button there begins or ends anything, since scanners follow links.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.channels.mail.message import Addressee, compile_variant
from syndicate.domain.audience import Subscriber
from syndicate.domain.consent import ConsentText, Matter, Said, evidence
from syndicate.domain.delivery import Outcome, OutcomeKind, Standing, State, advance
from syndicate.domain.newsletter import Newsletter
from syndicate.domain.retry import next_mail
from syndicate.domain.suppression import opens_to_reader
from syndicate.domain.token import Purpose, Token, make_token, name_number, read_token, sign_up_name
from syndicate.formats.confirmation import ConfirmationView, render_confirmation
from syndicate.pipeline.lift import lift_by_reader, note_lifts
from syndicate.pipeline.moving import move
from syndicate.pipeline.postroom import Postroom
from syndicate.pipeline.signup import LIFE, Entrance
from syndicate.ports import Letterhead, Mail
from syndicate.store import audience, consents, fence, sign_ups
from syndicate.store.db import Database
from syndicate.store.fence import Departure
from syndicate.store.sign_ups import SignUp

_WHILE_HELD = timedelta(minutes=1)
_INTERRUPTED = Outcome(kind=OutcomeKind.UNCERTAIN, code="interrupted", text="sending stopped before there was a reply")
log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Pending:
    """What a valid link to confirm leads to."""

    newsletters: tuple[Newsletter, ...]  # those asked for that are in the configuration still
    answer: Said | None  # what the reader said before
    moves: bool = False  # it asks whether their mail is to come to this address
    reader: Subscriber | None = None  # whose word it is, once it was yes


async def send_confirmation(db: Database, way_in: Entrance, number: int) -> datetime | None:
    """Sends the mail of a request, once. Returns when to come back; None: there is nothing more to do.

    One that may have gone out before a crash is not sent again: the reader can ask anew the next day.
    """
    room = way_in.room
    async with db.write() as connection:
        now = room.clock.now()
        await sign_ups.forget(connection, before=now - LIFE)
        if await fence.held(connection):
            return now + _WHILE_HELD
        sign_up = await sign_ups.get(connection, number, lock=True)
        marked = await _mark(connection, room, sign_up) if sign_up else None
    if sign_up is None or marked is None:
        return None
    mailer = room.mailers[_first(room, sign_up).channel]
    mail = await asyncio.to_thread(write_confirmation, way_in, sign_up)
    outcomes = [outcome async for _, outcome in mailer.send([mail], may_send=lambda _: True)]
    if outcomes[0] is None:
        raise LookupError("a mailer withheld a mail that it was told to send")
    return await _settle(db, room, sign_up, marked, outcomes[0])


def write_confirmation(way_in: Entrance, sign_up: SignUp) -> Mail:
    """The mail, by the sender of the first newsletter asked for; it bounces there too."""
    room, newsletter = way_in.room, _first(way_in.room, sign_up)
    view = ConfirmationView(
        site=room.site,
        newsletter=newsletter,
        titles=tuple(one.title for one in _known(room, sign_up)),
        link="" if sign_up.matter is Matter.NOTICE else f"{room.site.public_url}/c/{_token(room, sign_up)}",
        until=sign_up.asked_at + LIFE,
        language=sign_up.language,
        matter=sign_up.matter,
    )
    words = render_confirmation(view, way_in.templates)
    variant = compile_variant(
        letterhead=Letterhead(
            from_name=newsletter.sender_name,
            from_address=newsletter.sender_address,
            date=sign_up.asked_at,
            reply_to=newsletter.reply_to or None,
        ),
        subject=words.subject,
        html=words.html,
        text=words.text,
        mark=way_in.mark(),
        signing_keys=room.signing_keys.get(newsletter.name, ()),
    )
    name = sign_up_name(room.ring, sign_up.id, sign_up.digest)
    addressee = Addressee(address=sign_up.address, message_id=f"{name}@{newsletter.sender_domain}")
    return Mail(
        delivery=0,
        name=name,
        recipient=sign_up.address,
        sender=newsletter.sender_address,
        content=variant.message(addressee, {}),
        is_clean=True,
    )


async def read_pending(db: Database, way_in: Entrance, text: str, *, now: datetime) -> Pending | None:
    """What a link to confirm is about. None: no such link of ours, or too old, or an address we must not write to."""
    async with db.read() as connection:
        sign_up = await _find(connection, way_in.room, text, now=now)
    return _pending(way_in.room, sign_up) if sign_up else None


@dataclass(frozen=True, kw_only=True)
class Word:
    """What a reader said by a button."""

    said: Said  # CONFIRMED or DENIED
    client: IPv4Address | IPv6Address
    shown: ConsentText


async def take_word(db: Database, way_in: Entrance, text: str, word: Word, *, now: datetime) -> Pending | None:
    """Begins the subscriptions, or ends the request. The first word counts; another one changes nothing.

    Returns what the link led to before: its `answer` is None where this word was the first.
    """
    lifted: Departure | None = None
    async with db.write() as connection:
        sign_up = await _find(connection, way_in.room, text, now=now, lock=True)
        if sign_up is None:
            return None
        pending = _pending(way_in.room, sign_up)
        if pending.answer is None:
            if word.said is Said.CONFIRMED:
                said = evidence(word.said, [""], origin="link", client=word.client, text=word.shown, now=now)
                lifted = await lift_by_reader(connection, sign_up.digest, said)
            if not await _take(connection, way_in.room, sign_up, word, now=now):
                return None
            if word.said is Said.CONFIRMED:
                pending = replace(pending, reader=await audience.by_digest(connection, sign_up.digest))
    if lifted is not None:
        await note_lifts(way_in.journal, lifted)
    if pending.answer is None:
        log.info("sign_up.answered", sign_up=sign_up.id, answer=word.said.value, lifted=lifted is not None)
    return pending


async def _take(connection: AsyncConnection, room: Postroom, sign_up: SignUp, word: Word, *, now: datetime) -> bool:
    """Does what the first word asks for. False: it came too late, and nothing can follow from it."""
    names = [one.name for one in _known(room, sign_up)]
    if word.said is Said.CONFIRMED and sign_up.matter is Matter.MOVE:
        if not await move(connection, sign_up, client=word.client, shown=word.shown, now=now):
            return False
    else:
        if word.said is Said.CONFIRMED:
            await _subscribe(connection, room, sign_up, names, now=now)
        said = evidence(word.said, names, origin="link", client=word.client, text=word.shown, now=now)
        await consents.add(connection, sign_up.digest, said)
    await sign_ups.set_answer(connection, sign_up.id, word.said)
    return True


async def _mark(connection: AsyncConnection, room: Postroom, sign_up: SignUp) -> Standing | None:
    """Marks the mail as being on the wire; None where it must not go there, or not again."""
    before = sign_up.standing
    if before.state is State.SENDING:
        await sign_ups.set_standing(connection, sign_up.id, advance(before, _INTERRUPTED, again_at=None))
        return None
    if before.state not in (State.DUE, State.DEFERRED) or sign_up.answer is not None:
        return None
    marked = Standing(state=State.SENDING, attempt=before.attempt, first_due=before.first_due)
    against = await _against(connection, room, sign_up)
    if against is not None:
        await sign_ups.set_standing(connection, sign_up.id, advance(marked, against, again_at=None))
        return None
    await sign_ups.set_standing(connection, sign_up.id, marked)
    return marked


async def _against(connection: AsyncConnection, room: Postroom, sign_up: SignUp) -> Outcome | None:
    """What came up since somebody asked."""
    if not _known(room, sign_up):
        return Outcome(kind=OutcomeKind.REFUSED, code="newsletter", text="it is no longer in the configuration")
    return Outcome(kind=OutcomeKind.REFUSED, code="suppressed") if await _is_closed(connection, sign_up) else None


async def _is_closed(connection: AsyncConnection, sign_up: SignUp) -> bool:
    """True for an address that isn't written to and that its reader's word doesn't open."""
    held = await audience.suppression(connection, sign_up.digest)
    return held is not None and not (sign_up.matter is Matter.JOIN and opens_to_reader(held[0]))


async def _settle(db: Database, room: Postroom, sign_up: SignUp, marked: Standing, outcome: Outcome) -> datetime | None:
    again_at = next_mail(
        marked.attempt + 1,
        first_due=marked.first_due,
        now=room.clock.now(),
        retry_after=outcome.retry_after,
        chance=room.chance(),
    )
    after = advance(marked, outcome, again_at=again_at)
    async with db.write() as connection:
        await sign_ups.set_standing(connection, sign_up.id, after)
    if after.state in (State.REFUSED, State.UNCERTAIN):
        log.warning("sign_up.not_mailed", sign_up=sign_up.id, state=after.state.value, code=after.code, text=after.text)
    return after.not_before


async def _find(
    connection: AsyncConnection, room: Postroom, text: str, *, now: datetime, lock: bool = False
) -> SignUp | None:
    token = read_token(room.ring, Purpose.CONFIRM, text)
    if token is None:
        return None
    sign_up = await sign_ups.get(connection, token.subscriber, lock=lock)
    if sign_up is None or name_number(sign_up.digest) != token.newsletter or sign_up.asked_at + LIFE <= now:
        return None
    if sign_up.matter is Matter.NOTICE or not _known(room, sign_up):
        return None
    return None if await _is_closed(connection, sign_up) else sign_up


async def _subscribe(
    connection: AsyncConnection, room: Postroom, sign_up: SignUp, names: list[str], *, now: datetime
) -> None:
    person = Subscriber(
        id=0, address=sign_up.address, language=sign_up.language, timezone=room.site.timezone, created_at=now
    )
    known = await audience.add(connection, person, digest=sign_up.digest)
    for name in names:
        await audience.subscribe(connection, name, known.id, origin=sign_up.via.value, now=now)


def _token(room: Postroom, sign_up: SignUp) -> str:
    """The address is in it, since a restored database gives a number once more, to somebody else."""
    about = name_number(sign_up.digest)
    return make_token(room.ring, Token(purpose=Purpose.CONFIRM, subscriber=sign_up.id, newsletter=about, generation=0))


def _known(room: Postroom, sign_up: SignUp) -> list[Newsletter]:
    return [room.newsletters[name] for name in sign_up.newsletters if name in room.newsletters]


def _first(room: Postroom, sign_up: SignUp) -> Newsletter:
    return _known(room, sign_up)[0]


def _pending(room: Postroom, sign_up: SignUp) -> Pending:
    moves = sign_up.matter is Matter.MOVE
    return Pending(newsletters=tuple(_known(room, sign_up)), answer=sign_up.answer, moves=moves)
