"""`kill -9` at any system call loses nothing and doubles nothing (R01, R02). The sinks alone say who got what."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.faults.killing import finish, run_and_kill
from tests.faults.project import MAILDIR, Project, add_subscribers, lay_out, smtp
from tests.servers.smtp import Behaviour, SmtpSink

SUBSCRIBERS = 300
CONNECTIONS = 2
AT_MOST_IN_DOUBT = 8 * CONNECTIONS  # a kill

# (system call, which of them). Threads count for themselves, so high numbers are reached by the busiest one only.
MAILDIR_POINTS = [
    *[("fdatasync", n) for n in (1, 3, 6, 10, 15, 20, 23, 26, 29, 32, 35, 38)],
    *[("fsync", n) for n in (1, 9, 20, 40, 70, 130)],
    *[("rename", n) for n in (1, 3, 5, 12, 33, 60)],
]
SMTP_POINTS = [
    *[("fdatasync", n) for n in (20, 24, 30, 38, 46, 54, 62, 72)],
    *[("sendto", n) for n in (150, 300, 500, 700, 900, 1100)],
    *[("recvfrom", n) for n in (400, 900, 1300, 1800)],
]
PIPELINED_SMTP_POINTS = [
    *[("fdatasync", n) for n in (26, 45, 65)],
    *[("sendto", n) for n in (250, 290, 330)],
    *[("recvfrom", n) for n in (800, 950, 1080)],
]
POSTGRES_MAILDIR_POINTS = [
    *[("fsync", n) for n in (6, 30)],
    *[("rename", n) for n in (5, 40)],
    *[("sendto", n) for n in (120, 460, 500)],
    *[("recvfrom", n) for n in (300, 470, 550)],
]
POSTGRES_SMTP_POINTS = [
    *[("sendto", n) for n in (200, 600, 1000, 1400, 1750)],
    *[("recvfrom", n) for n in (400, 1100, 1700)],
]
MANY = [(call, n) for call in ("fdatasync", "fsync", "rename", "sendto", "recvfrom") for n in range(1, 120, 4)]


def in_turns(points: Sequence[tuple[str, int]]) -> list[Any]:
    """Every second point always, the others with `make test-long`: random moments are the part of `test_storm.py`."""
    return [pytest.param(point, marks=[pytest.mark.long] if place % 2 else []) for place, point in enumerate(points)]


def case_id(point: object) -> str:
    return "-".join(map(str, point)) if isinstance(point, tuple) else str(point)


async def with_subscribers(project: Project) -> list[str]:
    app = project.open()
    try:
        return await add_subscribers(app, SUBSCRIBERS)
    finally:
        await app.aclose()


def delivered_to(path: Path) -> str:
    lines = path.read_bytes().split(b"\r\n", 2)
    return lines[1].removeprefix(b"Delivered-To: ").decode()


async def maildir_survives(folder: Path, store: str, point: tuple[str, int]) -> None:
    project = lay_out(folder, store, channel=MAILDIR, stories=range(1, 4))
    wanted = await with_subscribers(project)

    await run_and_kill(project, *point)
    ending = await finish(project)

    got = Counter(map(delivered_to, project.outbox.iterdir()))
    assert set(got) == set(wanted), "lost"
    assert max(got.values()) == 1, "doubled"
    assert ending.doubts == []
    assert ending.books == ending.counted
    assert ending.books.accepted == ending.books.candidates == SUBSCRIBERS


async def smtp_survives(folder: Path, store: str, point: tuple[str, int], behaviour: Behaviour) -> None:
    async with SmtpSink(behaviour) as sink:
        channel = smtp(sink.port, CONNECTIONS)
        project = lay_out(folder, store, channel=channel, stories=range(1, 4))
        wanted = await with_subscribers(project)

        killed = await run_and_kill(project, *point)
        ending = await finish(project)

    got = Counter(message.recipients[0] for message in sink.messages)
    dropped = behaviour.drop_after_body and sink.bodies // behaviour.drop_after_body
    numbers = dict(enumerate(wanted, start=1))
    doubted = {numbers[doubt.subscriber_id] for doubt in ending.doubts}
    assert max(got.values()) == 1, "doubled"
    assert set(wanted) - set(got) <= doubted, "lost"
    assert len(ending.doubts) == ending.books.uncertain <= AT_MOST_IN_DOUBT * killed + dropped
    assert ending.books == ending.counted
    assert ending.books.settled
    assert ending.books.candidates == SUBSCRIBERS


@pytest.fixture
def sqlite_store(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/project/var/syndicate.db"


@pytest.mark.parametrize("syscall", ["fdatasync", "fsync", "rename", "sendto", "recvfrom"])
async def test_a_kill_is_a_kill(tmp_path: Path, sqlite_store: str, syscall: str) -> None:
    """Whatever survives below would survive a strace that lets every call through as well."""
    async with SmtpSink(Behaviour()) as sink:
        channel = smtp(sink.port) if syscall in ("sendto", "recvfrom") else MAILDIR
        project = lay_out(tmp_path / "project", sqlite_store, channel=channel, stories=range(1, 3))
        await with_subscribers(project)

        assert await run_and_kill(project, syscall, 2)


@pytest.mark.parametrize("point", in_turns(MAILDIR_POINTS), ids=case_id)
async def test_a_kill_settles_every_doubt_by_looking_into_the_maildir(
    tmp_path: Path, sqlite_store: str, point: tuple[str, int]
) -> None:
    await maildir_survives(tmp_path / "project", sqlite_store, point)


@pytest.mark.parametrize("point", in_turns(POSTGRES_MAILDIR_POINTS), ids=case_id)
async def test_a_kill_on_postgres_settles_every_doubt_by_looking(
    tmp_path: Path, postgres_store: str, point: tuple[str, int]
) -> None:
    await maildir_survives(tmp_path / "project", postgres_store, point)


@pytest.mark.parametrize("point", in_turns(SMTP_POINTS), ids=case_id)
async def test_a_kill_leaves_at_most_what_was_on_the_wire_in_doubt(
    tmp_path: Path, sqlite_store: str, point: tuple[str, int]
) -> None:
    await smtp_survives(tmp_path / "project", sqlite_store, point, Behaviour(drop_after_body=97))


@pytest.mark.parametrize("point", in_turns(PIPELINED_SMTP_POINTS), ids=case_id)
async def test_a_kill_while_envelopes_are_announced_leaves_no_more_in_doubt(
    tmp_path: Path, sqlite_store: str, point: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Behaviour, "pipelining", True)
    await smtp_survives(tmp_path / "project", sqlite_store, point, Behaviour(drop_after_body=97))


@pytest.mark.parametrize("point", in_turns(POSTGRES_SMTP_POINTS), ids=case_id)
async def test_a_kill_on_postgres_leaves_at_most_what_was_on_the_wire_in_doubt(
    tmp_path: Path, postgres_store: str, point: tuple[str, int]
) -> None:
    await smtp_survives(tmp_path / "project", postgres_store, point, Behaviour(drop_after_body=97))


@pytest.mark.long
@pytest.mark.parametrize("point", MANY, ids=case_id)
async def test_many_more_kills(tmp_path: Path, sqlite_store: str, point: tuple[str, int]) -> None:
    await maildir_survives(tmp_path / "project", sqlite_store, point)


@pytest.mark.long
@pytest.mark.parametrize("point", MANY, ids=case_id)
async def test_many_more_kills_while_mailing_by_smtp(tmp_path: Path, sqlite_store: str, point: tuple[str, int]) -> None:
    await smtp_survives(tmp_path / "project", sqlite_store, point, Behaviour(drop_after_body=41))


@pytest.mark.parametrize(
    "behaviour", [Behaviour(drop_after_body=50), Behaviour(lose_after_body=50)], ids=["took", "lost"]
)
async def test_a_reply_lost_after_the_body_is_listed_and_not_sent_again(
    tmp_path: Path, sqlite_store: str, behaviour: Behaviour
) -> None:
    async with SmtpSink(behaviour) as sink:
        project = lay_out(tmp_path / "project", sqlite_store, channel=smtp(sink.port), stories=range(1, 4))
        await with_subscribers(project)

        ending = await finish(project)

    assert ending.books.uncertain == len(ending.doubts) == sink.bodies // 50
    assert ending.books.accepted + ending.books.uncertain == SUBSCRIBERS
    assert max(Counter(message.recipients[0] for message in sink.messages).values()) == 1
