"""A newspaper with one file more: its pages, mails, consents and feeds speak the language of that file."""

import email.parser
import email.policy
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import html5lib
import pytest

from syndicate.formats.catalogues import load_phrases
from syndicate.web.subscribe import _newest_consent
from tests.formats.samples import SITE
from tests.phrases import LOCALE
from tests.web.paper import Paper, fill, running, story
from tests.web.test_subscribe import RINI, Desk

POLISH = Path(__file__).resolve().parents[1] / "locale" / "pl.po"
CONSENT = "Chcę otrzymywać wybrane biuletyny"


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paper]:
    """A newspaper that has the file."""
    folder = tmp_path_factory.mktemp("polish")
    (folder / "locale").mkdir()
    shutil.copy(POLISH, folder / "locale")
    with running(folder) as own:
        fill(own)
        yield own


@pytest.mark.parametrize(("query", "accepted"), [("?lang=pl", "en"), ("", "pl-PL, en;q=0.5"), ("", "de, pl;q=0.2")])
def test_pages_speak_it_when_asked_or_when_the_browser_does(paper: Paper, query: str, accepted: str) -> None:
    page = paper.get(f"/feeds/{query}", accept_language=accepted).text

    html5lib.HTMLParser(strict=True).parse(page)
    assert '<html lang="pl">' in page
    assert "Przejdź do treści" in page
    assert "w swoim czytniku" in page
    assert "All at once" in page, "what it lacks is said in English"


def test_pages_offer_it_by_the_name_it_calls_itself(paper: Paper) -> None:
    page = paper.get("/", accept_language="id").text

    assert '<a href="?lang=pl" lang="pl" hreflang="pl">Polski</a>' in page
    assert "Bahasa Indonesia" in page


def test_dates_on_pages_are_in_it(paper: Paper) -> None:
    address = next(one["url"] for one in paper.get("/feeds/terkini.json").json()["items"])

    assert "24 listopada 2026" in paper.get(f"{address}?lang=pl").text


def test_a_reader_is_asked_and_consents_in_it(paper: Paper) -> None:
    desk = Desk(paper)
    form = desk.paper.get("/subscribe?lang=pl").text
    fields = desk.fields() | {"address": RINI, "newsletter": "ringkasan"}
    digest = form.partition('name="consent" value="')[2].partition('"')[0]

    asked = paper.http.post("/subscribe?lang=pl", data=fields | {"consent": digest})
    (mail,) = mails(paper, "Potwierdź")

    assert CONSENT in form
    assert asked.status_code == 200
    assert mail["Subject"].startswith("Potwierdź subskrypcję: ")
    body = mail.get_body(("plain",))
    assert body is not None
    assert "Odnośnik jest ważny do: wtorek, 1 grudnia 2026." in " ".join(body.get_content().split())
    assert [(one.language, one.text_version) for one in desk.said()] == [("pl", 1)]


def test_a_language_without_a_text_of_consent_shows_the_english_one_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "pl.po").write_text(POLISH.read_text("utf-8").partition('msgctxt "consent"')[0], "utf-8")
    site = replace(SITE, phrases=load_phrases((tmp_path, LOCALE)))

    assert _newest_consent(site, "pl") == _newest_consent(site, "en")
    assert _newest_consent(site, "pl").language == "en"


def test_a_withdrawn_story_in_it_says_so_in_it(paper: Paper) -> None:
    written = story("Most otwarty", "Most jest otwarty.").replace('language = "id"', 'language = "pl"')
    paper.publish("most.md", written)
    address = next(i["url"] for i in paper.get("/feeds/terkini.json").json()["items"] if "Most" in i["title"])

    (paper.folder / "newsroom" / "most.md").unlink()
    paper.turn(timedelta(minutes=10))
    paper.turn(timedelta(minutes=10))

    assert paper.get(address).status_code == 410
    item = next(i for i in paper.get("/feeds/terkini.json").json()["items"] if "Most" in i["title"])
    assert item["title"] == "[WYCOFANO] Most otwarty"
    assert item["content_html"].startswith("<p>Redakcja wycofała ten artykuł 24 listopada 2026.")


def mails(paper: Paper, subject: str) -> list[EmailMessage]:
    """What lies in the outbox once everything that is due is done."""
    paper.turn(timedelta(0))
    folder = paper.folder / "var" / "outbox" / "new"
    parser = email.parser.BytesParser(EmailMessage, policy=email.policy.default)
    return [one for one in (parser.parsebytes(f.read_bytes()) for f in folder.iterdir()) if subject in one["Subject"]]
