"""Partners: portals that take our stories, where their pushes go, and in which order."""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from syndicate.domain.change import Change, ChangeKind
from syndicate.domain.delivery import State
from syndicate.domain.selection import Selection

_KEY = re.compile(r"np_([a-z2-7]{8})_([A-Za-z0-9_-]{43})")
_ARTICLE = "article."
EDITION_TYPE = "edition.published"
_WEIGHTIEST_FIRST = (ChangeKind.PUBLISHED, ChangeKind.RESTORED, ChangeKind.CORRECTED, ChangeKind.UPDATED)


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
    return f"{_ARTICLE}{kind.value}"


WITHDRAWN_TYPE = push_type(ChangeKind.WITHDRAWN)


def push_kind(wire_type: str) -> ChangeKind:
    """The change that such a name on the wire tells of."""
    return ChangeKind(wire_type.removeprefix(_ARTICLE))


class Heard(StrEnum):
    """What may have reached a partner about a story. A push whose answer was lost counts: better told twice."""

    NOTHING = "nothing"  # at most a withdrawal of a story that it never got
    STORY = "story"  # it has the story
    WITHDRAWAL = "withdrawal"  # it had the story and was told to take it down


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a new change means for the pushes of one article to one endpoint."""

    send: ChangeKind | None  # None: nothing to say
    supersedes: tuple[int, ...]  # ids of unsent pushes that are dropped


def plan_push(change: Change, unsent: tuple[tuple[int, ChangeKind], ...], *, heard: Heard, wanted: bool) -> Plan:
    """Newer beats older: the change takes the place of `unsent`, the waiting pushes of the same article.

    - A story that is new to the partner is `published`, one that was withdrawn over there comes back as `restored`.
    - A withdrawal goes only to a partner that has the story, or that may have missed the last withdrawal.
    - What leaves the endpoint's Selection (`wanted` is False) is withdrawn over there.
    """
    dropped = tuple(number for number, _ in unsent)
    kinds = {kind for _, kind in unsent}
    if change.kind is ChangeKind.WITHDRAWN or not wanted:
        missed = heard is Heard.WITHDRAWAL and ChangeKind.WITHDRAWN in kinds
        needed = heard is Heard.STORY or missed
        return Plan(send=ChangeKind.WITHDRAWN if needed else None, supersedes=dropped)
    kind = change.kind
    if heard is Heard.NOTHING:
        kind = ChangeKind.PUBLISHED
    elif heard is Heard.WITHDRAWAL or kind is ChangeKind.PUBLISHED:
        kind = ChangeKind.RESTORED
    return Plan(send=kind_instead(kind, kinds), supersedes=dropped)


def kind_instead(newest: ChangeKind, dropped: Iterable[ChangeKind]) -> ChangeKind:
    """How a push is called that goes in the place of older unsent ones: it says what they would have said, too.

    An unsent `published` that is edited goes as `published`, and a correction is not lost under a later update.
    A withdrawal stays one.
    """
    if newest is ChangeKind.WITHDRAWN:
        return newest
    return min((newest, *(kind for kind in dropped if kind in _WEIGHTIEST_FIRST)), key=_WEIGHTIEST_FIRST.index)


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
