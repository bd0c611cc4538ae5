"""Deliveries → subscribers. The mark `sending` is on disk before the first byte is on the wire.

A batch of an edition is claimed; then, for each free connection, as many deliveries as one call of the channel takes
(8 by SMTP) are marked in one transaction that re-checks consent, suppression, owner and hold; the fence is raised and
synced; each mail goes out; each outcome is written down. Marks and outcomes are group-committed: while one commit
runs, the next one gathers company. A connection's next marks come into the same commit as its last outcomes or into a
later one, so it never has more than one call's marks. What a crash leaves marked is uncertain and never silently sent
again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.channels.mail.message import Variant
from syndicate.domain.delivery import Outcome, OutcomeKind, Standing, advance
from syndicate.domain.edition import Books, Edition, EditionState
from syndicate.domain.retry import next_mail
from syndicate.domain.variant import WHOLE
from syndicate.errors import StoreTrouble
from syndicate.pipeline.gate import Gate
from syndicate.pipeline.group_commit import GroupCommit
from syndicate.pipeline.postroom import Letter, Postroom, hand_over, open_letter, write_mail
from syndicate.ports import BulkMailer, Copy, Mail, Mailer
from syndicate.store import editions, fence, jobs, ledger
from syndicate.store.db import Database, may_pass
from syndicate.store.ledger import Claimed, Settled
from syndicate.store.pace import DomainHold

CHUNK = 250  # deliveries claimed at once, or as many as one call of the channel takes
_AT_A_TIME = 100  # mails written before others have their turn: 2 ms
_PATIENT = 1.0  # seconds between two tries to write an outcome down
_INTERRUPTED = Outcome(kind=OutcomeKind.UNCERTAIN, code="interrupted", text="sending stopped before there was a reply")
log = structlog.get_logger()
_R = TypeVar("_R")


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """What goes to the channel in one call: to be marked."""

    ids: tuple[int, ...]


@dataclass(kw_only=True, eq=False)
class Notes:
    """What became of marked deliveries, until a commit takes it; then the next ones begin."""

    settled: list[Settled] = field(default_factory=list)
    withheld: list[int] = field(default_factory=list)  # a fresh unsubscribe kept them off the wire
    holds: list[DomainHold] = field(default_factory=list)  # of domains that refuse what we are
    taken: bool = False


@dataclass(frozen=True, kw_only=True)
class Marked:
    """Which deliveries of a part are `sending` now. With a `hindrance`, none of them may go on the wire."""

    ids: frozenset[int]
    hindrance: Outcome | None = None


_NOTHING_MARKED = Marked(ids=frozenset())


def _nothing() -> None:
    """What follows a commit without marks."""


@dataclass(frozen=True, kw_only=True)
class Unwritable:
    """A mail that no header can carry."""

    delivery: int
    why: str


@dataclass(kw_only=True)
class Call:
    """One call of the channel: what is marked for it, and the outcomes that wait for their commit."""

    letter: Letter
    going: Mapping[int, Claimed]
    report: DispatchReport
    marked_at: datetime
    noted: list[asyncio.Future[Marked]]
    notes: Notes = field(default_factory=lambda: Notes(taken=True))
    said: Outcome | None = None  # last, and what it led to, by attempt and first try: many may have the same answer
    after: dict[tuple[int, datetime], Standing] = field(default_factory=dict)


class Dispatcher:
    """Sends batches of editions. One for the process, so that all batches share their commits."""

    def __init__(self, db: Database, room: Postroom) -> None:
        self._db, self._room = db, room
        self._commits: GroupCommit[Part | Notes, Marked] = GroupCommit(self._commit)
        self._gate = Gate(room)
        self._fence = 0
        self._in_flight: set[int] = set()  # between mark and outcome
        self._draining = False
        self._connections = {name: asyncio.Semaphore(m.connections) for name, m in room.mailers.items()}

    def drain(self) -> None:
        """Before a clean stop: what is marked still goes out, what is only claimed is given back."""
        self._draining = True

    async def send_batch(self, *, edition_id: int, first: int, last: int) -> DispatchReport:
        """Sends what is due of the deliveries first…last of an edition. Run it again until nothing is open.

        It goes once through the range: what the mark gives back is taken up by the next run, or we might turn for ever.
        """
        report = DispatchReport(edition_id=edition_id)
        span = {"edition_id": edition_id, "first": first, "last": last}
        async with self._db.read() as connection:
            edition = await editions.get(connection, edition_id)
            left, again_at = await ledger.open_left(connection, **span)
            await self._gate.look(connection)
        if edition is None or edition.state is not EditionState.FROZEN:
            return report
        if again_at is None or again_at > self._room.clock.now():  # as most batches are after a restart
            report.finished, report.again_at = left == 0, again_at
            return report
        newsletter = self._room.newsletters.get(edition.newsletter)
        if newsletter is None:
            await self._hold_without_newsletter(edition)
            return report
        letters: Mapping[int, Letter] = {}
        chunk = max(CHUNK, self._room.mailers[newsletter.channel].per_call)
        await self._doubt_orphans(edition_id, first, last)
        begin = first
        while begin <= last and not self._draining:
            claimed, begin = await self._claim(edition, newsletter.channel, begin, last, chunk)
            if claimed:
                letters = await self._open_letters(edition, letters, {one.variant for one in claimed})
                await self._send_claimed(letters, claimed, report)
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

    async def _claim(
        self, edition: Edition, channel: str, first: int, last: int, limit: int
    ) -> tuple[Sequence[Claimed], int]:
        """Who of the next ones may be sent to now, and where to go on."""
        async with self._db.write() as connection:
            claimed = await ledger.claim(
                connection,
                edition_id=edition.id,
                first=first,
                last=last,
                owner=self._room.owner,
                limit=limit,
                now=self._room.clock.now(),
            )
            going = await self._gate.let_through(connection, edition, channel, claimed)
        return going, claimed[-1].id + 1 if claimed else last + 1

    async def _open_letters(
        self, edition: Edition, opened: Mapping[int, Letter], numbers: Collection[int]
    ) -> Mapping[int, Letter]:
        """The letters of these variants; those that are open already are kept, others are let go."""
        missing = set(numbers) - opened.keys()
        async with self._db.read() as connection:
            found = await editions.renderings(connection, edition.id, missing) if missing else {}
        if missing - found.keys():
            raise LookupError(f"edition {edition.id} was frozen without its variants {sorted(missing - found.keys())}")
        new = {number: open_letter(self._room, edition, rendering) for number, rendering in found.items()}
        return {number: letter for number, letter in {**opened, **new}.items() if number in numbers}

    async def _send_claimed(
        self, letters: Mapping[int, Letter], claimed: Sequence[Claimed], report: DispatchReport
    ) -> None:
        """Spreads the claimed deliveries over the channel's connections, `per_call` at a time."""
        mailer = self._room.mailers[next(iter(letters.values())).newsletter.channel]
        numbers = [one.id for one in claimed]
        try:
            parts = _parts(claimed, mailer)
            await _all(self._send_part(mailer, letters, part, report) for part in parts)
        finally:
            await self._keep(lambda c: ledger.release(c, numbers, owner=self._room.owner), deliveries=len(numbers))

    async def _send_part(
        self, mailer: Mailer, letters: Mapping[int, Letter], part: Sequence[Claimed], report: DispatchReport
    ) -> None:
        """Mark, wire, outcome, for what fits into one call of the channel.

        The connection is free for the next part before the outcomes are committed, but not before they wait for it.
        """
        ids, letter = frozenset[int](), letters[part[0].variant]
        noted: list[asyncio.Future[Marked]] = []
        try:
            async with self._connections[letter.newsletter.channel]:
                channel = letter.newsletter.channel
                part = [one for one in part if not self._gate.is_shut(channel, one.subscriber.address)]
                if self._draining or not part:
                    return
                written = await self._write(letters, part)
                marked_at = self._room.clock.now()
                ids = frozenset(one.id for one in part)
                self._in_flight |= ids
                marked = await self._commits.join(Part(ids=tuple(sorted(ids))))
                going = {one.id: one for one in part if one.id in marked.ids}
                call = Call(letter=letter, going=going, report=report, marked_at=marked_at, noted=noted)
                if marked.hindrance is None:
                    await self._send_marked(mailer, call, [written[number] for number in going])
                else:
                    for one in going.values():
                        self._note(call, one, marked.hindrance)
        finally:
            self._commits.urge()  # it waits a moment for the marks of the part that has the connection now
            try:
                await _all(noted)
            finally:
                self._in_flight -= ids

    async def _send_marked(self, mailer: Mailer, call: Call, written: Sequence[Mail | Copy | Unwritable]) -> None:
        """Each mail that could be written goes out; each outcome waits for its commit as soon as it is known."""
        silent = dict(call.going)  # no outcome yet

        def note(delivery: int, outcome: Outcome | None) -> None:
            self._note(call, silent.pop(delivery), outcome)

        newsletter, left_since = call.letter.edition.newsletter, self._room.revocations.left_since

        def may_send(delivery: int) -> bool:
            return not left_since(newsletter, call.going[delivery].subscriber.id, call.marked_at)

        try:
            for one in written:
                if isinstance(one, Unwritable):
                    note(one.delivery, Outcome(kind=OutcomeKind.REFUSED, code="unfit", text=one.why))
            ready = [one for one in written if not isinstance(one, Unwritable)]
            async for delivery, outcome in hand_over(mailer, call.letter, ready, may_send=may_send):
                note(delivery, outcome)
        finally:  # a channel that fails half way leaves doubts, and nothing that looks as if it were under way
            for number in list(silent):
                note(number, _INTERRUPTED)

    async def _write(
        self, letters: Mapping[int, Letter], part: Sequence[Claimed]
    ) -> Mapping[int, Mail | Copy | Unwritable]:
        """The mails of a part, by delivery. Signing takes so long that the event loop goes on meanwhile, in a thread.

        Where nothing is signed a thread costs more than it saves; many are written some at a time.
        """

        def write(some: Sequence[Claimed]) -> Mapping[int, Mail | Copy | Unwritable]:
            return {one.id: self._written(letters[one.variant], one) for one in some}

        variant = letters[part[0].variant].variant
        if isinstance(variant, Variant) and variant.seal is not None:
            return await asyncio.to_thread(write, part)
        written = dict(write(part[:_AT_A_TIME]))
        for start in range(_AT_A_TIME, len(part), _AT_A_TIME):
            await asyncio.sleep(0)
            written |= write(part[start : start + _AT_A_TIME])
        return written

    def _written(self, letter: Letter, one: Claimed) -> Mail | Copy | Unwritable:
        try:
            return write_mail(self._room, letter, one.subscriber, delivery=one.id)
        except ValueError as error:
            return Unwritable(delivery=one.id, why=str(error))

    def _note(self, call: Call, one: Claimed, outcome: Outcome | None) -> None:
        """Has an outcome written down; None means that a fresh unsubscribe kept it off the wire."""
        if call.notes.taken:
            call.notes = Notes()
            call.noted.append(self._commits.enter(call.notes))
        else:
            self._commits.bring()
        if outcome is None:
            call.report.count("excluded")
            call.notes.withheld.append(one.id)
            return
        after = self._after(call, one, outcome)
        call.report.count(after.state.value)
        call.notes.settled.append(Settled(id=one.id, standing=after))
        letter = call.letter
        if hold := self._gate.count(letter.edition, letter.newsletter.channel, one.subscriber.address, outcome):
            call.notes.holds.append(hold)

    def _after(self, call: Call, one: Claimed, outcome: Outcome) -> Standing:
        """Who gets the same "not now" comes back at the same time, so that they share a call again."""
        if outcome is not call.said:
            call.said, call.after = outcome, {}
        same = one.standing.attempt, one.standing.first_due
        if same not in call.after:
            call.after[same] = advance(one.marked, outcome, again_at=self._next_try(one.standing, outcome))
        return call.after[same]

    def _next_try(self, standing: Standing, outcome: Outcome) -> datetime | None:
        if outcome.kind is not OutcomeKind.DEFERRED:
            return None
        return next_mail(
            standing.attempt + 1,
            first_due=standing.first_due,
            now=self._room.clock.now(),
            retry_after=outcome.retry_after,
            chance=self._room.chance(),
        )

    async def _commit(self, waiting: Sequence[Part | Notes]) -> Mapping[Part | Notes, Marked]:
        """One transaction writes down what waits; then the fence goes to disk, and only then the wire begins.

        Only a part waits for an answer; for the rest it is that it is committed.

        Not the disk first: ahead of a database that then failed to commit, it would look like a restored backup. So
        a disk that can't be written is noticed when the marks are there already. Nothing was on the wire, and no step
        leads from `sending` back to `due`: what was marked is deferred and goes out when the disk is well again.
        """
        parts = [one for one in waiting if isinstance(one, Part)]
        notes = [one for one in waiting if isinstance(one, Notes)]
        for one in notes:
            one.taken = True
        settled = [standing for one in notes for standing in one.settled]
        withheld = [number for one in notes for number in one.withheld]
        holds = [hold for one in notes for hold in one.holds]

        async def write(connection: AsyncConnection) -> set[int]:
            owner, now = self._room.owner, self._room.clock.now()
            if settled:
                await ledger.settle(connection, settled, owner=owner, now=now)
            if withheld:
                await ledger.withhold(connection, withheld, owner=owner, now=now)
            await self._gate.write(connection, holds)
            if not parts:
                return set()
            self._fence = await fence.raise_by_one(connection, self._room.install, least=self._fence + 1)
            return await ledger.mark(connection, [i for part in parts for i in part.ids], owner=owner, now=now)

        marked, hindrance = await self._keep(
            write, then=self._raise_disk if parts else _nothing, deliveries=len(settled) + len(withheld)
        )
        self._gate.written(holds)
        done: dict[Part | Notes, Marked] = dict.fromkeys(waiting, _NOTHING_MARKED)
        for part in parts:
            done[part] = Marked(ids=frozenset(marked.intersection(part.ids)), hindrance=hindrance)
        return done

    def _raise_disk(self) -> Outcome | None:
        """Puts the fence on disk; or says why nothing may be sent."""
        file = self._room.fence_file
        try:
            fence.raise_disk(file, self._fence)
        except OSError as error:
            problem = f"{file} can't be written: {error.strerror or error}"
            log.error("fence.unwritable", problem=problem)
            return Outcome(kind=OutcomeKind.DEFERRED, code="fence", text=problem)
        return None

    async def _keep(
        self,
        write: Callable[[AsyncConnection], Awaitable[_R]],
        *,
        then: Callable[[], Outcome | None] = _nothing,
        deliveries: int,
    ) -> tuple[_R, Outcome | None]:
        """What we know is kept in memory until the database takes it: losing an outcome would make a doubt of it.

        Trouble that won't pass is raised. What it kept from being written down becomes a doubt at the next run.
        """
        while True:
            try:
                return await self._db.write_swiftly(write, then=then)
            except (StoreTrouble, SQLAlchemyError) as error:
                if not may_pass(error):
                    raise
                log.warning("delivery.outcome_waits", deliveries=deliveries, problem=str(error).splitlines()[:1])
                await asyncio.sleep(_PATIENT)


def _parts(claimed: Sequence[Claimed], mailer: Mailer) -> Iterator[Sequence[Claimed]]:
    """What goes into one call each. A provider who writes the mails is told one variant at a time."""
    groups: dict[int, list[Claimed]] = {}
    for one in claimed:
        groups.setdefault(one.variant if isinstance(mailer, BulkMailer) else WHOLE, []).append(one)
    for group in groups.values():
        for start in range(0, len(group), mailer.per_call):
            yield group[start : start + mailer.per_call]


async def _all(work: Iterable[Awaitable[object]]) -> None:
    """Lets each come to its end, then raises the first trouble: none is cut off in the middle of the wire."""
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


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
        if done:  # what its refusals lead to for those who were refused, see `receipts.follow_refusals`
            ref = {"edition": edition_id}
            await jobs.add(connection, lane="work", kind="refusals", key=f"refusals:{edition_id}", ref=ref, now=now)
    return books if done else None
