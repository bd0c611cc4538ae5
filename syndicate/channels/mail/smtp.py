"""Mail to a relay over SMTP (RFC 5321). Knows at each step what a failure means for the reader's copy.

Before the final dot is begun nothing was taken over, so trouble defers. After it only the relay's answer tells:
2yz is accepted, 4yz deferred, 5yz refused, and an answer that is lost, late or garbled is `uncertain`, never guessed.
What is our own set-up's fault (TLS, password, envelope sender) defers too: no reader is refused for it.
"""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable, Sequence

from syndicate.channels.mail.message import unfit
from syndicate.channels.mail.smtp_session import Reply, Session, SmtpConfig, Trouble
from syndicate.domain.delivery import Outcome, OutcomeKind
from syndicate.errors import ConfigError
from syndicate.net import connect
from syndicate.ports import Mail

__all__ = ["SmtpConfig", "SmtpMailer"]

REUSE = 100  # messages per connection; many relays hang up after so many
_OURS = frozenset({503, 530, 535, 538})  # out of turn, or not signed in: says nothing about the recipient
_LINE_END = re.compile(rb"\r\n|\r|\n")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}|[0-9A-Fa-f:.]{2,45}")
_EHLO_NAME = re.compile(r"[A-Za-z0-9.-]{1,253}|\[[0-9A-Za-z:.]{2,50}\]")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_QUEUE_ID = re.compile(r"(?:queued as |\bid=|^Ok )<?([A-Za-z0-9.@_-]{4,100})", re.I)


class SmtpMailer:
    """Keeps up to `connections` open while there is work, each for `REUSE` messages."""

    per_call = 8  # what a crash can leave uncertain on one connection

    def __init__(self, config: SmtpConfig) -> None:
        """Opens nothing. Raises ConfigError."""
        self.connections = config.connections
        self._config = config
        self._context = _checked_context(config)
        self._idle: dict[Session, asyncio.TimerHandle] = {}

    async def send(
        self, mails: Sequence[Mail], *, may_send: Callable[[int], bool]
    ) -> AsyncIterator[tuple[int, Outcome | None]]:
        """All over one connection, unless it breaks. If no new one can be had, the rest is deferred at once."""
        line: Session | Outcome | None = None
        try:
            for mail in mails:
                if why := unfit(mail):
                    yield mail.delivery, Outcome(kind=OutcomeKind.REFUSED, code="address", text=why)
                    continue
                if not isinstance(line, Outcome):
                    line = await self._ready(line)
                if isinstance(line, Outcome):
                    yield mail.delivery, line
                elif too_large := _too_large(line, mail):
                    yield mail.delivery, too_large
                elif may_send(mail.delivery):
                    yield mail.delivery, await self._hand_over(line, mail)
                else:
                    yield mail.delivery, None
        finally:
            if isinstance(line, Session):
                self._give_back(line)

    async def aclose(self) -> None:
        """Says QUIT on idle connections."""
        idle, self._idle = self._idle, {}
        for timer in idle.values():
            timer.cancel()
        await asyncio.gather(*(session.quit() for session in idle))

    async def probe(self) -> str:
        """Connects, turns TLS on and signs in, and says goodbye."""
        line = await self._connect()
        if isinstance(line, Outcome):
            return f"{line.code}: {line.text}"
        await line.quit()
        return ""

    async def _ready(self, session: Session | None) -> Session | Outcome:
        """The same connection if it is still good, else an idle one, else a new one, else why there is none."""
        while session is None or session.used >= REUSE or not await session.is_ready():
            if session is not None:
                session.leave()
            if not self._idle:
                return await self._connect()
            session, timer = self._idle.popitem()
            timer.cancel()
        return session

    async def _connect(self) -> Session | Outcome:
        try:
            return await Session.start(self._config, self._context)
        except Trouble as trouble:
            return _deferred(trouble.code, trouble.text)

    def _give_back(self, session: Session) -> None:
        if not session.at_rest or session.used >= REUSE:
            session.leave()
            return
        loop = asyncio.get_running_loop()
        self._idle[session] = loop.call_later(self._config.idle_seconds, self._expire, session)

    def _expire(self, session: Session) -> None:
        del self._idle[session]
        session.leave()

    async def _hand_over(self, session: Session, mail: Mail) -> Outcome:
        session.at_rest = False
        session.used += 1
        body = stuffed(mail.content)
        try:
            no = await self._envelope(session, mail, len(body))
            if no is not None:
                return no
            await session.put(body)
        except Trouble as trouble:
            session.drop()
            return _deferred(trouble.code, trouble.text)
        return await self._final_dot(session)

    async def _envelope(self, session: Session, mail: Mail, octets: int) -> Outcome | None:
        """MAIL, RCPT, DATA; the outcome if the relay says no to one of them."""
        size = f" SIZE={octets}" if session.offers("SIZE") else ""  # RFC 1870
        steps = (
            (f"MAIL FROM:<{mail.sender}>{size}", 2),
            (f"RCPT TO:<{mail.recipient}>", 2),
            ("DATA", 3),
        )
        replies = await session.ask_all([line for line, _ in steps])
        for (line, wanted), reply in zip(steps, replies, strict=False):
            if reply.number // 100 == wanted:
                continue
            if not reply.is_no:
                raise Trouble("garbled", f"{line[:4]}: an answer out of turn: {reply.code} {reply.text}")
            await _rest(session, replies)
            return _said_no(reply, ours=line.startswith("MAIL"))
        return None

    async def _final_dot(self, session: Session) -> Outcome:
        """From here on the message may be taken over whatever we see."""
        try:
            reply = await session.exchange(b".\r\n", seconds=self._config.final_timeout_seconds)
        except Trouble as trouble:
            session.drop()
            return Outcome(kind=OutcomeKind.UNCERTAIN, code=trouble.code, text=f"after the message: {trouble.text}")
        if reply.number // 100 == 3:
            session.drop()
            return Outcome(kind=OutcomeKind.UNCERTAIN, code=reply.code, text="an answer that means nothing here")
        session.at_rest = reply.number != 421
        if not reply.is_yes:
            return _said_no(reply, ours=False)
        queue_id = _QUEUE_ID.search(reply.text)
        return Outcome(
            kind=OutcomeKind.ACCEPTED, code=reply.code, text=reply.text, provider_ref=queue_id[1] if queue_id else ""
        )


def stuffed(content: bytes) -> bytes:
    """The message as DATA carries it: CRLF everywhere, so that no relay sees an end where we see none, leading dots
    doubled (RFC 5321 §4.5.2), and a line end at its end."""
    pairs = content.count(b"\r\n")
    if content.count(b"\r") != pairs or content.count(b"\n") != pairs:
        content = _LINE_END.sub(b"\r\n", content)
    if not content.endswith(b"\r\n"):
        content += b"\r\n"
    doubled = content.replace(b"\r\n.", b"\r\n..")
    return b"." + doubled if doubled.startswith(b".") else doubled


async def _rest(session: Session, replies: Sequence[Reply]) -> None:
    """The relay's no stands, even if the connection then breaks."""
    if any(reply.number == 421 for reply in replies):  # RFC 5321 §3.8: it is hanging up
        session.drop()
        return
    try:
        if replies[-1].number == 354:  # it waits for a message to nobody; who hangs up now sends none for sure
            session.drop()
            return
        await session.reset()
    except Trouble:
        session.drop()


def _said_no(reply: Reply, *, ours: bool) -> Outcome:
    if reply.number in _OURS or (ours and reply.is_final_no):
        return _deferred(reply.code, f"our set-up: {reply.text}")
    if reply.is_final_no:
        return Outcome(kind=OutcomeKind.REFUSED, code=reply.code, text=reply.text)
    return _deferred(reply.code, reply.text)


def _too_large(session: Session, mail: Mail) -> Outcome | None:
    """The relay's limit (RFC 1870) is a matter of our set-up: it would be the same for each reader."""
    if (limit := session.size_limit) is None or (octets := len(mail.content)) <= limit:
        return None
    return _deferred("size", f"our set-up: the message has {octets} bytes, and the relay takes {limit} at most")


def _deferred(code: str, text: str) -> Outcome:
    return Outcome(kind=OutcomeKind.DEFERRED, code=code, text=text)


def _checked_context(config: SmtpConfig) -> ssl.SSLContext | None:
    key = f"channels.{config.name}"
    if not _HOST.fullmatch(config.host):
        raise ConfigError(f"{key}.host: {config.host!r} is no host name; write it in ASCII, without a port")
    if not _EHLO_NAME.fullmatch(config.ehlo_name):
        raise ConfigError(f"{key}.ehlo_name: {config.ehlo_name!r} is no host name; write this machine's full name")
    if (config.username is None) != (config.password is None):
        raise ConfigError(f"{key}: username and password go together; set both or none")
    if config.tls == "none":
        if config.password is not None and config.host not in _LOOPBACK:
            raise ConfigError(f'{key}.tls: a password is not sent unencrypted; use "starttls" or "tls"')
        return None
    try:
        return connect.tls_context(ca_file=config.ca_file)
    except OSError as trouble:
        raise ConfigError(f"{key}.ca_file: {config.ca_file} can't be used: {trouble.strerror or trouble}") from None
