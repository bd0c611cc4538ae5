"""How fast mail may go: so many in a span of time to a provider, to the mail domains behind it, and in a day.

What doesn't fit waits for a moment at which it may fit. A moment is no promise: it is asked again then, so nobody holds
a place that somebody else could use. Editions that go by the same channel share what there is.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import itemgetter

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND, _SECOND, _DAY = timedelta(microseconds=1), 1_000_000, 86_400_000_000  # the last two in microseconds
_SOON = 60 * _SECOND  # what has longer to wait is looked at again after half of it: others may be through by then


@dataclass(frozen=True, kw_only=True)
class Pace:
    """`number` in each span of `per`, evenly; what a second has room for may go at once."""

    number: int
    per: timedelta
    words: str = field(compare=False)  # as it was written: "20 / s"

    @property
    def span(self) -> int:
        """Microseconds for each."""
        return max(1, self.per // _MICROSECOND // self.number)

    @property
    def at_once(self) -> int:
        """How many may go together after a silence."""
        return max(1, _SECOND // self.span)


@dataclass(frozen=True)
class Allowance:
    """A span of time that fills up: each mail takes `span` of it, from `begins` on, and never goes past `ends`.

    In microseconds since 1970. One number is kept of it: up to where it is filled.
    """

    name: str
    words: str  # what it is, for people
    span: int
    begins: int
    ends: int
    shared: bool  # evenly between editions; else the first take it
    opens: int = 0  # what isn't shared: in how many microseconds there is a new one

    def room(self, filled: int) -> int:
        """How many fit in."""
        return max(0, (self.ends - max(filled, self.begins)) // self.span)

    def share(self, sharers: int) -> int:
        """How many one of them may take at once."""
        whole = self.room(0)
        return -(-whole // sharers) if self.shared else whole

    def after(self, filled: int, taken: int) -> int:
        """Up to where it is filled with so many more."""
        return max(filled, self.begins) + taken * self.span


@dataclass(frozen=True, kw_only=True)
class Pacing:
    """What a channel may do."""

    rate: Pace | None = None
    daily: int | None = None  # mails in a day of UTC
    domains: Mapping[str, Pace] = field(default_factory=dict)
    others: Pace | None = None  # for each domain that isn't named

    def allowances(self, domain: str, *, now: datetime) -> tuple[Allowance, ...]:
        """All that a mail to this domain takes something of."""
        moment = (now - _EPOCH) // _MICROSECOND
        found = [_paced("", self.rate, moment)] if self.rate else []
        if self.daily:
            # A day later than it is, so that the number lies ahead as long as it counts: what lies behind is forgotten.
            begins = moment // _DAY * _DAY + _DAY
            span = -(-_DAY // self.daily)
            words = f"{self.daily:,} a day"
            found.append(Allowance("day", words, span, begins, begins + _DAY, shared=False, opens=begins - moment))
        if pace := self.domains.get(domain, self.others):
            found.append(_paced(f"@{domain}", pace, moment))
        return tuple(found)


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Not now."""

    until: datetime
    why: str


@dataclass(frozen=True, kw_only=True)
class Allotment:
    """Who may be sent to now, who waits, and how full that leaves the allowances."""

    going: frozenset[int]
    waiting: Mapping[int, Wait]
    filled: Mapping[str, int]


def names_of(wanted: Sequence[tuple[int, str]], pacing: Pacing, *, now: datetime) -> list[str]:
    """The allowances that these mails would take something of, in the order in which they are to be locked."""
    domains = {domain for _, domain in wanted}
    return sorted({one.name for domain in domains for one in pacing.allowances(domain, now=now)})


def allot(
    wanted: Sequence[tuple[int, str]],
    pacing: Pacing,
    filled: Mapping[str, int],
    *,
    now: datetime,
    sharers: int,
    ahead: int,
) -> Allotment:
    """Shares out what there is now among (delivery, domain), in their order.

    `sharers`: editions that go by this channel, at least 1. `ahead`: mails of the same edition that come before these.
    """
    by_domain = {domain: pacing.allowances(domain, now=now) for domain in {domain for _, domain in wanted}}
    asked = Counter(one.name for _, domain in wanted for one in by_domain[domain])
    rooms = {
        one.name: min(one.room(filled.get(one.name, 0)), one.share(sharers))
        for allowances in by_domain.values()
        for one in allowances
    }
    taken, turned_away, waiting = Counter[str](), Counter[str](), dict[int, Wait]()
    going = []
    for delivery, domain in wanted:
        spent = [one for one in by_domain[domain] if taken[one.name] >= rooms[one.name]]
        if not spent:
            going.append(delivery)
            taken.update(one.name for one in by_domain[domain])
            continue
        turned_away.update(one.name for one in spent)
        waits = [_wait(one, ahead * asked[one.name] // len(wanted) + turned_away[one.name], sharers) for one in spent]
        longest, one = max(zip(waits, spent, strict=True), key=itemgetter(0))
        waiting[delivery] = Wait(until=_later(now, longest, halved=one.shared), why=one.words)
    allowances = {one.name: one for several in by_domain.values() for one in several}
    full = {name: allowances[name].after(filled.get(name, 0), number) for name, number in taken.items()}
    return Allotment(going=frozenset(going), waiting=waiting, filled=full)


def _paced(name: str, pace: Pace, moment: int) -> Allowance:
    words = f"{pace.words} to {name[1:]}" if name else pace.words
    return Allowance(name, words, pace.span, moment, moment + pace.at_once * pace.span, shared=True)


def _wait(allowance: Allowance, place: int, sharers: int) -> int:
    """Microseconds until the one in this place may have room."""
    return place * allowance.span * sharers if allowance.shared else allowance.opens


def _later(now: datetime, micros: int, *, halved: bool) -> datetime:
    """On a whole second, so that those who come back come back together."""
    if halved and micros > _SOON:
        micros = max(_SOON, micros // 2)
    return (now + timedelta(microseconds=max(micros, _SECOND) + _SECOND)).replace(microsecond=0)
