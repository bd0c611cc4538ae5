"""Webhooks by Standard Webhooks, against a real receiver and the public library."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import standardwebhooks

from syndicate.channels import PUSHERS
from syndicate.channels.push.webhook import parse_secret, sign
from syndicate.domain.delivery import Outcome, OutcomeKind
from syndicate.domain.partner import Endpoint
from syndicate.domain.selection import Selection
from syndicate.net.client import Client
from syndicate.net.guard import Allowed
from syndicate.ports import Parcel, Pusher
from tests.servers.http import Site, answer, hang_up, raw, redirect, serve

NOW = datetime(2026, 11, 24, 6, 0, 30, tzinfo=UTC)
OLD, NEW = b"o" * 24, b"n" * 64
PARCEL = Parcel(
    id="push-17",
    type="article.published",
    at=datetime(2026, 11, 24, 6, 0, tzinfo=UTC),
    data={"id": "kota-abc", "title": "Banjir “rob” surut"},
)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with serve() as site:
        yield site


@pytest.fixture
async def pusher() -> AsyncIterator[Pusher]:
    client = Client(allowed=Allowed.parse(["127.0.0.1:*"]), user_agent="Syndicate-Test")
    yield PUSHERS["webhook"](client)
    await client.aclose()


def endpoint(url: str, *secrets: bytes) -> Endpoint:
    return Endpoint(
        name="desk", partner="portal", kind="webhook", url=url, secrets=secrets or (NEW,), selection=Selection()
    )


def verify(secret: bytes, request: Any) -> Any:
    """By the public library; its clock wants a fresh timestamp, so `now` is the real one where this is used."""
    return standardwebhooks.Webhook(secret).verify(request.body, dict(request.headers))


async def test_the_public_library_verifies_what_the_receiver_got(site: Site, pusher: Pusher) -> None:
    site.on("/hook", answer(204))

    outcome = await pusher.push(endpoint(site.url("/hook"), NEW, OLD), PARCEL, now=datetime.now(UTC))

    assert (outcome.kind, outcome.code) == (OutcomeKind.ACCEPTED, "HTTP 204")
    (request,) = site.requests
    for secret in (NEW, OLD):  # both signatures, while a key is being changed
        assert verify(secret, request)["data"] == PARCEL.data
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        verify(b"x" * 32, request)


async def test_the_body_is_compact_and_the_time_in_it_is_the_events(site: Site, pusher: Pusher) -> None:
    site.on("/hook", answer(200))

    await pusher.push(endpoint(site.url("/hook")), PARCEL, now=NOW)

    (request,) = site.requests
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/json"
    assert request.body.decode() == (
        '{"type":"article.published","timestamp":"2026-11-24T06:00:00Z",'
        '"data":{"id":"kota-abc","title":"Banjir “rob” surut"}}'
    )


async def test_every_try_has_the_same_id_and_its_own_time(site: Site, pusher: Pusher) -> None:
    site.on("/hook", answer(500))

    for minutes in (0, 5):
        await pusher.push(endpoint(site.url("/hook")), PARCEL, now=NOW + timedelta(minutes=minutes))

    assert [request.headers["webhook-id"] for request in site.requests] == ["push-17", "push-17"]
    times = [int(request.headers["webhook-timestamp"]) for request in site.requests]
    assert times == [int(NOW.timestamp()), int(NOW.timestamp()) + 300]
    assert len({request.headers["webhook-signature"] for request in site.requests}) == 2


def test_the_reference_vector_of_the_specification() -> None:
    """S-08: the constants of the reference libraries' own test suite; the other side is the public library."""
    secret, body = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", '{"test": 2432232314}'
    at = datetime(2021, 2, 25, 7, 12, tzinfo=UTC)

    ours = sign(parse_secret(f"whsec_{secret}"), "msg_p5jXN8AQM9LWM0D4loKWxJek", int(at.timestamp()), body.encode())

    assert ours == standardwebhooks.Webhook(secret).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, body)


@pytest.mark.parametrize("status", [301, 302, 308, 400, 401, 404, 422, 429, 500, 502, 503, 504])
async def test_a_no_other_than_gone_is_worth_another_try(site: Site, pusher: Pusher, status: int) -> None:
    site.on("/hook", answer(status, b"the body is not shown", {"Location": site.url("/elsewhere")}))

    outcome = await pusher.push(endpoint(site.url("/hook")), PARCEL, now=NOW)

    assert (outcome.kind, outcome.code, outcome.gone) == (OutcomeKind.DEFERRED, f"HTTP {status}", False)
    assert "not shown" not in outcome.text
    assert len(site.requests) == 1


async def test_a_redirect_is_not_followed(site: Site, pusher: Pusher) -> None:
    site.on("/hook", redirect(site.url("/elsewhere"), 307))

    await pusher.push(endpoint(site.url("/hook")), PARCEL, now=NOW)

    assert [request.path for request in site.requests] == ["/hook"]


async def test_gone_is_for_good(site: Site, pusher: Pusher) -> None:
    site.on("/hook", answer(410))

    outcome = await pusher.push(endpoint(site.url("/hook")), PARCEL, now=NOW)

    assert (outcome.kind, outcome.gone) == (OutcomeKind.REFUSED, True)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "120"}, timedelta(seconds=120)),
        ({"Retry-After": "Tue, 24 Nov 2026 06:02:30 GMT"}, timedelta(seconds=120)),
        (
            {"Retry-After": "Tue, 24 Nov 2026 07:02:00 GMT", "Date": "Tue, 24 Nov 2026 07:00:00 GMT"},
            timedelta(seconds=120),
        ),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
async def test_retry_after_is_heard(
    site: Site, pusher: Pusher, headers: dict[str, str], wait: timedelta | None
) -> None:
    site.on("/hook", answer(429, b"", headers))

    outcome = await pusher.push(endpoint(site.url("/hook")), PARCEL, now=NOW)

    assert outcome.retry_after == wait


async def test_a_lost_answer_is_no_doubt_since_the_id_lets_the_partner_drop_doubles(site: Site, pusher: Pusher) -> None:
    site.on("/hook", hang_up)

    outcome = await pusher.push(endpoint(site.url("/hook")), PARCEL, now=NOW)

    assert outcome.kind is OutcomeKind.DEFERRED
    assert len(site.requests) == 1


async def test_a_yes_with_a_broken_body_is_a_yes(site: Site, pusher: Pusher) -> None:
    site.on("/hook", raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"))

    outcome = await pusher.push(endpoint(site.url("/hook")), PARCEL, now=NOW)

    assert outcome.kind is OutcomeKind.ACCEPTED


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/", "http://169.254.169.254/latest", "http://[::1]/x", "https://localhost/", "gopher://x"],
)
async def test_of_an_address_we_do_not_go_to_only_the_class_is_told(pusher: Pusher, url: str) -> None:
    outcome = await pusher.push(endpoint(url), PARCEL, now=NOW)

    assert outcome.kind is OutcomeKind.DEFERRED
    assert not any(word in outcome.text for word in ("127.", "169.", "::1", "localhost"))


async def test_nobody_listening_defers(pusher: Pusher) -> None:
    async with serve() as closed:
        url = closed.url("/hook")

    outcome: Outcome = await pusher.push(endpoint(url), PARCEL, now=NOW)

    assert (outcome.kind, outcome.code) == (OutcomeKind.DEFERRED, "connect")


def test_an_id_with_a_dot_is_a_bug() -> None:
    with pytest.raises(ValueError, match="dot"):
        sign(NEW, "a.b", 1, b"{}")


def test_a_secret_is_read_from_its_usual_form() -> None:
    assert parse_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw") == bytes.fromhex(
        "31f290f6bf06298aab4f08d43c3f082cf648a362da2da4b0"
    )


@pytest.mark.parametrize(
    "text", ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!!!", "whsec_c2hvcnQ=", "whsec_" + "A" * 88]
)
def test_another_form_is_refused_in_words_that_do_not_hold_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"secret|base64") as refusal:
        parse_secret(text)

    assert text == "" or text.removeprefix("whsec_") not in str(refusal.value) or text == "whsec_"


async def test_the_data_arrives_as_json(site: Site, pusher: Pusher) -> None:
    site.on("/hook", answer(200))

    await pusher.push(endpoint(site.url("/hook")), PARCEL, now=NOW)

    assert json.loads(site.requests[0].body)["data"] == PARCEL.data
