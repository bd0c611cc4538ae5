"""`feed-publish`, `feed-fanout` and `feed-5000`: from a committed story to the feeds that show it."""

import gzip
import json
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast
from urllib.parse import urlsplit

from bench.figure import RUNS, BenchError, Row, Run, against_peer
from bench.newsroom import make_site
from bench.processes import SAID, running
from bench.stories import NEWEST, article, feed_tables, feedgen_documents
from syndicate.domain.feed import Feed, Site
from syndicate.domain.selection import Selection
from syndicate.formats.atom import Atom
from syndicate.formats.catalogues import load_phrases
from syndicate.formats.rss import Rss
from syndicate.ports import Format
from syndicate.settings import assets

FEEDS = 200
ENTRIES = 50
_LARGE = 5_000  # entries
_FORMATS = ("rss", "atom", "json")
_WINDOW = 8  # requests on the way at once, on one connection
_HANG_SECONDS = 120
_PEER = "feedgen 1.0.0, RSS and Atom"


def measure_publish() -> Row:
    """Until the manifests and with them the ETags of all feeds are committed."""
    runs = [Run(ours=_rate(published), peer=_rate(peer)) for published, _, peer in _measured()]
    return _row("feed-publish", runs, f"{FEEDS} feeds brought up to date a second, until their manifests are committed")


def measure_fanout() -> Row:
    """Until every feed answers with the new story, in every format, gzipped."""
    runs = [Run(ours=_rate(served), peer=_rate(peer)) for _, served, peer in _measured()]
    what = f"{FEEDS} feeds a second, until all {FEEDS * len(_FORMATS)} documents were received over HTTP"
    return _row("feed-fanout", runs, what)


def measure_large() -> Row:
    """The RSS and Atom of a feed of 5,000 entries, none of which was made before."""
    stories = [article(number) for number in range(_LARGE)]
    feed, site = Feed(name="semua", title="Semua", selection=Selection()), _site()
    formats: tuple[Format, ...] = (Rss(), Atom())
    runs = []
    for _ in range(RUNS):
        began = time.perf_counter()
        entries = [[kind.fragment(story, site) for kind in formats] for story in stories]
        documents = [
            b"".join(kind.parts(feed, site, [pair[i] for pair in entries], updated=NEWEST))
            for i, kind in enumerate(formats)
        ]
        ours = time.perf_counter() - began
        if any(document.count(b"<guid") + document.count(b"<entry") != _LARGE for document in documents):
            raise BenchError("our documents don't have all entries")
        began = time.perf_counter()
        feedgen_documents("semua", stories)
        runs.append(Run(ours=round(_LARGE / ours), peer=round(_LARGE / (time.perf_counter() - began))))
    return _row("feed-5000", runs, f"entries a second, {_LARGE:,} of them into RSS and Atom, nothing kept from before")


def _site() -> Site:
    return Site(
        title="Contoh Pos",
        url="https://contohpos.example",
        public_url="http://127.0.0.1:8080",
        phrases=load_phrases((assets("locale"),)),
    )


def _row(name: str, runs: Sequence[Run], note: str) -> Row:
    return against_peer(name, unit="× feedgen", peer_name=_PEER, runs=runs, note=note)


def _rate(seconds: float) -> float:
    return round(FEEDS / seconds, 1)


def _measured() -> Iterator[tuple[float, float, float]]:
    """For each run the seconds until published, until served, and of the peer."""
    with tempfile.TemporaryDirectory(prefix="syndicate-bench-") as folder, _ours(Path(folder)) as ours:
        number = ENTRIES
        for _ in range(RUNS):
            published, served = ours.publish_and_read()
            number += 1
            stories = [article(n) for n in range(number - ENTRIES, number)]
            began = time.perf_counter()
            for feed in range(FEEDS):
                feedgen_documents(f"feed-{feed}", stories)
            yield published, served, time.perf_counter() - began


@contextmanager
def _ours(folder: Path) -> Iterator["_Ours"]:
    config = make_site(folder, feed_tables(FEEDS))
    command = [sys.executable, "-m", "bench.publishing", str(config), str(ENTRIES)]
    with running(command, folder=folder, interactive=True) as process:
        yield _Ours(process, said=folder / SAID)


class _Ours:
    """bench.publishing, and the talk with it."""

    def __init__(self, process: subprocess.Popen[str], *, said: Path) -> None:
        self._process, self._said = process, said
        parts = urlsplit(str(self._hear()["address"]))
        self._host = parts.hostname, parts.port
        self._documents: dict[str, bytes] = {}
        self._read_all()

    def publish_and_read(self) -> tuple[float, float]:
        """Seconds from the committed story until its feeds are published, and until all are read."""
        assert self._process.stdin is not None
        before = self._documents
        self._process.stdin.write("publish\n")
        self._process.stdin.flush()
        said = self._hear()
        self._read_all()
        read = time.monotonic()
        self._check(before, said)
        began, ended = float(str(said["began"])), float(str(said["ended"]))
        return ended - began, read - began

    def _check(self, before: Mapping[str, bytes], said: Mapping[str, object]) -> None:
        """Every document is another one, whole, and shows the new story."""
        if int(str(said["feeds"])) < FEEDS:
            raise BenchError(f"{said['feeds']} of {FEEDS} feeds were published")
        title = str(said["title"]).encode()
        for path, body in self._documents.items():
            if body == before[path] or title not in gzip.decompress(body):
                raise BenchError(f"{path} doesn't show the new story")

    def _read_all(self) -> None:
        """Asks for one document until it is another one than before, then for all, a few ahead of the answers."""
        paths = [f"/feeds/feed-{n}.{ending}" for n in range(FEEDS) for ending in _FORMATS]
        before, documents = self._documents.get(paths[0]), dict[str, bytes]()
        with socket.socket() as connection:
            connection.settimeout(_HANG_SECONDS)
            connection.connect(self._host)
            answers = cast(IO[bytes], connection.makefile("rb", buffering=1 << 18))
            while documents.setdefault(paths[0], b"") in (before, b""):
                connection.sendall(_request(paths[0]))
                documents[paths[0]] = _answer(answers, paths[0])
            asked = 1
            for number, path in enumerate(paths[1:], start=1):
                while asked < min(number + _WINDOW, len(paths)):
                    connection.sendall(_request(paths[asked]))
                    asked += 1
                documents[path] = _answer(answers, path)
        self._documents = documents

    def _hear(self) -> Mapping[str, object]:
        assert self._process.stdout is not None
        waiting, _, _ = select.select([self._process.stdout], [], [], _HANG_SECONDS)
        line = self._process.stdout.readline() if waiting else ""
        if not line:
            raise BenchError(f"our server says nothing: {self._said.read_text()[-2000:]}")
        heard: Mapping[str, object] = json.loads(line)
        return heard


def _request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n".encode()


def _answer(answers: IO[bytes], path: str) -> bytes:
    """The body of the next answer."""
    status, length = answers.readline(), 0
    while (line := answers.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    if b" 200 " not in status:
        raise BenchError(f"{path} answered {status.decode('latin-1').strip()}")
    return answers.read(length)
