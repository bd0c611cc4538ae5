"""Every kind of mail in a browser: legible in light and dark, and never wider than a phone."""

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, ViewportSize, sync_playwright

from syndicate.formats.digest import DigestView
from tests.browser.mails import make_view, picture_bytes, views
from tests.browser.mails import page as mail_page

PHONE: ViewportSize = {"width": 375, "height": 700}
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
OUTLOOK = "for (const name of ['data-ogsc', 'data-ogsb']) document.documentElement.setAttribute(name, '')"
KINDS = [pytest.param(view, id=name) for name, view in views()]
SMALL = [kind for kind in KINDS if not str(kind.id).endswith("-large")]  # axe takes seconds for a large one


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield program
        program.close()


@pytest.fixture(scope="module")
def phone(browser: Browser) -> Iterator[Page]:
    """A page as wide as a phone, which each test fills."""
    page = browser.new_page(viewport=PHONE, locale="id-ID")
    yield page
    page.close()


def draw(page: Page, html: str, *, pictures: bool) -> None:
    """Shows a mail; a picture comes for every address, or for none."""
    shown = picture_bytes(60, 34)

    def answer(route: Route) -> None:
        route.fulfill(body=shown, content_type="image/png") if pictures else route.abort()

    page.unroute_all()
    page.route("**/*", answer)
    page.set_content(html, wait_until="load")


@pytest.mark.parametrize("view", KINDS)
def test_no_mail_is_wider_than_a_phone_also_without_its_stylesheet(phone: Page, view: DigestView) -> None:
    html = mail_page(view)
    bare = re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL)
    assert bare != html

    for shown in (html, bare):
        for pictures in (True, False):
            draw(phone, shown, pictures=pictures)
            assert phone.evaluate(OVERFLOW) == 0


def faint(page: Page) -> list[str]:
    """What axe says of text that is hard to read, or that it can't judge."""
    only_contrast = {"runOnly": ["color-contrast"], "resultTypes": ["violations", "incomplete"]}
    found = Axe().run(page, options=only_contrast).response
    assert found["passes"]
    return [node["failureSummary"] for hit in found["violations"] + found["incomplete"] for node in hit["nodes"]]


@pytest.mark.parametrize("view", SMALL)
def test_every_text_has_a_contrast_of_4_5_in_light_and_dark_and_in_outlook_s_dark(
    phone: Page, view: DigestView
) -> None:
    draw(phone, mail_page(view), pictures=True)

    for scheme in ("light", "dark", "outlook"):
        phone.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        if scheme == "outlook":
            phone.evaluate(OUTLOOK)
        assert faint(phone) == [], scheme


def test_faint_text_and_a_wide_mail_would_be_found(phone: Page) -> None:
    view = make_view("sections")
    phone.emulate_media(color_scheme="light")
    draw(phone, mail_page(view).replace("color:#5c5c61", "color:#999999"), pictures=False)
    assert faint(phone)

    draw(phone, mail_page(view).replace("width:100%;max-width:600px", "width:600px"), pictures=False)
    assert phone.evaluate(OVERFLOW) > 0


@pytest.mark.parametrize("view", [kind for kind in KINDS if str(kind.id).endswith(("-id", "-look"))])
def test_assistive_technology_finds_no_fault(phone: Page, view: DigestView) -> None:
    phone.emulate_media(color_scheme="light")
    draw(phone, mail_page(view), pictures=True)
    found = Axe().run(phone, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}).response

    assert [(hit["id"], node["html"]) for hit in found["violations"] for node in hit["nodes"]] == []
