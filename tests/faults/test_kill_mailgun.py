"""`kill -9` while a provider is handed a thousand readers a call: its log alone says who got what (R01, R02)."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.faults.killing import PATIENCE, ROOT, Ending, finish, run_and_kill
from tests.faults.project import Project, add_subscribers, lay_out
from tests.faults.test_kill import case_id
from tests.servers.mailgun import DOMAIN, KEY, Mailgun, mailgun

SUBSCRIBERS, CALL = 2100, 1000
CHANNEL = """kind = "mailgun"
domain = "{domain}"
api_key = "env:FAULT_KEY"
url = "{url}"
"""
POINTS = [*[("fdatasync", n) for n in (22, 27, 33)], ("recvfrom", 704)]


async def survives(
    folder: Path, store: str, provider: Mailgun, kill: Callable[[Project], Awaitable[None]]
) -> tuple[Ending, set[str]]:
    """How it ended, and who got a mail."""
    channel = CHANNEL.format(domain=DOMAIN, url=provider.url)
    project = lay_out(folder, store, channel=channel, stories=range(1, 3))
    project.environ["FAULT_KEY"] = KEY
    app = project.open()
    try:
        wanted = await add_subscribers(app, SUBSCRIBERS)
    finally:
        await app.aclose()

    await kill(project)
    ending = await finish(project)

    got = Counter(provider.recipients())
    numbers = dict(enumerate(wanted, start=1))
    doubted = {numbers[doubt.subscriber_id] for doubt in ending.doubts}
    assert max(got.values()) == 1, "doubled"
    assert set(wanted) - set(got) <= doubted, "lost"
    assert len(ending.doubts) == ending.books.uncertain <= CALL
    assert ending.books == ending.counted
    assert ending.books.settled
    assert ending.books.candidates == SUBSCRIBERS
    return ending, set(got)


@pytest.mark.parametrize("point", POINTS, ids=case_id)
async def test_a_kill_leaves_at_most_one_call_in_doubt(tmp_path: Path, point: tuple[str, int]) -> None:
    async def kill(project: Project) -> None:
        assert await run_and_kill(project, *point)

    async with mailgun() as provider:
        await survives(tmp_path / "project", f"sqlite:///{tmp_path}/syndicate.db", provider, kill)


@pytest.mark.parametrize("which", [1, 3])
async def test_a_kill_when_the_provider_has_the_call_doubts_it_and_sends_it_to_nobody_again(
    tmp_path: Path, database_url: str, which: int
) -> None:
    async def kill(project: Project) -> None:
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.faults.worker", str(project.folder)),
            cwd=ROOT,
            env={**os.environ, **project.environ},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        provider.on_call = lambda: worker.kill() if len(provider.calls) == which - 1 else None
        async with asyncio.timeout(PATIENCE):
            assert await worker.wait() < 0
        provider.on_call = lambda: None

    async with mailgun() as provider:
        ending, got = await survives(tmp_path / "project", database_url, provider, kill)

    assert len(got) == SUBSCRIBERS
    assert ending.books.uncertain == (CALL if which == 1 else SUBSCRIBERS - 2 * CALL)
