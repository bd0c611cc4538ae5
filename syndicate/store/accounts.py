"""Accounts, their sessions, and the audit log. No statement here changes or drops a line of the log.

But one: the network, which is personal data, is taken out of old lines.
"""

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from syndicate.domain.account import IDLE, LONGEST, Account, Deed, Entry, Role, Session
from syndicate.store.db import insert_new
from syndicate.store.tables import accounts, audit, sessions

_ACCOUNT = (accounts.c.name, accounts.c.role, accounts.c.created_at, accounts.c.signed_in_at)


async def add(connection: AsyncConnection, account: Account, *, password_hash: str) -> bool:
    """A new account. False: there is one of this name."""
    row = {"name": account.name, "role": account.role.value, "created_at": account.created_at}
    return await insert_new(connection, accounts, row | {"password_hash": password_hash})


async def listed(connection: AsyncConnection) -> list[Account]:
    """All accounts by name."""
    rows = await connection.execute(select(*_ACCOUNT).order_by(accounts.c.name))
    return [Account(**row._asdict() | {"role": Role(row.role)}) for row in rows]


async def get(connection: AsyncConnection, name: str) -> Account | None:
    """The account of this name."""
    row = (await connection.execute(select(*_ACCOUNT).where(accounts.c.name == name))).one_or_none()
    return Account(**row._asdict() | {"role": Role(row.role)}) if row else None


async def password_hash(connection: AsyncConnection, name: str, *, lock: bool = False) -> str | None:
    """What is kept of an account's password. `lock`: nobody changes the account until this transaction ends."""
    query = select(accounts.c.password_hash).where(accounts.c.name == name)
    return await connection.scalar(query.with_for_update() if lock else query)


async def set_password(connection: AsyncConnection, name: str, password_hash: str) -> bool:
    """Another password, and the end of every session. False: there is no such account."""
    changed = update(accounts).where(accounts.c.name == name).values(password_hash=password_hash)
    found = (await connection.execute(changed)).rowcount == 1
    await _end_sessions(connection, name)
    return found


async def set_role(connection: AsyncConnection, name: str, role: Role) -> bool:
    """Another role, and the end of every session. False: there is no such account."""
    changed = update(accounts).where(accounts.c.name == name).values(role=role.value)
    found = (await connection.execute(changed)).rowcount == 1
    await _end_sessions(connection, name)
    return found


async def remove(connection: AsyncConnection, name: str) -> bool:
    """Ends an account; what it did stays in the log. False: there is no such account."""
    await connection.execute(select(accounts.c.name).where(accounts.c.name == name).with_for_update())
    await _end_sessions(connection, name)
    return (await connection.execute(delete(accounts).where(accounts.c.name == name))).rowcount == 1


async def begin_session(connection: AsyncConnection, name: str, digest: str, *, now: datetime) -> None:
    """The account signed in. Drops those of its sessions that are over."""
    over = or_(sessions.c.seen_at <= now - IDLE, sessions.c.began_at <= now - LONGEST)
    await connection.execute(delete(sessions).where(sessions.c.account == name, over))
    row = {"digest": digest, "account": name, "began_at": now, "seen_at": now}
    await connection.execute(insert(sessions).values(**row))
    await connection.execute(update(accounts).where(accounts.c.name == name).values(signed_in_at=now))


async def session(connection: AsyncConnection, digest: str) -> Session | None:
    """The session with this digest, over or not."""
    query = select(*_ACCOUNT, sessions.c.began_at, sessions.c.seen_at).join(
        sessions, sessions.c.account == accounts.c.name
    )
    row = (await connection.execute(query.where(sessions.c.digest == digest))).one_or_none()
    if row is None:
        return None
    account = Account(name=row.name, role=Role(row.role), created_at=row.created_at, signed_in_at=row.signed_in_at)
    return Session(account=account, began_at=row.began_at, seen_at=row.seen_at)


async def note_use(connection: AsyncConnection, digest: str, *, now: datetime) -> None:
    """A session was used."""
    await connection.execute(update(sessions).where(sessions.c.digest == digest).values(seen_at=now))


async def end_session(connection: AsyncConnection, digest: str) -> str | None:
    """Ends one session. Returns whose it was, None if there is none."""
    ended = delete(sessions).where(sessions.c.digest == digest).returning(sessions.c.account)
    name: str | None = await connection.scalar(ended)
    return name


async def open_sessions(connection: AsyncConnection, *, now: datetime) -> dict[str, int]:
    """How many sessions of each account are not over."""
    query = select(sessions.c.account, func.count()).group_by(sessions.c.account)
    still = query.where(sessions.c.seen_at > now - IDLE, sessions.c.began_at > now - LONGEST)
    return {row[0]: row[1] for row in await connection.execute(still)}


async def note(connection: AsyncConnection, entry: Entry) -> None:
    """One more line in the audit log."""
    await connection.execute(insert(audit).values(**asdict(entry) | {"what": entry.what.value}))


async def came_from(connection: AsyncConnection, name: str, network: str, *, since: datetime) -> bool:
    """True where the account signed in from this network lately."""
    signed_in = audit.c.what == Deed.SIGNED_IN.value
    query = select(audit.c.id).where(audit.c.who == name, audit.c.at > since, audit.c.network == network, signed_in)
    return await connection.scalar(query.limit(1)) is not None


async def forget_networks(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Takes the network out of the oldest lines that still have one; the lines stay. Returns how many."""
    old = select(audit.c.id).where(audit.c.at <= before, audit.c.network != "").order_by(audit.c.id).limit(limit)
    blank = audit.update().where(audit.c.id.in_(old)).values(network="")
    return (await connection.execute(blank)).rowcount


async def log(connection: AsyncConnection, *, limit: int, account: str | None = None) -> list[Entry]:
    """The audit log, newest first; with `account` what that one did and what was done to it."""
    query = select(audit).order_by(audit.c.id.desc()).limit(limit)
    if account is not None:
        query = query.where(or_(audit.c.who == account, audit.c.subject == account))
    rows = await connection.execute(query)
    return [
        Entry(at=row.at, who=row.who, what=Deed(row.what), subject=row.subject, network=row.network, note=row.note)
        for row in rows
    ]


async def _end_sessions(connection: AsyncConnection, name: str) -> None:
    await connection.execute(delete(sessions).where(sessions.c.account == name))
