"""Keeps us a welcome guest of the newsrooms: one connection per host, a pause after each request, and a
`Retry-After` that counts for the whole host (gather.md §1.2 and §1.4). For gathering only; pushes go to partners
who asked for them.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from syndicate.net.guard import Allowed

INTERVAL: Final = 1.0  # seconds from the end of one request to the start of the next on the same host
LONGEST_WAIT: Final = 86_400.0  # seconds; nobody's Retry-After silences a source for longer
MOST_HOSTS: Final = 4096  # redirects name hosts at a stranger's will, so the memory of them is bounded


@dataclass
class _Host:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0  # in the turn or queueing for it
    pause: float = 0.0  # seconds that the host itself asks for between two requests
    next_at: float = 0.0  # monotonic seconds
    closed_until: float = 0.0  # monotonic seconds

    def free_at(self) -> float:
        return max(self.next_at, self.closed_until)


class Politeness:
    """Hands out turns per host.

    `intervals` overrides the pause for single hosts; hosts opened by `[net] allow` (tests, the sample, the
    intranet) have none. The clock is monotonic, in seconds.
    """

    def __init__(
        self,
        *,
        interval_seconds: float = INTERVAL,
        intervals: Mapping[str, float] | None = None,
        allowed: Allowed | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._interval = interval_seconds
        self._intervals = dict(intervals or {})
        self._allowed = allowed or Allowed()
        self._clock = clock
        self._sleep = sleep
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator[float]:
        """Wait until nobody else talks to the host and its pause is over; hold the host until the block ends.

        Gives the seconds that the host still wants to be left alone. Unless that is 0, make no request: such a
        back-off is returned, not waited for, as it may last a day.
        """
        state = self._host(host)
        state.users += 1
        try:
            async with state.lock:
                if closed := self.closed_for(host):
                    yield closed
                    return
                await self._pause(state)
                try:
                    yield 0.0
                finally:
                    state.next_at = self._clock() + max(self._interval_of(host), state.pause)
        finally:
            state.users -= 1

    def back_off(self, host: str, until_monotonic: float) -> None:
        """Leave the host alone until then (at most a day). A later call never shortens an earlier one."""
        state = self._host(host)
        latest = self._clock() + LONGEST_WAIT
        state.closed_until = max(state.closed_until, min(until_monotonic, latest))

    def slow_down(self, host: str, pause_seconds: float) -> None:
        """The host's own word on the pause between two requests (Crawl-delay). It never makes ours shorter."""
        self._host(host).pause = pause_seconds

    def heed(self, host: str, headers: Mapping[str, str]) -> None:
        """Back off as an answer's `Retry-After` says, when it says something that can be read without a wall
        clock: seconds, or a date beside the answer's own `Date`."""
        seconds = parse_retry_after(headers.get("retry-after"), headers.get("date"), None)
        if seconds is not None:
            self.back_off(host, self._clock() + seconds)

    def closed_for(self, host: str) -> float:
        """Seconds left of the host's back-off; 0 when there is none."""
        state = self._hosts.get(host.lower())
        return max(0.0, state.closed_until - self._clock()) if state else 0.0

    def _host(self, host: str) -> _Host:
        if len(self._hosts) >= MOST_HOSTS:
            self._forget_some()
        return self._hosts.setdefault(host.lower(), _Host())

    def _forget_some(self) -> None:
        """Drop what says nothing any more; if that is little, also those whose pause ends first."""
        now = self._clock()
        idle = sorted((h for h, s in self._hosts.items() if not s.users), key=lambda h: self._hosts[h].free_at())
        for count, host in enumerate(idle):
            if self._hosts[host].free_at() > now and count > MOST_HOSTS // 2:
                break
            del self._hosts[host]

    async def _pause(self, state: _Host) -> None:
        while (seconds := state.next_at - self._clock()) > 0:
            await self._sleep(seconds)

    def _interval_of(self, host: str) -> float:
        default = 0.0 if self._allowed.names(host) else self._interval
        return self._intervals.get(host.lower(), default)


def parse_retry_after(value: str | None, date_header: str | None, now: datetime | None) -> float | None:
    """Seconds to wait (RFC 9110 §10.2.3), from 0 to a day; None when nothing readable was said.

    A date is taken relative to the answer's own `Date`, because many servers' clocks are wrong; without one,
    relative to `now`.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_WAIT)
    then, base = _http_date(text), _http_date(date_header) or now
    if then is None or base is None:
        return None
    return min(max(0.0, (then - base).total_seconds()), LONGEST_WAIT)


def _http_date(text: str | None) -> datetime | None:
    try:
        when = parsedate_to_datetime(text or "")
    except (ValueError, OverflowError):
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)
