"""Consent: what a person said to which text, and where the question came from. Evidence, so it is only ever added to.

UU PDP 27/2022 Pasal 22 and 24, GDPR Art. 7(1): consent is recorded, and whoever sends must be able to show it.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_network

from syndicate.domain.token import Keyring, form_token, read_form_token

YOUNGEST, OLDEST = timedelta(seconds=2), timedelta(hours=2)  # of a form when it comes back: programs are faster
_KEPT_BITS = {4: 24, 6: 48}  # of a reader's address, beside a consent
_ONE_LINE = {4: 32, 6: 64}  # bits: what one household has, RFC 6177 §2


class Said(StrEnum):
    """What is recorded of a person and a newsletter."""

    ASKED = "asked"  # somebody typed the address into a form; it may not have been its owner
    CONFIRMED = "confirmed"
    DENIED = "denied"  # "not me"
    ENDED = "ended"
    CHANGED = "changed"  # topics, rhythm; of no newsletter: language, hour, zone, pause
    MOVED = "moved"  # to another address; said of the one that was left
    ERASED = "erased"
    LIFTED = "lifted"  # the suppression in the note: by the reader's confirmation, or an operator's word
    REOPENED = "reopened"  # an operator's word: the reader's own confirmation lifts their complaint


class Via(StrEnum):
    """Where somebody asked."""

    PAGE = "page"  # ours
    FORM = "form"  # on another site, finished on our page
    API = "api"
    LINK = "link"  # on the page of a person's own choices


class Matter(StrEnum):
    """What a single mail is about."""

    JOIN = "join"  # asks whether a sign-up is meant
    MOVE = "move"  # asks whether a reader's mail is to come to this address
    NOTICE = "notice"  # tells the address that was left


_VIAS = tuple(Via)


@dataclass(frozen=True, kw_only=True)
class ConsentText:
    """The words that stood beside the button."""

    version: int
    language: str
    words: str

    @property
    def digest(self) -> str:
        """SHA-256 of exactly what was shown."""
        return hashlib.sha256(self.words.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Consent:
    """One row of the ledger."""

    newsletter: str  # "" for what a person says of themselves
    what: Said
    at: datetime
    origin: str  # a `Via`, or in words where an operator has it from
    network: str = ""
    language: str = ""
    text_version: int = 0  # 0: no text of ours was shown
    text_hash: str = ""
    note: str = ""  # what was chosen, for `CHANGED`


def evidence(
    said: Said,
    newsletters: Iterable[str],
    *,
    origin: str,
    client: IPv4Address | IPv6Address,
    text: ConsentText,
    now: datetime,
) -> list[Consent]:
    """What to note when somebody says the same to several newsletters."""
    return [
        Consent(
            newsletter=name,
            what=said,
            at=now,
            origin=origin,
            network=kept_network(client),
            language=text.language,
            text_version=text.version,
            text_hash=text.digest,
        )
        for name in newsletters
    ]


def new_form(ring: Keyring, via: Via, now: datetime) -> str:
    """What a form carries so that we know it again."""
    return form_token(ring, _VIAS.index(via), now)


def is_timely(ring: Keyring, text: str, now: datetime) -> Via | None:
    """Where the form was shown, if it was shown by us and neither just now nor long ago; else None."""
    found = read_form_token(ring, text)
    if found is None or not YOUNGEST <= now - found[1] <= OLDEST:
        return None
    return _VIAS[found[0]] if found[0] < len(_VIAS) else None


def kept_network(client: IPv4Address | IPv6Address) -> str:
    """What a consent keeps of a reader's address: 203.0.113.0/24, 2001:db8:1::/48."""
    return str(ip_network((client, _KEPT_BITS[client.version]), strict=False))


def one_line(client: IPv4Address | IPv6Address) -> str:
    """What counts as one asker: an IPv4 address, or an IPv6 /64, inside which anybody has as many as they like."""
    return str(ip_network((client, _ONE_LINE[client.version]), strict=False))
