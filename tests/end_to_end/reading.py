"""What the world sees of an installation: its feeds, as a reader's program fetches them, and its mails, as opened."""

import email.policy
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

import httpx2
from lxml import etree

from tests.formats.rules import NS, by_the_rules
from tests.servers.smtp import Taken

FORMATS = ("rss", "atom", "json")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A story as a feed shows it."""

    id: str
    title: str
    link: str
    body: str


@dataclass(kw_only=True)
class FeedReader:
    """Reads one feed in all its formats, and remembers which ETag came with which bytes."""

    client: httpx2.AsyncClient
    url: str  # without the ending
    etags: dict[str, dict[str, str]] = field(default_factory=lambda: {kind: {} for kind in FORMATS})
    newest: dict[str, str] = field(default_factory=dict)  # format → ETag of the last look
    revalidated: int = 0

    async def read(self) -> list[Shown]:
        """The stories, newest first. Fails unless all formats say the same, by the rules, each story once."""
        found = {kind: await self._read(kind) for kind in FORMATS}
        assert found["rss"] == found["atom"] == found["json"]
        names = [story.id for story in found["rss"]]
        assert len(names) == len(set(names)), "a story stands there twice"
        return found["rss"]

    async def _read(self, kind: str) -> list[Shown]:
        url = f"{self.url}.{kind}"
        answer = await self.client.get(url)
        assert answer.status_code == 200, f"{url}: {answer.status_code}"
        by_the_rules(url, answer.content, now=datetime.now(UTC))
        self._remember(kind, answer.headers["etag"], answer.content)
        again = await self.client.get(url, headers={"If-None-Match": answer.headers["etag"]})
        self.revalidated += again.status_code == 304
        return read_document(kind, answer.content)

    def _remember(self, kind: str, etag: str, content: bytes) -> None:
        """One ETag, one document; an ETag that changed under the same bytes would cost every reader a download."""
        digest = hashlib.sha256(content).hexdigest()
        known = self.etags[kind]
        assert known.setdefault(etag, digest) == digest, f"{kind}: other bytes under the same ETag"
        assert len(set(known.values())) == len(known), f"{kind}: the same bytes under another ETag"
        self.newest[kind] = etag


def read_document(kind: str, content: bytes) -> list[Shown]:
    """The stories of a document, in its order."""
    if kind == "json":
        items = json.loads(content)["items"]
        return [Shown(id=i["id"], title=i["title"], link=i["url"], body=i.get("content_html", "")) for i in items]
    root = etree.fromstring(content)
    if kind == "rss":
        return [
            Shown(
                id=_text(item, "guid"),
                title=_text(item, "title"),
                link=_text(item, "link"),
                body=_text(item, "content:encoded"),
            )
            for item in root.iterfind("channel/item")
        ]
    return [
        Shown(
            id=_text(entry, "a:id"),
            title=_text(entry, "a:title"),
            link=next(link.get("href", "") for link in entry.iterfind("a:link", NS) if link.get("rel") != "enclosure"),
            body=_text(entry, "a:content"),
        )
        for entry in root.iterfind("a:entry", NS)
    ]


def _text(parent: etree._Element, path: str) -> str:
    return parent.findtext(path, default="", namespaces=NS)


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A mail as its reader opens it."""

    to: str
    subject: str
    text: str  # on one line
    html: str
    message_id: str
    leave_url: str
    one_click: str


def opened(taken: Sequence[Taken]) -> list[Letter]:
    """The mails that a relay took, in order."""
    return [_letter(_mail(one.content), one.recipients[0]) for one in taken]


def opened_files(maildir: Path) -> list[Letter]:
    """The mails in a Maildir."""
    mails = [_mail(path.read_bytes()) for path in sorted(maildir.glob("new/*"))]
    return [_letter(mail, str(mail["to"])) for mail in mails]


def _mail(content: bytes) -> EmailMessage:
    return BytesParser(EmailMessage, policy=email.policy.default).parsebytes(content)


def _letter(mail: EmailMessage, to: str) -> Letter:
    parts = {kind: mail.get_body((kind,)) for kind in ("plain", "html")}
    text, html = (str(part.get_content()) if part else "" for part in parts.values())
    return Letter(
        to=to,
        subject=str(mail["subject"]),
        text=" ".join(text.split()),
        html=html,
        message_id=str(mail["message-id"]),
        leave_url=str(mail["list-unsubscribe"]).strip("<> "),
        one_click=str(mail["list-unsubscribe-post"]),
    )
