"""`/outbox` shows what is being sent, in both languages: books as they stand at each look, and what is in the way."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import update

from syndicate.domain.desk import Pause
from syndicate.domain.edition import Books, EditionState
from syndicate.pipeline.pause import pause_newsletter
from syndicate.store import editions, jobs, leases
from syndicate.store.leases import Node
from syndicate.store.tables import deliveries
from tests.web.paper import Paper


async def send_half(paper: Paper) -> None:
    """The edition is being sent again: one mail is accepted, one put off, one to go."""
    async with paper.app.db.write() as connection:
        await leases.beat(connection, Node(id="a", host="h", pid=1, beat=1, seen_at=paper.clock.at))
        newest = (await editions.newest(connection, limit=1))[0]
        off: dict[str, Any] = {"state": "deferred", "code": "451 4.7.1", "text": "<b>coba lagi nanti</b>"}
        off["not_before"] = datetime(2026, 11, 30, 2, 0, tzinfo=UTC)
        mine = deliveries.c.edition_id == newest.id
        await connection.execute(update(deliveries).where(mine).values(settled_at=None, **off))
        await editions.put_books(connection, newest.id, Books(candidates=3, accepted=1, open=2))
        frozen, done = EditionState.FROZEN, (EditionState.DONE,)
        assert await editions.set_state(connection, newest.id, frozen, came_from=done)
        batch = {"edition": newest.id, "first": 1, "last": 1000}
        await jobs.add(connection, lane="bulk", kind="mail", key=f"mail:{newest.id}:1", ref=batch, now=paper.clock.at)


async def count(paper: Paper, **books: int) -> None:
    async with paper.app.db.write() as connection:
        newest = (await editions.newest(connection, limit=1))[0]
        await editions.put_books(connection, newest.id, Books(candidates=3, **books))


def test_books_are_shown_as_they_stand_while_a_send_runs(own_paper: Paper) -> None:
    own_paper.do(send_half(own_paper))
    before = own_paper.get("/outbox?lang=en").text
    own_paper.do(count(own_paper, accepted=2, open=1))
    after = own_paper.get("/outbox?lang=en").text

    assert "3 readers: 1 accepted, 0 refused, 0 uncertain, 0 excluded, 2 waiting" in before
    assert "3 readers: 2 accepted, 0 refused, 0 uncertain, 0 excluded, 1 waiting" in after
    assert "<strong>being sent</strong>" in before


def test_a_stuck_send_says_by_which_code_and_until_when_and_a_relay_s_words_are_text(own_paper: Paper) -> None:
    own_paper.do(send_half(own_paper))
    page = own_paper.get("/outbox?lang=id").text

    assert "surat ditunda sampai 30 November 2026, 09.00 WIB: 451 4.7.1 &lt;b&gt;coba lagi nanti&lt;/b&gt;" in page
    assert "Syndicate tidak sedang berjalan" not in page


def test_a_paused_newsletter_is_said_with_the_reason(own_paper: Paper) -> None:
    own_paper.do(send_half(own_paper))
    pause = Pause(newsletter="ringkasan", at=own_paper.clock.at, who="cli:meja", why="ganti pengirim")
    own_paper.do(pause_newsletter(own_paper.app.db, pause))

    page = own_paper.get("/outbox?lang=en").text
    assert "<strong>on hold</strong>" in page
    assert "Waits for a person: ringkasan is paused: ganti pengirim" in page


def test_an_edition_that_is_through_has_nothing_in_its_way(paper: Paper) -> None:
    page = paper.get("/outbox?lang=en").text

    assert "<strong>done</strong>" in page
    assert "hurdles" not in page
