"""`syndicate up`: everything in one process, until it is told to stop."""

import asyncio
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
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(open_and_run(settings))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where there is one: half the cost of serving a feed."""
    with suppress(ImportError):
        import uvloop

        return uvloop.new_event_loop
    return None
