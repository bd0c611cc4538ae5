"""The engine of one process: an asyncio queue per lane. Durable it need not be; the jobs table is."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

import structlog

from syndicate.ports import Handler, Lane

log = structlog.get_logger()


class EmbeddedEngine:
    """Every lane has slots of its own, so a flood in one keeps no other waiting."""

    def __init__(self) -> None:
        self._queues: defaultdict[str, asyncio.Queue[int]] = defaultdict(asyncio.Queue)
        self._stopping = asyncio.Event()

    async def publish(self, lane: str, job: int) -> None:
        """Never waits: the relay keeps the window."""
        self._queues[lane].put_nowait(job)

    async def work(self, lanes: Sequence[Lane], handler: Handler) -> None:
        """Runs until stop(); then the running jobs end, and what waits stays in the table for the next start."""
        async with asyncio.TaskGroup() as group:
            for lane in lanes:
                for _ in range(lane.slots):
                    group.create_task(self._serve(self._queues[lane.name], handler))

    async def stop(self) -> None:
        """No job is started any more."""
        self._stopping.set()

    async def _serve(self, queue: asyncio.Queue[int], handler: Handler) -> None:
        while (job := await self._next(queue)) is not None:
            try:
                await handler(job)
            except Exception as error:  # the top of a loop: a job that could not even be noted ends no other
                log.warning("engine.handler_failed", job=job, problem=str(error).splitlines()[:1])

    async def _next(self, queue: asyncio.Queue[int]) -> int | None:
        """The next job, or None once we are stopping."""
        if self._stopping.is_set():
            return None
        get, stop = asyncio.ensure_future(queue.get()), asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({get, stop}, return_when=asyncio.FIRST_COMPLETED)
            return get.result() if get.done() and not stop.done() else None
        finally:
            get.cancel()
            stop.cancel()
