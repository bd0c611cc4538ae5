"""What the channels of one newsroom have in common: how a look through one of them ends, and what it brings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from syndicate.domain.source import FoundArticle
from syndicate.jail import FailureKind, Jail, JailFailure
from syndicate.net.client import Fetched, FetchFailed
from syndicate.net.polite import parse_retry_after

_ENDED: Mapping[FailureKind, str] = {
    "timeout": "it takes too long",
    "memory": "it takes too much memory",
    "crashed": "its reader broke off",
    "raised": "its reader failed",
    "refused": "its reader isn't allowed",
}
SURE = timedelta(minutes=10)  # between the first and the deciding sign that a story is gone


class Closed(Exception):
    """The site keeps this channel from us, or has none; the text says how. Another channel may do.

    `status` is that of the answer that said so.
    """

    def __init__(self, words: str, *, status: int | None = None) -> None:
        self.status = status
        super().__init__(words)


class Trouble(Exception):
    """This look brings nothing; the text says why. `wait`: how long the site wants to be left alone.

    `status` is that of the answer, where there was one.
    """

    def __init__(self, words: str, *, wait: timedelta | None = None, status: int | None = None) -> None:
        self.wait, self.status = wait, status
        super().__init__(words)


class Unreadable(Trouble):
    """An answer came, but it was too much for us: a smaller part of it may do."""


@dataclass(kw_only=True)
class Brought:
    """What one look brought."""

    articles: dict[str, FoundArticle] = field(default_factory=dict)  # by key
    gone: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    alarm: str = ""  # for the operator: what must not go on unseen
    confirmed: str = ""  # what of the operator's word on a mass loss is still to be acted on


def keep_word(values: dict[str, str], look: Brought) -> None:
    """The operator's word stays in the source's memory until it was acted on, which takes two looks at least."""
    values.pop("confirmed", None)
    values |= {"confirmed": look.confirmed} if look.confirmed else {}


def whole(answer: Fetched | FetchFailed) -> Fetched:
    """An answer that is what we asked for. Raises Closed when the site keeps it from us, Trouble for what may pass."""
    if isinstance(answer, FetchFailed):
        wait = timedelta(seconds=answer.wait_seconds) if answer.wait_seconds else None
        kind = Unreadable if answer.kind == "too_big" else Trouble
        raise kind(f"could not be asked: {answer.safe_words} ({answer.detail})", wait=wait)
    if answer.status in (401, 403, 404, 410):
        raise Closed(f"is closed ({answer.status})", status=answer.status)
    if answer.status not in (200, 304):
        raise Trouble(f"answered {answer.status}", wait=asked_wait(answer), status=answer.status)
    return answer


def asked_wait(answer: Fetched) -> timedelta | None:
    """What `Retry-After` says."""
    seconds = parse_retry_after(answer.headers.get("retry-after"), answer.headers.get("date"), None)
    return timedelta(seconds=seconds) if seconds is not None else None


async def parsed(jail: Jail, function: str, answer: Fetched, **options: Any) -> Mapping[str, Any]:
    """What a jail function makes of an answer. Raises Trouble when it can make nothing of it, Unreadable when it was
    too much.
    """
    made = await jail.call(function, answer.body, url=answer.url, **options)
    if isinstance(made, JailFailure):
        raise Unreadable(f"could not be parsed: {_ENDED[made.kind]}; it may be broken or hostile")
    if "refused" in made.value:
        raise Trouble(f"was not read: {made.value['refused']}")
    value: Mapping[str, Any] = made.value
    return value


def is_due(since: str, wait: timedelta, now: datetime) -> bool:
    """Whether so much time is over since an ISO time; "" is long ago."""
    return not since or now - instant(since) >= wait


def instant(stamp: str) -> datetime:
    """An ISO time; without a zone it is UTC."""
    at = datetime.fromisoformat(stamp.removesuffix("Z"))
    return at if at.tzinfo else at.replace(tzinfo=UTC)
