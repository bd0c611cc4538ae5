"""Lists of readers in and out, some hundred rows at a time.

In: whoever reads elsewhere begins here with the words that say where the consent comes from; whoever left there is kept
as having left, and blocked addresses as suppressed. A list never lifts a suppression, never brings back who left here,
and read a second time it changes nothing. Out: everything, with the consent; no token.
"""

import asyncio
import csv
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TextIO

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.account import Deed, Entry
from syndicate.domain.audience import Subscriber, SubscriptionState
from syndicate.domain.consent import Consent, Said
from syndicate.domain.lists import Reading, Row, Standing, guarded, is_own_word, may_begin, one_line, read_row
from syndicate.pipeline.list_file import ListFile, Record
from syndicate.store import accounts, fence, lists
from syndicate.store.db import Database
from syndicate.store.fence import Departure

_LONGEST_SUBJECT = 80  # characters, as the audit log has it
_AT_ONCE = 500  # subscriptions in one transaction: some 50 ms on SQLite
OUT = (
    *("address", "name", "language", "zone", "newsletter", "state", "since", "ended", "origin", "suppressed"),
    *("consent_at", "consent_origin", "consent_language", "consent_text_version", "consent_text_hash"),
)
log = structlog.get_logger()


class Fate(StrEnum):
    """What became of a row."""

    SUBSCRIBED = "subscribed"
    ENDED = "ended"  # it is noted now that the person left
    SUPPRESSED = "suppressed"  # it is noted now that the address must not be written to
    UNCHANGED = "unchanged"  # all of that was known
    WITHHELD = "withheld"  # something that is known here stands against it
    REJECTED = "rejected"  # it can't be understood


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A row that wasn't done as it says."""

    line: int
    fate: Fate  # WITHHELD or REJECTED
    why: str
    cells: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to do with a list."""

    newsletters: Sequence[str]
    origin: str  # where the consent comes from
    reading: Reading
    reason: str  # in suppressions
    digest: Callable[[str], str]
    language: str  # of rows that don't say
    timezone: str
    journal: Path
    who: str  # as the audit log names them
    dry_run: bool = False


@dataclass(kw_only=True)
class ListReport:
    """How many rows had which fate."""

    rows: int = 0
    subscribed: int = 0
    ended: int = 0
    suppressed: int = 0
    unchanged: int = 0
    withheld: int = 0
    rejected: int = 0

    def count(self, fate: Fate) -> None:
        """One more row."""
        self.rows += 1
        setattr(self, fate.value, getattr(self, fate.value) + 1)


@dataclass(kw_only=True)
class _Plan:
    """What a handful of rows comes to. People are called by their digests."""

    people: dict[str, Row] = field(default_factory=dict)
    begin: list[tuple[str, str]] = field(default_factory=list)  # with the newsletter
    note_left: list[tuple[str, str]] = field(default_factory=list)
    end: list[tuple[str, str]] = field(default_factory=list)
    suppress: list[str] = field(default_factory=list)
    fates: list[tuple[int, Fate, str]] = field(default_factory=list)  # by line


async def import_list(
    db: Database,
    file: ListFile,
    order: Order,
    *,
    now: datetime,
    refuse: Callable[[Refusal], None],
    went: Callable[[int], None],
) -> ListReport:
    """Takes a list over. `refuse` is told of every row that isn't done, `went` how many lines were read so far.

    What was done before an interruption stays; once more from the beginning does the rest. The audit log tells of both.
    A dry run reads all of it and writes nothing; it can't know of an address that stands far away in the file a second
    time.
    """
    report = ListReport()
    try:
        await _read(db, file, order, report, now=now, refuse=refuse, went=went)
    finally:
        if not order.dry_run:
            counts = ", ".join(f"{count} {fate}" for fate, count in vars(report).items() if count)
            note = f"{file.path.name}: {counts or 'no rows'}; {order.origin}"
            await _audit(db, Deed.LIST_IN, order.who, ", ".join(order.newsletters), note, now=now)
    return report


async def _read(
    db: Database,
    file: ListFile,
    order: Order,
    report: ListReport,
    *,
    now: datetime,
    refuse: Callable[[Refusal], None],
    went: Callable[[int], None],
) -> None:
    for records in _chunks(file.records(), max(1, _AT_ONCE // len(order.newsletters))):
        rows, told = list[Row](), dict[int, Record]()
        for record in records:
            row = record.problem or read_row(order.reading, record.line, record.cells)
            if isinstance(row, Row):
                rows.append(row)
                told[record.line] = record
            else:
                report.count(Fate.REJECTED)
                refuse(Refusal(line=record.line, fate=Fate.REJECTED, why=row, cells=record.cells))
        for line, fate, why in await _take(db, rows, order, now=now):
            report.count(fate)
            if fate is Fate.WITHHELD:
                refuse(Refusal(line=line, fate=fate, why=why, cells=told[line].cells))
        went(records[-1].line)


async def export_list(
    db: Database, out: TextIO, *, who: str, where: str, now: datetime, newsletter: str | None = None
) -> int:
    """Writes every subscription, ended ones too, as CSV without formulas; returns how many that were.

    The audit log tells who took how many to `where`, also when the taking was broken off.
    """
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")  # RFC 4180 §2
    written = 0
    try:
        writer.writerow(OUT)
        async for line in _everything(db, newsletter):
            written += 1
            writer.writerow([guarded(cell) for cell in _cells(line)])
    finally:
        note = f"{where}: {written} subscriptions"
        await _audit(db, Deed.LIST_OUT, who, newsletter or "all newsletters", note, now=now)
    return written


async def _audit(db: Database, what: Deed, who: str, subject: str, note: str, *, now: datetime) -> None:
    entry = Entry(at=now, who=who, what=what, subject=subject[:_LONGEST_SUBJECT], note=one_line(note))
    async with db.write() as connection:
        await accounts.note(connection, entry)


def _chunks(records: Iterator[Record], size: int) -> Iterator[list[Record]]:
    while chunk := list(islice(records, size)):
        yield chunk


async def _take(db: Database, rows: Sequence[Row], order: Order, *, now: datetime) -> list[tuple[int, Fate, str]]:
    by_digest = [(order.digest(row.address), row) for row in rows]
    digests = {digest for digest, _ in by_digest}
    if order.dry_run:
        async with db.read() as connection:
            return _plan(by_digest, await lists.known(connection, digests, order.newsletters), order).fates
    async with db.write() as connection:
        plan = _plan(by_digest, await lists.known(connection, digests, order.newsletters), order)
        await _do(connection, plan, order, now=now)
    return plan.fates


def _plan(rows: Iterable[tuple[str, Row]], known: lists.Known, order: Order) -> _Plan:
    plan, worst = _Plan(), dict[str, Row]()
    for digest, row in rows:
        if digest not in worst or row.standing > worst[digest].standing:
            worst[digest] = row
    for digest, row in rows:
        if row is not worst[digest]:
            plan.fates.append((row.line, Fate.UNCHANGED, ""))
        elif row.standing is Standing.BLOCKED:
            plan.fates.append((row.line, _blocked(plan, digest, known), ""))
        elif row.standing is Standing.LEFT:
            plan.fates.append((row.line, *_left(plan, digest, row, known, order)))
        else:
            plan.fates.append((row.line, *_reads(plan, digest, row, known, order)))
    return plan


def _blocked(plan: _Plan, digest: str, known: lists.Known) -> Fate:
    if digest in known.suppressed:
        return Fate.UNCHANGED
    plan.suppress.append(digest)
    return Fate.SUPPRESSED


def _left(plan: _Plan, digest: str, row: Row, known: lists.Known, order: Order) -> tuple[Fate, str]:
    if digest in known.suppressed and digest not in known.people:
        return Fate.UNCHANGED, ""  # erased, perhaps: then nothing more may be kept of them
    own, before = False, len(plan.note_left) + len(plan.end)
    for newsletter in order.newsletters:
        chosen = known.chosen.get((digest, newsletter))
        if chosen is None:
            plan.people[digest] = row
            plan.note_left.append((digest, newsletter))
        elif chosen.state is SubscriptionState.ACTIVE and is_own_word(chosen.origin):
            own = True
        elif chosen.state is SubscriptionState.ACTIVE:
            plan.end.append((digest, newsletter))
    if len(plan.note_left) + len(plan.end) > before:
        return Fate.ENDED, ""
    return (Fate.WITHHELD, "confirmed here by its owner, which no list ends") if own else (Fate.UNCHANGED, "")


def _reads(plan: _Plan, digest: str, row: Row, known: lists.Known, order: Order) -> tuple[Fate, str]:
    if digest in known.suppressed:
        return Fate.WITHHELD, f"suppressed here: {known.suppressed[digest]}"
    states = {name: known.chosen.get((digest, name)) for name in order.newsletters}
    new = [name for name, chosen in states.items() if may_begin(chosen.state if chosen else None)]
    if not new:
        active = any(chosen and chosen.state is SubscriptionState.ACTIVE for chosen in states.values())
        return (Fate.UNCHANGED, "") if active else (Fate.WITHHELD, "left before")
    if digest in known.suspended:
        return Fate.WITHHELD, "suspended here: mails to it fail"
    if digest in known.denied:
        return Fate.WITHHELD, "its owner told us that it wasn't them, or moved to another address"
    plan.people[digest] = row
    plan.begin += [(digest, name) for name in new]
    return Fate.SUBSCRIBED, ""


async def _do(connection: AsyncConnection, plan: _Plan, order: Order, *, now: datetime) -> None:
    await _journal(plan, order, now=now)
    people = [(digest, _person(row, order, now)) for digest, row in plan.people.items()]
    numbers = await lists.add_people(connection, people)
    said = list[tuple[str, Consent]]()
    for pairs, state, what in (
        (plan.begin, SubscriptionState.ACTIVE, Said.CONFIRMED),
        (plan.note_left, SubscriptionState.ENDED, Said.ENDED),
    ):
        chosen = [(name, numbers[digest], _origin(plan.people[digest], order)) for digest, name in pairs]
        new = await lists.begin(connection, chosen, state=state, now=now)
        said += [
            (digest, Consent(newsletter=name, what=what, at=now, origin=_origin(plan.people[digest], order)))
            for digest, name in pairs
            if (name, numbers[digest]) in new
        ]
    said += await _end(connection, plan, order, now=now)
    await lists.note(connection, said)
    if plan.suppress:
        await lists.suppress(connection, plan.suppress, order.reason, now=now)


async def _end(connection: AsyncConnection, plan: _Plan, order: Order, *, now: datetime) -> list[tuple[str, Consent]]:
    if not plan.end:
        return []
    known = await lists.known(connection, {digest for digest, _ in plan.end}, order.newsletters)
    ended = await lists.end(connection, [(name, known.people[digest]) for digest, name in plan.end], now=now)
    return [
        (digest, Consent(newsletter=name, what=Said.ENDED, at=now, origin=order.origin))
        for digest, name in plan.end
        if (name, known.people[digest]) in ended
    ]


async def _journal(plan: _Plan, order: Order, *, now: datetime) -> None:
    """Before the commit: if we stop in between, the next start does it from the journal."""
    left = [Departure(digest=digest, newsletter=name, reason="list", at=now) for digest, name in plan.end]
    left += [Departure(digest=digest, newsletter="", reason=order.reason, at=now) for digest in plan.suppress]
    if not left:
        return
    try:
        await asyncio.to_thread(fence.note_departure, order.journal, *left)
    except OSError as error:  # it holds all the same; only a restored backup could undo it
        log.error("departure.unnoted", people=len(left), reason="list", problem=str(error))


def _person(row: Row, order: Order, now: datetime) -> Subscriber:
    return Subscriber(
        id=0,
        address=row.address,
        name=row.name,
        language=row.language or order.language,
        timezone=row.timezone or order.timezone,
        created_at=now,
    )


def _origin(row: Row, order: Order) -> str:
    return f"{order.origin} (since {row.since})" if row.since else order.origin


async def _everything(db: Database, newsletter: str | None) -> AsyncIterator[lists.Line]:
    number: int | None = 0
    while number is not None:
        async with db.read() as connection:
            found, number = await lists.after(connection, number, limit=_AT_ONCE, newsletter=newsletter)
        for line in found:
            yield line


def _cells(line: lists.Line) -> list[str]:
    person, subscription, consent = line.person, line.subscription, line.consent
    ended = subscription.ended_at.isoformat() if subscription.ended_at else ""
    cells = [person.address, person.name, person.language, person.timezone, subscription.newsletter]
    cells += ["suppressed" if line.suppressed else subscription.state.value, subscription.since.isoformat(), ended]
    cells += [subscription.origin, line.suppressed]
    if consent is None:
        return [*cells, "", "", "", "", ""]
    shown = str(consent.text_version) if consent.text_version else ""
    return [*cells, consent.at.isoformat(), consent.origin, consent.language, shown, consent.text_hash]
