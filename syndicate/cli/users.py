"""`syndicate users …`: who of the house may sign in at the pages, what they may do there, and what was done."""

import sys
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syndicate.cli import show
from syndicate.cli.opening import who_says, with_app
from syndicate.domain.account import Role
from syndicate.errors import Refused

if TYPE_CHECKING:
    from syndicate.app import App
    from syndicate.domain.account import Entry

_Name = Annotated[str, typer.Argument(metavar="NAME", help="An account's name.")]
_Role = Annotated[Role, typer.Option(help="What the account may do: look; change what is sent; run the place.")]
_PasswordFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Its first line is the password; else it is asked for, or stdin is read."),
]


def add(
    context: typer.Context,
    name: _Name,
    *,
    role: _Role = Role.VIEWER,
    password_file: _PasswordFile = None,
    json: show.Json = False,
) -> None:
    """Make an account.

    The password is asked for without being shown; without a terminal it is the first line of stdin.
    """
    password = _password(password_file)
    with_app(context, lambda app: _add(app, name, role, password))
    show.as_json({"name": name, "role": role}) if json else print(f"{name} may sign in now, as {role}.")


def list_all(context: typer.Context, *, json: show.Json = False) -> None:
    """List the accounts, their roles, and how many sessions each has open."""
    rows, zone = with_app(context, _list)
    if json:
        show.as_json(rows)
        return
    show.table(
        ("account", "role", "made", "last sign-in", "sessions"),
        [
            (
                *(r["name"], r["role"], show.moment(r["created_at"], zone)),
                *(show.moment(r["signed_in_at"], zone), r["sessions"]),
            )
            for r in rows
        ],
        empty="There is no account; `syndicate users add NAME --role operator` makes the first.",
    )


def password(
    context: typer.Context, name: _Name, *, password_file: _PasswordFile = None, json: show.Json = False
) -> None:
    """Give an account another password. All its sessions end.

    It is asked for as by `add`.
    """
    typed = _password(password_file)
    with_app(context, lambda app: _change_password(app, name, typed))
    show.as_json({"name": name}) if json else print(f"{name} has another password; every session of theirs has ended.")


def role(
    context: typer.Context,
    name: _Name,
    new: Annotated[Role, typer.Argument(metavar="ROLE", help="viewer, editor or operator.")],
    *,
    json: show.Json = False,
) -> None:
    """Change what an account may do. All its sessions end."""
    with_app(context, lambda app: _change_role(app, name, new))
    show.as_json({"name": name, "role": new}) if json else print(f"{name} is {new} now, and has to sign in again.")


def remove(context: typer.Context, name: _Name, *, json: show.Json = False) -> None:
    """End an account and all its sessions. What it did stays in the log."""
    with_app(context, lambda app: _remove(app, name))
    show.as_json({"removed": name}) if json else print(f"{name} can't sign in any more.")


def log(
    context: typer.Context,
    *,
    account: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only what it did and what was done to it.")
    ] = None,
    limit: show.Limit = 50,
    json: show.Json = False,
) -> None:
    """Show the audit log, newest first: sign-ins, failed ones, and what was done to accounts."""
    found, zone = with_app(context, lambda app: _log(app, account=account, limit=limit))
    if json:
        show.as_json(found)
        return
    show.table(
        ("at", "who", "what", "account", "from", "note"),
        [(show.moment(e.at, zone), e.who, e.what.replace("_", " "), e.subject, e.network, e.note) for e in found],
        empty="Nothing was done yet.",
    )


def _password(file: Path | None) -> str:
    """Never an argument: those stand in the process list and in the shell's history."""
    if file is None and sys.stdin.isatty():
        return _asked()
    raw = file.read_bytes() if file is not None else sys.stdin.buffer.read()
    try:
        return raw.decode().partition("\n")[0].removesuffix("\r")
    except UnicodeDecodeError:
        raise Refused("this can't be a password: it is not written in UTF-8") from None


def _asked() -> str:
    typed = getpass("Password: ")
    if getpass("Once more: ") != typed:
        raise Refused("the two are not the same; nothing was changed")
    return typed


async def _add(app: "App", name: str, role: Role, password: str) -> None:
    from syndicate.pipeline.accounts import add_account
    from syndicate.store.schema import is_new, migrate

    if await is_new(app.db):  # accounts may be there before the first start
        await migrate(app.db)
    await add_account(app.db, name, role, password, who=who_says(), now=app.clock.now())


async def _list(app: "App") -> tuple[list[dict[str, Any]], str]:
    from syndicate.store import accounts

    async with app.db.read() as connection:
        found = await accounts.listed(connection)
        sessions = await accounts.open_sessions(connection, now=app.clock.now())
    return [vars(one) | {"sessions": sessions.get(one.name, 0)} for one in found], app.site.timezone


async def _change_password(app: "App", name: str, password: str) -> None:
    from syndicate.pipeline.accounts import change_password

    await change_password(app.db, name, password, who=who_says(), now=app.clock.now())


async def _change_role(app: "App", name: str, role: Role) -> None:
    from syndicate.pipeline.accounts import change_role

    await change_role(app.db, name, role, who=who_says(), now=app.clock.now())


async def _remove(app: "App", name: str) -> None:
    from syndicate.pipeline.accounts import remove_account

    await remove_account(app.db, name, who=who_says(), now=app.clock.now())


async def _log(app: "App", *, account: str | None, limit: int) -> tuple[list["Entry"], str]:
    from syndicate.store import accounts

    async with app.db.read() as connection:
        return await accounts.log(connection, limit=limit, account=account), app.site.timezone
