"""Partners: portals that take our stories, where their pushes go, and in which order."""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime

from syndicate.domain.change import Change, ChangeKind
from syndicate.domain.delivery import State
from syndicate.domain.selection import Selection

_KEY = re.compile(r"np_([a-z2-7]{8})_([A-Za-z0-9_-]{43})")
EDITION_TYPE = "edition.published"


@dataclass(frozen=True, kw_only=True)
class Partner:
    """A portal with a contract."""

    name: str
    title: str
    contact: str = ""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """An address of a partner that takes pushes. `secrets` sign them; two while a key is being changed."""

    name: str
    partner: str
    kind: str
    url: str
    secrets: tuple[bytes, ...]
    selection: Selection
    newsletters: tuple[str, ...] = ()  # whose editions it is told of


@dataclass(frozen=True, kw_only=True)
class Push:
    """One thing to one endpoint. Pushes with the same `subject` go strictly one after the other.

    One that is refused, by the partner or after 72 h, is a dead letter: it stays and can be replayed by a person.
    """

    id: int
    endpoint: str
    subject: str  # "article:ID" or "edition:ID"
    seq: int
    type: str
    state: State
    attempt: int
    article_id: str | None = None
    edition_id: int | None = None
    first_due: datetime


def push_type(kind: ChangeKind) -> str:
    """The name of a change on the wire."""
    return f"article.{kind.value}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a new change means for the pushes of one article to one endpoint."""

    send: ChangeKind | None  # None: nothing to say
    supersedes: tuple[int, ...]  # ids of unsent pushes that are dropped


def plan_push(change: Change, unsent: tuple[tuple[int, ChangeKind], ...], *, ever_sent: bool, wanted: bool) -> Plan:
    """Newer beats older. An unsent `published` that is edited goes as `published`; one that is withdrawn not at all.

    `unsent` are the waiting pushes of the same article; `ever_sent`: something of it may have reached the partner;
    `wanted`: the endpoint's Selection holds the article now. What left the Selection is withdrawn over there.
    """
    dropped = tuple(number for number, _ in unsent)
    if change.kind is ChangeKind.WITHDRAWN or not wanted:
        return Plan(send=ChangeKind.WITHDRAWN if ever_sent else None, supersedes=dropped)
    unsent_kinds = {kind for _, kind in unsent}
    if not ever_sent or ChangeKind.PUBLISHED in unsent_kinds:
        return Plan(send=ChangeKind.PUBLISHED, supersedes=dropped)
    if change.kind is ChangeKind.PUBLISHED or ChangeKind.RESTORED in unsent_kinds:
        return Plan(send=ChangeKind.RESTORED, supersedes=dropped)
    kind = ChangeKind.CORRECTED if ChangeKind.CORRECTED in unsent_kinds else change.kind
    return Plan(send=kind, supersedes=dropped)


def new_key(identifier: bytes, secret: bytes) -> tuple[str, str, str]:
    """A partner's key as (shown once, id, digest to store). 5 random bytes name it, 32 are the secret."""
    name = base64.b32encode(identifier).decode().lower()
    shown = f"np_{name}_{base64.urlsafe_b64encode(secret).decode().rstrip('=')}"
    return shown, name, key_digest(shown)


def key_id(shown: str) -> str | None:
    """The id inside a key, or None if this is no key of ours."""
    hit = _KEY.fullmatch(shown)
    return hit[1] if hit else None


def key_digest(shown: str) -> str:
    """What we store of a key. Plain SHA-256 is enough: the key has 256 random bits."""
    return hashlib.sha256(shown.encode()).hexdigest()


def key_fits(shown: str, digest: str) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(key_digest(shown), digest)
