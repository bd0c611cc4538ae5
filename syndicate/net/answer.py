"""What a fetch may cost and what it can come to: plain values, so that callers can match on them.

Kept apart from the client so that naming them costs no import of an HTTP library (100 ms).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

KIB: Final = 1024
MIB: Final = 1024 * KIB

FailureKind = Literal[
    "refused_address",
    "timeout",
    "too_big",
    "bad_encoding",
    "truncated",
    "connect",
    "tls",
    "protocol",
    "bad_url",
    "redirect",
    "asked_to_wait",
    "robots",
]


@dataclass(frozen=True, kw_only=True)
class Caps:
    """The most that one fetch may cost us, whatever the other side does.

    `connect_seconds` covers the look-up, all attempts and the TLS handshake each; `read_seconds` is the longest
    silence; `total_seconds` covers all hops, but not the wait for a polite turn. `wire_bytes` is counted before
    decoding, `body_bytes` after it.
    """

    connect_seconds: float = 5.0
    read_seconds: float = 10.0
    total_seconds: float = 20.0
    wire_bytes: int
    body_bytes: int
    hops: int = 4


# architecture.md §8 "caps"; the 60 s for what may weigh 20 MiB are gather.md §1.4.
FEED: Final = Caps(wire_bytes=2 * MIB, body_bytes=8 * MIB)
PAGE: Final = Caps(wire_bytes=5 * MIB, body_bytes=5 * MIB)
REST_PAGE: Final = Caps(total_seconds=60.0, wire_bytes=20 * MIB, body_bytes=20 * MIB)
PICTURE: Final = Caps(total_seconds=60.0, wire_bytes=20 * MIB, body_bytes=20 * MIB)
PUSH: Final = Caps(read_seconds=5.0, total_seconds=5.0, wire_bytes=MIB, body_bytes=MIB)


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """An answer that came whole, of any status.

    `url` is where it came from after redirects. `headers` has lower-case names and of each the first value, byte
    for byte (latin-1), so that an ETag can be sent back as it came. `body` is decoded; of answers other than 2xx
    it is only the beginning (4 kB), of redirects it is empty. `permanent_url` is the new address when every hop
    was a 301 or 308 (RFC 9110 §15.4), else None. `links` has every Link header (RFC 8288), as there are often several
    (WebSub, WordPress).
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    permanent_url: str | None = None
    links: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FetchFailed:
    """No whole answer came.

    `kind` and its words in `safe_words` may be shown to partners; `detail` (addresses, names) is for the
    operator's log only. `maybe_delivered` is True once the request was begun to be written to the peer that
    should have answered it. `status` is the status line when that was still read: a 2xx there means that the peer
    took the request, only its answer's body was unusable. `wait_seconds` goes with `asked_to_wait` and `robots`.
    """

    kind: FailureKind
    detail: str
    maybe_delivered: bool
    status: int | None = None
    wait_seconds: float | None = None

    @property
    def safe_words(self) -> str:
        """What may be told to whoever wrote the URL: no address, banner or body, so no oracle."""
        return _SAFE_WORDS[self.kind]


_SAFE_WORDS: Final[Mapping[FailureKind, str]] = {
    "refused_address": "the address is not one we connect to",
    "timeout": "no complete answer in time",
    "too_big": "the answer is too big",
    "bad_encoding": "the answer is compressed in a way we don't read",
    "truncated": "the answer was cut short",
    "connect": "no connection",
    "tls": "no trusted encrypted connection",
    "protocol": "the answer is not valid HTTP",
    "bad_url": "the URL can't be used",
    "redirect": "the redirects can't be followed",
    "asked_to_wait": "the site asked us to come back later",
    "robots": "the site's robots.txt keeps us out",
}


class Stopped(Exception):
    """Ends one exchange with the given kind. Never leaves `net/`: it becomes a `FetchFailed` there."""

    def __init__(self, kind: FailureKind, detail: str) -> None:
        self.kind: FailureKind = kind
        self.detail = detail
        super().__init__(detail)
