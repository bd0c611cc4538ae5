"""The life of `syndicate up`: open, serve, work, drain, close."""

import asyncio
import os
import signal
import socket
import sys
from functools import partial
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from syndicate import __version__
from syndicate import log as logging
from syndicate.app import App, open_app
from syndicate.cli.narrate import Narrator
from syndicate.cli.opening import trouble
from syndicate.errors import SyndicateError
from syndicate.settings import Settings
from syndicate.store import editions, ledger
from syndicate.web.server import listen, serve_on
from syndicate.work import prepare, run_up, single_process

log = structlog.get_logger()


async def open_and_run(settings: Settings) -> None:
    """Until a signal. Raises SyndicateError when it could not begin, or ended without being asked."""
    app = open_app(settings)
    logging.set_up(level=settings.log.level, format=settings.log.format, stream=sys.stdout, pepper=app.pepper)
    if settings.log.format == "console":
        Narrator(tell=partial(print, flush=True), zone=app.site.timezone, public_url=app.site.public_url).begin()
    try:
        with single_process(settings.var), listen(app) as listener:
            await _run(app, listener)
    except DBAPIError as error:
        raise await trouble(app, error) from error
    finally:
        await app.aclose()


async def _run(app: App, listener: socket.socket) -> None:
    """Serves first, and works only while it serves: whoever is mailed a link must find us at home."""
    stop, close = asyncio.Event(), asyncio.Event()
    await prepare(app)
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve_on(listener, app, started=ready.set_result, stop=close))
    watched: set[asyncio.Future[Any]] = {ready, serving}
    await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
    if not ready.done():
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
    failed = _failed(web=serving, work=working)
    if failed or not asked:
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
    """Why the server didn't come up."""
    error = serving.exception()
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


async def _what_runs(app: App) -> dict[str, Any]:
    """What is here, and the addresses to open, in the order in which they are told."""
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
