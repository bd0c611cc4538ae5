"""An installation in a folder of its own, run as its operator runs it: by the `syndicate` command alone."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx2

SYNDICATE = Path(sys.executable).parent / "syndicate"
PATIENCE = 90.0  # seconds: a hang guard; what is waited for takes one or two
EDITION = 240.0  # seconds: the same for what happens once a minute
_LOOK = 0.1  # seconds between two looks at a condition
_LOG_TAIL = 60  # lines shown of a process that failed us
_T = TypeVar("_T")


async def eventually(check: Callable[[], Awaitable[_T]], *, within: float = PATIENCE) -> _T:
    """What `check` returns as soon as its assertions hold and somebody answers. Raises what its last try raised."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while True:
        try:
            return await check()
        except (AssertionError, httpx2.TransportError):
            if loop.time() > deadline:
                raise
        await asyncio.sleep(_LOOK)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(kw_only=True)
class House:
    """Where it lives, under which port, and with which environment."""

    folder: Path
    port: int
    environ: Mapping[str, str] = field(default_factory=dict)
    command: Path = SYNDICATE

    @property
    def origin(self) -> str:
        """Its own address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """What all runs of `up` said."""
        return self.folder / "up.log"

    async def run(self, *words: str, code: int = 0) -> str:
        """A command's output, once it ended with this exit code."""
        process = await self._start(*words, stdout=asyncio.subprocess.PIPE)
        async with asyncio.timeout(PATIENCE):
            out, _ = await process.communicate()
        assert process.returncode == code, f"syndicate {' '.join(words)}: {process.returncode}\n{out.decode()}"
        return out.decode()

    async def ask(self, *words: str) -> Any:
        """A command's JSON."""
        return json.loads(await self.run(*words, "--json"))

    @asynccontextmanager
    async def up(self) -> AsyncIterator["Running"]:
        """`syndicate up` until the block ends, gently unless it was ended before."""
        with self.log.open("ab") as log:
            process = await self._start("up", stdout=log)
        running = Running(process=process)
        try:
            yield running
            await running.end(signal.SIGTERM)
        except BaseException:
            print(self._tail())
            raise
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _start(self, *words: str, stdout: Any) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(str(self.command), *words),
            cwd=self.folder,
            env={**os.environ, **self.environ},
            stdout=stdout,
            stderr=asyncio.subprocess.STDOUT if stdout is not asyncio.subprocess.PIPE else None,
        )

    def _tail(self) -> str:
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-_LOG_TAIL:])


@dataclass(kw_only=True)
class Running:
    """A running `up`."""

    process: asyncio.subprocess.Process

    async def end(self, number: signal.Signals) -> None:
        """Sends the signal and waits for the end, which must be a clean one if it was asked for gently."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE):
            code = await self.process.wait()
        assert code in (0, -signal.SIGKILL), f"`syndicate up` ended with {code}"
