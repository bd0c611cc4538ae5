"""`/u/TOKEN`: looking changes nothing, every POST ends the subscription, and no other token than ours does anything."""

import email.policy
import re
import string
from collections.abc import Iterator
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

import pytest

from syndicate.domain.audience import SubscriptionState
from syndicate.domain.token import Purpose
from syndicate.store import audience
from tests.web.paper import Paper

ALPHABET = string.ascii_letters + string.digits + "-_"


def mail_of(paper: Paper) -> EmailMessage:
    """The first mail in the outbox, parsed."""
    file = sorted((paper.folder / "var" / "outbox" / "new").iterdir())[0]
    return BytesParser(EmailMessage, policy=email.policy.default).parsebytes(file.read_bytes())


def links_of(mail: EmailMessage) -> list[str]:
    """Every web address in a mail: of its HTML, its text and its header."""
    parts = [part.get_content() for part in mail.walk() if part.get_content_maintype() == "text"]
    found = re.findall(r'href="(http[^"]+)"', parts[1]) + re.findall(r"^http\S+", parts[0], re.MULTILINE)
    return [*found, str(mail["List-Unsubscribe"]).strip("<>")]


def active(paper: Paper, subscriber: int = 1) -> set[str]:
    chosen = paper.subscriptions(subscriber).values()
    return {one.newsletter for one in chosen if one.state is SubscriptionState.ACTIVE}


def test_t14_no_character_of_a_token_can_be_another(paper: Paper) -> None:
    token, unknown = paper.token(), paper.get("/u/unknown")
    for place, old in enumerate(token):
        new = ALPHABET[(ALPHABET.index(old) + 1 + place) % 64]
        if new == old:
            continue
        answer = paper.http.post(f"/u/{token[:place]}{new}{token[place + 1 :]}")
        assert answer.status_code == 404, place
        assert answer.content == unknown.content
    assert active(paper) == {"ringkasan", "mingguan"}


@pytest.mark.parametrize(
    "bad",
    ["1", "1000", "unknown", "A" * 44, "A" * 4000, "%00", "..%2f..%2fetc", "token=", "AQEAAAAAAAAAAA==", "é" * 44],
)
def test_t14_everything_that_is_no_token_gets_one_same_answer(paper: Paper, bad: str) -> None:
    unknown = paper.get("/u/unknown")
    for answer in (paper.get(f"/u/{bad}"), paper.http.post(f"/u/{bad}", data={"email": "dewi@pembaca.example"})):
        assert answer.status_code == 404
        if "%2f" not in bad:
            assert answer.content == unknown.content


def test_t14_a_link_for_another_purpose_is_none(paper: Paper) -> None:
    assert paper.http.post(f"/u/{paper.token(purpose=Purpose.VIEW)}").status_code == 404


def test_t14_a_token_of_nobody_or_no_newsletter_is_none(paper: Paper) -> None:
    unknown = paper.get("/u/unknown")
    for token in (paper.token(subscriber=999), paper.token(newsletter="lama")):
        answer = paper.get(f"/u/{token}")
        assert (answer.status_code, answer.content) == (404, unknown.content)


def test_the_link_of_a_newsletter_that_left_the_configuration_works(own_paper: Paper) -> None:
    paper = own_paper

    async def read_it_once() -> None:
        async with paper.app.db.write() as connection:
            await audience.subscribe(connection, "lama", 1, origin="form", now=paper.clock.at)

    paper.do(read_it_once())
    link = f"/u/{paper.token(newsletter='lama')}"
    shown, left = paper.get(link, accept_language="id"), paper.http.post(link)

    assert (shown.status_code, left.status_code) == (200, 200)
    assert "lagi menerima lama dari" in shown.text
    assert active(paper) == {"ringkasan", "mingguan"}
    assert paper.get(link).status_code == 200


def test_t14_what_the_body_says_counts_for_nothing(own_paper: Paper) -> None:
    paper = own_paper
    body = {"email": "bagus@pembaca.example", "subscriber": "2", "newsletter": "mingguan"}
    assert paper.http.post(f"/u/{paper.token()}?subscriber=2&newsletter=mingguan", data=body).status_code == 200
    assert active(paper, 1) == {"mingguan"}
    assert active(paper, 2) == active(paper, 3) == {"ringkasan", "mingguan"}


def test_t15_fetching_every_link_of_a_mail_changes_nothing(paper: Paper) -> None:
    links = links_of(mail_of(paper))
    assert any("/u/" in link for link in links)
    before = [paper.subscriptions(number) for number in (1, 2, 3)]
    for method in ("GET", "HEAD", "OPTIONS") * 3:
        for link in links:
            if link.startswith(paper.origin):
                assert paper.http.request(method, link, headers={"purpose": "prefetch"}).status_code < 500
    assert [paper.subscriptions(number) for number in (1, 2, 3)] == before


BODIES: dict[str, dict[str, Any]] = {
    "urlencoded": {"data": {"List-Unsubscribe": "One-Click"}},
    "multipart": {"files": {"List-Unsubscribe": (None, "One-Click")}},
    "empty": {},
    "odd": {"content": b"\xff\x00 not a form"},
    "huge": {"content": b"x" * 300_000},
}


@pytest.mark.parametrize("shape", BODIES)
def test_t16_a_post_of_any_shape_ends_the_subscription_at_once(own_paper: Paper, shape: str) -> None:
    paper = own_paper
    foreign = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    for _ in range(2):  # saying it twice is the same
        answer = paper.http.post(f"/u/{paper.token()}", headers=foreign, **BODIES[shape])
        assert answer.status_code == 200
        assert "location" not in answer.headers
        assert "set-cookie" not in answer.headers
    assert active(paper) == {"mingguan"}
    assert active(paper, 2) == {"ringkasan", "mingguan"}


def test_t16_a_body_that_never_ends_does_not_hinder_leaving(own_paper: Paper) -> None:
    paper = own_paper

    def endless() -> Iterator[bytes]:
        for _ in range(200):
            yield b"x" * 65536

    assert paper.http.post(f"/u/{paper.token()}", content=endless()).status_code == 200
    assert active(paper) == {"mingguan"}


def test_a_reader_who_left_gets_no_further_mail(own_paper: Paper) -> None:
    paper = own_paper
    outbox = paper.folder / "var" / "outbox" / "new"
    assert len(list(outbox.iterdir())) == 3
    paper.http.post(str(mail_of(paper)["List-Unsubscribe"]).strip("<>"))
    paper.publish("baru.md", (paper.folder / "newsroom" / "pasar.md").read_text().replace("Pasar", "Baru: pasar"))
    paper.turn(paper.clock.at - paper.clock.at)
    assert len(list(outbox.iterdir())) == 5


def test_the_mail_itself_names_one_click(paper: Paper) -> None:
    mail = mail_of(paper)
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert str(mail["List-Unsubscribe"]).startswith(f"<{paper.origin}/u/")


def test_the_page_names_the_newsletter_and_has_one_button(paper: Paper) -> None:
    page = paper.get(f"/u/{paper.token()}", accept_language="id").text
    assert "Ringkasan Contoh Pos" in page
    assert page.count("<button") == 1
    assert "pembaca.example" not in page, "an address is nobody's business"
