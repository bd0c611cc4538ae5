"""Deliveries → subscribers. The mark `sending` is on disk before the first byte is on the wire.

A batch of an edition is claimed; then, for each free connection, as many deliveries as one call of the channel takes
(8 by SMTP) are marked in one transaction that re-checks consent, suppression, owner and hold; the fence is raised and
synced; each mail goes out; each outcome is written down. Marks and outcomes are group-committed: while one commit
runs, the next one gathers company. What a crash leaves marked is uncertain and never silently sent again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Generic, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.channels.mail.dkim import SigningKey
from syndicate.channels.mail.message import Addressee, Letterhead, Variant, compile_variant
from syndicate.domain.audience import Subscriber
from syndicate.domain.delivery import Outcome, OutcomeKind, State, advance
from syndicate.domain.edition import Books, Edition, EditionState
from syndicate.domain.feed import Site
from syndicate.domain.newsletter import Newsletter
from syndicate.domain.retry import next_mail
from syndicate.domain.token import Keyring, Purpose, Token, delivery_name, make_token, name_number, verp_token
from syndicate.errors import StoreTrouble
from syndicate.pipeline.compose import VARIANT
from syndicate.ports import Clock, Mail, Mailer
from syndicate.store import editions, fence, jobs, ledger
from syndicate.store.db import Database, may_pass
from syndicate.store.editions import Rendering
from syndicate.store.ledger import Claimed, Settled

CHUNK = 50  # deliveries claimed at once
_PATIENT = 1.0  # seconds between two tries to write an outcome down
_INTERRUPTED = Outcome(kind=OutcomeKind.UNCERTAIN, code="interrupted", text="sending stopped before there was a reply")
log = structlog.get_logger()
_T = TypeVar("_T", bound=Hashable)
_R = TypeVar("_R")


class GroupCommit(Generic[_T, _R]):
    """Many callers, one transaction: what is handed in while a commit runs goes into the next one. No timer."""

    def __init__(self, commit: Callable[[Sequence[_T]], Awaitable[Mapping[_T, _R]]]) -> None:
        self._commit = commit
        self._waiting: list[tuple[_T, asyncio.Future[_R]]] = []
        self._running: asyncio.Task[None] | None = None

    async def join(self, thing: _T) -> _R:
        """Returns when `thing` is committed. Raises what its commit raised."""
        future: asyncio.Future[_R] = asyncio.get_running_loop().create_future()
        self._waiting.append((thing, future))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            try:
                results = await self._commit([thing for thing, _ in group])
            except BaseException as error:
                for _, future in group:
                    if not future.done():
                        future.set_exception(error)
                if not isinstance(error, Exception):
                    raise
                continue
            for thing, future in group:
                if not future.done():
                    future.set_result(results[thing])


@dataclass(kw_only=True)
class Revocations:
    """Who has left lately, and when, asked once more right before each mail.

    The mark's own check sees whoever left before it; this covers the moment between the mark and the wire, so old
    entries may be forgotten and somebody who comes back is not kept out.
    """

    limit: int = 10_000
    _left: dict[tuple[str, int], datetime] = field(default_factory=dict)

    def add(self, newsletter: str, subscriber: int, *, at: datetime) -> None:
        """Called after the unsubscribe is committed, with the time after the commit."""
        self._left.pop((newsletter, subscriber), None)
        self._left[newsletter, subscriber] = at
        if len(self._left) > self.limit:
            del self._left[next(iter(self._left))]

    def left_since(self, newsletter: str, subscriber: int, marked_at: datetime) -> bool:
        """True: left after the mark; don't send."""
        left = self._left.get((newsletter, subscriber))
        return left is not None and left >= marked_at


@dataclass(frozen=True, kw_only=True)
class Postroom:
    """What mail is sent with."""

    site: Site
    ring: Keyring
    mailers: Mapping[str, Mailer]
    newsletters: Mapping[str, Newsletter]
    signing_keys: Mapping[str, Sequence[SigningKey]]  # by newsletter, of those whose mails are signed
    revocations: Revocations
    owner: str  # this process
    fence_file: Path
    install: str
    clock: Clock
    chance: Callable[[], float]  # in [0, 1): spreads tries


@dataclass(kw_only=True)
class DispatchReport:
    """What became of one batch."""

    edition_id: int
    sent: dict[str, int] = field(default_factory=dict)
    again_at: datetime | None = None
    finished: bool = False

    def count(self, what: str) -> None:
        """Adds one."""
        self.sent[what] = self.sent.get(what, 0) + 1


@dataclass(frozen=True, kw_only=True)
class Marked:
    """Which deliveries of a part are `sending` now. With a `hindrance`, none of them may go on the wire."""

    ids: frozenset[int]
    hindrance: Outcome | None = None


@dataclass(frozen=True, kw_only=True)
class Letter:
    """An edition's rendering, encoded once, with what its mails have in common."""

    edition: Edition
    newsletter: Newsletter
    variant: Variant


def encode(room: Postroom, edition: Edition, rendering: Rendering) -> Variant:
    """The rendering as bytes with holes. The date is the edition's, so a retry is the same mail."""
    newsletter = room.newsletters[edition.newsletter]
    letterhead = Letterhead(
        from_name=newsletter.sender_name,
        from_address=newsletter.sender_address,
        date=edition.frozen_at or edition.created_at,
        reply_to=newsletter.reply_to or None,
        list_id=f"{newsletter.name}.{newsletter.sender_domain}",
        list_title=newsletter.title,
    )
    words = {"subject": rendering.subject, "html": rendering.html, "text": rendering.text, "mark": rendering.mark}
    keys = room.signing_keys.get(newsletter.name, ())
    return compile_variant(letterhead=letterhead, signing_keys=keys, **words)


def unsubscribe_url(site: Site, ring: Keyring, newsletter: str, person: Subscriber) -> str:
    """The link that ends this subscription and does nothing else."""
    token = Token(
        purpose=Purpose.UNSUBSCRIBE,
        subscriber=person.id,
        newsletter=name_number(newsletter),
        generation=person.generation,
    )
    return f"{site.public_url}/u/{make_token(ring, token)}"


def write_mail(room: Postroom, letter: Letter, person: Subscriber, *, delivery: int) -> Mail:
    """One person's copy: their address, their link, a bounce address, and a Message-ID, the same on every try."""
    name = delivery_name(room.ring, letter.edition.id, person.id)
    domain = letter.newsletter.sender_domain
    link = unsubscribe_url(room.site, room.ring, letter.newsletter.name, person)
    addressee = Addressee(address=person.address, name=person.name, message_id=f"{name}@{domain}", unsubscribe_url=link)
    return Mail(
        delivery=delivery,
        name=name,
        recipient=person.address,
        sender=f"b+{verp_token(room.ring, delivery)}@{domain}",
        content=letter.variant.message(addressee, {"unsubscribe_url": link}),
    )


class Dispatcher:
    """Sends batches of editions. One for the process, so that all batches share their commits."""

    def __init__(self, db: Database, room: Postroom) -> None:
        self._db, self._room = db, room
        self._marks: GroupCommit[tuple[int, ...], Marked] = GroupCommit(self._commit_marks)
        self._outcomes: GroupCommit[Settled, None] = GroupCommit(self._commit_outcomes)
        self._fence = 0
        self._in_flight: set[int] = set()  # between mark and outcome
        self._draining = False
        self._connections = {name: asyncio.Semaphore(m.connections) for name, m in room.mailers.items()}

    def drain(self) -> None:
        """Before a clean stop: what is claimed still goes out, nothing more is claimed."""
        self._draining = True

    async def send_batch(self, *, edition_id: int, first: int, last: int) -> DispatchReport:
        """Sends what is due of the deliveries first…last of an edition. Run it again until nothing is open.

        It goes once through the range: what the mark gives back is taken up by the next run, or we might turn for ever.
        """
        report = DispatchReport(edition_id=edition_id)
        async with self._db.read() as connection:
            edition = await editions.get(connection, edition_id)
            rendering = await editions.rendering(connection, edition_id, VARIANT)
        if edition is None or rendering is None or edition.state is not EditionState.FROZEN:
            return report
        newsletter = self._room.newsletters.get(edition.newsletter)
        if newsletter is None:
            await self._hold_without_newsletter(edition)
            return report
        letter = Letter(edition=edition, newsletter=newsletter, variant=encode(self._room, edition, rendering))
        span = {"edition_id": edition_id, "first": first, "last": last}
        await self._doubt_orphans(edition_id, first, last)
        begin = first
        while not self._draining and (claimed := await self._claim(edition_id, begin, last)):
            await self._send_claimed(letter, claimed, report)
            begin = claimed[-1].id + 1
        async with self._db.read() as connection:
            left, report.again_at = await ledger.open_left(connection, **span)
            report.finished = left == 0
        return report

    async def _hold_without_newsletter(self, edition: Edition) -> None:
        """Its sender and channel are gone from the configuration: it waits for a person, and nothing of it is lost."""
        name = f"{edition.newsletter}/{edition.slot}"
        why = (
            f"newsletter {edition.newsletter} is no longer in the configuration; put it back and run "
            f"`syndicate editions release {name}`, or give the edition up with `syndicate editions cancel {name}`"
        )
        async with self._db.write() as connection:
            frozen = (EditionState.FROZEN,)
            held = await editions.set_state(connection, edition.id, EditionState.HELD, came_from=frozen, why=why)
        if held:
            log.warning("edition.held", edition=edition.id, why=why)

    async def _doubt_orphans(self, edition_id: int, first: int, last: int) -> None:
        """What an earlier try of this process marked and then broke off. Ids enter `_in_flight` before their mark."""
        owner = self._room.owner
        async with self._db.write() as connection:
            marked = await ledger.marked_by(connection, edition_id=edition_id, first=first, last=last, owner=owner)
            await ledger.doubt(connection, marked - self._in_flight, owner=owner, now=self._room.clock.now())

    async def _claim(self, edition_id: int, first: int, last: int) -> list[Claimed]:
        async with self._db.write() as connection:
            return await ledger.claim(
                connection,
                edition_id=edition_id,
                first=first,
                last=last,
                owner=self._room.owner,
                limit=CHUNK,
                now=self._room.clock.now(),
            )

    async def _send_claimed(self, letter: Letter, claimed: Sequence[Claimed], report: DispatchReport) -> None:
        """Spreads the claimed deliveries over the channel's connections, `per_call` at a time."""
        mailer = self._room.mailers[letter.newsletter.channel]
        size = mailer.per_call
        parts = [claimed[i : i + size] for i in range(0, len(claimed), size)]
        numbers = [one.id for one in claimed]
        try:
            await _all(self._send_part(mailer, letter, part, report) for part in parts)
        finally:
            await self._keep(lambda c: ledger.release(c, numbers, owner=self._room.owner), deliveries=len(numbers))

    async def _send_part(self, mailer: Mailer, letter: Letter, part: Sequence[Claimed], report: DispatchReport) -> None:
        """Mark, wire, outcome, for what fits into one call of the channel."""
        async with self._connections[letter.newsletter.channel]:
            marked_at = self._room.clock.now()
            ids = frozenset(one.id for one in part)
            self._in_flight |= ids
            try:
                marked = await self._marks.join(tuple(sorted(ids)))
                going = {one.id: one for one in part if one.id in marked.ids}
                if marked.hindrance is None:
                    await self._send_marked(mailer, letter, going, report, marked_at=marked_at)
                else:
                    await _all(self._note(one, marked.hindrance, report) for one in going.values())
            finally:
                self._in_flight -= ids

    async def _send_marked(
        self,
        mailer: Mailer,
        letter: Letter,
        going: Mapping[int, Claimed],
        report: DispatchReport,
        *,
        marked_at: datetime,
    ) -> None:
        """Each mail that can be written goes out; each outcome is written down as soon as it is known."""
        silent = dict(going)  # no outcome yet
        noted: list[asyncio.Task[None]] = []

        def note(delivery: int, outcome: Outcome | None) -> None:
            noted.append(asyncio.create_task(self._note(silent.pop(delivery), outcome, report)))

        def may_send(delivery: int) -> bool:
            person = going[delivery].subscriber.id
            return not self._room.revocations.left_since(letter.edition.newsletter, person, marked_at)

        try:
            mails = self._write(letter, going, note)
            async for delivery, outcome in mailer.send(mails, may_send=may_send):
                note(delivery, outcome)
        finally:  # a channel that fails half way leaves doubts, and nothing that looks as if it were under way
            for number in list(silent):
                note(number, _INTERRUPTED)
            await _all(noted)

    def _write(
        self, letter: Letter, going: Mapping[int, Claimed], note: Callable[[int, Outcome | None], None]
    ) -> list[Mail]:
        """The mails; one that no header can carry is refused on the spot."""
        mails: list[Mail] = []
        for one in going.values():
            try:
                mails.append(write_mail(self._room, letter, one.subscriber, delivery=one.id))
            except ValueError as error:
                note(one.id, Outcome(kind=OutcomeKind.REFUSED, code="unfit", text=str(error)))
        return mails

    async def _note(self, one: Claimed, outcome: Outcome | None, report: DispatchReport) -> None:
        """Writes an outcome down; None means that a fresh unsubscribe kept it off the wire."""
        now = self._room.clock.now()
        if outcome is None:
            report.count("excluded")
            await self._keep(lambda c: ledger.withhold(c, [one.id], owner=self._room.owner, now=now), deliveries=1)
            return
        standing = replace(one.standing, state=State.SENDING)
        again = next_mail(
            standing.attempt + 1,
            first_due=standing.first_due,
            now=now,
            retry_after=outcome.retry_after,
            chance=self._room.chance(),
        )
        after = advance(standing, outcome, again_at=again)
        report.count(after.state.value)
        await self._outcomes.join(Settled(id=one.id, standing=after))

    async def _commit_marks(self, parts: Sequence[tuple[int, ...]]) -> Mapping[tuple[int, ...], Marked]:
        """One transaction marks everything that waits; then the fence goes to disk, and only then the wire begins.

        Not the disk first: ahead of a database that then failed to commit, it would look like a restored backup. So
        a disk that can't be written is noticed when the marks are there already. Nothing was on the wire, and no step
        leads from `sending` back to `due`: what was marked is deferred and goes out when the disk is well again.
        """
        now = self._room.clock.now()
        async with self._db.write() as connection:
            self._fence = max(self._fence, await fence.value(connection, self._room.install)) + 1
            await fence.raise_value(connection, self._room.install, self._fence)
            ids = [number for part in parts for number in part]
            marked = await ledger.mark(connection, ids, owner=self._room.owner, now=now)
        hindrance = await self._raise_disk()
        return {part: Marked(ids=frozenset(marked.intersection(part)), hindrance=hindrance) for part in parts}

    async def _raise_disk(self) -> Outcome | None:
        """Puts the fence on disk; or says why nothing may be sent."""
        file = self._room.fence_file
        try:
            await asyncio.to_thread(fence.raise_disk, file, self._fence)
        except OSError as error:
            problem = f"{file} can't be written: {error.strerror or error}"
            log.error("fence.unwritable", problem=problem)
            return Outcome(kind=OutcomeKind.DEFERRED, code="fence", text=problem)
        return None

    async def _commit_outcomes(self, settled: Sequence[Settled]) -> Mapping[Settled, None]:
        await self._keep(
            lambda c: ledger.settle(c, settled, owner=self._room.owner, now=self._room.clock.now()),
            deliveries=len(settled),
        )
        return dict.fromkeys(settled)

    async def _keep(self, write: Callable[[AsyncConnection], Awaitable[None]], *, deliveries: int) -> None:
        """What we know is kept in memory until the database takes it: losing an outcome would make a doubt of it.

        Trouble that won't pass is raised. What it kept from being written down becomes a doubt at the next run.
        """
        while True:
            try:
                async with self._db.write() as connection:
                    await write(connection)
            except (StoreTrouble, SQLAlchemyError) as error:
                if not may_pass(error):
                    raise
                log.warning("delivery.outcome_waits", deliveries=deliveries, problem=str(error).splitlines()[:1])
                await asyncio.sleep(_PATIENT)
            else:
                return


async def _all(work: Iterable[Awaitable[None]]) -> None:
    """Lets each come to its end, then raises the first trouble: none is cut off in the middle of the wire."""
    for error in await asyncio.gather(*work, return_exceptions=True):
        if error is not None:
            raise error


async def close_edition(db: Database, edition_id: int, *, now: datetime) -> Books | None:
    """Calls an edition done when no batch is left and the ledger itself balances. Returns the books then."""
    async with db.write() as connection:
        await editions.get(connection, edition_id, lock=True)  # nobody takes its doubts up while we count
        if await jobs.any_of(connection, f"mail:{edition_id}:"):
            return None
        books = await editions.count_books(connection, edition_id)
        if not books.settled:
            return None
        await editions.put_books(connection, edition_id, books)
        frozen = (EditionState.FROZEN,)
        done = await editions.set_state(connection, edition_id, EditionState.DONE, came_from=frozen, done_at=now)
    return books if done else None
