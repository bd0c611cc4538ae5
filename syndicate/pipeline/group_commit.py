"""One transaction for many: what is handed in while a commit runs goes into the next one."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

_WHILE = 0.05  # seconds
_T = TypeVar("_T", bound=Hashable)
_R = TypeVar("_R")


class GroupCommit(Generic[_T, _R]):
    """Many callers, one transaction.

    What can wait goes along with the next commit that somebody waits for; it starts one by itself only where the last
    one is a while ago, or will be. So a slow channel has each outcome written down at once, and a fast one needs few
    commits.
    """

    def __init__(self, commit: Callable[[Sequence[_T]], Awaitable[Mapping[_T, _R]]]) -> None:
        self._commit = commit
        self._waiting: list[tuple[_T, asyncio.Future[_R]]] = []
        self._brought = 0
        self._urged = False
        self._running: asyncio.Task[None] | None = None
        self._begun = -math.inf  # the last commit, on the loop's clock
        self._alarm: asyncio.TimerHandle | None = None

    async def join(self, thing: _T) -> _R:
        """Returns when `thing` is committed. Raises what its commit raised."""
        future = self.enter(thing)
        self.urge()
        return await future

    def enter(self, thing: _T) -> asyncio.Future[_R]:
        """For what can wait until somebody urges. Who enters first is committed first, or in the same transaction."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_R] = loop.create_future()
        self._waiting.append((thing, future))
        self.bring()
        if loop.time() - self._begun > _WHILE:
            self.urge()
        elif self._alarm is None:
            self._alarm = loop.call_at(self._begun + _WHILE, self.urge)
        return future

    def bring(self) -> None:
        """Says that something which has entered has grown: it counts as company."""
        self._brought += 1

    def urge(self) -> None:
        """What has entered is committed as soon as can be."""
        if not self._waiting:
            return
        self._urged = True
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while self._urged and self._waiting:
            try:
                await self._company()
                await self._commit_waiting()
            except BaseException as error:  # cancelled: nobody will commit what waits
                _fail(self._waiting, error)
                self._waiting = []
                raise

    async def _commit_waiting(self) -> None:
        group, self._waiting, self._urged = self._waiting, [], False
        self._begun = asyncio.get_running_loop().time()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        try:
            results = await self._commit([thing for thing, _ in group])
        except BaseException as error:
            _fail(group, error)
            if not isinstance(error, Exception):
                raise
            return
        for thing, future in group:
            if not future.done():
                future.set_result(results[thing])

    async def _company(self) -> None:
        """Waits as long as each pass of the event loop brings more: a busy one is about to bring still more."""
        before = 0
        while before < self._brought:
            before = self._brought
            await asyncio.sleep(0)


def _fail(group: Sequence[tuple[_T, asyncio.Future[_R]]], error: BaseException) -> None:
    for _, future in group:
        if not future.done():
            future.set_exception(error)
