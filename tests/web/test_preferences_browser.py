"""What a reader does with their own link in a real browser, without scripts, on a phone, by keyboard alone."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, Route, ViewportSize, sync_playwright

from syndicate.domain.audience import SubscriptionState
from tests.web.paper import Paper


@pytest.fixture
def phone(chromium: str) -> Iterator[BrowserContext]:
    with sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        size = ViewportSize(width=375, height=700)
        yield program.new_context(java_script_enabled=False, locale="id-ID", viewport=size)
        program.close()


def active(paper: Paper) -> set[str]:
    chosen = paper.subscriptions().values()
    return {one.newsletter for one in chosen if one.state is SubscriptionState.ACTIVE}


def opened(phone: BrowserContext, paper: Paper, path: str = "", language: str = "id") -> tuple[Page, list[str]]:
    """The page, and everything that the browser complained about."""
    page = phone.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(f"{paper.origin}/p/{paper.choices()}{path}?lang={language}")
    return page, complaints


def test_a_reader_chooses_and_is_forgotten_without_scripts(own_paper: Paper, phone: BrowserContext) -> None:
    page, complaints = opened(phone, own_paper)
    page.get_by_role("checkbox", name="Ringkasan Contoh Pos").uncheck()
    page.get_by_role("checkbox", name="Daerah").check()
    page.get_by_label("Paling cepat pukul").select_option(label="07.00")
    page.get_by_label("Zona waktu").select_option(label="WITA · Makassar")
    page.get_by_role("button", name="Simpan").click()
    saved, chosen = page.inner_text("[role=status]"), active(own_paper)
    page.get_by_role("link", name="Hapus data saya").click()
    page.get_by_role("button", name="Ya, hapus semuanya").click()

    assert [line for line in saved.splitlines() if line] == [
        "Tersimpan",
        "Mingguan, diubah: Topik.",
        "Ringkasan Contoh Pos: tidak dikirim lagi kepada Anda.",
        "Untuk semua surat, diubah: Paling cepat pukul, Zona waktu.",
    ]
    assert chosen == {"mingguan"}
    assert page.inner_text("h1") == "Data Anda sudah dihapus"
    assert active(own_paper) == set()
    assert complaints == []


def test_the_keyboard_alone_saves(own_paper: Paper, phone: BrowserContext) -> None:
    page, _ = opened(phone, own_paper)
    page.get_by_role("checkbox", name="Ringkasan Contoh Pos").focus()
    page.keyboard.press("Space")
    for _ in range(40):  # fewer fields than that
        if page.locator("button:focus").count():
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    page.get_by_text("Tersimpan").wait_for()
    assert active(own_paper) == {"mingguan"}


def test_what_is_kept_comes_as_a_file(own_paper: Paper, phone: BrowserContext) -> None:
    page, _ = opened(phone, own_paper)
    with page.expect_download() as coming:
        page.get_by_role("button", name="Unduh berkas").click()

    assert coming.value.suggested_filename == "data.json"
    assert '"address":"dewi@pembaca.example"' in coming.value.path().read_text("utf-8")


def test_t17_a_page_of_another_site_presses_no_button_though_it_knew_the_link(
    own_paper: Paper, phone: BrowserContext
) -> None:
    link = f"{own_paper.origin}/p/{own_paper.choices()}"

    def trap(route: Route) -> None:
        form = '<form method="post" action="{0}{1}"><button>go{1}</button></form>'
        forms = "".join(form.format(link, path) for path in ("", "/address", "/data", "/erase"))
        route.fulfill(content_type="text/html", body=forms)

    page = phone.new_page()
    page.route("http://jahat.example/", trap)
    for path in ("", "/address", "/data", "/erase"):
        page.goto("http://jahat.example/")
        page.get_by_role("button", name=f"go{path}", exact=True).click()
        assert page.inner_text("h1") == "Permintaan ini ditolak"
    assert active(own_paper) == {"ringkasan", "mingguan"}


@pytest.mark.parametrize("language", ["id", "en"])
@pytest.mark.parametrize("path", ["", "/erase"])
def test_the_pages_can_be_used_with_a_thumb(paper: Paper, phone: BrowserContext, path: str, language: str) -> None:
    page, complaints = opened(phone, paper, path, language)
    controls = "main button, main select, main .button, main .choice, main .field input"
    boxes = [one.bounding_box() for one in page.locator(controls).all()]

    assert min(box["height"] for box in boxes if box) >= 36
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= 375 for box in boxes if box)
    assert complaints == []
