"""What a reader asks for: which newsletters, how much of each, in which language, at which hour, and not before when.

A form is read here as a whole: it gives new preferences, or each of its fields that can't be taken is named.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from syndicate.domain.audience import Rhythm
from syndicate.domain.consent import Said
from syndicate.domain.newsletter import Newsletter, rhythms_of

HOURS = range(24)
LONGEST_PAUSE = timedelta(days=366)
_LONGEST_NOTE = 1000  # characters


class Field(StrEnum):
    """The fields of the form. Topics and rhythm have one for each newsletter, see `name_of`."""

    NEWSLETTERS = "newsletter"
    TOPICS = "topics"
    RHYTHM = "rhythm"
    LANGUAGE = "language"
    HOUR = "hour"
    ZONE = "zone"
    PAUSE = "pause"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """How somebody gets one newsletter."""

    newsletter: str
    topics: tuple[str, ...] = ()  # slugs, in the newsletter's order; () is all of it
    rhythm: Rhythm = Rhythm.EACH


@dataclass(frozen=True, kw_only=True)
class Preferences:
    """All that a person chose."""

    choices: tuple[Choice, ...]  # of what they get
    language: str
    timezone: str
    hour: int | None  # of their own day, before which no edition comes; None: at once
    paused_until: datetime | None  # nothing that is frozen before

    def choice(self, newsletter: str) -> Choice | None:
        """How they get a newsletter, None if they don't."""
        return next((one for one in self.choices if one.newsletter == newsletter), None)


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What there is to choose from."""

    newsletters: Mapping[str, Newsletter]
    languages: Collection[str]
    zones: Collection[str]
    closed: bool = False  # the address must not be written to: nothing more can begin


@dataclass(frozen=True, kw_only=True)
class Flaw:
    """A field that can't be taken."""

    field: Field
    newsletter: str = ""  # whose topics or rhythm
    closed: bool = False  # a newsletter can't begin, see `Offer`

    @property
    def name(self) -> str:
        """The field's name in the form."""
        return name_of(self.field, self.newsletter)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What a person says by saving other preferences, for the ledger of consents."""

    newsletter: str  # "": of no newsletter
    said: Said  # CONFIRMED, CHANGED, ENDED
    fields: tuple[Field, ...] = ()  # what is another one
    note: str = ""


def name_of(field: Field, newsletter: str = "") -> str:
    """A field's name in the form."""
    return f"{field}-{newsletter}" if newsletter else field.value


def read_form(
    filled: Mapping[str, Sequence[str]], before: Preferences, offer: Offer, *, now: datetime
) -> Preferences | tuple[Flaw, ...]:
    """What somebody asks for by the form, or what of it can't be taken.

    A subscription to what is no longer offered is not on the form, and stays. Where a newsletter offers no topics or
    rhythms, those chosen before stay too.
    """
    flaws: list[Flaw] = []
    wanted = filled.get(Field.NEWSLETTERS, ())
    begins = [name for name in wanted if before.choice(name) is None]
    if not set(wanted) <= set(offer.newsletters):
        flaws.append(Flaw(field=Field.NEWSLETTERS))
    elif begins and offer.closed:
        flaws.append(Flaw(field=Field.NEWSLETTERS, closed=True))
    choices = [one for one in before.choices if one.newsletter not in offer.newsletters]
    for name, newsletter in offer.newsletters.items():
        if name in wanted:
            choices.append(_choice(filled, newsletter, before.choice(name) or Choice(newsletter=name), flaws))
    zone = _one_of(filled, Field.ZONE, offer.zones, before.timezone, flaws)
    after = Preferences(
        choices=tuple(sorted(choices, key=lambda one: one.newsletter)),
        language=_one_of(filled, Field.LANGUAGE, offer.languages, before.language, flaws),
        timezone=zone,
        hour=_hour(filled, flaws),
        paused_until=_pause(filled, before, zone, now, flaws),
    )
    return tuple(flaws) or after


def differences(before: Preferences, after: Preferences) -> tuple[Difference, ...]:
    """What changes from one to the other; of what stays nothing is said."""
    found: list[Difference] = []
    for name in sorted({one.newsletter for one in (*before.choices, *after.choices)}):
        old, new = before.choice(name), after.choice(name)
        if new is None:
            found.append(Difference(newsletter=name, said=Said.ENDED))
        elif old is None:
            found.append(_difference(name, Said.CONFIRMED, {}, _told(new)))
        elif old != new:
            found.append(_difference(name, Said.CHANGED, _told(old), _told(new)))
    if (old_own := _own(before)) != (own := _own(after)):
        found.append(_difference("", Said.CHANGED, old_own, own))
    return tuple(found)


def write_form(chosen: Preferences, newsletters: Mapping[str, Newsletter], *, now: datetime) -> dict[str, list[str]]:
    """The form as it is filled in with these preferences: what `read_form` makes them of."""
    day = paused_day(chosen, now=now)
    filled: dict[str, list[str]] = {
        Field.NEWSLETTERS: [one.newsletter for one in chosen.choices if one.newsletter in newsletters],
        Field.LANGUAGE: [chosen.language],
        Field.ZONE: [chosen.timezone],
        Field.HOUR: ["" if chosen.hour is None else str(chosen.hour)],
        Field.PAUSE: [day.isoformat() if day else ""],
    }
    for name in newsletters:
        choice = chosen.choice(name) or Choice(newsletter=name)
        filled[name_of(Field.TOPICS, name)] = list(choice.topics)
        filled[name_of(Field.RHYTHM, name)] = [choice.rhythm.value]
    return filled


def paused_day(preferences: Preferences, *, now: datetime) -> date | None:
    """The day on which mail comes again, by the reader's own calendar; None while nothing is paused."""
    until = preferences.paused_until
    return until.astimezone(ZoneInfo(preferences.timezone)).date() if until is not None and until > now else None


def masked(address: str) -> str:
    """An address for whose it is, and nobody else: "d***@pembaca.example"."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain}"


def _choice(filled: Mapping[str, Sequence[str]], newsletter: Newsletter, before: Choice, flaws: list[Flaw]) -> Choice:
    topics, rhythm, name = before.topics, before.rhythm, newsletter.name
    if newsletter.topics:
        ticked = set(filled.get(name_of(Field.TOPICS, name), ()))
        if not ticked <= set(newsletter.topics):
            flaws.append(Flaw(field=Field.TOPICS, newsletter=name))
        topics = tuple(one for one in newsletter.topics if one in ticked)
        topics = () if topics == tuple(newsletter.topics) else topics  # all of it, whatever is added later
    offered = rhythms_of(newsletter)
    if len(offered) > 1:
        said = filled.get(name_of(Field.RHYTHM, name), (Rhythm.EACH,))
        if len(said) != 1 or said[0] not in offered:
            flaws.append(Flaw(field=Field.RHYTHM, newsletter=name))
        else:
            rhythm = Rhythm(said[0])
    return replace(before, topics=topics, rhythm=rhythm)


def _one_of(
    filled: Mapping[str, Sequence[str]], field: Field, offered: Collection[str], before: str, flaws: list[Flaw]
) -> str:
    """What was there before may stay, also where it isn't offered."""
    said = filled.get(field, ())
    if len(said) == 1 and (said[0] in offered or said[0] == before):
        return said[0]
    flaws.append(Flaw(field=field))
    return before


def _hour(filled: Mapping[str, Sequence[str]], flaws: list[Flaw]) -> int | None:
    said = filled.get(Field.HOUR, ())
    hours = {"": None, **{str(hour): hour for hour in HOURS}}
    if len(said) == 1 and said[0] in hours:
        return hours[said[0]]
    flaws.append(Flaw(field=Field.HOUR))
    return None


def _pause(
    filled: Mapping[str, Sequence[str]], before: Preferences, zone: str, now: datetime, flaws: list[Flaw]
) -> datetime | None:
    """From the beginning of that day on, by the reader's own calendar, mail comes again."""
    said = filled.get(Field.PAUSE, ())
    if list(said) == [""]:
        return None
    try:
        (written,) = said
        day = date.fromisoformat(written)
        until = datetime.combine(day, time(), ZoneInfo(zone)).astimezone(now.tzinfo)
    except (ValueError, OverflowError):
        flaws.append(Flaw(field=Field.PAUSE))
        return None
    if not now < until <= now + LONGEST_PAUSE:
        flaws.append(Flaw(field=Field.PAUSE))
    return before.paused_until if until == before.paused_until else until


def _difference(newsletter: str, said: Said, before: Mapping[Field, str], after: Mapping[Field, str]) -> Difference:
    other = tuple(field for field in after if after[field] != before.get(field))
    note = "; ".join(f"{field.value}: {after[field]}" for field in other)
    return Difference(newsletter=newsletter, said=said, fields=other, note=note[:_LONGEST_NOTE])


def _told(choice: Choice) -> Mapping[Field, str]:
    return {Field.TOPICS: ", ".join(choice.topics) or "all", Field.RHYTHM: choice.rhythm.value}


def _own(chosen: Preferences) -> Mapping[Field, str]:
    return {
        Field.LANGUAGE: chosen.language,
        Field.HOUR: "any" if chosen.hour is None else str(chosen.hour),
        Field.ZONE: chosen.timezone,
        Field.PAUSE: "none" if chosen.paused_until is None else chosen.paused_until.isoformat(),
    }
