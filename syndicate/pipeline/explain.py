"""Ledger, consents and change log → why a reader did, or didn't, get an edition or a story.

Only looks. Each finding is one rule with what it decided, in the order in which the rules came up; the answer is what
they come to. What was done is read from the ledger. A rule of the configuration (a newsletter's selection, its next
slot) can only be asked as it is now; where that would have done something else, it is said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.article import Article
from syndicate.domain.audience import Rhythm, SubscriptionState
from syndicate.domain.consent import Consent, Said
from syndicate.domain.delivery import Exclusion, State
from syndicate.domain.edition import Edition, EditionState, LeftOut
from syndicate.domain.explanation import Answer, Explanation
from syndicate.domain.newsletter import Newsletter, rhythms_of
from syndicate.domain.receipt import Receipt
from syndicate.errors import NotFound
from syndicate.pipeline.compose import cut_name
from syndicate.pipeline.explain_copy import is_in_copy, is_of_their_rhythm, keys_of_copies, tell_copy
from syndicate.pipeline.trail import Trail, edition_name, tell_article
from syndicate.pipeline.untold import Untold, tell_untold
from syndicate.store import audience, consents, editions, fence, jobs, ledger, receipts
from syndicate.store.audience import Subscription
from syndicate.store.db import Database
from syndicate.store.editions import OPEN_STATES, Story
from syndicate.store.ledger import Entry
from syndicate.store.receipts import Kept

_CONSENT = {
    Said.ASKED: "somebody typed the address into a form",
    Said.CONFIRMED: "the reader said yes",
    Said.DENIED: "the owner of the address said it wasn't them",
    Said.ENDED: "the reader left",
    Said.CHANGED: "the reader chose something else",
    Said.MOVED: "the reader went to another address",
    Said.ERASED: "the reader was erased",
}
_EXCLUDED = {
    Exclusion.UNSUBSCRIBED: "the subscription had ended before it was handed over",
    Exclusion.SUPPRESSED: "the address was one we must not write to",
    Exclusion.CANCELLED: "the edition was cancelled before it was handed over",
    Exclusion.PAUSED: "the reader wanted nothing for a while",
    Exclusion.NOTHING_FOR_THEM: "no story in it was of the topics that they chose",
    Exclusion.ALREADY_SENT: "earlier editions had brought them all of it",
    Exclusion.ENOUGH_TODAY: "they had had as much breaking news that day as a reader gets; the next edition tells it",
    Exclusion.ERASED: "the reader was erased before it was handed over",
}
_LEFT_OUT = {
    LeftOut.MAX: "there were more stories than the newsletter takes",
    LeftOut.UNPRINTABLE: "its text can't be shown in a mail",
    LeftOut.DESK: "a person of the newsroom took it out",
}


@dataclass(frozen=True, kw_only=True)
class _Reader:
    """Who asks; `id` is None for somebody who isn't a subscriber, or no longer."""

    id: int | None
    subscriptions: Mapping[str, Subscription]
    said: Sequence[Consent]
    suppressed: tuple[str, datetime] | None

    def may_get(self, newsletter: str) -> bool:
        """True while nothing about the person keeps the next edition from them."""
        held = self.subscriptions.get(newsletter)
        return held is not None and held.state is SubscriptionState.ACTIVE and self.suppressed is None

    def may_be_erased(self, edition: Edition) -> bool:
        """True for somebody who had said yes in time and isn't there any more: the ledger knows only their number."""
        yes = (one for one in self.said if one.what is Said.CONFIRMED and one.newsletter == edition.newsletter)
        return self.id is None and any(one.at <= edition.created_at for one in yes)


async def explain_edition(db: Database, address: str, digest: str, name: str, *, zone: str) -> Explanation:
    """Why a reader did, or didn't, get the edition NEWSLETTER/SLOT. Raises NotFound for who or what nobody knows of."""
    trail = Trail(zone=zone)
    newsletter, _, slot = name.partition("/")
    async with db.read() as connection:
        reader = await _read_reader(connection, address, digest)
        edition = await editions.by_slot(connection, newsletter, slot)
        if edition is None:
            await _tell_no_edition(connection, trail, newsletter, slot)
            _tell_reader(trail, reader, newsletter)
            return trail.explanation()
        _tell_edition(trail, edition)
        _tell_content(trail, await editions.stories(connection, edition.id))
        _tell_reader(trail, reader, newsletter)
        found = await ledger.entries(connection, reader.id or 0, [edition.id])
        entry = found.get(edition.id)
        keys = await keys_of_copies(connection, found.values())
        tell_copy(trail, edition, keys.get(edition.id))
        reports = await receipts.of_deliveries(connection, [entry.id]) if entry else []
        await _tell_delivery(connection, trail, edition, reader, entry, reports)
    _tell_suppression(trail, reader)
    return trail.explanation()


async def explain_story(
    db: Database,
    address: str,
    digest: str,
    article_id: str,
    newsletters: Mapping[str, Newsletter],
    *,
    zone: str,
    now: datetime,
) -> Explanation:
    """Why a reader did, or didn't, get a story, by each newsletter of theirs. Raises NotFound as `explain_edition`."""
    trail = Trail(zone=zone)
    async with db.read() as connection:
        reader = await _read_reader(connection, address, digest)
        article, log = await tell_article(connection, trail, article_id)
        names = sorted({*reader.subscriptions, *(one.newsletter for one in reader.said)})
        told = await editions.with_article(connection, article_id, names)
        issues = [edition.id for edition, story in told if not story.left_out]
        entries = await ledger.entries(connection, reader.id or 0, issues) if issues else {}
        reports = await receipts.of_deliveries(connection, [one.id for one in entries.values()]) if entries else []
        wanted = {name: _rhythm(reader, newsletters.get(name), name) for name in names}
        missing = set(names) - {
            edition.newsletter
            for edition, _ in told
            if edition.rhythm is wanted[edition.newsletter] or _is_sent(entries.get(edition.id))
        }
        spans = await editions.spanning(connection, article_id, missing) if missing else []
        keys = await keys_of_copies(connection, entries.values())
        for name in names:
            _tell_reader(trail, reader, name)
            for edition, story in (pair for pair in told if pair[0].newsletter == name):
                _tell_edition(trail, edition)
                if _is_told(trail, edition, story, article) and is_in_copy(
                    trail, edition, keys.get(edition.id), article_id
                ):
                    entry = entries.get(edition.id)
                    back = [one for one in reports if entry is not None and one.delivery_id == entry.id]
                    await _tell_delivery(connection, trail, edition, reader, entry, back)
            if name in missing and name in newsletters:
                passed = [one for one in spans if one.newsletter == name and one.rhythm is wanted[name]]
                case = Untold(article=article, log=log, newsletter=newsletters[name], spans=passed, rhythm=wanted[name])
                await tell_untold(connection, trail, case, may_get=reader.may_get(name), now=now)
            elif name in missing:
                why = f"{name} isn't in the configuration any more; none of its editions told the story."
                trail.note("newsletter.gone", why, Answer.NO, newsletter=name)
    if not names:
        trail.note("subscription.none", "They never subscribed to a newsletter.", Answer.NO)
    _tell_suppression(trail, reader)
    return trail.explanation()


def _rhythm(reader: _Reader, newsletter: Newsletter | None, name: str) -> Rhythm:
    """Which editions a reader gets: those they chose, or each where the newsletter has no such ones any more."""
    held = reader.subscriptions.get(name)
    return held.rhythm if held and newsletter and held.rhythm in rhythms_of(newsletter) else Rhythm.EACH


def _is_sent(entry: Entry | None) -> bool:
    return entry is not None and not entry.reason


async def _read_reader(connection: AsyncConnection, address: str, digest: str) -> _Reader:
    """Also somebody who was erased: their consents and a suppression stay. Raises NotFound where nothing is known."""
    person = await audience.by_address(connection, address)
    said = await consents.of_person(connection, digest)
    suppressed = await audience.suppression(connection, digest)
    if person is None and not said and suppressed is None:
        raise NotFound("subscriber", address)
    held = await audience.subscriptions_of(connection, person.id) if person else []
    return _Reader(
        id=person.id if person else None,
        subscriptions={one.newsletter: one for one in held},
        said=said,
        suppressed=suppressed,
    )


async def _tell_no_edition(connection: AsyncConnection, trail: Trail, newsletter: str, slot: str) -> None:
    """A slot that passed without one. Raises NotFound for one that never came."""
    fired = await jobs.fired_at(connection, cut_name(newsletter), slot)  # rhythms bear the same names as cuts
    if fired is None:
        newest = await editions.newest(connection, limit=3, newsletter=newsletter)
        raise NotFound("edition", f"{newsletter}/{slot}", known=tuple(f"{e.newsletter}/{e.slot}" for e in newest))
    said = (
        f"The slot {slot} of {newsletter} came at {trail.at(fired)} and has no edition: there was too little to tell, "
        "a first import wasn't whole, or it is still to be composed."
    )
    trail.note("edition.none", said, Answer.NO, newsletter=newsletter, slot=slot, at=fired)


def _tell_edition(trail: Trail, edition: Edition) -> None:
    name = edition_name(edition)
    span = f"changes {edition.cut_from + 1} to {edition.cut_to}"
    facts: dict[str, object] = {"edition": name, "cut_from": edition.cut_from, "cut_to": edition.cut_to}
    begun = f"{name} was begun at {trail.at(edition.created_at)}, from {span}."
    trail.note("edition.composed", begun, at=edition.created_at, **facts)
    if edition.frozen_at is not None:
        said = f"Its stories and readers were final at {trail.at(edition.frozen_at)}."
        trail.note("edition.frozen", said, edition=name, at=edition.frozen_at)
    if edition.released_at is not None:
        said = f"It was on hold until a person released it at {trail.at(edition.released_at)}."
        trail.note("edition.released", said, edition=name, at=edition.released_at)
    if edition.state is EditionState.COMPOSING:
        trail.note("edition.composing", "It is still being composed; nothing was sent.", edition=name)
    elif edition.state in (EditionState.HELD, EditionState.CANCELLED):
        words = "on hold, and waits for a person" if edition.state is EditionState.HELD else "cancelled"
        said = f"It is {words}: {edition.why or 'no reason was given'}."
        trail.note(f"edition.{edition.state.value}", said, edition=name, why=edition.why)
    elif edition.done_at is not None:
        said = f"All of it was settled at {trail.at(edition.done_at)}."
        trail.note("edition.done", said, edition=name, at=edition.done_at)


def _tell_content(trail: Trail, stories: Sequence[Story]) -> None:
    shown = [one.article_id for one in stories if not one.left_out]
    trail.note("edition.stories", f"It holds: {', '.join(shown) or 'nothing'}.", articles=shown)
    for why in LeftOut:
        if left := [one.article_id for one in stories if one.left_out == why]:
            said = f"It left out, for good, because {_LEFT_OUT[why]}: {', '.join(left)}."
            trail.note(f"edition.left_out_{why.value}", said, articles=left)


def _tell_reader(trail: Trail, reader: _Reader, newsletter: str) -> None:
    """What the person said about a newsletter, and how the subscription stands."""
    for one in reader.said:
        if one.newsletter == newsletter:
            said = f"{trail.at(one.at)}, {newsletter}: {_CONSENT[one.what]} ({one.origin})."
            facts = {"newsletter": newsletter, "origin": one.origin, "text_version": one.text_version}
            trail.note(f"consent.{one.what.value}", said, at=one.at, **facts)
    held = reader.subscriptions.get(newsletter)
    if held is None:
        said = f"There is no subscription to {newsletter}."
        trail.note("subscription.none", said, newsletter=newsletter)
    elif held.ended_at is not None:
        said = f"Subscribed to {newsletter} at {trail.at(held.since)} ({held.origin}), until {trail.at(held.ended_at)}."
        trail.note("subscription.ended", said, newsletter=newsletter, since=held.since, ended_at=held.ended_at)
    else:
        said = f"Subscribed to {newsletter} since {trail.at(held.since)} ({held.origin})."
        trail.note("subscription.active", said, newsletter=newsletter, since=held.since)


def _tell_suppression(trail: Trail, reader: _Reader) -> None:
    if reader.suppressed is not None:
        reason, since = reader.suppressed
        said = f"Nothing is written to the address now: {reason}, since {trail.at(since)}."
        trail.note("address.suppressed", said, reason=reason, since=since)


def _is_told(trail: Trail, edition: Edition, story: Story, article: Article) -> bool:
    """Whether readers of the edition got the story with it."""
    name, facts = edition_name(edition), {"edition": edition_name(edition), "version": story.version}
    if story.left_out:
        why = _LEFT_OUT[LeftOut(story.left_out)]
        said = f"{name} left the story out, for good: {why}."
        trail.note(f"story.left_out_{story.left_out}", said, Answer.NO, **facts)
        return False
    trail.note("story.told", f"{name} tells the story in version {story.version}.", **facts)
    if article.version > story.version:
        said = f"Version {article.version} came later; an update is never mailed again."
        trail.note("story.updated_since", said, edition=name, version=article.version)
    return True


async def _tell_delivery(
    connection: AsyncConnection,
    trail: Trail,
    edition: Edition,
    reader: _Reader,
    entry: Entry | None,
    reports: Sequence[Kept],
) -> None:
    """Whether the person was due an edition, and what became of it."""
    if entry is None:
        if reader.may_be_erased(edition):
            said = "They said yes and are no subscriber now: what an erased person got can't be told from the address."
            trail.note("reader.erased", said, Answer.UNKNOWN, edition=edition_name(edition))
            return
        _tell_no_candidate(trail, edition, reader.subscriptions.get(edition.newsletter))
        return
    name = edition_name(edition)
    trail.note("candidate", f"They were due {name}.", edition=name, delivery=entry.id)
    said, answer = _delivery_words(trail, name, entry)
    facts: dict[str, object] = {"edition": name, "reason": entry.reason, "code": entry.code, "text": entry.text}
    facts |= {"attempt": entry.attempt, "not_before": entry.not_before, "at": entry.settled_at}
    trail.note(f"delivery.{entry.state.value}", said, **facts)
    if entry.state in OPEN_STATES:
        for hold, why in (await fence.held(connection)).items():
            trail.note("house.held", f"Nothing at all is sent: {why}.", hold=hold, why=why)
    for one in reports:
        words = " ".join(filter(None, (one.verdict, one.status, one.text)))
        follow = f"; followed by: {one.step}" if one.step else ""
        said = f"A report of {trail.at(one.received_at)} says: {words}{follow}."
        trail.note("report", said, verdict=one.verdict, status=one.status, step=one.step, at=one.received_at)
    if entry.receipt == Receipt.BOUNCED:
        answer = Answer.NO
    if entry.receipt:
        trail.note(f"receipt.{entry.receipt}", f"It was {entry.receipt} later.", edition=name)
    trail.answers.append(answer)


def _tell_no_candidate(trail: Trail, edition: Edition, held: Subscription | None) -> None:
    name = edition_name(edition)
    if not is_of_their_rhythm(trail, edition, held):
        return
    if held is not None and held.since > edition.created_at:
        said = f"Not due {name}: the subscription began at {trail.at(held.since)}, after the edition."
        trail.note("candidate.too_late", said, Answer.NO, edition=name, since=held.since)
    elif held is not None and held.state is SubscriptionState.ACTIVE and edition.state is EditionState.COMPOSING:
        said = f"Who is due {name} is still being written down."
        trail.note("candidate.open", said, Answer.NOT_YET, edition=name)
    elif held is not None and held.ended_at is not None:
        said = f"Not due {name}: the subscription had ended at {trail.at(held.ended_at)}."
        trail.note("candidate.ended", said, Answer.NO, edition=name, ended_at=held.ended_at)
    else:
        said = f"Not due {name}: no subscription was active when it was composed."
        trail.note("candidate.none", said, Answer.NO, edition=name)


def _delivery_words(trail: Trail, name: str, entry: Entry) -> tuple[str, Answer]:
    reply = f" It said: {' '.join(filter(None, (entry.code, entry.text)))}." if entry.code or entry.text else ""
    at = f" at {trail.at(entry.settled_at)}" if entry.settled_at else ""
    match entry.state:
        case State.ACCEPTED:
            return f"The channel took it over{at}.{reply}", Answer.YES
        case State.REFUSED if entry.code == "expired":
            return f"Given up{at}, after 72 h; tries: {entry.attempt}.{reply}", Answer.NO
        case State.REFUSED:
            return f"The channel refused it for good{at}.{reply}", Answer.NO
        case State.UNCERTAIN:
            settle = f"`syndicate editions doubts {name}` settles it"
            return f"It may or may not have gone out; {settle}.{reply}", Answer.UNKNOWN
        case State.EXCLUDED:
            return f"Not sent: {_EXCLUDED[Exclusion(entry.reason)]} ({at.strip()}).", Answer.NO
        case State.DEFERRED:
            again = f", tried again from {trail.at(entry.not_before)}" if entry.not_before else ""
            return f"The channel put it off{again}; tries so far: {entry.attempt}.{reply}", Answer.NOT_YET
        case State.SENDING:
            return "It is being handed over right now.", Answer.NOT_YET
        case State.DUE | State.CLAIMED:
            own = f", from {trail.at(entry.not_before)} on, when their own hour comes" if entry.not_before else ""
            return f"It is still to be handed over{own}.", Answer.NOT_YET
