"""A newspaper that the world can reach, with accounts of each role: what sessions guard."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx2

from syndicate import work
from syndicate.domain.account import Role, new_session
from syndicate.domain.audience import Subscriber
from syndicate.domain.partner import new_key
from syndicate.pipeline.accounts import add_account
from syndicate.pipeline.reconcile import join
from syndicate.store import accounts, partners
from syndicate.store.partners import Key
from syndicate.store.schema import migrate
from tests.web.paper import BEGIN, PATIENCE, Paper, eventually, running

PUBLIC = "https://berita.contohpos.example"
PASSWORD = "empat kata kenari hijau"
STRANGER, KEY = "stranger", "key"


@dataclass(frozen=True, kw_only=True)
class House:
    """A running newspaper as its readers and its own people come to it."""

    paper: Paper
    origin: str  # its own, as browsers name it
    cookie: str  # the name of the session's cookie
    http: httpx2.Client
    key: str  # a partner's

    def session(self, role: Role) -> str:
        """A session that has just begun."""

        async def begin() -> str:
            shown, digest = new_session(secrets.token_bytes(32))
            async with self.paper.app.db.write() as connection:
                await accounts.begin_session(connection, role.value, digest, now=self.paper.clock.at)
            return shown

        return self.paper.do(begin())

    def ask(
        self, method: str, path: str, *, session: str = "", data: dict[str, str] | None = None, **headers: str
    ) -> httpx2.Response:
        """As a browser without Fetch Metadata asks, from a page of ours; "" leaves a header out."""
        named = {"origin": self.origin} | {name.replace("_", "-"): value for name, value in headers.items()}
        if session:
            named["cookie"] = f"{self.cookie}={session}"
        sent = {name: value for name, value in named.items() if value}
        return self.http.request(method, path, headers=sent, data=data)

    def sign_in(self, name: str, password: str = PASSWORD, **more: str) -> httpx2.Response:
        """The form of the sign-in page."""
        return self.ask("POST", "/sign-in", data={"name": name, "password": password, **more})


@contextmanager
def house(folder: Path, *, world: bool) -> Iterator[House]:
    """With stories, an edition and a mail, and an account for each role that is called like it."""
    with running(folder, sample=not world, public_url=PUBLIC if world else None) as paper:
        paper.do(_subscribe(paper))
        paper.do(work.run_once(paper.app))
        paper.turn(timedelta(minutes=2))
        shown, identifier, digest = new_key(b"12345", bytes(32))
        paper.do(
            _open(paper, Key(id=identifier, partner="portal-warga", digest=digest, created_at=BEGIN, revoked_at=None))
        )
        origin = PUBLIC if world else paper.origin
        headers = {"host": PUBLIC.removeprefix("https://")} if world else {}
        with httpx2.Client(base_url=paper.origin, headers=headers, timeout=PATIENCE) as http:
            cookie = "__Host-syndicate" if world else "syndicate"
            eventually(lambda: http.get("/feeds/terkini.rss").status_code == 200)
            yield House(paper=paper, origin=origin, cookie=cookie, http=http, key=shown)


async def _subscribe(paper: Paper) -> None:
    app, address = paper.app, "rini@pembaca.example"
    await migrate(app.db)
    reader = Subscriber(
        id=0, address=address, name="", language="id", timezone="Asia/Jakarta", created_at=paper.clock.at
    )
    await join(app.db, reader, ["ringkasan"], digest=app.digest(address), origin="test")


async def _open(paper: Paper, key: Key) -> None:
    for role in Role:
        await add_account(paper.app.db, role.value, role, PASSWORD, who="test", now=BEGIN)
    async with paper.app.db.write() as connection:
        await partners.add_key(connection, key)
