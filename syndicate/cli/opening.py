"""What nearly every command does around its own work: read the configuration, open the App, close it again."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from pwd import getpwuid
from typing import TYPE_CHECKING, TypeVar

import typer

from syndicate.errors import StoreTrouble

if TYPE_CHECKING:
    from syndicate.app import App
    from syndicate.settings import Settings

_R = TypeVar("_R")


def settings_of(context: typer.Context, *, prepare: bool = False, secrets: bool = True) -> "Settings":
    """The settings of this call. `prepare` makes the keys first, if there are none yet; `secrets` as in `load`."""
    from syndicate.settings import load, prepare_keys

    path: Path | None = context.obj
    if prepare:
        prepare_keys(path, cwd=Path.cwd())
    return load(path, cwd=Path.cwd(), environ=os.environ, secrets=secrets)


def with_app(context: typer.Context, work: Callable[["App"], Awaitable[_R]], *, secrets: bool = False) -> _R:
    """Opens the App for one piece of work. What is logged meanwhile goes to stderr, from WARNING up.

    Only work that hands something out needs `secrets`; without them channels that have a password aren't there.
    """
    settings = settings_of(context, secrets=secrets)
    return asyncio.run(_work(settings, work))


def who_says() -> str:
    """The user of this machine, as the audit log names them."""
    try:
        return f"cli:{getpwuid(os.getuid()).pw_name}"
    except KeyError:  # a container's user may have no name
        return f"cli:{os.getuid()}"


async def _work(settings: "Settings", work: Callable[["App"], Awaitable[_R]]) -> _R:
    from sqlalchemy.exc import DBAPIError

    from syndicate import log
    from syndicate.app import open_app

    app = open_app(settings)
    log.set_up(level="warning", format=settings.log.format, stream=sys.stderr, pepper=app.pepper)
    try:
        return await work(app)
    except DBAPIError as error:
        raise await trouble(app, error) from error
    finally:
        await app.aclose()


async def trouble(app: "App", error: Exception) -> StoreTrouble:
    """A database error in words. Most often the schema isn't there yet."""
    from syndicate.store.schema import pending

    if await pending(app.db):
        return StoreTrouble("the database isn't ready for this version; run `syndicate migrate`, or `syndicate up`")
    reason = str(getattr(error, "orig", error)).strip().splitlines()
    return StoreTrouble(f"the database can't answer: {reason[0] if reason else type(error).__name__}")
