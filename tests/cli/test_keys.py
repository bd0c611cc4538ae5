"""`syndicate keys …`: the keys that sign mails, and what happens when one isn't as it should be."""

import json
import re
import stat
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from tests.cli.conftest import Cli, write_story


def sign_with(paper: Path, selector: str) -> None:
    config = paper / "config" / "syndicate.toml"
    text = config.read_text("utf-8")
    config.write_text(text.replace('path = "var/outbox"', f'path = "var/outbox"\ndkim = "{selector}"'), "utf-8")


def verified(mail: bytes, records: dict[str, str]) -> list[bool]:
    """What dkimpy says of the first two signatures."""

    def look_up(name: bytes, timeout: int = 5) -> bytes:
        return records[name.decode().removesuffix(".")].encode()

    content = re.sub(rb"\A(?:Return-Path|Delivered-To): .*\r\n(?:Delivered-To: .*\r\n)?", b"", mail)
    return [bool(dkim.DKIM(content).verify(idx=number, dnsfunc=look_up)) for number in (0, 1)]


def test_mails_are_signed_with_the_keys_whose_records_were_printed(cli: Cli, paper: Path) -> None:
    told = json.loads(cli("keys", "dkim", "lintaspagi.example", "--json").out)
    records = {one["name"]: one["value"] for one in told}
    sign_with(paper, "s1")
    write_story(paper, 3, "Pasar malam dibuka lagi")

    said = cli("editions", "send-test", "--newsletter", "ringkasan", "meja@lintaspagi.example")

    (mail,) = (paper / "var" / "outbox" / "new").glob("test.*")
    assert said.code == 0
    assert sorted(records) == ["s1-ed._domainkey.lintaspagi.example", "s1-rsa._domainkey.lintaspagi.example"]
    assert verified(mail.read_bytes(), records) == [True, True]


def test_the_records_are_printed_as_zone_files_want_them(cli: Cli, paper: Path) -> None:
    said = cli("keys", "dkim", "lintaspagi.example", "--selector", "s2026")

    rsa, ed = (line for line in said.out.splitlines() if not line.startswith(";"))
    assert rsa.startswith('s2026-rsa._domainkey.lintaspagi.example. IN TXT ("v=DKIM1; k=rsa; p=')
    assert re.fullmatch(r's2026-ed\._domainkey\.lintaspagi\.example\. IN TXT "v=DKIM1; k=ed25519; p=[+/-z]{43}="', ed)
    assert max(map(len, re.findall(r'"([^"]*)"', rsa))) <= 255


def test_a_key_is_made_once_and_is_for_its_owner_alone(cli: Cli, paper: Path) -> None:
    first = cli("keys", "dkim", "lintaspagi.example").out

    again = cli("keys", "dkim", "lintaspagi.example").out

    folder = paper / "keys" / "dkim" / "lintaspagi.example"
    assert again == first
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {
        "s1-rsa.pem": 0o600,
        "s1-ed.pem": 0o600,
    }


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        (("bukan domain",), "write what stands behind the @"),
        (("../keys",), "write what stands behind the @"),
        (("lintaspagi.example", "--selector", "../s1"), "write small letters"),
    ],
)
def test_a_name_that_can_not_be_one_is_refused(words: tuple[str, ...], cure: str, cli: Cli, paper: Path) -> None:
    said = cli("keys", "dkim", *words)

    assert said.code == 2
    assert cure in said.err
    assert not (paper / "keys" / "dkim").exists()


def test_a_channel_that_signs_without_keys_is_refused_with_the_command_that_makes_them(cli: Cli, paper: Path) -> None:
    sign_with(paper, "s9")

    said = cli("check", "--offline")

    assert said.code == 2
    assert "syndicate keys dkim lintaspagi.example --selector s9" in said.err


@pytest.mark.parametrize("harm", ["open to others", "damaged", "of another kind", "behind a passphrase"])
def test_a_signing_key_that_is_not_as_it_should_be_is_not_used(harm: str, cli: Cli, paper: Path) -> None:
    cli("keys", "dkim", "lintaspagi.example")
    sign_with(paper, "s1")
    folder = paper / "keys" / "dkim" / "lintaspagi.example"
    if harm == "open to others":
        (folder / "s1-rsa.pem").chmod(0o644)
    elif harm == "behind a passphrase":
        key = load_pem_private_key((folder / "s1-rsa.pem").read_bytes(), password=None)
        sealed = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"rahasia"))
        (folder / "s1-rsa.pem").write_bytes(sealed)
    elif harm == "damaged":
        (folder / "s1-rsa.pem").write_text("-----BEGIN", "ascii")
    else:
        (folder / "s1-rsa.pem").write_bytes((folder / "s1-ed.pem").read_bytes())

    said = cli("check", "--offline")

    assert said.code == 2
    assert "s1-rsa.pem" in said.err
