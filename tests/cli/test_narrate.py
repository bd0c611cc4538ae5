"""What the log says to the person at the terminal: a sentence, not fields."""

import io
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from syndicate import log
from syndicate.cli.narrate import Narrator

LARGE = {"newsletter": "pagi", "slot": "2026-11-24T0600", "bytes": 71234, "most": 90000, "headline_only": 0, "why": ""}
SIZE = "its HTML is 71,234 bytes; over 90,000 mail programs cut it off"
WHY = "its HTML is 91,000 bytes, over 90,000 mail programs cut it off; it would fit without the last 2 (“A”, “B”)"


@pytest.fixture
def told() -> Iterator[list[str]]:
    """What was told, without the clock before it; the log is put back afterwards."""
    root = logging.getLogger()
    handlers, level, lines = root.handlers[:], root.level, list[str]()
    log.set_up(level="info", format="console", stream=io.StringIO(), pepper=b"p" * 32)
    clock = r"^\d\d:\d\d:\d\d  "
    Narrator(
        tell=lambda line: lines.append(re.sub(clock, "", line)), zone="Asia/Jakarta", public_url="http://127.0.0.1"
    ).begin()
    yield lines
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        ({}, f"{SIZE}."),
        ({"headline_only": 1}, f"{SIZE}; 1 story at its end by headline only."),
        ({"headline_only": 3}, f"{SIZE}; 3 stories at its end by headline only."),
        ({"bytes": 91000, "headline_only": 9, "why": WHY}, f"{WHY}."),
    ],
)
def test_a_large_edition_is_told_with_its_size_and_what_came_of_it(
    told: list[str], event: dict[str, Any], sentence: str
) -> None:
    structlog.get_logger().warning("edition.large", **LARGE | event)

    (line,) = told
    assert line == f"pagi/2026-11-24T0600 is large: {sentence}"


def test_a_large_feed_is_told_with_the_cure(told: list[str]) -> None:
    structlog.get_logger().warning("feed.large", feed="terkini", bytes=600_000, why="terkini.rss is too large")

    assert told == ["terkini.rss is too large."]


@pytest.mark.parametrize(
    ("verdict", "limit", "sentence"),
    [
        ("asked", None, "Somebody signed up for pagi and sore: a mail asks whether they mean it."),
        ("suppressed", None, "Somebody signed up for pagi and sore, and no mail is sent (suppressed)."),
        ("limited", "client", "Somebody signed up for pagi and sore, and no mail is sent (limited: client)."),
    ],
)
def test_a_sign_up_is_told_with_what_came_of_it(
    told: list[str], verdict: str, limit: str | None, sentence: str
) -> None:
    structlog.get_logger().info("sign_up.asked", verdict=verdict, limit=limit, via="page", newsletters=("pagi", "sore"))

    assert told == [sentence]
