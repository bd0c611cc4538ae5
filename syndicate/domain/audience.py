"""Subscribers: who reads by mail, at which address, and when we must not write to them."""

import hashlib
import hmac
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from syndicate.errors import AddressProblem

# Dot-atom of RFC 5322 §3.2.3 that begins and ends harmlessly (no option of a program, no dot), 64 octets at most.
_LOCAL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9!#$&'*+/=?^_`{|}~.-]{0,62}[A-Za-z0-9_+=~-])?")
# Python's codec is IDNA 2003, which writes these as other letters or drops them; IDNA 2008 keeps them (RFC 5894 §7.2).
# straße.example and strasse.example may be two owners.
_OTHERWISE = re.compile("[\u00df\u1e9e\u03c2\u200c\u200d]")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


class SubscriptionState(StrEnum):
    """A person's choice for one newsletter."""

    ACTIVE = "active"
    ENDED = "ended"


class Rhythm(StrEnum):
    """How much of a newsletter a person gets."""

    EACH = "each"  # every edition, and breaking news where the newsletter has any
    WEEKLY = "weekly"  # the round-up of the week alone
    BREAKING = "breaking"  # nothing but breaking news


@dataclass(frozen=True, kw_only=True)
class Subscriber:
    """A person who reads by mail. `generation` stands in their links; unsubscribing never asks for it."""

    id: int
    address: str
    name: str = ""
    language: str = "id"
    timezone: str = "Asia/Jakarta"
    generation: int = 0
    created_at: datetime


def normal_address(address: str) -> str:
    """The one spelling under which an address is stored: NFC, domain in lower case and ASCII (A-labels).

    Raises AddressProblem for everything we won't write to: quoted or non-ASCII local parts, address literals,
    blanks, control characters, comments, routes. Half of these are ways to smuggle a second recipient.
    """
    text = unicodedata.normalize("NFC", address)
    local, at, domain = text.rpartition("@")
    if not at or "@" in local:
        raise AddressProblem(address, "it needs exactly one @")
    if not _LOCAL.fullmatch(local) or ".." in local:
        raise AddressProblem(address, "the part before the @ has characters or dots we don't accept")
    ascii_domain = _ascii_domain(domain, address)
    if len(local) + 1 + len(ascii_domain) > 254:
        raise AddressProblem(address, "it is longer than 254 characters")
    return f"{local}@{ascii_domain}"


def address_digest(pepper: bytes, address: str) -> str:
    """What remains of an address in suppressions after the person is erased."""
    return hmac.new(pepper, address.casefold().encode(), hashlib.sha256).hexdigest()


def _ascii_domain(domain: str, address: str) -> str:
    if other := _OTHERWISE.search(domain):
        character = unicodedata.name(other[0])
        raise AddressProblem(address, f"mail systems read {character} in a domain in two ways; use the xn-- form")
    try:
        ascii_domain = domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise AddressProblem(address, "the part after the @ is not a domain name") from None
    labels = ascii_domain.split(".")
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit():
        raise AddressProblem(address, "the part after the @ is not a domain name")
    return ascii_domain
