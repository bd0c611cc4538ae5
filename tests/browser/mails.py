"""Made-up editions, one of each kind that a mail may be, for every template. For shots.py and the tests here."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw

from syndicate.domain.article import Article, Picture
from syndicate.domain.look import LIGHT, Banner, Look, Sponsor, lightened
from syndicate.domain.newsletter import Newsletter
from syndicate.domain.selection import Selection
from syndicate.domain.slot import parse_schedule
from syndicate.formats.digest import HOLES, DigestView, holes_filled, render
from tests.formats.samples import SITE, corrected, make_article, withdrawn

TEMPLATES = (Path(__file__).resolve().parents[2] / "templates" / "digest",)
SHIPPED = ("briefing", "sections", "breaking")
MARK = "kqzwvxjpbmtrhgdl"
SLOT = datetime(2026, 11, 23, 23, 0, tzinfo=UTC)  # 06.00 WIB on 24 November
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
STORIES = (
    ("Jembatan Wening dibuka, arus ke pasar induk lebih pendek", "Kota", "Warga tak lagi memutar lewat jalan lingkar."),
    ("Petani cabai menunggu harga pulih", "Daerah/Lintang Utara", "Pasokan melimpah sejak awal pekan lalu."),
    ("Perpustakaan keliling menambah dua rute sore", "Kota", "Anak-anak di bantaran kali kini terlayani."),
    ("Koperasi nelayan membangun gudang beku sendiri", "Ekonomi", "Ikan tak perlu lagi dijual murah di dermaga."),
    ("Tim voli putri melaju ke semifinal", "Olahraga", "Tiga set langsung, dan pelatih belum puas."),
    ("Sumur resapan mulai digali di empat kelurahan", "Daerah/Lintang Timur", "Musim hujan tinggal tiga pekan lagi."),
    ("Pameran batik tulis memajang karya siswa", "", "Motifnya diambil dari kebun sekolah."),
)
ENGLISH = (
    ("New bridge shortens the way to the market", "City", "Drivers no longer have to take the ring road."),
    ("Chilli farmers wait for prices to recover", "Region", "Supply has been high since last week."),
    ("Mobile library adds two afternoon routes", "City", "Children along the river can borrow books again."),
)
LOOK = Look(
    light=replace(LIGHT, accent="#0b5d3b", surround="#e9f0ec"),
    dark=replace(Look().dark, accent=lightened("#0b5d3b", Look().dark.paper)),
    logo=Banner(url=f"{SITE.public_url}/logo.png", alt="Contoh Pos", width=220, height=48),
    footer=("PT Contoh Pos Media, Jalan Merdeka 12, Kota Lintang", "Terdaftar di Dewan Pers"),
)
SPONSOR = Sponsor(
    name="Bank Lintang",
    url="https://banklintang.example/tabungan",
    text="Tabungan pelajar tanpa biaya bulanan.",
    picture=Banner(url=f"{SITE.public_url}/iklan.png", alt="Bank Lintang: tabungan pelajar", width=536, height=134),
)
LONG = "Kepertanggungjawabankeberlanjutanpenyelenggaraanpemerintahandaerahsetempat"


def stories(told: tuple[tuple[str, str, str], ...] = STORIES, *, pictures: bool = True) -> tuple[Article, ...]:
    """Articles that say this, newest first."""
    return tuple(_article(number, *one, pictures=pictures) for number, one in enumerate(told, start=1))


def make_view(template: str, *, told: tuple[Article, ...] = (), **newsletter: object) -> DigestView:
    """An edition of the morning letter."""
    return DigestView(
        site=SITE,
        newsletter=replace(LETTER, template=template, **newsletter),  # type: ignore[arg-type]
        edition_url=f"{SITE.public_url}/editions/pagi/2026-11-24T0600",
        stories=told or stories(),
        date=SLOT,
        mark=MARK,
    )


def views() -> Iterator[tuple[str, DigestView]]:
    """(name, edition) of each kind, for each template."""
    for template in SHIPPED:
        told = stories()
        picture = told[0].content.picture
        assert picture is not None
        long = make_article(
            1,
            title=f"Rapat membahas {LONG}",
            summary=f"{LONG} {LONG}. Alamatnya https://contohpos.example/{'berkas-' * 20}lampiran.",
            sections=(f"Daerah/{LONG}",),
            authors=(LONG,),
            picture=replace(picture, caption=LONG, alt=f"{LONG} {LONG}"),
        )
        elsewhere = make_article(2, url="https://www.kabarmalang.example/2", sections=("Jawa Timur",))
        yield f"{template}-id", replace(make_view(template), intro="Selamat pagi, Lintang.", left_out_count=3)
        yield f"{template}-en", make_view(template, told=stories(ENGLISH, pictures=False), language="en")
        yield f"{template}-long", make_view(template, told=(long, *told[1:3]), title=f"Pagi {LONG}")
        yield f"{template}-withdrawn", make_view(template, told=(withdrawn(1), elsewhere, *told[2:4]))
        yield f"{template}-corrected", make_view(template, told=(corrected(1), corrected(2), *told[2:4]))
        first, second, *_ = stories()
        marked = replace(make_view(template), updated=frozenset({first.id}), repeated=frozenset({second.id}))
        yield f"{template}-variant", replace(marked, language="en", zone="Asia/Jayapura", is_whole=False)
        yield f"{template}-look", make_view(template, look=LOOK, sponsor=SPONSOR)
        yield f"{template}-empty", replace(make_view(template), stories=())
        yield f"{template}-large", replace(make_view(template, told=stories(STORIES * 16)), brief=40)


def page(view: DigestView) -> str:
    """The mail as a reader has it."""
    address = "https://berita.contohpos.example/u/AbCdEf"
    html = render(view, TEMPLATES).html
    return holes_filled(html, view.mark, dict.fromkeys(HOLES, address), html=True)


def picture_bytes(width: int = 1200, height: int = 675) -> bytes:
    """Stands in for every picture of a mail."""
    image = Image.new("RGB", (width, height), (88, 122, 138))
    ImageDraw.Draw(image).polygon([(0, height), (width // 2, height // 3), (width, height)], fill=(52, 84, 74))
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _article(number: int, title: str, section: str, summary: str, *, pictures: bool) -> Article:
    at = SLOT - timedelta(minutes=17 * number)
    picture = Picture(
        media=f"{number:032x}",
        alt=f"{title}, dilihat dari dekat",
        caption="Suasana pagi itu.",
        credit="Contoh Pos/Wira",
        width=1200,
        height=675,
    )
    return make_article(
        number,
        title=title,
        summary=f"{summary} {summary}",
        sections=(section,) if section else (),
        published=at,
        updated=at,
        url=f"https://contohpos.example/berita/{number}",
        picture=picture if pictures else None,
    )
