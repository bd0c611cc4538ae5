"""What the editors of a newsroom do in a few hours, one deed after the other, and what each must come to with us."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from tests.servers.wordpress import Options, Picture, Wordpress, jpeg

BODY = "MALANG POSCO MEDIA, MALANG – Kalimat pertama tentang {0}.\n\nKalimat kedua tentang {0}. (rex/aim)"
WEEK = 7 * 24 * 60  # minutes


@dataclass(frozen=True, kw_only=True)
class Deed:
    """Something the editors do, the looks that follow, and what the change log gains by it: KIND SLUG, by the
    slug it came with, in order."""

    name: str
    do: Callable[[Wordpress], object]
    minutes: tuple[int, ...] = (5,)  # before each look
    told: tuple[str, ...] = ()
    problem: str = ""  # part of what the last look says to the operator


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a story stands at the end."""

    title: str
    state: str = "published"
    versions: int = 1


def write(site: Wordpress, slug: str, *, pictured: bool = True, days_ago: int = 0, author: str = "Redaksi") -> None:
    """A story comes out."""
    small = jpeg(width=120, height=68)
    site.publish(
        slug,
        f"Judul {slug}",
        BODY.format(slug),
        author=author,
        categories=["Malang Raya/Kota"],
        tags=[slug],
        picture=Picture(name=f"{slug}.jpg", caption=f"Foto {slug} (FOTO: ANTARA)", data=small) if pictured else None,
        date_gmt=site.now - timedelta(days=days_ago),
    )


def _before(site: Wordpress) -> None:
    for slug in ("lama-1", "lama-2", "lama-3", "lama-4"):
        write(site, slug, pictured=slug == "lama-1")
        site.now += timedelta(minutes=1)


def _restore(site: Wordpress) -> None:
    site.restore("lama-2")
    site.restore("lama-3")


def _shut(site: Wordpress) -> None:
    site.options = Options(rest="closed_401")
    write(site, "sesudah")


def _open(site: Wordpress) -> None:
    site.options = Options()


DEEDS = (
    Deed(
        name="import",
        do=_before,
        told=("published lama-1", "published lama-2", "published lama-3", "published lama-4"),
    ),
    Deed(name="publish", do=lambda site: write(site, "baru", author="Sari"), told=("published baru",)),
    Deed(name="edit", do=lambda site: site.edit("baru", title="Judul lebih baik"), told=("updated baru",)),
    Deed(
        name="correct",
        do=lambda site: site.edit("baru", content="RALAT: nama pejabat keliru.\n\n" + BODY.format("baru")),
        told=("corrected baru",),
    ),
    Deed(
        name="edit a caption",
        do=lambda site: site.edit_caption("baru", "Keterangan baru (DOK PRIBADI)"),
        minutes=(5, 16),
        told=("updated baru",),
    ),
    Deed(
        name="rename an author",
        do=lambda site: site.rename_author("Sari", "Sari Wulandari"),
        minutes=(5, 16),
        told=("updated baru",),
    ),
    Deed(
        name="publish back-dated",
        do=lambda site: write(site, "arsip", pictured=False, days_ago=300),
        told=("published arsip",),
    ),
    Deed(name="back-date", do=lambda site: site.back_date("lama-4", timedelta(days=40))),
    Deed(
        name="rename a slug",
        do=lambda site: site.rename_slug("lama-1", "lama-satu"),
        told=("updated lama-1",),
    ),
    Deed(
        name="replace a picture",
        do=lambda site: site.replace_picture("baru", jpeg("red", width=120, height=68)),
        minutes=(5, 61),
        told=("updated baru",),
    ),
    Deed(name="protect", do=lambda site: site.protect("lama-2"), told=("withdrawn lama-2",)),
    Deed(name="trash", do=lambda site: site.trash("lama-3"), minutes=(5, 11), told=("withdrawn lama-3",)),
    Deed(name="delete", do=lambda site: site.delete("arsip"), minutes=(5, 11), told=("withdrawn arsip",)),
    Deed(name="restore", do=_restore, told=("restored lama-2", "restored lama-3")),
    Deed(name="close REST", do=_shut, told=("published sesudah",)),
    Deed(
        name="edit with REST closed",
        do=lambda site: site.edit("sesudah", title="Judul sesudah tutup"),
        told=("updated sesudah",),
    ),
    Deed(name="trash with REST closed", do=lambda site: site.trash("baru")),
    Deed(
        name="open REST",
        do=_open,
        minutes=(WEEK, 11),
        told=("updated sesudah", "withdrawn baru"),
    ),
    Deed(
        name="lose many",
        do=lambda site: site.lose_many(3),
        minutes=(5, 11, 16),
        problem="3 of 5 stories are missing at once; none was withdrawn",
    ),
)

STANDINGS = {
    "lama-satu": Standing(title="Judul lama-1", versions=2),
    "lama-2": Standing(title="Judul lama-2"),
    "lama-3": Standing(title="Judul lama-3"),
    "lama-4": Standing(title="Judul lama-4"),
    "arsip": Standing(title="Judul arsip", state="withdrawn"),
    "baru": Standing(title="Judul lebih baik", state="withdrawn", versions=6),
    "sesudah": Standing(title="Judul sesudah tutup", versions=3),
}
