"""`smtp-20k`, `smtp-60k` and `smtp-vs-aiosmtplib`: the whole send path, from the ledger over the wire and back.

Ours is the production Dispatcher on a SQLite file: claim, marks committed with synchronous=FULL and the fence synced
before the wire, each reader's own copy, SMTP over ten connections, each outcome written down. The peers only send.
"""

import asyncio
import email
import email.policy
import email.utils
import os
import resource
import subprocess
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

import aiosmtplib
from sqlalchemy import insert

from bench.figure import RUNS, BenchError, Row, Run, against_peer
from bench.newsroom import word
from bench.processes import free_port, program, running, wait_until
from syndicate.channels.mail.smtp import SmtpConfig, SmtpMailer
from syndicate.cli.up import loop_factory, spare_collector
from syndicate.domain.audience import SubscriptionState
from syndicate.domain.edition import Edition, EditionState
from syndicate.domain.feed import Site
from syndicate.domain.newsletter import Newsletter
from syndicate.domain.selection import Selection
from syndicate.domain.slot import parse_schedule
from syndicate.domain.token import Keyring
from syndicate.formats.catalogues import load_phrases
from syndicate.pipeline.compose import know_newsletters
from syndicate.pipeline.dispatch import Dispatcher
from syndicate.pipeline.enqueue import BATCH, freeze_edition
from syndicate.pipeline.postroom import Postroom, Revocations
from syndicate.pipeline.relay import LANES
from syndicate.pipeline.render import VARIANT, Studio
from syndicate.ports import Mailer
from syndicate.settings import assets
from syndicate.store import editions
from syndicate.store.db import Database
from syndicate.store.editions import Rendering
from syndicate.store.schema import migrate
from syndicate.store.tables import subscribers, subscriptions

PROGRAMS = {"smtp-sink": "postfix", "smtp-source": "postfix"}
_CONNECTIONS = 10
_HEAD = 1_500  # bytes of a message that are not its HTML, about
_LOOKED_AT = 200  # messages that are looked into first
_BUILT = 300  # messages of a run of aiosmtplib's
_BATCHES = next(lane.slots for lane in LANES if lane.name == "bulk")  # that a process sends at once
_HANG_SECONDS = 60
_BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
_DOMAIN = "contohpos.example"
_MARK = "qwertyuiopasdfgh"
_NEWSLETTER = Newsletter(
    name="ringkasan",
    title="Ringkasan",
    selection=Selection(),
    schedule=parse_schedule("06:00"),
    timezone="Asia/Jakarta",
    sender_name="Contoh Pos",
    sender_address=f"ringkasan@{_DOMAIN}",
    channel="relay",
)
_SITE = Site(
    title="Contoh Pos",
    url=f"https://{_DOMAIN}/",
    public_url=f"https://berita.{_DOMAIN}",
    phrases=load_phrases((assets("locale"),)),
    contact=f"redaksi@{_DOMAIN}",
    tag_host=_DOMAIN,
)


@dataclass(kw_only=True)
class Pace:
    """How fast a side was, and what it took of a core."""

    wall: list[float] = field(default_factory=list)  # messages a second
    cpu: list[float] = field(default_factory=list)  # µs a message of the sender, without the sink

    def add(self, messages: int, seconds: float, cpu_seconds: float) -> float:
        """Notes a run and returns its messages a second."""
        self.wall.append(messages / seconds)
        self.cpu.append(cpu_seconds / messages * 1e6)
        return round(self.wall[-1], 1)

    def cpu_words(self) -> str:
        """The median, for the note."""
        return f"{sorted(self.cpu)[len(self.cpu) // 2]:,.0f} µs of CPU"


class _RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


def measure_20k() -> Row:
    """Messages of 20,000 bytes against Postfix's load generator."""
    return _against_source("smtp-20k", octets=20_000, messages=8000)


def measure_60k() -> Row:
    """Messages of 60,000 bytes against Postfix's load generator."""
    return _against_source("smtp-60k", octets=60_000, messages=4000)


def measure_aiosmtplib() -> Row:
    """Messages of 20,000 bytes against what one would write with the libraries there are."""
    with Office(octets=20_000, readers=4000) as office, _sink(office.folder) as port:
        octets = office.look()
        html = _html(octets)

        async def build_and_send(count: int) -> None:
            await asyncio.gather(*(_send_built(port, html, range(start, count, 10)) for start in range(_CONNECTIONS)))

        def peer() -> tuple[int, float, float]:
            return _BUILT, *_timed(build_and_send(_BUILT))

        return _take_turns("smtp-vs-aiosmtplib", "aiosmtplib + EmailMessage", office, port, peer, octets)


def _against_source(name: str, *, octets: int, messages: int) -> Row:
    with Office(octets=octets, readers=messages) as office, _sink(office.folder) as port:
        size = office.look()
        command = [str(program("smtp-source")), "-d", "-s", str(_CONNECTIONS), "-l", str(size), "-m", str(messages)]
        command += ["-f", f"b@{_DOMAIN}", "-t", "pembaca@pembaca.example", f"127.0.0.1:{port}"]

        def peer() -> tuple[int, float, float]:
            before, begun = _child_cpu(), perf_counter()
            done = subprocess.run(command, capture_output=True, text=True, timeout=_HANG_SECONDS, check=False)
            seconds = perf_counter() - begun
            if done.returncode != 0:
                raise BenchError(f"smtp-source ended with {done.returncode}: {done.stderr.strip()}")
            return messages, seconds, _child_cpu() - before

        return _take_turns(name, f"smtp-source -d -s {_CONNECTIONS}", office, port, peer, size)


def _take_turns(
    name: str, peer_name: str, office: "Office", port: int, peer: Callable[[], tuple[int, float, float]], octets: int
) -> Row:
    ours, theirs, runs = Pace(), Pace(), []
    for _ in range(RUNS):
        mine = ours.add(*office.send(lambda: _mailer(port)))
        runs.append(Run(ours=mine, peer=theirs.add(*peer())))
    note = (
        f"messages a second, {octets:,} bytes each, {office.readers:,} a run, {_CONNECTIONS} connections; "
        f"a message takes us {ours.cpu_words()}, the peer {theirs.cpu_words()}"
    )
    return against_peer(name, unit=f"× {peer_name}", peer_name=peer_name, runs=runs, note=note)


class Office:
    """A database with readers, and editions for them of which each is sent once."""

    def __init__(self, *, octets: int, readers: int) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="syndicate-bench-")
        self.folder, self.readers = Path(self._temporary.name), readers
        self._html = _html(octets - _HEAD)
        self._issues = 0
        self._runner = asyncio.Runner(loop_factory=loop_factory())
        self._db: Database | None = None

    def __enter__(self) -> "Office":
        spare_collector()
        self._db = self._runner.run(_open_store(self.folder, self.readers))
        return self

    def __exit__(self, *_: object) -> None:
        if self._db is not None:
            self._runner.run(self._db.aclose())
        self._runner.close()
        self._temporary.cleanup()

    def look(self) -> int:
        """Sends an edition whose mails the sink keeps, looks into them, and returns how many bytes one has."""
        kept = self.folder / "kept"
        kept.mkdir()
        self.folder.chmod(0o711)
        kept.chmod(0o777)  # the sink writes as nobody
        with _sink(self.folder, "-d", f"{kept}/") as port:
            self.send(lambda: _mailer(port), _LOOKED_AT)
        contents = [
            b"To:" + file.read_bytes().partition(b"\nTo:")[2] for file in kept.iterdir()
        ]  # the sink's fields go
        mails = [email.message_from_bytes(content, policy=email.policy.default) for content in contents]
        recipients = {str(mail["To"]) for mail in mails}
        if not len(recipients) == len(mails) == _LOOKED_AT:
            raise BenchError(f"{len(mails)} mails for {len(recipients)} readers arrived, not {_LOOKED_AT} for as many")
        return sum(len(content) + content.count(b"\n") for content in contents) // len(contents)  # kept without CR

    def send(self, open_mailer: Callable[[], Mailer], most: int | None = None) -> tuple[int, float, float]:
        """Makes an edition and sends it to all, or to so many, as a process does; messages, seconds, their CPU."""
        assert self._db is not None
        edition, first, last = self._runner.run(self._freeze(self._db))
        last = last if most is None else first + most - 1
        seconds, cpu = self._runner.run(self._send(self._db, edition, first, last, open_mailer()))
        return last - first + 1, seconds, cpu

    async def _freeze(self, db: Database) -> tuple[Edition, int, int]:
        self._issues += 1
        now = datetime.now(UTC)
        edition = Edition(
            id=0,
            newsletter=_NEWSLETTER.name,
            slot=f"seq-{self._issues}",
            slot_at=now,
            state=EditionState.COMPOSING,
            cut_from=0,
            cut_to=0,
            created_at=now,
            channel=_NEWSLETTER.channel,
        )
        subject = "Ringkasan: Jembatan Lintang Kembar resmi dibuka"
        text = f"Ringkasan hari ini.\nBerhenti: {_MARK}-unsubscribe_url-\n"
        async with db.write() as connection:
            edition = await editions.begin(connection, edition)
            rendering = Rendering(variant=VARIANT, mark=_MARK, subject=subject, html=self._html, text=text)
            await editions.put_content(connection, edition.id, [], [rendering])
        studio = Studio(site=_SITE, templates=(assets("templates/digest"),), sources=(), mark=lambda: _MARK)
        frozen = (await freeze_edition(db, edition, [], newsletter=_NEWSLETTER, studio=studio, now=now)).edition
        async with db.read() as connection:
            span = await editions.delivery_span(connection, edition.id)
        assert span is not None
        return frozen, *span

    async def _send(self, db: Database, edition: Edition, first: int, last: int, mailer: Mailer) -> tuple[float, float]:
        dispatcher = Dispatcher(db, _postroom(mailer, self.folder))
        starts = iter(range(first, last + 1, BATCH))
        sent = 0

        async def keep_sending() -> None:
            nonlocal sent
            for start in starts:
                end = min(start + BATCH - 1, last)
                report = await dispatcher.send_batch(edition_id=edition.id, first=start, last=end)
                sent += report.sent.get("accepted", 0)

        cpu, begun = _own_cpu(), perf_counter()
        async with asyncio.TaskGroup() as batches:
            for _ in range(_BATCHES):
                batches.create_task(keep_sending())
        seconds, cpu = perf_counter() - begun, _own_cpu() - cpu
        await mailer.aclose()
        if sent != last - first + 1:
            raise BenchError(f"{sent} of {last - first + 1} mails were accepted")
        return seconds, cpu


async def _open_store(folder: Path, readers: int) -> Database:
    db = Database(f"sqlite:///{folder}/syndicate.db")
    await migrate(db)
    await know_newsletters(db, [_NEWSLETTER])
    people = [
        {"id": number, "address": _address(number), "folded": _address(number), "digest": f"{number:064x}"}
        | {"name": "Dewi Lestari", "language": "", "timezone": "", "generation": 1, "created_at": _BEGUN}
        for number in range(1, readers + 1)
    ]
    choices = [
        {"newsletter": _NEWSLETTER.name, "subscriber_id": number, "state": SubscriptionState.ACTIVE.value}
        | {"since": _BEGUN, "origin": "bench"}
        for number in range(1, readers + 1)
    ]
    async with db.write() as connection:
        await connection.execute(insert(subscribers), people)
        await connection.execute(insert(subscriptions), choices)
    return db


def _postroom(mailer: Mailer, folder: Path) -> Postroom:
    chance = Random(1)
    return Postroom(
        site=_SITE,
        ring=Keyring(keys={1: b"k" * 32}),
        mailers={_NEWSLETTER.channel: mailer},
        newsletters={_NEWSLETTER.name: _NEWSLETTER},
        signing_keys={},
        revocations=Revocations(),
        owner="bench",
        fence_file=folder / "fence",
        install="bench",
        clock=_RealClock(),
        chance=chance.random,
    )


async def _send_built(port: int, html: str, numbers: range) -> None:
    """One connection: a message built for each reader, as the library's manual shows."""
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as connection:
        for number in numbers:
            message = EmailMessage()
            message["From"] = f"Contoh Pos <ringkasan@{_DOMAIN}>"
            message["To"] = f"Dewi Lestari <{_address(number)}>"
            message["Subject"] = "Ringkasan: Jembatan Lintang Kembar resmi dibuka"
            message["Date"] = email.utils.format_datetime(_BEGUN)
            message["Message-ID"] = f"<e1.{number:x}@{_DOMAIN}>"
            message["List-Unsubscribe"] = f"<https://{_DOMAIN}/u/{number:044x}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
            message.set_content(f"Ringkasan hari ini.\nBerhenti: https://{_DOMAIN}/u/{number:044x}\n")
            message.add_alternative(html.replace(f"{_MARK}-unsubscribe_url-", f"{number:044x}"), subtype="html")
            await connection.send_message(message)


@contextmanager
def _sink(folder: Path, *more: str) -> Iterator[int]:
    """Postfix's sink on a free port. It takes everything and keeps nothing unless told to."""
    port = free_port()
    as_user = ["-u", "nobody"] if os.geteuid() == 0 else []  # it refuses to run as root
    command = [str(program("smtp-sink")), *as_user, *more, f"127.0.0.1:{port}", "1024"]
    with running(command, folder=folder) as process:
        wait_until(lambda: not asyncio.run(_mailer(port).probe()), process, seconds=10, what="smtp-sink to answer")
        yield port


def _mailer(port: int) -> SmtpMailer:
    config = SmtpConfig(
        name="relay", host="127.0.0.1", port=port, ehlo_name=_DOMAIN, tls="none", connections=_CONNECTIONS
    )
    return SmtpMailer(config)


def _timed(work: Coroutine[Any, Any, None]) -> tuple[float, float]:
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        cpu, begun = _own_cpu(), perf_counter()
        runner.run(work)
        return perf_counter() - begun, _own_cpu() - cpu


def _own_cpu() -> float:
    return _cpu(resource.RUSAGE_SELF)


def _child_cpu() -> float:
    return _cpu(resource.RUSAGE_CHILDREN)


def _cpu(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def _address(number: int) -> str:
    return f"pembaca{number}@pembaca.example"


def _html(octets: int) -> str:
    chance, rows = Random(20), ""
    while len(rows) < octets:
        rows += f"<tr><td><p>{' '.join(word(chance) for _ in range(40))}</p></td></tr>\n"
    return f'<html><body><table>\n{rows}</table><p><a href="{_MARK}-unsubscribe_url-">Berhenti</a></p></body></html>\n'
