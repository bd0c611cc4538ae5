"""DKIM: what we sign verifies elsewhere, and what a stranger changes no longer does."""

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syndicate.channels.mail.dkim import SigningKey
from syndicate.channels.mail.message import Addressee, Variant, compile_variant
from syndicate.ports import Letterhead
from tests.channels.mails import make_signing_keys, verified

MARK = "qwertyuiopasdfgh"
URL = "https://kabar.test/u/" + "t" * 44


@pytest.fixture(scope="module")
def keys() -> list[SigningKey]:
    return make_signing_keys("kabar.test")


def variant(keys: list[SigningKey], *, html: str = "<p>Banjir</p>", subject: str = "Banjir surut") -> Variant:
    letterhead = Letterhead(
        from_name="Kabar Lintang",
        from_address="pagi@kabar.test",
        date=datetime(2026, 11, 23, 23, 0, tzinfo=UTC),
        reply_to="redaksi@kabar.test",
        list_id="pagi.kabar.test",
        list_title="Kabar Pagi",
    )
    return compile_variant(
        letterhead=letterhead,
        subject=subject,
        html=f"{html}<a href={MARK}-link->berhenti</a>",
        text=f"Banjir surut.\n{MARK}-link-\n",
        mark=MARK,
        signing_keys=keys,
    )


def addressee(name: str = "Sari", number: int = 1) -> Addressee:
    return Addressee(
        address=f"sari{number}@pembaca.test",
        name=name,
        message_id=f"e{number}@kabar.test",
        unsubscribe_url=URL,
        unsubscribe_mailto="mailto:leave@kabar.test",
    )


def test_both_signatures_of_a_mail_verify(keys: list[SigningKey]) -> None:
    message = variant(keys).message(addressee(), {"link": URL})

    assert verified(message, keys) == [True, True]
    assert re.findall(rb"^DKIM-Signature: v=1; a=([a-z0-9-]+);", message, re.M) == [b"rsa-sha256", b"ed25519-sha256"]


@pytest.mark.parametrize("forged", [False, True])
def test_opendkim_says_of_a_mail_what_dkimpy_says(
    keys: list[SigningKey], opendkim: str, tmp_path: Path, forged: bool
) -> None:
    (tmp_path / "keys").write_text("".join(f"{key.place} {key.record()}\n" for key in keys), "ascii")
    (tmp_path / "conf").write_text(f"TestPublicKeys {tmp_path}/keys\nMode v\n", "utf-8")
    message = variant(keys).message(addressee("Siti, S.Kom. é"), {"link": URL})
    (tmp_path / "mail").write_bytes((b"Subject: evil\r\n" if forged else b"") + message)

    command = [opendkim, "-x", str(tmp_path / "conf"), "-t", str(tmp_path / "mail"), "-vv"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    verdicts = re.findall(r"dkim=(pass|fail).*? header\.a=(\S+)", said.stdout + said.stderr, re.S)
    verdict = "fail" if forged else "pass"
    assert verdicts == [(verdict, "rsa-sha256"), (verdict, "ed25519-sha256")]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(max_size=60), subject=st.text(max_size=120), link=st.from_regex(r"https://[a-z]{1,9}/[!-~]{0,90}"))
def test_no_name_subject_or_value_breaks_a_signature(
    keys: list[SigningKey], name: str, subject: str, link: str
) -> None:
    message = variant(keys, subject=subject).message(addressee(name), {"link": link})

    assert verified(message, keys) == [True, True]


@pytest.mark.parametrize("field", ["From", "Subject", "Date", "To"])
def test_a_second_field_of_that_name_breaks_the_signatures(keys: list[SigningKey], field: str) -> None:
    message = variant(keys).message(addressee(), {"link": URL})

    forged = f"{field}: x <evil@evil.test>\r\n".encode() + message

    assert verified(forged, keys) == [False, False]


@pytest.mark.parametrize(
    ("honest", "forged"),
    [
        (b"<" + URL.encode() + b">", b"<https://evil.test/>"),
        (b"One-Click", b"Two-Click"),
        (b"Banjir surut.", b"Banjir datang."),
        (b"redaksi@kabar.test", b"redaksi@evil.test"),
    ],
)
def test_what_a_stranger_changes_no_longer_verifies(keys: list[SigningKey], honest: bytes, forged: bytes) -> None:
    message = variant(keys).message(addressee(), {"link": URL})

    assert honest in message
    assert verified(message.replace(honest, forged, 1), keys) == [False, False]


def test_the_signature_names_both_unsubscribe_fields_and_four_fields_once_more(keys: list[SigningKey]) -> None:
    message = variant(keys).message(addressee(), {"link": URL})

    for names in re.findall(rb"\sh=([^;]+);", message):
        named = re.sub(rb"\s", b"", names).split(b":")
        assert {b"list-unsubscribe", b"list-unsubscribe-post"} <= set(named)
        assert {name for name in named if named.count(name) == 2} == {b"from", b"subject", b"date", b"to"}


def test_a_mail_to_nobody_in_particular_is_signed_without_the_fields_it_lacks(keys: list[SigningKey]) -> None:
    plain = Addressee(address="sari@pembaca.test", message_id="e1@kabar.test")

    message = variant(keys).message(plain, {"link": URL})

    assert verified(message, keys) == [True, True]
    assert b"list-unsubscribe" not in message.split(b" h=")[1].split(b";")[0]


def test_a_retry_is_the_same_mail_to_the_last_byte(keys: list[SigningKey]) -> None:
    first = variant(keys).message(addressee(), {"link": URL})

    assert variant(keys).message(addressee(), {"link": URL}) == first


def test_signatures_stay_within_lines_that_every_relay_takes(keys: list[SigningKey]) -> None:
    message = variant(keys).message(addressee(), {"link": URL})

    head = message.partition(b"To: ")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 78


def test_without_keys_nothing_is_signed(keys: list[SigningKey]) -> None:
    assert b"DKIM-Signature" not in variant([]).message(addressee(), {"link": URL})
