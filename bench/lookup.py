"""`reader-lookup`: what it takes to answer a reader who asks, beside a ledger of a million mails.

The editions are composed and frozen by the real steps; the outcomes are then written down at once.
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from time import perf_counter

from sqlalchemy import insert, update

from bench.figure import RUNS, BenchError, Row, Run, alone
from bench.stories import NEWEST, article
from syndicate.cli.up import loop_factory, spare_collector
from syndicate.domain.article import article_id, content_hash
from syndicate.domain.audience import SubscriptionState
from syndicate.domain.change import ChangeKind
from syndicate.domain.consent import Said
from syndicate.domain.delivery import State
from syndicate.domain.explanation import Answer
from syndicate.domain.feed import Site
from syndicate.domain.newsletter import Newsletter
from syndicate.domain.selection import Selection
from syndicate.domain.slot import Slot, parse_schedule
from syndicate.formats.catalogues import load_phrases
from syndicate.pipeline.compose import compose_edition, know_newsletters
from syndicate.pipeline.enqueue import freeze_edition
from syndicate.pipeline.explain import explain_edition, explain_story
from syndicate.pipeline.render import Studio
from syndicate.settings import assets
from syndicate.store import articles, audience, changes, consents
from syndicate.store.db import Database
from syndicate.store.schema import migrate
from syndicate.store.tables import consents as consent_rows
from syndicate.store.tables import deliveries, subscribers, subscriptions

_READERS, _EDITIONS, _STORIES = 100_000, 10, 15  # stories an edition; as many again are of another section
_LOOKUPS = 500  # of each kind, a run
_CHUNK = 10_000
_BEFORE = NEWEST - timedelta(days=30)
_NEWSLETTER = Newsletter(
    name="ringkasan",
    title="Ringkasan",
    selection=Selection(sections=frozenset({"daerah"})),
    schedule=parse_schedule("06:00"),
    timezone="Asia/Jakarta",
    sender_name="Contoh Pos",
    sender_address="ringkasan@contohpos.example",
    channel="relay",
)
_SITE = Site(
    title="Contoh Pos",
    url="https://contohpos.example/",
    public_url="https://berita.contohpos.example",
    phrases=load_phrases((assets("locale"),)),
)
_Look = Callable[[int, int], Awaitable[bool]]  # (reader, edition): whether the answer was the right one


def measure() -> Row:
    """The 99th percentile of the slowest kind of question."""
    spare_collector()
    folder, loop = tempfile.TemporaryDirectory(prefix="syndicate-bench-"), asyncio.Runner(loop_factory=loop_factory())
    with folder as name, loop as runner:
        return runner.run(_measure(Path(name)))


async def _measure(folder: Path) -> Row:
    db = Database(f"sqlite:///{folder}/syndicate.db")
    try:
        await _fill(db)
        looks = _looks(db)
        chance = Random(1)
        for look in looks.values():
            await _times(look, chance, 20)  # the first of each kind compile their statements
        seen: dict[str, list[float]] = {kind: [] for kind in looks}
        runs = []
        for _ in range(RUNS):
            run = {kind: await _times(look, chance, _LOOKUPS) for kind, look in looks.items()}
            for kind, times in run.items():
                seen[kind] += times
            runs.append(Run(ours=max(_percentile(times, 99) for times in run.values())))
    finally:
        await db.aclose()
    each = ", ".join(f"{k} {_percentile(t, 50)} and {_percentile(t, 99)}" for k, t in seen.items())
    count = f"{_READERS:,} readers, {_READERS * _EDITIONS:,} deliveries, SQLite"
    note = f"p99 of the slowest kind, {_LOOKUPS} of each kind a run; {count}; median and p99 of all runs in ms: {each}"
    return alone("reader-lookup", unit="ms", runs=runs, note=note)


def _looks(db: Database) -> Mapping[str, _Look]:
    known, zone, now = {_NEWSLETTER.name: _NEWSLETTER}, _SITE.timezone, NEWEST + timedelta(days=_EDITIONS)

    async def history(reader: int, _edition: int) -> bool:
        async with db.read() as connection:
            person = await audience.by_address(connection, _address(reader))
            assert person is not None
            await audience.suppression(connection, _digest(reader))
            held = await audience.subscriptions_of(connection, person.id)
            said = await consents.of_person(connection, _digest(reader))
            sent = await audience.history(connection, person.id)
        return (len(held), len(said), len(sent)) == (1, 1, _EDITIONS)

    async def edition(reader: int, number: int) -> bool:
        name = f"{_NEWSLETTER.name}/{_slot(number).name}"
        found = await explain_edition(db, _address(reader), _digest(reader), name, zone=zone)
        return found.answer is Answer.YES

    async def story(reader: int, number: int, *, told: bool) -> bool:
        one = article_id("newsroom", str(number * _STORIES * 2 + (0 if told else 1)))
        found = await explain_story(db, _address(reader), _digest(reader), one, known, zone=zone, now=now)
        return found.answer is (Answer.YES if told else Answer.NO)

    return {
        "history": history,
        "edition": edition,
        "story told": lambda reader, number: story(reader, number, told=True),
        "story not told": lambda reader, number: story(reader, number, told=False),
    }


async def _times(look: _Look, chance: Random, count: int) -> list[float]:
    """Milliseconds of each of so many questions by readers at random."""
    times = []
    for _ in range(count):
        reader, edition = chance.randint(1, _READERS), chance.randrange(_EDITIONS)
        begun = perf_counter()
        right = await look(reader, edition)
        times.append((perf_counter() - begun) * 1000)
        if not right:
            raise BenchError(f"reader {reader} got another answer about edition {edition} than was meant")
    return times


def _percentile(times: list[float], share: int) -> float:
    return round(sorted(times)[len(times) * share // 100], 2)


async def _fill(db: Database) -> None:
    await migrate(db)
    await know_newsletters(db, [_NEWSLETTER])
    for first in range(1, _READERS + 1, _CHUNK):
        await _add_people(db, range(first, first + _CHUNK))
    for number in range(_EDITIONS):
        await _add_edition(db, number)


async def _add_people(db: Database, numbers: range) -> None:
    people = [
        {"id": n, "address": _address(n), "folded": _address(n), "digest": _digest(n), "name": "Dewi Lestari"}
        | {"language": "id", "timezone": "Asia/Jakarta", "generation": 1, "created_at": _BEFORE}
        for n in numbers
    ]
    active = {"newsletter": _NEWSLETTER.name, "state": SubscriptionState.ACTIVE.value, "since": _BEFORE}
    choices = [active | {"subscriber_id": n, "origin": "page"} for n in numbers]
    yes = {"newsletter": _NEWSLETTER.name, "what": Said.CONFIRMED.value, "at": _BEFORE, "origin": "page"}
    yes |= {"network": "203.0.113.0/24", "language": "id", "text_version": 1, "text_hash": "0" * 64}
    said = [yes | {"digest": _digest(n)} for n in numbers]
    async with db.write() as connection:
        await connection.execute(insert(subscribers), people)
        await connection.execute(insert(subscriptions), choices)
        await connection.execute(insert(consent_rows), said)


async def _add_edition(db: Database, number: int) -> None:
    """Stories, of which every other one is of another section, and an edition that everybody got."""
    async with db.write() as connection:
        for key in range(number * _STORIES * 2, (number + 1) * _STORIES * 2):
            story = article(key)
            if key % 2:
                story = replace(story, content=replace(story.content, sections=("olahraga",)))
            await articles.add(connection, story, digest=content_hash(story.content))
            seq = await changes.append(
                connection,
                article_id=story.id,
                version=1,
                kind=ChangeKind.PUBLISHED,
                edit=story.edit,
                baseline=False,
                at=story.changed_at,
            )
            await articles.set_state(connection, replace(story, seq=seq))
    slot = _slot(number)
    studio = Studio(site=_SITE, templates=(assets("templates/digest"),), sources=(), mark=lambda: "q" * 16)
    report = await compose_edition(db, _NEWSLETTER, slot, studio, now=slot.at)
    if report.edition is None:
        raise BenchError(f"edition {number} was not composed: {report.why}")
    await freeze_edition(db, report.edition, [], newsletter=_NEWSLETTER, studio=studio, now=slot.at)
    done = {"state": State.ACCEPTED.value, "code": "250", "text": "2.0.0 Ok: queued", "settled_at": slot.at}
    async with db.write() as connection:
        await connection.execute(update(deliveries).where(deliveries.c.edition_id == report.edition.id).values(**done))


def _slot(number: int) -> Slot:
    at = NEWEST + timedelta(days=number)
    return Slot(at=at, name=f"{at:%Y-%m-%dT0600}")


def _address(number: int) -> str:
    return f"pembaca{number}@pembaca.example"


def _digest(number: int) -> str:
    return f"{number:064x}"
