"""`/subscribe`, the API and `/c/TOKEN` over HTTP: everybody is told the same, and only a button does anything."""

import email.policy
import hashlib
import re
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import html5lib
import httpx2
import pytest

from syndicate.domain.audience import SubscriptionState
from syndicate.domain.consent import Consent, Said
from syndicate.domain.token import Purpose, Token, make_token, name_number
from syndicate.store import audience, consents, sign_ups
from tests.phrases import PHRASES
from tests.web import paper as paper_module
from tests.web.paper import Paper, running
from tests.web.test_pages import check_reach

API = "/api/v1/subscriptions"
RINI = "rini@pembaca.example"
SPAM = "Buy http://spam.example now"


class Desk:
    """A newspaper where people sign up."""

    def __init__(self, paper: Paper) -> None:
        self.paper = paper

    def fields(self, *, wait: float = 3.0, path: str = "/subscribe") -> dict[str, str]:
        """The hidden fields of the form, and so much time to fill it in."""
        page = self.paper.get(path, accept_language="id").text
        self.paper.clock.at += timedelta(seconds=wait)
        return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))

    def ask(self, address: str = RINI, *newsletters: str, wait: float = 3.0, **more: Any) -> httpx2.Response:
        data = self.fields(wait=wait) | {"address": address, "newsletter": list(newsletters or ("ringkasan",))} | more
        return self.paper.http.post("/subscribe", data=data, headers={"accept-language": "id"})

    def wish(self, address: str = RINI, **changes: Any) -> httpx2.Response:
        offer = self.paper.get(API).json()
        self.paper.clock.at += timedelta(seconds=3)
        wish = {
            "address": address,
            "newsletters": ["ringkasan"],
            "token": offer["token"],
            "consent": offer["consent"]["digest"],
        }
        return self.paper.http.post(API, json=wish | changes)

    def mails(self) -> list[EmailMessage]:
        """What lies in the outbox once everything that is due is done."""
        self.paper.turn(timedelta(0))
        folder = self.paper.folder / "var" / "outbox" / "new"
        parser = BytesParser(EmailMessage, policy=email.policy.default)
        found = [parser.parsebytes(file.read_bytes()) for file in folder.iterdir()] if folder.exists() else []
        return [mail for mail in found if "onfirm" in mail["Subject"] or "onfirmasi" in mail["Subject"]]

    def link(self) -> str:
        """The path in the only confirmation mail there is."""
        (mail,) = self.mails()
        return links(mail)[0].removeprefix(self.paper.origin)

    def standing(self, address: str = RINI) -> dict[str, SubscriptionState]:
        async def ask() -> dict[str, SubscriptionState]:
            async with self.paper.app.db.read() as connection:
                person = await audience.by_address(connection, address)
                chosen = await audience.subscriptions_of(connection, person.id) if person else []
                return {one.newsletter: one.state for one in chosen}

        return self.paper.do(ask())

    def said(self, address: str = RINI) -> list[Consent]:
        async def ask() -> list[Consent]:
            async with self.paper.app.db.read() as connection:
                return await consents.of_person(connection, self.paper.app.digest(address))

        return self.paper.do(ask())

    def everything(self) -> tuple[object, ...]:
        """All that signing up could change."""
        return (self.standing(), self.said(), self.paper.subscriptions(1))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with running(tmp_path) as paper:
        paper.turn(timedelta(0))  # a database, the sample's readers
        yield Desk(paper)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Shared by tests of requests of which nothing comes."""
    with running(tmp_path_factory.mktemp("calm")) as paper:
        paper.turn(timedelta(0))
        yield Desk(paper)


def links(mail: EmailMessage) -> list[str]:
    """The links of a confirmation mail, those to our own server first."""
    parts = [part.get_content() for part in mail.iter_parts()]
    found = re.findall(r"^http\S+", parts[0], re.MULTILINE) + re.findall(r'href="(http[^"]+)"', parts[1])
    return sorted(found, key=lambda one: "/c/" not in one)


def same(one: httpx2.Response, other: httpx2.Response) -> bool:
    """The same answer to the last byte, but for the time of it."""

    def told(answer: httpx2.Response) -> tuple[int, dict[str, str], bytes]:
        headers = {name: value for name, value in answer.headers.items() if name != "date"}
        return answer.status_code, headers, answer.content

    return told(one) == told(other)


# ── the whole way ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_reader_signs_up_confirms_and_is_subscribed(desk: Desk) -> None:
    answer = desk.ask(RINI, "ringkasan", "mingguan")
    assert (answer.status_code, "Periksa kotak surat Anda" in answer.text) == (200, True)
    path = desk.link()
    assert desk.standing() == {}

    shown = desk.paper.get(path, accept_language="id")
    assert "Ringkasan Contoh Pos" in shown.text
    assert "pembaca.example" not in shown.text, "an address is nobody's business"
    data = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', shown.text)) | {"answer": "confirmed"}
    done = desk.paper.http.post(path, data=data, headers={"accept-language": "id"})

    assert (done.status_code, "Langganan Anda dimulai" in done.text) == (200, True)
    assert set(desk.standing().items()) == {(name, SubscriptionState.ACTIVE) for name in ("ringkasan", "mingguan")}
    said = desk.said()
    assert [one.what for one in said] == [Said.ASKED] * 2 + [Said.CONFIRMED] * 2
    assert {(one.network, one.language, one.text_version) for one in said} == {("127.0.0.0/24", "id", 1)}
    assert "Tautan ini sudah dipakai" in desk.paper.http.post(path, data=data).text


def test_not_me_is_a_button_of_its_own(desk: Desk) -> None:
    desk.ask()
    path = desk.link()
    data = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', desk.paper.get(path).text))
    answer = desk.paper.http.post(path, data=data | {"answer": "denied"}, headers={"accept-language": "en"})

    assert "The request is dropped" in answer.text
    assert desk.standing() == {}
    assert [one.what for one in desk.said()] == [Said.ASKED, Said.DENIED]
    desk.paper.clock.at += timedelta(days=2)
    desk.ask()
    assert len(desk.mails()) == 1


def test_nothing_that_was_typed_stands_in_the_mail(desk: Desk) -> None:
    desk.ask(name=SPAM, title=SPAM, subject="", lang=SPAM)
    (mail,) = desk.mails()

    assert "spam" not in mail.as_string()


def test_in_english_all_is_english(desk: Desk) -> None:
    page = desk.paper.get("/subscribe?lang=en").text
    desk.paper.clock.at += timedelta(seconds=3)
    data = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    assert 'action="/subscribe?lang=en"' in page
    answer = desk.paper.http.post("/subscribe?lang=en", data=data | {"address": RINI, "newsletter": "ringkasan"})

    assert "Check your mailbox" in answer.text
    assert desk.mails()[0]["Subject"].startswith("Confirm your subscription")
    assert [one.language for one in desk.said()] == ["en"]


# ── everybody is told the same ───────────────────────────────────────────────────────────────────────────────────────


def test_t18_known_unknown_suppressed_and_limited_addresses_get_the_same_answer(desk: Desk) -> None:
    async def suppress() -> None:
        async with desk.paper.app.db.write() as connection:
            digest = desk.paper.app.digest("keluhan@pembaca.example")
            await audience.suppress(connection, digest, "complaint", now=desk.paper.clock.at)

    desk.paper.do(suppress())
    unknown = desk.ask("baru@pembaca.example")
    others = [
        desk.ask("baru@pembaca.example"),  # limited by its own mail
        desk.ask("dewi@pembaca.example"),  # a reader
        desk.ask("keluhan@pembaca.example"),
        *(desk.ask(f"a{number}@pembaca.example") for number in range(8)),  # more than one client may
        desk.ask("bot@pembaca.example", subject="casino"),
    ]
    assert unknown.status_code == 200
    assert [number for number, one in enumerate(others) if not same(unknown, one)] == []
    assert 2 <= len(desk.mails()) <= 5

    by_api = [desk.wish("dewi@pembaca.example"), desk.wish("baru@pembaca.example"), desk.wish("x@lain.example")]
    assert by_api[0].status_code == 202
    assert all(same(by_api[0], one) for one in by_api)


def test_t19_many_addresses_from_one_client_make_few_mails(desk: Desk) -> None:
    for number in range(30):
        desk.ask(f"korban{number}@d{number}.example", wait=2.0)

    assert 5 <= len(desk.mails()) <= 6


def test_t33_a_spoofed_address_is_not_another_client(desk: Desk) -> None:
    data = desk.fields() | {"newsletter": "ringkasan"}
    for number in range(8):
        spoofed = {"x-forwarded-for": f"198.51.100.{number}", "x-real-ip": "6.6.6.6", "forwarded": "for=7.7.7.7"}
        desk.paper.http.post("/subscribe", data=data | {"address": f"a{number}@d.example"}, headers=spoofed)

    assert len(desk.mails()) == 5


# ── the form ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_whoever_fills_the_hidden_field_is_told_the_usual_and_nothing_comes_of_it(calm: Desk) -> None:
    answer = calm.ask(RINI, subject="casino")

    assert (answer.status_code, "Periksa kotak surat Anda" in answer.text) == (200, True)
    assert calm.said() == []
    assert calm.mails() == []


@pytest.mark.parametrize("wait", [0.0, 1.9, 7201.0])
def test_a_form_that_comes_back_at_once_or_late_is_shown_again_as_it_was_filled_in(calm: Desk, wait: float) -> None:
    answer = calm.ask(RINI, "mingguan", wait=wait)

    assert answer.status_code == 422
    assert f'value="{RINI}"' in answer.text
    assert re.search(r'value="mingguan" checked', answer.text)
    assert calm.mails() == []


@pytest.mark.parametrize(
    "changes", [{"token": "A" * 32}, {"token": ""}, {"consent": "0" * 64}, {"consent": ""}], ids=str
)
def test_a_form_that_we_did_not_show_is_shown(calm: Desk, changes: dict[str, str]) -> None:
    data = calm.fields() | {"address": RINI, "newsletter": "ringkasan"} | changes
    assert calm.paper.http.post("/subscribe", data=data).status_code == 422
    assert calm.mails() == []


@pytest.mark.parametrize(
    "address",
    [
        "",
        "dewi",
        "a@x.test\r\nRCPT TO:<b@e>",
        "a@x.test, b@e.test",
        "-oQ/var@x",
        "a@[127.0.0.1]",
        "ADMIN@ıx.test@b.example",
        "a@" + "x" * 300 + ".example",
        '"><script>alert(1)</script>@a.example',
    ],
)
def test_t20_what_is_no_address_is_said_to_be_none(calm: Desk, address: str) -> None:
    answer = calm.ask(address)

    assert answer.status_code == 422
    assert "Periksa alamatnya" in answer.text
    assert "<script" not in answer.text
    assert calm.mails() == []


@pytest.mark.parametrize("newsletter", [[], ["tidak-ada"], ["' OR 1=1"]])
def test_who_chooses_nothing_that_exists_is_asked_to_choose(calm: Desk, newsletter: list[str]) -> None:
    answer = calm.ask(newsletter=newsletter)

    assert (answer.status_code, "Pilih sekurangnya satu" in answer.text) == (422, True)


def test_a_form_on_another_site_ends_on_our_page(desk: Desk) -> None:
    foreign = {"origin": "https://contohpos.example", "sec-fetch-site": "cross-site", "accept-language": "id"}
    embedded = {"address": RINI, "newsletter": "mingguan"}
    first = desk.paper.http.post("/subscribe", data=embedded, headers=foreign)
    assert first.status_code == 200
    assert f'value="{RINI}"' in first.text
    assert re.search(r'value="mingguan" checked', first.text)
    assert desk.mails() == []

    desk.paper.clock.at += timedelta(seconds=3)
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', first.text))
    desk.paper.http.post("/subscribe", data=fields | embedded)
    assert len(desk.mails()) == 1
    assert [one.origin for one in desk.said()] == ["form"]


def test_the_documented_form_is_one_that_works() -> None:
    snippet = re.search(r"```html\n(.*?)```", (Path(__file__).parents[2] / "docs" / "http.md").read_text("utf-8"), re.S)
    assert snippet is not None
    form = html5lib.parseFragment(snippet[1], namespaceHTMLElements=False).find(".//form")
    assert form is not None
    assert (form.get("method"), form.get("action").endswith("/subscribe")) == ("post", True)
    assert {one.get("name") for one in form.iter("input")} == {"address", "newsletter"}


def test_a_newsletter_can_be_chosen_by_the_address_of_the_page(calm: Desk) -> None:
    page = calm.paper.get("/subscribe?newsletter=mingguan&newsletter=tidak-ada").text

    assert re.findall(r'value="([\w-]+)" checked', page) == ["mingguan"]


def test_pages_are_valid_and_can_be_reached_by_everybody(desk: Desk) -> None:
    desk.ask()
    path = desk.link()
    shown = [desk.paper.get("/subscribe"), desk.ask(""), desk.ask(), desk.paper.get(path), desk.paper.get("/c/none")]
    data = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', shown[3].text))
    shown += [desk.paper.http.post(path, data=data | {"answer": answer}) for answer in ("confirmed", "denied")]
    for answer in shown:
        html5lib.HTMLParser(strict=True).parse(answer.text)
        check_reach(str(answer.url), answer.text)
        assert answer.headers["cache-control"] == "no-store"
        assert "set-cookie" not in answer.headers
    for answer in shown[3:]:
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-robots-tag"] == "noindex, nofollow"


def test_without_newsletters_there_is_nothing_to_subscribe_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        paper_module, "CONFIG", re.sub(r"\[\[newsletters\]\]\n(?:[^\[].*\n|\n)+", "", paper_module.CONFIG)
    )
    with running(tmp_path, sample=False) as paper:
        assert paper.get("/subscribe").status_code == paper.get(API).status_code == 404
        assert "/subscribe" not in paper.get("/").text


# ── looking changes nothing ──────────────────────────────────────────────────────────────────────────────────────────


def test_t15_a_scanner_that_follows_every_link_three_times_changes_nothing(desk: Desk) -> None:
    desk.ask(RINI, "ringkasan", "mingguan")
    (mail,) = desk.mails()
    found = [link for link in links(mail) if link.startswith(desk.paper.origin)]
    assert any("/c/" in link for link in found)
    before = desk.everything()
    for method in ("GET", "HEAD", "OPTIONS") * 3:
        for link in (*found, f"{found[0]}?answer=confirmed", "/subscribe", f"/subscribe?address={RINI}", API):
            answer = desk.paper.http.request(method, link, headers={"purpose": "prefetch"})
            assert answer.status_code in (200, 405)

    assert desk.everything() == before
    assert len(desk.mails()) == 1


@pytest.mark.parametrize(
    "data", [{}, {"answer": "confirmed"}, {"consent": "x", "answer": "confirmed"}, {"answer": "yes"}, {"answer": ""}]
)
def test_a_post_without_one_of_the_buttons_shows_the_page(desk: Desk, data: dict[str, str]) -> None:
    desk.ask()
    path = desk.link()
    answer = desk.paper.http.post(path, data=data)

    assert answer.text == desk.paper.get(path).text
    assert desk.standing() == {}


@pytest.mark.parametrize("body", [b"\xff\x00", b"answer=confirmed&" * 200, b"--x\r\nbroken"])
def test_a_body_that_is_no_form_changes_nothing(desk: Desk, body: bytes) -> None:
    desk.ask()
    path = desk.link()
    for kind in ("multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "text/plain"):
        answer = desk.paper.http.post(path, content=body, headers={"content-type": kind})
        assert answer.status_code in (200, 400)

    assert desk.standing() == {}


def test_t14_everything_that_is_no_link_of_ours_gets_one_same_answer(desk: Desk) -> None:
    desk.ask()
    good = desk.link().removeprefix("/c/")
    ring = desk.paper.app.room.ring
    about = name_number(desk.paper.app.digest("orang@lain.example"))
    forged = [
        *(good[:place] + ("A" if good[place] != "A" else "B") + good[place + 1 :] for place in range(0, 44, 5)),
        make_token(ring, Token(purpose=Purpose.UNSUBSCRIBE, subscriber=1, newsletter=about, generation=0)),
        make_token(ring, Token(purpose=Purpose.CONFIRM, subscriber=1, newsletter=about, generation=0)),
        make_token(ring, Token(purpose=Purpose.CONFIRM, subscriber=99, newsletter=about, generation=0)),
        "1",
        "A" * 4000,
    ]
    data = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', desk.paper.get(f"/c/{good}").text))
    unknown = desk.paper.get("/c/unknown")
    assert unknown.status_code == 404
    for token in forged:
        assert same(desk.paper.get(f"/c/{token}"), unknown)
        assert same(desk.paper.http.post(f"/c/{token}", data=data | {"answer": "confirmed"}, headers=_plain()), unknown)
    assert desk.standing() == {}


def test_a_link_is_over_after_a_week(desk: Desk) -> None:
    desk.ask()
    path = desk.link()
    desk.paper.clock.at += timedelta(days=7)

    assert same(desk.paper.get(path), desk.paper.get("/c/unknown"))


# ── the API ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_api_says_what_there_is_and_what_people_agree_to(calm: Desk) -> None:
    offer = calm.paper.get(f"{API}?lang=en").json()

    assert [one["name"] for one in offer["newsletters"]] == ["ringkasan", "mingguan"]
    assert offer["consent"]["language"] == "en"
    assert offer["consent"]["digest"] == hashlib.sha256(offer["consent"]["text"].encode()).hexdigest()


def test_the_api_takes_a_request_that_ends_like_any_other(desk: Desk) -> None:
    answer = desk.wish()

    assert (answer.status_code, answer.json()) == (202, {"status": "asked"})
    assert [one.origin for one in desk.said()] == ["api"]
    assert len(desk.mails()) == 1


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"address": "dewi"}, "address: "),
        ({"address": 7}, "not as documented: address"),
        ({"newsletters": []}, "not as documented: newsletters"),
        ({"newsletters": ["ringkasan", "tidak-ada"]}, "newsletters: "),
        ({"token": "A" * 32}, "token: "),
        ({"consent": "0" * 64}, "consent: "),
        ({"name": SPAM}, "not as documented: name"),
    ],
)
def test_the_api_says_what_is_wrong_with_a_request(calm: Desk, changes: dict[str, Any], detail: str) -> None:
    answer = calm.wish(**changes)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].startswith(detail)
    assert "spam" not in answer.text
    assert calm.mails() == []


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"{" * 30_000, b'{"address": 1}'])
def test_what_is_no_request_is_refused(calm: Desk, body: bytes) -> None:
    assert calm.paper.http.post(API, content=body).status_code == 422


def test_the_api_has_the_form_s_defences(calm: Desk) -> None:
    form = calm.fields()["token"]
    assert calm.wish(token=form).status_code == 422, "a form's token is none of the API's"
    assert calm.wish(subject="casino").status_code == 202
    assert calm.mails() == []


# ── evidence ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_texts_that_people_agreed_to_are_never_changed() -> None:
    indonesian, english = (PHRASES.words(language, "consent") for language in ("id", "en"))
    both = {version: f"{text}\n{english[version]}" for version, text in indonesian.items()}

    assert {version: hashlib.sha256(text.encode()).hexdigest()[:16] for version, text in both.items()} == {
        "1": "d698c1f5556f9e38"
    }


def test_requests_are_forgotten_and_consents_are_kept(desk: Desk) -> None:
    desk.ask()
    desk.mails()
    desk.paper.clock.at += timedelta(days=8)
    desk.ask("lain@d.example")
    desk.mails()

    async def first() -> object:
        async with desk.paper.app.db.read() as connection:
            return await sign_ups.get(connection, 1)

    assert desk.paper.do(first()) is None
    assert [one.what for one in desk.said()] == [Said.ASKED]


def _plain() -> dict[str, str]:
    return {"accept-encoding": "identity"}
