"""When to try again, and when to give up: waits that grow, spread out so that not everybody comes back at once.

The last try comes when 72 h are over and not before, so whoever was away for less loses nothing.
"""

from datetime import datetime, timedelta

PATIENCE = timedelta(hours=72)  # from when a delivery was first due to its last try
_PUSH_WAITS = (10, 60, 300, 1800, 7200)  # seconds after the 1st … 5th failure; then 6 h each
_PUSH_LATER = 6 * 3600  # seconds
_MAIL_FIRST, _MAIL_LONGEST = 60, 4 * 3600  # seconds
RETRY_AFTER_CAP = timedelta(hours=24)
_JITTER = 0.2


def next_push(
    attempt: int, *, first_due: datetime, now: datetime, retry_after: timedelta | None, chance: float
) -> datetime | None:
    """When to push again after failure number `attempt` (from 1), which came at `now`; None: give up.

    `chance` is in [0, 1) and spreads by ±20 %.
    """
    wait = _PUSH_WAITS[attempt - 1] if attempt <= len(_PUSH_WAITS) else _PUSH_LATER
    return _again(first_due, now, _wait(wait, retry_after, chance))


def next_mail(
    attempt: int, *, first_due: datetime, now: datetime, retry_after: timedelta | None, chance: float
) -> datetime | None:
    """When to mail again after deferral number `attempt` (from 1), as `next_push`: one minute doubling up to 4 h."""
    wait = min(_MAIL_FIRST * 2 ** min(attempt - 1, 20), _MAIL_LONGEST)
    return _again(first_due, now, _wait(wait, retry_after, chance))


def _again(first_due: datetime, now: datetime, wait: timedelta) -> datetime | None:
    last = first_due + PATIENCE
    return min(now + wait, last) if now < last else None


def _wait(seconds: float, retry_after: timedelta | None, chance: float) -> timedelta:
    own = timedelta(seconds=seconds * (1 - _JITTER + 2 * _JITTER * chance))
    asked = min(retry_after, RETRY_AFTER_CAP) if retry_after else timedelta(0)
    return max(own, asked)
