"""Addresses that must not be written to: which reason outweighs which, and who may lift what (email.md §5.3).

Whoever left, was forgotten or couldn't be reached comes back by their own confirmation. A complaint is never lifted
silently: an operator has to look first, and then the reader has to confirm anew.
"""

from syndicate.domain.receipt import Suppressed

LIFTED = "lifted"  # in the journal: from here on the address may be written to again
REOPENED = "complaint_reopened"  # an operator looked at the complaint: the reader's own confirmation lifts it now
UNSUBSCRIBED = "unsubscribed"  # from everything
_BY_READER = frozenset(
    {UNSUBSCRIBED, Suppressed.ERASED.value, Suppressed.HARD_BOUNCE.value, Suppressed.SUSPENDED.value, REOPENED}
)
_BY_READER_ONLY = frozenset({Suppressed.ERASED.value, REOPENED})


def opens_to_reader(reason: str) -> bool:
    """True where the reader's own confirmation lifts it: a request to sign up is answered with the mail that asks."""
    return reason in _BY_READER


def only_by_reader(reason: str) -> bool:
    """True where nobody but the reader can lift it."""
    return reason in _BY_READER_ONLY


def outweighs(reason: str, held: str) -> bool:
    """True where a new reason takes the place of the one that is there; else the first one stays.

    What is harder to lift must not hide behind what is easier.
    """
    if reason == Suppressed.COMPLAINT.value:
        return held != reason
    return reason == Suppressed.ERASED.value and held not in (reason, Suppressed.COMPLAINT.value, REOPENED)
