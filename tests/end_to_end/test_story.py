"""A newspaper's morning, told once on each database: two newsrooms, feeds, mails and partners, over two restarts.

`syndicate up` runs as a process and is only looked at from outside. One long story per database: each edition costs
a minute of waiting, whatever it is used to check.
"""

import signal
from asyncio.subprocess import Process
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from tests.end_to_end.house import EDITION, eventually
from tests.end_to_end.reading import Shown
from tests.end_to_end.world import READERS, World, everybody, open_world, second_of_minute
from tests.servers.newsroom import Trouble
from tests.servers.partner import Mood, Told

CLOSED_SECONDS = 20  # ten times what the other newsroom's story takes to show
OLD = ("Arsip situs", "Arsip berkas satu", "Arsip berkas dua", "Arsip berkas tiga")
BRIDGE = "Jembatan Lintang dibuka"
LONG = "Jembatan itu menghubungkan dua kampung di seberang sungai. Warga menyambut pembukaannya sejak pagi buta."


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that nobody has used."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/house/var/syndicate.db"
    url: str = request.getfixturevalue("postgres_store")
    return url


async def test_each_reader_and_partner_gets_each_story_once_right_and_in_order(tmp_path: Path, store: str) -> None:
    async with open_world(tmp_path / "house", store) as world:
        async with world.house.up() as running:
            await first_imports_are_for_feeds_only(world)
            await new_stories_reach_everybody(world)
            await edits_are_the_same_story(world)
            await a_new_guid_or_file_name_is_the_same_story(world)
            await a_back_dated_story_comes_in_on_top(world)
            await one_closed_newsroom_keeps_no_other_waiting(world)
            etags = await quiet_etags(world)
            await running.end(signal.SIGTERM)
        async with world.house.up() as running:
            await a_restart_changes_no_document(world, etags)
            await a_closed_newsroom_is_left_alone_over_a_restart(world)
            await the_second_edition_brings_only_what_is_new(world)
            await who_leaves_is_gone(world)
            await a_broken_answer_loses_nothing(world)
            await a_slow_newsroom_keeps_no_other_waiting(world)
            await leaving_a_feed_is_no_withdrawal(world)
            await a_busy_partner_is_waited_for(world)
            await a_deleted_file_is_a_withdrawn_story(world)
            lost = await a_kill_while_the_partner_is_silent(world, running.process)
        async with world.house.up():
            await the_partner_gets_what_it_missed_and_lost_answers_twice(world, lost)
            await the_third_edition_leaves_out_who_left(world)
            await everybody_had_everything_once(world)
            await the_partner_had_everything_in_order(world)
            await each_edition_reached_the_partner(world)
            await the_books_balance(world)


async def first_imports_are_for_feeds_only(world: World) -> None:
    world.newsroom.publish("arsip", OLD[0], "Cerita lama dari situs.")
    for number, title in enumerate(OLD[1:], start=1):
        world.write_story(f"arsip-{number}", title, f"Cerita lama nomor {number} dari berkas.")

    await eventually(lambda: world.shown(*OLD))
    for address in READERS:
        await world.house.run("subscribers", "add", address, "menit")

    assert world.portal.told == []


async def new_stories_reach_everybody(world: World) -> None:
    world.newsroom.publish("jembatan", BRIDGE, LONG)
    world.write_story("panen", "Panen raya dimulai", "Petani memulai panen raya di Rawa Sekar.")
    world.write_story("pasar", "Pasar pagi pindah", "Pasar pagi pindah ke gedung baru.")
    stories = await known(world, BRIDGE, "Panen raya dimulai", "Pasar pagi pindah")

    assert stories[BRIDGE].link == world.newsroom.link("jembatan")
    assert "dua kampung" in stories[BRIDGE].body
    for title in (BRIDGE, "Panen raya dimulai", "Pasar pagi pindah"):
        await mailed(world, title)
        await pushed(world, title, ("article.published", 1))
    assert all(letter.one_click == "List-Unsubscribe=One-Click" for letter in world.letters)


async def edits_are_the_same_story(world: World) -> None:
    before = dict(world.reader.newest)
    world.newsroom.edit("jembatan", title=f"{BRIDGE} untuk umum", text=LONG + " Lalu lintas lancar.")
    stories = await eventually(lambda: world.shown(f"{BRIDGE} untuk umum"))

    assert stories[f"{BRIDGE} untuk umum"].id == world.ids[BRIDGE]
    assert "Lalu lintas lancar" in stories[f"{BRIDGE} untuk umum"].body
    assert all(world.reader.newest[kind] != before[kind] for kind in before)
    await pushed(world, BRIDGE, ("article.published", 1), ("article.updated", 2))

    world.newsroom.edit("jembatan", text=LONG + " RALAT: jembatan itu menghubungkan tiga kampung.")
    await pushed(world, BRIDGE, ("article.published", 1), ("article.updated", 2), ("article.corrected", 3))


async def a_new_guid_or_file_name_is_the_same_story(world: World) -> None:
    before = await eventually(lambda: world.shown(f"{BRIDGE} untuk umum"))
    world.newsroom.change_guid("jembatan", "sistem-baru-4711")
    world.story_file("panen").rename(world.story_file("panen-raya"))
    await looked_at(world, looks=3)
    world.write_story("kapal", "Kapal baru tiba", "Kapal penyeberangan baru tiba di dermaga.")
    stories = await known(world, "Kapal baru tiba")

    assert {title: story.id for title, story in stories.items() if title != "Kapal baru tiba"} == {
        title: story.id for title, story in before.items()
    }


async def a_back_dated_story_comes_in_on_top(world: World) -> None:
    world.newsroom.publish("sidang", "Sidang lama dibuka lagi", "Berkas sidang itu tertanggal tiga hari lalu.")
    world.newsroom.back_date("sidang", timedelta(days=3))
    await known(world, "Sidang lama dibuka lagi")

    assert (await world.reader.read())[0].title == "Sidang lama dibuka lagi"


async def one_closed_newsroom_keeps_no_other_waiting(world: World) -> None:
    world.newsroom.close_for(CLOSED_SECONDS)
    await eventually(lambda: holds(world.newsroom.closed))
    world.newsroom.publish("banjir", "Banjir surut", "Air sungai surut sejak subuh.")
    world.write_story("lomba", "Lomba perahu digelar", "Lomba perahu digelar di sungai.")
    stories = await known(world, "Lomba perahu digelar")

    assert world.newsroom.closed
    assert "Banjir surut" not in stories


async def quiet_etags(world: World) -> dict[str, str]:
    """The documents' ETags when all that was told is in them."""
    await world.reader.read()
    return dict(world.reader.newest)


async def a_restart_changes_no_document(world: World, etags: dict[str, str]) -> None:
    await eventually(lambda: answers(world, "/readyz"))
    if world.newsroom.closed:  # else the story that it held back may be in the feed already
        await world.reader.read()
        assert world.reader.newest == etags


async def a_closed_newsroom_is_left_alone_over_a_restart(world: World) -> None:
    await known(world, "Banjir surut")

    assert not world.newsroom.closed
    assert world.newsroom.impatient == []


async def the_second_edition_brings_only_what_is_new(world: World) -> None:
    for title in ("Kapal baru tiba", "Sidang lama dibuka lagi", "Lomba perahu digelar", "Banjir surut"):
        await mailed(world, title)

    assert world.got(BRIDGE) == everybody()


async def who_leaves_is_gone(world: World) -> None:
    letter = next(letter for letter in reversed(world.letters) if letter.to == READERS[0])
    assert (await world.client.get(letter.leave_url)).status_code == 200
    shown = await world.house.ask("subscribers", "show", READERS[0])
    assert [one["state"] for one in shown["subscriptions"]] == ["active"], "looking at the link ends nothing"

    answer = await world.client.post(letter.leave_url, data={"List-Unsubscribe": "One-Click"})

    assert answer.status_code == 200
    shown = await world.house.ask("subscribers", "show", READERS[0])
    assert [one["state"] for one in shown["subscriptions"]] == ["ended"]


async def a_broken_answer_loses_nothing(world: World) -> None:
    before = {story.id for story in await world.reader.read()}
    world.newsroom.publish("sekolah", "Sekolah baru berdiri", "Sekolah baru berdiri di Sawah Lebar.")
    for trouble, words in ((Trouble.CUT_SHORT, "fetched"), (Trouble.HTML, "type"), (Trouble.BROKEN, "500")):
        world.newsroom.trouble = trouble
        await world.house.run("gather", "situs")
        await eventually(lambda words=words: has_problem(world, words))  # type: ignore[misc]
        assert {story.id for story in await world.reader.read()} == before
    world.newsroom.trouble = None
    await world.house.run("gather", "situs")
    stories = await known(world, "Sekolah baru berdiri")

    assert before <= {story.id for story in stories.values()}
    assert not any(one.type == "article.withdrawn" for one in world.portal.told)
    await eventually(lambda: has_no_problem(world))


async def a_slow_newsroom_keeps_no_other_waiting(world: World) -> None:
    world.newsroom.trouble = Trouble.SLOW
    await eventually(lambda: holds(world.newsroom.waiting == 1))
    world.write_story("kebun", "Kebun kota ditanami", "Kebun kota ditanami warga.")
    await known(world, "Kebun kota ditanami")

    world.newsroom.trouble = None
    world.newsroom.hurry.set()


async def leaving_a_feed_is_no_withdrawal(world: World) -> None:
    world.newsroom.remove_from_feed("jembatan")
    await looked_at(world, looks=3)
    stories = await world.shown(f"{BRIDGE} untuk umum")

    assert stories[f"{BRIDGE} untuk umum"].id == world.ids[BRIDGE]


async def a_busy_partner_is_waited_for(world: World) -> None:
    world.portal.mood = Mood.BUSY
    world.write_story("jalan", "Jalan desa diaspal", "Jalan desa diaspal sepanjang satu kilometer.")
    await known(world, "Jalan desa diaspal")
    await eventually(lambda: holds(world.portal.told[-1].mood is Mood.BUSY))
    world.write_story("jalan", "Jalan desa diaspal", "Jalan desa diaspal sepanjang dua kilometer, kata lurah.")
    await eventually(lambda: says(world, "Jalan desa diaspal", "dua kilometer"))
    await eventually(lambda: holds(world.portal.told[-1].data["version"] == 2))


async def a_deleted_file_is_a_withdrawn_story(world: World) -> None:
    world.portal.mood = Mood.GARBAGE  # the answer is lost, so the same message comes twice
    world.story_file("pasar").unlink()
    stories = await eventually(lambda: world.shown("[DITARIK] Pasar pagi pindah"))
    gone = stories["[DITARIK] Pasar pagi pindah"]

    assert gone.id == world.ids["Pasar pagi pindah"]
    assert "gedung baru" not in gone.body
    assert "ditarik oleh redaksi" in gone.body
    assert (await world.client.get(gone.link)).status_code == 410
    await pushed(world, "Pasar pagi pindah", ("article.published", 1), ("article.withdrawn", 1))
    assert "content_html" not in world.portal.about(gone.id)[-1].data


async def a_kill_while_the_partner_is_silent(world: World, process: Process) -> Told:
    """Returns the message that was on the wire."""
    await eventually(lambda: holds(5 < second_of_minute() < 55))  # no mail is on the wire then
    world.portal.mood = Mood.SILENT
    world.write_story("gereja", "Gereja tua dipugar", "Gereja tua dipugar mulai pekan ini.")
    await eventually(lambda: holds(world.portal.told[-1].data.get("title") == "Gereja tua dipugar"))

    process.kill()
    await process.wait()
    world.portal.mood = Mood.GOOD
    return world.portal.told[-1]


async def the_partner_gets_what_it_missed_and_lost_answers_twice(world: World, lost: Told) -> None:
    await known(world, "Gereja tua dipugar")

    await pushed(world, "Gereja tua dipugar", ("article.published", 1))
    await pushed(world, "Jalan desa diaspal", ("article.published", 2))
    for message in (lost, world.portal.about(world.ids["Pasar pagi pindah"])[-1]):
        await eventually(lambda message=message: holds(tries(world, message) > 1))  # type: ignore[misc]


async def the_third_edition_leaves_out_who_left(world: World) -> None:
    for title in ("Sekolah baru berdiri", "Kebun kota ditanami", "Jalan desa diaspal", "Gereja tua dipugar"):
        await mailed(world, title, but=(READERS[0],))


async def everybody_had_everything_once(world: World) -> None:
    """Over the whole run, with all its editions."""
    left = {"Sekolah baru berdiri", "Kebun kota ditanami", "Jalan desa diaspal", "Gereja tua dipugar"}
    wanted = {title: everybody(but=READERS[:1] if title in left else ()) for title in world.ids}

    assert {title: world.got(title) for title in world.ids} == wanted
    assert [title for title in OLD if world.got(title)] == []
    assert len({letter.message_id for letter in world.letters}) == len(world.letters)
    assert world.newsroom.impatient == []
    assert any(look.status == 304 for look in world.newsroom.looks)
    assert world.reader.revalidated > 0


async def the_partner_had_everything_in_order(world: World) -> None:
    assert all(one.verified for one in (*world.portal.told, *world.closed.told))
    changed = {
        BRIDGE: [("article.published", 1), ("article.updated", 2), ("article.corrected", 3)],
        "Pasar pagi pindah": [("article.published", 1), ("article.withdrawn", 1)],
        "Jalan desa diaspal": [("article.published", 2)],
    }

    assert {title: world.told(title) for title in world.ids} == {
        title: changed.get(title, [("article.published", 1)]) for title in world.ids
    }
    about = {one.data["id"] for one in world.portal.taken if one.type.startswith("article.")}
    assert about == set(world.ids.values()), "a first import is told to nobody"
    assert len(world.closed.told) == 1, "410 means never again"
    listed = {partner["name"]: partner["endpoints"] for partner in await world.house.ask("partners", "list")}
    assert "410" in listed["portal-tutup"][0]["disabled"]


async def each_edition_reached_the_partner(world: World) -> None:
    editions = {one["name"]: one for one in await world.house.ask("editions", "list")}
    told = [one.data for one in world.portal.taken if one.type == "edition.published"]

    assert sorted(f"{data['newsletter']}/{data['slot']}" for data in told) == sorted(editions)
    for data in told:
        letters = [letter for letter in world.letters if letter.subject == data["subject"]]
        titles = [title for title in world.ids if title in " ".join(data["text"].split())]
        assert titles
        assert all(title in letter.text for letter in letters for title in titles)
        assert all(title in data["html"] for title in titles)
        assert (await world.client.get(data["url"])).status_code == 200


async def the_books_balance(world: World) -> None:
    accepted = 0
    for edition in await world.house.ask("editions", "list"):
        books = await world.house.ask("editions", "books", edition["name"])
        assert books["balanced"]
        assert books["state"] == "done"
        assert (await world.house.ask("editions", "doubts", edition["name"]))["uncertain"] == []
        assert books["ledger"]["accepted"] == books["ledger"]["candidates"] - books["ledger"]["excluded"]
        accepted += books["ledger"]["accepted"]

    assert accepted == len(world.letters)


async def known(world: World, *titles: str) -> dict[str, Shown]:
    """The feed's stories, once these new ones are there; their ids are kept."""
    stories = await eventually(lambda: world.shown(*titles))
    world.ids |= {title: stories[title].id for title in titles}
    return stories


async def mailed(world: World, title: str, *, but: tuple[str, ...] = ()) -> None:
    async def check() -> None:
        assert world.got(title) == everybody(but=but)

    await eventually(check, within=EDITION)


async def pushed(world: World, title: str, *types_and_versions: tuple[str, int]) -> None:
    async def check() -> None:
        assert world.told(title) == list(types_and_versions)

    await eventually(check)


async def looked_at(world: World, *, looks: int) -> None:
    """The newsroom's feed was fetched so often from now: what it says now is taken over."""
    wanted = len(world.newsroom.looks) + looks
    await eventually(lambda: holds(len(world.newsroom.looks) >= wanted))


def tries(world: World, message: Told) -> int:
    """How often the partner was told one message."""
    return Counter(one.id for one in world.portal.told)[message.id]


async def holds(condition: bool) -> None:
    assert condition


async def says(world: World, title: str, words: str) -> None:
    assert words in (await world.shown(title))[title].body


async def answers(world: World, path: str) -> None:
    assert (await world.client.get(world.house.origin + path)).status_code == 200


async def has_problem(world: World, words: str) -> None:
    rows = await world.house.ask("sources", "list", "--problems")
    assert [row["name"] for row in rows] == ["situs"]
    assert words in rows[0]["problem"]


async def has_no_problem(world: World) -> None:
    assert await world.house.ask("sources", "list", "--problems") == []
