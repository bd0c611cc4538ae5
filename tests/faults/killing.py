"""Runs a worker and kills it at an exact system call, then lets a fresh start finish the work."""

import asyncio
import os
import shutil
import signal
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from syndicate.app import open_app
from syndicate.domain.edition import Books, Edition, EditionState
from syndicate.settings import load
from syndicate.store import editions, ledger
from syndicate.store.ledger import Doubt
from syndicate.work import run_once
from tests.conftest import absent
from tests.faults.project import Project

ROOT = Path(__file__).parents[2]
PATIENCE = 120  # seconds: a hang guard, a run takes about three
ROUNDS = 12  # each lets two minutes pass, so that what was deferred is tried again


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a run ended after all."""

    edition: Edition
    books: Books
    counted: Books
    doubts: list[Doubt]


class LaterClock:
    """The real time, moved on by hand."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        """Aware, UTC."""
        return datetime.now(UTC) + self.ahead


async def run_and_kill(project: Project, syscall: str, number: int) -> bool:
    """Starts the worker and kills it when one of its threads makes its `number`-th call. False: it got through.

    Without --seccomp-bpf, which is quicker: strace 6.1 on a kernel of 6.18 lets every call through with it.
    """
    strace = shutil.which("strace")
    if strace is None:
        absent("strace", "no strace on the PATH")
    inject = ["-e", f"trace={syscall}", "-e", f"inject={syscall}:signal=SIGKILL:when={number}"]
    process = await asyncio.create_subprocess_exec(
        *(str(strace), "-f", "-qq", "-o", os.devnull, *inject),
        *(sys.executable, "-m", "tests.faults.worker", str(project.folder)),
        cwd=ROOT,
        env={**os.environ, **project.environ},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(PATIENCE):
        ended = await process.wait()
    assert ended in (0, -signal.SIGKILL), f"the worker ended by itself, with {ended}"
    return ended != 0


async def finish(project: Project, newsletter: str = "pagi") -> Ending:
    """Starts again and again, two minutes later each time, until the first edition is done."""
    clock = LaterClock()
    for _ in range(ROUNDS):
        app = open_app(load(None, cwd=project.folder, environ=project.environ), clock=clock)
        try:
            await run_once(app)
            async with app.db.read() as connection:
                found = await editions.newest(connection, limit=5, newsletter=newsletter)
                done = [edition for edition in found if edition.state is EditionState.DONE]
                if len(done) == len(found) == 1:
                    books = await editions.books(connection, done[0].id)
                    counted = await editions.count_books(connection, done[0].id)
                    doubts = await ledger.doubts(connection, done[0].id)
                    assert books is not None
                    return Ending(edition=done[0], books=books, counted=counted, doubts=doubts)
        finally:
            await app.aclose()
        clock.ahead += timedelta(minutes=2)
    raise AssertionError(f"the edition was not done after {ROUNDS} starts: {found}")
