"""Other people's HTML, made fit to be carried (gather.md §1.10, reliability.md T08 and T09)."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import html5lib
import pytest

from syndicate.jail import Answer, Jail
from syndicate.sources.read.clean import ATTRIBUTES, LARGEST_BODY, SCHEMES, TAGS, Cleaned, clean
from syndicate.sources.read.words import credit_of, dateline_of, initials_of, language_of, summarize

BASE = "https://koran.id/berita/"


def cleaned(markup: str, base: str = BASE) -> Cleaned:
    return clean(markup, base=base)


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        # lazy pictures
        ('<p><img src="data:image/gif;base64,R0" data-src="/a.jpg"></p>', '<p><img src="https://koran.id/a.jpg"></p>'),
        ('<p><img src="/blank.gif" data-lazy-src="/a.jpg"></p>', '<p><img src="https://koran.id/a.jpg"></p>'),
        ('<p><img data-original="/a.jpg"></p>', '<p><img src="https://koran.id/a.jpg"></p>'),
        ('<p><img data-srcset="/s.jpg 300w, /b.jpg 1200w"></p>', '<p><img src="https://koran.id/b.jpg"></p>'),
        ('<span class="td-thumb-css" data-img-url="/a.jpg"></span>', '<p><img src="https://koran.id/a.jpg"></p>'),
        (
            '<p><img src="data:x" data-src="/a.jpg"><noscript><img src="/a.jpg"></noscript></p>',
            '<p><img src="https://koran.id/a.jpg"></p>',
        ),
        ('<p>x<img src="https://stat.id/p.gif" width="1" height="1"></p>', "<p>x</p>"),
        ('<p>x<img src="/iklan.jpg" alt="spot_img"></p>', "<p>x</p>"),
        ('<p>Cabai <img class="wp-smiley" src="https://s.w.org/x.png" alt="🌶"> naik</p>', "<p>Cabai 🌶 naik</p>"),
        # advertisements and pointers to other stories
        ("<p>a</p><p>- Advertisement -</p><p>b</p>", "<p>a</p><p>b</p>"),
        ("<p>a</p><p>ADVERTISEMENT</p><p>Iklan</p>", "<p>a</p>"),
        ('<p>a</p><div class="td-a-ad id_inline_ad0"><a href="/x">Beli</a></div><p>b</p>', "<p>a</p><p>b</p>"),
        ('<p>a</p><p><strong>Baca juga:</strong> <a href="/x">Lain</a></p>', "<p>a</p>"),
        ('<p>a</p><p>BACA JUGA <a href="/x">Lain</a></p>', "<p>a</p>"),
        ('<p>a</p><p>Baca juga:</p><ul><li><a href="/x">L</a></li></ul><p>b</p>', "<p>a</p><p>b</p>"),
        ('<p>a</p><h4>Baca Juga</h4><p><a href="/x">Lain</a></p><p>b</p>', "<p>a</p><p>b</p>"),
        (
            "<p>Lihat juga:</p><ul><li>Kartu tanda penduduk</li></ul>",
            "<ul><li>Kartu tanda penduduk</li></ul>",
        ),
        ("<p>a</p><p>Baca juga: Pasar Ikan Pindah</p>", "<p>a</p>"),
        ('<p>a</p><p><b>Simak Video:</b> <a href="/v">Panen</a></p>', "<p>a</p>"),
        ('<p>a</p><p>Ikuti kami di <a href="https://news.google.com/publications/X">Google News</a>.</p>', "<p>a</p>"),
        ('<div><span>Follow</span> <a href="https://whatsapp.com/channel/0029">Saluran</a></div>', ""),
        ("<h2>Satu<div>Dua</div></h2><p>a</p>", "<h2>Satu Dua </h2><p>a</p>"),
        (
            '<p>Simak siarannya di <a href="https://t.me/dinas">kanal Telegram</a> pada Senin.</p>',
            '<p>Simak siarannya di <a href="https://t.me/dinas">kanal Telegram</a> pada Senin.</p>',
        ),
        (
            '<p>Simak siarannya di <a href="https://t.me/dinas/12">Telegram</a>.</p>',
            '<p>Simak siarannya di <a href="https://t.me/dinas/12">Telegram</a>.</p>',
        ),
        (
            '<p>Ia menulis di <a href="https://t.me/wali/7">Telegram</a>.</p>',
            '<p>Ia menulis di <a href="https://t.me/wali/7">Telegram</a>.</p>',
        ),
        ("<p>Simak video itu sampai habis.</p>", "<p>Simak video itu sampai habis.</p>"),
        ('<p>a</p><a rel="noopener sponsored" href="https://i.id/"><img src="/iklan.jpg"></a>', "<p>a</p>"),
        # boxes that plugins and themes put into the text
        (
            '<div id="ez-toc-container" class="ez-toc-v2_0_69"><p>Daftar Isi</p><ul><li>A</li></ul></div><p>a</p>',
            "<p>a</p>",
        ),
        ('<h2><span class="ez-toc-section" id="a">Air</span></h2><p>a</p>', "<h2>Air</h2><p>a</p>"),
        ('<div id="toc_container" class="no_bullets"><p>Isi</p></div><p>a</p>', "<p>a</p>"),
        ('<div class="gmr-related-post-onpost">Baca <a href="/x">Lain</a></div><p>a</p>', "<p>a</p>"),
        (
            '<div class="td-gallery-slide-top">1 dari 4</div><figure><img src="/a.jpg"></figure>',
            '<figure><img src="https://koran.id/a.jpg"></figure>',
        ),
        ("<p>Baca juga kitab suci setiap hari, katanya.</p>", "<p>Baca juga kitab suci setiap hari, katanya.</p>"),
        ("<p>Iklan rokok dilarang di sekolah.</p>", "<p>Iklan rokok dilarang di sekolah.</p>"),
        ("<p>a</p><p>&nbsp;</p><p></p><div> </div>", "<p>a</p>"),
        ('<p>a</p><a href="/x"><div>Baca juga: Lain</div></a>', "<p>a</p>"),
        # shortcodes
        ('<p>[caption id="a" width="300"]Keterangan[/caption]</p>', "<p>Keterangan</p>"),
        ("<p>[vc_row][vc_column]Isi[/vc_column][/vc_row]</p>", "<p>Isi</p>"),
        ('<p>[iklan slot="3"]Isi [1] [dua]</p>', "<p>Isi [1] [dua]</p>"),
        # embeds
        (
            '<iframe src="https://www.youtube.com/embed/dQw4w9WgXcQ?rel=0"></iframe>',
            '<p><a href="https://www.youtube.com/watch?v=dQw4w9WgXcQ">https://www.youtube.com/watch?v=dQw4w9WgXcQ</a></p>',
        ),
        (
            '<blockquote class="instagram-media" data-instgrm-permalink="https://www.instagram.com/p/A/?x=1">x</blockquote>',
            '<p><a href="https://www.instagram.com/p/A/">https://www.instagram.com/p/A/</a></p>',
        ),
        (
            '<blockquote class="twitter-tweet"><p>Kutipan</p><a href="https://twitter.com/p/status/1?ref_src=x">Mei</a>'
            "</blockquote>",
            '<p><a href="https://twitter.com/p/status/1">https://twitter.com/p/status/1</a></p>',
        ),
        (
            '<blockquote class="tiktok-embed" cite="https://www.tiktok.com/@p/video/1"><section><a href="/m">lagu</a>'
            "</section></blockquote>",
            '<p><a href="https://www.tiktok.com/@p/video/1">https://www.tiktok.com/@p/video/1</a></p>',
        ),
        (
            '<div class="fb-post" data-href="https://www.facebook.com/photo.php?fbid=7"></div>',
            '<p><a href="https://www.facebook.com/photo.php?fbid=7">https://www.facebook.com/photo.php?fbid=7</a></p>',
        ),
        ("<blockquote><p>Kutipan</p></blockquote>", "<blockquote><p>Kutipan</p></blockquote>"),
        ('<p>a</p><iframe src="https://ad.doubleclick.net/x"></iframe>', "<p>a</p>"),
        # blocks
        ("<div>Satu</div><div>Dua</div>", "<p>Satu</p><p>Dua</p>"),
        ("<div>Satu<p>Dua</p>Tiga</div>", "<p>Satu</p><p>Dua</p><p>Tiga</p>"),
        ("<h1>J</h1><h6>K</h6>", "<h2>J</h2><h4>K</h4>"),
        ("<h2><div>1</div><span>Serambi</span></h2>", "<h2>1 Serambi</h2>"),
        (
            '<figure><img src="/a.jpg"><figcaption><div> </div></figcaption></figure>',
            '<figure><img src="https://koran.id/a.jpg"></figure>',
        ),
        ("polos <b>tebal</b>", "<p>polos <b>tebal</b></p>"),
        ("<ul><li>a</li><li></li></ul>", "<ul><li>a</li></ul>"),
        (
            "<table><tr><td colspan=2>a</td></tr></table>",
            '<table><tbody><tr><td colspan="2">a</td></tr></tbody></table>',
        ),
        # addresses
        ('<p><a href="/x?utm_source=rss&amp;b=1">l</a></p>', '<p><a href="https://koran.id/x?b=1">l</a></p>'),
        ('<p><a href="https://o.id/?utm_source=k">l</a></p>', '<p><a href="https://o.id/?utm_source=k">l</a></p>'),
        ('<p><a href="javascript:x">l</a></p>', "<p>l</p>"),
        ('<p><a href="mailto:a@b.id">l</a></p>', '<p><a href="mailto:a@b.id">l</a></p>'),
        # what XML forbids
        ("<p>a\x0bb\ufffec&#11;d</p>", "<p>abcd</p>"),
        ('<p lang="in" class="x" style="color:red" onclick="y()">a</p>', "<p>a</p>"),
        ("<p>Suhu 5 &lt; 10 &amp; naik</p>", "<p>Suhu 5 &lt; 10 &amp; naik</p>"),
        ("", ""),
    ],
)
def test_a_body_becomes(markup: str, expected: str) -> None:
    assert cleaned(markup).markup == expected


def test_the_first_picture_is_found_with_its_caption() -> None:
    picture = cleaned(
        '<figure><img src="/a.jpg" alt="Pasar"><figcaption>Pasar (FOTO: IST)</figcaption></figure>'
    ).picture
    assert picture is not None
    assert (picture.url, picture.alt, picture.caption) == ("https://koran.id/a.jpg", "Pasar", "Pasar (FOTO: IST)")


def test_a_password_form_is_recognised() -> None:
    assert cleaned('<form class="post-password-form"><p>Kata Sandi</p></form>').protected


def test_a_cut_text_is_flagged_and_its_bracket_dropped() -> None:
    result = cleaned("<p>Selama tiga hari hingga [&#8230;]</p>")
    assert (result.markup, result.flags) == ("<p>Selama tiga hari hingga…</p>", ("excerpt_only",))


def test_a_body_that_is_too_long_is_cut_and_flagged() -> None:
    result = cleaned("<p>kata</p>" * (LARGEST_BODY // 5))
    assert len(result.markup) <= LARGEST_BODY + 100
    assert "body_cut" in result.flags


def test_pictures_without_a_way_to_them_are_counted() -> None:
    assert cleaned('<p>a<img src="beside.jpg"></p>', base="").pictures_lost == 1


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("MALANG POSCO MEDIA, MALANG – Pelatihan resmi ditutup.", "Pelatihan resmi ditutup."),
        ("MALANG POSCO MEDIA- Pelatihan", "Pelatihan"),
        ("KOTA LINTANG, CONTOH POS – Jembatan", "Jembatan"),
        ("ASN – singkatan", "ASN – singkatan"),
        ("Kota Malang – hujan", "Kota Malang – hujan"),
        ("RALAT – Berita kemarin keliru.", "RALAT – Berita kemarin keliru."),
        ("Oleh: Ketua DPRD</p><p>MALANG POSCO MEDIA – Rapat", "Rapat"),
    ],
)
def test_a_summary_begins_after_the_dateline(text: str, summary: str) -> None:
    assert summarize(f"<p>{text}</p>") == summary


def test_a_caption_is_no_part_of_the_summary() -> None:
    assert summarize("<figure><img><figcaption>Pasar (IST)</figcaption></figure><p>Harga naik.</p>") == "Harga naik."


@pytest.mark.parametrize(
    ("text", "dateline"),
    [
        ("MALANG POSCO MEDIA, MALANG – Pelatihan", "MALANG POSCO MEDIA, MALANG"),
        ("MALANG POSCO MEDIA- Pelatihan", "MALANG POSCO MEDIA"),
        ("MALANG – Wali Kota", "MALANG"),
        ("Malang (ANTARA) - Polisi", "Malang (ANTARA)"),
        ("TEMPO.CO, Jakarta - Polisi", "TEMPO.CO, Jakarta"),
        ("<p>Oleh: Ketua DPRD</p><p><b>MALANG POSCO MEDIA –</b> Rapat</p>", "MALANG POSCO MEDIA"),
        ("ASN – singkatan", ""),
        ("BUMD – badan usaha", ""),
        ("Kota Malang – hujan", ""),
        ("Senin – Jumat buka", ""),
        ("Harga cabai naik – lagi", ""),
    ],
)
def test_a_dateline_is_names_in_capitals_before_a_dash(text: str, dateline: str) -> None:
    assert dateline_of(text) == dateline


@pytest.mark.parametrize(
    ("text", "dateline"),
    [
        ("MALANG POSCO MEDIA-Pelatihan", "MALANG POSCO MEDIA"),
        ("Malang, Malang Posco Media – Wali Kota", "Malang, Malang Posco Media"),
        ("MALANG POSCO MEDIA, Kota Batu – Wali Kota", "MALANG POSCO MEDIA, Kota Batu"),
        ("Malang Posco Media adalah koran – kata orang", ""),
        ("ASN – singkatan", ""),
    ],
)
def test_a_newspapers_own_name_is_a_dateline_in_any_case(text: str, dateline: str) -> None:
    assert dateline_of(text, ["MALANG POSCO MEDIA"]) == dateline


@pytest.mark.parametrize(
    ("text", "initials"),
    [
        ("tandasnya. (rex/aim)", ("rex", "aim")),
        ("tandasnya (cah/ram).", ("cah", "ram")),
        ("tandasnya. (E-2)", ("E-2",)),
        ("tandasnya. (*)", ("*",)),
        ("tandasnya. (Ant/rex)", ("Ant", "rex")),
        ("<p>tandasnya.</p><p><strong>(rex)</strong></p>", ("rex",)),
        ("<p>a. (rex/aim)</p><figure><img><figcaption>F (FOTO: MPM/REX)</figcaption></figure>", ("rex", "aim")),
        ("<p>a. (rex/aim)</p><p>Editor: Budi</p>", ("rex", "aim")),
        ("Sabtu (17/5)", ()),
        ("milik kota. (BUMD)", ()),
        ("kata warga (rw)", ()),
        ("(rex/aim) tandasnya.", ()),
        ("selesai. (bersambung)", ()),
        ("", ()),
    ],
)
def test_initials_stand_at_the_very_end(text: str, initials: tuple[str, ...]) -> None:
    assert initials_of(text) == initials


def test_a_language_is_only_named_when_it_is_sure() -> None:
    assert (
        language_of("warga yang datang dari kota dan desa itu akan ke pasar untuk membeli beras di sana dan ini")
        == "id"
    )
    assert language_of("the man is in the house and that is it for the rest of the day") == "en"
    assert language_of("Persebaya 2, Arema 1") == ""


def test_the_language_of_a_short_report_is_sure() -> None:
    report = (
        "Embung mulai terisi air setelah hujan dua hari. Petugas mengatakan air sudah cukup. Petani meminta"
        " pintu air dibuka karena benih sudah siap. “Kalau hujan tetap turun, kami bisa tanam,” kata mereka."
    )
    assert language_of(report) == "id"


@pytest.mark.parametrize(
    ("caption", "credit"),
    [
        ("Wali Kota menutup pelatihan. (PROKOPIM/MPM)", "PROKOPIM/MPM"),
        ("Suasana pasar (FOTO: IST)", "IST"),
        ("Suasana pasar (Foto: Antara/Budi)", "Antara/Budi"),
        ("Suasana pasar (Istimewa)", "Istimewa"),
        ("Penduduk (52 tahun)", ""),
        ("", ""),
    ],
)
def test_the_credit_is_read_from_the_end_of_the_caption(caption: str, credit: str) -> None:
    assert credit_of(caption) == credit


@pytest.mark.parametrize("base", [BASE, ""])
def test_t09_nothing_outside_the_list_survives(fixtures: Path, base: str) -> None:
    payloads = json.loads((fixtures / "security" / "xss_payloads.json").read_text())
    for payload in [*payloads, "".join(payloads), *(f"<p>{one}</p>" for one in payloads)]:
        assert_only_allowed(clean(payload, base=base).markup)


def test_t09_the_check_itself_rejects_what_is_not_allowed() -> None:
    for bad in ("<script>x</script>", "<p onclick=x>y</p>", '<a href="javascript:x">y</a>', '<a href="/x">y</a>'):
        with pytest.raises(AssertionError):
            assert_only_allowed(bad)


def assert_only_allowed(markup: str) -> None:
    tree = html5lib.parseFragment(markup, treebuilder="etree", namespaceHTMLElements=False)
    for element in tree.iter():
        if element is tree:
            continue
        assert element.tag in TAGS, markup
        for name, value in element.attrib.items():
            assert name in ATTRIBUTES.get(element.tag, set()), markup
            if name in ("href", "src"):
                parts = urlsplit(value)
                assert parts.scheme in SCHEMES, markup
                assert parts.netloc or parts.scheme in ("mailto", "tel"), markup


async def test_markdown_with_tables_and_html_in_it_goes_through_the_same_cleaning(jail: Jail) -> None:
    text = "# Judul\n\nIsi <script>x</script>**tebal**.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n[l](javascript:x)\n"
    answer = await jail.call("syndicate.sources.read.clean:clean_article", text.encode(), format="markdown", base="")
    assert isinstance(answer, Answer), answer
    markup = answer.payload.decode()
    assert markup.startswith("<h2>Judul</h2>\n<p>Isi <strong>tebal</strong>.</p>")
    assert "<td>1</td>" in markup
    assert "<script" not in markup
    assert "href" not in markup


@pytest.mark.parametrize(
    "bomb",
    ["<div>" * 40_000, "&" * 200_000, "<p " + " ".join(f"a{i}=1" for i in range(20_000)) + ">x</p>", "<b>" * 80_000],
    ids=["div", "ampersand", "attributes", "b"],
)
async def test_t08_bombs_are_contained_and_the_next_call_works(bomb: str) -> None:
    jail = Jail()
    try:
        await jail.call("syndicate.sources.read.clean:clean_article", bomb.encode(), format="html", base="")
        after = await jail.call("syndicate.sources.read.clean:clean_article", b"<p>a</p>", format="html", base="")
    finally:
        await jail.aclose()
    assert isinstance(after, Answer)
    assert after.payload == b"<p>a</p>"
