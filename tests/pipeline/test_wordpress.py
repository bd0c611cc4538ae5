"""A WordPress newsroom, gathered: each thing its editors do comes out as the right articles and changes."""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syndicate.domain.selection import Selection
from syndicate.domain.source import Look, Memory
from syndicate.jail import Jail
from syndicate.sources import posts, rest
from syndicate.sources.read.rest import read_posts, read_stamps
from syndicate.store import sources
from syndicate.store.db import Database
from tests.pipeline.reading import Reading, open_reading
from tests.servers.http import answer
from tests.servers.wordpress import Options, Picture, Status, Wordpress, jpeg, open_wordpress

BODY = "MALANG POSCO MEDIA, MALANG – Kalimat pertama tentang {0}.\n\nKalimat kedua tentang {0}. (rex/aim)"


def write(site: Wordpress, slug: str, **more: Any) -> int:
    more.setdefault("picture", Picture(name=f"{slug}.jpg", caption=f"Foto {slug} (FOTO: ANTARA)", data=jpeg()))
    content = more.pop("content", BODY.format(slug))
    return site.publish(slug, f"Judul {slug}", content, categories=["Malang Raya/Kota"], tags=[slug], **more).id


@pytest.fixture
async def reading(db: Database, tmp_path: Path) -> AsyncIterator[Reading]:
    async with open_wordpress(Options()) as site, open_reading(db, site, tmp_path) as reading:
        for slug in ("lama-a", "lama-b", "lama-c", "lama-d", "lama-e", "lama-f", "lama-g", "lama-h"):
            write(site, slug)
            site.now += timedelta(minutes=1)
        await reading.look()
        yield reading


async def test_a_post_is_an_article_with_all_that_rest_knows(reading: Reading) -> None:
    number = write(reading.site, "baru")
    await reading.look()
    content = (await reading.article(number)).content

    assert await reading.told() == ["published baru"]
    assert (content.title, content.authors, content.sections, content.tags) == (
        "Judul baru",
        ("Redaksi",),
        ("Malang Raya/Kota",),
        ("baru",),
    )
    assert (content.dateline, content.initials) == ("MALANG POSCO MEDIA, MALANG", ("rex", "aim"))
    assert content.summary.startswith("Kalimat pertama")
    assert content.picture is not None
    assert (content.picture.caption, content.picture.credit) == ("Foto baru (FOTO: ANTARA)", "ANTARA")
    assert content.picture.media is not None
    assert set(content.provenance.values()) == {"rest"}


async def test_an_edit_is_a_new_version_and_saving_without_an_edit_is_none(reading: Reading) -> None:
    number = write(reading.site, "baru")
    await reading.look()
    reading.site.edit("baru", title="Judul yang lebih baik")
    await reading.look()
    reading.site.edit("baru")
    await reading.looks(3)

    assert await reading.told() == ["published baru", "updated baru"]
    assert (await reading.article(number)).content.title == "Judul yang lebih baik"


async def test_a_correction_is_told_as_one(reading: Reading) -> None:
    write(reading.site, "baru")
    await reading.look()
    reading.site.edit("baru", content="RALAT: nama pejabat keliru.\n\n" + BODY.format("baru"))
    await reading.look()

    assert await reading.told() == ["published baru", "corrected baru"]


async def test_what_changes_without_a_time_of_modification_is_seen_while_the_story_is_young(reading: Reading) -> None:
    number = write(reading.site, "baru")
    await reading.look()
    reading.site.edit_caption("baru", "Keterangan baru (DOK PRIBADI)")
    await reading.looks(4)
    reading.site.rename_author("Redaksi", "Dewan Redaksi")
    reading.site.rename_category("Kota", "Kota Malang")
    await reading.looks(4)
    content = (await reading.article(number)).content

    assert content.picture is not None
    assert content.picture.caption == "Keterangan baru (DOK PRIBADI)"
    assert (content.authors, content.sections) == (("Dewan Redaksi",), ("Malang Raya/Kota Malang",))
    assert (await reading.article(number)).version == 3


async def test_a_picture_replaced_under_its_address_is_a_new_version(reading: Reading) -> None:
    number = write(reading.site, "baru")
    await reading.look()
    before = (await reading.article(number)).content.picture
    reading.site.replace_picture("baru", jpeg(colour="red"))
    await reading.look(minutes=65)
    after = (await reading.article(number)).content.picture

    assert before is not None
    assert after is not None
    assert before.media != after.media


async def test_a_back_dated_post_comes_in_as_news(reading: Reading) -> None:
    write(reading.site, "terlambat", date_gmt=reading.site.now - timedelta(days=300))
    await reading.look()

    assert await reading.told() == ["published terlambat"]


async def test_an_old_story_that_the_first_import_left_out_is_no_news_when_it_is_edited(
    db: Database, tmp_path: Path
) -> None:
    async with open_wordpress(Options()) as site, open_reading(db, site, tmp_path) as reading:
        for number in range(230):
            write(site, f"arsip-{number}", picture=None)
            site.now += timedelta(minutes=1)
        first = await reading.look()
        site.edit("arsip-3", title="Arsip disunting")
        site.edit("arsip-200", title="Arsip muda disunting")
        await reading.look()

        assert first.published == 200
        assert await reading.told() == []  # both are of the first import or before it
        assert (await reading.article(reading.site.post("arsip-200").id)).version == 2


async def test_a_new_slug_is_the_same_story_at_a_new_address(reading: Reading) -> None:
    number = write(reading.site, "baru")
    await reading.look()
    before = await reading.article(number)
    reading.site.rename_slug("baru", "baru-sekali")
    await reading.look()
    after = await reading.article(number)

    assert (after.id, after.public_id) == (before.id, before.public_id)
    assert after.content.url == reading.site.link("baru-sekali")
    assert await reading.told() == ["published baru-sekali", "updated baru-sekali"]


@pytest.mark.parametrize("deed", ["trash", "privatise", "delete"])
async def test_a_story_that_is_gone_is_withdrawn_only_after_ten_minutes_and_a_look_at_its_page(
    reading: Reading, deed: str
) -> None:
    number = write(reading.site, "baru")
    await reading.look()
    link = reading.site.link("baru")
    getattr(reading.site, deed)("baru")
    await reading.look()
    early = await reading.told()
    await reading.looks(2)

    assert early == ["published baru"]
    assert await reading.told() == ["published baru", "withdrawn baru"]
    assert reading.site.seen(link.removeprefix(reading.site.home))
    assert (await reading.article(number)).state.value == "withdrawn"


async def test_a_restored_story_comes_back(reading: Reading) -> None:
    write(reading.site, "baru")
    await reading.look()
    reading.site.trash("baru")
    await reading.looks(4)
    reading.site.restore("baru")
    await reading.looks(2)

    assert await reading.told() == ["published baru", "withdrawn baru", "restored baru"]


async def test_an_old_story_comes_back_too(reading: Reading) -> None:
    reading.site.trash("lama-a")
    await reading.looks(4)
    reading.site.restore("lama-a")
    await reading.looks(2)
    number = reading.site.post("lama-a").id

    assert (await reading.article(number)).state.value == "published"


async def test_a_story_that_gets_a_password_is_withdrawn_and_comes_back_without_it(reading: Reading) -> None:
    write(reading.site, "baru")
    await reading.look()
    reading.site.protect("baru")
    report = await reading.look()

    assert await reading.told() == ["published baru", "withdrawn baru"]
    assert any("behind a password" in line for line in report.problems)


async def test_a_post_that_had_a_password_from_the_start_is_left_out(reading: Reading) -> None:
    write(reading.site, "rahasia")
    reading.site.protect("rahasia")
    await reading.look()

    assert await reading.told() == []


async def test_drafts_and_planned_posts_are_no_stories_until_they_are_out(reading: Reading) -> None:
    write(reading.site, "konsep", status=Status.DRAFT)
    write(reading.site, "nanti", date_gmt=reading.site.now + timedelta(minutes=30))
    await reading.look()
    write(reading.site, "lain")  # what was modified last is long after the planned post was
    await reading.look(minutes=20)
    before = await reading.told()
    await reading.looks(2)

    assert before == ["published lain"]
    assert await reading.told() == ["published lain", "published nanti"]


async def test_a_mass_loss_withdraws_nothing_until_the_operator_says_so(reading: Reading) -> None:
    for number in range(20):
        write(reading.site, f"baru-{number}")
    await reading.look()
    reading.site.lose_many(12)
    await reading.looks(4)
    problem = await reading.problem()
    told = [line for line in await reading.told() if line.startswith("withdrawn")]

    assert told == []
    assert "12 of 28 stories are missing at once" in problem
    assert "syndicate sources confirm koran" in problem


async def test_a_mass_loss_that_the_operator_confirmed_is_withdrawn(reading: Reading) -> None:
    for number in range(20):
        write(reading.site, f"baru-{number}")
    await reading.look()
    reading.site.lose_many(12)
    await reading.look()
    code = (await reading.problem()).rpartition(" ")[2].strip("`.")
    async with reading.db.write() as connection:
        await sources.confirm(connection, "koran", code, problem="")
    await reading.look()  # confirmed, but not missing for long enough yet
    early = [line for line in await reading.told() if line.startswith("withdrawn")]
    await reading.looks(2)

    assert early == []
    assert len([line for line in await reading.told() if line.startswith("withdrawn")]) == 12
    assert await reading.problem() == ""


async def test_a_confirmed_loss_is_not_asked_for_again_when_its_stories_go_one_after_the_other(
    reading: Reading,
) -> None:
    for number in range(20):
        write(reading.site, f"baru-{number}")
    await reading.look()
    reading.site.trash("baru-0")
    await reading.look()
    reading.site.lose_many(12)
    await reading.look()
    code = (await reading.problem()).rpartition(" ")[2].strip("`.")
    async with reading.db.write() as connection:
        await sources.confirm(connection, "koran", code, problem="")
    problems = [report.problem for report in await reading.looks(4)]

    assert len([line for line in await reading.told() if line.startswith("withdrawn")]) == 13
    assert problems == [""] * 4


async def test_more_changes_than_one_list_holds_all_come_in_once(reading: Reading) -> None:
    for number in range(130):
        write(reading.site, f"banyak-{number}", picture=None)  # all in the same second
    await reading.looks(2)

    assert sorted(await reading.told()) == sorted(f"published banyak-{number}" for number in range(130))


async def test_entities_and_tags_in_titles_are_read_once(reading: Reading) -> None:
    number = reading.site.publish(
        "cabai", "Harga Cabai & Bawang “Naik” – Warga <em>Sawojajar</em>", BODY.format("x")
    ).id
    await reading.look()

    assert (await reading.article(number)).content.title == "Harga Cabai & Bawang “Naik” – Warga Sawojajar"


@pytest.mark.parametrize("closed", ["closed_401", "closed_403", "missing_404"])
async def test_with_rest_shut_the_feed_goes_on_with_the_same_stories(reading: Reading, closed: Any) -> None:
    number = write(reading.site, "baru")
    made = write(reading.site, "lewat-rest", by_rest=True)
    await reading.look()
    reading.site.options = Options(rest=closed)
    fresh = write(reading.site, "sesudah")
    await reading.looks(3)
    reading.site.edit("baru", title="Judul sesudah tutup")
    await reading.looks(2)

    assert await reading.told() == [
        "published baru",
        "published lewat-rest",
        "published sesudah",
        "updated baru",
    ]
    held = await reading.article(number)
    assert held.content.picture is not None
    assert held.content.sections == ("Malang Raya/Kota",)
    assert (await reading.article(made)).version == 1
    assert (await reading.article(fresh)).content.title == "Judul sesudah"
    assert await reading.problem() == ""


async def test_rest_that_is_open_again_is_found_again_after_a_week(reading: Reading) -> None:
    reading.site.options = Options(rest="closed_401")
    await reading.look()
    reading.site.options = Options()
    number = write(reading.site, "baru")
    await reading.look(minutes=60 * 24 * 7)

    assert (await reading.article(number)).content.provenance["title"] == "rest"
    assert await reading.problem() == ""


async def test_too_many_requests_are_no_reason_to_change_the_channel(reading: Reading) -> None:
    write(reading.site, "baru")
    reading.site.refuse(1, status=429, retry_after="600")
    report = await reading.look()
    async with reading.db.read() as connection:
        state = await sources.get(connection, "koran")
    await reading.look(minutes=10)

    assert report.look is Look.FAILED
    assert state is not None
    assert state.next_at - reading.site.now < timedelta(minutes=5)
    assert await reading.told() == ["published baru"]
    assert not reading.site.seen("/feed/")


async def test_a_maintenance_page_is_no_loss_of_stories(reading: Reading) -> None:
    from tests.servers.wordpress import Trouble

    reading.site.trouble = Trouble.MAINTENANCE
    reports = await reading.looks(4)
    reading.site.trouble = None
    await reading.looks(2)

    assert {report.look for report in reports} == {Look.FAILED}
    assert await reading.told() == []


# ── what is old is no news, whatever channel shows it first ──────────────────────────────────────────────────────────


async def test_old_stories_of_a_channel_that_opens_later_are_no_news_but_new_ones_are(
    db: Database, tmp_path: Path
) -> None:
    async with open_wordpress(Options(rest="closed_401")) as site, open_reading(db, site, tmp_path) as reading:
        for number in range(25):
            write(site, f"arsip-{number}", picture=None)
            site.now += timedelta(minutes=1)
        await reading.look()
        write(site, "baru", picture=None)
        await reading.look()
        site.options = Options()
        write(site, "sesudah", picture=None)
        await reading.look(minutes=60 * 24 * 7)

        assert await reading.told() == ["published baru", "published sesudah"]
        assert len(await reading.held()) == 27


async def test_old_stories_that_move_up_into_a_feed_are_no_news(db: Database, tmp_path: Path) -> None:
    async with (
        open_wordpress(Options(rest="closed_401")) as site,
        open_reading(db, site, tmp_path, channels=("feed",)) as reading,
    ):
        for number in range(14):
            write(site, f"arsip-{number}", picture=None)
            site.now += timedelta(minutes=1)
        await reading.look()
        for number in (11, 12):
            site.trash(f"arsip-{number}")
        await reading.looks(2)

        assert await reading.told() == []
        assert len(await reading.held()) == 10


async def test_a_back_dated_story_in_a_short_feed_is_news(db: Database, tmp_path: Path) -> None:
    async with (
        open_wordpress(Options(rest="closed_401")) as site,
        open_reading(db, site, tmp_path, channels=("feed",)) as reading,
    ):
        for number in range(4):
            write(site, f"lama-{number}", picture=None)
        await reading.look()
        write(site, "terlambat", picture=None, date_gmt=site.now - timedelta(days=30))
        await reading.looks(2)

        assert await reading.told() == ["published terlambat"]


async def test_an_empty_list_at_first_is_no_first_import(db: Database, tmp_path: Path) -> None:
    async with open_wordpress(Options()) as site, open_reading(db, site, tmp_path, channels=("rest",)) as reading:
        empty = await reading.look()
        write(site, "lama", picture=None)
        await reading.look()

        assert empty.look is Look.FAILED
        assert await reading.told() == []
        assert len(await reading.held()) == 1


async def test_the_first_import_is_whole_in_every_zone_of_the_machine(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Jakarta")  # the machine's own; nothing in the program may ask for it
    time.tzset()
    try:
        async with open_wordpress(Options()) as site, open_reading(db, site, tmp_path, channels=("rest",)) as reading:
            for number in range(120):
                write(site, f"arsip-{number}", picture=None)
                site.now += timedelta(minutes=10)
            report = await reading.look()
    finally:
        monkeypatch.undo()
        time.tzset()

    assert report.published == 120


# ── what is taken away is taken away ─────────────────────────────────────────────────────────────────────────────────


async def test_a_picture_and_tags_that_the_newsroom_takes_off_are_gone(reading: Reading) -> None:
    number = write(reading.site, "baru")
    await reading.look()
    post = reading.site.post("baru")
    reading.site.posts[post.id] = replace(post, picture=0, tags=(), modified_gmt=reading.site.now)
    await reading.look(minutes=20)
    content = (await reading.article(number)).content

    assert (content.picture, content.tags) == (None, ())


async def test_a_deleted_story_whose_page_a_cache_still_shows_is_withdrawn_in_the_end(reading: Reading) -> None:
    write(reading.site, "baru")
    await reading.look()
    path = reading.site.link("baru").removeprefix(reading.site.home)
    reading.site.site.on(path, answer(200, b"<html>dari tembolok</html>", {"Content-Type": "text/html"}))
    reading.site.trash("baru")
    await reading.looks(4)
    still = await reading.told()
    reading.site.site.on(path, reading.site.answer)
    await reading.looks(4)

    assert still == ["published baru"]
    assert await reading.told() == ["published baru", "withdrawn baru"]


async def test_a_post_at_an_address_that_is_free_again_is_a_story_of_its_own(reading: Reading) -> None:
    first = write(reading.site, "banjir")
    await reading.look()
    reading.site.delete("banjir")
    second = write(reading.site, "banjir", content=BODY.format("tanggul") + "\n\nLain sekali isinya.")
    await reading.looks(4)

    assert (await reading.article(second)).id != (await reading.article(first)).id
    assert (await reading.article(first)).state.value == "withdrawn"


@pytest.mark.parametrize("deed", ["trash", "delete", "privatise"])
async def test_through_a_feed_a_story_that_vanished_from_among_others_is_asked_for_at_its_page(
    db: Database, tmp_path: Path, deed: str
) -> None:
    async with open_wordpress(Options(rest="closed_401")) as site, open_reading(db, site, tmp_path) as reading:
        for number in range(8):
            write(site, f"lama-{number}")
            site.now += timedelta(minutes=1)
        await reading.look()
        write(site, "baru")
        await reading.look()
        getattr(site, deed)("baru")
        await reading.look()
        early = await reading.told()
        await reading.looks(3)

        assert early == ["published baru"]
        assert await reading.told() == ["published baru", "withdrawn baru"]


@pytest.mark.parametrize("excerpts", [False, True])
async def test_through_a_feed_a_story_that_gets_a_password_is_withdrawn_and_its_notice_is_no_text(
    db: Database, tmp_path: Path, excerpts: bool
) -> None:
    options = Options(rest="closed_401", excerpts_only=excerpts)
    async with open_wordpress(options) as site, open_reading(db, site, tmp_path) as reading:
        for number in range(5):
            write(site, f"lama-{number}")
        await reading.look()
        number = write(site, "baru")
        await reading.look()
        site.protect("baru")
        await reading.look()

        assert await reading.told() == ["published baru", "withdrawn baru"]
        assert "dilindungi kata sandi" not in str((await reading.article(number)).content)


async def test_a_mass_loss_through_a_feed_withdraws_nothing_until_the_operator_says_so(
    db: Database, tmp_path: Path
) -> None:
    async with (
        open_wordpress(Options(rest="closed_401", per_feed=20)) as site,
        open_reading(db, site, tmp_path) as reading,
    ):
        for number in range(16):
            write(site, f"lama-{number}", picture=None)
            site.now += timedelta(minutes=1)
        await reading.look()
        site.lose_many(8)
        await reading.looks(5)

        early = {article.state.value for article in await reading.held()}
        problem = await reading.problem()
        async with db.write() as connection:
            code = problem.rpartition(" ")[2].strip("`.")
            await sources.confirm(connection, "koran", code, problem="")
        problems = [report.problem for report in await reading.looks(6, minutes=3)]

        assert early == {"published"}
        assert "8 of 16 stories are missing at once" in problem
        assert [article.state.value for article in await reading.held()].count("withdrawn") == 8
        assert problems == [""] * 6


# ── what no WordPress should answer ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("stamp", ["-0001-11-30T00:00:00", "", "2026-02-31T10:00:00", "besok"])
def test_a_time_that_is_none_is_read_as_none(stamp: str) -> None:
    stamps = [[101, "", "https://x.example/"]]
    assert read_stamps(json.dumps([{"id": 101, "modified_gmt": stamp, "link": "https://x.example/"}]).encode(), {}) == (
        {"posts": stamps},
        b"",
    )


async def test_a_fault_of_our_own_is_a_failed_look_that_the_operator_sees(reading: Reading) -> None:
    async with reading.db.write() as connection:  # what no look writes, but an older version may have left
        state = await sources.get(connection, "koran")
        assert state is not None
        broken = Memory(values={**state.memory.values, "rest": '{"posts": 7}'})
        await sources.save(connection, replace(state, memory=broken))
    report = await reading.look()

    assert report.look is Look.FAILED
    assert "reading what it answered failed" in await reading.problem()


# ── what can't be read, or not at once ───────────────────────────────────────────────────────────────────────────────

HOSTILE = "<p " + " ".join(f"a{number}='1'" for number in range(40_000)) + ">Isi.</p>"
LISTS = "/wp-json/wp/v2/posts"


@pytest.fixture
async def impatient(db: Database, tmp_path: Path) -> AsyncIterator[Reading]:
    """Through REST alone, with a jail that a hostile text keeps for too long."""
    jail = Jail(wall_seconds=0.25)
    async with open_wordpress(Options()) as site, open_reading(db, site, tmp_path, channels=("rest",)) as reading:
        reading.tools = replace(reading.tools, jail=jail)
        yield reading
    await jail.aclose()


async def test_a_first_import_takes_all_but_the_post_that_nothing_can_read(impatient: Reading) -> None:
    for number in range(5):
        write(impatient.site, f"lama-{number}", picture=None)
    bad = write(impatient.site, "jahat", picture=None, content=HOSTILE)
    report = await impatient.look()

    assert (report.look, report.published) == (Look.OK, 5)
    assert [line.partition(":")[2] for line in report.problems] == [
        f"//127.0.0.1:{impatient.site.site.port}/?p={bad}: left out, since its record could not be parsed: it "
        "takes too long; it may be broken or hostile"
    ]


async def test_a_post_that_nothing_can_read_holds_up_no_other_and_is_taken_once_it_is_mended(
    impatient: Reading,
) -> None:
    write(impatient.site, "lama", picture=None)
    await impatient.looks(2)
    for slug, content in (("baru-a", BODY), ("jahat", HOSTILE), ("baru-b", BODY)):
        write(impatient.site, slug, picture=None, content=content)
    first, second = await impatient.looks(2)
    early, asked = await impatient.told(), len(impatient.site.seen(LISTS))
    await impatient.look()
    impatient.site.edit("jahat", content=BODY.format("jahat"))
    after = await impatient.looks(4)

    assert sorted(early) == ["published baru-a", "published baru-b"]
    assert first.problems == second.problems != ()
    assert asked < 20
    assert (await impatient.told())[2:] == ["published jahat"]
    assert after[-1].problems == ()


async def test_a_bulk_edit_that_one_look_cannot_read_goes_on_at_the_next(
    reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The real limits, 20 lists of 100, would need thousands of posts.
    monkeypatch.setattr(rest, "_LIST", 10)
    monkeypatch.setattr(rest, "_ROUNDS", 3)
    for number in range(60):
        write(reading.site, f"banyak-{number}", picture=None)  # all in the same second, and full lists of them
    reports = await reading.looks(6)

    assert {report.look for report in reports} <= {Look.OK, Look.UNCHANGED}
    assert sorted(await reading.told()) == sorted(f"published banyak-{number}" for number in range(60))


async def test_a_story_that_we_took_is_corrected_however_old_it_is(
    reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posts, "_WATCHED", 3)  # the real thousand would take minutes
    write(reading.site, "baru")
    await reading.look()
    reading.site.edit("lama-a", title="Judul lama yang dibetulkan")
    await reading.look()

    number = reading.site.post("lama-a").id
    assert (await reading.article(number)).content.title == "Judul lama yang dibetulkan"


async def test_a_story_whose_text_was_emptied_keeps_it_and_the_operator_is_told(reading: Reading) -> None:
    number = write(reading.site, "baru")
    await reading.look()
    before = (await reading.article(number)).content
    reading.site.edit("baru", content="", excerpt="Ringkasan yang tinggal.")
    report = await reading.look()
    after = (await reading.article(number)).content

    assert (after.body_html, after.dateline, after.initials) == (before.body_html, before.dateline, before.initials)
    assert report.problems == (f"{reading.site.link('baru')}: without text; if it had one before, that one stays",)


# ── what a look learned, and what it says of its channels ────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("channel", "path"), [("feed", "/feed/"), ("sitemap", "/wp-sitemap.xml")])
async def test_what_a_failed_look_learned_is_not_asked_again(
    db: Database, tmp_path: Path, channel: str, path: str
) -> None:
    async with (
        open_wordpress(Options(rest="closed_401")) as site,
        open_reading(db, site, tmp_path, channels=("rest", channel)) as reading,
    ):
        site.site.on(path, answer(500, b"rusak"))
        await reading.look()
        asked = len(site.log)
        report = await reading.look()

        assert report.look is Look.FAILED
        assert not {one.path for one in site.log[asked:]} & {"/", LISTS}


async def test_a_first_import_that_broke_off_is_made_anew(reading: Reading) -> None:
    for number in range(60):
        write(reading.site, f"arsip-{number}", picture=None)
        reading.site.now += timedelta(minutes=1)
    reading.config = {"name": "lain", "channels": ("rest",)}
    unbroken, seen = reading.site.answer, 0

    async def break_off(request: Any, wire: Any) -> None:
        nonlocal seen
        seen += 1
        await (answer(500, b"rusak") if seen == 3 else unbroken)(request, wire)  # the probe, and one page of posts

    reading.site.site.on(LISTS, break_off)
    failed, whole = await reading.looks(2)

    assert (failed.look, failed.published) == (Look.FAILED, 0)
    assert whole.published == 68


async def test_when_every_channel_is_shut_one_lasting_line_names_each_and_why(db: Database, tmp_path: Path) -> None:
    options = Options(rest="closed_401", feed="closed_403", sitemap="none")
    async with (
        open_wordpress(options) as site,
        open_reading(db, site, tmp_path, channels=("rest", "feed", "sitemap")) as reading,
    ):
        first, second = await reading.looks(2)

        assert first.problem == second.problem
        assert second.problem == (
            f"{site.home}/: rest is closed (401); feed refuses us (403); sitemap has none that leads to stories."
        )


async def test_the_front_page_is_asked_whether_it_changed(db: Database, tmp_path: Path) -> None:
    async with open_wordpress(Options()) as site, open_reading(db, site, tmp_path, channels=("page",)) as reading:
        write(site, "lama", picture=None)
        page = (await site.ask("/")).content
        site.site.on("/", answer(200, page, {"ETag": '"depan"', "Content-Type": "text/html"}))
        await reading.looks(2)

        asked = [one.headers.get("if-none-match") for one in site.site.requests if one.path == "/"]
        assert asked[-2:] == [None, '"depan"']


# ── a record, read ───────────────────────────────────────────────────────────────────────────────────────────────────


def record(**more: Any) -> dict[str, Any]:
    return {"id": 7, "link": "https://koran.example/cabai/", "title": {"rendered": "Cabai"}} | more


def category(name: str, link: str) -> dict[str, str]:
    return {"taxonomy": "category", "name": name, "link": link, "slug": link.rstrip("/").rpartition("/")[2]}


@pytest.mark.parametrize(
    ("links", "sections"),
    [
        (["/category/daerah/tulungagung/"], ["Daerah/Tulungagung"]),
        (["/blog/category/malang-raya/kota/tulungagung"], ["Malang Raya/Kota/Tulungagung"]),
        (["/category/tulungagung/"], ["Tulungagung"]),
        (["/rubrik/daerah/tulungagung/"], ["Tulungagung"]),
        (["/?cat=3"], ["Tulungagung"]),
        (["/category/daerah%2Fkota/tulungagung/"], ["Daerah Kota/Tulungagung"]),
        (["/category/" + "a/" * 200_000 + "tulungagung/"], ["Tulungagung"]),
    ],
)
def test_a_category_stands_below_those_that_its_address_leads_through(links: list[str], sections: list[str]) -> None:
    terms = [category("Tulungagung", f"https://koran.example{link}") for link in links]
    value, _ = read_posts(json.dumps([record(_embedded={"wp:term": [terms]})]).encode(), {"url": "https://k.example/"})

    assert value["posts"][0]["sections"] == sections


def test_a_category_above_is_called_as_the_record_calls_it() -> None:
    home = "https://koran.example/category"
    terms = [category("DPRD", f"{home}/dprd/"), category("Sidang", f"{home}/dprd/sidang/")]
    value, _ = read_posts(json.dumps([record(_embedded={"wp:term": [terms]})]).encode(), {"url": "https://k.example/"})

    assert value["posts"][0]["sections"] == ["DPRD", "DPRD/Sidang"]


async def test_a_path_selects_a_category_below_another(reading: Reading) -> None:
    number = write(reading.site, "baru")
    await reading.look()

    assert Selection(sections=frozenset({"malang-raya/kota"})).holds(await reading.article(number))


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (record(content=7, _embedded=[1]), "post 7: left out, since its record is not as WordPress writes them"),
        (record(id="tujuh"), "a post without a number: left out, since its record is not as WordPress writes them"),
    ],
)
def test_a_record_that_is_none_is_named_in_plain_words(broken: dict[str, Any], words: str) -> None:
    value, _ = read_posts(json.dumps([broken]).encode(), {"url": "https://koran.example/"})

    assert value == {"posts": [], "problems": [words]}
