"""Links that need no password: each names one person, one purpose and one newsletter, and can't be forged or altered.

A token is `base64url(version · key id · subscriber · newsletter · generation · MAC)`, 44 characters: short enough to
keep List-Unsubscribe on one line (RFC 8058 §3.1). Every purpose has a key of its own, so a link made
for one thing can't do another. VERP tokens are lower-case base32, since mail systems fold case.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache

_VERSION = 1
_BLOCK = 64  # bytes of a block of SHA-256
_MAC = 16  # bytes
_TOKEN = re.compile(r"[A-Za-z0-9_-]{44}")
_VERP = re.compile(r"[a-z2-7]{29}")
_VERP_MAC = 10  # bytes
_MAILED = re.compile(r"[a-z2-7]{53}")
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_FORM = re.compile(r"[A-Za-z0-9_-]{32}")  # 24 bytes: all that base64 writes without padding
_FORM_MAC = 15  # bytes
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Purpose(StrEnum):
    """What a link may do."""

    UNSUBSCRIBE = "unsub"
    VIEW = "view"  # `subscriber` is the delivery: the mail as it was sent, and nothing of whom it was for
    PREFERENCES = "prefs"  # of a person, not of one newsletter: `newsletter` is 0. Ends with their generation
    CONFIRM = "confirm"  # there is no subscriber yet: `subscriber` is the sign-up, `newsletter` stands for its address


@dataclass(frozen=True, kw_only=True)
class Token:
    """What a valid link says."""

    purpose: Purpose
    subscriber: int
    newsletter: int  # first 4 bytes of a digest of its name, see `name_number`
    generation: int


@dataclass(frozen=True, kw_only=True)
class Keyring:
    """The master keys by number. The highest signs; unsubscribe links signed by any of them work for ever."""

    keys: Mapping[int, bytes] = field(repr=False)
    _begun: dict[tuple[int, str], tuple["hashlib._Hash", "hashlib._Hash"]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def newest(self) -> int:
        """The number of the key that signs."""
        return max(self.keys)

    def mac(self, number: int, purpose: str, message: bytes) -> bytes:
        """HMAC-SHA256 (RFC 2104) with the key of one purpose: 32 bytes.

        Each mail needs three. Going on from where the key was hashed already takes a third of `hmac.digest`'s time.
        """
        begun = self._begun.get((number, purpose)) or self._begin(number, purpose)
        inner, outer = begun[0].copy(), begun[1].copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()

    def _begin(self, number: int, purpose: str) -> tuple["hashlib._Hash", "hashlib._Hash"]:
        key = hmac.digest(self.keys[number], f"v{_VERSION}/{purpose}".encode(), "sha256").ljust(_BLOCK, b"\0")
        inner, outer = (hashlib.sha256(bytes(byte ^ pad for byte in key)) for pad in (0x36, 0x5C))
        self._begun[number, purpose] = inner, outer
        return inner, outer


@cache
def name_number(name: str) -> int:
    """A newsletter's name as four bytes: a token doesn't say which one to whoever reads it."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "big")


def make_token(ring: Keyring, token: Token) -> str:
    """Sign with the newest key."""
    number = ring.newest
    body = (
        bytes([_VERSION, number])
        + token.subscriber.to_bytes(8, "big")
        + token.newsletter.to_bytes(4, "big")
        + token.generation.to_bytes(3, "big")
    )
    mac = ring.mac(number, token.purpose, body)[:_MAC]
    return base64.urlsafe_b64encode(body + mac).decode()


def read_token(ring: Keyring, purpose: Purpose, text: str) -> Token | None:
    """What the link says, or None. Strict: one spelling per token (base64 alone accepts several)."""
    if not _TOKEN.fullmatch(text):
        return None
    raw = base64.urlsafe_b64decode(text)
    body, mac = raw[:-_MAC], raw[-_MAC:]
    if base64.urlsafe_b64encode(raw).decode() != text or body[0] != _VERSION or body[1] not in ring.keys:
        return None
    if not hmac.compare_digest(mac, ring.mac(body[1], purpose, body)[:_MAC]):
        return None
    return Token(
        purpose=purpose,
        subscriber=int.from_bytes(body[2:10], "big"),
        newsletter=int.from_bytes(body[10:14], "big"),
        generation=int.from_bytes(body[14:17], "big"),
    )


def verp_token(ring: Keyring, delivery: int) -> str:
    """The token of a bounce address (RFC 5321 §4.5.3.1.1 leaves 64 octets): key number, delivery, MAC in base32."""
    number = ring.newest
    body = bytes([number]) + delivery.to_bytes(7, "big")
    mac = ring.mac(number, "verp", body)[:_VERP_MAC]
    return _base32(body + mac)


def read_verp(ring: Keyring, text: str) -> int | None:
    """The delivery a bounce address names, or None. Case is folded, as mail systems do."""
    folded = text.lower()
    if not _VERP.fullmatch(folded):
        return None
    raw = base64.b32decode(folded.upper() + "=" * (-len(folded) % 8))
    body, mac = raw[:8], raw[8:]
    if body[0] not in ring.keys:
        return None
    good = ring.mac(body[0], "verp", body)[:_VERP_MAC]
    return int.from_bytes(body[1:], "big") if hmac.compare_digest(mac, good) else None


def mailed_token(token: str) -> str:
    """A link's token as it stands in a mail address, where others may fold the case; 53 characters."""
    return _base32(base64.urlsafe_b64decode(token))


def token_of_mail(text: str) -> str | None:
    """The link's token that a mail address holds, for `read_token`; None where it can hold none."""
    folded = text.lower()
    if not _MAILED.fullmatch(folded):
        return None
    return base64.urlsafe_b64encode(base64.b32decode(folded.upper() + "=" * (-len(folded) % 8))).decode()


def delivery_name(ring: Keyring, edition: int, subscriber: int) -> str:
    """The stable, unguessable left side of a Message-ID, the same however often a delivery is tried.

    Always by the oldest key, so a rotation between two tries doesn't rename it.
    """
    raw = ring.mac(min(ring.keys), "message-id", f"{edition}/{subscriber}".encode())[:10]
    return f"e{edition}.{_base32(raw)}"


def sign_up_name(ring: Keyring, sign_up: int, digest: str) -> str:
    """The same for the mail that asks whether a sign-up is meant; `digest` is the address's.

    With it the name of a number that a restored database gives once more is another one.
    """
    raw = ring.mac(min(ring.keys), "message-id", f"sign-up/{sign_up}/{digest}".encode())[:10]
    return f"c{sign_up}.{_base32(raw)}"


def form_token(ring: Keyring, origin: int, at: datetime) -> str:
    """When a form was shown (to the millisecond) and by which of our edges, 0 to 255; without a cookie."""
    number = ring.newest
    body = bytes([_VERSION, number, origin]) + ((at - _EPOCH) // timedelta(milliseconds=1)).to_bytes(6, "big")
    mac = ring.mac(number, "form", body)[:_FORM_MAC]
    return base64.urlsafe_b64encode(body + mac).decode()


def read_form_token(ring: Keyring, text: str) -> tuple[int, datetime] | None:
    """By which edge and when the form was shown that this came with, or None."""
    if not _FORM.fullmatch(text):
        return None
    raw = base64.urlsafe_b64decode(text)
    body, mac = raw[:-_FORM_MAC], raw[-_FORM_MAC:]
    if body[0] != _VERSION or body[1] not in ring.keys:
        return None
    if not hmac.compare_digest(mac, ring.mac(body[1], "form", body)[:_FORM_MAC]):
        return None
    return body[2], _EPOCH + timedelta(milliseconds=int.from_bytes(body[3:], "big"))


_PAIRS = [first + second for first in _BASE32 for second in _BASE32]


def _base32(raw: bytes) -> str:
    """RFC 4648 §6 in lower case, unpadded. Two digits at a time: a third of the time of the library's."""
    bits = len(raw) * 8
    pairs = -(-bits // 10)
    number = int.from_bytes(raw, "big") << (pairs * 10 - bits)
    digits = "".join([_PAIRS[number >> shift & 1023] for shift in range(pairs * 10 - 10, -1, -10)])
    return digits[: -(-bits // 5)]
