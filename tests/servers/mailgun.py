"""Mailgun on a port of its own: its limits, its all-or-nothing, its template language, and every way it can fail.

    async with mailgun() as provider:
        provider.faults.append("late")
        ... provider.url ... provider.sent ... provider.calls
        body = provider.event("failed", provider.sent[0], severity="permanent")

What it took stands in `sent`, one entry a recipient, with everything filled in as the recipient gets it.
"""

import asyncio
import base64
import gzip
import hashlib
import hmac
import io
import json
import re
import secrets
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from python_multipart import parse_form

from tests.servers.http import MIB, Heard, Site, Wire, serve

MOST_RECIPIENTS, MOST_OCTETS = 1000, 25 * MIB
DOMAIN, KEY, SIGNING_KEY = "surat.lintaspagi.example", "key-of-the-tests", b"signing-key-of-the-tests"
NOT_AN_ADDRESS = "to parameter is not a valid address. please check documentation"
TAKEN_AND = ("late", "reset", "garbage", "cut", "page", "500")  # what follows after it took the mails
NOT_TAKEN = ("429", "503", "402", "401", "magnificent", "hang up")

_VARIABLE = re.compile(r"%recipient\.([^%\s]+)%")
_MAILBOX = re.compile(r'(?:"(?:[^"\\]|\\.)*" |(?:=\?[^<>,? ]+\?= )+|[^"<>,@]*)<([^<>\s]+)>|([^<>\s,"]+)')
_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_NAMES_OF_ITS_OWN: Mapping[str, str] = {
    "%unsubscribe_url%": "https://mailgun.test/u",
    "%tag_unsubscribe_url%": "https://mailgun.test/t",
    "%mailing_list_unsubscribe_url%": "https://mailgun.test/l",
    "%unsubscribe_email%": "u@mailgun.test",
}


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A message as one recipient gets it. `message` is the whole of it where it came whole."""

    recipient: str
    variables: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)
    subject: str = ""
    text: str = ""
    html: str = ""
    message: bytes = b""
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request: for whom, and what came of it."""

    recipients: tuple[str, ...]
    status: int


@dataclass
class Mailgun:
    """The provider. `faults` are had by the next calls, in order; then `fault` is asked."""

    site: Site
    sent: list[Sent] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    faults: deque[str] = field(default_factory=deque)
    fault: Callable[[], str] = lambda: ""
    bad_addresses: set[str] = field(default_factory=set)
    on_call: Callable[[], None] = lambda: None  # when a request is whole
    passes: int = 1  # how often it looks for variables
    answer_late: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return self.site.url("").rstrip("/")

    def recipients(self) -> list[str]:
        """Who got something, once for each time."""
        return sorted(sent.recipient for sent in self.sent)

    def event(self, name: str, sent: Sent, *, at: datetime, key: bytes = SIGNING_KEY, **more: Any) -> bytes:
        """A webhook about a message, signed."""
        told = {
            "event": name,
            "id": secrets.token_urlsafe(16),
            "timestamp": at.timestamp(),
            "recipient": sent.recipient,
        }
        told |= {"user-variables": dict(sent.variables), "message": {"headers": {"message-id": sent.id}}, "tags": []}
        return json.dumps({"signature": signature(at, key=key), "event-data": told | more}).encode()

    async def take(self, heard: Heard, wire: Wire) -> None:
        """A request to send."""
        fault = self.faults.popleft() if self.faults else self.fault()
        self.on_call()
        status, said, sent = self._judge(heard)
        self.calls.append(Call(recipients=tuple(one.recipient for one in sent), status=status))
        if status == 200 and fault not in NOT_TAKEN:
            self.sent += sent
        await self._answer(fault, status, said, wire)

    async def _answer(self, fault: str, status: int, said: Mapping[str, str], wire: Wire) -> None:
        body = json.dumps(said).encode()
        if status != 200 and fault in ("cut", "page", "500", "magnificent"):
            fault = ""
        if fault == "late":
            await self.answer_late.wait()
        elif fault in ("reset", "hang up"):
            return
        elif fault == "garbage":
            await wire.send(b"\x00\xff not what was asked for\r\n\r\n")
            return
        elif fault == "cut":
            await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + body[:9])
            return
        elif fault == "page":
            body = b"<html>Queued?</html>"
        elif fault == "500":
            status, body = 500, b'{"message":"Internal Server Error"}'
        elif fault == "magnificent":
            body = b"Mailgun Magnificent API"
        elif fault:
            status, body = int(fault), b'{"message":"not now"}'
        retry = {"Retry-After": "120"} if status in (429, 503) else {}
        await wire.respond(status, body, {"Content-Type": "application/json", **retry})

    def _judge(self, heard: Heard) -> tuple[int, Mapping[str, str], list[Sent]]:
        expected = "Basic " + base64.b64encode(f"api:{KEY}".encode()).decode()
        if heard.headers.get("authorization") != expected:
            return 401, {"message": "Forbidden"}, []
        what = heard.path.removeprefix(f"/v3/{DOMAIN}/")
        if what not in ("messages", "messages.mime"):
            return 404, {"message": f"Domain not found: {heard.path}"}, []
        packed = heard.headers.get("content-encoding") == "gzip"
        body = gzip.decompress(heard.body) if packed else heard.body
        if len(body) > MOST_OCTETS:
            return 413, {"message": "Request Entity Too Large"}, []
        fields = _fields(heard, body)
        if "from" not in fields and "message" not in fields:
            return 400, {"message": "from parameter is missing"}, []
        mailboxes = [value.decode() for value in fields["to"]]
        hits = [_MAILBOX.fullmatch(mailbox) for mailbox in mailboxes]
        addresses = {hit[1] or hit[2]: mailbox for hit, mailbox in zip(hits, mailboxes, strict=True) if hit}
        if len(mailboxes) > MOST_RECIPIENTS:
            return 400, {"message": "too many recipients in one request"}, []
        bad = [one for one in addresses if not _ADDRESS.fullmatch(one) or one in self.bad_addresses]
        if bad or not all(hits) or not addresses:
            return 400, {"message": NOT_AN_ADDRESS}, []
        identifier = f"<{secrets.token_hex(8)}@{DOMAIN}>"
        variables = json.loads(fields["recipient-variables"][0]) if "recipient-variables" in fields else None
        sent = []
        for address, mailbox in addresses.items():
            to = ", ".join(mailboxes) if variables is None else mailbox
            sent.append(self._filled(address, to, fields, (variables or {}).get(address, {}), identifier))
        return 200, {"id": identifier, "message": "Queued. Thank you."}, sent

    def _filled(
        self, address: str, to: str, fields: Mapping[str, list[bytes]], own: Mapping[str, str], identifier: str
    ) -> Sent:
        one = {name: values[0] for name, values in fields.items()}

        def filled(name: str) -> str:
            return expand(one.get(name, b"").decode(), own, passes=self.passes)

        headers = {name[2:]: filled(name) for name in one if name.startswith("h:")}
        return Sent(
            recipient=address,
            variables={name[2:]: filled(name) for name in one if name.startswith("v:")},
            headers={"From": filled("from"), "To": to, **headers},
            subject=filled("subject"),
            text=filled("text"),
            html=filled("html"),
            message=one.get("message", b""),
            id=identifier,
        )


def expand(text: str, variables: Mapping[str, str], *, passes: int = 1) -> str:
    """What a recipient reads; `passes`: a provider may look again at what it has filled in."""
    for _ in range(passes):
        text = _VARIABLE.sub(lambda hit: variables.get(hit[1], ""), text)
        for name, value in _NAMES_OF_ITS_OWN.items():
            text = text.replace(name, value)
    return text


def signature(at: datetime, *, key: bytes = SIGNING_KEY, token: str = "") -> dict[str, str]:
    """What a webhook is signed with: its time and a token, not what it tells."""
    timestamp, token = str(int(at.timestamp())), token or secrets.token_hex(25)
    signed = hmac.new(key, f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
    return {"timestamp": timestamp, "token": token, "signature": signed}


@asynccontextmanager
async def mailgun() -> AsyncIterator[Mailgun]:
    """Listens until the block ends."""
    async with serve() as site:
        provider = Mailgun(site=site)
        site.on("*", provider.take)
        yield provider


def _fields(heard: Heard, body: bytes) -> Mapping[str, list[bytes]]:
    """By name, the values of each; files too."""
    found: dict[str, list[bytes]] = defaultdict(list)

    def on_field(one: Any) -> None:
        found[one.field_name.decode()].append(one.value or b"")

    def on_file(one: Any) -> None:
        one.file_object.seek(0)
        found[one.field_name.decode()].append(one.file_object.read())

    kind = {"Content-Type": heard.headers["content-type"].encode()}
    parse_form(kind, io.BytesIO(body), on_field, on_file)
    return found
