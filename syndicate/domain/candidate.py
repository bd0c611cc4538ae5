"""Candidates: who is due an edition, in which variant and when, or why they don't get it."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from syndicate.domain.audience import Rhythm
from syndicate.domain.delivery import Exclusion
from syndicate.domain.newsletter import Newsletter
from syndicate.domain.slot import next_hour
from syndicate.domain.variant import NOTHING, Got


class Taste(NamedTuple):
    """All of a reader that decides which variant is theirs. Many readers have the same."""

    topics: str  # as it is kept
    language: str
    timezone: str
    before: tuple[tuple[int, int], ...] = ()  # edition and variant of what they got of these stories


class Candidate(NamedTuple):
    """A reader whose subscription was active when an edition was begun."""

    subscriber: int
    taste: Taste
    hour: int | None = None
    paused: bool = False
    suppressed: bool = False
    breaking_today: int = 0  # breaking mails of the newsletter they got on the edition's day


class Placing(NamedTuple):
    """What is written down of a candidate. With a `reason` it is excluded, and never sent."""

    subscriber: int
    variant: int
    reason: str
    first_due: datetime
    not_before: datetime | None


def rhythms_for(newsletter: Newsletter, rhythm: Rhythm) -> frozenset[Rhythm]:
    """Whose subscriptions an edition of this rhythm is for.

    Breaking news goes to readers of each edition too. Who chose a rhythm that the newsletter no longer has gets each
    edition, rather than nothing for ever.
    """
    if rhythm is Rhythm.WEEKLY:
        return frozenset({Rhythm.WEEKLY})
    if rhythm is Rhythm.BREAKING:
        return frozenset({Rhythm.EACH, Rhythm.BREAKING})
    lost = {Rhythm.WEEKLY: newsletter.roundup is None, Rhythm.BREAKING: not newsletter.breaking}
    return frozenset({Rhythm.EACH, *(one for one, is_lost in lost.items() if is_lost)})


def barred(candidate: Candidate, most_today: int | None) -> Exclusion | None:
    """Why a reader gets nothing of an edition whatever is in it."""
    if candidate.suppressed:
        return Exclusion.SUPPRESSED
    if candidate.paused:
        return Exclusion.PAUSED
    if most_today is not None and candidate.breaking_today >= most_today:
        return Exclusion.ENOUGH_TODAY
    return None


def got_before(taste: Taste, brought: Mapping[tuple[int, int], Got]) -> Got:
    """What of an edition's stories a reader has, by what each variant of earlier editions brought."""
    found = NOTHING
    for one in taste.before:
        found |= brought.get(one, NOTHING)
    return found


def due_at(hour: int | None, zone: str, slot_at: datetime) -> datetime:
    """The next time that a reader's own hour comes, from the slot on; for those without one, the slot."""
    return slot_at if hour is None else next_hour(hour, zone, slot_at)
