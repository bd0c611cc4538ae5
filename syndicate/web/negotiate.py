"""What a client accepts and what it has already: content coding and conditional requests (RFC 9110 §12.5.3, §13)."""

from email.utils import parsedate_to_datetime
from functools import lru_cache

_KEPT_LENGTH = 100  # bytes: real headers are shorter; longer ones are parsed each time, so nobody can fill the memory


def wants_gzip(accept_encoding: bytes | None) -> bool:
    """Whether gzip is the better of gzip and identity for this client. Without the header: no."""
    if accept_encoding is None:
        return False
    return _kept(accept_encoding) if len(accept_encoding) <= _KEPT_LENGTH else _weigh(accept_encoding)


def has_tag(if_none_match: bytes, tags: frozenset[bytes]) -> bytes | None:
    """The first of `tags` that a list of entity tags names, by weak comparison; `*` names any. Else None.

    `tags` are strong ones, in quotes.
    """
    if if_none_match in tags:
        return if_none_match
    for part in if_none_match.split(b","):
        tag = part.strip().removeprefix(b"W/")
        if tag in tags:
            return tag
        if tag == b"*":
            return min(tags)
    return None


def unchanged_since(if_modified_since: bytes, modified: int, *, now: float) -> bool:
    """True when the date is one and not before `modified`. Nonsense, and a date in the future, is no condition.

    All in Unix seconds.
    """
    try:
        asked = parsedate_to_datetime(if_modified_since.decode("latin-1")).timestamp()
    except (ValueError, OverflowError, IndexError):
        return False
    return modified <= asked <= now


@lru_cache(maxsize=512)
def _kept(accept_encoding: bytes) -> bool:
    return _weigh(accept_encoding)


def _weigh(accept_encoding: bytes) -> bool:
    weights = dict(_weight(part) for part in accept_encoding.lower().split(b",") if part.strip())
    rest = weights.get(b"*", 0.0)
    gzip = weights.get(b"gzip", weights.get(b"x-gzip", rest))
    return gzip > 0 and gzip >= weights.get(b"identity", 0.0)


def _weight(part: bytes) -> tuple[bytes, float]:
    coding, _, parameters = part.partition(b";")
    name, _, value = parameters.strip().partition(b"=")
    if name.strip() != b"q":
        return coding.strip(), 1.0
    try:
        return coding.strip(), max(0.0, min(float(value), 1.0))
    except ValueError:
        return coding.strip(), 0.0
