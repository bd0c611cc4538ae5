"""An IMAP server (RFC 3501) with one folder: as much of it as reading a mailbox takes, and its ways to fail."""

import asyncio
import base64
import re
import ssl
from asyncio import StreamReader, StreamWriter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

_LINE = re.compile(rb"(\S+) (\S+)(?: (.*))?\r\n")
_LOGIN = re.compile(r'"((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"')


@dataclass
class Stored:
    """A mail in the folder."""

    content: bytes
    seen: bool = False


@dataclass(kw_only=True)
class ImapServer:
    """In a test: `async with ImapServer(…) as server`. UIDs begin at 101."""

    users: dict[str, str] = field(default_factory=lambda: {"pantul": "rahasia"})
    folder: str = "INBOX"
    tls: ssl.SSLContext | None = None
    implicit_tls: bool = False
    plain: bool = True  # offers AUTH=PLAIN
    no_to: frozenset[str] = frozenset()  # commands that are answered with NO
    unreadable: frozenset[int] = frozenset()  # UIDs whose mail the server can't read
    hang_up_at: str = ""  # a command
    silent_at: str = ""
    announce: int = 0  # how long it says that a mail is, whatever it is
    mails: list[Stored] = field(default_factory=list)
    said: list[str] = field(default_factory=list)  # commands, without what follows
    port: int = 0

    async def __aenter__(self) -> Self:
        tls = self.tls if self.implicit_tls else None
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.close()
        await self._server.wait_closed()

    def put(self, *contents: bytes) -> None:
        """Mail comes in."""
        self.mails += [Stored(content) for content in contents]

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            writer.write(b"* OK IMAP4rev1 ready\r\n")
            while hit := _LINE.fullmatch(await reader.readline()):
                tag, verb, rest = hit[1], hit[2].decode().upper(), (hit[3] or b"").decode()
                if verb == "UID":
                    verb, _, rest = rest.partition(" ")
                self.said.append(verb)
                if verb == self.hang_up_at:
                    break
                if verb == self.silent_at:
                    continue
                writer.write(await self._answer(tag, verb, rest, reader, writer))
                await writer.drain()
                if verb == "STARTTLS" and self.tls:
                    await writer.start_tls(self.tls)
                if verb == "LOGOUT":
                    break
        except OSError:
            pass
        finally:
            writer.close()

    async def _answer(self, tag: bytes, verb: str, rest: str, reader: StreamReader, writer: StreamWriter) -> bytes:
        if verb in self.no_to:
            return tag + b" NO not today\r\n"
        ok = tag + b" OK done\r\n"
        match verb:
            case "CAPABILITY":
                auth = b" AUTH=PLAIN" if self.plain else b""
                return b"* CAPABILITY IMAP4rev1 STARTTLS" + auth + b"\r\n" + ok
            case "LOGIN":
                hit = _LOGIN.fullmatch(rest)
                names = [re.sub(r"\\(.)", r"\1", one) for one in hit.groups()] if hit else ["", ""]
                return ok if self.users.get(names[0]) == names[1] else tag + b" NO wrong password\r\n"
            case "AUTHENTICATE":
                writer.write(b"+ \r\n")
                _, name, password = base64.b64decode(await reader.readline()).decode().split("\0")
                good = self.users.get(name) == password
                return ok if good else tag + f" NO wrong password {password}\r\n".encode()
            case "SELECT":
                exists = b"* %d EXISTS\r\n" % len(self.mails)
                return exists + ok if rest == f'"{self.folder}"' else tag + b" NO no such folder\r\n"
            case "SEARCH":
                found = " ".join(str(101 + i) for i, mail in enumerate(self.mails) if not mail.seen)
                return f"* SEARCH {found}\r\n".encode() + ok
            case "FETCH" if self.unreadable.intersection(number for number, _ in self._named(rest)):
                return tag + b" NO damaged\r\n"
            case "FETCH":
                return b"".join(self._fetched(*one, rest) for one in self._named(rest)) + ok
            case "STORE":
                for _, mail in self._named(rest):
                    mail.seen = mail.seen or r"(\Seen)" in rest
        return ok

    def _named(self, rest: str) -> list[tuple[int, Stored]]:
        numbers = [int(one) for one in rest.partition(" ")[0].split(",")]
        return [(number, self.mails[number - 101]) for number in numbers]

    def _fetched(self, number: int, mail: Stored, rest: str) -> bytes:
        hit = re.search(r"BODY\.PEEK\[\]<0\.(\d+)>", rest)
        assert hit, rest
        part = mail.content[: int(hit[1])]
        head = f"* {number - 100} FETCH (UID {number} BODY[]<0> {{{self.announce or len(part)}}}\r\n"
        return head.encode() + part + b")\r\n"
