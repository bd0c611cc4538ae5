"""Accounts: who of the house may sign in, what they may do there, and when a session is over.

There is no account that nobody made: the first one comes from the command line (T32).
"""

import base64
import hashlib
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

IDLE = timedelta(hours=8)  # a session that is not used for so long is over
LONGEST = timedelta(days=7)  # and so is any that is older than this
SEEN_EVERY = timedelta(minutes=5)  # how exactly it is kept when a session was last used: each use would be a write
SHORTEST_PASSWORD = 12  # characters; there is no second factor
NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,39}")
_SESSION = re.compile(r"ns_[A-Za-z0-9_-]{43}")
# What the letters of a password may not all come to: the commonest ones, to which people add figures and signs.
_COMMON = re.compile(
    "abcd?|abcdef|admin(istrator)?|asdfghjkl|bismillah|changeme|default|freedom|ganteng|iloveyou|indonesia|jakarta|"
    "(kata)?sandi|letmein|login|love|master|monkey|newsroom|pa?ss(w(o?r?d)?)?|(password){2}|qazwsx(edc)?|qwe|(qwerty){1,2}|"
    "qwertyuiop(asdf)?|rahasia|redaksi|root|sayang|secret|semangat|superman|syndicate|test(ing)?|user|wartawan|welcome|"
    "zxcvbnm"
)
_FEWEST = 5  # different characters in a password
_SHORTEST_PART = 3  # of a name, letters: fewer stand in any words


class Role(StrEnum):
    """What an account may do. Each may do everything that those before it may."""

    VIEWER = "viewer"  # look at what is sent, and to whom
    EDITOR = "editor"  # change what is sent
    OPERATOR = "operator"  # run the place

    def covers(self, needed: "Role") -> bool:
        """True when this role may do what is for `needed`."""
        return _RANKS.index(self) >= _RANKS.index(needed)


_RANKS = tuple(Role)


@dataclass(frozen=True, kw_only=True)
class Account:
    """One person who may sign in."""

    name: str
    role: Role
    created_at: datetime
    signed_in_at: datetime | None = None  # the last time


@dataclass(frozen=True, kw_only=True)
class Session:
    """From a sign-in to its end. Who knows its identifier is that person, so only its digest is kept."""

    account: Account
    began_at: datetime
    seen_at: datetime

    def is_over(self, now: datetime) -> bool:
        """True when whoever shows it must sign in again."""
        return now - self.seen_at >= IDLE or now - self.began_at >= LONGEST

    def is_to_be_noted(self, now: datetime) -> bool:
        """True when it was last noted as used long enough ago."""
        return now - self.seen_at >= SEEN_EVERY


class Deed(StrEnum):
    """What the audit log tells."""

    SIGNED_IN = "signed_in"
    FAILED = "sign_in_failed"
    SIGNED_OUT = "signed_out"
    ADDED = "account_added"
    PASSWORD = "password_changed"  # noqa: S105 - the name of a deed
    ROLE = "role_changed"
    REMOVED = "account_removed"
    CORRECTED = "article_corrected"
    WITHDRAWN = "article_withdrawn"
    RESTORED = "article_restored"
    HELD = "edition_held"
    RELEASED = "edition_released"
    CANCELLED = "edition_cancelled"
    RETRIED = "edition_retried"
    DIRECTED = "edition_directed"
    TRIED = "test_sent"
    PAUSED = "newsletter_paused"
    RESUMED = "newsletter_resumed"
    LIFTED = "suppression_lifted"
    REOPENED = "complaint_reopened"
    LIST_IN = "list_imported"
    LIST_OUT = "list_exported"
    ERASED = "subscriber_erased"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the audit log."""

    at: datetime
    who: str  # an account, "cli:" and the name of a user of this machine, or "" for a stranger
    what: Deed
    subject: str = ""  # the account, article, edition or newsletter it was done to; "" for a name that nobody has
    network: str = ""  # where it came from, never the whole address; "" for this machine's command line
    note: str = ""


def new_session(randomness: bytes) -> tuple[str, str]:
    """A session's identifier, for the cookie, and its digest, for us. `randomness` are 32 bytes."""
    shown = "ns_" + base64.urlsafe_b64encode(randomness).decode().rstrip("=")
    return shown, _digest(shown)


def session_digest(shown: str) -> str | None:
    """What is kept of the session that a cookie names; None if it names none."""
    return _digest(shown) if _SESSION.fullmatch(shown) else None


def normal_password(typed: str) -> str:
    """The same characters, however a keyboard makes them (NFKC, NIST SP 800-63B §5.1.1.2)."""
    return unicodedata.normalize("NFKC", typed)


def password_problem(typed: str, *, account: str) -> str:
    """Why this can't be the password of the account; "" when it can."""
    password = normal_password(typed)
    folded = password.casefold()
    letters = "".join(c for c in folded if c.isalpha())
    if not password.isprintable():
        return "it has characters that not every keyboard can type"
    if len(password) < SHORTEST_PASSWORD:
        return f"it has {len(password)} characters; take {SHORTEST_PASSWORD} or more, such as four words"
    if len(set(folded)) < _FEWEST:
        return "it has too few different characters"
    if not letters or _COMMON.fullmatch(letters) or _is_made_of(letters, account):
        return "it is among the first that anybody would try"
    return ""


def _is_made_of(letters: str, account: str) -> bool:
    """True where the account's name, whole, in parts or backwards, and a common word are all that is there."""
    parts = ["".join(c for c in part if c.isalpha()) for part in (account, *re.split(r"[.-]", account))]
    rest = letters
    for part in sorted({*parts, *(part[::-1] for part in parts)}, key=lambda one: (-len(one), one)):
        if len(part) >= _SHORTEST_PART:
            rest = rest.replace(part, "")
    return rest != letters and (len(rest) < _FEWEST or _COMMON.fullmatch(rest) is not None)


def _digest(shown: str) -> str:
    """SHA-256 is enough: nobody can try all values of 32 random bytes."""
    return hashlib.sha256(shown.encode()).hexdigest()
