"""Mail to a relay over SMTP (RFC 5321). Knows at each step what a failure means for the reader's copy.

Before the final dot is begun nothing was taken over, so trouble defers. After it only the relay's answer tells:
2yz is accepted, 4yz deferred, 5yz refused, and an answer that is lost, late or garbled is `uncertain`, never guessed.
What is our own set-up's fault (TLS, password, envelope sender) defers too: no reader is refused for it.
"""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from enum import Enum

from syndicate.channels.mail.message import unfit
from syndicate.channels.mail.smtp_session import Reply, Session, SmtpConfig, Trouble, joined
from syndicate.domain.delivery import Outcome, OutcomeKind
from syndicate.errors import ConfigError
from syndicate.net import connect
from syndicate.ports import Mail

__all__ = ["SmtpConfig", "SmtpMailer"]

REUSE = 100  # messages per connection; many relays hang up after so many
_AT_ONCE = 65_536  # bytes that a kernel takes together with the final dot; a larger message is watched as it goes
_OURS = frozenset({503, 530, 535, 538})  # out of turn, or not signed in: says nothing about the recipient
_LINE_END = re.compile(rb"\r\n|\r|\n")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}|[0-9A-Fa-f:.]{2,45}")
_EHLO_NAME = re.compile(r"[A-Za-z0-9.-]{1,253}|\[[0-9A-Za-z:.]{2,50}\]")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_QUEUE_ID = re.compile(r"(?:queued as |\bid=|^Ok )<?([A-Za-z0-9.@_-]{4,100})", re.I)


class Unheard(Enum):
    """An envelope that was said in advance came to nothing; of the message nothing was said, so it is said again."""

    UNHEARD = "unheard"


UNHEARD = Unheard.UNHEARD


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
            for place, mail in enumerate(mails):
                if why := unfit(mail):
                    yield mail.delivery, Outcome(kind=OutcomeKind.REFUSED, code="address", text=why)
                    continue
                outcome: Outcome | Unheard | None = UNHEARD
                while outcome is UNHEARD:
                    if not isinstance(line, Outcome):
                        line = await self._ready(line)
                    if isinstance(line, Outcome):
                        outcome = line
                    else:
                        outcome = _too_large(line, mail) or await self._hand_over(line, mails[place:], may_send)
                yield mail.delivery, outcome
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
        while session is None or (not session.has_announced and (session.used >= REUSE or not session.is_ready)):
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

    async def _hand_over(
        self, session: Session, mails: Sequence[Mail], may_send: Callable[[int], bool]
    ) -> Outcome | Unheard | None:
        """The first of `mails`; with its final dot the envelope of the second is said. None: it may not be sent.

        Whether it may is asked before anything is said of it, and once more before anything of its content.
        """
        mail = mails[0]
        announced, session.has_announced = session.has_announced, False
        if not may_send(mail.delivery):
            if announced:
                session.drop()  # the relay waits for a message that it shall not have
            return None
        session.at_rest = False
        session.used += not announced
        body = mail.content if mail.is_clean else stuffed(mail.content)
        try:
            no = await self._envelope(session, mail, len(body), said=announced)
        except Trouble as trouble:
            session.drop()
            return UNHEARD if announced and trouble.code != "timeout" else _deferred(trouble.code, trouble.text)
        if no is not None:
            return no
        if not may_send(mail.delivery):
            session.drop()
            return None
        try:
            session.expect_silence()
            if len(body) > _AT_ONCE:
                await session.put(body)
                body = b""
            session.say(b"".join((body, b".\r\n", self._announcement(session, mails[1:], may_send))))
        except Trouble as trouble:
            session.drop()
            return _deferred(trouble.code, trouble.text)
        return await self._answer(session)

    async def _envelope(self, session: Session, mail: Mail, octets: int, *, said: bool) -> Outcome | None:
        """MAIL, RCPT, DATA; the outcome if the relay says no to one of them."""
        if said and session.is_granted():
            return None
        lines = _envelope_lines(session, mail, octets)
        replies = await session.ask_all(lines, said=said)
        if said and replies[0].number == 421:  # RFC 5321 §3.8: meant for the connection, not for this mail
            raise Trouble("connection", f"the relay hung up: {replies[0].text}")
        for line, wanted, reply in zip(lines, (2, 2, 3), replies, strict=False):
            if reply.number // 100 == wanted:
                continue
            if not reply.is_no:
                raise Trouble("garbled", f"{line[:4]}: an answer out of turn: {reply.code} {reply.text}")
            await _rest(session, replies)
            return _said_no(reply, ours=line.startswith("MAIL"))
        return None

    async def _answer(self, session: Session) -> Outcome:
        """To the final dot. The message may have been taken over whatever we see."""
        try:
            reply = await session.hear(seconds=self._config.final_timeout_seconds)
        except Trouble as trouble:
            session.drop()
            return Outcome(kind=OutcomeKind.UNCERTAIN, code=trouble.code, text=f"after the message: {trouble.text}")
        if reply.number // 100 == 3:
            session.drop()
            return Outcome(kind=OutcomeKind.UNCERTAIN, code=reply.code, text="an answer that means nothing here")
        if reply.number == 421:  # RFC 5321 §3.8: it is hanging up
            session.drop()
        session.at_rest = reply.number != 421 and not session.has_announced
        if not reply.is_yes:
            return _said_no(reply, ours=False)
        words = reply.text
        queue_id = _QUEUE_ID.search(words)
        return Outcome(
            kind=OutcomeKind.ACCEPTED, code=reply.code, text=words, provider_ref=queue_id[1] if queue_id else ""
        )

    def _announcement(self, session: Session, mails: Sequence[Mail], may_send: Callable[[int], bool]) -> bytes:
        """The next envelope may come right behind a message (RFC 2920 §3.1): a journey to the relay is saved."""
        if not mails or session.used >= REUSE or not session.offers("PIPELINING"):
            return b""
        mail = mails[0]
        if unfit(mail) or _too_large(session, mail) or not may_send(mail.delivery):
            return b""
        session.has_announced = True
        session.used += 1
        return joined(_envelope_lines(session, mail, len(mail.content if mail.is_clean else stuffed(mail.content))))


def _envelope_lines(session: Session, mail: Mail, octets: int) -> tuple[str, str, str]:
    size = f" SIZE={octets}" if session.offers("SIZE") else ""  # RFC 1870
    return f"MAIL FROM:<{mail.sender}>{size}", f"RCPT TO:<{mail.recipient}>", "DATA"


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
