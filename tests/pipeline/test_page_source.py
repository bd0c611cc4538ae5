"""A newsroom read from its pages: what they show comes out as the right articles and changes."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syndicate.domain.source import Look, Relation
from syndicate.store.db import Database
from tests.pipeline.reading import BODY, Reading, open_reading, write
from tests.servers.wordpress import Options, Status, Trouble, open_wordpress

OLD = ("lama-a", "lama-b", "lama-c", "lama-d", "lama-e", "lama-f")


@pytest.fixture(params=["tagdiv_cloud", "tagdiv", "default"])
def theme(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
async def reading(db: Database, tmp_path: Path) -> AsyncIterator[Reading]:
    """A front page that was looked at once."""
    async with open_wordpress(Options(theme="tagdiv_cloud")) as site, open_reading(db, site, tmp_path) as reading:
        reading.config = {"kind": "page", "relation": Relation.OWNER}
        for slug in OLD:
            write(site, slug)
            site.now += timedelta(minutes=1)
        await reading.look()
        yield reading


async def test_a_page_is_an_article_whatever_the_theme(db: Database, tmp_path: Path, theme: Any) -> None:
    async with open_wordpress(Options(theme=theme)) as site, open_reading(db, site, tmp_path, kind="page") as reading:
        write(site, "lama")
        first = await reading.look()
        number = write(site, "baru")
        await reading.look()
        content = (await reading.article(number)).content

    assert first.published == 1
    assert await reading.told() == ["published baru"]
    assert (content.title, content.authors, content.sections, content.tags) == (
        "Judul baru",
        ("Redaksi",),
        ("Kota",),
        ("baru",),
    )
    assert content.body_html.count("<p>") == 3
    assert content.initials == ("rex", "aim")
    assert content.picture is not None
    assert content.picture.media is not None
    assert set(content.provenance.values()) == {"page"}


async def test_only_new_pages_are_read_until_an_hour_is_over(reading: Reading) -> None:
    write(reading.site, "baru")
    reading.site.log.clear()
    await reading.looks(3)
    early = [asked.path for asked in reading.site.log if asked.path.strip("/") and "wp-content" not in asked.path]
    reading.site.log.clear()
    await reading.look(minutes=60)

    assert early == ["/baru/"]
    assert {f"/{slug}/" for slug in OLD} <= {asked.path for asked in reading.site.log}


async def test_an_edit_and_a_new_caption_are_seen_within_an_hour(reading: Reading) -> None:
    number = write(reading.site, "baru")
    await reading.look()
    reading.site.edit("baru", title="Judul yang lebih baik")
    reading.site.edit_caption("baru", "Keterangan baru (DOK PRIBADI)")
    await reading.looks(13)
    article = await reading.article(number)

    assert await reading.told() == ["published baru", "updated baru"]
    assert article.content.title == "Judul yang lebih baik"
    assert article.content.picture is not None
    assert article.content.picture.caption == "Keterangan baru (DOK PRIBADI)"


async def test_a_story_in_several_pages_is_one_whole(reading: Reading) -> None:
    parts = [BODY.format(f"bagian {number}") for number in (1, 2, 3)]
    number = write(reading.site, "panjang", content="\n\n<!--nextpage-->\n\n".join(parts))
    await reading.look()
    body = (await reading.article(number)).content.body_html

    assert [f"bagian {number}" in body for number in (1, 2, 3)] == [True] * 3
    assert body.count("<p>") == 9


@pytest.mark.parametrize("deed", ["trash", "privatise", "delete"])
async def test_a_page_that_is_gone_withdraws_its_story_after_ten_minutes(reading: Reading, deed: str) -> None:
    number = write(reading.site, "baru")
    await reading.look()
    getattr(reading.site, deed)("baru")
    await reading.looks(2)
    early = await reading.told()
    await reading.look()

    assert early == ["published baru"]
    assert await reading.told() == ["published baru", "withdrawn baru"]
    assert (await reading.article(number)).state.value == "withdrawn"


async def test_a_restored_story_comes_back(reading: Reading) -> None:
    reading.site.trash("lama-f")
    await reading.looks(4)
    number = next(article.content for article in await reading.held() if article.state.value == "withdrawn")
    reading.site.restore("lama-f")
    await reading.look()

    assert number.title == "Judul lama-f"
    assert {article.state.value for article in await reading.held()} == {"published"}


async def test_a_story_that_gets_a_password_is_withdrawn_and_comes_back_without_it(reading: Reading) -> None:
    write(reading.site, "baru")
    await reading.look()
    reading.site.protect("baru")
    report = await reading.look(minutes=65)
    reading.site.restore("baru")
    await reading.look(minutes=65)

    assert any("behind a password" in line for line in report.problems)
    assert await reading.told() == ["published baru", "withdrawn baru", "restored baru"]


async def test_a_mass_loss_withdraws_nothing_until_the_operator_says_so(reading: Reading) -> None:
    reading.site.lose_many(4)
    await reading.looks(5)

    assert [line for line in await reading.told() if line.startswith("withdrawn")] == []
    assert "4 of 6 stories are missing at once; none was withdrawn" in await reading.problem()
    assert "syndicate sources confirm koran" in await reading.problem()


async def test_falling_off_the_front_page_is_no_loss(reading: Reading) -> None:
    for number in range(12):
        write(reading.site, f"baru-{number}")
        await reading.look()
    await reading.looks(3)

    assert {line.partition(" ")[0] for line in await reading.told()} == {"published"}


async def test_a_new_slug_is_the_same_story_at_a_new_address(reading: Reading) -> None:
    number = write(reading.site, "baru")
    await reading.look()
    before = await reading.article(number)
    reading.site.rename_slug("baru", "baru-sekali")
    await reading.looks(4)
    after = await reading.article(number)

    assert (after.id, after.public_id) == (before.id, before.public_id)
    assert after.content.url == reading.site.link("baru-sekali")
    assert await reading.told() == ["published baru-sekali", "updated baru-sekali"]


async def test_an_old_story_that_comes_to_the_front_page_later_is_no_news(reading: Reading) -> None:
    write(reading.site, "arsip", date_gmt=reading.site.now - timedelta(days=200), post_id=7)
    for slug in OLD:
        reading.site.back_date(slug, timedelta(days=400))
    await reading.look()

    assert reading.site.seen("/arsip/")
    assert await reading.told() == []


async def test_planned_posts_are_no_stories_until_they_are_out(reading: Reading) -> None:
    write(reading.site, "konsep", status=Status.DRAFT)
    write(reading.site, "nanti", date_gmt=reading.site.now + timedelta(minutes=30))
    await reading.look()
    before = await reading.told()
    await reading.look(minutes=30)

    assert before == []
    assert await reading.told() == ["published nanti"]


async def test_a_page_that_is_no_story_yet_waits_for_a_person(reading: Reading) -> None:
    write(reading.site, "pendek", content="Hanya satu baris.")
    report = await reading.look()
    reading.site.edit("pendek", content=BODY.format("pasar"))
    await reading.look(minutes=65)

    assert any("/pendek/: needs review: It has fewer than 2 paragraphs." in line for line in report.problems)
    assert await reading.told() == ["published pendek"]


async def test_a_maintenance_page_is_no_loss_of_stories(reading: Reading) -> None:
    reading.site.trouble = Trouble.MAINTENANCE
    reports = await reading.looks(4)
    reading.site.trouble = None
    await reading.looks(2)

    assert {report.look for report in reports} == {Look.FAILED}
    assert "leads to no stories, though it did before" in reports[0].problem
    assert await reading.told() == []


async def test_a_site_that_wants_to_be_left_alone_is(reading: Reading) -> None:
    write(reading.site, "baru")
    reading.site.refuse(1, status=429, retry_after="600")
    report = await reading.look()
    await reading.look(minutes=10)

    assert report.look is Look.FAILED
    assert await reading.told() == ["published baru"]
