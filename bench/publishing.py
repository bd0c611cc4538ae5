"""The side of `feed-publish` and `feed-fanout` that is ours: a newspaper with 200 feeds, and the real web edge.

Talks in lines of JSON: first where it serves; then, for each line it reads, it commits one new story and publishes, and
says when publishing began and ended on the machine's monotonic clock. Ends when there are no more lines.
"""

import asyncio
import json
import os
import socket
import sys
import time
from datetime import timedelta
from pathlib import Path

import uvloop

from bench.stories import NEWEST, article
from syndicate import log
from syndicate.app import App, open_app
from syndicate.domain.article import content_hash
from syndicate.domain.change import ChangeKind
from syndicate.pipeline.publish import publish_feeds
from syndicate.settings import load, prepare_keys
from syndicate.store import articles, changes
from syndicate.web.server import serve_on
from syndicate.work import prepare


async def main(config: Path, full: int) -> None:
    """Publishes `full` stories, then serves until stdin ends."""
    prepare_keys(config, cwd=Path.cwd())
    app = open_app(load(config, cwd=Path.cwd(), environ=os.environ))
    log.set_up(level="warning", format="json", stream=sys.stderr, pepper=app.pepper)
    try:
        await prepare(app)
        for number in range(full):
            await _commit(app, number)
        await publish_feeds(app.db, app.press, now=NEWEST)
        await _serve(app, full)
    finally:
        await app.aclose()


async def _commit(app: App, number: int) -> None:
    """One story into the change log, as gathering does it."""
    story = article(number)
    async with app.db.write() as connection:
        await articles.add(connection, story, digest=content_hash(story.content))
        seq = await changes.append(
            connection,
            article_id=story.id,
            version=1,
            kind=ChangeKind.PUBLISHED,
            edit=story.edit,
            baseline=False,
            at=story.changed_at,
        )
        await articles.set_state(connection, article(number, seq=seq))


async def _serve(app: App, full: int) -> None:
    stop = asyncio.Event()
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    serving = asyncio.create_task(serve_on(listener, app, started=lambda address: _say(address=address), stop=stop))
    answering = asyncio.create_task(_answer(app, full))
    await asyncio.wait({serving, answering}, return_when=asyncio.FIRST_COMPLETED)
    answering.cancel()
    stop.set()
    await serving


async def _answer(app: App, number: int) -> None:
    """Until there are no more questions."""
    questions = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(questions), sys.stdin)
    async for _ in questions:
        await _commit(app, number)
        now = NEWEST + timedelta(minutes=number)
        began = time.monotonic()
        report = await publish_feeds(app.db, app.press, now=now)
        _say(began=began, ended=time.monotonic(), feeds=len(report.feeds), title=article(number).content.title)
        number += 1


def _say(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


if __name__ == "__main__":
    asyncio.Runner(loop_factory=uvloop.new_event_loop).run(main(Path(sys.argv[1]), int(sys.argv[2])))
