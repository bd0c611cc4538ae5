"""Feeds of every kind: what goes in, and the stories that come out (tests/corpus/feeds)."""

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from syndicate.domain.source import SourceConfig
from syndicate.sources.read.items import found_articles
from syndicate.sources.read.parse import parse_feed

NOW = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
CORPUS = Path(__file__).resolve().parents[1] / "corpus" / "feeds"
INPUTS = sorted(path for path in CORPUS.iterdir() if not path.name.endswith(".expected.json"))


def stories_of(path: Path) -> dict[str, Any]:
    options = {"content_type": "application/xml", "url": "https://koran.example/feed"}
    value, _ = parse_feed(path.read_bytes(), options)
    config = SourceConfig(name="koran", kind="feed", location=options["url"], every=NOW - NOW, sections=("Kota",))
    articles, problems = found_articles(value["items"], config=config, home=value["home"], now=NOW)
    listed = [dataclasses.asdict(article) for article in articles]
    result = {"malformed": value["malformed"], "problems": problems, "articles": listed}
    found: dict[str, Any] = json.loads(json.dumps(result, default=lambda value: value.isoformat()))
    return found


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.stem)
def test_a_feed_is_read_as_expected(path: Path) -> None:
    expected = json.loads(path.with_suffix(".expected.json").read_text(encoding="utf-8"))
    assert stories_of(path) == expected
