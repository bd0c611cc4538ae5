"""`kill -9` amid a look at a newsroom loses no story and no deed of its editors, and tells none twice (R02, R05).

The same deeds are gathered undisturbed, which is held against what stands beside each of them, and with kills at points
that a seed names. The look that was killed is made again; then both must have the same articles, versions and log.
"""

import asyncio
import random
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from tests.faults.editors import DEEDS, STANDINGS, Deed, Standing, write
from tests.faults.reading import Held, Room
from tests.servers.wordpress import open_wordpress

KILLS = 15  # on each database
SEED = 20261124
MANY_SEEDS = range(12)

Kills = Sequence[tuple[int, int]]  # which look after a deed, and at which point of it


@dataclass(frozen=True, kw_only=True)
class Undisturbed:
    """A run without kills: what we held after each deed, what its last look said, and how many points its looks had."""

    held: tuple[Held, ...]
    problems: tuple[str, ...]
    points: tuple[tuple[int, ...], ...]


@asynccontextmanager
async def open_room(store: str, folder: Path) -> AsyncIterator[Room]:
    async with open_wordpress() as site:
        room = Room(site=site, store=store, folder=folder)
        try:
            yield room
        finally:
            await room.aclose()


async def run_undisturbed(store: str, folder: Path) -> Undisturbed:
    held, problems, points = [], [], []
    async with open_room(store, folder) as room:
        for deed in DEEDS:
            reports = await room.after(deed)
            held.append(await room.held())
            problems.append(reports[-1].problem)
            points.append(tuple(report.points for report in reports))
    return Undisturbed(held=tuple(held), problems=tuple(problems), points=tuple(points))


@pytest.fixture(scope="session")
def undisturbed(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    shutil.copy(migrated_sqlite, folder / "syndicate.db")
    return asyncio.run(run_undisturbed(f"sqlite:///{folder}/syndicate.db", folder / "media"))


def one_kill(chance: random.Random, looks: Sequence[int]) -> Kills:
    """In one of the looks, each point as likely as another."""
    return [chance.choice([(look, point) for look, points in enumerate(looks) for point in range(1, points + 1)])]


def kill_each(chance: random.Random, looks: Sequence[int]) -> Kills:
    """In all of the looks."""
    return [(look, chance.randint(1, points)) for look, points in enumerate(looks)]


async def survives(room: Room, undisturbed: Undisturbed, plan: Mapping[int, Kills]) -> None:
    """Kills as planned for each deed."""
    for number, deed in enumerate(DEEDS):
        await room.after(deed, plan.get(number, ()))
        assert await room.held() == undisturbed.held[number], f"{deed.name}, kills: {plan.get(number)}"
    assert (await room.held()).standings == STANDINGS


def test_undisturbed_each_deed_comes_to_what_is_written_beside_it(undisturbed: Undisturbed) -> None:
    before: tuple[str, ...] = ()
    for deed, held, problem in zip(DEEDS, undisturbed.held, undisturbed.problems, strict=True):
        assert held.told[: len(before)] == before
        assert (deed.name, held.told[len(before) :]) == (deed.name, deed.told)
        assert deed.problem in problem if deed.problem else not problem
        before = held.told
    assert undisturbed.held[-1].standings == STANDINGS


async def test_kills_change_nothing_that_we_hold_of_a_newsroom(
    migrated_url: str, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    chance = random.Random(SEED)
    order = chance.sample(range(len(DEEDS)), len(DEEDS))
    deeds = order[:KILLS] if migrated_url.startswith("sqlite") else order[-KILLS:]  # together they are all deeds
    plan = {number: one_kill(chance, undisturbed.points[number]) for number in deeds}
    async with open_room(migrated_url, tmp_path / "media") as room:
        await survives(room, undisturbed, plan)


async def test_a_kill_while_a_picture_is_kept_leaves_it_whole_or_not_named(migrated_url: str, tmp_path: Path) -> None:
    async with open_room(migrated_url, tmp_path / "media") as room:
        write(room.site, "baru")
        for point in ("os.rename", "INSERT INTO pictures"):
            await room.killed_look(1, point)
        await room.look()
        await room.assert_sound()
        held = await room.held()

    assert held.standings == {"baru": Standing(title="Judul baru")}
    assert "media='" in held.articles[0]


async def test_what_comes_right_before_a_kill_and_goes_before_the_next_look_does_not_stay(
    migrated_url: str, tmp_path: Path
) -> None:
    async with open_room(migrated_url, tmp_path / "media") as room:
        await room.after(DEEDS[0])
        await room.after(Deed(name="trash", do=lambda site: site.trash("lama-3"), minutes=(5, 11)))
        write(room.site, "baru")
        room.site.restore("lama-3")
        room.site.now += timedelta(minutes=5)
        await room.killed_look(2, "INSERT INTO sources")  # the look is being written down
        room.site.trash("baru")
        await room.after(Deed(name="trash", do=lambda site: site.trash("lama-3"), minutes=(5, 11)))
        standings = (await room.held()).standings

    published = {slug for slug, standing in standings.items() if standing.state == "published"}
    assert published == {"lama-1", "lama-2", "lama-4"}


@pytest.mark.long
@pytest.mark.parametrize("seed", MANY_SEEDS)
async def test_many_more_kills_change_nothing(
    migrated_url: str, tmp_path: Path, undisturbed: Undisturbed, seed: int
) -> None:
    chance = random.Random(seed)
    plan = {number: kill_each(chance, looks) for number, looks in enumerate(undisturbed.points)}
    async with open_room(migrated_url, tmp_path / "media") as room:
        await survives(room, undisturbed, plan)
