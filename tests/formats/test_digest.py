"""The mail digest: what it shows, that a publisher can change it, and that its holes can't be forged."""

import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from syndicate.channels.mail.message import compile_variant
from syndicate.domain.article import Picture
from syndicate.errors import ConfigError
from syndicate.formats.dates import clock_time, long_date, rfc822, short_date
from syndicate.formats.digest import LARGE, TOO_LARGE, DigestView, Rendered, holes_filled, render
from syndicate.formats.fit import fit
from syndicate.ports import Letterhead
from tests.browser.mails import LETTER, LOOK, MARK, SHIPPED, SLOT, SPONSOR, STORIES, TEMPLATES, make_view, stories
from tests.formats.digest_rules import broken_digest_rules
from tests.formats.samples import PICTURE, SITE, corrected, make_article, withdrawn

(SHIPPED_HOME,) = TEMPLATES
HOLE = f"{MARK}-unsubscribe_url-"


def view(*stories: Any, template: str = "sections", **changes: Any) -> DigestView:
    """An edition of the morning letter."""
    return replace(make_view(template, told=stories or (make_article(1), make_article(2))), **changes)


def shown(*stories: Any, **changes: Any) -> Rendered:
    """It as it is mailed; whatever a test shows keeps the rules."""
    rendered = render(view(*stories, **changes), TEMPLATES)
    assert broken_digest_rules(rendered.html) == {}
    return rendered


def test_indonesian_dates_and_zones() -> None:
    at = datetime(2026, 10, 14, 0, 15, tzinfo=UTC)

    assert long_date(at, zone="Asia/Jakarta", language="id") == "Rabu, 14 Oktober 2026"
    assert short_date(at, zone="Asia/Jayapura", language="en") == "14 October 2026"
    assert [clock_time(at, zone=f"Asia/{city}", language="id") for city in ("Jakarta", "Makassar", "Jayapura")] == [
        "07.15 WIB",
        "08.15 WITA",
        "09.15 WIT",
    ]
    assert clock_time(at, zone="Europe/Berlin", language="en") == "02:15 CEST"
    assert rfc822(at) == "Wed, 14 Oct 2026 00:15:00 GMT"


def test_the_digest_shows_the_edition_s_own_day_in_the_newsletter_s_zone() -> None:
    rendered = shown()

    assert "Selasa, 24 November 2026" in rendered.html
    assert "Selasa, 24 November 2026" in rendered.text
    assert "23 November, 07.16 WIB" in rendered.text


def test_a_story_of_the_same_day_shows_only_the_clock() -> None:
    early = make_article(published=datetime(2026, 11, 23, 22, 30, tzinfo=UTC))

    assert "Rizal Hamonangan · 05.30 WIB" in shown(early).text


def test_the_subject_has_the_newsletter_and_the_lead() -> None:
    assert shown().subject == "Contoh Pos Pagi: Jembatan ke-1 dibuka"


def test_the_preheader_has_40_to_90_characters_of_real_text() -> None:
    long = make_article(summary="Kata " * 60)

    for edition in ((make_article(1, summary="Pendek."), make_article(2), make_article(3)), (long,)):
        assert 40 <= len(shown(*edition).preheader) <= 90


def test_a_story_from_elsewhere_names_its_newsroom_and_our_own_doesn_t() -> None:
    address = "https://www.kabarmalang.example/1"

    rendered = shown(make_article(url=address, authors=("Sari Wulandari",)))

    assert "Sari Wulandari · kabarmalang.example · 23 November, 07.16 WIB" in rendered.text
    assert re.search(rf'<a class="quiet"[^>]* href="{address}"[^>]*>kabarmalang.example</a> · ', rendered.html)
    assert "Rizal Hamonangan · 23 November" in shown(make_article()).text


def test_a_digest_says_a_credit_once() -> None:
    said = replace(PICTURE, caption="Jembatan baru. (Foto: Contoh Pos/Wira)")

    rendered = shown(make_article(picture=said))

    assert ">Jembatan baru. (Foto: Contoh Pos/Wira)</td>" in rendered.html


def test_only_what_a_story_says_is_escaped_into_html() -> None:
    title = 'Cabai <b>naik</b> & "Sungai" {{ 7*7 }} {count}'

    rendered = shown(make_article(title=title))

    assert "Cabai &lt;b&gt;naik&lt;/b&gt; &amp; " in rendered.html
    assert title in rendered.text
    assert "{{ 7*7 }}" in rendered.html


def test_a_picture_without_alt_text_or_size_still_has_words() -> None:
    bare = make_article(picture=Picture(url="https://cdn.contohpos.example/a.jpg"))

    (picture,) = re.findall("<img[^>]*>", shown(bare).html)

    assert 'alt="Jembatan ke-1 dibuka"' in picture
    assert " height=" not in picture


def test_a_mail_shows_the_small_picture_where_there_is_one() -> None:
    picture = Picture(media="a" * 32, small="b" * 32, alt="Pasar", width=1600, height=900)
    page = shown(make_article(picture=picture)).html

    assert f"/media/{'b' * 32}" in page
    assert f"/media/{'a' * 32}" not in page


def test_a_picture_that_word_can_t_draw_is_left_out() -> None:
    webp = make_article(picture=Picture(media="ab" * 16, mime_type="image/webp"))

    assert "<img" not in shown(webp).html


def test_the_text_part_lists_all_stories_and_ends_with_unsubscribe() -> None:
    stories = [make_article(n, summary="Kata warga kota lintang. " * 9) for n in range(1, 6)]

    text = shown(*stories).text

    assert all(str(story.content.url) in text for story in stories)
    assert text.rstrip().splitlines()[-2:] == ["Berhenti berlangganan:", HOLE]
    assert all(len(line) <= 72 or line.startswith("http") for line in text.splitlines())
    assert not re.search(r"<[a-z/]", text)


def test_html_and_text_have_one_unsubscribe_hole_and_say_why_they_came() -> None:
    rendered = shown()

    for part in (rendered.html, rendered.text):
        assert (part.count(HOLE), part.count(f"{MARK}-preferences_url-"), part.count(MARK)) == (1, 1, 2)
        assert "berlangganan Contoh Pos Pagi dari" in " ".join(part.split())
        assert "Redaksi Contoh Pos" in part
        assert view().edition_url in part


def test_holes_are_filled_once_and_escaped_in_html() -> None:
    values = {"unsubscribe_url": f"https://a.example/u/T?a=1&b={MARK}-other-"}

    assert holes_filled(f'<a href="{HOLE}">', MARK, values, html=True) == (
        f'<a href="https://a.example/u/T?a=1&amp;b={MARK}-other-">'
    )
    assert holes_filled(HOLE, MARK, values, html=False) == values["unsubscribe_url"]


def test_a_hole_without_a_value_is_no_silent_blank() -> None:
    with pytest.raises(KeyError):
        holes_filled(HOLE, MARK, {}, html=True)


@pytest.mark.parametrize("field", ["title", "summary", "authors", "sections", "url", "note"])
def test_a_story_that_holds_the_mark_is_refused(field: str) -> None:
    forged: dict[str, Any] = {"authors": (HOLE,), "sections": (HOLE,), "url": f"https://a.example/{HOLE}"}

    with pytest.raises(ValueError, match="mark"):
        shown(corrected(**{field: forged.get(field, HOLE)}))


@pytest.mark.parametrize("mark", ["", "short", "KQZWVXJPBMTRHGDL", "kqzwvxjpbmtrhgd-"])
def test_a_mark_is_16_small_letters(mark: str) -> None:
    with pytest.raises(ValueError, match="16 letters"):
        shown(mark=mark)


def test_an_english_newsletter_is_english() -> None:
    rendered = shown(newsletter=replace(LETTER, language="en", subject="{title}, {date}"))

    assert rendered.subject == "Contoh Pos Pagi, Tuesday, 24 November 2026"
    assert "Unsubscribe" in rendered.text
    assert '<html lang="en"' in rendered.html


def test_an_edition_without_stories_says_so() -> None:
    rendered = render(replace(view(), stories=()), TEMPLATES)

    assert "Tidak ada berita baru" in rendered.text
    assert "Tidak ada berita baru" in rendered.html


def test_what_didn_t_fit_is_counted() -> None:
    assert "Masih ada 3 berita lain." in shown(left_out_count=3).text
    assert "Masih ada" not in shown().html


def test_a_withdrawn_story_shows_only_the_notice() -> None:
    rendered = shown(withdrawn())

    assert "[DITARIK]" in rendered.text
    assert "<img" not in rendered.html
    assert "mulai dilalui" not in rendered.html


@pytest.mark.parametrize("template", SHIPPED)
def test_a_corrected_story_says_what_was_corrected_and_when_in_both_parts(template: str) -> None:
    told = (make_article(1), corrected(2, note="Nama <wali> kota & camat diperbaiki."))
    rendered = shown(*told, template=template)
    english = shown(*told, newsletter=replace(LETTER, template=template, language="en"))

    said = r"Catatan redaksi, 24 November 2026:</span> Nama &lt;wali&gt; kota &amp; camat diperbaiki\.</p>"
    assert len(re.findall(said, rendered.html)) == 1
    for part, label in ((rendered.text, "Catatan redaksi"), (english.text, "Editor’s note")):
        assert f"{label}, 24 November 2026: Nama <wali> kota & camat diperbaiki." in " ".join(part.split())


def test_only_a_correction_has_a_note_of_its_own() -> None:
    for story in (withdrawn(note="Sumber menarik keterangannya."), corrected(note=""), make_article()):
        rendered = shown(story)
        assert "Catatan redaksi" not in rendered.html + rendered.text
    assert shown(withdrawn(note="Ditarik dahulu.")).text.count("Ditarik dahulu.") == 1


def test_the_same_edition_is_the_same_bytes() -> None:
    assert shown() == shown()


def test_a_missing_template_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tiada"):
        shown(newsletter=replace(LETTER, template="tiada"))


def own_template(home: Path, page: str) -> tuple[Path, ...]:
    """A publisher's template called "mine", with this page, and where templates are looked for."""
    (home / "mine").mkdir()
    (home / "mine" / "digest.html.j2").write_text(page)
    (home / "mine" / "digest.txt.j2").write_text("x")
    return home, *TEMPLATES


def test_a_template_can_t_open_an_unknown_hole(tmp_path: Path) -> None:
    templates = own_template(tmp_path, '{{ hole("password") }}')

    with pytest.raises(ConfigError, match="unsubscribe_url"):
        render(view(template="mine"), templates)


@pytest.mark.parametrize("flaw", ["{% if %}", "{{ story.titel }}", "{{ words.reed }}", '{% include "none.j2" %}'])
def test_a_flaw_in_a_template_of_one_s_own_is_told_with_its_place(tmp_path: Path, flaw: str) -> None:
    templates = own_template(tmp_path, f"<p>{flaw}</p>")

    with pytest.raises(ConfigError, match=str(tmp_path / "mine")):
        render(view(template="mine"), templates)


def test_stylesheets_named_by_a_template_are_never_fetched(tmp_path: Path) -> None:
    secret = tmp_path / "secret.css"
    secret.write_text("p { color: #abcdef }")
    link = f'<link rel="stylesheet" href="file://{secret}"><link rel="stylesheet" href="{secret}">'
    templates = own_template(tmp_path, f"<html><head>{link}</head><body><p>x</p></body></html>")

    assert "abcdef" not in render(view(template="mine"), templates).html


@pytest.mark.parametrize("template", SHIPPED)
def test_a_copied_template_is_a_template_whose_words_can_be_changed(tmp_path: Path, template: str) -> None:
    shutil.copytree(SHIPPED_HOME / template, tmp_path / "mine")
    (tmp_path / "mine" / "words.toml").write_text('[id]\nunsubscribe = "Cukup sampai di sini"\n', "utf-8")

    rendered = render(view(template="mine"), (tmp_path, *TEMPLATES))

    assert rendered.html.replace("Cukup sampai di sini", "Berhenti berlangganan") == shown(template=template).html
    assert "Cukup sampai di sini:" in rendered.text


def test_a_file_copied_from_the_parts_comes_before_the_shipped_one(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED_HOME / "briefing", tmp_path / "mine")
    styles = (SHIPPED_HOME / "parts" / "inline.css.j2").read_text("utf-8")
    (tmp_path / "mine" / "inline.css.j2").write_text(styles.replace("34px", "44px"), "utf-8")

    assert "font-size:44px" in render(view(template="mine"), (tmp_path, *TEMPLATES)).html


def test_the_briefing_has_every_headline_and_standfirst_and_no_picture() -> None:
    html = shown(*stories(), template="briefing").html

    assert all(title in html and standfirst in html for title, _, standfirst in STORIES)
    assert "<img" not in html


def test_the_sections_begin_with_the_lead_s_picture_then_come_section_by_section() -> None:
    rendered = shown(*stories(), template="sections")

    (picture,) = re.findall("<img[^>]*>", rendered.html)
    assert f'src="{SITE.public_url}/media/{1:032x}"' in picture
    assert 'width="600" height="338"' in picture
    titles = re.findall(r'<td class="section"[^>]*>([^<]*)<', rendered.html)
    assert titles == ["Daerah", "Kota", "Ekonomi", "Olahraga", "Berita lain"]
    order = [STORIES[i][0] for i in (0, 1, 5, 2, 3, 4, 6)]
    for part in (rendered.html.partition("</h1>")[2], rendered.text):
        assert sorted(order, key=part.index) == order


def test_breaking_news_is_plain_with_a_button_to_each_story() -> None:
    html = shown(*stories()[:2], template="breaking").html

    assert "Berita terkini" in html
    assert "<img" not in html
    assert re.findall(r'aria-label="Baca selengkapnya: ([^"]*)"', html) == [title for title, _, _ in STORIES[:2]]


def test_colours_logo_footer_and_sponsor_come_from_the_configuration() -> None:
    rendered = shown(newsletter=replace(LETTER, look=LOOK, sponsor=SPONSOR))

    assert "background-color:#0b5d3b" in rendered.html
    assert "#9c1f1f" not in rendered.html
    assert f".label, .section, .link {{ color: {LOOK.dark.accent} !important; }}" in rendered.html
    assert re.search(r'<img [^>]*src="[^"]*/logo.png" alt="Contoh Pos" width="220" height="48"', rendered.html)
    assert "PT Contoh Pos Media, Jalan Merdeka 12, Kota Lintang<br>Terdaftar di Dewan Pers" in rendered.html
    assert "PT Contoh Pos Media, Jalan Merdeka 12, Kota Lintang\nTerdaftar" in rendered.text


def test_a_sponsor_is_called_an_advertisement_in_both_parts() -> None:
    rendered = shown(newsletter=replace(LETTER, sponsor=SPONSOR))

    assert re.search(r'<td class="sponsor"[^>]*>\s*<p class="label"[^>]*>Iklan</p>', rendered.html)
    assert "IKLAN\nBank Lintang\nTabungan pelajar tanpa biaya bulanan.\nhttps://banklintang" in rendered.text
    assert "Iklan" not in shown().html


def test_what_a_sponsor_and_a_footer_say_is_escaped() -> None:
    newsletter = replace(LETTER, look=replace(LOOK, footer=("<b>PT</b> & Co",)), sponsor=replace(SPONSOR, text="<i>x"))

    html = shown(newsletter=newsletter).html

    assert "&lt;b&gt;PT&lt;/b&gt; &amp; Co" in html
    assert "&lt;i&gt;x" in html


# ── the size of a mail ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_size_is_that_of_the_html_part_as_the_mail_channel_sends_it() -> None:
    rendered = shown(*stories(STORIES * 5), template="briefing")
    head = Letterhead(from_name="A", from_address="a@contohpos.example", date=SLOT)
    variant = compile_variant(letterhead=head, subject="S", html=rendered.html, text="x", mark=MARK)

    sent = b"".join(variant.pieces).partition(b"text/html")[2].partition(b"\r\n\r\n")[2].rpartition(b"\r\n--")[0]

    assert rendered.size == pytest.approx(len(sent), rel=0.01)


def test_a_large_mail_has_the_link_to_leave_at_the_top_too() -> None:
    small, large = (shown(*stories(STORIES * n), template="breaking") for n in (1, 7))

    assert small.size < LARGE <= large.size
    assert (small.html.count(HOLE), large.html.count(HOLE)) == (1, 2)
    assert large.html.index(HOLE) < large.html.index("<h1")


def test_a_mail_that_is_too_large_keeps_all_stories_the_last_ones_by_their_headline() -> None:
    edition = view(*stories(STORIES * 13), template="briefing")

    fitted = fit(edition, TEMPLATES)
    one_less = render(replace(edition, brief=fitted.brief - 1), TEMPLATES)

    assert render(edition, TEMPLATES).size > TOO_LARGE
    assert fitted.rendered.size <= TOO_LARGE < one_less.size
    assert not fitted.too_many
    assert fitted.rendered.html.count("<h2") == fitted.rendered.text.count("contohpos.example/berita/") == 91
    assert fitted.rendered.html.count('class="standfirst"') == 91 - fitted.brief
    assert broken_digest_rules(fitted.rendered.html) == {}


def test_stories_that_do_not_even_fit_by_their_headline_are_named() -> None:
    told = tuple(make_article(n, title=f"Berita {n} {'panjang ' * 100}") for n in range(1, 101))

    fitted = fit(view(*told, template="briefing"), TEMPLATES)
    rest = told[: -len(fitted.too_many)]

    assert fitted.too_many == told[len(rest) :]
    assert not fit(view(*rest, template="briefing"), TEMPLATES).too_many
    assert fit(view(*told[: len(rest) + 1], template="briefing"), TEMPLATES).too_many


def test_a_template_that_is_too_large_by_itself_leaves_no_story(tmp_path: Path) -> None:
    templates = own_template(tmp_path, f"<html><body>{'<p>x</p>' * 12_000}</body></html>")

    fitted = fit(view(template="mine"), templates)

    assert len(fitted.too_many) == 2
