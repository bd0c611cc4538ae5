"""`syndicate up`: everything in one process, until it is told to stop."""

import asyncio
import gc
from collections.abc import Callable
from contextlib import suppress

import typer

from syndicate.cli.opening import settings_of


def up(context: typer.Context) -> None:
    """Run everything in this process until it is told to stop.

    It gathers, publishes, composes, sends and serves.

    At SIGTERM or Ctrl-C no new work is begun, what runs ends by itself. A second one stops at once.
    """
    from syndicate.cli.running import open_and_run

    settings = settings_of(context, prepare=True)
    spare_collector()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(open_and_run(settings))


def spare_collector() -> None:
    """Keeps the garbage collector from what is loaded by now, for that lives as long as the process, and has it look
    less often: Python's default is once in 700 new objects, which takes a tenth of the time of a busy sender."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where there is one: half the cost of serving a feed."""
    with suppress(ImportError):
        import uvloop

        return uvloop.new_event_loop
    return None
