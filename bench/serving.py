"""The side of a feed figure that is ours: one worker with the real web edge, in a process of its own.

It takes the newsroom over and publishes its feeds, then only serves, and counts every SQL statement of the process.
Talks in lines of JSON: first where it serves and how much SQL the preparation took, then, for each line it reads, the
number of statements since. Ends when there are no more lines.
"""

import asyncio
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import uvloop
from sqlalchemy import Engine, event

from syndicate import log
from syndicate.app import App, open_app
from syndicate.settings import load, prepare_keys
from syndicate.web.server import serve_on
from syndicate.work import run_once


class Statements:
    """Counts what any SQLAlchemy engine of this process is about to execute, transactions' BEGIN too."""

    def __init__(self) -> None:
        self.number = 0
        event.listen(Engine, "before_cursor_execute", self._add)

    def _add(self, *_: Any) -> None:
        self.number += 1


async def main(config: Path) -> None:
    """Until stdin ends."""
    statements = Statements()
    prepare_keys(config, cwd=Path.cwd())
    app = open_app(load(config, cwd=Path.cwd(), environ=os.environ))
    log.set_up(level="warning", format="json", stream=sys.stderr, pepper=app.pepper)
    try:
        await run_once(app)
        await _serve(app, statements)
    finally:
        await app.aclose()


async def _serve(app: App, statements: Statements) -> None:
    stop = asyncio.Event()
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)

    def started(address: str) -> None:
        """Requests are taken from now on, and the documents were read from the database for them."""
        prepared, statements.number = statements.number, 0
        _say(address=address, prepared=prepared)

    serving = asyncio.create_task(serve_on(listener, app, started=started, stop=stop))
    answering = asyncio.create_task(_answer(statements))
    await asyncio.wait({serving, answering}, return_when=asyncio.FIRST_COMPLETED)
    answering.cancel()
    stop.set()
    await serving


async def _answer(statements: Statements) -> None:
    """Until there are no more questions."""
    questions = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(questions), sys.stdin)
    async for _ in questions:
        _say(statements=statements.number)


def _say(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


if __name__ == "__main__":
    asyncio.Runner(loop_factory=uvloop.new_event_loop).run(main(Path(sys.argv[1])))
