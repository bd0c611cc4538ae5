"""What all formats say alike: what stands under a picture, which newsroom a story is from, what stands above a body."""

from dataclasses import replace
from urllib.parse import quote, urlsplit, urlunsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.formats.wording import _PLAIN_ADDRESS, standfirst, web_address, wording
from tests.formats.samples import PICTURE, SITE, make_article, withdrawn


def under_the_picture(caption: str, credit: str) -> str:
    image = wording(make_article(picture=replace(PICTURE, caption=caption, credit=credit)), SITE).image
    assert image is not None
    return image.caption


@pytest.mark.parametrize(
    ("caption", "credit"),
    [
        ("Jembatan baru. (Foto: Siti/Koran)", "Siti/Koran"),
        ("Jembatan baru. (Foto: Siti/Koran)", "Foto: Siti/Koran"),
        ("Jembatan baru. (FOTO: SITI / KORAN).", "Foto:  Siti /\nKoran"),
        ("Jembatan baru — Siti/Koran", "Siti/Koran"),
        ("(Siti/Koran) Jembatan baru", "Siti/Koran"),
        ("Jembatan baru", ""),
    ],
)
def test_a_credit_that_the_caption_holds_is_not_said_twice(caption: str, credit: str) -> None:
    assert under_the_picture(caption, credit) == caption


@pytest.mark.parametrize(
    ("caption", "credit"),
    [
        ("Jembatan di antara dua desa", "Antara"),
        ("Warga menunggu di Pos Siti", "Pos"),
        ("Peserta ujian CPNS (Dok. CPNS)", "CP"),
        ("Jembatan baru. (Foto: Siti/Koran)", "Rahmat/Koran"),
    ],
)
def test_a_credit_is_never_lost_because_the_caption_has_the_same_letters(caption: str, credit: str) -> None:
    assert under_the_picture(caption, credit) == f"{caption} ({credit})"


def test_a_credit_without_a_caption_stands_alone() -> None:
    assert under_the_picture("", "Siti/Koran") == "(Siti/Koran)"


@pytest.mark.parametrize(
    ("url", "newsroom"),
    [
        ("https://contohpos.example/kota/1", ""),
        ("http://www.ContohPos.example:8080/kota/1", ""),
        ("https://bola.contohpos.example/1", ""),
        (None, ""),
        ("https://www.kabarmalang.example/1", "kabarmalang.example"),
        ("https://bukancontohpos.example/1", "bukancontohpos.example"),
    ],
)
def test_a_story_names_its_newsroom_when_that_is_another_one(url: str | None, newsroom: str) -> None:
    assert wording(make_article(url=url), SITE).newsroom == newsroom
    assert wording(withdrawn(url=url), SITE).newsroom == newsroom


LEAD = "Warga menyeberang sejak pagi. Bupati ikut di depan."


@pytest.mark.parametrize(
    ("summary", "body"),
    [
        (LEAD, f"<p>{LEAD} Pasar ramai.</p><p>Lalu hujan.</p>"),
        ("Warga menyeberang sejak pagi. Bupati…", f"<p>{LEAD}</p>"),
        ("Warga menyeberang sejak pagi. Bupati [...]", f"<p>{LEAD}</p>"),
        (LEAD, f"<p>MALANG, CONTOH POS – {LEAD}</p>"),
        (f"{LEAD} Lalu", f"<p>{LEAD}</p><p>Lalu hujan.</p>"),
        (LEAD, f'<figure><img src="/a.jpg"><figcaption>{"Keterangan " * 40}</figcaption></figure><p>{LEAD}</p>'),
    ],
)
def test_a_standfirst_that_only_begins_the_body_is_left_out(summary: str, body: str) -> None:
    assert standfirst(make_article(summary=summary, body_html=body).content) == ""


@pytest.mark.parametrize(
    "body", ["", "<p>Yang lain.</p>", f"<p>Bupati ikut di depan.</p><p>{'Kata ' * 60}</p><p>{LEAD}</p>"]
)
def test_a_standfirst_of_its_own_stays(body: str) -> None:
    assert standfirst(make_article(summary=LEAD, body_html=body).content) == LEAD


@given(st.from_regex(_PLAIN_ADDRESS, fullmatch=True))
def test_a_plain_address_is_what_taking_it_apart_would_make_of_it(url: str) -> None:
    parts = urlsplit(url)

    assert (
        urlunsplit((parts.scheme, f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname, *parts[2:]))
        == url
    )
    assert (parts.hostname or "").encode("idna").decode("ascii") == parts.hostname
    assert quote(parts.path, safe="/~") == parts.path
    assert web_address(url) == url
