"""A mailbox on an IMAP server (RFC 3501) that holds what others write back to us. What is taken is flagged as seen.

The standard library's client in a thread: it is kept with Python, speaks what we need, and takes its socket from us,
so this connection too is made in `net/`. An asynchronous one would save a thread that is there for a second a minute.
"""

import asyncio
import imaplib
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from socket import SHUT_RDWR, socket
from threading import Lock
from typing import Any, ClassVar, Literal

from syndicate.channels.mail.bounce import MOST_BYTES
from syndicate.errors import ConfigError
from syndicate.net import connect

_AT_ONCE = 50  # mails
_MOST_AT_A_LOOK = 5000
_LONGEST_LITERAL = MOST_BYTES + 1024  # bytes


@dataclass(frozen=True, kw_only=True)
class ImapConfig:
    """A server. It is trusted: its address comes from the configuration only."""

    kind: ClassVar[str] = "imap"
    name: str
    host: str
    port: int
    username: str
    password: str = field(repr=False)
    tls: Literal["tls", "starttls", "none"] = "tls"
    folder: str = "INBOX"
    ca_file: str | None = None
    timeout_seconds: float = 30.0  # for a connection, and for each wait
    look_seconds: float = 240.0  # for a whole look, however chatty the server is; a minute later there is another one


class _Trouble(Exception):
    """The server said no."""


_TROUBLES = (OSError, imaplib.IMAP4.error, _Trouble, ValueError, ArithmeticError)  # the last two: bad numbers


class _Client(imaplib.IMAP4):
    """The library's client on a socket of ours."""

    def __init__(self, config: ImapConfig, context: ssl.SSLContext | None, line: "_Line") -> None:
        self._config, self._context, self._line = config, context, line
        super().__init__(config.host, config.port, config.timeout_seconds)

    def _create_socket(self, timeout: float | None) -> socket:
        tls = self._context if self._config.tls == "tls" else None
        seconds = self._config.timeout_seconds
        opened = connect.open_socket(self._config.host, self._config.port, tls=tls, seconds=seconds)
        self._line.hold(opened)
        return opened

    def read(self, size: int) -> bytes:
        """What the server says to be so long, as a literal."""
        if size > _LONGEST_LITERAL:
            raise self.abort("it sends more than was asked for")
        return super().read(size)


class _Line:
    """The socket of a look, so that the look can be ended from outside: a thread that reads can't be."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._socket: socket | None = None
        self.is_cut = False

    def hold(self, opened: socket) -> None:
        """Called by the thread that opened it."""
        with self._lock:
            self._socket = opened
            cut = self.is_cut
        if cut:
            self.cut()

    def cut(self) -> None:
        """Whoever reads or writes there gets an error at once."""
        with self._lock:
            self.is_cut, opened = True, self._socket
        if opened is not None:
            with suppress(OSError):
                socket.shutdown(opened, SHUT_RDWR)  # not TLS's own: a thread is in it


class ImapMailbox:
    """Looks for what isn't flagged as seen; the connection lasts for one look."""

    def __init__(self, config: ImapConfig) -> None:
        """Opens nothing. Raises ConfigError."""
        self._config = config
        self._context = _context(config)

    async def empty(self, keep: Callable[[Sequence[bytes]], Awaitable[None]]) -> str:
        """BODY.PEEK: a mail isn't seen before we say so."""
        client: _Client | None = None
        line, loop = _Line(), asyncio.get_running_loop()
        deadline = loop.call_later(self._config.look_seconds, line.cut)
        problem = ""
        try:
            client = await asyncio.to_thread(self._open, line)
            numbers = await asyncio.to_thread(_unseen, client)
            for start in range(0, len(numbers), _AT_ONCE):
                mails, failure = await asyncio.to_thread(_fetch, client, numbers[start : start + _AT_ONCE])
                if mails:
                    await keep(list(mails.values()))
                    await asyncio.to_thread(_flag, client, list(mails))
                problem = self._words(failure) if failure else problem
        except _TROUBLES as error:
            problem = self._words(error)
        finally:
            if client is not None:
                await asyncio.to_thread(_leave, client)
            deadline.cancel()
        return f"the look took more than {self._config.look_seconds:g} s" if line.is_cut else problem

    async def probe(self) -> str:
        """Signs in, opens the folder, and leaves."""
        try:
            await asyncio.to_thread(_leave, await asyncio.to_thread(self._open, _Line()))
        except _TROUBLES as error:
            return self._words(error)
        return ""

    def _open(self, line: _Line) -> _Client:
        client = _Client(self._config, self._context, line)
        try:
            if self._config.tls == "starttls":
                client.starttls(self._context)
                line.hold(client.sock)  # another one by now
            self._sign_in(client)
            _said(client.select(_quoted(self._config.folder)))
        except BaseException:
            _leave(client)
            raise
        return client

    def _sign_in(self, client: _Client) -> None:
        if "AUTH=PLAIN" in client.capabilities:  # RFC 4616; LOGIN can't carry what isn't ASCII
            secret = f"\0{self._config.username}\0{self._config.password}".encode()
            client.authenticate("PLAIN", lambda _: secret)
        else:
            client.login(_quoted(self._config.username), self._config.password)

    def _words(self, error: Exception) -> str:
        if isinstance(error, ssl.SSLError):
            return f"no trusted encrypted connection ({error.reason or error})"
        if isinstance(error, TimeoutError):
            return "no answer in time"
        said = error.args[0] if error.args and not isinstance(error, OSError) else error
        text = said.decode("ascii", "replace") if isinstance(said, bytes) else str(said)
        shown = "".join(c if c.isprintable() else " " for c in text.replace(self._config.password, "…"))
        return shown[:300] or "the connection was lost"


def _unseen(client: _Client) -> list[str]:
    """UIDs: other than numbers they stay when somebody deletes a mail meanwhile."""
    (found,) = _said(client.uid("SEARCH", "UNSEEN"))[:1]
    return found.decode("ascii").split()[:_MOST_AT_A_LOOK] if found else []


def _fetch(client: _Client, numbers: Sequence[str]) -> tuple[dict[str, bytes], _Trouble | None]:
    """The mails by UID, and what was said of one that can't be read: the others don't wait for it."""
    mails: dict[str, bytes] = {}
    failure: _Trouble | None = None
    for number in numbers:
        try:
            answer = _said(client.uid("FETCH", number, f"(BODY.PEEK[]<0.{MOST_BYTES}>)"))
        except _Trouble as trouble:
            failure = trouble
            continue
        mails.update((number, part[1]) for part in answer if isinstance(part, tuple))
    return mails, failure


def _flag(client: _Client, numbers: Sequence[str]) -> None:
    _said(client.uid("STORE", ",".join(numbers), "+FLAGS.SILENT", r"(\Seen)"))


def _leave(client: _Client) -> None:
    """The library hangs up only after a good-bye that was answered."""
    with suppress(OSError, imaplib.IMAP4.error):
        client.logout()
    with suppress(OSError):
        client.shutdown()


def _said(answer: tuple[str, list[Any]]) -> list[Any]:
    word, data = answer
    if word != "OK":
        said = data[0] if data else b""
        raise _Trouble(said if isinstance(said, bytes) else str(said))
    return data


def _quoted(text: str) -> str:
    """A quoted string of RFC 3501 §4.3."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _context(config: ImapConfig) -> ssl.SSLContext | None:
    if config.tls == "none":
        return None
    try:
        return connect.tls_context(ca_file=config.ca_file)
    except OSError as trouble:
        raise ConfigError(
            f"receipts.{config.name}.ca_file: {config.ca_file} can't be used: {trouble.strerror or trouble}"
        ) from None
