"""When a domain is left alone: for what is said of us, and never for what is said of readers."""

import pytest

from syndicate.domain.breaker import LEAST, Breaker, domain_of, is_policy
from syndicate.domain.delivery import ACCEPTED, Outcome, OutcomeKind
from tests.factories import DEFERRED, REFUSED, UNCERTAIN

POLICY = Outcome(kind=OutcomeKind.REFUSED, code="550 5.7.26", text="unauthenticated")


@pytest.mark.parametrize("code", ["550 5.7.1", "550 5.7.26", "550 5.7.515", "554 5.7.0"])
def test_a_no_about_policy_is_about_us(code: str) -> None:
    assert is_policy(Outcome(kind=OutcomeKind.REFUSED, code=code))


@pytest.mark.parametrize(
    "outcome",
    [
        ACCEPTED,
        UNCERTAIN,
        DEFERRED,
        REFUSED,
        Outcome(kind=OutcomeKind.DEFERRED, code="550 5.7.1"),
        Outcome(kind=OutcomeKind.REFUSED, code="550"),
        Outcome(kind=OutcomeKind.REFUSED, code="552 5.2.2"),
        Outcome(kind=OutcomeKind.REFUSED, code="550 15.7.1"),
    ],
)
def test_whatever_else_is_said_is_not(outcome: Outcome) -> None:
    assert not is_policy(outcome)


def test_more_than_two_in_a_hundred_trip() -> None:
    breaker = Breaker()
    said = [breaker.count(1, "x.test", ACCEPTED) for _ in range(147)]
    said += [breaker.count(1, "x.test", POLICY) for _ in range(3)]  # 3 of 150 are 2 %, and no more
    assert not any(said)

    why = breaker.count(1, "x.test", POLICY)

    assert why == "4 of 151 mails to x.test were refused for what we are: 550 5.7.26 unauthenticated"


def test_one_or_two_refusals_are_the_readers_own_filters() -> None:
    breaker = Breaker()

    assert [bool(breaker.count(1, "x.test", POLICY)) for _ in range(LEAST)] == [False] * (LEAST - 1) + [True]


def test_editions_and_domains_are_counted_apart_and_anew_after_a_trip() -> None:
    breaker = Breaker()
    said = [breaker.count(edition, domain, POLICY) for edition in (1, 2) for domain in ("a.test", "b.test")] * 2
    tripped = [bool(breaker.count(3, "a.test", POLICY)) for _ in range(2 * LEAST)]

    assert not any(said)
    assert tripped == ([False] * (LEAST - 1) + [True]) * 2


def test_a_domain_is_the_same_however_it_is_written() -> None:
    assert domain_of("Dewi@Pembaca.Example") == "pembaca.example"
