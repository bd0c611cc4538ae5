"""A send to thousands amid random kills, a sink that errs, and readers who leave, until the edition is done."""

import asyncio
import os
import random
import signal
import socket
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import or_, select

from syndicate.app import App
from syndicate.domain.audience import Subscriber
from syndicate.domain.delivery import State
from syndicate.domain.edition import EditionState
from syndicate.pipeline import enqueue
from syndicate.pipeline.postroom import unsubscribe_url
from syndicate.pipeline.relay import LANES, run_due
from syndicate.schedule.slots import ask_for_gathering, fire_due
from syndicate.store import editions
from syndicate.store.tables import deliveries, subscribers
from syndicate.work import handlers
from tests.faults.audit import Ledger, Line, audit, read_lines
from tests.faults.killing import ROOT
from tests.faults.nursery import BATCH
from tests.faults.project import Project, add_subscribers, lay_out, smtp
from tests.servers.mailgun import DOMAIN, KEY

READERS, KILLS, LEAVING = 5000, 60, 40
CONNECTIONS = 2  # by SMTP; a provider has one
PATIENCE = 120.0  # seconds: a hang guard
MAILGUN = """kind = "mailgun"
domain = "{domain}"
api_key = "env:FAULT_KEY"
url = "http://127.0.0.1:{port}"
timeout = "1 s"
"""
MOST_DOUBTS: Mapping[str, int] = {"smtp": 8 * CONNECTIONS, "mailgun": BATCH}  # a kill
_IDLE = 3.0  # seconds without a line: all that is left waits for a later time
_TURN, _LONG_TURN = 20, 600  # seconds that each life is later than the one before, amid the kills and after them
_MOST_TURNS = 25


@dataclass(kw_only=True)
class Ending:
    """How it went."""

    wrong: list[str]
    kills: int = 0
    working: int = 0  # of the kills: the sink had seen something of this life
    amid: int = 0  # of these: something was on the wire, so the kill made doubts
    left: int = 0
    lines: list[Line] = field(default_factory=list)


class Tail:
    """A log that grows."""

    def __init__(self, path: Path) -> None:
        path.touch()
        self._file = path.open("rb")
        self.lines, self.front = 0, 0  # of what was read; the highest number of a reader in it

    def read(self) -> int:
        """How many lines there are by now."""
        news = self._file.read()
        self.lines += news.count(b"\n")
        at = news.rfind(b'"pembaca')
        if at >= 0 and b"@" in news[at:]:
            self.front = max(self.front, int(news[at + 8 : news.index(b"@", at)]))
        return self.lines

    def close(self) -> None:
        """Nothing more is read."""
        self._file.close()

    async def reach(self, lines: int) -> None:
        """Returns when there are so many, or it hasn't grown for a while."""
        seen, since = self.read(), time.monotonic()
        while self.read() < lines and time.monotonic() - since < _IDLE:
            if self.lines > seen:
                seen, since = self.lines, time.monotonic()
            await asyncio.sleep(0.002)


class Nursery:
    """Where workers are born. See nursery.py."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.pid = 0

    async def bear(self, ahead: float) -> None:
        """A worker has begun."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{ahead}\n".encode())
        self.pid = int(await self._heard("born"))

    async def at_home(self) -> None:
        """It works."""
        await self._heard("home")

    async def end(self, number: signal.Signals) -> int:
        """Sends it a signal; returns how it ended."""
        os.kill(self.pid, number)
        return int(await self._heard("gone", skip="home"))

    async def _heard(self, what: str, *, skip: str = "") -> str:
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            words = (await self._process.stdout.readline()).decode().split()
            while words and words[0] == skip:
                words = (await self._process.stdout.readline()).decode().split()
        assert words[:1] == [what], f"the worker was to be {what}, and it is {' '.join(words)}; see worker.log"
        return words[-1]


@asynccontextmanager
async def _started(*arguments: str, environ: Mapping[str, str]) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *arguments), cwd=ROOT, env={**os.environ, **environ}, stdin=PIPE, stdout=PIPE
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


class Storm:
    """One run."""

    def __init__(self, project: Project, kind: str, log: Path, *, kills: int, seed: int) -> None:
        self._project, self._kind, self._log = project, kind, log
        self._chance = random.Random(seed)
        self._tail = Tail(log)
        self._ahead = 0.0
        self._urls: list[str] = []  # by the reader's number
        self._wanted: list[str] = []
        self._leaving: set[int] = set()
        self._left: dict[str, float] = {}
        self._kills = kills
        self._ending = Ending(wrong=[])

    async def run(self, monkeypatch: pytest.MonkeyPatch) -> Ending:
        """From the frozen edition to the checked books."""
        monkeypatch.setattr(enqueue, "BATCH", BATCH)
        app = self._project.open()
        try:
            await self._compose(app)
            async with _started("tests.faults.nursery", str(self._project.folder), environ=self._project.environ) as it:
                nursery = Nursery(it)
                while self._ending.working < self._kills and not await self._is_done(app):
                    await self._short_life(nursery)
                await self._finish(app, nursery)
            await self._check(app)
        finally:
            self._tail.close()
            await app.aclose()
        return self._ending

    async def _compose(self, app: App) -> None:
        """Everything up to the mails."""
        self._wanted = await add_subscribers(app, READERS)
        lanes = [lane for lane in LANES if lane.name != "bulk"]
        await ask_for_gathering(app.db, [config for config, _ in app.sources.values()], now=app.clock.now())
        await run_due(app.db, handlers(app), lanes, app.clock)
        for newsletter in app.newsletters.values():
            await fire_due(app.db, newsletter, node=app.node.id, now=app.clock.now())
        await run_due(app.db, handlers(app), lanes, app.clock)
        async with app.db.read() as connection:
            rows = (await connection.execute(select(subscribers).order_by(subscribers.c.id))).all()
        people = [Subscriber(id=row.id, address=row.address, created_at=row.created_at) for row in rows]
        self._urls = [unsubscribe_url(app.site, app.room.ring, "pagi", person) for person in people]

    async def _short_life(self, nursery: Nursery) -> None:
        """A worker is killed: mostly when so much was sent, at times while it still begins."""
        before = self._tail.read()
        await nursery.bear(self._ahead)
        if self._chance.random() < 0.1:
            await asyncio.sleep(self._chance.uniform(0.0, 0.1))
        else:
            await nursery.at_home()
            leaving = [asyncio.create_task(self._leave(who)) for who in self._who_leaves()]
            await self._tail.reach(before + self._lines())
            await asyncio.sleep(self._chance.uniform(0.0, 0.01 if self._kind == "smtp" else 0.1))
            ended = await nursery.end(signal.SIGKILL)
            await asyncio.gather(*leaving)
            assert ended == -signal.SIGKILL, f"the worker ended by itself, with {ended}"
            self._ending.kills += 1
            self._ending.working += self._tail.read() > before
            self._ahead += _TURN
            return
        assert await nursery.end(signal.SIGKILL) == -signal.SIGKILL
        self._ending.kills += 1
        self._ahead += _TURN

    def _lines(self) -> int:
        """After how many more lines the next kill comes, so that the work lasts as long as the kills do.

        A provider's come by the call, and what a call that is killed had isn't sent again: they are soon used up.
        """
        of_a_piece, each, spare = (1, 2, 3) if self._kind == "smtp" else (BATCH, 1, 14)
        pieces = (READERS * each - self._tail.lines) / of_a_piece
        share = pieces / (self._kills - self._ending.working + spare)
        return of_a_piece * int(self._chance.uniform(0.0, max(0.0, 2 * (share - 1))) + 0.5) + 1

    def _who_leaves(self) -> list[int]:
        """Half of them are about to be sent to."""
        again = [who for who in self._leaving if self._wanted[who] not in self._left]
        for _ in range(min(2, LEAVING - len(self._leaving))):
            near = self._chance.random() < 0.5
            ahead = self._tail.front + self._chance.randint(1, 2 * BATCH) if near else self._chance.randrange(READERS)
            who = min(ahead, READERS - 1)
            if who not in self._leaving:
                self._leaving.add(who)
                again.append(who)
        return again

    async def _leave(self, who: int) -> None:
        """The click in a mail program (RFC 8058); unanswered because of a kill, it is made again in the next life."""
        await asyncio.sleep(self._chance.uniform(0.0, 0.05))
        parts = urlsplit(self._urls[who])
        body = b"List-Unsubscribe=One-Click"
        head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\nContent-Length: {len(body)}"
        kind = "Content-Type: application/x-www-form-urlencoded"
        answer = b""
        with suppress(OSError):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            try:
                writer.write(f"{head}\r\n{kind}\r\n\r\n".encode() + body)
                answer = await reader.readline()
            finally:
                writer.close()
        if answer.startswith(b"HTTP/1.1 200"):
            self._left.setdefault(self._wanted[who], time.time())
        else:
            assert not answer, f"a reader may not leave: {answer!r}"

    async def _finish(self, app: App, nursery: Nursery) -> None:
        """Lives that end in peace, each some minutes later, until nothing is left to do."""
        for _ in range(_MOST_TURNS):
            self._ahead += _LONG_TURN
            await nursery.bear(self._ahead)
            await nursery.at_home()
            await asyncio.gather(*(self._leave(who) for who in self._who_leaves()))
            await self._wait(app)
            assert await nursery.end(signal.SIGTERM) == 0
            if await self._is_done(app):
                return
        raise AssertionError(f"the edition is not done after {_MOST_TURNS} peaceful starts")

    async def _wait(self, app: App) -> None:
        until = time.monotonic() + PATIENCE
        busy = True
        while busy and time.monotonic() < until:
            await asyncio.sleep(0.05)
            busy = await self._is_busy(app)

    async def _is_done(self, app: App) -> bool:
        async with app.db.read() as connection:
            (edition,) = await editions.newest(connection, limit=5, newsletter="pagi")
        return edition.state is EditionState.DONE

    async def _is_busy(self, app: App) -> bool:
        """Not all is settled or waits for a later time."""
        if await self._is_done(app):
            return False
        now = app.clock.now() + timedelta(seconds=self._ahead)
        states = [state.value for state in (State.DUE, State.CLAIMED, State.SENDING)]
        at_once = or_(deliveries.c.state.in_(states), deliveries.c.not_before <= now)
        is_open = deliveries.c.state.in_([*states, State.DEFERRED.value])
        async with app.db.read() as connection:
            query = select(deliveries.c.not_before, at_once).where(is_open)
            rows = (await connection.execute(query)).all()
        return not rows or any(row[1] for row in rows)  # none: about to be called done

    async def _check(self, app: App) -> None:
        async with app.db.read() as connection:
            (edition,) = await editions.newest(connection, limit=5, newsletter="pagi")
            kept = await editions.books(connection, edition.id)
            counted = await editions.count_books(connection, edition.id)
            query = select(deliveries.c.state, deliveries.c.code, subscribers.c.address).join_from(
                deliveries, subscribers, subscribers.c.id == deliveries.c.subscriber_id
            )
            rows = (await connection.execute(query.where(deliveries.c.edition_id == edition.id))).all()
        by_state: defaultdict[str, set[str]] = defaultdict(set)
        for row in rows:
            by_state[row.state].add(row.address)
        ending = self._ending
        ending.lines, ending.left = read_lines(self._log), len(self._left)
        ending.amid = sum(row.state == "uncertain" and row.code == "crash" for row in rows)
        ending.wrong = audit(
            ending.lines,
            Ledger(candidates=counted.candidates, by_state={state: frozenset(who) for state, who in by_state.items()}),
            self._wanted,
            self._left,
            most_doubts=MOST_DOUBTS[self._kind] * ending.kills,
        )
        if kept != counted or not counted.settled:
            ending.wrong.append(f"the books: kept {kept}, counted {counted}")


async def storm(
    folder: Path, store: str, kind: str, monkeypatch: pytest.MonkeyPatch, *, seed: int, kills: int = KILLS
) -> Ending:
    """A run with a project, a sink and workers of its own."""
    log = folder / "sink.log"
    async with _started("tests.faults.sink", kind, str(log), str(seed), environ={}) as sink:
        assert sink.stdout is not None
        port = int(await sink.stdout.readline())
        channel = smtp(port, CONNECTIONS, timeout=1) if kind == "smtp" else MAILGUN.format(domain=DOMAIN, port=port)
        project = lay_out(folder / "project", store, channel=channel, stories=[1], port=_free_port())
        project.environ["FAULT_KEY"] = KEY
        return await Storm(project, kind, log, kills=kills, seed=seed).run(monkeypatch)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        number: int = one.getsockname()[1]
        return number
