"""`syndicate up`: everything in one process, until it is told to stop."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
import typer

from syndicate import __version__
from syndicate.cli.opening import settings_of, trouble
from syndicate.errors import ConfigError, Refused, SyndicateError

if TYPE_CHECKING:
    from syndicate.app import App
    from syndicate.settings import Settings

log = structlog.get_logger()


def up(context: typer.Context) -> None:
    """Run everything in this process until it is told to stop.

    It gathers, publishes, composes, sends and serves.

    At SIGTERM or Ctrl-C no new work is begun, what runs ends by itself. A second one stops at once.
    """
    settings = settings_of(context, prepare=True)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_open_and_run(settings))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where there is one: half the cost of serving a feed."""
    with suppress(ImportError):
        import uvloop

        return uvloop.new_event_loop
    return None


async def _open_and_run(settings: "Settings") -> None:
    from sqlalchemy.exc import DBAPIError

    from syndicate import log as logging
    from syndicate.app import open_app
    from syndicate.cli.narrate import Narrator
    from syndicate.work import single_process

    app = open_app(settings)
    logging.set_up(level=settings.log.level, format=settings.log.format, stream=sys.stdout, pepper=app.pepper)
    if settings.log.format == "console":
        Narrator(tell=partial(print, flush=True), zone=app.site.timezone, public_url=app.site.public_url).begin()
    try:
        with single_process(settings.var):
            await _run(app)
    except DBAPIError as error:
        raise await trouble(app, error) from error
    finally:
        await app.aclose()


async def _run(app: "App") -> None:
    """Serves first, and works only while it serves: whoever is mailed a link must find us at home."""
    from syndicate.store import ledger
    from syndicate.web.server import serve
    from syndicate.work import prepare, run_up

    stop, close = asyncio.Event(), asyncio.Event()
    await prepare(app)
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(app, started=ready.set_result, stop=close))
    watched: set[asyncio.Future[Any]] = {ready, serving}
    await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        raise _not_served(serving)
    _heed_signals(stop)
    log.info("process.started", **await _what_runs(app))
    working = asyncio.create_task(run_up(app, stop))
    await asyncio.wait({serving, working}, return_when=asyncio.FIRST_COMPLETED)
    asked = stop.is_set()
    stop.set()
    await asyncio.wait({working})
    close.set()
    await asyncio.wait({serving})
    if not asked or _failed(web=serving, work=working):
        raise SyndicateError("a part of Syndicate ended by itself, so all of it was stopped; the log says why")
    async with app.db.read() as connection:
        doubts = await ledger.on_the_wire(connection, app.node.id)
    log.info("process.stopped", uncertain=doubts)


def _failed(**parts: asyncio.Task[None]) -> bool:
    """Logs what ended a part that was not asked to end."""
    errors = {name: task.exception() for name, task in parts.items() if not task.cancelled()}
    for name, error in errors.items():
        if error is not None:
            log.error("process.part_failed", part=name, exc_info=error)
    return any(errors.values())


def _not_served(serving: asyncio.Task[None]) -> Exception:
    """Why the server didn't come up. An address that is taken is trouble out there, not a fault of the file."""
    error = serving.exception()
    if isinstance(error, ConfigError):
        return Refused(str(error))
    return error if isinstance(error, Exception) else SyndicateError("the web server ended before it had begun")


def _heed_signals(stop: asyncio.Event) -> None:
    """The first signal asks, the second one doesn't: the ledger is made for being stopped anywhere."""

    def ask() -> None:
        if stop.is_set():
            log.warning("process.killed")
            os._exit(1)
        stop.set()
        log.info("process.stopping")

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask)


async def _what_runs(app: "App") -> dict[str, Any]:
    """What is here, and the addresses to open, in the order in which they are told."""
    from syndicate.store import editions

    url, settings = app.site.public_url, app.settings
    async with app.db.read() as connection:
        newest = await editions.newest(connection, limit=1)
    facts: dict[str, Any] = {"version": __version__, "site": app.site.title, "listen": settings.web.listen}
    facts |= {"sources": len(app.sources), "feeds": len(app.feeds)}
    facts |= {"newsletters": len(app.newsletters), "endpoints": len(app.endpoints)}
    facts["feeds_url"] = f"{url}/feeds/"
    if newest:
        facts["newest_edition_url"] = f"{url}/editions/{newest[0].newsletter}/{newest[0].slot}"
    if settings.web.outbox:
        facts["outbox_url"] = f"{url}/outbox"
    if settings.sample:
        facts["sample_receiver_url"] = f"{url}/sample/receiver"
    return facts
