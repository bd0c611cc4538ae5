"""A real SMTP server that keeps what it takes, and can misbehave in every way a relay does.

In a test: `async with SmtpSink(…) as sink`. As a process: `python -m tests.servers.smtp --port 2525 --log FILE`; it
prints the port when it is ready. What is in the log was accepted: it is written and flushed before the reply.
"""

import argparse
import asyncio
import base64
import json
import os
import re
import socket
import ssl
import struct
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from tests.channels.mail_rules import INBOX

FAULTS_TAKEN = ("late", "reset", "garbage", "cut")  # what follows after it took the message
FAULTS_NOT_TAKEN = ("451", "452", "421", "lost")  # no to the recipient; no to the message; it hangs up; no answer
_PATH = re.compile(r"(?:FROM|TO):<([^>]*)>(.*)", re.I)


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A message that the sink accepted, dots unstuffed."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    began: float = field(default=0.0, compare=False)  # Unix seconds: its first line came


@dataclass(kw_only=True)
class Behaviour:
    """What the sink does other than a good relay. "Every n-th" counts messages from 1; 0 is never."""

    pipelining: ClassVar[bool] = False  # for a whole test: what it proves must hold both ways
    drop_after_body: int = 0  # every n-th message is taken, but the connection is cut instead of a reply
    lose_after_body: int = 0  # every n-th message is thrown away and the connection cut
    cut_in_body: int = 0  # in every n-th message the connection is cut at its first line
    replies: dict[str, bytes] = field(default_factory=dict)  # verb, "CONNECT", "." or a recipient → these bytes
    hang_up_at: set[str] = field(default_factory=set)  # after the same keys' replies, or instead of them
    silent_at: set[str] = field(default_factory=set)  # no reply, the connection stays
    delay_seconds: float = 0.0  # before each reply
    size_limit: int = 0
    users: Mapping[str, str] = field(default_factory=dict)  # AUTH is required when there are any
    mechanisms: str = "PLAIN LOGIN"
    tls: ssl.SSLContext | None = None
    implicit_tls: bool = False
    after_starttls: bytes = b""  # sent in clear together with the reply to STARTTLS
    fault: Callable[[], str] = lambda: ""  # asked for each message: what goes wrong with it, one of FAULTS_…
    pause: Callable[[], float] = lambda: 0.0  # seconds before the answer to a final dot; "late" takes 2 more
    lenient: bool = False  # takes a bare LF for a line end, as the servers that can be smuggled through do


class _HangUp(Exception):
    pass


class SmtpSink:
    """Listens on loopback. `messages`, `commands` (lines received outside of DATA) and `connections` tell the tale."""

    def __init__(self, behaviour: Behaviour | None = None, *, port: int = 0, log: Path | None = None) -> None:
        self.behaviour = behaviour or Behaviour()
        self.port = port
        self.messages: list[Taken] = []
        self.commands: list[str] = []
        self.connections = 0
        self.bodies = 0
        self._log = log
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        tls = self.behaviour.tls if self.behaviour.implicit_tls else None
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=tls, limit=1 << 25)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            await _Conversation(self, reader, writer).run()
        except (_HangUp, OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    def begun(self, recipients: tuple[str, ...]) -> None:
        """The first line of a message is here."""

    def judged(self, taken: Taken, fault: str) -> None:
        """A message is whole, and this goes wrong with it: it is kept unless the fault says no."""
        if fault not in FAULTS_NOT_TAKEN and self.behaviour.replies.get(".", b"2").startswith(b"2"):
            self.keep(taken)

    def keep(self, taken: Taken) -> None:
        """Into the log first: what stands there was accepted, whoever is killed next."""
        if self._log is not None:
            record = {
                "sender": taken.sender,
                "recipients": taken.recipients,
                "content": base64.b64encode(taken.content).decode(),
            }
            with self._log.open("a", encoding="ascii") as file:
                file.write(json.dumps(record) + "\n")
                file.flush()
                os.fsync(file.fileno())
        self.messages.append(taken)
        for recipient in taken.recipients:
            INBOX.take(taken.sender, recipient, taken.content)


def read_log(path: Path) -> list[Taken]:
    """The messages in a log, in the order in which they were accepted."""
    records = [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()] if path.exists() else []
    return [
        Taken(
            sender=record["sender"],
            recipients=tuple(record["recipients"]),
            content=base64.b64decode(record["content"]),
        )
        for record in records
    ]


class _Conversation:
    def __init__(self, sink: SmtpSink, reader: StreamReader, writer: StreamWriter) -> None:
        self._sink, self._reader, self._writer = sink, reader, writer
        self._behaviour = sink.behaviour
        self._encrypted = self._behaviour.implicit_tls
        self._signed_in = not self._behaviour.users
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._fault = ""
        self._began = 0.0

    async def run(self) -> None:
        await self._reply("CONNECT", b"220 sink.test ESMTP")
        while True:
            line = (await self._line()).decode("ascii", "replace")
            self._sink.commands.append(line)
            verb, _, rest = line.partition(" ")
            step = self._steps().get(verb.upper())
            if step is None:
                await self._reply(verb.upper(), b"500 5.5.2 what?")
            else:
                await step(rest)

    def _steps(self) -> Mapping[str, Callable[[str], Awaitable[None]]]:
        return {
            "EHLO": self._ehlo,
            "STARTTLS": self._starttls,
            "AUTH": self._auth,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "RSET": self._rset,
            "QUIT": self._quit,
        }

    async def _ehlo(self, _: str) -> None:
        lines = ["sink.test", "ENHANCEDSTATUSCODES"]
        if self._behaviour.tls and not self._encrypted:
            lines.append("STARTTLS")
        if self._behaviour.users:
            lines.append(f"AUTH {self._behaviour.mechanisms}")
        if self._behaviour.pipelining:
            lines.append("PIPELINING")
        if self._behaviour.size_limit:
            lines.append(f"SIZE {self._behaviour.size_limit}")
        rows = [f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"]
        await self._reply("EHLO", "\r\n".join(rows).encode())

    async def _starttls(self, _: str) -> None:
        if self._behaviour.tls is None:
            await self._reply("STARTTLS", b"502 5.5.1 not here")
            return
        extra = b"\r\n" + self._behaviour.after_starttls if self._behaviour.after_starttls else b""
        await self._reply("STARTTLS", b"220 2.0.0 go ahead" + extra)
        await self._writer.start_tls(self._behaviour.tls)
        self._encrypted = True

    async def _auth(self, rest: str) -> None:
        mechanism, _, first = rest.partition(" ")
        if mechanism == "PLAIN":
            _, user, password = base64.b64decode(first).decode().split("\0")
        else:
            user = await self._challenge(b"VXNlcm5hbWU6")
            password = await self._challenge(b"UGFzc3dvcmQ6")
        self._signed_in = self._behaviour.users.get(user) == password
        good = self._signed_in
        await self._reply("AUTH", b"235 2.7.0 welcome" if good else b"535 5.7.8 " + rest.encode() + b" is wrong")

    async def _challenge(self, words: bytes) -> str:
        await self._reply("CHALLENGE", b"334 " + words)
        return base64.b64decode(await self._line()).decode()

    async def _mail(self, rest: str) -> None:
        hit = _PATH.fullmatch(rest)
        size = re.search(r"SIZE=(\d+)", rest)
        if not self._signed_in:
            await self._reply("MAIL", b"530 5.7.0 sign in first")
        elif self._sender is not None:
            await self._reply("MAIL", b"503 5.5.1 nested MAIL")
        elif hit is None:
            await self._reply("MAIL", b"501 5.1.7 bad path")
        elif size and self._behaviour.size_limit and int(size[1]) > self._behaviour.size_limit:
            await self._reply("MAIL", b"552 5.3.4 too big")
        else:
            self._sender = hit[1] if await self._reply("MAIL", b"250 2.1.0 ok") else None

    async def _rcpt(self, rest: str) -> None:
        hit = _PATH.fullmatch(rest)
        if hit is None or self._sender is None:
            await self._reply("RCPT", b"501 5.1.3 bad path")
            return
        self._fault = self._behaviour.fault()
        if self._fault == "451":
            await self._reply("RCPT", b"451 4.3.0 later")
            return
        key = hit[1] if hit[1] in self._behaviour.replies else "RCPT"
        if await self._reply(key, b"250 2.1.5 ok"):
            self._recipients.append(hit[1])

    async def _data(self, _: str) -> None:
        if not self._recipients:
            await self._reply("DATA", b"503 5.5.1 no recipient")
            return
        if not await self._reply("DATA", b"354 go on"):
            return
        self._sink.bodies += 1
        nth = self._sink.bodies
        content = await self._body(nth)
        if _hits(self._behaviour.lose_after_body, nth):
            raise _HangUp
        recipients = tuple(self._recipients)
        taken = Taken(sender=self._sender or "", recipients=recipients, content=content, began=self._began)
        await self._rset_state()
        if self._behaviour.size_limit and len(content) > self._behaviour.size_limit:
            await self._reply(".", b"552 5.3.4 too big")
            return
        fault, self._fault = self._fault, ""
        self._sink.judged(taken, fault)
        await asyncio.sleep(self._behaviour.pause())
        if fault:
            await self._fail(fault)
            return
        if _hits(self._behaviour.drop_after_body, nth):
            raise _HangUp
        await self._reply(".", b"250 2.0.0 Ok: queued as S%08d" % nth)

    async def _fail(self, fault: str) -> None:
        """What is said of a message, or isn't."""
        if fault == "452":
            await self._reply(".", b"452 4.3.1 not now")
        elif fault == "late":
            await asyncio.sleep(2.0)
            await self._reply(".", b"250 2.0.0 Ok: after all")
        elif fault == "garbage":
            await self._reply(".", b"\x00\xff not what was asked for")
        else:
            if fault in ("421", "cut"):
                self._writer.write(b"421 4.3.2 going down\r\n" if fault == "421" else b"250 2.0.0 Ok: que")
                await self._writer.drain()
            else:  # a RST instead of a FIN, so that what was said before is thrown away too
                gone = struct.pack("ii", 1, 0)
                self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, gone)
            raise _HangUp

    async def _body(self, nth: int) -> bytes:
        """In one piece where it may come so: line by line takes as long as all the rest of a test together."""
        first = await self._reader.readexactly(1)
        self._began = time.time()
        self._sink.begun(tuple(self._recipients))
        if first == b"." or self._behaviour.lenient or _hits(self._behaviour.cut_in_body, nth):
            return await self._body_by_lines(first, nth)
        whole = first + await self._reader.readuntil(b"\r\n.\r\n")
        return whole[:-3].replace(b"\r\n..", b"\r\n.")

    async def _body_by_lines(self, line: bytes, nth: int) -> bytes:
        lines: list[bytes] = []
        while (line := line + await self._line()) != b".":
            if _hits(self._behaviour.cut_in_body, nth):
                raise _HangUp
            lines.append(line[1:] if line.startswith(b".") else line)
            line = b""
        return b"".join(line + b"\r\n" for line in lines)

    async def _rset(self, _: str) -> None:
        await self._rset_state()
        await self._reply("RSET", b"250 2.0.0 ok")

    async def _rset_state(self) -> None:
        self._sender, self._recipients = None, []

    async def _quit(self, _: str) -> None:
        await self._reply("QUIT", b"221 2.0.0 bye")
        raise _HangUp

    async def _line(self) -> bytes:
        if self._behaviour.lenient:
            return (await self._reader.readuntil(b"\n")).rstrip(b"\r\n")
        return (await self._reader.readuntil(b"\r\n"))[:-2]

    async def _reply(self, key: str, usual: bytes) -> bool:
        """True when the reply, as it went out, was a yes."""
        words = self._behaviour.replies.get(key, usual)
        await asyncio.sleep(self._behaviour.delay_seconds)
        if key in self._behaviour.silent_at:
            await asyncio.get_running_loop().create_future()
        if key not in self._behaviour.hang_up_at or key in self._behaviour.replies:
            self._writer.write(words + b"\r\n")
            with suppress(ConnectionError):
                await self._writer.drain()
        if key in self._behaviour.hang_up_at:
            self._writer.close()
            raise _HangUp
        return words[:1] in b"23"


def _hits(every: int, count: int) -> bool:
    return every > 0 and count % every == 0


async def _serve(arguments: argparse.Namespace) -> None:
    behaviour = Behaviour(
        drop_after_body=arguments.drop_after_body,
        lose_after_body=arguments.lose_after_body,
        cut_in_body=arguments.cut_in_body,
        delay_seconds=arguments.delay_seconds,
        size_limit=arguments.size_limit,
    )
    async with SmtpSink(behaviour, port=arguments.port, log=arguments.log) as sink:
        print(sink.port, flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path, required=True, help="what was accepted, one JSON record a line")
    parser.add_argument("--drop-after-body", type=int, default=0, metavar="N", help="take every N-th, don't say so")
    parser.add_argument("--lose-after-body", type=int, default=0, metavar="N", help="lose every N-th, don't say so")
    parser.add_argument("--cut-in-body", type=int, default=0, metavar="N", help="hang up within every N-th")
    parser.add_argument("--delay-seconds", type=float, default=0.0)
    parser.add_argument("--size-limit", type=int, default=0)
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
