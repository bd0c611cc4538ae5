"""`syndicate newsletters pause|resume`, `editions pause|resume|retry`: what is said, and that a stuck send says why."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import update

from syndicate.domain.edition import EditionState
from syndicate.store import editions
from syndicate.store.db import Database
from syndicate.store.tables import deliveries
from tests.cli.conftest import Cli
from tests.cli.test_acting import edition_name, free_slot, in_store, outbox, put_edition


def put_off_all(paper: Path) -> None:
    """The edition is being sent, and the relay said "not now" to all three."""

    async def work(db: Database) -> None:
        async with db.write() as connection:
            values: dict[str, Any] = {
                "state": "deferred",
                "code": "451 4.7.1",
                "text": "greylisted",
                "settled_at": None,
            }
            values |= {"not_before": datetime(2030, 1, 1, tzinfo=UTC)}
            await connection.execute(update(deliveries).values(**values))
            await editions.put_books(connection, 1, await editions.count_books(connection, 1))
            assert await editions.set_state(connection, 1, EditionState.FROZEN, came_from=(EditionState.DONE,))

    in_store(paper, work)


def test_a_stuck_edition_says_why(cli: Cli, paper: Path) -> None:
    put_off_all(paper)
    shown = cli("editions", "show", edition_name(cli)).out
    found = json.loads(cli("editions", "show", edition_name(cli), "--json").out)["obstacles"]

    assert "3 readers put off until 2030-01-01 07:00:00 WIB: 451 4.7.1 greylisted" in shown
    assert "nobody is there to send it" in shown
    assert [(one["what"], one["code"], one["count"]) for one in found] == [("idle", "", 0), ("put_off", "451 4.7.1", 3)]
    assert "nobody is there" in cli("editions", "list").out


def test_what_was_put_off_is_tried_at_once_by_retry(cli: Cli, paper: Path) -> None:
    put_off_all(paper)
    before = outbox(paper)
    name = edition_name(cli)
    dry = cli("editions", "retry", name, "--dry-run")
    done = cli("editions", "retry", name, "--json")
    cli("once")
    again = cli("editions", "retry", name)

    assert dry.out.splitlines()[0] == "Would try again for 0 readers, and at once for 3 who are put off."
    assert (done.code, json.loads(done.out)["put_off"], again.code) == (0, 3, 1)
    assert outbox(paper) == before  # the same names: a Maildir takes each mail once
    assert json.loads(cli("editions", "books", name, "--json").out)["ledger"]["accepted"] == 3


def test_an_edition_is_paused_and_goes_on(cli: Cli, paper: Path) -> None:
    name = edition_name(cli)
    put_edition(paper, EditionState.FROZEN)
    paused = cli("editions", "pause", name, "--why", "salah judul", "--json")
    shown = cli("editions", "show", name).out
    resumed = cli("editions", "resume", name, "--json")

    assert (paused.code, json.loads(paused.out)["state"]) == (0, "held")
    assert "for a person to release or cancel it: salah judul" in shown
    assert (resumed.code, json.loads(resumed.out)["done"]) == (0, True)
    log = json.loads(cli("users", "log", "--json").out)
    assert [(one["what"], one["subject"], one["note"]) for one in log] == [
        ("edition_released", name, "salah judul"),
        ("edition_held", name, "salah judul"),
    ]


def test_a_paused_newsletter_makes_no_edition_until_it_is_resumed(cli: Cli, paper: Path) -> None:
    free_slot(paper)
    put_edition(paper, EditionState.FROZEN)
    paused = cli("newsletters", "pause", "ringkasan", "--why", "ganti pengirim")
    cli("once")
    listed = json.loads(cli("newsletters", "list", "--json").out)[0]
    between = json.loads(cli("editions", "list", "--json").out)
    dry = json.loads(cli("newsletters", "resume", "ringkasan", "--dry-run", "--json").out)
    resumed = json.loads(cli("newsletters", "resume", "ringkasan", "--json").out)

    assert paused.out.startswith("ringkasan is paused. On hold since: ringkasan/")
    assert (listed["paused"]["why"], len(between)) == ("ganti pengirim", 1)
    assert between[0]["why"] == "ringkasan is paused: ganti pengirim"
    assert (dry["done"], dry["released"], resumed["released"]) == (False, [between[0]["name"]], [between[0]["name"]])
    assert len(resumed["slots"]) == 1
    assert cli("newsletters", "resume", "ringkasan").code == 1
    assert cli("newsletters", "pause", "ringkasan").code == 2
    assert cli("newsletters", "pause", "lain", "--why", "x").code == 1
