"""T08's ground: whatever a parser does, it ends in time, costs little and harms no other call."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pytest

from syndicate.jail import Answer, Jail, JailFailure
from syndicate.jailed import frame
from tests.servers.http import PATIENCE

MODULE = "tests.jailed_functions"
NAMES = (
    *("echo", "spin", "swell", "die", "complain", "chatter", "describe"),
    *("write_a_file", "fork", "not_json", "answer_twice", "missing"),
)
FUNCTIONS = tuple(f"{MODULE}:{name}" for name in NAMES)


class Tried:
    """A jail in which the tests' own functions are allowed."""

    def __init__(self, **limits: Any) -> None:
        self.jail = Jail(extra_allowed=(*FUNCTIONS, "tests.no_such_module:f"), **limits)

    async def call(self, name: str, payload: bytes = b"", **options: Any) -> Answer | JailFailure:
        return await self.jail.call(f"{MODULE}:{name}", payload, **options)

    async def child(self) -> int:
        outcome = await self.call("describe")
        assert isinstance(outcome, Answer)
        return int(outcome.value["pid"])


@pytest.fixture
async def tried() -> AsyncIterator[Tried]:
    tried = Tried(wall_seconds=0.5)
    yield tried
    await tried.jail.aclose()


async def expect_failure(tried: Tried, kind: str, name: str, **options: Any) -> JailFailure:
    outcome = await tried.call(name, **options)
    assert isinstance(outcome, JailFailure), outcome
    assert outcome.kind == kind, outcome
    return outcome


async def assert_works(tried: Tried) -> None:
    assert await tried.call("echo", b"still here") == Answer({}, b"still here")


def is_alive(pid: int) -> bool:
    """A zombie isn't: whoever inherits it may take their time to bury it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def gone(pid: int) -> None:
    """Wait until the process has ended. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while is_alive(pid):  # noqa: ASYNC110 - another's process gives no event
            await asyncio.sleep(0.01)


async def test_values_and_bytes_go_through_unchanged(tried: Tried) -> None:
    payload = bytes(range(256)) * 20_000
    options = {"url": "https://é.test/", "list": [1, 2.5, None, True], "nested": {"a": {"b": []}}}

    assert await tried.call("echo", payload, **options) == Answer(options, payload)


async def test_what_takes_too_long_is_killed_and_the_next_call_works(tried: Tried) -> None:
    pid = await tried.child()

    failure = await expect_failure(tried, "timeout", "spin")

    await gone(pid)
    assert "0.5 s" in failure.detail
    await assert_works(tried)


async def test_memory_is_capped_and_the_next_call_works(tried: Tried) -> None:
    await expect_failure(tried, "memory", "swell", bytes=1 << 30)
    await assert_works(tried)


async def test_a_crash_is_a_value_that_names_the_signal_and_the_next_call_works(tried: Tried) -> None:
    failure = await expect_failure(tried, "crashed", "die")

    assert f"-{signal.SIGSEGV.value}" in failure.detail
    await assert_works(tried)


async def test_a_child_killed_between_calls_costs_one_call_at_most(tried: Tried) -> None:
    pid = await tried.child()
    os.kill(pid, signal.SIGKILL)
    await gone(pid)

    outcome = await tried.call("echo")

    assert isinstance(outcome, Answer) or outcome.kind == "crashed"
    await assert_works(tried)


async def test_an_exception_is_a_value_and_the_child_lives_on(tried: Tried) -> None:
    pid = await tried.child()

    assert (await expect_failure(tried, "raised", "complain")).detail == "ValueError: not a feed"
    await expect_failure(tried, "raised", "not_json")
    await expect_failure(tried, "raised", "missing")

    assert await tried.child() == pid


@pytest.mark.parametrize("function", ["os:system", "tests.jailed_functions:other", "", "os"])
async def test_a_function_that_is_not_on_the_list_is_refused_without_starting_anything(function: str) -> None:
    outcome = await Jail().call(function, b"")

    assert isinstance(outcome, JailFailure)
    assert outcome.kind == "refused"


async def test_a_module_that_cannot_be_imported_is_a_value_that_says_why(tried: Tried) -> None:
    outcome = await tried.jail.call("tests.no_such_module:f", b"")

    assert isinstance(outcome, JailFailure)
    assert outcome.kind == "crashed"
    assert "ModuleNotFoundError" in outcome.detail


async def test_a_reply_to_another_request_is_never_taken(tried: Tried) -> None:
    failure = await expect_failure(tried, "crashed", "answer_twice", forged_id=999)

    assert failure.detail == "a reply to another request"
    await assert_works(tried)


async def test_a_second_reply_to_a_request_never_reaches_the_next_one(tried: Tried) -> None:
    forged = await tried.call("answer_twice", forged_id=1)
    after = await tried.call("echo", b"mine")

    assert forged == Answer("forged", b"")
    assert isinstance(after, JailFailure)
    await assert_works(tried)


async def test_prints_do_not_spoil_the_conversation(tried: Tried) -> None:
    assert await tried.call("chatter") == Answer("", b"")


async def test_the_child_sees_none_of_our_environment(tried: Tried, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNDICATE_SMTP_PASSWORD", "secret")

    outcome = await tried.call("describe")

    assert isinstance(outcome, Answer)
    assert set(outcome.value["environment"]) <= {"LC_ALL", "TZ", "LD_LIBRARY_PATH"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to drop")
async def test_root_becomes_nobody(tried: Tried) -> None:
    outcome = await tried.call("describe")

    assert isinstance(outcome, Answer)
    assert outcome.value["uid"] == 65534


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to drop")
async def test_a_module_that_nobody_may_read_works_because_it_is_imported_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "private_parser.py").write_text("def parse(payload, options): return 'parsed', payload")
    os.chmod(tmp_path, 0o700)
    monkeypatch.syspath_prepend(tmp_path)
    jail = Jail(extra_allowed=("private_parser:parse",))

    outcome = await jail.call("private_parser:parse", b"x")

    await jail.aclose()
    assert outcome == Answer("parsed", b"x")


async def test_no_file_can_be_written_and_no_process_started(tried: Tried) -> None:
    with NamedTemporaryFile() as anybodys:
        os.chmod(anybodys.name, 0o666)  # noqa: S103 - so that only the limit is in the way
        failure = await expect_failure(tried, "raised", "write_a_file", path=anybodys.name)

    assert "too large" in failure.detail
    await expect_failure(tried, "raised", "fork")


async def test_calls_wait_for_each_other_and_each_gets_its_own_answer(tried: Tried) -> None:
    answers = await asyncio.gather(*(tried.call("echo", bytes([n]) * 1000, n=n) for n in range(50)))

    assert answers == [Answer({"n": n}, bytes([n]) * 1000) for n in range(50)]


async def test_the_child_is_kept_between_calls_and_ends_when_idle() -> None:
    tried = Tried(idle_seconds=0.1)
    first = await tried.child()

    await gone(first)

    assert await tried.child() != first
    await tried.jail.aclose()


async def test_a_cancelled_call_takes_its_child_with_it(tried: Tried) -> None:
    pid = await tried.child()
    task = asyncio.create_task(tried.call("spin"))
    await asyncio.sleep(0)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await gone(pid)
    await assert_works(tried)


async def test_closing_ends_the_child_and_the_jail_can_be_used_again(tried: Tried) -> None:
    pid = await tried.child()

    await tried.jail.aclose()

    assert not is_alive(pid)
    await assert_works(tried)


OWNER = f"""
import asyncio
from syndicate.jail import Jail

async def main():
    jail = Jail(wall_seconds=0.5, extra_allowed={FUNCTIONS!r})
    print((await jail.call("{MODULE}:describe", b"")).value["pid"], flush=True)
    print(await jail.call("{MODULE}:spin", b""))

asyncio.run(main())
"""


@pytest.mark.parametrize("busy", [True, False])
async def test_the_child_does_not_outlive_its_owner(busy: bool) -> None:
    """Idle it sees its pipe close; in the middle of a call an alarm ends it."""
    script = OWNER if busy else OWNER.replace(f'jail.call("{MODULE}:spin", b"")', "asyncio.Event().wait()")
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=PIPE, cwd=Path(__file__).parents[1]
    )
    assert owner.stdout is not None
    child = int(await owner.stdout.readline())
    assert is_alive(child)

    owner.kill()
    await owner.wait()

    await gone(child)


def test_a_frame_says_how_long_its_parts_are() -> None:
    assert frame({"id": 1}, b"xy") == b"\0\0\0\x09\0\0\0\x02" + b'{"id": 1}xy'
