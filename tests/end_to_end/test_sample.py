"""What `make up` starts: the shipped sample, from a cold start to mails, pages and webhooks, and a second start."""

import re
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from syndicate.work import SAMPLE_READERS
from tests.end_to_end.house import EDITION, House, eventually, free_port
from tests.formats.rules import by_the_rules

ROOT = Path(__file__).parents[2]
STORY = '+++\ntitle = "Kabar susulan dari meja redaksi"\nsections = ["Kota"]\n+++\n\nIsi kabar susulan.\n'


@pytest.fixture
def house(tmp_path: Path) -> House:
    """The shipped configuration under another port, with a copy of its newsroom that may be written to."""
    port = free_port()
    shipped = (ROOT / "config" / "syndicate.toml").read_text("utf-8")
    text = shipped.replace("127.0.0.1:8080", f"127.0.0.1:{port}").replace("asset:sample/newsroom", "newsroom")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "syndicate.toml").write_text(text, "utf-8")
    for file in (ROOT / "sample" / "newsroom").rglob("*.*"):
        copy = tmp_path / "newsroom" / file.relative_to(ROOT / "sample" / "newsroom")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    return House(folder=tmp_path, port=port)


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx2.AsyncClient]:
    """Asks the house's own pages."""
    async with httpx2.AsyncClient(trust_env=False, base_url=house.origin) as one:
        yield one


async def test_the_sample_delivers_and_a_second_start_mails_only_what_is_new(
    house: House, client: httpx2.AsyncClient
) -> None:
    async with house.up():
        await eventually(lambda: delivered(house, editions=1), within=EDITION)
        outbox = (await client.get("/outbox")).text
        received = await eventually(lambda: webhooks(client, "edition.published"))

    said = house.log.read_text("utf-8")
    assert all(reader in outbox for reader in SAMPLE_READERS)
    assert received["article.published"] >= 24
    assert all(f"{house.origin}{path}" in said for path in ("/feeds/", "/outbox", "/sample/receiver", "/editions/"))
    async with house.up():
        (house.folder / "newsroom" / "kota" / "susulan.md").write_text(STORY, "utf-8")
        await eventually(lambda: shows(client, "Kabar susulan dari meja redaksi"))
        await eventually(lambda: delivered(house, editions=2), within=EDITION)
        editions = await house.ask("editions", "list")

    newest = await house.ask("editions", "show", editions[0]["name"])
    assert [story["title"] for story in newest["stories"]] == ["Kabar susulan dari meja redaksi"]
    assert [edition["books"]["accepted"] for edition in editions] == [3, 3]


async def delivered(house: House, *, editions: int) -> None:
    """Each sample reader has so many mails, and nobody else has any."""
    mails = [path.read_bytes() for path in (house.folder / "var" / "outbox" / "new").glob("*")]
    to = Counter(re.findall(rb"^Delivered-To: (\S+?)\r?$", mail, re.MULTILINE)[0].decode() for mail in mails)
    assert to == dict.fromkeys(SAMPLE_READERS, editions)


async def webhooks(client: httpx2.AsyncClient, wanted: str) -> Counter[str]:
    """What the sample receiver shows by type, once this one is among them; all of it well signed."""
    page = (await client.get("/sample/receiver")).text
    assert f"<code>{wanted}</code>" in page
    assert 'class="bad"' not in page
    return Counter(re.findall(r"<code>([a-z]+\.[a-z]+)</code>", page))


async def shows(client: httpx2.AsyncClient, title: str) -> None:
    answer = await client.get("/feeds/terkini.rss")
    by_the_rules(str(answer.url), answer.content, now=datetime.now(UTC))
    assert title in answer.text
