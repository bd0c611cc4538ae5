"""Pages in a browser: nothing is blocked by our own policy, and leaving works without scripts."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from syndicate.domain.audience import SubscriptionState
from tests.web.paper import Paper

PHONE = ViewportSize(width=375, height=700)
LINE = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"


@pytest.fixture
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield program
        program.close()


def visit(browser: Browser, paper: Paper, path: str, *, width: int = 375) -> tuple[Page, list[str]]:
    """A page, and everything that the browser complained about. The newsroom's own site doesn't exist here."""
    page = browser.new_page(viewport={"width": width, "height": 700}, locale="id-ID")
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(paper.origin + path, wait_until="load")
    return page, complaints


def test_no_page_is_blocked_by_its_own_policy_nor_wider_than_a_phone(paper: Paper, browser: Browser) -> None:
    slot = paper.get("/editions/ringkasan/").text.split('href="/editions/ringkasan/')[1].split('"')[0]
    mail = paper.get("/outbox").text.split('href="/outbox/')[1].split('"')[0]
    story = paper.get("/feeds/terkini.json").json()["items"][0]["url"].removeprefix(paper.origin)
    paths = ["/", "/feeds/", "/feeds/terkini/", story, "/editions/ringkasan/", f"/editions/ringkasan/{slot}"]
    paths += ["/outbox", f"/outbox/{mail}", f"/outbox/{mail}/html", "/sample/receiver"]
    paths += [f"/u/{paper.token()}", "/subscribe", "/sign-in"]
    for path in paths:
        page, complaints = visit(browser, paper, path)
        assert complaints == [], path
        assert page.evaluate(LINE), f"{path} scrolls sideways"
        broken = page.evaluate("[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)")
        assert broken == [], path
        page.close()


def test_the_keyboard_reaches_the_content_first(paper: Paper, browser: Browser) -> None:
    page, _ = visit(browser, paper, "/feeds/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#content"


def test_a_reader_leaves_with_the_button_and_without_scripts(own_paper: Paper, browser: Browser) -> None:
    page = browser.new_context(java_script_enabled=False, locale="id-ID").new_page()
    page.goto(f"{own_paper.origin}/u/{own_paper.token()}")
    page.get_by_role("button", name="Berhenti berlangganan").click()
    assert "Anda sudah berhenti berlangganan" in page.inner_text("h1")
    assert own_paper.subscriptions()["ringkasan"].state is SubscriptionState.ENDED


def test_a_reader_signs_up_and_confirms_without_scripts(own_paper: Paper, browser: Browser) -> None:
    page = browser.new_context(java_script_enabled=False, locale="id-ID", viewport=PHONE).new_page()
    page.goto(f"{own_paper.origin}/")
    page.get_by_role("link", name="Berlangganan lewat e-mail").click()
    page.get_by_label("Alamat e-mail").fill("rini@pembaca.example")
    page.get_by_label("Mingguan").check()
    own_paper.clock.at += timedelta(seconds=9)
    page.get_by_role("button", name="Daftarkan saya").click()
    assert page.inner_text("h1") == "Periksa kotak surat Anda"
    own_paper.turn(timedelta(0))
    page.goto(f"{own_paper.origin}/outbox")
    page.get_by_role("link", name="Konfirmasi langganan").click()
    link = page.frame_locator("iframe").get_by_role("link", name="Lihat dan konfirmasi").get_attribute("href")
    page.goto(str(link))
    assert "Mingguan" in page.inner_text("main")
    page.get_by_role("button", name="Ya, kirimi saya").click()
    assert page.inner_text("h1") == "Langganan Anda dimulai"
    chosen = own_paper.subscriptions(4)
    assert {name: one.state for name, one in chosen.items()} == {"mingguan": SubscriptionState.ACTIVE}
