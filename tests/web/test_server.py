"""The server itself: it starts, stops politely, leaves signals alone, and says when it can't have its address."""

import asyncio
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import structlog
import uvicorn
from structlog.typing import EventDict, WrappedLogger

from syndicate.app import App, open_app
from syndicate.errors import Refused
from syndicate.settings import load
from syndicate.store import files
from syndicate.store.files import Document
from syndicate.web.server import Server, listen, serve_on
from tests.web.paper import PATIENCE, configure

REQUEST = b"GET /feeds/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def app_on(folder: Path, port: int) -> App:
    listen = f"127.0.0.1:{port}"
    configure(folder, f"http://{listen}", listen, sample=False)
    (folder / "newsroom").mkdir()
    return open_app(load(None, cwd=folder, environ={}))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def test_it_serves_until_it_is_told_to_stop_and_leaves_signals_alone(tmp_path: Path) -> None:
    app, stop = app_on(tmp_path, free_port()), asyncio.Event()
    started: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    serving = asyncio.create_task(serve_on(listen(app), app, started=started.set_result, stop=stop))
    address = await asyncio.wait_for(started, PATIENCE)
    during = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    reader, writer = await asyncio.open_connection("127.0.0.1", app.settings.web.bind.port)
    writer.write(REQUEST)
    answer = await asyncio.wait_for(reader.readline(), PATIENCE)
    stop.set()
    await asyncio.wait_for(serving, PATIENCE)
    await reader.read()  # an idle connection is closed
    writer.close()
    await app.aclose()

    assert address == f"http://{app.settings.web.listen}"
    assert answer == b"HTTP/1.1 200 OK\r\n"
    assert during == before


@pytest.fixture
def named() -> Iterator[asyncio.Event]:
    """Set when the log names a feed that is too large."""
    found = asyncio.Event()

    def hear(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        if (event["event"], event.get("feed")) == ("feed.large", "terkini"):
            found.set()
        return event

    structlog.configure(processors=[hear, *structlog.get_config()["processors"]])
    yield found
    structlog.reset_defaults()


async def test_a_feed_that_is_too_large_is_served_and_named_in_the_log(tmp_path: Path, named: asyncio.Event) -> None:
    app, stop = app_on(tmp_path, free_port()), asyncio.Event()
    large = Document(name="terkini.rss", media_type="x/x", etag="a", last_modified=1, plain=b"<" * 600_000, gzipped=b"")
    files.write_document(app.press.folder, large)
    started: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve_on(listen(app), app, started=started.set_result, stop=stop))
    address = await asyncio.wait_for(started, PATIENCE)
    await asyncio.wait_for(named.wait(), PATIENCE)
    async with httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{address}/feeds/terkini.rss", headers={"accept-encoding": "identity"})
    stop.set()
    await asyncio.wait_for(serving, PATIENCE)
    await app.aclose()

    assert answer.content == large.plain


async def test_an_answer_that_is_under_way_is_finished(tmp_path: Path) -> None:
    app, stop = app_on(tmp_path, free_port()), asyncio.Event()
    started: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve_on(listen(app), app, started=started.set_result, stop=stop))
    await asyncio.wait_for(started, PATIENCE)

    reader, writer = await asyncio.open_connection("127.0.0.1", app.settings.web.bind.port)
    writer.write(b"DELETE /feeds/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\nx")
    writer.write(b"x" + REQUEST)
    stop.set()
    answers = await asyncio.wait_for(reader.read(), PATIENCE)
    await asyncio.wait_for(serving, PATIENCE)
    writer.close()
    await app.aclose()

    assert answers.startswith(b"HTTP/1.1 405 ")
    assert b"</html>" in answers


async def test_a_taken_address_is_named_with_a_cure(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        app = app_on(tmp_path, port)
        with pytest.raises(Refused) as caught:
            listen(app)
        await app.aclose()

    assert str(caught.value) == f"127.0.0.1:{port} is in use; stop what uses it, or change [web] listen"


def test_uvicorn_still_has_what_the_server_hangs_on() -> None:
    for name in ("capture_signals", "startup", "on_tick"):
        assert name in vars(uvicorn.Server), name
        assert name in vars(Server), name
