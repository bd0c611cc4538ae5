"""A publisher's own digest template: a folder is copied, its words are changed, and the next edition has them."""

import re
import shutil
from pathlib import Path

from syndicate.settings import assets
from tests.cli.conftest import Cli


def configure(paper: Path, *lines: str) -> None:
    """Writes more keys for the newsletter, which stands last but for channels, partners and endpoints."""
    file = paper / "config" / "syndicate.toml"
    text = file.read_text("utf-8")
    file.write_text(text.replace('title = "Ringkasan"\n', "\n".join(['title = "Ringkasan"', *lines, ""])), "utf-8")


def test_a_copied_template_makes_the_mail_that_is_sent(blank: Path, cli: Cli) -> None:
    shutil.copytree(assets("templates/digest/sections"), blank / "templates" / "digest" / "mine")
    (blank / "templates/digest/mine/words.toml").write_text('[id]\nread = "Simak beritanya"\n', "utf-8")
    configure(blank, 'template = "mine"', 'look = { accent = "#0b5d3b", footer = "Jalan Merdeka 12" }')

    cli("once")
    checked = cli("check")
    mails = [file.read_text("ascii") for file in (blank / "var" / "outbox").rglob("*") if file.is_file()]
    found = cli("editions", "list", "--json")
    name = re.findall(r'"name": "([^"]+)"', found.out)[0]

    assert "template mine works" in checked.out
    assert len(mails) == 3
    assert all("Simak beritanya" in mail.replace("=\n", "") for mail in mails)
    assert all("Jalan Merdeka 12" in mail.replace("=\n", "") for mail in mails)
    assert re.search(r"size +\d+,\d{3} bytes of HTML\n", cli("editions", "show", name).out)


def test_a_flaw_in_a_copied_template_is_told_by_check_with_its_file(blank: Path, cli: Cli) -> None:
    cli("once")
    shutil.copytree(assets("templates/digest/sections"), blank / "templates" / "digest" / "mine")
    page = blank / "templates" / "digest" / "mine" / "digest.html.j2"
    page.write_text(page.read_text("utf-8").replace("{% if stories %}", "{% if stories }"), "utf-8")
    configure(blank, 'template = "mine"')

    said = cli("check")

    assert said.code == 1
    assert "mine/digest.html.j2" in said.out.replace("\n", "")


def test_an_edition_that_would_be_held_for_its_size_is_told_in_the_preview(blank: Path, cli: Cli) -> None:
    home = blank / "templates" / "digest" / "mine"
    home.mkdir(parents=True)
    (home / "digest.html.j2").write_text("<html><body>{{ 'x' * 60000 * stories | length }}</body></html>")
    (home / "digest.txt.j2").write_text("x")
    configure(blank, 'template = "mine"', "min = 3")
    cli("once")

    said = cli("newsletters", "preview", "ringkasan")

    assert "over the 90,000" in said.out
    assert "write max = 1" in " ".join(said.out.split())
