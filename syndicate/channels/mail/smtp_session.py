"""One SMTP connection (RFC 5321): replies read strictly, every wait with a deadline, nothing said out of turn."""

import re
import ssl
from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar, Literal, NamedTuple, Self

from syndicate.net.connect import Line, open_line

QUIT_SECONDS = 2.0
_MOST_LINES = 100  # of one reply
_MOST_OCTETS = 2048  # of one line; RFC 5321 §4.5.3.1.5 says 512, relays with long greetings say more
_MOST_TEXT = 500  # characters kept of a reply
_PIECE = 65_536  # bytes
_SIZE = re.compile(r"[0-9]{1,20}")
_REPLY_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])([^\r\n]*))?\r\n")
_GRANTED = re.compile(rb"(?:2[0-9]{2}(?: [^\r\n]{,500})?\r\n){2}3[0-9]{2}(?: [^\r\n]{,500})?\r\n")
_ENHANCED = re.compile(rb"^[245]\.[0-9]{1,3}\.[0-9]{1,3}(?= |$)")


@dataclass(frozen=True, kw_only=True)
class SmtpConfig:
    """A relay. It is trusted: its address comes from the configuration only."""

    kind: ClassVar[str] = "smtp"
    name: str
    host: str
    port: int
    ehlo_name: str
    tls: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    connections: int = 4
    timeout_seconds: float = 60.0  # for a connection, and for each step
    final_timeout_seconds: float = 600.0  # for the answer to the final dot, RFC 5321 §4.5.3.2.6
    idle_seconds: float = 10.0  # an unused connection is given back after this long


class Trouble(Exception):
    """The connection can't be used (any further). Ends one exchange; becomes an `Outcome` in smtp.py."""

    def __init__(self, code: str, text: str) -> None:
        self.code, self.text = code, text
        super().__init__(f"{code}: {text}")


class Reply(NamedTuple):
    """What the relay answered."""

    number: int
    said: tuple[bytes, ...]  # line by line, without the number

    @property
    def is_yes(self) -> bool:
        """2yz: done."""
        return self.number // 100 == 2

    @property
    def is_no(self) -> bool:
        """4yz: not now, or 5yz: never."""
        return self.number >= 400

    @property
    def is_final_no(self) -> bool:
        """5yz: never."""
        return self.number // 100 == 5

    @property
    def code(self) -> str:
        """With the enhanced status code (RFC 3463) where there is one: "250 2.0.0"."""
        enhanced = _ENHANCED.match(self.said[0])
        return f"{self.number} {enhanced[0].decode()}" if enhanced else str(self.number)

    @property
    def text(self) -> str:
        """The words, for people."""
        words = (_ENHANCED.sub(b"", line, count=1).strip() for line in self.said)
        return _printable(b" ".join(words))[:_MOST_TEXT]


class Session:
    """A connection that has been greeted, encrypted and signed in as the configuration says."""

    def __init__(self, line: Line, config: SmtpConfig) -> None:
        self._line, self._config = line, config
        self._extensions: Mapping[str, str] = {}
        self._open = True
        self.at_rest = False  # between two messages
        self.has_announced = False  # the envelope of the next message was said together with the last final dot
        self.used = 0  # messages

    @classmethod
    async def start(cls, config: SmtpConfig, context: ssl.SSLContext | None) -> Self:
        """Connect and come to the point where MAIL may be said. Raises Trouble."""
        implicit = context if config.tls == "tls" else None
        try:
            line = await open_line(config.host, config.port, tls=implicit, connect_seconds=config.timeout_seconds)
        except OSError as trouble:
            raise _from_os("connect", trouble) from None
        session = cls(line, config)
        try:
            await session._greet(context)
        except BaseException:
            session.drop()
            raise
        session.at_rest = True
        return session

    @property
    def is_ready(self) -> bool:
        """Open, and the relay hasn't said anything unasked: a stray answer would be taken for the next one's."""
        return self._open and self.at_rest and not self._line.has_unread

    def offers(self, extension: str) -> bool:
        """Whether the relay announced it."""
        return extension in self._extensions

    @property
    def size_limit(self) -> int | None:
        """Octets that a message may have (RFC 1870 §4); None where the relay announces no limit."""
        said = self._extensions.get("SIZE", "")
        return int(said) or None if _SIZE.fullmatch(said) else None

    async def ask(self, line: str, *, expect: int | None = None) -> Reply:
        """Say one line, read one reply. Raises Trouble, also when `expect` is given and another number comes."""
        reply = await self.exchange(line.encode("ascii") + b"\r\n", seconds=self._config.timeout_seconds)
        if expect is not None and reply.number != expect:
            raise Trouble(reply.code, f"{_blame(reply)}{line.partition(' ')[0]}: {reply.text}")
        return reply

    async def exchange(self, data: bytes, *, seconds: float) -> Reply:
        """Write, then read one reply. Raises Trouble."""
        self.say(data)
        return await self.hear(seconds=seconds)

    async def hear(self, *, seconds: float) -> Reply:
        """Read one reply. Raises Trouble."""
        self._line.allow(seconds)
        try:
            return await self._read_reply()
        except OSError as trouble:
            raise _from_os("connection", trouble) from None

    def say(self, data: bytes) -> None:
        """Raises Trouble: then nothing of `data` has left."""
        try:
            self._line.write(data)
        except OSError as trouble:
            raise _from_os("connection", trouble) from None

    def is_granted(self) -> bool:
        """The answers to an announced envelope are here already, and are yes, yes and go on. They count as read."""
        return self._line.skip(_GRANTED)

    async def ask_all(self, lines: Sequence[str], *, said: bool) -> Sequence[Reply]:
        """Say several lines, as far as no is not among the replies; all at once where the relay allows (RFC 2920).

        There are fewer replies than lines when the relay hung up with a no. `said`: they were announced, and only the
        replies are wanted. Raises Trouble.
        """
        replies: list[Reply] = []
        if not self.offers("PIPELINING"):
            for line in lines:
                replies.append(await self.ask(line))
                if replies[-1].is_no:
                    break
            return replies
        self._line.allow(self._config.timeout_seconds)
        if not said:
            self.say(joined(lines))
        try:
            while len(replies) < len(lines):
                replies.append(await self._read_reply())
        except (OSError, Trouble) as trouble:
            if any(reply.is_no for reply in replies):
                return replies
            raise trouble if isinstance(trouble, Trouble) else _from_os("connection", trouble) from None
        return replies

    async def put(self, data: bytes) -> None:
        """Returns when all of it has left for the kernel. Raises Trouble: then at least its end has not.

        Piece by piece, for asyncio's TLS takes whatever it is given at once, and the relay may break in meanwhile.
        """
        self._line.allow(self._config.timeout_seconds)
        for start in range(0, len(data), _PIECE):
            self.say(data[start : start + _PIECE])
            try:
                await self._line.drain()
            except OSError as trouble:
                raise _from_os("connection", trouble) from None
            self.expect_silence()

    def expect_silence(self) -> None:
        """Raises Trouble when the relay has said something, or hung up, though it isn't its turn."""
        if self._line.has_unread:
            raise Trouble("connection", "the relay answered or hung up before the message was complete")

    async def reset(self) -> None:
        """Back to rest after a no."""
        await self.ask("RSET", expect=250)
        self.at_rest = True

    async def quit(self) -> None:
        """Say good-bye; doesn't wait long for an answer."""
        with suppress(Trouble):
            await self.exchange(b"QUIT\r\n", seconds=QUIT_SECONDS)
        self.drop()

    def leave(self) -> None:
        """Say good-bye without waiting, where there is still somebody to say it to."""
        if not (self._open and self.at_rest):
            self.drop()
            return
        self._open = False
        with suppress(Trouble):
            self.say(b"QUIT\r\n")
        self._line.close()

    def drop(self) -> None:
        """Hang up at once. What was not written stays unwritten, so half a message can't become a whole one."""
        self._open = False
        self.has_announced = False
        self._line.abort()

    async def _greet(self, context: ssl.SSLContext | None) -> None:
        banner = await self.hear(seconds=self._config.timeout_seconds)
        if banner.number != 220:
            raise Trouble(banner.code, f"{_blame(banner)}the greeting: {banner.text}")
        await self._hello()
        if self._config.tls == "starttls" and context is not None:
            await self._encrypt(context)
        if self._config.username is not None and self._config.password is not None:
            await self._sign_in(self._config.username, self._config.password)

    async def _hello(self) -> None:
        reply = await self.ask(f"EHLO {self._config.ehlo_name}", expect=250)
        words = [_printable(line).upper().partition(" ") for line in reply.said[1:]]
        self._extensions = {keyword: parameters for keyword, _, parameters in words}

    async def _encrypt(self, context: ssl.SSLContext) -> None:
        """What was said in clear is forgotten, and nothing more is said so (RFC 3207 §4.2)."""
        if not self.offers("STARTTLS"):
            raise Trouble("tls", "our set-up: the relay doesn't offer STARTTLS, and nothing is sent unencrypted")
        await self.ask("STARTTLS", expect=220)
        try:
            await self._line.encrypt(context, host=self._config.host)
        except OSError as trouble:
            raise _from_os("tls", trouble) from None
        await self._hello()

    async def _sign_in(self, username: str, password: str) -> None:
        offered = self._extensions.get("AUTH", "").split()
        if "PLAIN" in offered:  # RFC 4616
            secret = _base64(f"\0{username}\0{password}")
            reply = await self.ask(f"AUTH PLAIN {secret}")
        elif "LOGIN" in offered:
            secret = _base64(password)
            await self._ask_in_private("AUTH LOGIN", 334)
            await self._ask_in_private(_base64(username), 334)
            reply = await self.ask(secret)
        else:
            raise Trouble("auth", "our set-up: the relay offers neither AUTH PLAIN nor AUTH LOGIN")
        if reply.number != 235:
            words = reply.text.replace(secret, "…")
            raise Trouble(reply.code, f"our set-up: the relay didn't take user name and password: {words}")

    async def _ask_in_private(self, line: str, expect: int) -> None:
        reply = await self.ask(line)
        if reply.number != expect:
            raise Trouble(reply.code, "our set-up: the relay broke off AUTH LOGIN")

    async def _read_reply(self) -> Reply:
        number, more, text = await self._read_line()
        if not more:
            return Reply(number, (text,))
        lines = [text]
        while more:
            if len(lines) == _MOST_LINES:
                raise Trouble("garbled", f"a reply of more than {_MOST_LINES} lines")
            another, more, text = await self._read_line()
            lines.append(text)
            if another != number:
                raise Trouble("garbled", "a reply with two numbers")
        return Reply(number, tuple(lines))

    async def _read_line(self) -> tuple[int, bool, bytes]:
        try:
            raw = self._line.heard_line() or await self._line.read_line()
        except ValueError:
            raise Trouble("garbled", "a reply without an end") from None
        if not raw.endswith(b"\n"):
            raise Trouble("connection", "the relay hung up")
        hit = _REPLY_LINE.fullmatch(raw)
        if hit is None or len(raw) > _MOST_OCTETS:
            raise Trouble("garbled", "a line that is no SMTP reply")
        number, dash, text = hit.groups()
        return int(number), dash == b"-", text or b""


def joined(lines: Sequence[str]) -> bytes:
    """Lines as they go over the wire."""
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


def _blame(reply: Reply) -> str:
    """A never that was said before any recipient was named is about us."""
    return "our set-up: " if reply.is_final_no else ""


def _printable(said: bytes) -> str:
    text = said.decode("ascii", "replace")
    return text if text.isprintable() else "".join(c if c.isprintable() else "�" for c in text)


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def _from_os(where: str, trouble: OSError) -> Trouble:
    if isinstance(trouble, ssl.SSLError):
        return Trouble("tls", f"our set-up: no trusted encrypted connection ({trouble.reason or trouble})")
    if isinstance(trouble, TimeoutError):
        return Trouble("timeout", "no answer in time")
    return Trouble(where, trouble.strerror or str(trouble) or "the connection was lost")
