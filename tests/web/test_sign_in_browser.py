"""Signing in with a real browser, over https as the world comes to us: what our own tests would only believe of it."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import trustme
from playwright.sync_api import BrowserContext, Page, Route, ViewportSize, sync_playwright

from tests.web.house import PASSWORD, PUBLIC, House, house
from tests.web.paper import PATIENCE

HOST = PUBLIC.removeprefix("https://")


@contextmanager
def tls_in_front(port: int) -> Iterator[int]:
    """A proxy that takes TLS off and passes everything on unchanged; yields its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert(HOST).configure_cert(context)
    ready, stop, at = threading.Event(), asyncio.Event(), list[int]()
    loop = asyncio.new_event_loop()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(65536):
                writer.write(chunk)
                await writer.drain()
        writer.close()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))

    async def run() -> None:
        async with await asyncio.start_server(pass_on, "127.0.0.1", 0, ssl=context) as server:
            at.append(server.sockets[0].getsockname()[1])
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), daemon=True)
    thread.start()
    assert ready.wait(PATIENCE)
    yield at[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(PATIENCE)
    loop.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("world"), world=True) as one:
        yield one


@pytest.fixture
def phone(world: House, chromium: str) -> Iterator[BrowserContext]:
    """A browser without scripts, for which the name of the newspaper leads here."""
    with tls_in_front(int(world.paper.origin.rpartition(":")[2])) as port, sync_playwright() as playwright:
        rule = f"--host-resolver-rules=MAP {HOST}:443 127.0.0.1:{port}"
        program = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", rule])
        yield program.new_context(
            java_script_enabled=False,
            ignore_https_errors=True,
            locale="id-ID",
            viewport=ViewportSize(width=375, height=700),
        )
        program.close()


def sign_in(page: Page, *, password: str = PASSWORD) -> None:
    page.get_by_label("Nama akun").fill("Viewer")  # as a phone's keyboard begins a word
    page.get_by_label("Kata sandi").fill(password)
    page.get_by_role("button", name="Masuk").click()


def test_a_viewer_signs_in_sees_the_mails_and_signs_out_without_scripts(phone: BrowserContext) -> None:
    page = phone.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(f"{PUBLIC}/outbox")
    sign_in(page, password="salah sama sekali")
    assert page.inner_text("[role=alert]") == "Nama akun atau kata sandi tidak cocok."
    complaints.clear()  # the browser notes the 403
    sign_in(page)
    assert page.url == f"{PUBLIC}/outbox"
    (cookie,) = phone.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (
        "__Host-syndicate",
        True,
        True,
        "Lax",
    )
    page.locator(".entry a[href^='/outbox/']").first.click()
    assert page.frame_locator("iframe").locator("body").inner_text(), "the mail in its box is behind the session too"
    for path in ("/outbox", "/sign-in"):
        page.goto(PUBLIC + path)
        assert page.locator("header").get_by_text("viewer").count() == 1
        page.get_by_role("button", name="Keluar").wait_for()
    page.get_by_role("button", name="Keluar").click()
    assert page.url == f"{PUBLIC}/"
    assert phone.cookies() == []
    page.goto(f"{PUBLIC}/outbox")
    assert page.inner_text("h1") == "Masuk"
    assert complaints == []


def test_t17_a_page_of_another_site_signs_nobody_out_and_nobody_in(phone: BrowserContext) -> None:
    page = phone.new_page()
    page.goto(f"{PUBLIC}/outbox")
    sign_in(page)

    def trap(route: Route) -> None:
        form = '<form method="post" action="{0}/{1}"><input name="name" value="viewer"><button>{1}</button></form>'
        forms = "".join(form.format(PUBLIC, path) for path in ("sign-out", "sign-in"))
        route.fulfill(content_type="text/html", body=forms)

    page.route("https://jahat.example/", trap)
    for button in ("sign-out", "sign-in"):
        page.goto("https://jahat.example/")
        page.get_by_role("button", name=button).click()
        assert page.inner_text("h1") == "Permintaan ini ditolak"
    page.goto(f"{PUBLIC}/outbox")
    assert page.inner_text("h1") == "Kotak keluar"


@pytest.mark.parametrize(("language", "title"), [("id", "Masuk"), ("en", "Sign in")])
def test_the_page_can_be_used_with_a_thumb_in_both_languages(phone: BrowserContext, language: str, title: str) -> None:
    page = phone.new_page()
    page.goto(f"{PUBLIC}/sign-in?lang={language}")

    boxes = [one.bounding_box() for one in page.locator("main input:visible, main button").all()]
    heights = [box["height"] for box in boxes if box]
    assert page.inner_text("h1") == title
    assert len(heights) == 3
    assert min(heights) >= 40
