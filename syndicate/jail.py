"""Runs the parsers of other people's bytes where they can be killed: one tag with 20,000 attributes holds
feedparser for 4 s, and nothing inside a process can stop it (reliability.md §0.6, T08).

A call goes to an exec'd child (never a fork of a threaded process), one child per module, so that reading feeds
doesn't cost the memory of reading pictures. The child imports its module first, then gives up what it doesn't
need: root, our environment, new files, new processes. It limits time and memory; it is not a sandbox for hostile
code. It starts at its first call, ends after a while without one, is killed when a call takes too long, and ends
by itself when its pipe closes, so it never outlives us.
"""

import asyncio
import json
import os
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

from syndicate.jailed import LENGTHS, READY, frame

ALLOWED: Final[tuple[str, ...]] = (
    "syndicate.sources.read.parse:parse_feed",
    "syndicate.sources.read.clean:clean_article",
    "syndicate.sources.read.picture:inspect_picture",
    "syndicate.sources.read.rest:read_posts",
    "syndicate.sources.read.rest:read_stamps",
    "syndicate.sources.read.signposts:read_signposts",
    "syndicate.sources.read.page:read_page",
    "syndicate.sources.read.page:read_listing",
    "syndicate.sources.read.sitemap:read_sitemap",
    "syndicate.channels.mail.bounce:read_report",
)
"""Every function that may be asked for, as "module:function".

Shape: `def f(payload: bytes, options: dict[str, Any]) -> tuple[JSON-able, bytes]`. Its module must import at its
top all that it will need, codecs too: later, as nobody, the child may not be able to read the files.
"""

START_SECONDS: Final = 30.0  # for importing; no part of a call's wall time
ENDING_SECONDS: Final = 1.0  # from closing its pipe to being gone
MOST_REPLY_BYTES: Final = 64 * 1024 * 1024  # each part of a reply; a child gone wrong must not fill our memory
ENVIRONMENT: Final = {"LC_ALL": "C.UTF-8", "TZ": "UTC"}  # nothing of ours: no key or password leaks
KEPT_ENVIRONMENT: Final = ("LD_LIBRARY_PATH",)  # where it is set, the interpreter may not start without it
BOOT: Final = """
import json, sys
sys.path[:], module, wall_seconds, memory_bytes = json.loads(sys.argv[1])
from syndicate.jailed import serve
serve(module, wall_seconds, memory_bytes)
"""

FailureKind = Literal["timeout", "memory", "crashed", "raised", "refused"]


@dataclass(frozen=True)
class Answer:
    """What the function returned: a JSON-able value, and bytes that JSON would bloat."""

    value: Any
    payload: bytes


@dataclass(frozen=True)
class JailFailure:
    """`raised`: the function raised; `detail` names the exception, whose text may quote the payload.
    `timeout`, `memory`, `crashed`: the child is gone, the next call gets a new one. `refused`: not on the list."""

    kind: FailureKind
    detail: str


class Jail:
    """One per process and event loop. `extra_allowed` adds to the written list and is there for the tests."""

    def __init__(
        self,
        *,
        wall_seconds: float = 2.0,
        memory_bytes: int = 512 * 1024 * 1024,
        idle_seconds: float = 20.0,
        extra_allowed: tuple[str, ...] = (),
    ) -> None:
        self._allowed = ALLOWED + extra_allowed
        self._limits = _Limits(wall_seconds, memory_bytes, idle_seconds)
        self._cells: dict[str, _Cell] = {}

    async def call(self, function: str, payload: bytes, /, **options: Any) -> Answer | JailFailure:
        """Run the function in its child; calls into the same module wait for each other.

        Never raises for what happens in there. Nothing is retried.
        """
        if function not in self._allowed:
            return JailFailure("refused", f"{function} is not on the list in jail.py")
        module, _, name = function.partition(":")
        if module not in self._cells:
            self._cells[module] = _Cell(module, self._limits)
        return await self._cells[module].call(name, payload, options)

    async def aclose(self) -> None:
        """End the children. The jail can be used again; it starts new ones."""
        for cell in self._cells.values():
            await cell.aclose()


@dataclass(frozen=True)
class _Limits:
    wall_seconds: float
    memory_bytes: int
    idle_seconds: float


@dataclass(frozen=True)
class _Child:
    process: Process
    requests: StreamWriter
    replies: StreamReader

    def is_over(self) -> bool:
        """It ended between two calls (the kernel out of memory, an operator's kill)."""
        return self.process.returncode is not None or self.requests.is_closing()


class _Broken(Exception):
    """The child is of no more use."""


class _Cell:
    """The place of one module's child, which comes and goes."""

    def __init__(self, module: str, limits: _Limits) -> None:
        self._module = module
        self._limits = limits
        self._lock = asyncio.Lock()
        self._child: _Child | None = None
        self._last_id = READY
        self._idle: asyncio.TimerHandle | None = None
        self._processes: list[Process] = []  # running, or killed and perhaps not yet buried

    async def call(self, name: str, payload: bytes, options: dict[str, Any]) -> Answer | JailFailure:
        async with self._lock:
            self._stay()
            try:
                answer = await self._call(name, payload, options)
            except BaseException:  # cancelled midway: the late reply would meet the next call
                self._kill()
                raise
            if isinstance(answer, JailFailure) and answer.kind != "raised":
                self._kill()
            self._end_when_idle()
            return answer

    async def aclose(self) -> None:
        async with self._lock:
            self._stay()
            self._kill()
            for process in self._processes:
                await process.wait()

    async def _call(self, name: str, payload: bytes, options: dict[str, Any]) -> Answer | JailFailure:
        if self._child is None or self._child.is_over():
            self._child = await self._spawn()
            ready = await _exchange(self._child, b"", READY, START_SECONDS)  # the wall time begins only then
            if isinstance(ready, JailFailure):
                return ready
        self._last_id += 1
        request = frame({"id": self._last_id, "name": name, "options": options}, payload)
        return await _exchange(self._child, request, self._last_id, self._limits.wall_seconds)

    async def _spawn(self) -> _Child:
        given = json.dumps([_own_path(), self._module, self._limits.wall_seconds, self._limits.memory_bytes])
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-c", BOOT, given),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            cwd="/",
            env=ENVIRONMENT | {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ},
            start_new_session=True,  # Ctrl-C is for us; the child ends when we do
        )
        self._processes = [*(old for old in self._processes if old.returncode is None), process]
        return _Child(process, process.stdin, process.stdout)  # type: ignore[arg-type] # PIPE gives both

    def _kill(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            _kill(child.process)

    def _end_when_idle(self) -> None:
        if self._child is not None:
            self._idle = asyncio.get_running_loop().call_later(self._limits.idle_seconds, self._kill)

    def _stay(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None


def _own_path() -> list[str]:
    """Where we found our own modules, the child will too, installed or not; "" means the working directory."""
    return [os.path.abspath(entry) for entry in sys.path]


def _kill(process: Process) -> None:
    with suppress(ProcessLookupError, PermissionError):  # gone; or nobody's now and we may not: SIGALRM ends it
        process.kill()


async def _exchange(child: _Child, request: bytes, call: int, seconds: float) -> Answer | JailFailure:
    try:
        async with asyncio.timeout(seconds):
            if child.is_over():
                raise BrokenPipeError
            child.requests.write(request)
            await child.requests.drain()
            return _judged(*await _receive(child.replies), call)
    except TimeoutError:
        return JailFailure("timeout", f"no reply in {seconds} s")
    except _Broken as why:
        return JailFailure("crashed", str(why))
    except (OSError, asyncio.IncompleteReadError):  # the pipe closed
        return JailFailure("crashed", f"the child ended with {await _ending(child.process)}")


async def _ending(process: Process) -> int:
    """The exit code, negative for a signal. First waits: killing the dead would take their code from asyncio."""
    with suppress(TimeoutError):
        async with asyncio.timeout(ENDING_SECONDS):
            return await process.wait()
    _kill(process)
    return await process.wait()


async def _receive(replies: StreamReader) -> tuple[Any, bytes]:
    head, payload = LENGTHS.unpack(await replies.readexactly(LENGTHS.size))
    if max(head, payload) > MOST_REPLY_BYTES:
        raise _Broken(f"a reply of {head} + {payload} bytes")
    try:
        header = json.loads(await replies.readexactly(head))
    except (ValueError, RecursionError) as why:
        raise _Broken("a reply that isn't JSON") from why
    return header, await replies.readexactly(payload)


def _judged(header: Any, payload: bytes, call: int) -> Answer | JailFailure:
    if not isinstance(header, dict) or header.get("id") != call:
        raise _Broken("a reply to another request")
    if "failure" not in header:
        return Answer(header.get("value"), payload)
    kind: FailureKind = header["failure"] if header["failure"] in ("memory", "raised") else "crashed"
    return JailFailure(kind, str(header.get("detail")))
