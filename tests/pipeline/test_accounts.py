"""Signing in: whom it lets in, what it tells nobody, what it ends, and what it writes down."""

import asyncio
import re
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import argon2
import pytest
from sqlalchemy import select, text

from syndicate.domain.account import IDLE, LONGEST, SEEN_EVERY, Deed, Entry, Role, new_session, session_digest
from syndicate.errors import NotFound, Refused
from syndicate.pipeline import accounts as step
from syndicate.pipeline.accounts import (
    COME_BACK,
    FROM_AROUND,
    FROM_THERE,
    HOME_FOR,
    NOBODYS,
    OF_ACCOUNT,
    OF_ACCOUNT_AROUND,
    OF_ACCOUNT_AT_HOME,
    OF_ACCOUNT_THERE,
    Attempt,
    NotSignedIn,
    Porter,
    account_of,
    add_account,
    change_password,
    change_role,
    remove_account,
    sign_out,
)
from syndicate.store import accounts
from syndicate.store.db import Database
from syndicate.store.tables import metadata
from tests.factories import NOW

PASSWORD, OTHER = "empat kata kenari hijau", "empat kata kenari kuning"
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the work itself isn't meant, a thousandth of it: the same code with other figures."""
    hasher = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(step, "_HASHER", hasher)
    monkeypatch.setattr(step, "NOBODYS", NOBODYS.replace("m=19456,t=2", "m=8,t=1"))


def hidden(typed: str) -> str:
    return f"digest-{hash(typed)}"


def attempt(
    name: str = "laksmi", password: str = PASSWORD, *, client: str = "203.0.113.9", cookie: str = ""
) -> Attempt:
    return Attempt(name=name, password=password, client=ip_address(client), cookie=cookie)


@pytest.fixture
async def porter(db: Database) -> Porter:
    """An account `laksmi`, an editor, and who lets her in."""
    await add_account(db, "laksmi", Role.EDITOR, PASSWORD, who="cli:root", now=NOW)
    return Porter(db, hidden)


async def signed_in(porter: Porter, *, now: datetime = NOW, cookie: str = "") -> str:
    session = await porter.sign_in(attempt(cookie=cookie), now=now)
    assert isinstance(session, str)
    return session


async def audit(db: Database) -> list[Entry]:
    async with db.read() as connection:
        return (await accounts.log(connection, limit=100))[::-1]


async def everything(db: Database) -> str:
    """All that stands in the database."""
    async with db.read() as connection:
        return str([(await connection.execute(select(table))).all() for table in metadata.sorted_tables])


async def test_name_and_password_begin_a_session(db: Database, porter: Porter) -> None:
    account = await account_of(db, await signed_in(porter), now=NOW)

    assert account is not None
    assert (account.name, account.role, account.signed_in_at) == ("laksmi", Role.EDITOR, NOW)


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("laksmi", OTHER),
        ("laksmi", ""),
        ("ratna", PASSWORD),
        ("", PASSWORD),
        ("laksmi\0", PASSWORD),
        ("x" * 9000, "y" * 9000),
    ],
)
async def test_anything_else_does_not(db: Database, porter: Porter, name: str, password: str) -> None:
    assert await porter.sign_in(attempt(name, password), now=NOW) is NotSignedIn.WRONG


async def test_a_password_may_be_typed_in_another_form_of_unicode(db: Database, porter: Porter) -> None:
    await change_password(db, "laksmi", "caf\u00e9 yang tutup pagi", who="cli:root", now=NOW)

    assert isinstance(await porter.sign_in(attempt(password="cafe\u0301 yang tutup pagi"), now=NOW), str)


async def test_t31_a_session_that_was_planted_is_never_the_one_that_begins(db: Database, porter: Porter) -> None:
    planted = "ns_" + "A" * 43

    session = await signed_in(porter, cookie=planted)

    assert session != planted
    assert await account_of(db, planted, now=NOW) is None


async def test_t31_signing_in_again_ends_the_session_that_was_shown(db: Database, porter: Porter) -> None:
    first, elsewhere = await signed_in(porter), await signed_in(porter)

    second = await signed_in(porter, cookie=first)

    assert [await account_of(db, one, now=NOW) is not None for one in (first, elsewhere, second)] == [False, True, True]


@pytest.mark.parametrize("change", ["password", "role", "remove"])
async def test_t31_every_session_ends_with_the_password_the_role_and_the_account(
    db: Database, porter: Porter, change: str
) -> None:
    sessions = [await signed_in(porter) for _ in range(2)]
    if change == "password":
        await change_password(db, "laksmi", OTHER, who="cli:root", now=NOW)
    elif change == "role":
        await change_role(db, "laksmi", Role.VIEWER, who="cli:root", now=NOW)
    else:
        await remove_account(db, "laksmi", who="cli:root", now=NOW)

    assert [await account_of(db, one, now=NOW) for one in sessions] == [None, None]


async def test_a_password_that_is_changed_while_somebody_signs_in_with_the_old_one_lets_nobody_in(
    db: Database, porter: Porter, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits, loop = step._fits, asyncio.get_running_loop()

    def fit_then_change(password_hash: str, typed: str) -> bool:
        fitted = fits(password_hash, typed)
        changing = change_password(db, "laksmi", OTHER, who="cli:root", now=NOW)
        asyncio.run_coroutine_threadsafe(changing, loop).result(60)
        return fitted

    monkeypatch.setattr(step, "_fits", fit_then_change)

    assert await porter.sign_in(attempt(), now=NOW) is NotSignedIn.WRONG


async def test_t31_a_session_that_begins_while_the_password_is_changed_ends_with_it(postgres_db: Database) -> None:
    db = postgres_db
    await add_account(db, "laksmi", Role.EDITOR, PASSWORD, who="cli:root", now=NOW)
    shown, digest = new_session(bytes(32))
    async with db.write() as connection:
        await accounts.password_hash(connection, "laksmi", lock=True)
        changing = asyncio.create_task(change_password(db, "laksmi", OTHER, who="cli:root", now=NOW))
        while not await somebody_waits(db):
            assert not changing.done(), "it did not wait for the one who signs in"
        await accounts.begin_session(connection, "laksmi", digest, now=NOW)
    await changing

    assert await account_of(db, shown, now=NOW) is None


async def somebody_waits(db: Database) -> bool:
    """True while a statement waits for another's lock. Asked in a transaction of its own: each sees one state."""
    here = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with db.read() as connection:
        return bool(await connection.scalar(text(f"SELECT count(*) {here}")))


async def test_signing_out_ends_that_session_only(db: Database, porter: Porter) -> None:
    here, there = await signed_in(porter), await signed_in(porter)

    for _ in range(2):  # twice, and for what never was one
        await sign_out(db, here, IPv4Address("203.0.113.9"), now=NOW)
    await sign_out(db, "nothing", IPv4Address("203.0.113.9"), now=NOW)

    assert await account_of(db, here, now=NOW) is None
    assert await account_of(db, there, now=NOW) is not None
    assert [one.what for one in await audit(db)].count(Deed.SIGNED_OUT) == 1


async def test_a_session_lives_as_long_as_it_is_used_but_no_longer_than_a_week(db: Database, porter: Porter) -> None:
    session = await signed_in(porter)
    at = NOW
    while at < NOW + LONGEST - IDLE:
        at += IDLE - MINUTE
        assert await account_of(db, session, now=at) is not None

    assert await account_of(db, session, now=NOW + LONGEST) is None


async def test_a_session_that_is_not_used_ends_and_its_row_goes_with_the_next_sign_in(
    db: Database, porter: Porter
) -> None:
    old = await signed_in(porter)
    later = NOW + IDLE

    assert await account_of(db, old, now=later) is None
    await signed_in(porter, now=later)
    async with db.read() as connection:
        assert await accounts.session(connection, session_digest(old) or "") is None
        assert await accounts.open_sessions(connection, now=later) == {"laksmi": 1}


async def test_not_every_use_of_a_session_is_a_write(db: Database, porter: Porter) -> None:
    session = await signed_in(porter)

    async def seen(at: datetime) -> datetime:
        await account_of(db, session, now=at)
        async with db.read() as connection:
            found = await accounts.session(connection, session_digest(session) or "")
        assert found is not None
        return found.seen_at

    assert await seen(NOW + SEEN_EVERY - timedelta(seconds=1)) == NOW
    assert await seen(NOW + SEEN_EVERY) == NOW + SEEN_EVERY


# ── how often ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def tries(porter: Porter, number: int, **more: str) -> list[NotSignedIn | str]:
    return [await porter.sign_in(attempt(password=OTHER, **more), now=NOW) for _ in range(number)]


async def test_t30_an_account_is_tried_five_times_from_one_place_then_once_a_minute(porter: Porter) -> None:
    assert await tries(porter, 6) == [NotSignedIn.WRONG] * OF_ACCOUNT_THERE.burst + [NotSignedIn.TOO_OFTEN]

    assert await porter.sign_in(attempt(), now=NOW) is NotSignedIn.TOO_OFTEN, "not with the right password either"
    assert isinstance(await porter.sign_in(attempt(), now=NOW + COME_BACK), str)


async def test_t30_who_tries_an_account_locks_nobody_out_who_is_elsewhere(porter: Porter) -> None:
    await tries(porter, 6)

    assert isinstance(await porter.sign_in(attempt(client="198.51.100.7"), now=NOW), str)


async def test_t30_one_place_tries_twenty_times_whatever_the_names(porter: Porter) -> None:
    found = [await porter.sign_in(attempt(f"nama{number}"), now=NOW) for number in range(FROM_THERE.burst + 1)]

    assert found == [NotSignedIn.WRONG] * FROM_THERE.burst + [NotSignedIn.TOO_OFTEN]


@pytest.mark.parametrize(
    ("clients", "limited"),
    [
        ([f"2001:db8:1:2::{number:x}" for number in range(1, 7)], True),  # one /64 is one place
        ([f"2001:db8:1:{number:x}::1" for number in range(1, 7)], False),
    ],
)
async def test_t30_an_ipv6_network_is_one_place(porter: Porter, clients: list[str], limited: bool) -> None:
    found = [await porter.sign_in(attempt(password=OTHER, client=client), now=NOW) for client in clients]

    assert (found[-1] is NotSignedIn.TOO_OFTEN) is limited


async def test_t30_an_account_is_tried_only_so_often_from_everywhere(porter: Porter) -> None:
    clients = [f"198.51.100.{number}" for number in range(OF_ACCOUNT.burst + 1)]

    found = [await porter.sign_in(attempt(password=OTHER, client=client), now=NOW) for client in clients]

    assert found == [NotSignedIn.WRONG] * OF_ACCOUNT.burst + [NotSignedIn.TOO_OFTEN]


def everywhere(number: int) -> list[str]:
    """So many networks of IPv6, of which an attacker rents one /64 each."""
    return [f"2001:db8:{network:x}:1::1" for network in range(number)]


async def lock_out(porter: Porter, at: datetime = NOW) -> None:
    for client in everywhere(OF_ACCOUNT.burst // OF_ACCOUNT_THERE.burst + 1):
        for _ in range(OF_ACCOUNT_THERE.burst):
            await porter.sign_in(attempt(password=OTHER, client=client), now=at)


async def test_t30_an_attacker_with_many_networks_does_not_lock_out_who_comes_from_their_own(porter: Porter) -> None:
    await signed_in(porter)
    later = NOW + timedelta(days=30)
    await lock_out(porter, later)

    assert await porter.sign_in(attempt(client="192.0.2.9"), now=later) is NotSignedIn.TOO_OFTEN
    assert isinstance(await porter.sign_in(attempt(), now=later), str)


async def test_t30_a_network_that_nobody_signed_in_from_for_a_season_is_as_any_other(porter: Porter) -> None:
    await signed_in(porter)
    later = NOW + HOME_FOR
    await lock_out(porter, later)

    assert await porter.sign_in(attempt(), now=later) is NotSignedIn.TOO_OFTEN


async def test_t30_a_network_is_home_to_who_signed_in_there_and_to_nobody_else(db: Database, porter: Porter) -> None:
    await add_account(db, "ratna", Role.OPERATOR, PASSWORD, who="cli:root", now=NOW)
    await signed_in(porter)
    for number in range(OF_ACCOUNT.burst):
        await porter.sign_in(attempt("ratna", OTHER, client=f"198.51.{number}.1"), now=NOW)

    assert await porter.sign_in(attempt("ratna"), now=NOW) is NotSignedIn.TOO_OFTEN


async def test_t30_from_home_too_an_account_is_tried_only_so_often(porter: Porter) -> None:
    await signed_in(porter)
    clients = [f"203.0.113.{number}" for number in range(10, 11 + OF_ACCOUNT_AT_HOME.burst)]

    found = [await porter.sign_in(attempt(password=OTHER, client=client), now=NOW) for client in clients]

    assert found[-2:] == [NotSignedIn.WRONG, NotSignedIn.TOO_OFTEN]


async def test_t30_who_has_a_whole_48_tries_an_account_twenty_times(porter: Porter) -> None:
    clients = [f"2001:db8:1:{number:x}::1" for number in range(OF_ACCOUNT_AROUND.burst + 1)]

    found = [await porter.sign_in(attempt(password=OTHER, client=client), now=NOW) for client in clients]

    assert found == [NotSignedIn.WRONG] * OF_ACCOUNT_AROUND.burst + [NotSignedIn.TOO_OFTEN]
    assert isinstance(await porter.sign_in(attempt(client="2001:db8:2::1"), now=NOW), str)


async def test_t30_who_has_a_whole_48_tries_eighty_times_whatever_the_names(porter: Porter) -> None:
    spread = [(f"nama{number}", f"2001:db8:1:{number:x}::1") for number in range(FROM_AROUND.burst + 1)]

    found = [await porter.sign_in(attempt(name, client=client), now=NOW) for name, client in spread]

    assert found == [NotSignedIn.WRONG] * FROM_AROUND.burst + [NotSignedIn.TOO_OFTEN]


async def test_t30_at_most_two_passwords_are_tried_at_once_and_few_wait(
    porter: Porter, monkeypatch: pytest.MonkeyPatch
) -> None:
    trying, most, lock, go_on = 0, 0, threading.Lock(), threading.Event()
    two, loop = asyncio.Event(), asyncio.get_running_loop()

    def hold(*_: object) -> bool:
        nonlocal trying, most
        with lock:
            trying += 1
            most = max(most, trying)
        if most == 2:
            loop.call_soon_threadsafe(two.set)
        assert go_on.wait(60)
        with lock:
            trying -= 1
        return False

    monkeypatch.setattr(step, "_fits", hold)
    coming = [attempt(f"nama{n}", client=f"198.51.100.{n}") for n in range(60)]
    asked = [asyncio.create_task(porter.sign_in(one, now=NOW)) for one in coming]
    await asyncio.wait_for(two.wait(), 60)
    refused = [task.result() for task in asked if task.done()]
    go_on.set()
    found = await asyncio.gather(*asked)

    assert refused == [NotSignedIn.TOO_OFTEN] * 44
    assert found.count(NotSignedIn.WRONG) == 16
    assert most == 2


def test_t30_an_unknown_name_costs_as_much_as_a_wrong_password() -> None:
    hashed = argon2.PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1).hash(PASSWORD)

    assert argon2.extract_parameters(NOBODYS) == argon2.extract_parameters(hashed)
    assert len(NOBODYS) == len(hashed)


# ── what is written down ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_audit_log_says_who_did_what_to_whom_when_and_from_where(db: Database, porter: Porter) -> None:
    session = await signed_in(porter)
    await porter.sign_in(attempt(password=OTHER, client="2001:db8:1:2::9"), now=NOW)
    await porter.sign_in(attempt("ratna"), now=NOW)
    await sign_out(db, session, IPv6Address("2001:db8:1:2::9"), now=NOW)
    await change_password(db, "laksmi", OTHER, who="cli:root", now=NOW)
    await change_role(db, "laksmi", Role.OPERATOR, who="cli:root", now=NOW)
    await remove_account(db, "laksmi", who="cli:root", now=NOW + MINUTE)

    found = [(one.who, one.what.value, one.subject, one.network, one.note) for one in await audit(db)]

    assert found == [
        ("cli:root", "account_added", "laksmi", "", "editor"),
        ("laksmi", "signed_in", "laksmi", "203.0.113.0/24", ""),
        ("", "sign_in_failed", "laksmi", "2001:db8:1::/48", ""),
        ("", "sign_in_failed", "", "203.0.113.0/24", ""),
        ("laksmi", "signed_out", "laksmi", "2001:db8:1::/48", ""),
        ("cli:root", "password_changed", "laksmi", "", ""),
        ("cli:root", "role_changed", "laksmi", "", "operator"),
        ("cli:root", "account_removed", "laksmi", "", ""),
    ]


def test_no_statement_drops_a_line_of_the_audit_log_and_one_changes_it() -> None:
    package = Path(step.__file__).parents[1]
    sources = [path.read_text("utf-8") for path in package.rglob("*.py")]
    changes = re.compile(r"(?:update|delete|upsert)\(audit|audit\.(?:update|delete).*")
    changing = [found for one in sources for found in changes.findall(one)]

    assert changing == ['audit.update().where(audit.c.id.in_(old)).values(network="")']
    assert not [one for one in sources if "DELETE FROM audit" in one or "UPDATE audit" in one]


async def test_networks_are_taken_out_of_old_lines_and_the_lines_stay(db: Database, porter: Porter) -> None:
    await signed_in(porter)
    await signed_in(porter, now=NOW + MINUTE)
    async with db.write() as connection:
        blanked = [await accounts.forget_networks(connection, before=NOW, limit=9) for _ in range(2)]

    assert blanked == [1, 0]
    assert [(one.what, one.network) for one in await audit(db)] == [
        (Deed.ADDED, ""),
        (Deed.SIGNED_IN, ""),
        (Deed.SIGNED_IN, "203.0.113.0/24"),
    ]


async def test_t45_no_password_and_no_session_stands_in_the_database(db: Database, porter: Porter) -> None:
    session = await signed_in(porter)
    await porter.sign_in(attempt(name=PASSWORD, password=OTHER), now=NOW)  # typed into the wrong field
    await change_password(db, "laksmi", OTHER, who="cli:root", now=NOW)
    whole = await everything(db)

    assert "laksmi" in whole
    assert "$argon2id$" in whole
    for secret in (PASSWORD, OTHER, session, session.removeprefix("ns_"), "203.0.113.9"):
        assert secret not in whole


# ── accounts ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_account_is_made_once(db: Database, porter: Porter) -> None:
    with pytest.raises(Refused, match="there is an account laksmi already"):
        await add_account(db, "laksmi", Role.OPERATOR, OTHER, who="cli:root", now=NOW)

    assert isinstance(await porter.sign_in(attempt(), now=NOW), str)


@pytest.mark.parametrize(
    ("name", "password", "why"),
    [("Laksmi P", OTHER, "can't be a name"), ("ratna", "password1234", "can't be a password"), ("ratna", "", "0 char")],
)
async def test_what_can_be_no_account_is_refused_and_nothing_is_written(
    db: Database, name: str, password: str, why: str
) -> None:
    with pytest.raises(Refused, match=why):
        await add_account(db, name, Role.VIEWER, password, who="cli:root", now=NOW)

    assert await audit(db) == []


async def test_an_account_that_is_not_there_is_said_with_those_that_are(db: Database, porter: Porter) -> None:
    for change in (
        change_password(db, "ratna", OTHER, who="cli:root", now=NOW),
        change_role(db, "ratna", Role.VIEWER, who="cli:root", now=NOW),
        remove_account(db, "ratna", who="cli:root", now=NOW),
    ):
        with pytest.raises(NotFound, match=r"no account called 'ratna'\. Known: laksmi"):
            await change


async def test_t32_there_is_no_account_that_nobody_made(db: Database) -> None:
    porter = Porter(db, hidden)
    pairs: Iterator[tuple[str, str]] = (
        (name, password)
        for name in ("admin", "root", "operator", "syndicate")
        for password in ("admin", "", "password")
    )

    async with db.read() as connection:
        assert await accounts.listed(connection) == []
    assert {await porter.sign_in(attempt(*pair), now=NOW) for pair in pairs} == {NotSignedIn.WRONG}
