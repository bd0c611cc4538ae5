"""What a reader has got already isn't sent again, by whichever newsletter, unless it has changed since."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from syndicate.domain.article import Edit
from syndicate.domain.change import ChangeKind
from syndicate.domain.edition import EditionState
from syndicate.pipeline import tailor
from syndicate.pipeline.enqueue import cancel_edition, hold_edition, release_edition
from syndicate.store import articles, changes, editions
from syndicate.store.db import Database
from syndicate.store.tables import subscriptions
from tests.factories import NOW, make_article
from tests.pipeline.audience import PAGI, Town
from tests.pipeline.stories import publish, revise

SORE = replace(PAGI, name="sore", title="Sore")


@pytest.fixture
async def town(db: Database) -> Town:
    return await Town(db, PAGI, SORE).open()


async def edit(db: Database, number: int, edit: Edit, kind: ChangeKind = ChangeKind.UPDATED) -> None:
    """Another version of a story, which matters so much."""
    async with db.write() as connection:
        held = await articles.get(connection, make_article(number).id)
        assert held is not None
        after = replace(held, version=held.version + 1, edit=edit, changed_at=NOW)
        await articles.add_version(connection, after, digest=f"{number}-{after.version}", churn=0)
        row: dict[str, Any] = {"article_id": after.id, "version": after.version, "kind": kind, "edit": edit}
        seq = await changes.append(connection, **row, baseline=False, at=NOW)
        await articles.set_state(connection, replace(after, seq=seq))


async def test_a_story_that_another_newsletter_brought_is_left_out_for_who_got_it(town: Town) -> None:
    both, one = await town.reader(1), await town.reader(2, "sore")
    await publish(town.db, 1, 2)
    await town.issue("pagi")
    await publish(town.db, 3)

    assert await town.got(await town.issue("sore")) == {both: "k3", one: "k3 k2 k1"}


async def test_who_has_all_of_it_is_excluded_with_the_reason(town: Town) -> None:
    both, one = await town.reader(1), await town.reader(2, "sore")
    await publish(town.db, 1)
    await town.issue("pagi")

    assert await town.got(await town.issue("sore")) == {both: "already_sent", one: "k1"}


async def test_what_was_left_out_of_an_earlier_copy_was_not_got(town: Town) -> None:
    picky = await town.reader(1, topics=["ekonomi"])
    async with town.db.write() as connection:
        await connection.execute(update(subscriptions).where(subscriptions.c.newsletter == "sore").values(topics=[]))
    await publish(town.db, 1, sections=("Ekonomi",))
    await publish(town.db, 2, sections=("Daerah",))
    await town.issue("pagi")

    assert await town.got(await town.issue("sore")) == {picky: "k2"}


@pytest.mark.parametrize("state", ["refused", "excluded"])
async def test_what_never_reached_a_reader_is_sent(town: Town, state: str) -> None:
    reader = await town.reader(1)
    await publish(town.db, 1)
    await town.settle(await town.issue("pagi"), reader, state=state)

    assert await town.got(await town.issue("sore")) == {reader: "k1"}


@pytest.mark.parametrize("state", ["due", "deferred", "sending", "accepted", "uncertain"])
async def test_what_reached_a_reader_or_still_may_is_not_sent_again(town: Town, state: str) -> None:
    reader = await town.reader(1)
    await publish(town.db, 1)
    await town.settle(await town.issue("pagi"), reader, state=state)

    assert await town.got(await town.issue("sore")) == {reader: "already_sent"}


async def test_a_held_edition_brings_nothing_as_long_as_it_is_held(town: Town) -> None:
    reader = await town.reader(1)
    await publish(town.db, 1)
    first = await town.issue("pagi")
    await hold_edition(town.db, first, why="a person looks")

    assert await town.got(await town.issue("sore")) == {reader: "k1"}


async def test_a_cancelled_edition_brought_what_went_out_before(town: Town) -> None:
    got, missed = await town.reader(1), await town.reader(2)
    await publish(town.db, 1)
    first = await town.issue("pagi")
    await town.settle(first, got, state="accepted")
    await cancel_edition(town.db, first, why="wrong", now=NOW)

    assert await town.got(await town.issue("sore")) == {got: "already_sent", missed: "k1"}


@pytest.mark.parametrize(
    ("weight", "kind", "shown"),
    [
        (Edit.MAJOR, ChangeKind.UPDATED, "k1+"),
        (Edit.MINOR, ChangeKind.CORRECTED, "k1+"),
        (Edit.MINOR, ChangeKind.UPDATED, "already_sent"),
        (Edit.COSMETIC, ChangeKind.UPDATED, "already_sent"),
    ],
)
async def test_a_story_that_says_something_else_since_comes_again_and_is_marked(
    town: Town, weight: Edit, kind: ChangeKind, shown: str
) -> None:
    before, new = await town.reader(1), await town.reader(2, "sore")
    await publish(town.db, 1)
    await town.issue("pagi")
    await edit(town.db, 1, weight, kind)

    assert await town.got(await town.issue("sore")) == {before: shown, new: "k1"}


async def test_a_correction_that_only_adds_a_note_is_one(town: Town) -> None:
    before = await town.reader(1)
    await publish(town.db, 1)
    await town.issue("pagi")
    await revise(town.db, 1, ChangeKind.CORRECTED, note="Harganya lain.")

    assert await town.got(await town.issue("sore")) == {before: "k1+"}


async def test_who_got_the_new_version_elsewhere_has_it(db: Database) -> None:
    town = await Town(db, PAGI, SORE, replace(PAGI, name="malam")).open()
    first, second = await town.reader(1), await town.reader(2, "pagi", "malam")
    await publish(db, 1)
    await town.issue("pagi")
    await edit(db, 1, Edit.MAJOR)
    await town.issue("sore")

    assert await town.got(await town.issue("malam")) == {first: "already_sent", second: "k1+"}


async def test_what_changed_before_it_was_sent_is_no_update(town: Town) -> None:
    reader = await town.reader(1)
    await publish(town.db, 1)
    await edit(town.db, 1, Edit.MAJOR)
    await town.issue("pagi")

    assert await town.got(await town.issue("sore")) == {reader: "already_sent"}


async def test_two_newsletters_frozen_at_once_bring_a_story_once(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tailor, "CHUNK", 3)
    people = [await town.reader(number) for number in range(12)]
    await publish(town.db, 1)
    reports = [await town.compose(name) for name in ("pagi", "sore")]
    frozen = await asyncio.gather(*map(town.freeze, reports))
    got = [await town.got(edition) for edition in frozen]

    for person in people:
        assert sorted(one[person] for one in got) == ["already_sent", "k1"]


async def test_after_a_crash_in_the_middle_nobody_is_told_twice_or_not_at_all(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [await town.reader(number) for number in range(5)]
    await publish(town.db, 1)

    async def breaks(*_: Any, **__: Any) -> None:  # a crash at this very point can't be had from outside
        raise RuntimeError("power cut")

    report = await town.compose("pagi")
    monkeypatch.setattr(editions, "put_books", breaks)
    with pytest.raises(RuntimeError, match="power cut"):
        await town.freeze(report)
    monkeypatch.undo()
    second = await town.got(await town.issue("sore"))  # the first one's readers are written down already
    first = await town.got(await town.freeze(report))

    assert first == dict.fromkeys(people, "k1")
    assert second == dict.fromkeys(people, "already_sent")


async def test_released_after_all_an_edition_goes_out_as_it_was_frozen(town: Town) -> None:
    reader = await town.reader(1)
    await publish(town.db, 1)
    first = await town.issue("pagi")
    await hold_edition(town.db, first, why="a person looks")
    await town.issue("sore")
    await release_edition(town.db, replace(first, state=EditionState.HELD), [], now=NOW)

    assert await town.got(first) == {reader: "k1"}
