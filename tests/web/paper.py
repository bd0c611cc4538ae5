"""A whole newspaper on this machine: configuration, newsroom folder, database, and the web server in a thread."""

import asyncio
import re
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from PIL import Image

from syndicate import work
from syndicate.app import App, open_app
from syndicate.domain.partner import new_key
from syndicate.domain.token import Purpose, Token, make_token, name_number
from syndicate.settings import load, prepare_keys
from syndicate.store import audience, partners
from syndicate.store.audience import Subscription
from syndicate.store.partners import Key
from syndicate.web.deadline import DeadlineProtocol
from syndicate.web.server import serve_on
from tests.formats.rules import by_the_rules
from tests.web.http_rules import LawfulClient

_T = TypeVar("_T")
_DOCUMENT = re.compile(r"/feeds/[^/?]+\.(rss|atom|json)|/feeds/[^/?]+/\d{4}-\d\d\.atom|/feeds\.opml")
PATIENCE = 60.0  # seconds: a hang guard
BEGIN = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
CONFIG = """
sample = {sample}
[site]
title = "Contoh Pos"
url = "https://contohpos.example"
description = "Kabar Kota Lintang"
contact = "redaksi@contohpos.example"
[web]
public_url = "{origin}"
listen = "{listen}"
gone_feeds = ["piala"]
[net]
allow = ["{listen}"]
[[sources]]
name = "newsroom"
kind = "folder"
path = "newsroom"
first_import = "mail"
[[feeds]]
name = "terkini"
title = "Contoh Pos: Terkini"
description = "Semua berita"
[[feeds]]
name = "kota"
title = "Contoh Pos: Kota"
select = {{ sections = ["kota"] }}
moved = ["kabupaten"]
[[feeds]]
name = "mitra"
title = "Untuk mitra"
partners = ["portal-warga"]
moved = ["mitra-lama"]
[[newsletters]]
name = "ringkasan"
title = "Ringkasan Contoh Pos"
schedule = "every 1 min"
from = "Contoh Pos <ringkasan@contohpos.example>"
channel = "outbox"
[[newsletters]]
name = "mingguan"
title = "Mingguan"
schedule = "mon 06:00"
topics = ["kota", "daerah"]
from = "Contoh Pos <mingguan@contohpos.example>"
channel = "outbox"
[channels.outbox]
kind = "maildir"
path = "var/outbox"
[[partners]]
name = "portal-warga"
title = "Portal Warga"
[[partners]]
name = "portal-lain"
title = "Portal Lain"
"""
ENDPOINT = """
[[endpoints]]
name = "portal-warga"
partner = "portal-warga"
kind = "webhook"
url = "{origin}/sample/receiver"
secret = "file:keys/sample-endpoint.secret"
newsletters = ["ringkasan"]
"""
STORY = """+++
title = {title}
published = {published}
authors = ["Laksmi Paramesti"]
sections = [{section}]
tags = ["ujian"]
summary = {summary}
language = "id"
{more}+++

{body}
"""


@dataclass(kw_only=True)
class SetClock:
    """A clock that stands until it is set."""

    at: datetime = BEGIN

    def now(self) -> datetime:
        return self.at


@dataclass(kw_only=True)
class Paper:
    """The running newspaper."""

    app: App
    clock: SetClock
    folder: Path
    origin: str
    loop: asyncio.AbstractEventLoop
    http: httpx2.Client
    keys: dict[str, str] = field(default_factory=dict)  # partner → key

    def do(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Runs something in the server's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)

    def get(self, path: str, **headers: str) -> httpx2.Response:
        """A GET of a path; `accept_encoding="gzip"` is a header. A feed document is checked by all rules."""
        answer = self.http.get(path, headers=wire(headers))
        if answer.status_code == 200 and _DOCUMENT.fullmatch(path):
            by_the_rules(f"{self.origin}{path}", answer.content)
        return answer

    def publish(self, name: str, text: str) -> None:
        """The newsroom writes a story; everything that is due is done."""
        (self.folder / "newsroom" / name).write_text(text, "utf-8")
        self.turn(timedelta(minutes=10))

    def turn(self, by: timedelta) -> None:
        """Time goes on, and `syndicate once` runs."""
        self.clock.at += by
        self.do(work.run_once(self.app))

    def token(self, subscriber: int = 1, newsletter: str = "ringkasan", purpose: Purpose = Purpose.UNSUBSCRIBE) -> str:
        """A link's token, signed with the real key."""
        token = Token(purpose=purpose, subscriber=subscriber, newsletter=name_number(newsletter), generation=0)
        return make_token(self.app.way_out.ring, token)

    def choices(self, subscriber: int = 1, generation: int = 0) -> str:
        """The token of the link to what a reader chose."""
        token = Token(purpose=Purpose.PREFERENCES, subscriber=subscriber, newsletter=0, generation=generation)
        return make_token(self.app.way_out.ring, token)

    def subscriptions(self, subscriber: int = 1) -> dict[str, Subscription]:
        """What a reader has chosen."""

        async def ask() -> list[Subscription]:
            async with self.app.db.read() as connection:
                return await audience.subscriptions_of(connection, subscriber)

        return {one.newsletter: one for one in self.do(ask())}


def wire(headers: dict[str, str]) -> dict[str, str]:
    """httpx2 offers encodings by itself; a test says what it offers."""
    return {"accept-encoding": "identity"} | {name.replace("_", "-"): value for name, value in headers.items()}


def story(
    title: str,
    body: str,
    *,
    section: str = "Kota",
    published: str = "2026-11-24T07:00:00+07:00",
    summary: str = "Ringkasnya begini.",
    **more: str,
) -> str:
    """A story file of the folder source."""
    lines = "".join(f"{name} = {quoted(value)}\n" for name, value in more.items())
    return STORY.format(
        title=quoted(title),
        body=body,
        section=quoted(section),
        published=published,
        summary=quoted(summary),
        more=lines,
    )


def quoted(text: str) -> str:
    """As TOML writes it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@contextmanager
def running(
    folder: Path,
    *,
    sample: bool = True,
    protocol: type[DeadlineProtocol] = DeadlineProtocol,
    public_url: str | None = None,
) -> Iterator[Paper]:
    """Writes a newspaper into `folder`, unless there is one, and serves it from a thread of its own.

    With a `public_url` it is one that the world can reach; else it is for this machine.
    """
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    listen = f"127.0.0.1:{listener.getsockname()[1]}"
    origin = f"http://{listen}"
    configure(folder, public_url or origin, listen, sample=sample)
    if not (folder / "newsroom").exists():
        _write(folder / "newsroom")
    clock = SetClock()
    ready, stop, state = threading.Event(), asyncio.Event(), dict[str, Any]()

    async def run() -> None:
        state["app"] = app = open_app(load(None, cwd=folder, environ={}), clock=clock)
        state["loop"] = asyncio.get_running_loop()
        try:
            await serve_on(listener, app, started=lambda _: ready.set(), stop=stop, protocol=protocol)
        finally:
            await app.aclose()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    assert ready.wait(PATIENCE), "the server did not start"
    try:
        with LawfulClient(private={"mitra"}, base_url=origin, timeout=PATIENCE, follow_redirects=False) as http:
            yield Paper(app=state["app"], clock=clock, folder=folder, origin=origin, loop=state["loop"], http=http)
    finally:
        state["loop"].call_soon_threadsafe(stop.set)
        thread.join(PATIENCE)
    assert not thread.is_alive(), "the server did not stop"


def fill(paper: Paper) -> None:
    """Takes the stories in, makes feeds, an edition, mails and pushes, and gives both partners a key."""
    paper.do(work.run_once(paper.app))
    paper.turn(timedelta(minutes=2))
    for number, partner in enumerate(paper.app.partners, start=1):
        shown, name, digest = new_key(bytes([number] * 5), bytes([number] * 32))
        paper.keys[partner] = shown
        paper.do(_add_key(paper, Key(id=name, partner=partner, digest=digest, created_at=BEGIN, revoked_at=None)))

    served = [f"/feeds/{name}.{ending}" for name in ("terkini", "kota") for ending in ("rss", "atom", "json")]
    eventually(lambda: all(paper.get(path).status_code == 200 for path in served))


def eventually(condition: Callable[[], bool]) -> None:
    """Waits for what happens by itself within a second or so."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        threading.Event().wait(0.02)


async def _add_key(paper: Paper, key: Key) -> None:
    async with paper.app.db.write() as connection:
        await partners.add_key(connection, key)


def configure(folder: Path, origin: str, listen: str, *, sample: bool) -> None:
    """Writes the configuration and makes the keys if there are none."""
    text = CONFIG + (ENDPOINT if sample else "")
    config = text.format(origin=origin, listen=listen, sample=str(sample).lower())
    (folder / "syndicate.toml").write_text(config, "utf-8")
    prepare_keys(None, cwd=folder)


def _write(newsroom: Path) -> None:
    newsroom.mkdir()
    Image.new("RGB", (900, 600), (40, 90, 120)).save(newsroom / "jembatan.jpg")
    picture = {"image": "jembatan.jpg", "image_alt": "Jembatan", "image_caption": "Jembatan baru", "image_credit": "CP"}
    stories = {
        "jembatan.md": story("Jembatan Wening dibuka", "Jembatan itu panjangnya 300 meter. " * 30, **picture),
        "pasar.md": story("Pasar & <pangan> murah", "Harga turun.\n\n> Kata pedagang.\n\n- satu\n- dua"),
        "panen.md": story("Panen raya", "Padi menguning.", section="Daerah", published="2026-11-23T08:00:00+07:00"),
    }
    for name, body in stories.items():
        (newsroom / name).write_text(body, "utf-8")
