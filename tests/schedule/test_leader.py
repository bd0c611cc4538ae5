"""One leader among many: taken over from the dead, and harmless when the dead wake up."""

import subprocess
import sys

from syndicate.schedule.leader import STILL, Leader
from syndicate.schedule.slots import fire_due
from syndicate.store import leases
from syndicate.store.db import Database
from syndicate.store.leases import Node
from tests.factories import NOW, SetClock, make_newsletter


class Monotonic:
    """Seconds that a test lets pass. The wall clock is another one, and jumps."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def leader_of(db: Database, name: str, passed: Monotonic, *, host: str | None = None, pid: int = 1) -> Leader:
    host = host or f"host-{name}"
    node = Node(id=f"{host}:{pid}:{name}", host=host, pid=pid, beat=0, seen_at=NOW)
    return Leader(db=db, node=node, clock=SetClock(), monotonic=passed)


def dead_process() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


async def test_of_two_one_leads(db: Database) -> None:
    passed = Monotonic()
    a, b = leader_of(db, "a", passed), leader_of(db, "b", passed)

    looks = [await leader.look() for leader in (a, b, a, b)]

    assert [look.leading for look in looks] == [True, False, True, False]
    assert [look.gained for look in looks] == [True, False, False, False]


async def test_a_leader_that_stands_still_for_8_seconds_is_followed_by_another(db: Database) -> None:
    passed = Monotonic()
    a, b = leader_of(db, "a", passed), leader_of(db, "b", passed)
    await a.look()
    await b.look()
    passed.seconds += STILL - 0.1
    early = await b.look()
    passed.seconds += 0.1
    late = await b.look()
    woken = await a.look()

    assert not early.leading
    assert (late.leading, late.gained, late.dead) == (True, True, (a.node.id,))
    assert not woken.leading
    assert (await b.look()).leading


async def test_a_leader_that_beats_is_never_followed_however_long_it_takes(db: Database) -> None:
    passed = Monotonic()
    a, b = leader_of(db, "a", passed), leader_of(db, "b", passed)
    for _ in range(10):
        assert (await a.look()).leading
        assert not (await b.look()).leading
        passed.seconds += STILL - 1


async def test_a_wall_clock_that_jumps_ends_no_lead(db: Database) -> None:
    passed = Monotonic()
    a, b = leader_of(db, "a", passed), leader_of(db, "b", passed)
    await a.look()
    await b.look()
    assert isinstance(b.clock, SetClock)
    b.clock.forward(days=7300)

    assert not (await b.look()).leading
    assert (await a.look()).leading


async def test_a_dead_process_of_the_same_host_is_followed_at_once(db: Database) -> None:
    passed = Monotonic()
    dead = leader_of(db, "a", passed, host="here", pid=dead_process())
    await dead.look()
    look = await leader_of(db, "b", passed, host="here").look()

    assert (look.leading, look.dead) == (True, (dead.node.id,))


async def test_the_same_number_on_another_host_says_nothing(db: Database) -> None:
    passed = Monotonic()
    await leader_of(db, "a", passed, host="there", pid=dead_process()).look()

    assert not (await leader_of(db, "b", passed, host="here").look()).leading


async def test_leaving_hands_over_at_once(db: Database) -> None:
    passed = Monotonic()
    a, b = leader_of(db, "a", passed), leader_of(db, "b", passed)
    await a.look()
    await a.leave()

    assert (await b.look()).leading
    async with db.read() as connection:
        assert [node.id for node in await leases.all_nodes(connection)] == [b.node.id]


async def test_the_woken_leader_fires_nothing_that_the_new_one_has_fired(db: Database) -> None:
    passed, newsletter = Monotonic(), make_newsletter()
    a, b = leader_of(db, "a", passed), leader_of(db, "b", passed)
    await a.look()
    await b.look()
    passed.seconds += STILL
    await b.look()
    fired = await fire_due(db, newsletter, node=b.node.id, now=NOW)
    zombie = await fire_due(db, newsletter, node=a.node.id, now=NOW)

    assert fired is not None
    assert zombie is None
