"""Commands by which a person says a word: hold, release, cancel, test sends, subscribers, keys, replays."""

import ast
import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import delete, update

from syndicate.domain.audience import address_digest
from syndicate.domain.delivery import Standing, State
from syndicate.domain.edition import EditionState
from syndicate.pipeline import trial
from syndicate.pipeline.reconcile import FENCE_HOLD
from syndicate.settings import load_keyring
from syndicate.store import audience, editions, fence, jobs, pace, partners
from syndicate.store.db import Database
from syndicate.store.pace import DomainHold
from syndicate.store.tables import deliveries, job_runs
from syndicate.store.tables import editions as editions_table
from tests.cli.conftest import Cli

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
_R = TypeVar("_R")


def in_store(paper: Path, work: Callable[[Database], Awaitable[_R]]) -> _R:
    async def run() -> _R:
        db = Database(f"sqlite:///{paper}/var/syndicate.db")
        try:
            return await work(db)
        finally:
            await db.aclose()

    return asyncio.run(run())


def edition_name(cli: Cli) -> str:
    return str(json.loads(cli("editions", "list", "--json").out)[0]["name"])


def put_edition(paper: Path, state: EditionState) -> None:
    async def work(db: Database) -> None:
        async with db.write() as connection:
            assert await editions.set_state(connection, 1, state, came_from=(EditionState.DONE,))

    in_store(paper, work)


def free_slot(paper: Path) -> None:
    """As if the edition had been of another day: the slot of this very minute is still to come."""

    async def work(db: Database) -> None:
        async with db.write() as connection:
            await connection.execute(update(editions_table).values(slot="20260101T000000Z"))
            await connection.execute(delete(job_runs))

    in_store(paper, work)


def test_mails(paper: Path) -> list[EmailMessage]:
    files = sorted((paper / "var" / "outbox" / "new").glob("test.*"))
    mails = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
    return [mail for mail in mails if isinstance(mail, EmailMessage)]


test_mails.__test__ = False  # type: ignore[attr-defined]


@pytest.mark.parametrize("which", ["an edition", "the next one"])
def test_a_test_send_goes_to_the_typed_address_alone_and_is_marked(which: str, cli: Cli, paper: Path) -> None:
    name = edition_name(cli)
    before = len(list((paper / "var" / "outbox" / "new").iterdir()))
    words = (name,) if which == "an edition" else ("--newsletter", "ringkasan")

    said = cli("editions", "send-test", *words, "meja@lintaspagi.example", "--json")

    (mail,) = test_mails(paper)
    (sent,) = json.loads(said.out)["sent"]
    assert (said.code, sent["to"], sent["outcome"]) == (0, "meja@lintaspagi.example", "accepted")
    assert len(list((paper / "var" / "outbox" / "new").iterdir())) == before + 1
    assert mail["To"] == "meja@lintaspagi.example"
    assert mail["Subject"].startswith("[TES] Ringkasan")
    assert mail["Delivered-To"] == "meja@lintaspagi.example"
    assert mail["Return-Path"] == "<ringkasan@lintaspagi.example>"


def test_a_test_send_stands_in_no_ledger_and_ends_no_subscription(cli: Cli, paper: Path) -> None:
    name = edition_name(cli)
    books = cli("editions", "books", name).out

    cli("editions", "send-test", name, "meja@lintaspagi.example")

    (mail,) = test_mails(paper)
    bodies = [mail.get_body((kind,)) for kind in ("html", "plain")]
    assert cli("editions", "books", name).out == books
    assert mail["List-Unsubscribe"] is None
    for body in bodies:
        assert body is not None
        assert "/u/" not in body.get_content()
        assert f"/editions/{name}" in body.get_content()


def test_a_dry_test_send_sends_nothing(cli: Cli, paper: Path) -> None:
    said = cli("editions", "send-test", edition_name(cli), "meja@lintaspagi.example", "--dry-run")

    assert said.code == 0
    assert "not sent" in said.out
    assert test_mails(paper) == []


@pytest.mark.parametrize(
    "words",
    [
        ["a@pembaca.example,b@pembaca.example"],
        ["a@pembaca.example b@pembaca.example"],
        ["a@pembaca.example\r\nBcc: b@pembaca.example"],
        ["ringkasan"],
        ["a@pembaca.example", "ringkasan"],
        [f"a{number}@pembaca.example" for number in range(21)],
    ],
)
def test_a_test_send_takes_a_few_good_addresses_or_none(words: list[str], cli: Cli, paper: Path) -> None:
    said = cli("editions", "send-test", edition_name(cli), *words)

    assert said.code in (1, 2)
    assert test_mails(paper) == []


def test_a_test_send_needs_to_be_told_what_and_where(cli: Cli, paper: Path) -> None:
    assert cli("editions", "send-test", "meja@lintaspagi.example").code == 2
    assert cli("editions", "send-test", edition_name(cli), "a@b.example", "--newsletter", "ringkasan").code == 2


def test_the_module_of_test_sends_can_not_ask_for_recipients() -> None:
    """R24: of the whole store it knows a connection, a rendering, and whether one address is suppressed."""
    tree = ast.parse(Path(trial.__file__).read_text("utf-8"))
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names = {alias.name for node in froms if "store" in str(node.module) for alias in node.names}

    assert names == {"suppression", "Database", "Rendering"}


def test_a_suppressed_address_gets_no_test_and_no_subscription(cli: Cli, paper: Path) -> None:
    digest = address_digest(load_keyring(paper / "keys").pepper, "pergi@pembaca.example")

    async def suppress(db: Database) -> None:
        async with db.write() as connection:
            await audience.suppress(connection, digest, "complained", now=NOW)

    in_store(paper, suppress)

    for words in (
        ("editions", "send-test", edition_name(cli), "pergi@pembaca.example"),
        ("subscribers", "add", "pergi@pembaca.example", "ringkasan"),
    ):
        said = cli(*words)
        assert said.code == 1
        assert "must not be written to: complained, since 2026-11-24" in said.err
    assert cli("subscribers", "show", "pergi@pembaca.example").code == 1
    assert test_mails(paper) == []


def test_a_held_edition_waits_until_it_is_released(cli: Cli, paper: Path) -> None:
    name = edition_name(cli)
    put_edition(paper, EditionState.FROZEN)

    held = cli("editions", "hold", name, "--why", "salah judul")
    again = cli("editions", "hold", name)
    dry = cli("editions", "release", name, "--dry-run")
    shown = cli("editions", "show", name)
    released = cli("editions", "release", name)

    assert (held.code, again.code, dry.code, released.code) == (0, 1, 0, 0)
    assert "salah judul" in shown.out
    assert dry.out == f"Would release {name} to 0 readers.\n"
    assert cli("editions", "release", name).code == 1


def test_a_cancelled_edition_stays_cancelled(cli: Cli, paper: Path) -> None:
    name = edition_name(cli)
    put_edition(paper, EditionState.HELD)

    dry = cli("editions", "cancel", name, "--dry-run")
    done = cli("editions", "cancel", name, "--why", "salah")
    again = cli("editions", "release", name)

    assert (dry.code, done.code, again.code) == (0, 0, 1)
    assert "cancelled" in cli("editions", "show", name).out


def outbox(paper: Path) -> int:
    return len(list((paper / "var" / "outbox" / "new").iterdir()))


def doubt_all(paper: Path, *, lost: int) -> None:
    """All three mails of the edition are uncertain; so many of them never reached the folder."""

    async def work(db: Database) -> None:
        async with db.write() as connection:
            await connection.execute(update(deliveries).values(state="uncertain", code="flush", text="no answer"))
            await editions.put_books(connection, 1, await editions.count_books(connection, 1))

    in_store(paper, work)
    for mail in list((paper / "var" / "outbox" / "new").iterdir())[:lost]:
        mail.unlink()


def test_doubts_are_listed_with_who_and_what_was_said(cli: Cli, paper: Path) -> None:
    name = edition_name(cli)
    none = cli("editions", "doubts", name)
    doubt_all(paper, lost=0)

    listed = json.loads(cli("editions", "doubts", name, "--json").out)

    assert (none.code, none.out) == (0, "No delivery is uncertain.\n")
    assert sorted(doubt["address"] for doubt in listed["uncertain"])[0] == "bagus@pembaca.example"
    assert {(doubt["code"], doubt["text"]) for doubt in listed["uncertain"]} == {("flush", "no answer")}
    assert "dewi@pembaca.example" in cli("editions", "doubts", name).out


def test_a_look_settles_doubts_and_sends_what_was_never_taken_over(cli: Cli, paper: Path) -> None:
    name = edition_name(cli)
    doubt_all(paper, lost=1)

    dry = cli("editions", "doubts", name, "--look", "--dry-run")
    still = json.loads(cli("editions", "doubts", name, "--json").out)["uncertain"]
    looked = cli("editions", "doubts", name, "--look")
    cli("once")

    assert dry.out.startswith("Would ask outbox, and send again what it never got.\n")
    assert len(still) == 3
    assert looked.out.startswith("outbox took 2 over and never got 1. What is due goes out")
    assert looked.out.endswith("No delivery is uncertain.\n")
    assert outbox(paper) == 3
    assert json.loads(cli("editions", "books", name, "--json").out)["ledger"]["accepted"] == 3


def test_doubts_go_out_once_more_at_a_persons_word(cli: Cli, paper: Path) -> None:
    name = edition_name(cli)
    doubt_all(paper, lost=3)

    dry = cli("editions", "doubts", name, "--resend", "--dry-run")
    untouched = json.loads(cli("editions", "show", name, "--json").out)["state"]
    done = cli("editions", "doubts", name, "--resend")
    again = cli("editions", "doubts", name, "--resend")
    cli("once")

    assert dry.out.startswith("Would send it again to 3 readers, who may have it already.\n")
    assert (untouched, done.code, again.code) == ("done", 0, 1)
    assert done.out.startswith("It is due again for 3 readers. What is due goes out with a running `up` at once")
    assert outbox(paper) == 3
    assert json.loads(cli("editions", "show", name, "--json").out)["state"] == "done"


def test_doubts_of_a_cancelled_edition_are_not_sent_again(cli: Cli, paper: Path) -> None:
    name = edition_name(cli)
    doubt_all(paper, lost=3)
    put_edition(paper, EditionState.CANCELLED)

    assert cli("editions", "doubts", name, "--resend", "--dry-run").out.startswith("Would send it again to 0 readers")
    assert cli("editions", "doubts", name, "--resend").code == 1
    assert cli("editions", "doubts", name, "--look", "--resend").code == 2


def test_an_edition_whose_newsletter_is_gone_is_not_released(cli: Cli, paper: Path) -> None:
    name = edition_name(cli)
    put_edition(paper, EditionState.HELD)
    file = paper / "config" / "syndicate.toml"
    file.write_text(file.read_text("utf-8").replace('"ringkasan"', '"harian"'), "utf-8")

    said = cli("editions", "release", name)

    assert (said.code, said.err) == (1, "There is no newsletter called 'ringkasan'. Known: harian.\n")
    assert json.loads(cli("editions", "show", name, "--json").out)["state"] == "held"


def test_a_restored_backup_is_released_by_a_person(cli: Cli, paper: Path) -> None:
    assert cli("editions", "release", "--restored").code == 1  # nothing is held

    async def hold(db: Database) -> None:
        async with db.write() as connection:
            await fence.hold(connection, FENCE_HOLD, "the database is an older copy", now=NOW)

    in_store(paper, hold)
    dry = cli("editions", "release", "--restored", "--dry-run")
    done = cli("editions", "release", "--restored")

    assert dry.out == "Would go on although the database is an older copy\n"
    assert done.code == 0
    assert cli("editions", "release", "--restored").code == 1


def test_release_wants_to_know_what(cli: Cli, paper: Path) -> None:
    assert cli("editions", "release").code == 2
    assert cli("editions", "release", edition_name(cli), "--restored").code == 2


def test_a_subscriber_is_added_once_with_the_origin_of_the_consent(cli: Cli, paper: Path) -> None:
    words = ("subscribers", "add", "Rani@Pembaca.Example", "ringkasan", "--origin", "formulir kertas", "--name", "Rani")

    first, second = cli(*words), cli(*words)
    shown = json.loads(cli("subscribers", "show", "rani@pembaca.example", "--json").out)

    assert (first.code, first.out) == (0, "Rani@pembaca.example now gets ringkasan.\n")
    assert (second.code, second.out) == (0, "Rani@pembaca.example had all of that already.\n")
    assert [(s["newsletter"], s["origin"]) for s in shown["subscriptions"]] == [("ringkasan", "formulir kertas")]
    assert [(c["what"], c["origin"]) for c in shown["consents"]] == [("confirmed", "formulir kertas")]
    assert (shown["subscriber"]["name"], shown["subscriber"]["timezone"]) == ("Rani", "Asia/Jakarta")


@pytest.mark.parametrize(
    "words",
    [
        ["not-an-address", "ringkasan"],
        ["raní@pembaca.example", "ringkasan"],  # would need SMTPUTF8, which we don't speak
        ["rani@pembaca.example", "nothing"],
        ["rani@pembaca.example", "ringkasan", "--zone", "Mars/North"],
    ],
)
def test_a_subscriber_that_can_not_be_is_refused_in_words(words: list[str], cli: Cli, paper: Path) -> None:
    said = cli("subscribers", "add", *words)

    assert said.code == 1
    assert len(said.err.splitlines()) == 1
    assert cli("subscribers", "show", "rani@pembaca.example").code == 1


def test_a_partner_key_is_shown_once_and_can_be_ended(cli: Cli, paper: Path) -> None:
    made = json.loads(cli("partners", "key", "portal", "--json").out)
    listed = cli("partners", "list", "--json").out

    ended = cli("partners", "key", "portal", "--revoke", made["id"])

    assert re.fullmatch(r"np_[a-z2-7]{8}_[\w-]{43}", made["key"])
    assert (made["id"] in listed, made["key"] in listed) == (True, False)
    assert ended.code == 0
    assert made["id"] not in cli("partners", "list", "--json").out
    assert cli("partners", "key", "portal", "--revoke", made["id"]).code == 1


def refuse_first_push(paper: Path) -> None:
    async def work(db: Database) -> None:
        refused = Standing(state=State.REFUSED, attempt=9, first_due=NOW, code="HTTP 400", text="no such story")
        async with db.write() as connection:
            far = datetime(2030, 1, 1, tzinfo=UTC)
            ((push, _),) = await partners.claim(connection, "portal", owner="test", limit=1, now=far)
            assert await partners.mark(connection, push.id, owner="test")
            await partners.settle(connection, push.id, refused, doubtful=False, owner="test", now=NOW)

    in_store(paper, work)


def test_a_dead_letter_is_listed_and_sent_again(cli: Cli, paper: Path) -> None:
    refuse_first_push(paper)
    (dead,) = json.loads(cli("partners", "pushes", "--dead", "--json").out)

    dry = cli("partners", "replay", str(dead["id"]), "--dry-run")
    still = json.loads(cli("partners", "pushes", "--dead", "--json").out)
    done = cli("partners", "replay", str(dead["id"]))

    assert (dead["code"], dry.code, len(still)) == ("HTTP 400", 0, 1)
    assert dry.out.startswith("Would send article.published about article:")
    assert done.code == 0
    assert json.loads(cli("partners", "pushes", "--dead", "--json").out) == []
    assert "push:portal" in cli("jobs", "list").out
    assert cli("partners", "replay", str(dead["id"])).code == 1


def test_an_endpoint_that_was_switched_off_is_switched_on_by_a_person(cli: Cli, paper: Path) -> None:
    async def disable(db: Database) -> None:
        async with db.write() as connection:
            await partners.disable(connection, "portal", "it answered HTTP 410", now=NOW)

    in_store(paper, disable)

    assert "portal (off: it answered HTTP 410)" in cli("partners", "list").out
    assert (cli("partners", "enable", "portal").code, cli("partners", "enable", "portal").code) == (0, 1)
    assert "off:" not in cli("partners", "list").out


def test_a_dead_job_is_tried_again(cli: Cli, paper: Path) -> None:
    async def kill(db: Database) -> int:
        async with db.write() as connection:
            await jobs.add(connection, lane="work", kind="publish", key="publish", ref={}, now=NOW)
            job = (await jobs.listed(connection, limit=10))[-1]
            await jobs.fail(connection, job.id, "ValueError: salah")
            return job.id

    number = in_store(paper, kill)

    dry = cli("jobs", "retry", str(number), "--dry-run")
    dead = cli("jobs", "list").out
    done = cli("jobs", "retry", str(number))

    assert (dry.code, done.code) == (0, 0)
    assert "ValueError: salah" in dead
    assert "dead" not in cli("jobs", "list").out


def test_a_domain_that_is_held_back_is_listed_and_resumed(cli: Cli, paper: Path) -> None:
    now = datetime.now(UTC)
    hold = DomainHold(
        channel="outbox", domain="marah.example", why="550 5.7.26 x", at=now, until=now + timedelta(hours=2)
    )

    async def trip(db: Database) -> None:
        async with db.write() as connection:
            await pace.hold_domain(connection, hold)

    in_store(paper, trip)

    listed = cli("domains", "list").out
    dry = cli("domains", "resume", "marah.example", "--dry-run")
    still = cli("domains", "list").out
    done = cli("domains", "resume", "marah.example")

    assert "550 5.7.26 x" in listed
    assert (dry.code, done.code) == (0, 0)
    assert still == listed
    assert "No domain is held back." in cli("domains", "list").out
