"""`sources add`, `test --url` and `confirm`: a newsroom is found, looked into, and believed when a person says so."""

import asyncio
import json
import os
import pwd
import re
import stat
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

from syndicate.settings import init_text
from tests.cli.conftest import Cli, free_port, write_story
from tests.servers.wordpress import Options, Picture, Wordpress, open_wordpress

PATIENCE = 10.0  # seconds
FIRST = "MALANG POSCO MEDIA, MALANG – Pemerintah kota menyatakan bahwa jembatan itu dibuka sesuai dengan rencana."
MORE = "Warga yang ditemui di balai kota mengatakan bahwa mereka akan menunggu hasil dari rapat pada pekan depan."


@contextmanager
def newsroom(options: Options | None = None) -> Iterator[Wordpress]:
    """A WordPress with one story, in a thread of its own: the command line has a loop of its own."""
    loop, ready, end = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    opened: list[Wordpress] = []

    async def live() -> None:
        async with open_wordpress(options) as site:
            picture = Picture(name="jembatan.jpg", caption="Jembatan baru (FOTO: ANTARA)")
            text = f"{FIRST}\n\n{MORE}\n\n{MORE} (rex/aim)"
            site.publish("jembatan", "Jembatan baru dibuka", text, categories=["Malang Raya"], picture=picture)
            opened.append(site)
            ready.set()
            await end.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(live(),), daemon=True)
    thread.start()
    assert ready.wait(PATIENCE)
    yield opened[0]
    loop.call_soon_threadsafe(end.set)
    thread.join(PATIENCE)
    loop.close()


@pytest.fixture
def site() -> Iterator[Wordpress]:
    with newsroom() as one:
        yield one


@pytest.fixture
def config(paper: Path, site: Wordpress) -> Path:
    """The file of a paper that may reach the newsroom."""
    file = paper / "config" / "syndicate.toml"
    allow(file, site)
    return file


def allow(file: Path, site: Wordpress) -> None:
    file.write_text(file.read_text().replace("allow = [", f'allow = ["127.0.0.1:{site.site.port}", '))


# add


def test_without_yes_and_without_a_terminal_it_only_shows(cli: Cli, config: Path, site: Wordpress) -> None:
    before = config.read_bytes()

    said = cli("sources", "add", site.home, "--name", "koran")

    assert (said.code, said.err) == (0, "")
    assert re.search(r"^rest +open", said.out, re.M)
    assert re.search(r"^2026-11-24 12:00:00 WIB +Jembatan baru dibuka +Malang Raya +yes *$", said.out, re.M)
    assert f'kind = "wordpress"  # rest open, feed open, sitemap open, page open\nurl = "{site.home}/"' in said.out
    assert said.out.endswith(f"Nothing was written. With --yes it is written into {config}.\n")
    assert config.read_bytes() == before


def test_with_yes_the_source_stands_behind_the_others_and_all_else_stays(
    cli: Cli, config: Path, site: Wordpress
) -> None:
    config.chmod(0o640)
    before = config.read_text()

    said = cli("sources", "add", site.link("jembatan"), "--name", "koran", "--relation", "owner", "--yes")
    after = config.read_text()

    assert (said.code, said.err) == (0, "")
    place = before.index("[[feeds]]")
    assert (after[:place].rstrip(), after[-len(before[place:]) :]) == (before[:place].rstrip(), before[place:])
    added = tomllib.loads(after)["sources"][-1]
    assert added == {
        "name": "koran",
        "kind": "wordpress",
        "url": f"{site.home}/",
        "relation": "owner",
        "first_import": "feeds",
    }
    assert stat.S_IMODE(config.stat().st_mode) == 0o640
    assert [one.name for one in config.parent.iterdir()] == ["syndicate.toml"]
    assert "koran: 1 published." in cli("gather", "koran").out


def test_what_is_in_the_file_already_is_not_added_again(cli: Cli, config: Path, site: Wordpress) -> None:
    cli("sources", "add", site.home, "--name", "koran", "--yes")
    before = config.read_bytes()

    by_name = cli("sources", "add", "https://lain.example", "--name", "koran", "--yes")
    by_url = cli("sources", "add", site.feed_url, "--name", "lain", "--yes")

    assert (by_name.code, by_name.err) == (
        1,
        "a source called koran is in the configuration already; choose another. Nothing was written\n",
    )
    assert by_url.code == 1
    assert f"{site.home}/ is in the configuration already, as the source koran" in by_url.err
    assert config.read_bytes() == before


def test_another_source_of_the_same_site_is_named(cli: Cli, config: Path, site: Wordpress) -> None:
    feed = f'[[sources]]\nname = "umpan"\nkind = "feed"\nurl = "{site.feed_url}"\n'
    config.write_text(config.read_text().replace("[[feeds]]", f"{feed}[[feeds]]", 1))

    said = cli("sources", "add", site.home.removeprefix("http://"), "--name", "koran")

    assert said.code == 0
    assert "The same site is read by umpan: keep one of them, or each story comes twice." in said.out


def test_newsrooms_at_two_ports_of_one_host_are_two(cli: Cli, config: Path, site: Wordpress) -> None:
    other = f'[[sources]]\nname = "tetangga"\nkind = "wordpress"\nurl = "http://127.0.0.1:{free_port()}/"\n'
    config.write_text(config.read_text().replace("[[feeds]]", f"{other}[[feeds]]", 1))

    said = cli("sources", "add", site.home, "--name", "koran")

    assert said.code == 0
    assert "The same site" not in said.out


@pytest.mark.parametrize(("rest", "hints"), [("open", False), ("closed_401", True)])
def test_sections_are_a_question_only_where_the_feed_is_read(
    rest: Literal["open", "closed_401"], cli: Cli, config: Path, site: Wordpress, *, hints: bool
) -> None:
    site.options.rest = rest

    said = cli("sources", "add", site.home, "--name", "koran")

    assert ("# sections = [" in said.out) is hints


def test_json_tells_all_and_writes_only_with_yes(cli: Cli, config: Path, site: Wordpress) -> None:
    shown = json.loads(cli("sources", "add", site.home, "--name", "koran", "--json").out)
    written = json.loads(cli("sources", "add", site.home, "--name", "koran", "--json", "--yes").out)

    assert [(one["name"], one["state"]) for one in shown["channels"]] == [
        (name, "open") for name in ("rest", "feed", "sitemap", "page")
    ]
    assert (shown["best"], shown["written"], written["written"]) == ("rest", False, True)
    assert shown["articles"][0]["published"] == "2026-11-24T05:00:00+00:00"
    assert shown["config"] in config.read_text()


def test_a_site_that_shows_nothing_is_a_sentence_for_each_channel(cli: Cli, config: Path, site: Wordpress) -> None:
    site.options.rest, site.options.feed, site.options.sitemap = "closed_401", "missing_404", "none"
    site.trash("jembatan")

    said = cli("sources", "add", site.home, "--name", "koran", "--yes")

    assert said.code == 1
    assert re.search(r"^rest +shut \(401\)", said.out, re.M)
    lines = said.err.splitlines()
    assert [line.partition(":")[0] for line in lines[:4]] == ["rest", "feed", "sitemap", "page"]
    assert "wp-json/ is closed (401)." in lines[0]
    assert "Ask the newsroom to open its REST API or a feed to us" in lines[-1]


def test_a_site_that_can_not_be_reached_is_one_sentence(cli: Cli, config: Path) -> None:
    said = cli("sources", "add", f"http://127.0.0.1:{free_port()}/", "--yes")

    assert said.code == 1
    assert len(said.err.splitlines()) == 1
    assert "could not be reached" in said.err


@pytest.mark.parametrize(
    "words", [["ftp://koran.example"], ["ko ran"], ["https://koran.example", "--name", "Koran Kita"]]
)
def test_what_is_no_address_or_name_is_a_usage_error(words: list[str], cli: Cli, config: Path) -> None:
    said = cli("sources", "add", *words)

    assert said.code == 2
    assert "write" in said.err


# test --url


def test_a_page_is_shown_layer_by_layer_and_as_the_story_it_makes(cli: Cli, config: Path, site: Wordpress) -> None:
    cli("sources", "add", site.home, "--name", "koran", "--yes")

    said = cli("sources", "test", "koran", "--url", site.link("jembatan"))

    assert (said.code, said.err) == (0, "")
    assert re.search(r"^title +json-ld +Jembatan baru dibuka +✓", said.out, re.M)
    assert re.search(r"^page rule +tagdiv\.", said.out, re.M)
    assert re.search(r"^publish gate +passed", said.out, re.M)
    by_page, _, gathered = said.out.partition("As the source would gather it:")
    for part in (by_page, gathered):
        assert re.search(r"^published +2026-11-24 12:00:00 WIB", part, re.M)
        assert re.search(r"^dateline +MALANG POSCO MEDIA, MALANG", part, re.M)
        assert re.search(r"^initials +rex, aim", part, re.M)
        assert re.search(r"^last +Warga yang ditemui", part, re.M)
    assert re.search(r"^by channel +rest: title", gathered, re.M)


def test_a_page_that_shows_no_story_is_said_and_exit_code_1(cli: Cli, config: Path, site: Wordpress) -> None:
    cli("sources", "add", site.home, "--name", "koran", "--yes")

    list_page = cli("sources", "test", "koran", "--url", f"{site.home}/")
    missing = cli("sources", "test", "koran", "--url", f"{site.home}/tidak-ada/", "--json")
    folder = cli("sources", "test", "newsroom", "--url", site.home)

    assert (list_page.code, missing.code, folder.code) == (1, 1, 1)
    assert "it is a list of stories" in list_page.out
    assert json.loads(missing.out)["problem"] == "is not there (404)"
    assert "newsroom is a folder, which has no pages" in folder.err


@pytest.mark.parametrize("words", ["sources test koran", "check"])
def test_a_look_that_takes_nothing_over_reads_no_more_than_it_shows(
    words: str, cli: Cli, config: Path, site: Wordpress
) -> None:
    cli("sources", "add", site.home, "--name", "koran", "--yes")
    for number in range(60):
        site.publish(f"kabar-{number}", f"Kabar {number}", MORE)
    site.log.clear()

    said = cli(*words.split())

    assert said.code == 0, said.out + said.err
    assert said.out.count("Kabar") == 5 or "the newest 5 stories can be read" in said.out
    assert len(site.log) < 8
    assert [asked.query["per_page"] for asked in site.log if "_embed" in asked.query] == ["5"]


def test_a_story_that_comes_from_its_page_alone_is_shown_once(cli: Cli, config: Path, site: Wordpress) -> None:
    site.options.rest, site.options.feed = "closed_403", "closed_403"
    cli("sources", "add", site.home, "--name", "koran", "--yes")
    for number in range(20):
        site.publish(f"kabar-{number}", f"Kabar {number}", MORE)
    site.log.clear()

    said = cli("sources", "test", "koran", "--url", site.link("jembatan"))

    assert said.code == 0
    assert said.out.count("first ") == 1
    assert [asked.path for asked in site.log if "kabar" in asked.path] == []


# init --url


def test_init_finds_the_newsrooms_best_channel(
    cli: Cli, tmp_path: Path, site: Wordpress, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A first configuration opens no address of this machine, where the test's newsroom is.
    net = f'\n[net]\nallow = ["127.0.0.1:{site.site.port}"]\n'
    monkeypatch.setattr("syndicate.settings.init_text", lambda **words: init_text(**words) + net)

    said = cli("init", str(tmp_path / "baru"), "--url", site.link("jembatan"))

    assert (said.code, said.err) == (0, "")
    assert re.search(r"^rest +open", said.out, re.M)
    (source,) = tomllib.loads((tmp_path / "baru" / "config" / "syndicate.toml").read_text())["sources"]
    assert (source["kind"], source["url"], source["relation"]) == ("wordpress", f"{site.home}/", "owner")


# confirm


def vanished(cli: Cli, paper: Path) -> str:
    """All stories of the folder are gone, and the look that saw it asked for this code."""
    for file in (paper / "newsroom").iterdir():
        file.unlink()
    cli("gather")
    code = re.search(r"confirm newsroom ([0-9a-f]{8})`", cli("sources", "list", "--problems").out)
    assert code is not None
    return code[1]


def test_a_confirmed_loss_is_withdrawn_by_the_next_look(cli: Cli, paper: Path) -> None:
    code = vanished(cli, paper)

    said = cli("sources", "confirm", "newsroom", code)
    gathered = cli("gather")

    assert (said.code, said.out.partition(".")[0]) == (0, "Confirmed")
    assert gathered.out == "newsroom: 2 withdrawn.\n"


def test_who_confirmed_a_loss_stands_in_the_log_and_with_the_source(cli: Cli, paper: Path) -> None:
    code = vanished(cli, paper)

    said = cli("sources", "confirm", "newsroom", code)

    who = pwd.getpwuid(os.getuid()).pw_name
    assert re.search(rf"source\.loss_confirmed.*{code} by={who}", said.err)
    problem = cli("sources", "list", "--problems").out
    assert re.search(rf"cerita-1\.md, cerita-2\.md.*Confirmed at .* by {who}\.", problem)


@pytest.mark.parametrize("name", ["newsroom", "nowhere"])
def test_a_code_that_nobody_asked_for_is_refused(name: str, cli: Cli, paper: Path) -> None:
    code = vanished(cli, paper)

    said = cli("sources", "confirm", name, code[:4])

    assert said.code == 1
    assert cli("gather").code == 1


def test_a_confirmation_is_good_for_one_loss(cli: Cli, paper: Path) -> None:
    cli("sources", "confirm", "newsroom", vanished(cli, paper))
    cli("gather")
    write_story(paper, 1, "Jembatan baru dibuka")
    write_story(paper, 2, "Harga cabai turun")
    cli("gather")

    again = vanished(cli, paper)

    assert cli("gather").code == 1
    assert again
