"""The customer's seed story through each channel of its newsroom: equal in every field but what the channel lacks."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from syndicate.domain.article import Content
from syndicate.domain.markup import plain_text
from syndicate.domain.source import FoundArticle
from syndicate.jail import Answer, Jail
from syndicate.sources.read.items import found_articles
from syndicate.sources.read.rules import load_rules
from tests.sources.conftest import REPOSITORY, MakeConfig

NOW = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
HOME = "https://malangposcomedia.id/"
LINK = HOME + "retret-asn-langkah-nyata-wujudkan-birokrasi-kolaboratif/"
CHANNELS = {
    "rest": ("rest:read_posts", "seed_article_wp_rest.json", "posts"),
    "page": ("page:read_page", "seed_article_tagdiv.html", "item"),
    "hard": ("page:read_page", "seed_article_tagdiv_hard.html", "item"),
    "feed": ("parse:parse_feed", "seed_article_rss.xml", "items"),
}


async def told_by(channel: str, fixtures: Path, jail: Jail, make_config: MakeConfig) -> FoundArticle:
    """The seed as this channel shows it."""
    function, file, place = CHANNELS[channel]
    rules = [rule.as_option() for rules in load_rules(REPOSITORY / "page-rules").values() for rule in rules]
    options = {"url": LINK, "content_type": "", "rules": rules, "language": "id"}
    answer = await jail.call(f"syndicate.sources.read.{function}", (fixtures / file).read_bytes(), **options)
    assert isinstance(answer, Answer), answer
    shown = answer.value[place]
    items = shown if isinstance(shown, list) else [shown]
    config = make_config(HOME, sections=("Kota Malang", "Pemerintahan"))
    found, problems = found_articles(items, config=config, home=HOME, channel=channel, now=NOW)
    assert problems == ()
    return next(one for one in found if one.content.title.startswith("Retret ASN"))


def paragraphs(content: Content) -> list[str]:
    return plain_text(content.body_html).split("\n")


@pytest.fixture
def expected(fixtures: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((fixtures / "seed_article_expected.json").read_text("utf-8"))
    return found


@pytest.mark.parametrize("channel", ["rest", "page"])
async def test_the_seed_is_whole(
    channel: str, fixtures: Path, jail: Jail, make_config: MakeConfig, expected: dict[str, Any]
) -> None:
    found = await told_by(channel, fixtures, jail, make_config)
    content = found.content

    assert found.key == "wp:187654"
    assert content.title == expected["title"]
    assert content.url == expected["canonical"]
    assert paragraphs(content) == expected["paragraphs"]
    assert content.published == datetime.fromisoformat(expected["published"])
    assert content.updated == datetime.fromisoformat(expected["modified"])
    assert content.authors == (expected["author"],)
    assert list(content.initials) == expected["initials"]
    assert content.dateline == expected["dateline"]
    assert list(content.sections) == expected["sections"]
    assert sorted(content.tags) == expected["tags"]
    assert content.language == expected["language"]
    assert content.picture is not None
    assert content.picture.url == expected["image"]
    assert (content.picture.caption, content.picture.credit) == (expected["image_caption"], expected["image_credit"])


async def test_the_seed_s_hard_page_gives_what_stands_in_it(
    fixtures: Path, jail: Jail, make_config: MakeConfig, expected: dict[str, Any]
) -> None:
    content = (await told_by("hard", fixtures, jail, make_config)).content
    lines = paragraphs(content)

    assert content.title == expected["title"]
    assert [line for line in lines if line in expected["paragraphs"]] == expected["paragraphs"]
    assert content.published == datetime.fromisoformat(expected["published"])
    assert content.updated == datetime.fromisoformat(expected["modified"])
    assert list(content.initials) == expected["initials"]
    assert content.picture is not None
    assert content.picture.credit == expected["image_credit"]


async def test_the_seed_s_feed_entry_gives_what_feeds_have(
    fixtures: Path, jail: Jail, make_config: MakeConfig, expected: dict[str, Any]
) -> None:
    found = await told_by("feed", fixtures, jail, make_config)

    assert found.key == "wp:187654"
    assert found.content.title == expected["title"]
    assert paragraphs(found.content) == expected["paragraphs"]
    assert found.content.published == datetime.fromisoformat(expected["published"])
    assert list(found.content.initials) == expected["initials"]
    assert found.content.summary.startswith("Pelatihan Leadership")


@pytest.mark.parametrize("channel", CHANNELS)
async def test_nothing_of_the_page_around_the_seed_is_in_it(
    channel: str, fixtures: Path, jail: Jail, make_config: MakeConfig, expected: dict[str, Any]
) -> None:
    content = (await told_by(channel, fixtures, jail, make_config)).content

    for words in expected["must_not_contain"]:
        assert words not in str(vars(content))
