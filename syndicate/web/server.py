"""The web server: uvicorn inside our own loop, without its signal handlers, with deadlines for what clients send."""

import asyncio
import errno
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import uvicorn
from starlette.types import ASGIApp

from syndicate.app import App
from syndicate.errors import Refused
from syndicate.pipeline.weigh import keep_weighing
from syndicate.web.deadline import DeadlineProtocol
from syndicate.web.site import open_site

MOST_CONNECTIONS = 800  # at once, then 503: below the usual 1,024 open files of a process
DRAIN_SECONDS = 10  # for answers that are under way when we are told to stop
_TICKS = 10  # uvicorn ticks ten times a second


class Server(uvicorn.Server):
    """uvicorn, with our own start and our own deadlines. A test holds it to the methods used here."""

    def __init__(self, config: uvicorn.Config, *, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell_started = started

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        """The edge that started us handles signals, not uvicorn."""
        return nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Tells when requests are taken."""
        await super().startup(sockets)
        self._tell_started()

    async def on_tick(self, counter: int) -> bool:
        """Once a second, ends the connections that are late."""
        if counter % _TICKS == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, DeadlineProtocol):
                    connection.end_if_late(now)
        return await super().on_tick(counter)


def listen(app: App) -> socket.socket:
    """Takes `[web] listen`; whoever connects waits until it is served. Raises Refused when it can't be had."""
    host, port = app.settings.web.bind
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        where = app.settings.web.listen
        if error.errno == errno.EADDRINUSE:
            raise Refused(f"{where} is in use; stop what uses it, or change [web] listen") from error
        reason = str(error.strerror).partition(" (")[0]  # without what the socket module adds in brackets
        raise Refused(f"{where} can't be listened on ({reason}); change [web] listen") from error


async def serve_on(
    listener: socket.socket,
    app: App,
    *,
    started: Callable[[str], None],
    stop: asyncio.Event,
    protocol: type[DeadlineProtocol] = DeadlineProtocol,
) -> None:
    """Answers on a socket that listens until `stop` is set, then finishes what is under way, and closes it.

    `started` gets the address once requests are taken. Needs no database to start: feeds come from files.
    """
    site = open_site(app)
    await asyncio.to_thread(site.shelf.take_files)
    app.db.feeds_published.clear()  # what was published before is among the first news
    if not await site.shelf.take_news(app.db):
        app.db.feeds_published.set()  # asked again until it can be read
    host, port = listener.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    server = Server(_config(site.asgi, protocol), started=lambda: started(address))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    loops = (site.shelf.keep_fresh(app.db), site.shelf.keep_files(), keep_weighing(app.press))
    keeping = [asyncio.create_task(loop) for loop in loops]
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        server.should_exit = True
        for task in keeping:
            task.cancel()
        stopping.cancel()
        await serving


def _config(asgi: ASGIApp, protocol: type[DeadlineProtocol]) -> uvicorn.Config:
    return uvicorn.Config(
        asgi,
        http=protocol,
        loop="none",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
