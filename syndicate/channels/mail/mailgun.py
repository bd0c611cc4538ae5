"""Mail by Mailgun's HTTP API: an edition once a call, with up to 1,000 recipients and what is each one's own.

Mailgun replaces `%recipient.NAME%` and names of its own (`%unsubscribe_url%`) wherever they stand, in stories too. So a
percent sign that a name might follow is written as `&#37;` in HTML and gets an invisible U+2060 behind it in text and
in headers: harmless however often it is replaced, and readers see what was written. No name begins with two
hexadecimal digits, so percent-encoded URLs stay whole.

There is no key that makes a call safe to repeat, and 5xx answers to calls that did send were reported. So whatever
isn't a clear no after the request was begun leaves the whole call uncertain; its webhooks settle that later. 429 and
503 are clear: they are said before a message is looked at. One bad address makes Mailgun say 400 to all: halving finds
it, and the others go.
"""

import asyncio
import base64
import gzip
import html
import json
import re
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from ipaddress import ip_network
from typing import ClassVar
from urllib.parse import quote, urlsplit

from syndicate.channels.mail import headers
from syndicate.channels.mail.message import common_fields, split_at_holes, unfit
from syndicate.domain.delivery import Outcome, OutcomeKind
from syndicate.errors import ConfigError
from syndicate.net.answer import MIB, Caps, Fetched, FetchFailed
from syndicate.net.client import Client
from syndicate.net.guard import Allowed, literal
from syndicate.net.polite import parse_retry_after
from syndicate.ports import Copy, Mail, Sheet

MOST_RECIPIENTS = 1000  # a call, by Mailgun's documentation
REGIONS: Mapping[str, str] = {"us": "https://api.mailgun.net", "eu": "https://api.eu.mailgun.net"}

_VARIABLE = re.compile(r"%(?![0-9A-Fa-f]{2})(?=[A-Za-z_]|\Z)")  # at the end: what comes behind it isn't known here
_WORD = re.compile(r"=(?=\?)")  # of RFC 2047
_JOINER = "\N{WORD JOINER}"
_FOLD = re.compile(r"\r\n(?= )")
_DOMAIN = re.compile(r"(?=.{3,253}\Z)[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_NO_ENDPOINT = b"Mailgun Magnificent API"  # said with 200 where there is nothing
_ADDRESS_AT_FAULT = re.compile(r"(?i)\bto\W{0,2} parameter|(?:invalid|bad) (?:recipient|address)|recipient address")
_MOST_BAD = 20  # addresses found bad in one call; more than that is about us
_TOO_MANY_BAD = Outcome(
    kind=OutcomeKind.DEFERRED, code="addresses", text="our set-up: too many addresses were refused in one call"
)
_MOST_WORDS = 300  # characters of an answer that are kept
_LATER = frozenset({408, 420, 429, 503})
_LEFT_OUT = frozenset({"From", "Subject", "Date"})  # said in fields of their own, or written by Mailgun
_SAME_FOR_ALL = (("o:tracking", "no"),)  # links and pictures stay as they are


@dataclass(frozen=True, kw_only=True)
class MailgunConfig:
    """An account's domain. `url` is the region's, or where somebody speaks Mailgun's language."""

    kind: ClassVar[str] = "mailgun"
    name: str
    domain: str
    api_key: str = field(repr=False)
    user_agent: str
    url: str = REGIONS["us"]
    connections: int = 1
    timeout_seconds: float = 60.0


class MailgunMailer:
    """A BulkMailer. One call leaves at most `per_call` copies in doubt."""

    def __init__(self, config: MailgunConfig) -> None:
        """Opens nothing. Raises ConfigError."""
        if not _DOMAIN.fullmatch(config.domain):
            raise ConfigError(f"channels.{config.name}.domain: {config.domain!r} is no domain; write it in ASCII")
        self.connections, self.per_call = config.connections, MOST_RECIPIENTS
        self._base = f"{config.url.rstrip('/')}/v3/{quote(config.domain, safe='')}"
        self._client = Client(allowed=_opened(config.url), user_agent=config.user_agent)
        self._authorization = "Basic " + base64.b64encode(f"api:{config.api_key}".encode()).decode()
        seconds = config.timeout_seconds
        self._caps = Caps(read_seconds=seconds, total_seconds=seconds, wire_bytes=MIB, body_bytes=MIB, hops=0)

    async def send(
        self, mails: Sequence[Mail], *, may_send: Callable[[int], bool]
    ) -> AsyncIterator[tuple[int, Outcome | None]]:
        """Each in a call of its own, byte for byte."""
        for mail in mails:
            if why := unfit(mail):
                yield mail.delivery, Outcome(kind=OutcomeKind.REFUSED, code="address", text=why)
                continue
            form = _Form([("to", mail.recipient), ("v:bounce", mail.sender), *_SAME_FOR_ALL], mail.content)
            await form.pack()
            allowed = may_send(mail.delivery)
            yield mail.delivery, _outcome(await self._post("messages.mime", form)) if allowed else None

    async def send_bulk(
        self, sheet: Sheet, copies: Sequence[Copy], *, may_send: Callable[[int], bool]
    ) -> AsyncIterator[tuple[int, Outcome | None]]:
        """In one call, unless an address is bad; in halves of halves then. "Not now" is heard for all that is left."""
        template = _Template(sheet)
        fit: list[Copy] = []
        for copy in copies:
            if why := _unfit(copy):
                yield copy.delivery, Outcome(kind=OutcomeKind.REFUSED, code="address", text=why)
            else:
                fit.append(copy)
        waiting: list[Sequence[Copy]] = [fit]
        later: Outcome | None = None
        bad = 0
        while waiting:
            group = waiting.pop()
            going, outcome = (group, later) if later else await self._try(template, group, may_send)
            kept = {copy.delivery for copy in going}
            for copy in group:
                if copy.delivery not in kept:
                    yield copy.delivery, None
            if outcome is None:
                continue
            if outcome.kind is OutcomeKind.REFUSED and len(going) > 1:
                half = len(going) // 2
                waiting += [going[half:], going[:half]]
                continue
            bad += outcome.kind is OutcomeKind.REFUSED
            later = outcome if outcome.kind is OutcomeKind.DEFERRED else _TOO_MANY_BAD if bad >= _MOST_BAD else None
            for copy in going:
                yield copy.delivery, outcome

    async def aclose(self) -> None:
        """Closes idle connections."""
        await self._client.aclose()

    async def probe(self) -> str:
        """Asks to send nothing to nobody: who knows the key and the domain finds fault with the rest."""
        form = _Form([("o:testmode", "yes")])
        await form.pack()
        answer = await self._post("messages", form)
        if isinstance(answer, Fetched) and answer.status == 400:
            return ""
        outcome = _outcome(answer)
        return f"{outcome.code}: {outcome.text}"

    async def _try(
        self, template: "_Template", group: Sequence[Copy], may_send: Callable[[int], bool]
    ) -> tuple[Sequence[Copy], Outcome | None]:
        """One call for those who may be written to, and what is said of them; None where nobody is left.

        They are asked for again when the call is ready, and it is made anew if somebody left meanwhile.
        """
        going = group
        while going := [copy for copy in going if may_send(copy.delivery)]:
            form = template.form(going)
            await form.pack()
            if all(may_send(copy.delivery) for copy in going):
                return going, _outcome(await self._post("messages", form))
        return [], None

    async def _post(self, what: str, form: "_Form") -> Fetched | FetchFailed:
        sent_with = {
            "authorization": self._authorization,
            "content-type": f"multipart/form-data; boundary={form.boundary}",
            "content-encoding": "gzip",
        }
        url = f"{self._base}/{what}"
        return await self._client.fetch("POST", url, headers=sent_with, body=form.packed, caps=self._caps, follow=False)


class _Form:
    """A body by RFC 7578. Its boundary can't be guessed, so no value holds it."""

    def __init__(self, fields: Iterable[tuple[str, str]], message: bytes | None = None) -> None:
        self.boundary = secrets.token_hex(16)
        heads: dict[str, bytes] = {}
        pieces: list[bytes] = []
        for name, value in fields:
            head = heads.get(name) or heads.setdefault(name, self._part(f'name="{name}"'))
            pieces.append(head + value.encode(errors="replace"))
        if message is not None:
            pieces.append(self._part('name="message"; filename="message.eml"') + message)
        pieces.append(f"--{self.boundary}--\r\n".encode())
        self._whole, self.packed = b"\r\n".join(pieces), b""

    async def pack(self) -> None:
        """In a thread: zlib lets go of the interpreter's lock."""
        self.packed = await asyncio.to_thread(gzip.compress, self._whole, compresslevel=1, mtime=0)

    def _part(self, name: str) -> bytes:
        return f"--{self.boundary}\r\nContent-Disposition: form-data; {name}\r\n\r\n".encode()


class _Template:
    """A sheet in Mailgun's language: in the place of each hole and of each own header the name of a variable."""

    def __init__(self, sheet: Sheet) -> None:
        letterhead = replace(
            sheet.letterhead,
            from_name=harmless(sheet.letterhead.from_name),
            list_title=harmless(sheet.letterhead.list_title),
        )
        common = {name: _value(field) for name, field in common_fields(letterhead, "").items()}
        text, html_text = split_at_holes(sheet.text, sheet.mark), split_at_holes(sheet.html, sheet.mark)
        self._in_text = {name: f"t_{name}" for name in sorted(set(text[1::2]))}
        self._in_html = {name: f"m_{name}" for name in sorted(set(html_text[1::2]))}
        self._fields = [
            ("from", common["From"]),
            ("subject", harmless(_WORD.sub(f"={_JOINER}", headers.one_line(sheet.subject)))),
            ("text", _with_names(text, "t", harmless)),
            ("html", _with_names(html_text, "m", _harmless_markup)),
            *((f"h:{name}", value) for name, value in common.items() if name not in _LEFT_OUT),
            *_SAME_FOR_ALL,
        ]

    def form(self, copies: Sequence[Copy]) -> _Form:
        """For these people."""
        names = {name: _variable(name) for name in copies[0].fields if name != "To"}
        variables = {
            copy.recipient: {
                "bounce": copy.sender,
                **{variable: _value(copy.fields[name]) for name, variable in names.items()},
                **self._filling(copy.values),
            }
            for copy in copies
        }
        return _Form(
            [
                *(("to", _value(copy.fields["To"])) for copy in copies),
                *self._fields,
                *((f"h:{name}", f"%recipient.{variable}%") for name, variable in names.items()),
                ("v:bounce", "%recipient.bounce%"),
                ("recipient-variables", json.dumps(variables, separators=(",", ":"))),
            ]
        )

    def _filling(self, values: Mapping[str, str]) -> Mapping[str, str]:
        filling = {variable: harmless(headers.one_line(values[name])) for name, variable in self._in_text.items()}
        for name, variable in self._in_html.items():
            filling[variable] = _harmless_markup(html.escape(headers.one_line(values[name])))
        return filling


def harmless(text: str) -> str:
    """Plain text in which Mailgun finds nothing to replace, now or in a second pass; for the eye it is the same."""
    return _VARIABLE.sub(f"%{_JOINER}", text) if "%" in text else text


def _harmless_markup(markup: str) -> str:
    return _VARIABLE.sub("&#37;", markup) if "%" in markup else markup


def _with_names(stretches: Sequence[str], kind: str, neutral: Callable[[str], str]) -> str:
    """With a variable in the place of each hole; `kind` tells a value for text from one for markup."""
    turns = enumerate(stretches)
    return "".join(f"%recipient.{kind}_{part}%" if turn % 2 else neutral(part) for turn, part in turns)


def _variable(header: str) -> str:
    return f"h_{header.lower().replace('-', '_')}"


def _value(field: str) -> str:
    """Of a header field, on one line."""
    value = field[field.index(" ") + 1 : -2]
    return _FOLD.sub("", value) if "\r" in value else value


def _unfit(copy: Copy) -> str | None:
    for role, address in (("recipient", copy.recipient), ("sender", copy.sender)):
        if "%" in address or not headers.ADDRESS.fullmatch(address):
            return f"the {role}'s address has characters that Mailgun can't be given safely"
    return None


def _outcome(answer: Fetched | FetchFailed) -> Outcome:
    """What an answer, or its absence, means for everybody in the call. Refused: an address among them is bad."""
    if isinstance(answer, Fetched):
        return _judged(answer.status, answer.body, answer.headers)
    if answer.status is not None:
        return _judged(answer.status, b"", {})
    kind = OutcomeKind.UNCERTAIN if answer.maybe_delivered else OutcomeKind.DEFERRED
    return Outcome(kind=kind, code=answer.kind, text=answer.detail)


def _judged(status: int, body: bytes, said_with: Mapping[str, str]) -> Outcome:
    code, words, reference = f"HTTP {status}", *_read(body)
    if status // 100 == 2 and _NO_ENDPOINT not in body:
        return Outcome(kind=OutcomeKind.ACCEPTED, code=code, text=words, provider_ref=reference)
    if status // 100 == 5 and status not in _LATER:
        return Outcome(kind=OutcomeKind.UNCERTAIN, code=code, text=words)
    if status == 400 and _ADDRESS_AT_FAULT.search(words):
        return Outcome(kind=OutcomeKind.REFUSED, code=code, text=words)
    seconds = parse_retry_after(said_with.get("retry-after"), said_with.get("date"), None)
    return Outcome(
        kind=OutcomeKind.DEFERRED,
        code=code,
        text=words if status in _LATER else f"our set-up: {words}",
        retry_after=None if seconds is None else timedelta(seconds=seconds),
    )


def _read(body: bytes) -> tuple[str, str]:
    """The words of an answer and the number that Mailgun gave the message; what can't be read is shown as it came."""
    text, reference = body.decode("utf-8", "replace"), ""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    if isinstance(said, dict):
        text, reference = str(said.get("message", text)), str(said.get("id", ""))
    return headers.one_line(text)[:_MOST_WORDS], reference


def _opened(url: str) -> Allowed:
    """The operator's own address is trusted, also on a private network; names lead to the public internet only."""
    parts = urlsplit(url)
    address = literal(parts.hostname or "")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Allowed(frozenset({(ip_network(address), port)}) if address else frozenset())
