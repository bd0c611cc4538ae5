"""When to try again: patience that grows, spread out so that not everybody comes back at once."""

from datetime import datetime, timedelta

from syndicate.domain.delivery import PATIENCE

_PUSH_WAITS = (10, 60, 300, 1800, 7200)  # seconds after the 1st … 5th failure; then 6 h each
_PUSH_LATER = 6 * 3600  # seconds
_MAIL_FIRST, _MAIL_LONGEST = 60, 4 * 3600  # seconds
RETRY_AFTER_CAP = timedelta(hours=24)
_JITTER = 0.2


def next_push(attempt: int, *, now: datetime, retry_after: timedelta | None, chance: float) -> datetime:
    """When to push again after failure number `attempt` (from 1). `chance` is in [0, 1) and spreads by ±20 %."""
    wait = _PUSH_WAITS[attempt - 1] if attempt <= len(_PUSH_WAITS) else _PUSH_LATER
    return now + _wait(wait, retry_after, chance)


def next_mail(attempt: int, *, now: datetime, retry_after: timedelta | None, chance: float) -> datetime:
    """When to mail again after deferral number `attempt` (from 1): one minute doubling up to four hours, ±20 %."""
    wait = min(_MAIL_FIRST * 2 ** min(attempt - 1, 20), _MAIL_LONGEST)
    return now + _wait(wait, retry_after, chance)


def given_up(first_due: datetime, again_at: datetime) -> bool:
    """True when another try would come after 72 h."""
    return again_at - first_due > PATIENCE


def _wait(seconds: float, retry_after: timedelta | None, chance: float) -> timedelta:
    own = timedelta(seconds=seconds * (1 - _JITTER + 2 * _JITTER * chance))
    asked = min(retry_after, RETRY_AFTER_CAP) if retry_after else timedelta(0)
    return max(own, asked)
