"""A newsroom that is a folder: what a person does there is seen, what a broken disk does is not believed."""

import io
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from syndicate.domain.source import Gathered, Look, Memory
from syndicate.jail import Jail
from syndicate.sources.folder import FolderSource
from tests.sources.conftest import NOW, REPOSITORY, MakeConfig

EMPTY = Memory()
OLD = NOW - timedelta(hours=1)


class Newsroom:
    """A folder that is written to, and the source that looks at it."""

    def __init__(self, root: Path, source: FolderSource) -> None:
        self.root, self.source = root, source
        self.memory = EMPTY

    def write(self, path: str, text: str | bytes, *, at: datetime = OLD) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        os.utime(file, (at.timestamp(), at.timestamp()))
        return file

    async def look(self, *, now: datetime = NOW) -> Gathered:
        """A look whose memory is kept, as gathering does."""
        gathered = await self.source.gather(self.memory, now=now)
        self.memory = gathered.memory or self.memory
        return gathered

    def confirm(self, code: str) -> None:
        """The operator's word, as the store keeps it."""
        self.memory = Memory(values={**self.memory.values, "confirmed": code})


@pytest.fixture
def newsroom(tmp_path: Path, jail: Jail, make_config: MakeConfig) -> Newsroom:
    root = tmp_path / "newsroom"
    root.mkdir()
    return Newsroom(root, FolderSource(make_config(str(root), kind="folder"), jail))


def story(title: str = "Judul", body: str = "Isi berita.", **keys: str) -> str:
    lines = "".join(
        f"{name} = {value}\n" for name, value in ({"published": "2026-11-20T08:00:00+07:00"} | keys).items()
    )
    return f'+++\ntitle = "{title}"\n{lines}+++\n\n{body}\n'


def picture(kind: str = "JPEG", size: tuple[int, int] = (40, 30)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "teal").save(out, kind)
    return out.getvalue()


async def test_a_story_is_read_with_all_its_keys(newsroom: Newsroom) -> None:
    keys = {
        "updated": "2026-11-20T09:00:00+07:00",
        "authors": '["Sari", "Budi"]',
        "sections": '["Kota"]',
        "tags": '["jembatan"]',
        "summary": '"Ringkas."',
        "language": '"jv"',
        "url": '"https://koran.example/a?utm_source=x"',
        "image": '"a.jpg"',
        "image_alt": '"Jembatan"',
        "image_caption": '"Keterangan"',
        "image_credit": '"Foto"',
    }
    newsroom.write("kota/a.md", story(body="Isi **tebal**.\n\n| a |\n|---|\n| 1 |", **keys))
    newsroom.write("kota/a.jpg", picture())
    gathered = await newsroom.look()
    assert (gathered.look, gathered.problems) == (Look.OK, ())
    (found,) = gathered.articles
    content = found.content
    assert (found.key, found.aliases) == ("kota/a.md", ("https://koran.example/a",))
    assert content.published == datetime(2026, 11, 20, 1, tzinfo=UTC)
    assert content.updated == datetime(2026, 11, 20, 2, tzinfo=UTC)
    assert (content.authors, content.sections, content.tags) == (("Sari", "Budi"), ("Kota",), ("jembatan",))
    assert (content.summary, content.language, content.url) == ("Ringkas.", "jv", "https://koran.example/a")
    assert content.body_html.startswith("<p>Isi <strong>tebal</strong>.</p>\n<table>")
    (media,) = found.media
    assert content.picture is not None
    assert content.picture.media == media.hash
    assert (content.picture.alt, content.picture.caption, content.picture.credit) == ("Jembatan", "Keterangan", "Foto")
    assert (media.width, media.height, media.mime_type) == (40, 30, "image/jpeg")


async def test_html_goes_through_the_same_cleaning(newsroom: Newsroom) -> None:
    newsroom.write("a.html", story(body="<p onclick=x>KOTA LINTANG – Isi &lt; 5</p><script>x</script>"))
    (found,) = (await newsroom.look()).articles
    assert found.content.body_html == "<p>KOTA LINTANG – Isi &lt; 5</p>"
    assert found.content.summary == "Isi < 5"


async def test_the_sample_newsroom_is_read_without_a_problem(jail: Jail, make_config: MakeConfig) -> None:
    source = FolderSource(make_config(str(REPOSITORY / "sample" / "newsroom"), kind="folder"), jail)
    gathered = await source.gather(EMPTY, now=NOW + timedelta(days=1))
    assert (gathered.look, gathered.problems) == (Look.OK, ())
    assert len(gathered.articles) >= 24
    again = await source.gather(gathered.memory or EMPTY, now=NOW + timedelta(days=1))
    assert again.look is Look.UNCHANGED


# What a person does.


async def test_nothing_is_read_when_nothing_changed(newsroom: Newsroom, jail: Jail) -> None:
    file = newsroom.write("a.md", story())
    await newsroom.look()
    file.write_bytes(file.read_bytes().replace(b"Judul", b"XXXXX"))  # seen only by someone who reads
    os.utime(file, (OLD.timestamp(), OLD.timestamp()))
    gathered = await newsroom.look()
    assert (gathered.look, gathered.articles, gathered.memory) == (Look.UNCHANGED, (), None)


async def test_an_edit_is_seen_and_only_that_file_is_brought(newsroom: Newsroom) -> None:
    newsroom.write("a.md", story("A"))
    newsroom.write("b.md", story("B"))
    await newsroom.look()
    newsroom.write("a.md", story("A baru"))
    gathered = await newsroom.look()
    assert [found.content.title for found in gathered.articles] == ["A baru"]
    assert (gathered.gone, gathered.moved) == (frozenset(), {})


async def test_a_rename_is_a_move(newsroom: Newsroom) -> None:
    file = newsroom.write("a.md", story("A"))
    newsroom.write("b.md", story("B"))
    await newsroom.look()
    file.rename(newsroom.root / "c.md")
    gathered = await newsroom.look()
    assert (gathered.moved, gathered.gone) == ({"a.md": "c.md"}, frozenset())


async def test_the_only_story_may_be_renamed(newsroom: Newsroom) -> None:
    file = newsroom.write("a.md", story("A"))
    await newsroom.look()
    file.rename(newsroom.root / "c.md")
    assert (await newsroom.look()).moved == {"a.md": "c.md"}


async def test_a_story_with_an_id_keeps_its_key_under_any_name(newsroom: Newsroom) -> None:
    file = newsroom.write("a.md", story("A", id='"satu"'))
    assert [found.key for found in (await newsroom.look()).articles] == ["satu"]
    file.unlink()
    newsroom.write("lain/b.md", story("A diubah", id='"satu"'))
    gathered = await newsroom.look()
    assert [found.key for found in gathered.articles] == ["satu"]
    assert (gathered.moved, gathered.gone) == ({}, frozenset())


async def test_giving_a_story_an_id_is_a_move(newsroom: Newsroom) -> None:
    newsroom.write("a.md", story("A"))
    await newsroom.look()
    newsroom.write("a.md", story("A", id='"satu"'))
    gathered = await newsroom.look()
    assert (gathered.moved, gathered.gone) == ({"a.md": "satu"}, frozenset())


async def test_a_copy_is_another_story(newsroom: Newsroom) -> None:
    newsroom.write("a.md", story("A"))
    await newsroom.look()
    newsroom.write("b.md", story("A"))
    gathered = await newsroom.look()
    assert [found.key for found in gathered.articles] == ["b.md"]
    assert gathered.moved == {}


async def test_a_deletion_is_seen(newsroom: Newsroom) -> None:
    file = newsroom.write("a.md", story("A"))
    newsroom.write("b.md", story("B"))
    await newsroom.look()
    file.unlink()
    gathered = await newsroom.look()
    assert (gathered.look, gathered.gone) == (Look.OK, frozenset({"a.md"}))
    assert (await newsroom.look()).look is Look.UNCHANGED


async def test_a_file_that_may_still_be_written_waits_and_so_do_deletions(newsroom: Newsroom) -> None:
    file = newsroom.write("a.md", story("A"))
    newsroom.write("b.md", story("B"))
    await newsroom.look()
    file.unlink()
    newsroom.write("c.md", story("A"), at=NOW - timedelta(milliseconds=300))
    first = await newsroom.look()
    assert (first.look, first.articles, first.gone) == (Look.UNCHANGED, (), frozenset())
    second = await newsroom.look(now=NOW + timedelta(seconds=2))
    assert (second.moved, second.gone) == ({"a.md": "c.md"}, frozenset())


async def test_another_zone_reads_all_files_anew(newsroom: Newsroom, jail: Jail, make_config: MakeConfig) -> None:
    newsroom.write("a.md", story(published="2026-11-20T08:00:00"))
    await newsroom.look()
    newsroom.source = FolderSource(make_config(str(newsroom.root), kind="folder", zone="Asia/Makassar"), jail)
    (found,) = (await newsroom.look()).articles
    assert found.content.published == datetime(2026, 11, 20, 0, tzinfo=UTC)


async def test_without_a_date_the_file_s_own_time_counts_and_is_flagged(newsroom: Newsroom) -> None:
    newsroom.write("a.md", '+++\ntitle = "A"\n+++\nIsi\n', at=datetime(2026, 11, 1, tzinfo=UTC))
    (found,) = (await newsroom.look()).articles
    assert found.content.published == datetime(2026, 11, 1, tzinfo=UTC)
    assert found.content.flags == ("date_guess",)


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-11-20T08:00:00", "2026-11-20T01:00:00"),
        ("2026-11-20 08:00:00", "2026-11-20T01:00:00"),
        ("2026-11-20", "2026-11-19T17:00:00"),
        ('"Jum\'at, 20 November 2026 08.00 WITA"', "2026-11-20T00:00:00"),
    ],
)
async def test_times_are_read_in_the_newsroom_s_zone(written: str, instant: str, newsroom: Newsroom) -> None:
    newsroom.write("a.md", story(published=written))
    (found,) = (await newsroom.look()).articles
    assert found.content.published == datetime.fromisoformat(instant).replace(tzinfo=UTC)


# What goes wrong.


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("Tanpa kepala\n", 1, "+++"),
        ("---\ntitle: x\n---\nIsi\n", 1, "+++"),
        ('+++\ntitle = "A"\nIsi\n', 1, "second +++"),
        ("+++\npublished = 2026-01-01\ntitle = A\n+++\nIsi\n", 3, "TOML"),
        ('+++\nsummary = "x"\n+++\nIsi\n', 1, "title"),
        ('+++\nsummary = "x"\ntittle = "A"\n+++\nIsi\n', 3, 'it has no title, but tittle; write title = "…"'),
        ('+++\ntitle = "A"\ntags = 3\n+++\nIsi\n', 3, "tags"),
        ('+++\ntitle = "A"\npublished = "entah"\n+++\nIsi\n', 3, "published"),
        ('+++\ntitle = "A"\nupdated = 0001-01-01T00:00:00+07:00\n+++\nIsi\n', 3, "updated"),
        ('+++\ntitle = "A"\nx = ' + "[" * 5000 + "\n+++\nIsi\n", 1, "deeply"),
        ('+++\ntitle = "A"\nurl = "javascript:x"\n+++\nIsi\n', 3, "url"),
        ('+++\ntitle = "A"\nid = "a b"\n+++\nIsi\n', 3, "id"),
        (b'+++\ntitle = "Kaf\xe9"\n+++\nIsi\n', 2, "UTF-8"),
    ],
)
async def test_a_bad_file_is_told_with_its_line_and_the_others_go_on(
    text: str | bytes, line: int, words: str, newsroom: Newsroom
) -> None:
    newsroom.write("kota/buruk.md", text)
    newsroom.write("baik.md", story("Baik"))
    gathered = await newsroom.look()
    assert [found.content.title for found in gathered.articles] == ["Baik"]
    (problem,) = gathered.problems
    assert problem.startswith(f"kota/buruk.md:{line}: ")
    assert words in problem
    again = await newsroom.look()
    assert (again.look, again.problems) == (Look.UNCHANGED, gathered.problems)


async def test_a_story_that_becomes_unreadable_is_not_withdrawn(newsroom: Newsroom) -> None:
    newsroom.write("a.md", story("A"))
    newsroom.write("b.md", story("B"))
    await newsroom.look()
    newsroom.write("a.md", "rusak")
    gathered = await newsroom.look()
    assert (gathered.gone, len(gathered.problems)) == (frozenset(), 1)
    newsroom.write("a.md", story("A lagi"))
    mended = await newsroom.look()
    assert ([found.key for found in mended.articles], mended.problems) == (["a.md"], ())


async def test_two_files_with_one_id_are_one_story_and_one_problem(newsroom: Newsroom) -> None:
    newsroom.write("a.md", story("A", id='"satu"'))
    newsroom.write("b.md", story("B", id='"satu"'))
    gathered = await newsroom.look()
    assert [found.content.title for found in gathered.articles] == ["A"]
    assert "satu" in gathered.problems[0]


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("autors", "autors is no key we know; did you mean authors?"),
        ("Section", "Section is no key we know; did you mean sections?"),
        ("image-alt", "image-alt is no key we know; did you mean image_alt?"),
        ("zzz", "zzz is no key we know; known: authors, id, image, image_alt, "),
    ],
)
async def test_a_misspelt_key_is_told_with_its_line_and_the_one_that_was_meant(
    key: str, hint: str, newsroom: Newsroom
) -> None:
    text = story(**{key: '"x"'})
    newsroom.write("a.md", text)
    gathered = await newsroom.look()
    line = next(number for number, line in enumerate(text.split("\n"), start=1) if line.startswith(key))
    assert len(gathered.articles) == 1
    assert gathered.problems[0].startswith(f"a.md:{line}: {hint}")


@pytest.mark.parametrize("name", ["tidak-ada.jpg", "../luar.jpg", "/etc/hostname", "link.jpg", "rusak.jpg", "teks.svg"])
async def test_a_bad_picture_costs_the_story_only_its_picture(name: str, newsroom: Newsroom, tmp_path: Path) -> None:
    (tmp_path / "luar.jpg").write_bytes(picture())
    (newsroom.root / "link.jpg").symlink_to(tmp_path / "luar.jpg")
    newsroom.write("rusak.jpg", picture()[:300])
    newsroom.write("teks.svg", "<svg/>")
    newsroom.write("a.md", story(image=f'"{name}"'))
    gathered = await newsroom.look()
    (found,) = gathered.articles
    assert (found.content.picture, found.media) == (None, ())
    assert name in gathered.problems[0]


async def test_a_picture_that_comes_later_or_changes_brings_the_story_again(newsroom: Newsroom) -> None:
    newsroom.write("a.md", story(image='"a.png"'))
    await newsroom.look()
    newsroom.write("a.png", picture("PNG"))
    (first,) = (await newsroom.look()).articles
    newsroom.write("a.png", picture("PNG", (50, 30)))
    (second,) = (await newsroom.look()).articles
    assert first.media[0].hash != second.media[0].hash
    assert (await newsroom.look()).look is Look.UNCHANGED


async def test_links_out_of_the_folder_are_not_followed(newsroom: Newsroom, tmp_path: Path) -> None:
    outside = tmp_path / "luar"
    outside.mkdir()
    (outside / "a.md").write_text(story("Luar"))
    (newsroom.root / "link").symlink_to(outside)
    (newsroom.root / "b.md").symlink_to(outside / "a.md")
    newsroom.write("c.md", story("Dalam"))
    assert [found.content.title for found in (await newsroom.look()).articles] == ["Dalam"]


async def test_a_name_that_cannot_be_written_is_told(newsroom: Newsroom) -> None:
    newsroom.write("baik.md", story())
    (newsroom.root / os.fsdecode(b"rusak\xff.md")).write_text(story())
    gathered = await newsroom.look()
    assert len(gathered.articles) == 1
    assert "rename" in gathered.problems[0]


# What a broken disk does.


async def test_a_missing_folder_is_a_failure(newsroom: Newsroom) -> None:
    newsroom.write("a.md", story())
    await newsroom.look()
    newsroom.root.rename(newsroom.root.with_name("pindah"))
    gathered = await newsroom.look()
    assert (gathered.look, gathered.gone) == (Look.FAILED, frozenset())
    assert str(newsroom.root) in gathered.problem


@pytest.mark.parametrize("count", [1, 3, 30])
async def test_a_suddenly_empty_folder_is_a_failure(count: int, newsroom: Newsroom) -> None:
    files = [newsroom.write(f"{number}.md", story(f"Judul {number}")) for number in range(count)]
    await newsroom.look()
    for file in files:
        file.unlink()
    gathered = await newsroom.look()
    assert (gathered.look, gathered.gone, gathered.memory) == (Look.FAILED, frozenset(), None)


@pytest.mark.parametrize(("lost", "failed"), [(5, False), (6, True)])
async def test_more_than_five_and_a_fifth_at_once_is_a_failure(lost: int, failed: bool, newsroom: Newsroom) -> None:
    files = [newsroom.write(f"{number}.md", story(f"Judul {number}")) for number in range(20)]
    await newsroom.look()
    for file in files[:lost]:
        file.unlink()
    assert ((await newsroom.look()).look is Look.FAILED) is failed


async def test_an_operator_can_confirm_exactly_these_removals(newsroom: Newsroom) -> None:
    files = [newsroom.write(f"{number}.md", story(f"Judul {number}")) for number in range(20)]
    await newsroom.look()
    for file in files[:10]:
        file.unlink()
    failed = await newsroom.look()
    code = re.search(r"run `syndicate sources confirm \S+ ([0-9a-f]{8})`", failed.problem)
    assert code is not None
    newsroom.confirm("deadbeef")
    assert (await newsroom.look()).look is Look.FAILED
    newsroom.confirm(code[1])
    confirmed = await newsroom.look()
    assert (confirmed.look, len(confirmed.gone)) == (Look.OK, 10)
    assert "confirmed" not in newsroom.memory.values
    for file in files[10:]:
        file.unlink()
    assert (await newsroom.look()).look is Look.FAILED


async def test_a_confirmation_waits_for_the_look_that_acts_on_it(newsroom: Newsroom) -> None:
    files = [newsroom.write(f"{number}.md", story(f"Judul {number}")) for number in range(20)]
    await newsroom.look()
    for file in files[:10]:
        file.unlink()
    code = re.search(r"[0-9a-f]{8}", (await newsroom.look()).problem)
    assert code is not None
    newsroom.confirm(code[0])
    newsroom.write("baru.md", story("Baru"), at=NOW)  # still being written: nothing is decided yet
    newsroom.write("11.md", story("Disunting"), at=OLD + timedelta(minutes=1))

    waiting = await newsroom.look()
    acted = await newsroom.look(now=NOW + timedelta(minutes=1))

    assert (waiting.look, waiting.gone) == (Look.OK, frozenset())
    assert len(acted.gone) == 10
