"""Deliveries and pushes: the states one thing to one recipient goes through, and the only way from one to another.

`due → claimed → sending → accepted | deferred | refused | uncertain`, or `excluded` with a reason. The mark `sending`
is on disk before the first byte is on the wire, so after a crash everything that might have gone out is `sending`.
That becomes `uncertain` and is never silently sent again. *Accepted is not delivered. Uncertain is not failed.*
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class State(StrEnum):
    """Where a delivery stands in the ledger."""

    DUE = "due"  # nobody has touched it
    CLAIMED = "claimed"  # a worker holds it; nothing has left the house
    SENDING = "sending"  # may be on the wire
    ACCEPTED = "accepted"  # the channel took it over
    DEFERRED = "deferred"  # not now; `not_before` says when
    REFUSED = "refused"  # the channel said no for good
    UNCERTAIN = "uncertain"  # may or may not have been taken over
    EXCLUDED = "excluded"  # decided not to send; `reason` says why


class Happening(StrEnum):
    """What can happen to a delivery."""

    CLAIM = "claim"  # a worker takes it
    RELEASE = "release"  # the worker is gone or gives it back; nothing was sent
    MARK = "mark"  # the last check passed; the wire is next
    EXCLUDE = "exclude"  # unsubscribed, suppressed, cancelled …; nothing is on the wire
    ACCEPT = "accept"
    DEFER = "defer"
    REFUSE = "refuse"
    DOUBT = "doubt"  # the reply was lost, or we crashed with it on the wire
    PROVE_SENT = "prove_sent"  # evidence that it was taken over
    PROVE_UNSENT = "prove_unsent"  # evidence that it was not
    RETRY = "retry"  # the operator's word


class Exclusion(StrEnum):
    """Why a candidate did not get it."""

    UNSUBSCRIBED = "unsubscribed"
    SUPPRESSED = "suppressed"
    ERASED = "erased"
    CANCELLED = "cancelled"
    PAUSED = "paused"  # the reader wants nothing for a while
    NOTHING_FOR_THEM = "nothing_for_them"  # no story of the topics that the reader chose
    ALREADY_SENT = "already_sent"  # earlier editions brought the reader all of it
    ENOUGH_TODAY = "enough_today"  # as much breaking news as a reader gets in a day
    SUPERSEDED = "superseded"  # pushes: a newer version goes instead
    ENDPOINT_DISABLED = "endpoint_disabled"  # pushes: the partner's address answered 410


STEPS: Mapping[tuple[State, Happening], State] = {
    (State.DUE, Happening.CLAIM): State.CLAIMED,
    (State.DUE, Happening.EXCLUDE): State.EXCLUDED,
    (State.CLAIMED, Happening.RELEASE): State.DUE,
    (State.CLAIMED, Happening.MARK): State.SENDING,
    (State.CLAIMED, Happening.EXCLUDE): State.EXCLUDED,
    (State.SENDING, Happening.ACCEPT): State.ACCEPTED,
    (State.SENDING, Happening.DEFER): State.DEFERRED,
    (State.SENDING, Happening.REFUSE): State.REFUSED,
    (State.SENDING, Happening.DOUBT): State.UNCERTAIN,
    (State.SENDING, Happening.EXCLUDE): State.EXCLUDED,
    (State.DEFERRED, Happening.CLAIM): State.CLAIMED,
    (State.DEFERRED, Happening.EXCLUDE): State.EXCLUDED,
    (State.DEFERRED, Happening.REFUSE): State.REFUSED,
    (State.UNCERTAIN, Happening.PROVE_SENT): State.ACCEPTED,
    (State.UNCERTAIN, Happening.PROVE_UNSENT): State.DUE,
    (State.UNCERTAIN, Happening.RETRY): State.DUE,
    (State.REFUSED, Happening.RETRY): State.DUE,
}


class OutcomeKind(StrEnum):
    """What the channel said at once."""

    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The channel's answer for one delivery. `text` is for people: what the other side said, without secrets."""

    kind: OutcomeKind
    code: str = ""  # "250 2.0.0", "HTTP 503", "timeout"
    text: str = ""
    retry_after: timedelta | None = None
    provider_ref: str = ""
    gone: bool = False  # pushes: 410, the endpoint is no more
    doubtful: bool = False  # pushes: deferred, but it may have arrived (the answer was lost)


ACCEPTED = Outcome(kind=OutcomeKind.ACCEPTED)
_HAPPENS: Mapping[OutcomeKind, Happening] = {
    OutcomeKind.ACCEPTED: Happening.ACCEPT,
    OutcomeKind.DEFERRED: Happening.DEFER,
    OutcomeKind.REFUSED: Happening.REFUSE,
    OutcomeKind.UNCERTAIN: Happening.DOUBT,
}


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One row of the ledger, as far as decisions need it."""

    state: State
    attempt: int = 0
    first_due: datetime
    not_before: datetime | None = None
    code: str = ""
    text: str = ""
    provider_ref: str = ""


class IllegalStep(Exception):
    """A bug: the ledger was asked for a step that the table doesn't have."""


def step(state: State, happening: Happening) -> State:
    """The state after `happening`. Raises IllegalStep where the table has no such step."""
    try:
        return STEPS[state, happening]
    except KeyError:
        raise IllegalStep(f"a delivery that is {state} can't {happening}") from None


def origins(happening: Happening) -> tuple[State, ...]:
    """The states from which `happening` is possible: what set-based SQL puts into its WHERE."""
    return tuple(state for state, what in STEPS if what is happening)


def advance(standing: Standing, outcome: Outcome, *, again_at: datetime | None) -> Standing:
    """The row after the channel's answer.

    `again_at` is when retry.py would try again after a deferral. None: it gives up, so the deferral is a refusal with
    the code `expired`.
    """
    happening = _HAPPENS[outcome.kind]
    expired = happening is Happening.DEFER and again_at is None
    if expired:
        happening = Happening.REFUSE
    return Standing(
        state=step(standing.state, happening),
        attempt=standing.attempt + 1,
        first_due=standing.first_due,
        not_before=again_at if happening is Happening.DEFER else None,
        code="expired" if expired else outcome.code,
        text=outcome.text,
        provider_ref=outcome.provider_ref,
    )
