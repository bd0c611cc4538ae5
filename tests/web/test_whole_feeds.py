"""R07: whatever is published and whatever breaks meanwhile, each body that a reader gets is one published version."""

import asyncio
import json
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from lxml import etree

from syndicate.domain.article import Article, content_hash
from syndicate.domain.change import ChangeKind
from syndicate.domain.feed import Site
from syndicate.formats import FORMATS
from syndicate.formats.rss import Rss
from syndicate.pipeline.printing import Printer, keep_files
from syndicate.pipeline.publish import Press, publish_feeds
from syndicate.store import articles, changes, files
from syndicate.store.db import Database
from syndicate.web.shelf import Shelf
from tests.factories import SITE, add_article, make_article, make_feed
from tests.web.paper import BEGIN, PATIENCE, Paper, eventually, running

PATHS = tuple(f"/feeds/terkini.{ending}" for ending in ("rss", "atom", "json"))
CODINGS = ("gzip", "identity")
_TITLE = re.compile(r"Putaran (\d+) bagian [12]")
PARTS = (1, 2)  # stories that are always edited together


class Tearing(Rss):
    """The real format, which breaks at the second story the way bugs do, not the way stories do."""

    def fragment(self, article: Article, site: Site) -> bytes:
        """All but the second story."""
        if "bagian 2" in article.content.title:
            raise RuntimeError("torn")
        return super().fragment(article, site)


@dataclass(kw_only=True)
class Reader:
    """A reader's program that asks again and again, and parses what it gets."""

    number: int
    paper: Paper
    bodies: dict[tuple[str, str], bytes] = field(default_factory=dict)  # by path and ETag
    rounds: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def read(self, done: threading.Event) -> None:
        """Until it is told to stop; what is wrong is written down."""
        with httpx2.Client(base_url=self.paper.origin, timeout=PATIENCE) as http:
            for turn in range(1_000_000):
                if done.is_set() or self.problems:
                    return
                path = PATHS[self.number % len(PATHS)]
                answer = http.get(path, headers={"accept-encoding": CODINGS[turn % 2]})
                try:
                    self.take(path, answer)
                except Exception as error:  # of any kind: a thread has nobody else to tell
                    self.problems.append(f"{path}: {error!r}")

    def take(self, path: str, answer: httpx2.Response) -> None:
        assert answer.status_code == 200
        etag, body = answer.headers["etag"].replace("-gzip", ""), answer.content
        assert self.bodies.setdefault((path, etag), body) == body, "two bodies under one ETag"
        found = {int(number) for number in map(_number, titles(path, body)) if number}
        assert len(found) == 1, f"stories of several rounds in one body: {sorted(found)}"
        assert found >= set(self.rounds[-1:]) or max(found) > self.rounds[-1], "an older version after a newer one"
        self.rounds += found


def titles(path: str, body: bytes) -> list[str]:
    """Raises when the body isn't well-formed."""
    if path.endswith(".json"):
        return [item["title"] for item in json.loads(body)["items"]]
    return [node.text or "" for node in etree.fromstring(body).iter("{*}title")]


def _number(title: str) -> str:
    found = _TITLE.fullmatch(title)
    return found[1] if found else ""


async def edit(db: Database, number: int) -> None:
    """Both stories change in one transaction."""
    async with db.write() as connection:
        for part in PARTS:
            held = await articles.get(connection, make_article(part).id)
            assert held is not None
            content = replace(held.content, title=f"Putaran {number} bagian {part}")
            after = replace(held, version=held.version + 1, content=content)
            await articles.add_version(connection, after, digest=content_hash(content), churn=0)
            seq = await changes.append(
                connection,
                article_id=after.id,
                version=after.version,
                kind=ChangeKind.UPDATED,
                edit=after.edit,
                baseline=False,
                at=after.changed_at,
            )
            await articles.set_state(connection, replace(after, seq=seq))


async def begin(db: Database) -> None:
    async with db.write() as connection:
        for part in PARTS:
            await add_article(connection, make_article(part, title=f"Putaran 0 bagian {part}"))


def publish(paper: Paper, press: Press) -> None:
    paper.do(publish_feeds(paper.app.db, press, now=BEGIN + timedelta(hours=1)))


@contextmanager
def reading(readers: list[Reader]) -> Iterator[None]:
    """The readers read for the length of a block."""
    done = threading.Event()
    threads = [threading.Thread(target=reader.read, args=(done,), daemon=True) for reader in readers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join(PATIENCE)


@contextmanager
def locked(paper: Paper) -> Iterator[None]:
    """Another process writes, and takes its time."""
    with closing(sqlite3.connect(paper.folder / "var" / "syndicate.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def break_something(paper: Paper, number: int) -> None:
    """A fault of some kind in most rounds; none of them may reach a reader."""
    match number % 5:
        case 1:
            torn = replace(paper.app.press, formats=(Tearing(), *paper.app.press.formats[1:]))
            with pytest.raises(RuntimeError, match="torn"):
                publish(paper, torn)
        case 2:
            with locked(paper):
                late = asyncio.run_coroutine_threadsafe(
                    publish_feeds(paper.app.db, paper.app.press, now=BEGIN), paper.loop
                )
                threading.Event().wait(0.02)  # not to be sure of anything: publishing may as well come later
            late.result(PATIENCE)
        case 3:
            in_the_way = paper.folder / "in-the-way"
            in_the_way.touch()
            with pytest.raises(OSError, match="in-the-way"):
                paper.do(_keep(paper, replace(paper.app.press, folder=in_the_way)))


async def _keep(paper: Paper, press: Press) -> None:
    await keep_files(press, await Printer(press).news(paper.app.db))


@pytest.mark.parametrize(
    ("publishes", "readers"), [(150, 6), pytest.param(2_000, 50, marks=pytest.mark.long)], ids=["short", "whole"]
)
def test_r07_each_body_is_one_published_version(tmp_path: Path, publishes: int, readers: int) -> None:
    with running(tmp_path, sample=False) as paper:
        (paper.folder / "newsroom").rename(paper.folder / "elsewhere")
        paper.turn(timedelta(0))  # the schema
        paper.do(begin(paper.app.db))
        publish(paper, paper.app.press)
        eventually(lambda: all("Putaran 0" in paper.get(path).text for path in PATHS))
        listening = [Reader(number=number, paper=paper) for number in range(readers)]
        with reading(listening):
            for number in range(1, publishes + 1):
                paper.do(edit(paper.app.db, number))
                break_something(paper, number)
                publish(paper, paper.app.press)
            last = f"Putaran {publishes} bagian 1"
            eventually(lambda: all(last in paper.get(path).text for path in PATHS))

    assert [problem for reader in listening for problem in reader.problems] == []
    assert all(reader.rounds for reader in listening)
    assert len({number for reader in listening for number in reader.rounds}) > 10


async def test_r07_a_disk_that_is_full_leaves_the_former_document(tmp_path: Path) -> None:
    old = files.Document(
        name="terkini.rss", media_type="application/rss+xml", etag="a", last_modified=1, plain=b"<rss/>", gzipped=b""
    )
    files.write_document(tmp_path, old)
    with small_files(200), pytest.raises(OSError, match="File too large"):
        files.write_document(tmp_path, replace(old, etag="b", plain=b"<rss>" + b" " * 4_000 + b"</rss>"))

    assert files.read_document(tmp_path, "terkini.rss") == old


def test_what_was_kept_for_partners_is_not_shown_to_all_when_their_feed_becomes_public(tmp_path: Path) -> None:
    feeds = make_feed(name="mitra"), make_feed()
    press = Press(site=SITE, feeds=feeds, formats=tuple(FORMATS.values()), folder=tmp_path)
    for name, private in (("mitra.rss", True), ("terkini.rss", False)):
        document = files.Document(
            name=name,
            media_type="application/rss+xml",
            etag="a",
            last_modified=1,
            private=private,
            plain=b"<rss/>",
            gzipped=b"",
        )
        files.write_document(tmp_path, document)
    shelf = Shelf(press, now=BEGIN)
    shelf.take_files()

    assert shelf.public.keys() == {"/feeds.opml", "/feeds/terkini.rss"}


@contextmanager
def small_files(octets: int) -> Iterator[None]:
    """As on a disk with no more room: write(2) takes a part, then fails (setrlimit(2), RLIMIT_FSIZE)."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
