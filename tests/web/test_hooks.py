"""`/hooks/CHANNEL`: what a provider tells is believed by its signature, stored as it came, and counts once (T37)."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from syndicate.domain.audience import SubscriptionState
from syndicate.domain.token import verp_token
from syndicate.store import receipts
from syndicate.store.receipts import Kept
from tests.servers.mailgun import SIGNING_KEY, signature
from tests.web import paper as paper_module
from tests.web.paper import Paper, fill, running

CHANNEL = """
[channels.surat]
kind = "mailgun"
domain = "surat.contohpos.example"
api_key = "file:secret/api.key"
webhook_key = "file:secret/webhook.key"
[channels.bisu]
kind = "mailgun"
domain = "surat.contohpos.example"
api_key = "file:secret/api.key"
"""


@pytest.fixture
def paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Paper]:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "api.key").write_text("key-0123")
    (tmp_path / "secret" / "webhook.key").write_bytes(SIGNING_KEY)
    monkeypatch.setattr(paper_module, "CONFIG", paper_module.CONFIG + CHANNEL)
    with running(tmp_path) as opened:
        fill(opened)
        yield opened


def event(paper: Paper, name: str = "complained", *, delivery: int = 1, **changes: Any) -> dict[str, Any]:
    """A genuine webhook about the sample's first mail."""
    bounce = f"b+{verp_token(paper.app.room.ring, delivery)}@contohpos.example"
    told = {"event": name, "recipient": "dewi@pembaca.example", "user-variables": {"bounce": bounce}}
    return {"signature": signature(paper.clock.at), "event-data": told} | changes


def post(paper: Paper, body: Any, channel: str = "surat", **headers: str) -> int:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent_with = {"content-type": "application/json"} | headers
    return paper.http.post(f"/hooks/{channel}", content=raw, headers=sent_with).status_code


def kept(paper: Paper) -> list[Kept]:
    async def ask() -> list[Kept]:
        async with paper.app.db.read() as connection:
            return await receipts.listed(connection, limit=20)

    return paper.do(ask())


def test_a_genuine_event_is_stored_and_followed_later(paper: Paper) -> None:
    assert post(paper, event(paper)) == 200
    stored = kept(paper)
    still = paper.subscriptions()["ringkasan"].state
    paper.turn(timedelta(0))

    assert [(one.origin, one.state) for one in stored] == [("mailgun/surat", "new")]
    assert still is SubscriptionState.ACTIVE
    assert [(one.state, one.verdict, one.step) for one in kept(paper)] == [("done", "complaint", "suppress")]
    assert paper.subscriptions()["ringkasan"].state is not SubscriptionState.ACTIVE


def test_a_replayed_token_counts_once_whatever_it_tells(paper: Paper) -> None:
    first = event(paper, "delivered")
    other = first | {"event-data": event(paper, "complained")["event-data"]}

    assert [post(paper, body) for body in (first, first, other)] == [200, 200, 200]
    paper.turn(timedelta(0))
    assert [one.verdict for one in kept(paper)] == ["delivered"]
    assert paper.subscriptions()["ringkasan"].state is SubscriptionState.ACTIVE


@pytest.mark.parametrize("age", [timedelta(hours=13), timedelta(minutes=-6), timedelta(days=900)])
def test_an_event_of_another_day_or_of_the_future_is_told_to_stop(paper: Paper, age: timedelta) -> None:
    old = event(paper, signature=signature(paper.clock.at - age))

    assert post(paper, old) == 406
    assert kept(paper) == []


def test_an_event_that_could_not_come_while_we_were_down_is_taken_once(paper: Paper) -> None:
    late = event(paper, signature=signature(paper.clock.at - timedelta(hours=8, minutes=10)))

    assert [post(paper, late), post(paper, late)] == [200, 200]
    assert len(kept(paper)) == 1


def forged(paper: Paper) -> Iterator[dict[str, Any]]:
    good = signature(paper.clock.at)
    yield event(paper, signature=signature(paper.clock.at, key=b"another key"))
    yield event(paper, signature=good | {"token": "x" * 50})
    yield event(paper, signature=good | {"timestamp": str(int(good["timestamp"]) + 1)})
    yield event(paper, signature=good | {"signature": ""})
    yield event(paper, signature=good | {"signature": "é" * 64})
    yield event(paper, signature=good | {"signature": "\ud800" * 64})
    yield event(paper, signature=good | {"signature": good["signature"].upper()})


def test_a_forged_event_for_a_living_address_changes_nothing(paper: Paper) -> None:
    assert {post(paper, body) for body in forged(paper)} == {401}
    paper.turn(timedelta(0))
    assert kept(paper) == []
    assert paper.subscriptions()["ringkasan"].state is SubscriptionState.ACTIVE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"signature": 5}',
        b'{"signature": {"timestamp": 5, "token": "a", "signature": null}}',
        b"[" * 60_000,
        b'{"signature": {"timestamp": "' + b"9" * 5000 + b'", "token": "' + b"a" * 50 + b'", "signature": "a"}}',
    ],
)
def test_what_is_no_event_is_told_to_stop(paper: Paper, body: bytes) -> None:
    assert post(paper, body) == 406
    assert kept(paper) == []


def test_a_body_over_the_limit_is_refused(paper: Paper) -> None:
    assert post(paper, event(paper) | {"more": "x" * 70_000}) == 413
    assert kept(paper) == []


def test_only_channels_with_a_key_take_events(paper: Paper) -> None:
    assert [post(paper, event(paper), channel) for channel in ("unknown", "outbox", "bisu")] == [404, 404, 404]
    assert kept(paper) == []


def test_looking_changes_nothing_and_needs_no_origin(paper: Paper) -> None:
    ask = paper.http
    looked: list[httpx2.Response] = [ask.head("/hooks/surat"), ask.head("/hooks/unknown"), ask.get("/hooks/surat")]

    assert [one.status_code for one in looked] == [200, 404, 405]
    assert post(paper, event(paper), origin="https://mailgun.example", **{"sec-fetch-site": "cross-site"}) == 200


def test_t38_a_failure_at_another_address_is_not_held_against_the_reader(paper: Paper) -> None:
    told = event(paper, "failed")["event-data"] | {
        "severity": "permanent",
        "delivery-status": {"enhanced-code": "5.1.1"},
    }
    for number, recipient in enumerate(("Dewi@pembaca.example", "lain@pembaca.example")):
        moment = signature(paper.clock.at + timedelta(seconds=number))
        assert post(paper, {"signature": moment, "event-data": told | {"recipient": recipient}}) == 200
    paper.turn(timedelta(0))

    assert [one.verdict for one in reversed(kept(paper))] == ["hard", "soft"]


def test_words_that_no_database_takes_are_no_trouble(paper: Paper) -> None:
    told = event(paper, "failed")["event-data"] | {"delivery-status": {"message": "weg \ud800\0", "code": 550}}
    assert post(paper, event(paper) | {"event-data": told}) == 200
    paper.turn(timedelta(0))

    assert [(one.state, one.text) for one in kept(paper)] == [("done", "weg ?")]


def test_an_event_of_a_mail_we_never_sent_is_ignored(paper: Paper) -> None:
    assert post(paper, event(paper, delivery=10**9)) == 200
    paper.turn(timedelta(0))
    assert [(one.verdict, one.subscriber_id) for one in kept(paper)] == [("unproven", None)]
