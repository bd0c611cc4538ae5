"""The recordings of a real WordPress (6.1.9), and the same posts for the tests' own."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

from tests.servers.wordpress_desk import Desk
from tests.servers.wordpress_posts import Author, Comment, Picture, Post, Status, Term

RECORDED_AT = "http://127.0.0.1:8622"
BEGUN = datetime(2026, 11, 24, 3, 6, 59, tzinfo=UTC)
_OF_THE_WIRE = {"host", "date", "connection", "x-powered-by", "content-length"}
_MATCH = "\n<p>Laga ke-{0} berlangsung di Stadion Kanjuruhan.</p>\n\n\n\n<p>Paragraf kedua laga ke-{0}. (fik/bua)</p>\n"


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A question of the recordings, and its answer as if it had come from our port."""

    path: str
    asked: dict[str, str]
    status: int
    headers: list[tuple[str, str]]
    body: str


@dataclass(frozen=True, kw_only=True)
class Recordings:
    """The folder, read for a server at `home`."""

    folder: Path
    home: str

    def __getitem__(self, name: str) -> Recorded:
        rows = (line.split("\t") for line in (self.folder / "INDEX.tsv").read_text().splitlines())
        file, status, path, asked = next(row for row in rows if row[0].rpartition(".")[0] == name)
        head, sent = self.folder / f"{name}.headers", re.split(r"(?:^| )-H ", asked)[1:]
        return Recorded(
            path=self._here(path).split(" ")[0],
            asked=dict(line.split(": ", 1) for line in sent),
            status=int(status),
            headers=kept(line.split(": ", 1) for line in self._text(head).splitlines()[1:] if line.strip()),
            body="" if file.endswith(".txt") and status == "304" else self._text(self.folder / file),
        )

    def _text(self, path: Path) -> str:
        return self._here(path.read_text(encoding="utf-8")) if path.exists() else ""

    def _here(self, text: str) -> str:
        escaped = RECORDED_AT.replace("/", "\\/"), self.home.replace("/", "\\/")
        return text.replace(RECORDED_AT, self.home).replace(*escaped)


def kept(headers: Iterable[Iterable[str]]) -> list[tuple[str, str]]:
    """The headers that are the newsroom's own, in an order of ours."""
    pairs = ((name.lower(), value.strip()) for name, value in headers)
    return sorted(pair for pair in pairs if pair[0] not in _OF_THE_WIRE)


def load_recorded(site: Desk, recordings: Recordings) -> None:
    """The posts of the recorded site, with their ids and dates."""
    site.authors = {
        1: Author(id=1, slug="admin", name="admin", url=site.home),
        3: Author(id=3, slug="rex", name="Rex"),
    }
    for record in json.loads(recordings["categories"].body) + json.loads(recordings["tags"].body):
        own = {key: record[key] for key in ("id", "slug", "name", "taxonomy")}
        site.terms[record["id"]] = Term(parent=record.get("parent", 0), **own)
    caption = "PENUTUPAN: Wali Kota Malang Wahyu Hidayat menutup pelatihan di Poltekad. (FOTO: PROKOPIM/MPM)"
    alt = "Wali Kota Malang Wahyu Hidayat menutup retret ASN"
    name, title = "retret-asn-poltekad.jpg", "Retret ASN Poltekad"
    site.pictures[4] = Picture(id=4, name=name, title=title, caption=caption, alt=alt, uploaded=BEGUN, changed=BEGUN)
    for record in json.loads(recordings["posts_fields"].body):
        site.posts[record["id"]] = _with_its_own(_match(record), recordings)
    for number, status in ((14, Status.PRIVATE), (15, Status.DRAFT)):
        site.posts[number] = replace(site.posts[17], id=number, slug=f"tersembunyi-{number}", status=status)


def _match(record: dict[str, Any]) -> Post:
    """One of the 24 matches of the recorded site, which are all alike."""
    number = record["slug"].rpartition("-")[2]
    return Post(
        id=record["id"],
        slug=record["slug"],
        title=unescape(record["title"]["rendered"]),
        content=_MATCH.format(number),
        date_gmt=datetime.fromisoformat(record["date_gmt"]).replace(tzinfo=UTC),
        modified_gmt=datetime.fromisoformat(record["modified_gmt"]).replace(tzinfo=UTC),
        author=3,
        guid=f"/?p={record['id']}",
        categories=(6,),
        tags=(11,),
    )


def _with_its_own(post: Post, recordings: Recordings) -> Post:
    """What makes a post of the recorded site special; texts are taken from its own recordings."""
    texts = {5: "post_single_embed", 6: "post_entities", 7: "post_more", 9: "post_nextpage", 10: "post_embeds"}
    texts |= {11: "post_lazy", 18: "post_script", 12: "post_single_embed"}
    own: dict[int, dict[str, Any]] = {
        5: {"categories": (3, 5), "tags": (7, 8, 9, 10), "picture": 4, "comments": (_comment(),)},
        6: {"title": 'Harga Cabai & Bawang "Naik" – Warga <em>Sawojajar</em> Mengeluh'},
        8: {"excerpt": "Ringkasan yang ditulis redaksi.", "content": "\n<p>Isi berita lengkap.</p>\n"},
        13: {"password": "rahasia", "content": "<p>Rahasia.</p>"},
        17: {"sticky": True, "content": "<p>Lama.</p>"},
        43: {"old_slugs": ("judul-lama-salah-ketik",), "content": "\n<p>Isi.</p>\n", "revisions": (44,)},
    }
    categories = {6: 3, 7: 3, 8: 5, 9: 5, 10: 3, 11: 4, 12: 5, 13: 1, 17: 1, 18: 1, 43: 3}
    if post.id in (5, *categories):
        post = replace(post, categories=(categories.get(post.id, 0),), tags=())
    if post.id in (10, 11, 17, 18):
        post = replace(post, author=1)
    if post.id in texts:
        post = replace(post, content=json.loads(recordings[texts[post.id]].body)["content"]["rendered"])
    return replace(post, **own.get(post.id, {}))


def _comment() -> Comment:
    return Comment(id=2, author="Pembaca", text="Semoga pelayanan makin baik.", at=BEGUN)
