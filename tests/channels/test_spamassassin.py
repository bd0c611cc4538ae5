"""What a spam filter thinks of the sample's digest: nothing in its head, its parts or its HTML costs points."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from syndicate.app import open_app
from syndicate.settings import load, prepare_keys
from syndicate.settings.dkim import make_signing_keys
from syndicate.work import run_once
from tests.channels.mail_rules import Letter, in_maildirs

ROOT = Path(__file__).parents[2]
MOST = 0.5  # points; 5 are spam


async def sample_letters(folder: Path) -> list[Letter]:
    """The shipped sample's first edition for its three readers, signed, of a newspaper with a public address."""
    shipped = (ROOT / "config" / "syndicate.toml").read_text("utf-8")
    text = shipped.replace('url = "http://127.0.0.1:8080"', 'url = "https://berita.contohpos.example"')
    (folder / "config").mkdir()
    (folder / "config" / "syndicate.toml").write_text(
        text.replace('path = "var/outbox"', 'path = "var/outbox"\ndkim = "s1"'), "utf-8"
    )
    prepare_keys(None, cwd=folder)
    make_signing_keys(folder / "keys", "contohpos.example", "s1")
    app = open_app(load(None, cwd=folder, environ={}))
    try:
        await run_once(app)
    finally:
        await app.aclose()
    return in_maildirs(folder)


def judged(program: str, folder: Path, mails: Mapping[str, bytes]) -> dict[str, dict[str, float]]:
    """Points by rule, for each mail, without looking anything up outside."""
    for name, content in mails.items():
        (folder / name).write_bytes(content)
    said = subprocess.run(
        [program, "--local", "--test-mode", "--nocreate-prefs", *mails],
        cwd=folder,
        env={**os.environ, "HOME": str(folder)},
        capture_output=True,
        timeout=60,
        check=True,
    ).stdout.decode("utf-8", "replace")
    reports = said.split("Content analysis details:")[1:]
    found = [re.findall(r"^ *(-?\d+\.\d) ([A-Z][A-Z0-9_]+) ", report, re.M) for report in reports]
    return {name: {rule: float(points) for points, rule in rules} for name, rules in zip(mails, found, strict=True)}


async def test_the_sample_s_digest_costs_next_to_no_points(spamassassin: str, tmp_path: Path) -> None:
    letters = await sample_letters(tmp_path)
    assert len(letters) == 3
    assert all(letter.values("DKIM-Signature") for letter in letters)
    weak = re.sub(rb"(text/plain;.*?\r\n\r\n).*?\r\n--=_", rb"\1Halo\r\n--=_", letters[0].raw, count=1, flags=re.S)

    points = judged(
        spamassassin, tmp_path, {f"mail{n}": letter.raw for n, letter in enumerate(letters)} | {"weak": weak}
    )

    assert sum(points.pop("weak").values()) > MOST  # so it is really looked at: a text part that says less costs
    for rules in points.values():
        assert "HTML_MESSAGE" in rules
        assert sum(cost for cost in rules.values() if cost > 0) <= MOST, rules  # also without what speaks for us
