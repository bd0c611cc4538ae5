"""`feed-304` and `feed-200`: readers' programs that ask for a feed, against nginx with the same bytes as files."""

import gzip
import http.client
import json
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

from bench.figure import RUNS, BenchError, Row, Run, against_peer
from bench.newsroom import make_newsroom
from bench.processes import SAID, free_port, program, running, wait_until

PROGRAMS: Mapping[str, str] = {"nginx": "nginx", "wrk": "wrk"}
_HERE = Path(__file__).parent
_PATH = "/feeds/terkini.rss"
_SECONDS = 3  # of load in a run
_WIRE_BYTES = (38_000, 42_000)  # what the gzipped document may have
_HANG_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class _Server:
    """Somebody who serves the feed at `url`."""

    url: str
    etag: str
    body: bytes  # as it goes over the wire

    def load(self, *, fresh: bool, seconds: int = _SECONDS) -> tuple[float, int]:
        """Requests a second, and how many there were. `fresh`: the readers have the document already."""
        headers = ["-H", "Accept-Encoding: gzip", *(["-H", f"If-None-Match: {self.etag}"] if fresh else [])]
        script = ["-s", str(_HERE / "wrk.lua")]
        command = [program("wrk") or "wrk", "-t1", "-c64", f"-d{seconds}s", *script, *headers, self.url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_HANG_SECONDS, check=True)
        said = json.loads(done.stdout.splitlines()[-1])
        size = said["bytes"] / said["requests"] if said["requests"] else 0.0
        meant = 0 < size < len(self.body) / 10 if fresh else size > len(self.body) * 0.99
        if said["failed"] or not meant:
            raise BenchError(f"{self.url}: answers under load are not what was meant: {said}")
        return round(said["requests"] / said["microseconds"] * 1_000_000), said["requests"]


class _Ours:
    """bench.serving, and the talk with it."""

    def __init__(self, process: subprocess.Popen[str], *, said: Path) -> None:
        self._process, self._said = process, said
        first = self._hear()
        self.address = str(first["address"])
        self.prepared = int(str(first["prepared"]))

    def statements(self) -> int:
        """SQL statements since it serves."""
        assert self._process.stdin is not None
        self._process.stdin.write("statements\n")
        self._process.stdin.flush()
        return int(str(self._hear()["statements"]))

    def _hear(self) -> Mapping[str, object]:
        assert self._process.stdout is not None
        waiting, _, _ = select.select([self._process.stdout], [], [], _HANG_SECONDS)
        line = self._process.stdout.readline() if waiting else ""
        if not line:
            raise BenchError(f"our server says nothing: {self._said.read_text()[-2000:]}")
        heard: Mapping[str, object] = json.loads(line)
        return heard


def measure_304() -> Row:
    """All readers have the document already."""
    return _measure("feed-304", fresh=True)


def measure_200() -> Row:
    """No reader has the document yet."""
    return _measure("feed-200", fresh=False)


def _measure(name: str, *, fresh: bool) -> Row:
    with tempfile.TemporaryDirectory(prefix="syndicate-bench-") as folder, ExitStack() as stack:
        ours = stack.enter_context(_serving(Path(folder) / "ours"))
        server = _ask(ours.address + _PATH, fresh=fresh)
        peer = stack.enter_context(_nginx(Path(folder) / "nginx", server.body, fresh=fresh))
        for one in (server, peer):
            one.load(fresh=fresh, seconds=1)
        runs, answered = [], 0
        for _ in range(RUNS):
            rate, requests = server.load(fresh=fresh)
            runs.append(Run(ours=rate, peer=peer.load(fresh=fresh)[0]))
            answered += requests
        statements = ours.statements()
    if statements or not ours.prepared:
        raise BenchError(f"{statements} SQL statements while serving, {ours.prepared} before; must be 0, and not 0")
    return _row(name, runs, f"{answered:,} requests, 0 SQL statements ({ours.prepared} counted before)", server)


def _row(name: str, runs: Sequence[Run], counted: str, server: _Server) -> Row:
    return against_peer(
        name,
        unit="× nginx",
        peer_name=f"{_version()}, static, one worker",
        runs=runs,
        note=f"requests a second, wrk -t1 -c64 -d{_SECONDS}s, {len(server.body):,} bytes gzip; {counted}",
    )


@contextmanager
def _serving(folder: Path) -> Iterator[_Ours]:
    folder.mkdir()
    with running(_child(make_newsroom(folder)), folder=folder, interactive=True) as process:
        yield _Ours(process, said=folder / SAID)


@contextmanager
def _nginx(folder: Path, wire: bytes, *, fresh: bool) -> Iterator[_Server]:
    """Its worker may be another user, so the folder is open to all."""
    folder.parent.chmod(0o755)
    document = folder / "pub" / _PATH.removeprefix("/")
    document.parent.mkdir(parents=True)
    document.write_bytes(gzip.decompress(wire))
    document.with_name(f"{document.name}.gz").write_bytes(wire)
    port = free_port()
    config = Template((_HERE / "nginx.conf.template").read_text("utf-8")).substitute(folder=folder, port=port)
    (folder / "nginx.conf").write_text(config, "utf-8")
    command = [program("nginx") or "nginx", "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
    with running(command, folder=folder) as process:
        url = f"http://127.0.0.1:{port}{_PATH}"
        wait_until(lambda: _answers(url), process, seconds=10, what="nginx")
        server = _ask(url, fresh=fresh)
        if server.body != wire:
            raise BenchError("nginx does not serve the bytes that we serve")
        yield server


def _child(config: Path) -> list[str]:
    return [sys.executable, "-m", "bench.serving", str(config)]


def _ask(url: str, *, fresh: bool) -> _Server:
    """One request, looked at closely, so that under load only sizes need to be."""
    status, headers, body = _get(url, {"Accept-Encoding": "gzip"})
    if status != 200 or headers.get("content-encoding") != "gzip":
        raise BenchError(f"{url} answered {status}, not with a gzipped document")
    if not _WIRE_BYTES[0] <= len(body) <= _WIRE_BYTES[1]:
        raise BenchError(f"{url} has {len(body):,} bytes gzipped; it should be about 40 kB")
    etag = headers["etag"]
    if fresh and _get(url, {"Accept-Encoding": "gzip", "If-None-Match": etag})[0] != 304:
        raise BenchError(f"{url} doesn't answer its own ETag with 304")
    return _Server(url=url, etag=etag, body=body)


def _get(url: str, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str], bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=_HANG_SECONDS)
    try:
        connection.request("GET", parts.path, headers=dict(headers))
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()
    finally:
        connection.close()


def _answers(url: str) -> bool:
    try:
        return _get(url, {})[0] == 200
    except OSError:
        return False


def _version() -> str:
    said = subprocess.run([program("nginx") or "nginx", "-v"], capture_output=True, text=True, check=True)
    return said.stderr.strip().rpartition(" ")[2].replace("/", " ")
