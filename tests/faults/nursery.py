"""Forks workers to be killed: what takes a second to import is imported once, and each start takes a tenth of it.

    python -m tests.faults.nursery FOLDER

A line on stdin is an order for a worker whose clock is so many seconds ahead. On stdout it answers `born PID`, the
worker says `home` when it serves and works, and when it is gone it is `gone STATUS`. The nursery itself opens no
database and no socket and has one thread, so a fork of it is as good as a start: nothing is shared that could be left
half way. A worker is what `syndicate up` is: the same web server, relay and engine in one process, with one lane of
two slots, so that nothing is gathered and published meanwhile.
"""

import os
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from traceback import print_exc

from syndicate import app as composition
from syndicate import work
from syndicate.app import App
from syndicate.cli import running
from syndicate.cli.up import loop_factory, spare_collector
from syndicate.pipeline import enqueue
from syndicate.ports import Lane
from syndicate.settings import Settings, load
from syndicate.web import server  # noqa: F401  imported before the first fork

TASKS, BATCH = 2, 50


class AheadClock:
    """The real time and so much more."""

    def __init__(self, ahead: timedelta) -> None:
        self._ahead = ahead

    def now(self) -> datetime:
        """Aware, UTC."""
        return datetime.now(UTC) + self._ahead


def live(folder: Path, ahead: timedelta, say: int) -> None:
    """The worker's whole life. `say` is where it says that it is at home."""
    import asyncio

    def open_app(settings: Settings) -> App:
        return composition.open_app(settings, clock=AheadClock(ahead))

    async def run_up(app: App, stop: asyncio.Event) -> None:
        os.write(say, b"home\n")
        await work.run_up(app, stop)

    # The batches and lanes of this test: the configuration has no keys for them.
    for module, name, value in (
        (enqueue, "BATCH", BATCH),
        (work, "LANES", (Lane(name="bulk", slots=TASKS, window=4 * TASKS),)),
        (running, "open_app", open_app),
        (running, "run_up", run_up),
    ):
        setattr(module, name, value)
    settings = load(None, cwd=folder, environ=os.environ)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(running.open_and_run(settings))


def fork(folder: Path, ahead: timedelta) -> int:
    """A worker, by its number."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        say = os.dup(1)
        log = os.open(folder / "worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        live(folder, ahead, say)
        status = 0
    except BaseException:
        print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def main(folder: Path) -> None:
    """Until stdin ends."""
    loop_factory()  # imports what it makes loops with
    spare_collector()  # as `up` does; each fork would copy what its collector looks at
    for order in sys.stdin:
        if threading.active_count() != 1 or len(os.listdir("/proc/self/task")) != 1:
            raise RuntimeError("a process with threads must not be forked")
        child = fork(folder, timedelta(seconds=float(order)))
        os.write(1, b"born %d\n" % child)
        _, status = os.waitpid(child, 0)
        os.write(1, b"gone %d\n" % os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
