"""Accounts: made and changed by the command line, used by signing in. Each step is noted in the audit log.

Signing in tells a stranger nothing: an unknown name is answered as a wrong password is, after the same work (T30).
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from ipaddress import IPv4Address, IPv6Address

import structlog
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.account import (
    NAME,
    Account,
    Deed,
    Entry,
    Role,
    new_session,
    normal_password,
    password_problem,
    session_digest,
)
from syndicate.domain.consent import kept_network, one_line
from syndicate.errors import NotFound, Refused
from syndicate.store import accounts, rates
from syndicate.store.db import Database
from syndicate.store.rates import Limit

_MEMORY, _PASSES, _LANES = 19456, 2, 1  # KiB; the least that OWASP's Password Storage Cheat Sheet (2024) recommends
_HASHER = PasswordHasher(time_cost=_PASSES, memory_cost=_MEMORY, parallelism=_LANES)  # argon2id, RFC 9106
# What is compared for a name that nobody has: as much work as a real one, and no password fits it.
NOBODYS = f"$argon2id$v=19$m={_MEMORY},t={_PASSES},p={_LANES}${'A' * 22}${'A' * 43}"
_SUBNETTED = 6  # the version of IP in which one customer has many networks: RFC 6177 §2 gives a site up to a /48
_AT_ONCE = 2  # 19 MiB and 20 ms of a core each
_UNDER_WAY = 16  # who comes when so many are being let in is told to come back
FROM_THERE = Limit(name="there", burst=20, every=timedelta(seconds=30))
FROM_AROUND = Limit(name="around", burst=80, every=timedelta(seconds=8))  # an IPv6 /48: whoever has it has all its /64s
OF_ACCOUNT_THERE = Limit(name="account-there", burst=5, every=timedelta(minutes=1))
OF_ACCOUNT_AROUND = Limit(name="account-around", burst=20, every=timedelta(minutes=1))
# From all networks that the account never came from, together: who spends it locks out strangers only. Anybody can.
OF_ACCOUNT = Limit(name="account", burst=60, every=timedelta(minutes=1))
OF_ACCOUNT_AT_HOME = Limit(name="account-home", burst=60, every=timedelta(minutes=1))  # from each that it came from
HOME_FOR = timedelta(days=90)  # after its last sign-in a network is an account's home
COME_BACK = OF_ACCOUNT_THERE.every  # after which one more try is free, whichever limit it was
log = structlog.get_logger()


class NotSignedIn(Enum):
    """Why nobody was signed in."""

    WRONG = auto()  # the name or the password
    TOO_OFTEN = auto()


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What somebody typed, and where they are."""

    name: str
    password: str = field(repr=False)
    client: IPv4Address | IPv6Address
    cookie: str = field(repr=False)  # what they showed as their session, "" if nothing


class Porter:
    """Lets people in. One for each process: it keeps passwords from being tried by many at once."""

    def __init__(self, db: Database, digest: Callable[[str], str]) -> None:
        self._db, self._digest = db, digest
        self._turn, self._under_way = asyncio.Semaphore(_AT_ONCE), 0

    async def sign_in(self, attempt: Attempt, *, now: datetime) -> str | NotSignedIn:
        """The identifier of a session that begins, never one that was shown (session fixation, T31)."""
        if self._under_way >= _UNDER_WAY:
            return NotSignedIn.TOO_OFTEN
        self._under_way += 1
        try:
            session = await self._try(attempt, now=now)
        finally:
            self._under_way -= 1
        result = session.name.lower() if isinstance(session, NotSignedIn) else "ok"
        log.info("account.tried", result=result, network=kept_network(attempt.client))
        return session

    async def _try(self, attempt: Attempt, *, now: datetime) -> str | NotSignedIn:
        if not await self._may_try(attempt, now=now):
            return NotSignedIn.TOO_OFTEN
        async with self._db.read() as connection:
            known = await accounts.password_hash(connection, attempt.name) if NAME.fullmatch(attempt.name) else None
        async with self._turn:
            fits = await asyncio.to_thread(_fits, known or NOBODYS, attempt.password)
        shown, digest = new_session(secrets.token_bytes(32))
        async with self._db.write() as connection:
            # Between the two the password may have been changed, and with that every session was ended.
            fits = fits and await accounts.password_hash(connection, attempt.name, lock=True) == known
            if fits:
                await _end(connection, attempt.cookie)
                await accounts.begin_session(connection, attempt.name, digest, now=now)
            await accounts.note(connection, _tried(attempt, fits=fits, known=known is not None, now=now))
        return shown if fits else NotSignedIn.WRONG

    async def _may_try(self, attempt: Attempt, *, now: datetime) -> bool:
        """At home nobody elsewhere spends what the account has: it is never locked out of where it works."""
        name, client = attempt.name, attempt.client
        there, around = one_line(client), kept_network(client)
        async with self._db.write() as connection:
            home = bool(NAME.fullmatch(name)) and await accounts.came_from(
                connection, name, around, since=now - HOME_FOR
            )
            wanted = [(there, FROM_THERE)]
            wanted += [(around, FROM_AROUND)] if client.version == _SUBNETTED else []
            wanted += [(f"{name} {there}", OF_ACCOUNT_THERE)]
            wanted += [(f"{name} {around}", OF_ACCOUNT_AROUND)] if client.version == _SUBNETTED and not home else []
            wanted += [(f"{name} {around}", OF_ACCOUNT_AT_HOME) if home else (name, OF_ACCOUNT)]
            keys = [(f"sign-in:{self._digest(what)}", limit) for what, limit in wanted]
            return await rates.take(connection, keys, now=now) is None


async def account_of(db: Database, cookie: str, *, now: datetime) -> Account | None:
    """Whose session the cookie names, unless it is over; that it was used is noted now and then."""
    digest = session_digest(cookie)
    if digest is None:
        return None
    async with db.read() as connection:
        session = await accounts.session(connection, digest)
    if session is None or session.is_over(now):
        return None
    if session.is_to_be_noted(now):
        async with db.write() as connection:
            await accounts.note_use(connection, digest, now=now)
    return session.account


async def sign_out(db: Database, cookie: str, client: IPv4Address | IPv6Address, *, now: datetime) -> None:
    """Ends the session that the cookie names, if there is one."""
    async with db.write() as connection:
        name = await _end(connection, cookie)
        if name is not None:
            left = Entry(at=now, who=name, what=Deed.SIGNED_OUT, subject=name, network=kept_network(client))
            await accounts.note(connection, left)


async def add_account(db: Database, name: str, role: Role, password: str, *, who: str, now: datetime) -> None:
    """Makes an account. Raises Refused for a name or password that can't be one, and when it is there already."""
    if not NAME.fullmatch(name):
        raise Refused(f'{name!r} can\'t be a name; take up to 40 of a-z, 0-9, dot and dash, such as "laksmi"')
    password_hash = await _new_hash(password, account=name)
    made = Account(name=name, role=role, created_at=now)
    async with db.write() as connection:
        if not await accounts.add(connection, made, password_hash=password_hash):
            raise Refused(
                f"there is an account {name} already; `syndicate users role {name} ROLE` changes what it may do"
            )
        await accounts.note(connection, Entry(at=now, who=who, what=Deed.ADDED, subject=name, note=role.value))


async def change_password(db: Database, name: str, password: str, *, who: str, now: datetime) -> None:
    """Gives an account another password and ends all its sessions. Raises NotFound, Refused."""
    password_hash = await _new_hash(password, account=name)
    async with db.write() as connection:
        if not await accounts.set_password(connection, name, password_hash):
            raise await _unknown(connection, name)
        await accounts.note(connection, Entry(at=now, who=who, what=Deed.PASSWORD, subject=name))


async def change_role(db: Database, name: str, role: Role, *, who: str, now: datetime) -> None:
    """Gives an account another role and ends all its sessions. Raises NotFound."""
    async with db.write() as connection:
        if not await accounts.set_role(connection, name, role):
            raise await _unknown(connection, name)
        await accounts.note(connection, Entry(at=now, who=who, what=Deed.ROLE, subject=name, note=role.value))


async def remove_account(db: Database, name: str, *, who: str, now: datetime) -> None:
    """Ends an account and all its sessions. Raises NotFound."""
    async with db.write() as connection:
        if not await accounts.remove(connection, name):
            raise await _unknown(connection, name)
        await accounts.note(connection, Entry(at=now, who=who, what=Deed.REMOVED, subject=name))


def _tried(attempt: Attempt, *, fits: bool, known: bool, now: datetime) -> Entry:
    """A name that nobody has isn't kept: it may be a password, typed into the wrong field."""
    name, network = attempt.name if known else "", kept_network(attempt.client)
    if fits:
        return Entry(at=now, who=name, what=Deed.SIGNED_IN, subject=name, network=network)
    return Entry(at=now, who="", what=Deed.FAILED, subject=name, network=network)


async def _end(connection: AsyncConnection, cookie: str) -> str | None:
    digest = session_digest(cookie)
    return await accounts.end_session(connection, digest) if digest else None


async def _new_hash(password: str, *, account: str) -> str:
    problem = password_problem(password, account=account)
    if problem:
        raise Refused(f"this can't be a password: {problem}")
    return await asyncio.to_thread(_HASHER.hash, normal_password(password))


async def _unknown(connection: AsyncConnection, name: str) -> NotFound:
    return NotFound("account", name, known=tuple(one.name for one in await accounts.listed(connection)))


def _fits(password_hash: str, typed: str) -> bool:
    try:
        return _HASHER.verify(password_hash, normal_password(typed))
    except VerifyMismatchError:
        return False
