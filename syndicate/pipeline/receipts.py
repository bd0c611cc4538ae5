"""What the world says of our mails: collected from mailboxes, stored as it came, then read and acted upon.

What is stored is marked as seen in the mailbox only afterwards, so a crash brings it twice and never loses it; a digest
makes twice once. A receipt and what follows from it are one transaction. It may come late, and in any order.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.channels import EVENTS
from syndicate.domain.consent import Consent, Said
from syndicate.domain.delivery import State
from syndicate.domain.receipt import (
    FAILURES,
    PROVEN,
    Notice,
    Report,
    Step,
    Suppressed,
    Trace,
    Verdict,
    judge,
    names,
    receipt_of,
    verdict_of,
)
from syndicate.domain.suppression import outweighs
from syndicate.domain.token import read_verp, token_of_mail
from syndicate.jail import Answer, Jail
from syndicate.pipeline.reconcile import Exit, Leaving, leave, read_leaving
from syndicate.ports import Mailbox
from syndicate.store import audience, consents, editions, fence, jobs, ledger, receipts
from syndicate.store.db import Database, may_pass
from syndicate.store.fence import Departure
from syndicate.store.receipts import Arrived, Sent

READER = "syndicate.channels.mail.bounce:read_report"  # in the jail
_ON_THE_WIRE = timedelta(minutes=1)  # until a mail that is being sent is settled, or a start settles it
_AT_ONCE = 50
_LONGEST_RUN = timedelta(minutes=1)  # then other work comes first: a flood of junk takes half a second each
_MOST_PROBLEM = 500  # characters
ELSEWHERE = "not of the address that it was sent to"  # before the words of such a failure
LEFT = "unsubscribe"  # what follows from a mail to a List-Unsubscribe address
_POLICY_SHARE = 0.02  # of an edition's mails to one domain: more than that is about us, not about its readers
_POLICY_LEAST = 5  # mails: fewer may be a few readers' own filters
log = structlog.get_logger()


@dataclass(kw_only=True)
class CollectReport:
    """What a mailbox had."""

    stored: int = 0
    known: int = 0
    problem: str = ""


@dataclass(kw_only=True)
class FollowReport:
    """What receipts said, and what followed for people."""

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    steps: Counter[str] = field(default_factory=Counter)
    failed: int = 0  # set aside
    again_at: datetime | None = None  # when to go on: there is more, or a mail in question is still on the wire


@dataclass(frozen=True, kw_only=True)
class _Meaning:
    """A receipt, with whom and what it is about."""

    verdict: Verdict
    notice: Notice
    sent: Sent | None = None
    leaving: Leaving | None = None


async def collect(db: Database, mailbox: Mailbox, name: str, *, now: datetime) -> CollectReport:
    """Stores all that is new in a mailbox, and asks for it to be read."""
    report = CollectReport()

    async def keep(mails: Sequence[bytes]) -> None:
        async with db.write() as connection:
            for mail in mails:
                new = await _keep(connection, name, mail, now=now)
                report.stored += new
                report.known += not new
            await jobs.add(connection, lane="work", kind="follow", key="follow:", ref={}, now=now)

    report.problem = await mailbox.empty(keep)
    return report


async def take_event(db: Database, *, kind: str, channel: str, token: str, body: bytes, now: datetime) -> bool:
    """Stores a webhook whose signature is good, and asks for it to be read. False: its token came before."""
    digest = hashlib.sha256(f"{kind}/{token}".encode()).hexdigest()
    async with db.write() as connection:
        new = await receipts.add(connection, digest=digest, origin=f"{kind}/{channel}", body=body, now=now)
        if new:
            await jobs.add(connection, lane="work", kind="follow", key="follow:", ref={}, now=now)
    return new


async def follow_new(db: Database, way_out: Exit, jail: Jail, *, now: datetime, limit: int = 1000) -> FollowReport:
    """Reads receipts that nobody has read, up to about `limit`, and does what they ask for.

    One that raises is a bug of ours: it is set aside for a person, and the others go on.
    """
    report, last, until = FollowReport(), 0, way_out.clock.now() + _LONGEST_RUN
    refused: list[Sent] = []
    while report.verdicts.total() + report.failed < limit and way_out.clock.now() < until:
        async with db.read() as connection:
            waiting = await receipts.unread(connection, after=last, limit=_AT_ONCE)
        if not waiting:
            break
        for arrived in waiting:
            try:
                meaning = await _follow_one(db, way_out, jail, arrived, report, now=now)
            except Exception as error:  # the top of a loop: one receipt must not keep the others back
                if may_pass(error):
                    raise
                await _set_aside(db, arrived, error)
                report.failed += 1
                continue
            if meaning.verdict is Verdict.POLICY and meaning.sent is not None:
                refused.append(meaning.sent)
        last = waiting[-1].id
    else:
        report.again_at = now
    await _tell_of_domains(db, refused)
    return report


async def retry_failed(db: Database, identifier: int | None, *, now: datetime) -> int:
    """A person's word: a receipt that was set aside, or (None) each of them, is read anew. Returns how many."""
    async with db.write() as connection:
        again = await receipts.retry(connection, identifier)
        if again:
            await jobs.add(connection, lane="work", kind="follow", key="follow:", ref={}, now=now)
    return again


async def follow_refusals(db: Database, way_out: Exit, edition: int, *, now: datetime) -> Counter[str]:
    """What the refusals of an edition, said in the channel's own session, lead to for those who were refused."""
    async with db.read() as connection:
        people = await receipts.refused_people(connection, edition)
    steps: Counter[str] = Counter()
    for start in range(0, len(people), _AT_ONCE):
        async with db.read() as connection:
            known = await audience.by_numbers(connection, people[start : start + _AT_ONCE])
            due = [one for one in known if await _is_due(connection, one)]
        for person in due:
            async with db.write() as connection:
                step = await _reconsider(connection, way_out, person, now=now)
            steps.update([step] if step else [])
    return steps


async def end_suspensions(db: Database, *, now: datetime) -> int:
    """Before an edition is composed: whose suspension is over is tried once more."""
    async with db.write() as connection:
        return await receipts.end_suspensions(connection, now=now)


async def _follow_one(
    db: Database, way_out: Exit, jail: Jail, arrived: Arrived, report: FollowReport, *, now: datetime
) -> _Meaning:
    meaning = await _meaning(db, way_out, await _read(jail, arrived), arrived)
    if meaning.sent is not None and meaning.sent.state is State.SENDING:
        report.again_at = now + _ON_THE_WIRE
        return replace(meaning, verdict=Verdict.OTHER)
    step = await _follow(db, way_out, arrived, meaning, now=now)
    report.verdicts[meaning.verdict] += 1
    report.steps.update([step] if step else [])
    return meaning


async def _set_aside(db: Database, arrived: Arrived, error: Exception) -> None:
    log.error("receipt.failed", receipt=arrived.id, exc_info=error)
    problem = f"{type(error).__name__}: {error}".replace("\0", "").encode("utf-8", "replace").decode()
    async with db.write() as connection:
        await receipts.set_aside(connection, arrived.id, problem[:_MOST_PROBLEM])


async def _keep(connection: AsyncConnection, name: str, mail: bytes, *, now: datetime) -> bool:
    digest = hashlib.sha256(mail).hexdigest()
    return await receipts.add(connection, digest=digest, origin=name, body=mail, now=now)


async def _read(jail: Jail, arrived: Arrived) -> Report | None:
    """What a mail or a provider says; None where a mail can't be read in the time and memory that it gets."""
    kind, is_event, _ = arrived.origin.partition("/")  # no [[receipts]] has that sign in its name
    if is_event:
        return EVENTS[kind](arrived.body)
    answer = await jail.call(READER, arrived.body)
    if not isinstance(answer, Answer):
        log.warning("receipt.unreadable", receipt=arrived.id, why=answer.kind)
        return None
    notices = tuple(
        Notice(**notice | {"recipients": tuple(notice["recipients"])}) for notice in answer.value.pop("notices")
    )
    tokens = {name: tuple(value) for name, value in answer.value.items() if isinstance(value, list)}
    return Report(**answer.value | tokens, notices=notices)


async def _meaning(db: Database, way_out: Exit, report: Report | None, arrived: Arrived) -> _Meaning:
    """Whose word it is: tokens are checked here, and the first that is ours counts."""
    if report is None:
        return _Meaning(verdict=Verdict.UNCLEAR, notice=Notice(action="", text="it can't be read"))
    complaint = bool(report.feedback)
    sent = await _sent(db, way_out, report.bounce_tokens + report.quoted_bounce_tokens * complaint)
    leaving = await _leaving(db, way_out, report.quoted_leave_tokens if complaint else report.leave_tokens)
    possible = sent is not None and sent.state in (*PROVEN, State.SENDING)
    if report.leaves and sent is not None and possible:
        leaving = await _left(db, sent)
    address = await _address(db, sent)
    about = [one for one in report.notices if names(one, address)] or list(report.notices)
    notice = about[0] if about else Notice(action="")
    verdict = verdict_of(report, proven=possible, leaving=leaving is not None, address=address)
    if about and verdict in FAILURES and not names(notice, address):
        notice = replace(notice, text=f"{ELSEWHERE}: {notice.text}")
    return _Meaning(verdict=verdict, notice=notice, sent=sent if possible else None, leaving=leaving)


async def _sent(db: Database, way_out: Exit, tokens: Iterable[str]) -> Sent | None:
    numbers = [number for token in tokens if (number := read_verp(way_out.ring, token)) is not None]
    if not numbers:
        return None
    async with db.read() as connection:
        return await receipts.sent(connection, numbers[0])


async def _address(db: Database, sent: Sent | None) -> str:
    """Where a delivery went; "" for someone who was erased. An address that was changed since isn't this one."""
    if sent is None:
        return ""
    async with db.read() as connection:
        person = await audience.get(connection, sent.subscriber_id)
    return person.address if person else ""


async def _leaving(db: Database, way_out: Exit, tokens: Iterable[str]) -> Leaving | None:
    for token in tokens:
        link = token_of_mail(token) or token
        if (leaving := await read_leaving(db, way_out, link)) is not None:
            return leaving
    return None


async def _left(db: Database, sent: Sent) -> Leaving | None:
    async with db.read() as connection:
        person = await audience.get(connection, sent.subscriber_id)
    return Leaving(subscriber=person, newsletter=sent.newsletter, title=sent.newsletter) if person else None


async def _follow(db: Database, way_out: Exit, arrived: Arrived, meaning: _Meaning, *, now: datetime) -> str:
    """Does what a receipt asks for. Returns what followed for the person, "" for nothing."""
    sent, leaving = meaning.sent, meaning.leaving
    person = sent.subscriber_id if sent else leaving.subscriber.id if leaving else None
    step = ""
    if meaning.verdict is Verdict.LEAVE and leaving is not None:
        await leave(db, way_out, leaving, now=now, origin="mail")
        step = LEFT
    async with db.write() as connection:
        forgotten = person is not None and await audience.get(connection, person) is None
        first = await receipts.note(
            connection,
            arrived.id,
            meaning.verdict,
            status=meaning.notice.status,
            text="" if forgotten else meaning.notice.text.replace("\0", ""),  # it likes to name them
            step=step,
            delivery_id=sent.id if sent else None,
            subscriber_id=person,
        )
        if not first:
            return ""
        if sent is not None:
            await _note_in_ledger(connection, sent, meaning.verdict, now=now)
        if meaning.verdict is Verdict.COMPLAINT and person is not None:
            step = await _end_all(connection, way_out, person, now=now)
        elif meaning.verdict in FAILURES and person is not None:
            step = await _reconsider(connection, way_out, person, now=now)
        await receipts.set_step(connection, arrived.id, step)
    if meaning.verdict is Verdict.COMPLAINT and person is not None:
        for newsletter in way_out.newsletters:
            way_out.revocations.add(newsletter, person, at=way_out.clock.now())
    return step


async def _note_in_ledger(connection: AsyncConnection, known: Sent, verdict: Verdict, *, now: datetime) -> None:
    """A token that only the mail bore proves that it was taken over, whatever the report says."""
    await editions.get(connection, known.edition_id, lock=True)  # nobody counts its books while we move them
    sent = await receipts.sent(connection, known.id, lock=True)
    if sent is None:
        return
    if sent.state is State.UNCERTAIN:
        await ledger.resolve(connection, sent.edition_id, {sent.id: True}, now=now)
    receipt = receipt_of(verdict, sent.receipt)
    if receipt is not None and receipt is not sent.receipt:
        await receipts.set_receipt(connection, sent.id, receipt)


async def _reconsider(connection: AsyncConnection, way_out: Exit, person: int, *, now: datetime) -> str:
    """Suppresses or suspends a person whose mails fail, if it has come to that. Returns which, "" for neither."""
    if await audience.get(connection, person) is None:  # erased
        return ""
    digest = await audience.digest_of(connection, person)
    judgement = judge(await _traces(connection, person, digest))
    if judgement.step is Step.SUPPRESS:
        await _suppress(connection, way_out, digest, Suppressed.HARD_BOUNCE, now=now)
    elif judgement.step is Step.NONE or not await receipts.suspend(
        connection, digest, until=now + judgement.lasts, now=now
    ):
        return ""
    return judgement.step.value


async def _is_due(connection: AsyncConnection, person: int) -> bool:
    digest = await audience.digest_of(connection, person)
    return judge(await _traces(connection, person, digest)).step is not Step.NONE


async def _traces(connection: AsyncConnection, person: int, digest: str) -> list[Trace]:
    """What tells whether a person can be reached, from the last time on that somebody said they can be."""
    lifted = (await consents.last_lifts(connection, [digest])).get(digest)
    return [trace for trace in await receipts.traces(connection, person) if lifted is None or trace.at > lifted]


async def _end_all(connection: AsyncConnection, way_out: Exit, person: int, *, now: datetime) -> str:
    """After a complaint: every subscription ends, and the address is not written to again."""
    if await audience.get(connection, person) is None:
        return ""
    digest = await audience.digest_of(connection, person)
    for chosen in await audience.subscriptions_of(connection, person):
        if await audience.unsubscribe(connection, chosen.newsletter, person, now=now):
            await _journal(way_out, digest, chosen.newsletter, Suppressed.COMPLAINT, now=now)
            ended = Consent(newsletter=chosen.newsletter, what=Said.ENDED, at=now, origin=Suppressed.COMPLAINT.value)
            await consents.add(connection, digest, [ended])
    await _suppress(connection, way_out, digest, Suppressed.COMPLAINT, now=now)
    return Step.SUPPRESS.value


async def _suppress(
    connection: AsyncConnection, way_out: Exit, digest: str, reason: Suppressed, *, now: datetime
) -> None:
    held = await audience.suppression(connection, digest)
    if held is None or held[0] == Suppressed.SUSPENDED.value or outweighs(reason.value, held[0]):
        await _journal(way_out, digest, "", reason, now=now)
        await audience.suppress(connection, digest, reason.value, now=now)


async def _journal(way_out: Exit, digest: str, newsletter: str, reason: Suppressed, *, now: datetime) -> None:
    """Before the commit: if we stop in between, the next start does it from the journal."""
    departure = Departure(digest=digest, newsletter=newsletter, reason=reason.value, at=now)
    try:
        await asyncio.to_thread(fence.note_departure, way_out.journal, departure)
    except OSError as error:  # it holds all the same; only a restored backup could undo it
        log.error("departure.unnoted", newsletter=newsletter, reason=reason.value, problem=str(error))


async def _tell_of_domains(db: Database, refused: Iterable[Sent]) -> None:
    """Calls for a person when a domain refuses more of an edition than a few readers' filters would."""
    editions = {one.subscriber_id: one.edition_id for one in refused}
    async with db.read() as connection:
        people = await audience.by_numbers(connection, editions)
        for edition, domain in sorted({(editions[p.id], p.address.rpartition("@")[2]) for p in people.values()}):
            back, taken = await receipts.policy_share(connection, edition, domain)
            if back >= _POLICY_LEAST and back > _POLICY_SHARE * taken:
                log.error("domain.refuses_us", domain=domain, edition=edition, refused=back, mails=taken)
