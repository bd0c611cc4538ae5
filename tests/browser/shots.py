"""Screenshots of every kind of mail, and of every kind of page: python -m tests.browser.shots OUTDIR [--url URL]

Needs a Chromium on the PATH. Each is taken at 375, 600 and 1280 pixels, light and dark; mails also with pictures off.
The pages are those of a running sample (`make up`), where --url says that there is one. Leaving a newsletter and
erasing a reader are looked at, not done.
"""

import argparse
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, Route, sync_playwright

from syndicate.domain.consent import Matter
from syndicate.formats.confirmation import ConfirmationView, render_confirmation
from tests.browser.mails import LETTER, SLOT, TEMPLATES, picture_bytes, views
from tests.browser.mails import page as mail_page
from tests.formats.samples import SITE

WIDTHS = (375, 600, 1280)  # CSS pixels: a phone, the page of a mail, a desk
SCHEMES = ("light", "dark")
_HEIGHT = 800
_LOCALE = "id-ID"
_ARTICLE = "a[href*='/articles/']"


def pages(page: Page, url: str) -> Iterator[tuple[str, str]]:
    """(name of the picture, address) of one page of each kind, found by following links as a reader does."""
    yield "home", f"{url}/"
    yield "home-english", f"{url}/?lang=en"
    yield "feeds", f"{url}/feeds/"
    feed = _first(page, f"{url}/feeds/", ".entry h2 a")
    yield "feed", feed
    yield "article", _first(page, feed, f".with-picture {_ARTICLE}")
    yield "article-plain", _first(page, feed, f".entry:not(.with-picture) {_ARTICLE}")
    editions = _first(page, f"{url}/", "a[href*='/editions/']")
    yield "editions", editions
    yield "edition", _first(page, editions, ".entry a")
    yield "outbox", f"{url}/outbox"
    mail = _first(page, f"{url}/outbox", ".entry a[href*='/outbox/']")
    yield "mail", mail
    yield "mail-alone", f"{urlsplit(mail)._replace(query='').geturl()}/html"
    page.goto(mail)
    head = page.locator("details pre").text_content() or ""
    leave = re.search(r"List-Unsubscribe:\s*<(http[^>]+)>", head)
    if leave:
        yield "leave", leave[1]
    choices = re.search(r"^http\S+/p/\S+", page.locator("pre").last.text_content() or "", re.MULTILINE)
    if choices:
        yield "preferences", choices[0]
        yield "preferences-english", f"{choices[0]}?lang=en"
        yield "erase", f"{choices[0]}/erase"
    yield "leave-unknown", f"{url}/u/unknown"
    yield "subscribe", f"{url}/subscribe"
    yield "subscribe-english", f"{url}/subscribe?lang=en"
    yield "confirm", _confirmation(page, url)
    yield "confirm-unknown", f"{url}/c/unknown"
    yield "sign-in", f"{url}/sign-in"
    yield "sign-in-english", f"{url}/sign-in?lang=en"
    yield "receiver", f"{url}/sample/receiver"
    yield "missing", f"{url}/nowhere"


def shoot_pages(browser: Browser, url: str, folder: Path) -> int:
    """Takes all pictures of pages; returns how many."""
    finder = browser.new_page(locale=_LOCALE)
    found = list(pages(finder, url))
    finder.close()
    for look, context in contexts(browser):
        for name, address in found:
            page = context.new_page()
            page.goto(address, wait_until="load")
            page.screenshot(path=folder / f"page-{name}-{look}.png", full_page=True)
            page.close()
    return len(found) * len(WIDTHS) * len(SCHEMES)


def shoot_mails(browser: Browser, folder: Path) -> int:
    """Takes all pictures of mails, with their own pictures and without; returns how many."""
    single = {"confirm": Matter.JOIN, "move": Matter.MOVE, "moved": Matter.NOTICE}
    found = [(name, mail_page(view)) for name, view in views()]
    found += [(name, _single_mail(matter)) for name, matter in single.items()]
    picture = picture_bytes()

    def show(route: Route) -> None:
        route.fulfill(body=picture, content_type="image/png")

    for look, context in contexts(browser):
        for images in ("", "-images-off"):
            page = context.new_page()
            page.route("**/*", (lambda route: route.abort()) if images else show)
            for name, html in found:
                page.set_content(html, wait_until="load")
                page.screenshot(path=folder / f"mail-{name}-{look}{images}.png", full_page=True)
            page.close()
    return len(found) * len(WIDTHS) * len(SCHEMES) * 2


def contexts(browser: Browser) -> Iterator[tuple[str, BrowserContext]]:
    """A browser as wide and as dark as each of those looked at, with its name."""
    for width in WIDTHS:
        for scheme in SCHEMES:
            context = browser.new_context(
                viewport={"width": width, "height": _HEIGHT},
                color_scheme="dark" if scheme == "dark" else "light",
                locale=_LOCALE,
            )
            yield f"{width}-{scheme}", context
            context.close()


def _confirmation(page: Page, url: str) -> str:
    """The link that a reader gets who signs up."""
    page.goto(f"{url}/subscribe?lang=id")
    page.get_by_role("textbox", name="Alamat e-mail").fill(f"gambar-{secrets.token_hex(4)}@pembaca.example")
    page.get_by_role("checkbox").first.check()
    page.wait_for_timeout(2100)  # as long as a person takes at least
    page.get_by_role("button", name="Daftarkan saya").click()
    page.goto(f"{url}/outbox")
    mail = page.get_by_role("link", name="Konfirmasi langganan").first
    for _ in range(20):
        if mail.count():
            break
        page.wait_for_timeout(500)
        page.reload()
    mail.click()
    found = re.search(r"^http\S+/c/\S+", page.locator("pre").last.text_content() or "", re.MULTILINE)
    return found[0] if found else sys.exit("the confirmation mail has no link")


def _single_mail(matter: Matter) -> str:
    view = ConfirmationView(
        site=SITE,
        newsletter=LETTER,
        titles=(LETTER.title, "Akhir Pekan di Lintang"),
        link="" if matter is Matter.NOTICE else f"{SITE.public_url}/c/{'A' * 44}",
        matter=matter,
        until=SLOT,
        language="id",
    )
    return render_confirmation(view, TEMPLATES[0].parent).html


def _first(page: Page, address: str, selector: str) -> str:
    page.goto(address)
    if not page.locator(selector).count():
        sys.exit(f"{address} has nothing to follow yet; the sample needs about a minute for its first edition")
    return str(page.locator(selector).first.evaluate("link => link.href"))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, metavar="OUTDIR")
    parser.add_argument("--url", help="the address of a running sample, http://127.0.0.1:8080; else mails only")
    given = parser.parse_args()
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        sys.exit("no chromium on the PATH; on Debian: apt install chromium")
    given.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        taken = shoot_mails(browser, given.folder)
        taken += shoot_pages(browser, given.url.rstrip("/"), given.folder) if given.url else 0
        print(f"{taken} pictures in {given.folder}")
        browser.close()


if __name__ == "__main__":
    main()
