"""Receipts: what the world says of a mail after the channel took it over, and what follows for its reader.

A report counts only with a token of ours, and a bounce only with an empty sender too (RFC 3464 §2): anybody can write
a mail that looks like one, and would unsubscribe others with it. "No" is not one thing: a mailbox that isn't there is
the person's matter, a full one passes, and a refusal of our reputation is ours.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from syndicate.domain.audience import normal_address
from syndicate.domain.delivery import State
from syndicate.errors import AddressProblem


class Verdict(StrEnum):
    """What a report says."""

    DELIVERED = "delivered"
    DELAYED = "delayed"  # they go on trying: no bounce
    POLICY = "policy"  # not from us, or not like this: reputation, authentication, content rules
    FULL = "full"
    SOFT = "soft"  # any other failure
    HARD = "hard"  # there is no such mailbox
    COMPLAINT = "complaint"
    LEAVE = "leave"  # a mail to the address in List-Unsubscribe
    OTHER = "other"  # vacation, a person's answer, read notices: nothing follows
    UNPROVEN = "unproven"  # speaks of a mail of ours and can't show a token, or of one we never sent
    UNCLEAR = "unclear"  # came to a bounce address with an empty sender, and nobody understands it


class Receipt(StrEnum):
    """What stands in the ledger beside the state; `accepted` mails only."""

    DELIVERED = "delivered"
    BOUNCED = "bounced"
    COMPLAINED = "complained"


class Suppressed(StrEnum):
    """Why an address isn't written to, where a receipt or its owner is the reason."""

    HARD_BOUNCE = "hard_bounce"
    COMPLAINT = "complaint"
    SUSPENDED = "suspended"  # for a time
    ERASED = "erased"  # its owner wants to be forgotten


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What a report says of one recipient (RFC 3464 §2.3), or what was made out of one without form."""

    action: str  # failed, delayed, delivered, relayed, expanded
    status: str = ""  # "5.1.1" (RFC 3463)
    text: str = ""  # what the other side said
    recipients: tuple[str, ...] = ()  # whom it is about, as it is called there, before and after it was passed on


@dataclass(frozen=True, kw_only=True)
class Report:
    """A mail as the jail has read it. Nothing in it is believed before its token was checked."""

    null_sender: bool = False
    form: str = ""  # of a multipart/report: "delivery-status", "feedback-report" …
    automatic: bool = False  # a machine's answer that tells of no failure: vacation, read notices
    notices: tuple[Notice, ...] = ()
    feedback: str = ""  # Feedback-Type of RFC 5965 §3.1
    bounce_tokens: tuple[str, ...] = ()  # of the addresses it was sent to
    leave_tokens: tuple[str, ...] = ()
    quoted_bounce_tokens: tuple[str, ...] = ()  # of the mail that it is about
    quoted_leave_tokens: tuple[str, ...] = ()
    leaves: bool = False  # a provider took the recipient's word that they don't want it any more


@dataclass(frozen=True, kw_only=True)
class Trace:
    """One mail to a person, as far as it tells whether they can be reached."""

    at: datetime  # when the channel had its say
    state: State
    code: str = ""  # of an SMTP reply: "550 5.1.1"
    text: str = ""
    receipt: Receipt | None = None
    verdict: Verdict | None = None  # of its bounce


class Step(StrEnum):
    """What a person's bounces lead to."""

    NONE = "none"
    SUPPRESS = "suppress"
    SUSPEND = "suspend"


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The step, and for a suspension how long it lasts: then one more mail is tried."""

    step: Step
    lasts: timedelta = timedelta(0)


FAILURES = (Verdict.POLICY, Verdict.FULL, Verdict.SOFT, Verdict.HARD)  # from the kindest to the worst
PROVEN = (State.ACCEPTED, State.UNCERTAIN)  # states of which a report can be true
DAY = timedelta(hours=20)  # mails so far apart are of two days, in whichever zone; a daily one may be early or late
SOFT_DAYS, SOFT_SPAN = 5, timedelta(days=14)  # days with a failure, from the first failure to the last
_FIRST_PROBE, _LATER_PROBE = timedelta(days=30), timedelta(days=90)
_LONG = timedelta(days=45)  # failing for longer than this, a person was suspended before

_HARD = frozenset({"1.1", "1.2", "1.3", "1.6", "1.10", "2.1"})  # of RFC 3463 and 7505, behind the class
_POLICY = "7."
_FULL = "2.2"
_UNSAID = re.compile(r"[245]\.0\.0|")  # what Exim and qmail write for everything
_STATUS = re.compile(r"(?<![\d.])[45]\.\d{1,3}\.\d{1,3}(?![\d.])")
# For those who give no status; judged in this order. A word too few makes a failure soft, which harms nobody.
_WORDS: Sequence[tuple[Verdict, re.Pattern[str]]] = (
    (Verdict.FULL, re.compile(r"(?i)over ?quota|quota exceeded|exceeded .{0,20}quota|mailbox (?:is )?full|penuh")),
    (Verdict.POLICY, re.compile(r"(?i)spam|block(?:ed|list)|blacklist|reputation|policy|dmarc|\bspf\b|dkim")),
    (
        Verdict.HARD,
        re.compile(
            r"(?i)user unknown|unknown user|no such (?:user|mailbox|recipient|address)|user (?:does not|doesn't) exist|"
            r"no mailbox here|address does not exist|recipient (?:not found|unknown)|unknown (?:recipient|address)"
        ),
    ),
)
_KIND = (Verdict.DELIVERED, Verdict.DELAYED, *FAILURES)
_ACTIONS: Mapping[str, Verdict] = {"delivered": Verdict.DELIVERED, "delayed": Verdict.DELAYED}
_COMPLAINTS = frozenset({"abuse", "fraud"})  # not: not-spam, auth-failure, virus, other
_RECEIPTS: Mapping[Verdict, Receipt] = {
    Verdict.DELIVERED: Receipt.DELIVERED,
    Verdict.COMPLAINT: Receipt.COMPLAINED,
    **dict.fromkeys(FAILURES, Receipt.BOUNCED),
}
_RANKS: Mapping[Receipt | None, int] = {None: 0, Receipt.DELIVERED: 1, Receipt.BOUNCED: 2, Receipt.COMPLAINED: 3}


def verdict_of(report: Report, *, proven: bool, leaving: bool, address: str = "") -> Verdict:
    """What a report says. `proven`: it shows what only the mail's envelope bears; `leaving`: an unsubscribe token;
    `address`: whom the mail went to.

    The token to unsubscribe stands in a mail's text too: whoever it was passed on to can do what a click does, and no
    more.
    """
    if report.feedback:
        if report.feedback not in _COMPLAINTS:
            return Verdict.OTHER
        return Verdict.COMPLAINT if proven else Verdict.LEAVE if leaving else Verdict.UNPROVEN
    if leaving and not (report.null_sender or report.form or report.automatic):
        return Verdict.LEAVE
    speaks = bool(report.notices)
    if not proven or not report.null_sender:
        return Verdict.UNPROVEN if speaks else Verdict.OTHER
    if speaks:
        return kindest(report.notices, address)
    return Verdict.OTHER if report.automatic else Verdict.UNCLEAR


def kindest(notices: Sequence[Notice], address: str) -> Verdict:
    """Of several notices those about this address count, if there are any.

    Else the address leads to other mailboxes: what is worse for the reader must be true of all of them, and that one
    of them is gone doesn't say that the address is (T38). A mail that was only passed on (relayed, expanded) says
    nothing yet.
    """
    about = [notice for notice in notices if names(notice, address)]
    verdicts = {verdict for notice in about or notices if (verdict := _classified(notice)) is not None}
    verdict = next((verdict for verdict in _KIND if verdict in verdicts), Verdict.OTHER)
    return Verdict.SOFT if verdict is Verdict.HARD and not about else verdict


def names(notice: Notice, address: str) -> bool:
    """True where a notice is about this address, however it is capitalised and its domain is written."""
    return any(_same(recipient) == address.casefold() for recipient in notice.recipients)


def _same(recipient: str) -> str:
    try:
        return normal_address(recipient).casefold()
    except AddressProblem:
        return recipient.casefold()


def failure_of(status: str, text: str) -> Verdict:
    """Which kind of failure: by the status, where it says more than "failed", else by the one in the text, else by
    words."""
    if _UNSAID.fullmatch(status):
        hit = _STATUS.search(text)
        status = hit[0] if hit and not _UNSAID.fullmatch(hit[0]) else ""
    if not status:
        return next((verdict for verdict, words in _WORDS if words.search(text)), Verdict.SOFT)
    kind, detail = status[0], status[2:]
    if detail.startswith(_POLICY):
        return Verdict.POLICY
    if detail == _FULL:
        return Verdict.FULL
    return Verdict.HARD if kind == "5" and detail in _HARD else Verdict.SOFT


def receipt_of(verdict: Verdict, before: Receipt | None) -> Receipt | None:
    """What stands in the ledger after a report, in whichever order reports come: the weightier stays."""
    return max(before, _RECEIPTS.get(verdict), key=_RANKS.__getitem__)


def judge(traces: Sequence[Trace]) -> Judgement:
    """What a person's mails of late lead to. Days are those of the mails, so the order of reports doesn't matter.

    A day is what lies 20 hours behind the one before it, so no midnight counts and no time zone either.
    No such mailbox, said by our relay and by a bounce, or on two days: suppressed. Failures of any kind on 5 days over
    14: suspended for 30 days, then for 90. A mail that arrived, or was taken over before the last one that failed and
    didn't come back, ends what was before it.
    """
    failing: list[tuple[Trace, Verdict]] = []
    for trace in sorted(traces, key=lambda one: one.at, reverse=True):
        if (failure := _failure(trace)) is not None:
            failing.append((trace, failure))
        elif _arrived(trace) and (failing or trace.receipt is Receipt.DELIVERED):
            break
    hard = [trace for trace, failure in failing if failure is Verdict.HARD]
    if len({trace.state for trace in hard}) > 1 or _days(hard) > 1:
        return Judgement(step=Step.SUPPRESS)
    failed = [trace for trace, _ in failing]
    if _days(failed) >= SOFT_DAYS and (span := failed[0].at - failed[-1].at) >= SOFT_SPAN:
        return Judgement(step=Step.SUSPEND, lasts=_FIRST_PROBE if span < _LONG else _LATER_PROBE)
    return Judgement(step=Step.NONE)


def _classified(notice: Notice) -> Verdict | None:
    action = notice.action.lower()
    return failure_of(notice.status, notice.text) if action == "failed" else _ACTIONS.get(action)


def _failure(trace: Trace) -> Verdict | None:
    """A refusal without an SMTP code (expired, an unfit address) says nothing of the person's mailbox."""
    if trace.state is State.REFUSED and trace.code[:1] == "5":
        return failure_of(trace.code.partition(" ")[2], trace.text)
    return trace.verdict if trace.receipt is Receipt.BOUNCED and trace.verdict in FAILURES else None


def _arrived(trace: Trace) -> bool:
    return trace.state is State.ACCEPTED and trace.receipt is not Receipt.BOUNCED


def _days(traces: Sequence[Trace]) -> int:
    """How many days; the newest trace comes first."""
    days, last = 0, None
    for trace in traces:
        if last is None or last - trace.at >= DAY:
            days, last = days + 1, trace.at
    return days
