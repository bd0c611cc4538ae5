"""Commands that only look: the same facts as a table in the newspaper's zone and as JSON in UTC."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syndicate.domain.likeness import Link, LinkKind
from syndicate.store import files, likeness
from syndicate.store.db import Database
from syndicate.store.files import Document
from syndicate.work import single_process
from tests.cli.conftest import Cli, write_story

LISTS = {
    "sources list": "newsroom",
    "sources test newsroom": "Jembatan baru dibuka",
    "articles list": "Harga cabai turun",
    "articles list --source newsroom --limit 1": "Harga cabai turun",
    "feeds list": "terkini",
    "feeds show terkini": "Jembatan baru dibuka",
    "newsletters list": "ringkasan",
    "newsletters preview ringkasan": "ringkasan",
    "editions list": "done",
    "editions list --newsletter ringkasan": "done",
    "subscribers list": "dewi@pembaca.example",
    "subscribers list --newsletter ringkasan --after 1": "bagus@pembaca.example",
    "subscribers show dewi@pembaca.example": "ringkasan",
    "partners list": "portal",
    "partners pushes": "article.published",
    "jobs list": "push:portal",
    "check": "takes mail",
}


def told(cli: Cli, *words: str) -> Any:
    said = cli(*words, "--json")
    assert said.code == 0, said.err
    return json.loads(said.out)


@pytest.mark.parametrize("words", LISTS)
def test_a_table_shows_what_is_there(words: str, cli: Cli, paper: Path) -> None:
    said = cli(*words.split())

    assert (said.code, said.err) == (0, "")
    assert LISTS[words] in said.out


@pytest.mark.parametrize("words", LISTS)
def test_json_holds_the_same_and_can_be_parsed(words: str, cli: Cli, paper: Path) -> None:
    assert LISTS[words] in json.dumps(told(cli, *words.split()))


def test_a_feed_that_is_too_large_is_named_by_its_list_and_by_check(cli: Cli, paper: Path) -> None:
    large = Document(name="terkini.rss", media_type="x/x", etag="a", last_modified=1, plain=b"<" * 600_000, gzipped=b"")
    files.write_document(paper / "var" / "feeds", large)
    why = "terkini.rss is 600,000 bytes"

    listed, checked = told(cli, "feeds", "list"), told(cli, "check", "--offline")

    assert [bool(row["large"]) for row in listed] == [True, False]
    assert why in listed[0]["large"]
    assert f"Too large: {why}" in cli("feeds", "list").out
    assert [(one["what"], one["ok"]) for one in checked if why in one["found"]] == [("feed terkini", True)]


def test_json_dates_are_in_utc_and_tables_in_the_zone_of_the_site(cli: Cli, paper: Path) -> None:
    (story,) = told(cli, "articles", "list", "--limit", "1")

    published = datetime.fromisoformat(story["published"])
    assert published.utcoffset() == timedelta(0)
    assert "2026-11-22 08:00:00 WIB" in cli("articles", "list", "--limit", "1").out


def test_an_article_shows_its_versions_feeds_and_editions(cli: Cli, paper: Path) -> None:
    write_story(paper, 2, "Harga cabai turun lagi")
    assert cli("gather").code == 0
    (story,) = told(cli, "articles", "list", "--limit", "1")

    found = told(cli, "articles", "show", story["id"])

    assert [version["title"] for version in found["versions"]] == ["Harga cabai turun", "Harga cabai turun lagi"]
    assert [change["kind"] for change in found["changes"]] == ["published", "updated"]
    assert found["feeds"] == ["mitra", "terkini"]
    assert [(edition["newsletter"], edition["version"]) for edition in found["editions"]] == [("ringkasan", 1)]
    assert "Harga cabai turun\n" in cli("articles", "show", story["id"], "--version", "1").out
    assert cli("articles", "show", story["id"]).code == 0


def test_an_article_names_what_it_is_a_double_of_and_where_else_it_stands(cli: Cli, paper: Path) -> None:
    later, first = told(cli, "articles", "list")
    asyncio.run(link(paper, later["id"], first["id"], LinkKind.DOUBLE))
    assert told(cli, "articles", "show", later["id"])["double_of"] == first["id"]
    assert told(cli, "articles", "show", first["id"])["doubles"] == [later["id"]]
    assert f"double of  {first['id']}" in cli("articles", "show", later["id"]).out
    assert f"posted again  {later['id']}" in cli("articles", "show", first["id"]).out

    asyncio.run(link(paper, later["id"], first["id"], LinkKind.COPY))
    (other,) = told(cli, "articles", "show", first["id"])["also_at"]
    assert (other["id"], other["source"]) == (later["id"], "newsroom")
    assert f"also at    {later['id']}" in cli("articles", "show", first["id"]).out


async def link(paper: Path, article: str, other: str, kind: LinkKind) -> None:
    """Links two stories, as gathering does, in the place of any link that is there."""
    db = Database(f"sqlite:///{paper}/var/syndicate.db")
    async with db.write() as connection:
        await likeness.drop_links(connection, article, [other])
        at = datetime(2026, 11, 24, tzinfo=UTC)
        await likeness.add_link(connection, Link(article_id=article, other_id=other, kind=kind, at=at))
    await db.aclose()


def test_an_edition_shows_its_stories_and_its_books_balance(cli: Cli, paper: Path) -> None:
    (edition,) = told(cli, "editions", "list")

    shown = told(cli, "editions", "show", edition["name"])
    books = told(cli, "editions", "books", edition["name"])

    assert [story["title"] for story in shown["stories"]] == ["Harga cabai turun", "Jembatan baru dibuka"]
    assert (books["balanced"], books["ledger"]["accepted"], books["ledger"]["uncertain"]) == (True, 3, 0)
    assert "The books balance." in cli("editions", "books", edition["name"]).out
    assert edition["name"] in cli("editions", "show", edition["name"]).out


def test_a_preview_writes_the_mail_to_a_file_and_nothing_else(cli: Cli, paper: Path) -> None:
    write_story(paper, 3, "Pasar malam kembali")
    cli("gather")
    before = told(cli, "editions", "list")

    found = told(cli, "newsletters", "preview", "ringkasan", "--html", "preview.html")
    text = cli("newsletters", "preview", "ringkasan", "--text").out

    assert ([story["title"] for story in found["stories"]], found["readers"]) == (["Pasar malam kembali"], 3)
    assert "Pasar malam kembali" in (paper / "preview.html").read_text("utf-8")
    assert "Pasar malam kembali" in text
    assert told(cli, "editions", "list") == before


@pytest.mark.parametrize(
    "words",
    [
        "sources test nowhere",
        "gather nowhere",
        "articles show nothing",
        "articles list --source nowhere",
        "feeds show nothing",
        "newsletters preview nothing",
        "editions show ringkasan/never",
        "subscribers show nobody@pembaca.example",
        "subscribers list --newsletter nothing",
        "partners key nobody",
        "partners enable nothing",
        "jobs retry 99999",
        "domains resume tenang.example",
    ],
)
def test_what_is_not_there_is_one_sentence_and_exit_code_1(words: str, cli: Cli, paper: Path) -> None:
    said = cli(*words.split())

    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("There is no ")
    assert len(said.err.splitlines()) == 1


def test_a_story_can_not_write_to_the_terminal(cli: Cli, paper: Path) -> None:
    write_story(paper, 4, "Warna \\u001b[31mmerah")
    cli("gather")

    said = cli("articles", "list")

    assert "\x1b" not in said.out


@pytest.mark.parametrize("words", ["sources test newsroom", "gather", "once"])
def test_a_source_that_can_not_be_read_is_exit_code_1(words: str, cli: Cli, paper: Path) -> None:
    (paper / "newsroom").rename(paper / "elsewhere")
    with single_process(paper / "var"):
        cli("gather")  # asks for a look: the source is due, however long ago the last one was

    said = cli(*words.split())

    assert said.code == 1
    assert "newsroom" in said.out


def test_problems_of_sources_are_listed_with_each_story(cli: Cli, paper: Path) -> None:
    write_story(paper, 7, 'Tanda "kutip" yang salah')

    gathered = cli("gather")
    listed = cli("sources", "list", "--problems")
    (row,) = told(cli, "sources", "list")

    assert (gathered.code, gathered.out) == (1, "newsroom: nothing new; 1 story with a flaw.\n")
    (line,) = listed.out.splitlines()[1:]
    assert line.startswith("newsroom")
    assert "cerita-7.md:2: the front matter is not TOML" in line
    assert (row["flaws"], len(row["problems"])) == (1, 1)
    heading, line, *_ = cli("sources", "list").out.splitlines()
    assert line[heading.index("flaws") :].strip() == "1"


def test_gather_says_what_it_took_over(cli: Cli, paper: Path) -> None:
    write_story(paper, 5, "Kereta pagi ditambah")

    said = cli("gather", "newsroom")

    assert (said.code, said.out) == (0, "newsroom: 1 published.\n")
    assert cli("gather").out == "newsroom: nothing new.\n"


def test_before_the_first_start_lists_are_empty_and_say_why(cli: Cli, paper: Path) -> None:
    shutil.rmtree(paper / "var")

    sources, articles = cli("sources", "list"), cli("articles", "list")

    assert (sources.code, articles.code) == (0, 0), sources.err + articles.err
    assert re.search(r"^newsroom +folder .* not looked at yet", sources.out, re.M)
    assert articles.out == "There is no story yet; `syndicate gather` looks for some.\n"
    assert cli("sources", "list", "--problems").out == "No source has a problem.\n"


def on_terminal(*words: str, cwd: Path, columns: int) -> list[str]:
    """What a person sees in a window of this width."""
    ours, its = os.openpty()
    program = [sys.executable, "-c", "from syndicate.cli.main import main; main()", *words]
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "xterm", "NO_COLOR": "1"}
    environ |= {"COLUMNS": str(columns)}
    subprocess.run(program, cwd=cwd, env=environ, stdout=its, check=True, timeout=60)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    os.close(its)
    return shown.splitlines()


def test_a_table_that_does_not_fit_the_terminal_is_shown_row_by_row(paper: Path) -> None:
    narrow = on_terminal("sources", "list", cwd=paper, columns=80)
    wide = on_terminal("sources", "list", cwd=paper, columns=300)

    assert [line.split()[0] for line in narrow][:3] == ["source", "kind", "where"]
    assert f"where      {paper / 'newsroom'}" in narrow
    assert "source" in wide[0]
    assert "where" in wide[0]
