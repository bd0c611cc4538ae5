"""`/p/TOKEN`: looking changes nothing, the buttons do what they say, and no other link opens it."""

import email
import email.policy
import json
import re
from collections.abc import Mapping
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import httpx2
import pytest
from selectolax.lexbor import LexborHTMLParser

from syndicate import work
from syndicate.domain.audience import SubscriptionState
from syndicate.domain.consent import Consent
from syndicate.domain.token import Purpose
from syndicate.store import audience, consents
from tests.web.paper import Paper
from tests.web.test_readers import links_of, mail_of

OWN = {"sec-fetch-site": "same-origin"}
DEWI = "dewi@pembaca.example"


def form_of(page: httpx2.Response, action: str = "") -> dict[str, list[str]]:
    """What a browser would send of the form with this action, `/p/TOKEN…`, as it stands on the page."""
    form = next(
        one
        for one in LexborHTMLParser(page.text).css("form")
        if (one.attributes.get("action") or "").partition("?")[0].endswith(action)
    )
    sent: dict[str, list[str]] = {}
    for field in form.css("input"):
        kind, name = field.attributes.get("type"), field.attributes.get("name") or ""
        if kind not in ("checkbox", "radio") or "checked" in field.attributes:
            sent.setdefault(name, []).append(field.attributes.get("value") or "")
    for choice in form.css("select"):
        (chosen,) = choice.css("option[selected]") or choice.css("option:first-child")[:1]
        sent[choice.attributes.get("name") or ""] = [chosen.attributes.get("value") or ""]
    return sent


def post(paper: Paper, path: str, data: Mapping[str, Any], **headers: str) -> httpx2.Response:
    return paper.http.post(
        path, data=dict(data), headers={**OWN, **{k.replace("_", "-"): v for k, v in headers.items()}}
    )


def choose(paper: Paper, **changes: list[str]) -> httpx2.Response:
    """Opens the page, fills in some fields otherwise, and saves."""
    link = f"/p/{paper.choices()}"
    filled = form_of(paper.get(link), link) | {name.replace("_", "-"): value for name, value in changes.items()}
    return post(paper, link, filled, accept_language="id")


def active(paper: Paper, subscriber: int = 1) -> set[str]:
    chosen = paper.subscriptions(subscriber).values()
    return {one.newsletter for one in chosen if one.state is SubscriptionState.ACTIVE}


def said(paper: Paper, address: str = DEWI) -> list[Consent]:
    async def ask() -> list[Consent]:
        async with paper.app.db.read() as connection:
            return await consents.of_person(connection, paper.app.digest(address))

    return paper.do(ask())


def address_of(paper: Paper, subscriber: int = 1) -> str:
    async def ask() -> str:
        async with paper.app.db.read() as connection:
            person = await audience.get(connection, subscriber)
        return person.address if person else ""

    return paper.do(ask())


def mails(paper: Paper) -> list[EmailMessage]:
    """All in the outbox, the newest last."""
    files = sorted((paper.folder / "var" / "outbox" / "new").iterdir(), key=lambda file: file.stat().st_mtime_ns)
    parsed = [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in files]
    return [mail for mail in parsed if isinstance(mail, EmailMessage)]


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


# ── the link and the page ────────────────────────────────────────────────────────────────────────────────────────────


def test_every_mail_leads_to_the_reader_s_own_choices_in_both_parts(paper: Paper) -> None:
    mail = mail_of(paper)
    links = [link for link in links_of(mail) if "/p/" in link]

    assert len(links) == 2
    assert len(set(links)) == 1
    assert paper.get(links[0].removeprefix(paper.origin)).status_code == 200


def test_the_page_shows_what_is_chosen_and_no_address(paper: Paper) -> None:
    page = paper.get(f"/p/{paper.choices()}", accept_language="id")
    filled = form_of(page, paper.choices())

    assert filled["newsletter"] == ["ringkasan", "mingguan"]
    assert (filled["hour"], filled["zone"], filled["language"], filled["pause"]) == (
        [""],
        ["Asia/Jakarta"],
        ["id"],
        [""],
    )
    assert "d***@pembaca.example" in page.text
    assert DEWI not in page.text


def test_only_what_a_newsletter_offers_is_on_the_page(paper: Paper) -> None:
    page = LexborHTMLParser(paper.get(f"/p/{paper.choices()}").text)

    assert [one.attributes["value"] for one in page.css("input[name=topics-mingguan]")] == ["kota", "daerah"]
    assert page.css("input[name=topics-ringkasan], input[name^=rhythm-]") == []


@pytest.mark.parametrize("path", ["", "/address", "/erase"])
def test_t47_no_cache_no_search_engine_and_no_other_site_learns_of_the_page(paper: Paper, path: str) -> None:
    headers = paper.get(f"/p/{paper.choices()}{path}").headers

    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-robots-tag"] == "noindex, nofollow"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize("path", ["", "/address", "/data", "/erase"])
def test_t14_every_other_link_gets_one_same_answer(paper: Paper, path: str) -> None:
    unknown = paper.get("/p/unknown").content
    strangers = [paper.token(purpose=purpose) for purpose in Purpose]
    strangers += [paper.choices(subscriber=999), paper.choices(generation=1), paper.choices()[:-1], "A" * 44]
    for token in strangers:
        answers = [post(paper, f"/p/{token}{path}", {"newsletter": "ringkasan"})]
        answers += [] if path == "/data" else [paper.get(f"/p/{token}{path}")]
        assert {answer.status_code for answer in answers} == {404}, token
        assert {answer.content for answer in answers} == {unknown}, token
    assert active(paper) == {"ringkasan", "mingguan"}


def test_t15_fetching_every_link_of_the_mail_and_of_the_page_changes_nothing(paper: Paper) -> None:
    links = {link.removeprefix(paper.origin) for link in links_of(mail_of(paper)) if link.startswith(paper.origin)}
    own = next(link for link in links if link.startswith("/p/"))
    for node in LexborHTMLParser(paper.get(own).text).css("a[href], form[action]"):
        target = (node.attributes.get("href") or node.attributes.get("action") or "").partition("#")[0]
        links |= {target} if target.startswith("/") else {own + target} if target.startswith("?") else set()
    before = [(paper.subscriptions(number), address_of(paper, number)) for number in (1, 2, 3)]
    heard = said(paper)

    assert {f"{own}/erase", f"{own}/address"} <= links
    for method in ("GET", "HEAD", "OPTIONS") * 3:
        for link in sorted(links):
            paper.http.request(method, link, headers={"purpose": "prefetch"})
    assert [(paper.subscriptions(number), address_of(paper, number)) for number in (1, 2, 3)] == before
    assert said(paper) == heard


@pytest.mark.parametrize("path", ["", "/address", "/data", "/erase"])
@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://jahat.example"},
        {"sec-fetch-site": "cross-site", "origin": "null"},
    ],
)
def test_t17_no_page_of_another_site_presses_a_button(paper: Paper, path: str, headers: dict[str, str]) -> None:
    answer = paper.http.post(f"/p/{paper.choices()}{path}", data={}, headers=headers)

    assert answer.status_code == 403
    assert active(paper) == {"ringkasan", "mingguan"}


@pytest.mark.parametrize("headers", [{}, {"origin": "null"}, {"sec-fetch-site": "same-origin", "origin": "null"}])
def test_a_browser_that_names_no_origin_for_a_secret_address_is_not_turned_away(
    own_paper: Paper, headers: dict[str, str]
) -> None:
    """`no-referrer` makes them send `Origin: null`, Fetch §3.2; old ones have no Fetch Metadata."""
    link = f"/p/{own_paper.choices()}"
    filled = form_of(own_paper.get(link), link) | {"newsletter": ["mingguan"]}

    assert own_paper.http.post(link, data=filled, headers=headers).status_code == 200
    assert active(own_paper) == {"mingguan"}


# ── saving ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_answer_says_what_was_saved_and_the_page_shows_it_from_then_on(own_paper: Paper) -> None:
    answer = choose(own_paper, newsletter=["mingguan"], topics_mingguan=["daerah"], hour=["7"], pause=["2026-12-01"])
    shown = form_of(own_paper.get(f"/p/{own_paper.choices()}"), own_paper.choices())

    assert answer.status_code == 200
    for line in (
        "Tersimpan",
        "Ringkasan Contoh Pos: tidak dikirim lagi kepada Anda.",
        "Mingguan, diubah: Topik.",
        "Untuk semua surat, diubah: Paling cepat pukul, Jeda sampai.",
        "Surat Anda dijeda sampai 1 Desember 2026.",
    ):
        assert line in answer.text
    assert form_of(answer, own_paper.choices()) | {"token": []} == shown | {"token": []}
    assert shown["newsletter"] == ["mingguan"]
    assert (shown["topics-mingguan"], shown["hour"], shown["pause"]) == (["daerah"], ["7"], ["2026-12-01"])
    assert active(own_paper) == {"mingguan"}
    assert active(own_paper, 2) == {"ringkasan", "mingguan"}


def test_a_field_that_can_t_be_taken_is_named_beside_itself_and_what_was_typed_stays(own_paper: Paper) -> None:
    answer = choose(own_paper, newsletter=["mingguan"], hour=["25"], pause=["2020-01-01"])
    page = LexborHTMLParser(answer.text)

    assert answer.status_code == 422
    assert [one.text() for one in page.css(".flaw")] == [
        "Paling cepat pukul: pilih jam dari daftar.",
        "Jeda sampai: pilih tanggal mulai besok, paling lama setahun.",
    ]
    for name in ("hour", "pause"):
        (field,) = page.css(f"[name={name}]")
        assert field.attributes["aria-invalid"] == "true"
        assert page.css(f"#{field.attributes['aria-describedby']}")
    assert form_of(answer, own_paper.choices())["newsletter"] == ["mingguan"]
    assert form_of(answer, own_paper.choices())["pause"] == ["2020-01-01"]
    assert active(own_paper) == {"ringkasan", "mingguan"}


def test_the_ledger_has_the_hash_and_version_of_the_text_on_the_page(own_paper: Paper) -> None:
    shown = form_of(own_paper.get(f"/p/{own_paper.choices()}?lang=en"), own_paper.choices())["consent"]
    filled = form_of(own_paper.get(f"/p/{own_paper.choices()}"), own_paper.choices())
    post(own_paper, f"/p/{own_paper.choices()}", filled | {"consent": shown, "newsletter": ["ringkasan"]})
    last = said(own_paper)[-1]

    assert (last.newsletter, last.what.value, last.origin) == ("mingguan", "ended", "link")
    assert ([last.text_hash], last.text_version, last.language, last.network) == (shown, 1, "en", "127.0.0.0/24")


def test_a_form_with_a_text_that_is_shown_no_more_is_shown_again(own_paper: Paper) -> None:
    answer = choose(own_paper, newsletter=[], consent=["0" * 64])

    assert answer.status_code == 422
    assert "terlalu lama terbuka" in answer.text
    assert active(own_paper) == {"ringkasan", "mingguan"}


@pytest.mark.parametrize(
    "hostile", ['"><script>alert(1)</script>', "{site}", "../../etc/passwd", "x" * 5000, "\x00", "é" * 200]
)
def test_whatever_stands_in_the_fields_is_refused_and_comes_back_as_text(own_paper: Paper, hostile: str) -> None:
    for field in ("newsletter", "topics_mingguan", "hour", "zone", "language", "pause"):
        answer = choose(own_paper, **{field: [hostile]})
        assert answer.status_code == 422, field
        assert "<script" not in answer.text
    assert active(own_paper) == {"ringkasan", "mingguan"}


# ── another address ──────────────────────────────────────────────────────────────────────────────────────────────────


def ask_for(paper: Paper, address: str, **changes: str) -> httpx2.Response:
    link = f"/p/{paper.choices()}"
    filled = {name: "".join(value) for name, value in form_of(paper.get(link), "/address").items()}
    paper.clock.at += timedelta(seconds=5)
    return post(paper, f"{link}/address", filled | {"address": address} | changes, accept_language="id")


def confirm(paper: Paper, mail: EmailMessage, answer: str = "confirmed") -> httpx2.Response:
    (link,) = set(re.findall(r"/c/[\w-]{44}", text_of(mail)))
    (consent,) = form_of(paper.get(link))["consent"]
    return post(paper, link, {"consent": consent, "answer": answer}, accept_language="id")


def run(paper: Paper) -> None:
    paper.do(work.run_once(paper.app))


def test_a_reader_moves_when_the_new_address_says_yes_and_the_old_one_is_told(own_paper: Paper) -> None:
    paper = own_paper
    asked = ask_for(paper, "dewi.baru@pembaca.example")
    run(paper)
    question = mails(paper)[-1]
    before = address_of(paper)
    shown = paper.get(re.findall(r"/c/[\w-]{44}", text_of(question))[0], accept_language="id")
    answer = confirm(paper, question)
    run(paper)
    notice = mails(paper)[-1]

    assert "Periksa kotak surat yang baru" in asked.text
    assert (before, address_of(paper)) == (DEWI, "dewi.baru@pembaca.example")
    assert (question["To"], notice["To"]) == ("dewi.baru@pembaca.example", DEWI)
    assert "Seorang pembaca Contoh Pos" in shown.text
    assert "Alamat Anda sudah diganti" in answer.text
    assert "tidak dikirim lagi ke alamat ini" in " ".join(text_of(notice).split())
    assert "dewi.baru" not in notice.as_string()
    assert "/c/" not in text_of(notice)
    assert active(paper) == {"ringkasan", "mingguan"}
    assert [(one.what.value, one.newsletter) for one in said(paper)[-1:]] == [("moved", "")]
    assert [(one.what.value, one.newsletter) for one in said(paper, "dewi.baru@pembaca.example")] == [
        ("asked", "mingguan"),
        ("asked", "ringkasan"),
        ("confirmed", "mingguan"),
        ("confirmed", "ringkasan"),
    ]


def test_old_links_die_with_the_old_address_but_those_to_unsubscribe(own_paper: Paper) -> None:
    paper = own_paper
    ask_for(paper, "dewi.baru@pembaca.example")
    run(paper)
    answer = confirm(paper, mails(paper)[-1])
    (own,) = re.findall(r'href="(/p/[\w-]{44})', answer.text)

    assert paper.get(f"/p/{paper.choices()}").status_code == 404
    assert paper.get(own).status_code == 200
    assert paper.http.post(f"/u/{paper.token()}").status_code == 200
    assert active(paper) == {"mingguan"}


def test_the_answer_is_the_same_whoever_the_new_address_belongs_to(own_paper: Paper) -> None:
    paper = own_paper

    async def bar() -> None:
        async with paper.app.db.write() as connection:
            await audience.suppress(connection, paper.app.digest("lapor@x.example"), "complaint", now=paper.clock.at)

    paper.do(bar())
    count = len(mails(paper))
    addresses = ("bagus@pembaca.example", DEWI, DEWI.upper(), "lapor@x.example")
    answers = [ask_for(paper, address) for address in addresses]
    answers.append(ask_for(paper, "baru@x.example", subject="I am a program"))
    good = ask_for(paper, "baru@x.example")
    run(paper)

    assert {(answer.status_code, answer.content) for answer in answers} == {(200, good.content)}
    assert [mail["To"] for mail in mails(paper)[count:]] == ["baru@x.example"]


def test_one_address_is_asked_once_a_day_however_often_it_is_typed(own_paper: Paper) -> None:
    count = len(mails(own_paper))
    for _ in range(4):
        assert ask_for(own_paper, "baru@x.example").status_code == 200
    run(own_paper)

    assert len(mails(own_paper)) == count + 1


def test_not_me_leaves_everything_as_it_is(own_paper: Paper) -> None:
    ask_for(own_paper, "orang.lain@x.example")
    run(own_paper)
    question = mails(own_paper)[-1]
    denied = confirm(own_paper, question, "denied")
    again = confirm_again(own_paper, question)

    assert "Permintaan ini sudah dihapus" in denied.text
    assert "Tautan ini sudah dipakai" in again
    assert address_of(own_paper) == DEWI


def confirm_again(paper: Paper, mail: EmailMessage) -> str:
    (link,) = set(re.findall(r"/c/[\w-]{44}", text_of(mail)))
    return paper.get(link, accept_language="id").text


@pytest.mark.parametrize("typed", ["", "no address", "a@b@c.example", "a@x.example\r\nBcc: b@x.example", "<script>@x"])
def test_what_is_no_address_comes_back_with_its_field_named(own_paper: Paper, typed: str) -> None:
    answer = ask_for(own_paper, typed)
    page = LexborHTMLParser(answer.text)

    assert answer.status_code == 422
    assert [one.text() for one in page.css(".flaw")] == ["Alamat e-mail baru: tulis seperti nama@contoh.com."]
    assert "<script" not in answer.text


def test_a_form_that_comes_back_at_once_or_after_hours_is_shown_again(own_paper: Paper) -> None:
    link = f"/p/{own_paper.choices()}"
    filled = {name: "".join(value) for name, value in form_of(own_paper.get(link), "/address").items()}
    for wait in (timedelta(0), timedelta(hours=3)):
        own_paper.clock.at += wait
        answer = post(own_paper, f"{link}/address", filled | {"address": "baru@x.example"})
        assert answer.status_code == 422
    run(own_paper)

    assert all(mail["To"] != "baru@x.example" for mail in mails(own_paper))


# ── what is kept, and being forgotten ────────────────────────────────────────────────────────────────────────────────


def test_the_file_has_all_that_is_kept_and_no_secret(own_paper: Paper) -> None:
    paper = own_paper
    choose(paper, topics_mingguan=["kota"], hour=["7"])
    ask_for(paper, "baru@x.example")
    answer = post(paper, f"/p/{paper.choices()}/data", {})
    held = json.loads(answer.content)

    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-disposition"] == 'attachment; filename="data.json"'
    assert answer.headers["cache-control"] == "no-store"
    assert held["address"] == DEWI
    assert {one["newsletter"] for one in held["subscriptions"]} == {"ringkasan", "mingguan"}
    assert [(one["said"], one["newsletter"], one["note"]) for one in held["consents"]] == [
        ("changed", "mingguan", "topics: kota"),
        ("changed", "", "hour: 7"),
    ]
    assert [(one["about"], one["address"]) for one in held["requests"]] == [("move", "baru@x.example")]
    assert (held["hour"], held["paused_until"]) == (7, None)
    assert [(one["newsletter"], one["state"]) for one in held["mails"]] == [("ringkasan", "accepted")]
    assert held["complete"] is True
    for secret in (paper.choices(), paper.token(), paper.app.digest(DEWI), "bagus@"):
        assert secret not in answer.text


def test_being_forgotten_takes_two_steps_and_then_nothing_names_the_reader(own_paper: Paper) -> None:
    paper, link = own_paper, f"/p/{own_paper.choices()}/erase"
    shown = paper.get(link, accept_language="id")
    before = address_of(paper)
    answer = post(paper, link, {}, accept_language="id")

    assert shown.text.count("<form") == 1
    assert before == DEWI
    assert "Data Anda sudah dihapus" in answer.text
    assert address_of(paper) == ""
    for path in (f"/p/{paper.choices()}", link, f"/u/{paper.token()}"):
        assert paper.get(path).status_code == 404
    assert active(paper, 2) == {"ringkasan", "mingguan"}


def test_nobody_who_was_forgotten_gets_another_mail_and_no_start_brings_them_back(own_paper: Paper) -> None:
    paper = own_paper
    post(paper, f"/p/{paper.choices()}/erase", {})
    count = len(mails(paper))
    run(paper)  # the sample's readers are added at each start, but once
    paper.publish("baru.md", (paper.folder / "newsroom" / "pasar.md").read_text().replace("Pasar", "Baru: pasar"))

    assert DEWI not in {mail["To"] for mail in mails(paper)[count:]}
    assert len(mails(paper)) == count + 2
