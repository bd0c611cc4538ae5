"""DKIM (RFC 6376): the receiver can tell that a mail is ours, and that nobody added a second Subject to it.

Each mail gets two signatures, RSA and Ed25519 (RFC 8463): few receivers know the second, and it is never alone. The
head is signed `relaxed`; the body `simple`, for quoted-printable has no blanks that a relay would take away. What all
mails of a variant share is made canonical and hashed once.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_SIGNED = (  # RFC 6376 §5.4.1; RFC 8058 §4 demands the two List-Unsubscribe
    *("From", "Subject", "Date", "Reply-To", "MIME-Version", "Content-Type", "List-Id"),
    *("To", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post"),
)
_ONCE_MORE = ("From", "Subject", "Date", "To")  # named twice, so that a second one breaks the signature (§8.15)
_FOLD = 72  # characters of a row


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """A private key, and where its public half stands: SELECTOR._domainkey.DOMAIN."""

    domain: str
    selector: str
    private: RSAPrivateKey | Ed25519PrivateKey = field(repr=False)

    @property
    def algorithm(self) -> str:
        """As `a=` names it."""
        return "rsa-sha256" if isinstance(self.private, RSAPrivateKey) else "ed25519-sha256"

    @property
    def place(self) -> str:
        """The name in the DNS where receivers look for the public half."""
        return f"{self.selector}._domainkey.{self.domain}"

    def record(self) -> str:
        """The TXT record that must stand there (RFC 6376 §3.6.1, RFC 8463 §4)."""
        public = self.private.public_key()
        if isinstance(self.private, RSAPrivateKey):
            kind, raw = "rsa", public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        else:
            kind, raw = "ed25519", public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return f"v=DKIM1; k={kind}; p={base64.b64encode(raw).decode()}"

    def sign(self, digest: bytes) -> bytes:
        """Signs a SHA-256 digest."""
        if isinstance(self.private, RSAPrivateKey):
            return self.private.sign(digest, PKCS1v15(), Prehashed(SHA256()))
        return self.private.sign(digest)  # RFC 8463 §3: Ed25519 of the digest


class Seal:
    """Signs the messages of one variant. Same message, same signatures: a retry is the same mail."""

    def __init__(
        self, keys: Sequence[SigningKey], *, common: Mapping[str, str], body: bytes, signed_at: datetime
    ) -> None:
        """`common` are the header fields that all messages have, `body` is what all bodies begin with."""
        self._keys = keys
        self._common = {name: _relaxed(text) for name, text in common.items()}
        self._begun = hashlib.sha256(body)
        self._time = int(signed_at.timestamp())

    def fields(self, own: Mapping[str, str], rest: Sequence[bytes]) -> bytes:
        """The DKIM-Signature fields, one a key; `own` are the message's own header fields, `rest` is its body's."""
        hashed = self._begun.copy()
        for piece in rest:
            hashed.update(piece)
        body_hash = base64.b64encode(hashed.digest()).decode()
        head = self._common | {name: _relaxed(text) for name, text in own.items()}
        present = [name for name in _SIGNED if name in head]
        covered = "".join(head[name] for name in present)
        names = ":".join([*present, *_ONCE_MORE]).lower()
        return b"".join(self._field(key, names, body_hash, covered) for key in self._keys)

    def _field(self, key: SigningKey, names: str, body_hash: str, covered: str) -> bytes:
        start = (
            f"DKIM-Signature: v=1; a={key.algorithm}; c=relaxed/simple; d={key.domain};\r\n"
            f" s={key.selector}; t={self._time};\r\n"
            f" h={_folded(names, after=':')};\r\n"
            f" bh={body_hash};\r\n"
            " b="
        )
        told = covered + _relaxed(start + "\r\n").removesuffix("\r\n")
        signature = base64.b64encode(key.sign(hashlib.sha256(told.encode()).digest())).decode()
        return f"{start}{_folded(signature)}\r\n".encode()


def _relaxed(text: str) -> str:
    """A header field in canonical form (RFC 6376 §3.4.2)."""
    name, _, value = text.partition(":")
    return f"{name.lower()}:{' '.join(value.split())}\r\n"


def _folded(text: str, *, after: str = "") -> str:
    """Rows of a field that may be broken anywhere, or only `after` a sign."""
    rows: list[str] = []
    while len(text) > _FOLD:
        end = text.rindex(after, 0, _FOLD) + 1 if after else _FOLD
        rows.append(text[:end])
        text = text[end:]
    return "\r\n ".join([*rows, text])
