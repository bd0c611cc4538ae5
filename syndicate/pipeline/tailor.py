"""Audience → candidates: each reader who is due an edition gets the number of a variant, or the reason why not.

Readers are taken by the thousand, so that memory doesn't grow with them. A chunk is read, decided and written down in
one transaction, and editions take turns at that: where two tell the same story at the same time, the later one sees
what the earlier one brings. The variants that come up are noted with their first readers and rendered afterwards.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.audience import Rhythm
from syndicate.domain.candidate import Candidate, Placing, Taste, barred, due_at, got_before, rhythms_for
from syndicate.domain.delivery import Exclusion
from syndicate.domain.edition import Choice, Edition
from syndicate.domain.feed import Site
from syndicate.domain.newsletter import Newsletter
from syndicate.domain.variant import WHOLE, Got, VariantKey, Variants, off_topic
from syndicate.errors import StoreTrouble
from syndicate.store import candidates, changes, editions
from syndicate.store.db import Database

CHUNK = 2500  # candidates a transaction, which take a quarter of a second of a busy machine
_LEAST = 200  # where many editions tell the same stories
_EDITIONS = 10  # of which a whole chunk's deliveries are looked through quickly
_REMEMBERED = 10_000  # tastes


@dataclass(frozen=True, kw_only=True)
class Fate:
    """What readers of one taste get."""

    key: VariantKey
    reason: Exclusion | None = None  # None: they get it


@dataclass(kw_only=True)
class Tailor:
    """What decides the variants of one edition. Remembers what many readers have in common."""

    edition: Edition
    newsletter: Newsletter
    site: Site
    choice: Choice
    _newest: int = -1  # edition
    _telling: Mapping[int, set[str]] = field(default_factory=dict)  # other editions with some of the stories
    _changed: Mapping[str, list[int]] = field(default_factory=dict)  # seqs at which they changed in what they say
    _cuts: dict[int, int] = field(default_factory=dict)
    _brought: dict[tuple[int, int], Got] = field(default_factory=dict)
    _fates: dict[Taste, Fate] = field(default_factory=dict)
    _due: dict[tuple[int | None, str], datetime] = field(default_factory=dict)

    @cached_property
    def whole(self) -> VariantKey:
        """The edition as everybody may read it."""
        language = self.site.phrases.language_for(self.newsletter.language)
        return VariantKey(language=language, zone=self.newsletter.timezone, more=len(self.choice.beyond))

    @property
    def told(self) -> Got:
        """What other editions have told of this one, to whomever."""
        found = Got()
        for number in self._telling:
            found |= self._in(number, frozenset())
        return found

    async def look_back(self, connection: AsyncConnection) -> None:
        """Reads which other editions tell the same stories, if there may be more than before."""
        newest = await candidates.newest_edition(connection)
        if newest == self._newest:
            return
        ids = [story.id for story in self.choice.stories]
        self._newest, self._telling = newest, await candidates.telling(connection, self.edition, ids)
        self._cuts = await editions.cuts(connection, self._telling) if self._telling else {}
        if self._telling:
            self._changed = await changes.rewritten(connection, ids, upto=self.edition.cut_to)
        self._brought.clear()
        self._fates.clear()

    async def add_past(self, connection: AsyncConnection, people: Sequence[Candidate]) -> list[Candidate]:
        """With what each got before of these stories, and how much breaking news on the edition's day."""
        if not people:
            return []
        span = {"first": people[0].subscriber, "last": people[-1].subscriber}
        past = await candidates.brought(connection, self._telling, **span) if self._telling else {}
        await self._read_variants(connection, {pair for pairs in past.values() for pair in pairs})
        today = await self._breaking_today(connection, span)
        if not past and not today:
            return list(people)
        return [
            one._replace(
                taste=one.taste._replace(before=tuple(past.get(one.subscriber, ()))),
                breaking_today=today.get(one.subscriber, 0),
            )
            for one in people
        ]

    def place(self, people: Sequence[Candidate], variants: Variants, *, now: datetime) -> list[Placing]:
        """What is written down of each. Where variants are scarce, those of many readers come first."""
        most = self.newsletter.breaking_max if self.edition.rhythm is Rhythm.BREAKING else None
        bars = {one.subscriber: barred(one, most) for one in people}
        going = Counter(one.taste for one in people if bars[one.subscriber] is None)
        fates = {taste: self._fate(taste) for taste, _ in going.most_common()}
        numbers = {taste: variants.number(fate.key) for taste, fate in fates.items() if fate.reason is None}
        placings = []
        for one in people:
            reason = bars[one.subscriber] or fates[one.taste].reason
            due = now if reason else max(now, self._due_at(one))
            placings.append(
                Placing(
                    subscriber=one.subscriber,
                    variant=WHOLE if reason else numbers[one.taste],
                    reason=reason.value if reason else "",
                    first_due=due,
                    not_before=due if due > now else None,
                )
            )
        return placings

    def _due_at(self, one: Candidate) -> datetime:
        """Breaking news keeps nobody's hour: that is what it is."""
        hour = None if self.edition.rhythm is Rhythm.BREAKING else one.hour
        zone = self._zone(one.taste.timezone)
        if (hour, zone) not in self._due:
            self._due[hour, zone] = due_at(hour, zone, self.edition.slot_at)
        return self._due[hour, zone]

    def _fate(self, taste: Taste) -> Fate:
        if len(self._fates) > _REMEMBERED:
            self._fates.clear()
        if taste not in self._fates:
            self._fates[taste] = self._decide(taste)
        return self._fates[taste]

    def _decide(self, taste: Taste) -> Fate:
        topics = json.loads(taste.topics)
        language = self.site.phrases.language_for(taste.language)
        key = replace(self.whole, language=language, zone=self._zone(taste.timezone))
        if not self.choice.stories:
            return Fate(key=key)
        offered, ids = self.newsletter.topics, frozenset(story.id for story in self.choice.stories)
        without = off_topic(topics, offered, self.choice.stories)
        if without == ids:
            return Fate(key=key, reason=Exclusion.NOTHING_FOR_THEM)
        got = got_before(taste, self._brought)
        seen, older = got.same - without, got.older - without
        if without | seen == ids:
            return Fate(key=key, reason=Exclusion.ALREADY_SENT)
        more = len(self.choice.beyond) - len(off_topic(topics, offered, self.choice.beyond))
        return Fate(key=replace(key, off_topic=without, seen=seen, updated=older, more=more))

    async def _read_variants(self, connection: AsyncConnection, pairs: set[tuple[int, int]]) -> None:
        """What variants of earlier editions brought; those that come up for the first time."""
        new = pairs - self._brought.keys()
        if not new:
            return
        keys = await candidates.keys(connection, {number for number, _ in new})
        for number, variant in new:
            key = keys.get((number, variant))
            self._brought[number, variant] = self._in(number, key.left_out if key else frozenset())

    def _in(self, number: int, left_out: frozenset[str]) -> Got:
        """What a variant of another edition tells of our stories, and what of it has changed since."""
        told = self._telling.get(number, set()) - left_out
        older = frozenset(i for i in told if any(seq > self._cuts[number] for seq in self._changed.get(i, ())))
        return Got(same=frozenset(told) - older, older=older)

    async def _breaking_today(self, connection: AsyncConnection, span: Mapping[str, int]) -> dict[int, int]:
        """By subscriber, of the newsletter's own day. What stays in another edition's hold isn't counted."""
        if self.edition.rhythm is not Rhythm.BREAKING:
            return {}
        since, until = day_of(self.edition.slot_at, self.newsletter.timezone)
        others = await candidates.breaking_of_day(connection, self.edition, since, until)
        found = await candidates.brought(connection, others, **span) if others else {}
        return {subscriber: len(mails) for subscriber, mails in found.items()}

    @property
    def chunk(self) -> int:
        """How many readers are taken at once: fewer where there is much to look back to, for a transaction is short."""
        return max(min(_LEAST, CHUNK), CHUNK // (1 + len(self._telling) // _EDITIONS))

    def _zone(self, name: str) -> str:
        """A reader's zone; the newsletter's for a name that no clock of ours knows."""
        return name if _is_zone(name) else self.newsletter.timezone


async def write_candidates(db: Database, tailor: Tailor, *, now: datetime) -> None:
    """Everybody due is written down, those that are there already stay. Raises StoreTrouble if it is composed anew."""
    rhythms = rhythms_for(tailor.newsletter, tailor.edition.rhythm)
    shown = [story.id for story in tailor.choice.stories]
    after: int | None = 0
    while after is not None:
        async with db.write() as connection:
            await candidates.take_turn(connection)
            if shown != [
                one.article_id for one in await editions.stories(connection, tailor.edition.id) if not one.left_out
            ]:
                raise StoreTrouble(f"edition {tailor.edition.id} was composed anew meanwhile; it will be tried again")
            await tailor.look_back(connection)
            after = await _write_chunk(connection, tailor, rhythms, after=after, now=now)


async def _write_chunk(
    connection: AsyncConnection, tailor: Tailor, rhythms: frozenset[Rhythm], *, after: int, now: datetime
) -> int | None:
    """Returns the last subscriber number taken, None when there was nobody left."""
    edition = tailor.edition
    people = await candidates.page(connection, edition, rhythms, after=after, limit=tailor.chunk, now=now)
    if not people:
        return None
    known = {number: key for (_, number), key in (await candidates.keys(connection, [edition.id])).items() if number}
    variants = Variants(tailor.whole, tailor.told, known)
    placings = tailor.place(await tailor.add_past(connection, people), variants, now=now)
    new = {number: key for number, key in variants.keys.items() if number and number not in known}
    await candidates.add_keys(connection, edition.id, new)
    await candidates.add(connection, edition, placings, now=now)
    return people[-1].subscriber


@lru_cache
def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # zoneinfo: not found, a folder, or a name that leaves its folder
        return False
    return True


def day_of(at: datetime, zone: str) -> tuple[datetime, datetime]:
    """The beginning and the end of the day of a moment, by the calendar of a zone."""
    begin = at.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    return begin.astimezone(at.tzinfo), (begin + timedelta(days=1)).astimezone(at.tzinfo)
