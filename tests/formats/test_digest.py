"""The mail digest: what it shows, how it holds up in mail clients, and that its holes can't be forged."""

import quopri
import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import html5lib
import pytest

from syndicate.domain.article import Picture
from syndicate.domain.newsletter import Newsletter
from syndicate.domain.selection import Selection
from syndicate.domain.slot import parse_schedule
from syndicate.errors import ConfigError
from syndicate.formats.dates import clock_time, long_date, rfc822, short_date
from syndicate.formats.digest import DigestView, Rendered, holes_filled, render
from tests.formats.samples import PICTURE, SITE, make_article, withdrawn

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "templates"
MARK = "kqzwvxjpbmtrhgdl"
HOLE = f"{MARK}-unsubscribe_url-"
# 06.00 WIB on 24 November
SLOT = datetime(2026, 11, 23, 23, 0, tzinfo=UTC)
LETTER = Newsletter(
    name="pagi",
    title="Contoh Pos Pagi",
    selection=Selection(),
    schedule=parse_schedule("06:00"),
    timezone="Asia/Jakarta",
    sender_name="Redaksi Contoh Pos",
    sender_address="pagi@contohpos.example",
    channel="maildir",
)


def view(*stories: Any, **changes: Any) -> DigestView:
    """An edition of the morning letter."""
    base = DigestView(
        site=SITE,
        newsletter=LETTER,
        edition_url=f"{SITE.public_url}/editions/pagi/2026-11-24T0600",
        stories=stories or (make_article(1), make_article(2)),
        date=SLOT,
        mark=MARK,
    )
    return replace(base, **changes)


def shown(*stories: Any, **changes: Any) -> Rendered:
    return render(view(*stories, **changes), TEMPLATES)


@cache
def html() -> str:
    return shown(left_out_count=3, intro="Selamat pagi.").html


def styles(name: str) -> Iterator[str]:
    """The inline style of every element with this class."""
    for tag in re.findall(r"<[a-z0-9]+ [^>]*>", html()):
        if re.search(rf'class="[^"]*\b{name}\b', tag) and (style := re.search(r'style="([^"]*)"', tag)):
            yield style[1]


def brightness(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    light, dark = sorted((brightness(one), brightness(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


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

    for stories in ((make_article(1, summary="Pendek."), make_article(2), make_article(3)), (long,)):
        assert 40 <= len(shown(*stories).preheader) <= 90


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


def test_html_is_well_formed_for_the_strict_parser() -> None:
    html5lib.HTMLParser(strict=True).parse(re.sub(r"<!--.*?-->", "", html(), flags=re.DOTALL))


def test_the_skeleton_that_mail_clients_need() -> None:
    body = html()

    assert '<html lang="id" dir="ltr"' in body
    assert (
        'role="article" aria-roledescription="email" aria-label="Contoh Pos Pagi: Jembatan ke-1 dibuka" lang="id"'
        in body
    )
    assert '<!--[if mso]><table role="presentation" width="600"' in body
    assert '<style data-css-inline="keep">' in body
    assert "@media (prefers-color-scheme: dark)" in body
    assert "[data-ogsc]" in body
    assert body.count("<style") == 1
    assert len(re.findall("<h1", body)) == 1
    assert len(re.findall("<h2", body)) == 2
    assert all('role="presentation"' in table for table in re.findall("<table[^>]*>", body))


def test_the_preheader_is_hidden_only_by_what_costs_no_spam_points() -> None:
    assert list(styles("preheader")) == ["display:none;max-height:0;overflow:hidden;mso-hide:all"]


def test_paddings_stand_only_where_word_honours_them() -> None:
    for tag in re.findall(r"<(?!td|body)[a-z0-9]+ [^>]*style=\"[^\"]*padding:[^\"]*\"", html()):
        assert "button-link" in tag  # Word gets mso-padding-alt on the cell


def test_pictures_have_alt_text_sizes_and_keep_their_shape() -> None:
    (picture,) = re.findall("<img[^>]*>", html())

    assert f'src="{SITE.public_url}/media/{PICTURE.media}"' in picture
    assert 'alt="Jembatan di atas sungai"' in picture
    assert 'width="600"' in picture
    assert 'height="338"' in picture
    assert "width:100%" in picture
    assert "height:auto" in picture


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


def test_body_text_has_16_pixels_and_nothing_is_under_13() -> None:
    assert all("font-size:16px" in style for style in styles("standfirst"))
    assert all(int(size) >= 13 for size in re.findall(r"font-size:(\d+)px", html()))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_enough_contrast(scheme: str) -> None:
    css = (TEMPLATES / "digest" / ("inline.css" if scheme == "light" else "keep.css")).read_text()
    rules = re.findall(r"^(\.[^{]+)\{([^}]*)\}", css, re.MULTILINE)
    grounds = {"light": ("#ffffff", "#f9f8f5"), "dark": ("#1b1c1f", "#17181a")}[scheme]
    colours = {c for s, r in rules if "button" not in s for c in re.findall(r"(?<!-)color: (#[0-9a-f]{6})", r)}

    assert len(colours) >= 4
    assert all(contrast(colour, ground) >= 4.5 for colour in colours for ground in grounds)


@pytest.mark.parametrize(("text", "ground"), [("#ffffff", "#9c1f1f"), ("#1b1c1f", "#f0988c"), ("#b4b4b9", "#2a2b2f")])
def test_the_button_and_the_picture_s_place_have_enough_contrast(text: str, ground: str) -> None:
    css = "".join((TEMPLATES / "digest" / name).read_text() for name in ("inline.css", "keep.css"))

    assert text in css
    assert ground in css
    assert contrast(text, ground) >= 4.5


def test_fifty_stories_stay_below_what_gmail_clips() -> None:
    rendered = shown(*(make_article(n, summary="Kata warga kota. " * 14) for n in range(1, 51)))

    assert len(quopri.encodestring(rendered.html.encode())) < 90_000


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
        assert part.count(MARK) == part.count(HOLE) == 1
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


@pytest.mark.parametrize("field", ["title", "summary", "authors", "sections", "url"])
def test_a_story_that_holds_the_mark_is_refused(field: str) -> None:
    forged: dict[str, Any] = {"authors": (HOLE,), "sections": (HOLE,), "url": f"https://a.example/{HOLE}"}

    with pytest.raises(ValueError, match="mark"):
        shown(make_article(**{field: forged.get(field, HOLE)}))


@pytest.mark.parametrize("mark", ["", "short", "KQZWVXJPBMTRHGDL", "kqzwvxjpbmtrhgd-"])
def test_a_mark_is_16_small_letters(mark: str) -> None:
    with pytest.raises(ValueError, match="16 letters"):
        shown(mark=mark)


def test_an_english_newsletter_is_english() -> None:
    rendered = shown(newsletter=replace(LETTER, language="en", subject="{title}, {date}"))

    assert rendered.subject == "Contoh Pos Pagi, Tuesday, 24 November 2026"
    assert "Unsubscribe" in rendered.text
    assert '<html lang="en"' in rendered.html


def test_both_languages_have_the_same_words() -> None:
    words = tomllib.loads((TEMPLATES / "digest" / "words.toml").read_text())

    assert set(words["id"]) == set(words["en"])


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


def test_the_same_edition_is_the_same_bytes() -> None:
    assert shown() == shown()


def test_a_missing_template_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tiada"):
        shown(newsletter=replace(LETTER, template="tiada"))


def test_a_template_can_t_open_an_unknown_hole(tmp_path: Path) -> None:
    folder = tmp_path / "digest"
    folder.mkdir()
    (folder / "words.toml").write_text('[id]\nnothing_new = "Kosong"\n')
    (folder / "digest.txt.j2").write_text('{{ hole("password") }}')
    (folder / "digest.html.j2").write_text('{{ hole("password") }}')

    with pytest.raises(ConfigError, match="unsubscribe_url"):
        render(view(), tmp_path)


def test_stylesheets_named_by_a_template_are_never_fetched(tmp_path: Path) -> None:
    secret = tmp_path / "secret.css"
    secret.write_text("p { color: #abcdef }")
    folder = tmp_path / "digest"
    folder.mkdir()
    (folder / "words.toml").write_text('[id]\nnothing_new = "Kosong"\n')
    (folder / "digest.txt.j2").write_text("x")
    link = f'<link rel="stylesheet" href="file://{secret}"><link rel="stylesheet" href="{secret}">'
    (folder / "digest.html.j2").write_text(f"<html><head>{link}</head><body><p>x</p></body></html>")

    assert "abcdef" not in render(view(), tmp_path).html
