"""What a bounce is worth, and what a person's bounces lead to (email.md §4)."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations

import pytest

from syndicate.domain.delivery import State
from syndicate.domain.receipt import (
    Judgement,
    Notice,
    Receipt,
    Step,
    Trace,
    Verdict,
    failure_of,
    judge,
    kindest,
    receipt_of,
)
from tests.factories import NOW

THIRTY, NINETY = timedelta(days=30), timedelta(days=90)


def bounced(day: float, verdict: Verdict) -> Trace:
    return Trace(at=NOW + timedelta(days=day), state=State.ACCEPTED, receipt=Receipt.BOUNCED, verdict=verdict)


def refused(day: float, code: str, text: str = "") -> Trace:
    return Trace(at=NOW + timedelta(days=day), state=State.REFUSED, code=code, text=text)


def arrived(day: float, receipt: Receipt | None = None) -> Trace:
    return Trace(at=NOW + timedelta(days=day), state=State.ACCEPTED, receipt=receipt)


def soft(*days: float, verdict: Verdict = Verdict.SOFT) -> list[Trace]:
    return [bounced(day, verdict) for day in days]


@pytest.mark.parametrize("status", ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"])
def test_a_mailbox_that_is_not_there_is_hard(status: str) -> None:
    assert failure_of(status, "spam, quota, whatever") is Verdict.HARD


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("5.2.2", Verdict.FULL),
        ("4.2.2", Verdict.FULL),
        ("5.7.1", Verdict.POLICY),
        ("5.7.26", Verdict.POLICY),
        ("4.7.0", Verdict.POLICY),
        ("5.3.4", Verdict.SOFT),
        ("5.4.1", Verdict.SOFT),
        ("5.1.0", Verdict.SOFT),
        ("5.1.8", Verdict.SOFT),
        ("5.6.0", Verdict.SOFT),
        ("4.1.1", Verdict.SOFT),
        ("4.4.7", Verdict.SOFT),
    ],
)
def test_any_other_status_never_counts_as_hard(status: str, verdict: Verdict) -> None:
    assert failure_of(status, "550 user unknown") is verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("550 5.1.1 weg", Verdict.HARD),
        ("(#5.1.1)", Verdict.HARD),
        ("550 No Such User Here", Verdict.HARD),
        ("550 5.7.1 user unknown", Verdict.POLICY),
        ("554 blocked using zen.dnsbl.test", Verdict.POLICY),
        ("mailbox is full", Verdict.FULL),
        ("kotak surat penuh", Verdict.FULL),
        ("host 10.5.1.1 said: 550 no", Verdict.SOFT),
        ("550 mailbox unavailable", Verdict.SOFT),
        ("", Verdict.SOFT),
    ],
)
@pytest.mark.parametrize("status", ["", "5.0.0"])
def test_a_status_that_says_nothing_gives_way_to_the_text(status: str, text: str, verdict: Verdict) -> None:
    assert failure_of(status, text) is verdict


def test_of_several_mailboxes_behind_one_address_the_kindest_counts() -> None:
    gone, full = Notice(action="failed", status="5.1.1"), Notice(action="failed", status="5.2.2")
    there, passed_on = Notice(action="delivered"), Notice(action="relayed")

    mixtures: tuple[list[Notice], ...] = ([gone, full], [gone, there], [gone, passed_on], [gone], [passed_on], [])
    assert [kindest(some, "dewi@pembaca.example") for some in mixtures] == [
        Verdict.FULL,
        Verdict.DELIVERED,
        Verdict.SOFT,
        Verdict.SOFT,
        Verdict.OTHER,
        Verdict.OTHER,
    ]


def test_reports_may_come_in_any_order() -> None:
    said = (Verdict.DELIVERED, Verdict.HARD, Verdict.COMPLAINT, Verdict.DELAYED, Verdict.OTHER)
    for order in permutations(said):
        receipt = None
        for verdict in order:
            receipt = receipt_of(verdict, receipt)
        assert receipt is Receipt.COMPLAINED
    assert receipt_of(Verdict.DELAYED, None) is None


def test_one_hard_bounce_alone_suppresses_nobody() -> None:
    assert judge([bounced(0, Verdict.HARD)]).step is Step.NONE
    assert judge([refused(0, "550 5.1.1")]).step is Step.NONE
    assert judge([bounced(0, Verdict.HARD), bounced(0.1, Verdict.HARD)]).step is Step.NONE


def test_a_hard_bounce_counts_at_once_where_the_relay_said_so_too() -> None:
    assert judge([refused(0, "550 5.1.1"), bounced(0.1, Verdict.HARD)]).step is Step.SUPPRESS


@pytest.mark.parametrize(("hours", "step"), [(2, Step.NONE), (19.9, Step.NONE), (20, Step.SUPPRESS)])
@pytest.mark.parametrize("begin", [NOW.replace(hour=hour) for hour in (0, 16, 23)])
def test_another_day_lies_twenty_hours_away_whatever_the_midnights_between(
    begin: datetime, hours: float, step: Step
) -> None:
    first = replace(bounced(0, Verdict.HARD), at=begin)

    assert judge([first, replace(first, at=begin + timedelta(hours=hours))]).step is step


def test_a_hard_bounce_on_another_day_suppresses() -> None:
    assert judge([bounced(0, Verdict.HARD), bounced(1, Verdict.HARD)]).step is Step.SUPPRESS
    assert judge([refused(0, "550 5.1.1"), refused(1, "550", "user unknown")]).step is Step.SUPPRESS


@pytest.mark.parametrize("verdict", [Verdict.SOFT, Verdict.FULL, Verdict.POLICY])
def test_what_is_not_hard_never_suppresses_and_suspends_after_five_days_over_fourteen(verdict: Verdict) -> None:
    assert judge(soft(0, 4, 8, 11, 13, verdict=verdict)).step is Step.NONE
    assert judge(soft(0, 0.1, 0.2, 0.3, 14, verdict=verdict)).step is Step.NONE
    assert judge(soft(0, 4, 8, 11, 14, verdict=verdict)) == Judgement(step=Step.SUSPEND, lasts=THIRTY)


def test_who_still_fails_after_a_suspension_waits_longer() -> None:
    assert judge(soft(0, 4, 8, 11, 14, 45)) == Judgement(step=Step.SUSPEND, lasts=NINETY)


def test_a_mail_that_arrived_begins_the_count_anew() -> None:
    failing = soft(0, 4, 8, 11, 14)
    assert judge([*failing, arrived(13)]).step is Step.NONE
    assert judge([*failing, arrived(15, Receipt.DELIVERED)]).step is Step.NONE
    assert judge([*failing, arrived(13, Receipt.COMPLAINED)]).step is Step.NONE
    assert judge([bounced(0, Verdict.HARD), arrived(1), bounced(2, Verdict.HARD)]).step is Step.NONE


def test_a_mail_that_only_just_left_proves_nothing() -> None:
    assert judge([*soft(0, 4, 8, 11, 14), arrived(15)]).step is Step.SUSPEND


def test_the_order_in_which_bounces_come_does_not_matter() -> None:
    traces = [*soft(0, 4, 8, 11, 14), arrived(-1)]
    assert {judge(order).step for order in permutations(traces)} == {Step.SUSPEND}


@pytest.mark.parametrize("code", ["expired", "address", "", "451 4.2.2"])
def test_a_refusal_that_is_not_the_mailbox_s_word_counts_for_nothing(code: str) -> None:
    traces = [refused(day, code, "user unknown") for day in (0, 4, 8, 11, 14)]

    assert judge(traces).step is Step.NONE


def test_a_doubt_is_no_arrival() -> None:
    doubt = replace(arrived(13), state=State.UNCERTAIN)

    assert judge([*soft(0, 4, 8, 11, 14), doubt]).step is Step.SUSPEND
