"""The log: one record a line, and nothing in it that must stay secret (T44, T45)."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from syndicate import log
from syndicate.domain.audience import normal_address

PEPPER = b"p" * 32
CANARY = "kenari-7f3a91"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """What the library and the log keep for the whole process is put back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def written(event: str, **fields: Any) -> str:
    stream = io.StringIO()
    log.set_up(level="info", format="json", stream=stream, pepper=PEPPER)
    structlog.get_logger().info(event, **fields)
    return stream.getvalue()


def test_a_record_is_one_json_object_with_time_level_and_event() -> None:
    record = json.loads(written("delivery.settled", delivery=7, outcome="accepted"))
    assert record["event"] == "delivery.settled"
    assert record["level"] == "info"
    assert record["at"].endswith("Z")
    assert (record["delivery"], record["outcome"]) == (7, "accepted")


@pytest.mark.parametrize(
    "hostile",
    ["a\r\n[ERROR] fake", "\x1b[31mred\x1b[0m", "a\u2028b", "\x85next", "nul\x00", "\u202egnp.exe", "lone\ud800"],
)
@pytest.mark.parametrize("form", ["json", "console"])
def test_control_characters_never_make_a_second_line_or_a_colour(form: Any, hostile: str) -> None:
    stream = io.StringIO()
    log.set_up(level="info", format=form, stream=stream, pepper=PEPPER)
    structlog.get_logger().info("feed.asked", user_agent=hostile, nested={"titles": [hostile], hostile: 1})
    text = stream.getvalue()
    assert len(text.splitlines()) == 1
    assert all(character.isprintable() for character in text.removesuffix("\n"))
    text.encode("utf-8")


@pytest.mark.parametrize(
    "key", ["password", "smtp_password", "secret", "token", "Authorization", "api_key", "Set-Cookie"]
)
def test_the_value_of_a_secret_key_is_masked_at_any_depth(key: str) -> None:
    assert CANARY not in written("mail.sent", **{key: CANARY}, headers=[{key: CANARY}])


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://syndicate:{CANARY}@db.example/news",
        f"GET /api/v1/articles?limit=5&api_key={CANARY}",
        f"authorization was Bearer {CANARY}",
        "np_abcdefgh_" + CANARY.ljust(43, "x"),
        "whsec_" + CANARY.replace("-", "+"),
        "GET /u/" + CANARY.ljust(44, "x"),
    ],
)
def test_a_secret_inside_a_text_is_masked(text: str) -> None:
    line = written("request.failed", detail=text)
    assert CANARY not in line
    assert CANARY.replace("-", "+") not in line
    assert log.MASK in line


def test_a_secret_str_stays_hidden() -> None:
    assert CANARY not in written("channel.opened", relay=SecretStr(CANARY))


def test_an_address_is_written_so_that_only_who_knows_it_can_find_it() -> None:
    address = normal_address("budi.santoso@contohpos.example")
    line = written("delivery.settled", to=address, text=f"550 <{address}> unknown")
    assert "budi" not in line
    assert line.count(log.hidden_address(PEPPER, address)) == 2
    assert log.hidden_address(b"other", address) not in line


def test_an_exception_is_one_field_with_its_traceback() -> None:
    stream = io.StringIO()
    log.set_up(level="info", format="json", stream=stream, pepper=PEPPER)
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        structlog.get_logger().exception("gather.failed", source="newsroom")
    (line,) = stream.getvalue().splitlines()
    assert "test_log.py" in json.loads(line)["exception"]
    assert json.loads(line)["source"] == "newsroom"


def test_the_console_shows_fields_in_one_readable_line() -> None:
    stream = io.StringIO()
    log.set_up(level="info", format="console", stream=stream, pepper=PEPPER)
    structlog.get_logger().warning("source.failed", source="newsroom", problem="HTTP 503, later")
    assert stream.getvalue()[8:] == ' warning source.failed source=newsroom problem="HTTP 503, later"\n'


def test_what_is_below_the_level_is_not_written() -> None:
    stream = io.StringIO()
    log.set_up(level="warning", format="json", stream=stream, pepper=PEPPER)
    structlog.get_logger().info("source.looked")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("library", log.LIBRARIES)
def test_libraries_are_heard_from_warning_up_in_our_form(library: str) -> None:
    stream = io.StringIO()
    log.set_up(level="info", format="json", stream=stream, pepper=PEPPER)
    logging.getLogger(library).info("started")
    logging.getLogger(library).warning("slow %s", "budi@contohpos.example")
    record = json.loads(stream.getvalue())
    assert (record["event"], record["library"], record["level"]) == ("library.reported", library, "warning")
    assert "budi" not in record["message"]
