"""Each checker of mail_rules.py rejects a mail that breaks its rule, and lets ours pass."""

import re
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest

from syndicate.channels.mail.message import Addressee, compile_variant
from syndicate.ports import Letterhead
from tests.channels.mail_rules import RULES, Letter, broken_rules, mixed_up
from tests.channels.mails import make_signing_keys

MARK = "qwertyuiopasdfgh"
SENDER = "b+abcdefgh2345@kabar.test"
URL = "https://kabar.test/u/" + "t" * 44

# rule: (pattern, replacement), applied once to a good mail
BREAKS: dict[str, list[tuple[str, str]]] = {
    "H-01": [(r"\r\nSubject: ", "\r\nSubject: Lagi\r\nSubject: "), (r"\r\nDate: [^\r]*", ""), (r"\r\nTo: ", "\r\nX: ")],
    "H-02": [(r"(\r\nFrom: [^\r]*)(\r\nSubject: [^\r]*)", r"\2\1"), (r"\r\nFrom: ", "\r\nBcc: v@evil.test\r\nFrom: ")],
    "H-03": [(r"\r\nFrom: ", "\r\nX y: z\r\nFrom: "), (r"Banjir", "Ban\x00jir"), (r"\r\nFrom: ", "\r\nX\r\nFrom: ")],
    "H-04": [
        (r"Banjir rob", "Banjir rob " * 8),
        (r"=\?utf-8\?b\?", "=?utf-8?b?" + "QUFB" * 20),
        (r"(List-Unsubscribe: <)", r"\1" + "x" * 1000),
        (r"Banjir rob", "Banjir\r\n  \r\n rob"),
    ],
    "H-05": [(r"Mon, 23", "Tue, 23"), (r"\+0000", "GMT"), (r"Date: Mon, ", "Date: ")],
    "H-06": [(r"@kabar.test>\r\nList", "@host.local>\r\nList"), (r"Message-ID: <[^@]*", "Message-ID: <1")],
    "H-07": [(r"auto-generated", "no"), (r"OOF, AutoReply", "All")],
    "H-08": [(r"From: [^<]*", "From: Kabar, "), (r"<sari@", "<budi@"), (r"<redaksi@", "redaksi <redaksi@")],
    "H-09": [(r"=\?utf-8\?b\?[^?]*", "=?utf-8?b?DQpCY2M6IHg="), (r"=\?utf-8\?b\?[^?]*", "=?utf-8?b?w6k=w6k")],
    "L-01": [
        (r"List-Unsubscribe: <https:", "List-Unsubscribe: =?utf-8?q?=3Chttps=3A"),
        (r"(List-Unsubscribe: )", "\\1\r\n "),
        (r"List-Unsubscribe: (<[^>]*>),\r\n (<[^>]*>)", r"List-Unsubscribe: \2,\r\n \1"),
        (r"<mailto:[^>]*>", "<https://kabar.test/>"),
        (r"List-Unsubscribe: <https", "List-Unsubscribe: <http"),
        (r"List-Unsubscribe: <[^>]*>,\r\n <[^>]*>\r\n", ""),
    ],
    "L-02": [(r"=One-Click", "=Yes"), (r"List-Unsubscribe-Post: [^\r]*\r\n", "")],
    "L-03": [
        (r"<pagi\.kabar\.test>", "<pagi>"),
        (r"<pagi\.kabar\.test>", "<pagi.evil.test>"),
        (r"List-Id: .*\r\n", ""),
    ],
    "L-04": [(r"Precedence: bulk", "Precedence: list"), (r"Precedence: bulk\r\n", "")],
    "L-05": [
        (r"\r\n=\r\nhttps://kabar.test/u", "\r\n=\r\nhttps://kabar.test/v"),
        (r'"=\r\nhttps://kabar.test/u', '"=\r\nhttps://kabar.test/v'),
    ],
    "E-01": [(r"Banjir", "Banjír"), (r"surut\.\r\n", "surut.\n"), (r"--\r\n\Z", "--")],
    "E-02": [(r"text/plain", "text/html"), (r"quoted-printable", "base64"), (r"--\r\n\Z", "--\r\nkabar\r\n")],
    "E-03": [
        (r"Banjir surut\.", "Banjir surut. " + "x" * 76),
        (r"Banjir surut\.", "Banjir surut. "),
        (r"Banjir surut\.", ".Banjir surut"),
        (r"=C3=A9", "=c3=a9"),
        (r"=C3=A9", "=C3"),
    ],
    "E-04": [(r"Banjir surut\.", f"{MARK}-name-"), (r"Banjir surut\.", f"{MARK[:8]}=\r\n{MARK[8:]}-name-")],
    "E-05": [(r"Harga cabai\r\n", "\r\n"), (r"kabar\.test/cabai\r\n", "kabar.test/\r\n")],
    "E-06": [(r"<p>", "<p>" + "x=\r\n" * 30_000)],
    "D-01": [(r":list-unsubscribe-post", ""), (r"h=from:", "h="), (r"h=from:", "h=from:received:")],
    "D-02": [
        (r"a=rsa-sha256", "a=ed25519-sha256"),
        (r"a=rsa-sha256", "a=rsa-sha1"),
        (r"c=relaxed/simple;", "c=relaxed/simple; l=10;"),
        (r"c=relaxed/simple", "c=simple/simple"),
        (r"d=kabar\.test", "d=relay.test"),
    ],
}
SENDERS = [
    "B+ABCD@kabar.test",
    "b+" + "a" * 63 + "@kabar.test",
    "b+abc@evil.test",
    "",
    "b+ab@kabar.test>\r\nRCPT TO:<x@y",
]
RECIPIENTS = ["sari@pembaca.test>\r\nRCPT", "a@x.test, b@x.test", "zoë@x.test", "", "a" * 65 + "@x.test"]


@pytest.fixture(scope="module")
def good() -> Letter:
    """A signed copy of an edition, with everything that a mail of ours can have."""
    letterhead = Letterhead(
        from_name="Kabar Lintang, Kota",
        from_address="pagi@kabar.test",
        date=datetime(2026, 11, 23, 23, 0, tzinfo=UTC),
        reply_to="redaksi@kabar.test",
        list_id="pagi.kabar.test",
        list_title="Kabar Pagi",
    )
    variant = compile_variant(
        letterhead=letterhead,
        subject="Banjir rob",
        html='<h2 class="a"><a href="https://kabar.test/cabai">Harga cabai</a></h2>\n<p>Zoé</p>'
        f'<a href="{MARK}-link-">x</a>',
        text=f"Banjir surut.\nZoé\nHarga cabai\nhttps://kabar.test/cabai\n{MARK}-link-\n",
        mark=MARK,
        signing_keys=make_signing_keys("kabar.test"),
    )
    return Letter(SENDER, "sari@pembaca.test", variant.message(addressee(), {"link": URL}))


def addressee() -> Addressee:
    return Addressee(
        address="sari@pembaca.test",
        name="Sari Wulandarí",
        message_id="e1.abcdefgh@kabar.test",
        unsubscribe_url=URL,
        unsubscribe_mailto="mailto:leave@kabar.test",
    )


def changed(letter: Letter, pattern: str, replacement: str) -> Letter:
    raw, count = re.subn(pattern.encode(), replacement.encode(), letter.raw, count=1)
    assert count == 1, f"{pattern} is not in a good mail"
    return Letter(letter.sender, letter.recipient, raw)


def test_a_mail_of_ours_keeps_all_rules(good: Letter) -> None:
    assert broken_rules(good) == {}


@pytest.mark.parametrize(
    ("rule", "pattern", "replacement"), [(rule, *pair) for rule, pairs in BREAKS.items() for pair in pairs]
)
def test_a_mail_that_breaks_a_rule_is_rejected_by_it(good: Letter, rule: str, pattern: str, replacement: str) -> None:
    assert rule in broken_rules(changed(good, pattern, replacement))


@pytest.mark.parametrize("sender", SENDERS)
def test_a_bounce_address_that_relays_could_change_is_rejected(good: Letter, sender: str) -> None:
    assert "V-01" in broken_rules(Letter(sender, good.recipient, good.raw))


@pytest.mark.parametrize("recipient", RECIPIENTS)
def test_a_recipient_that_is_more_than_an_address_is_rejected(good: Letter, recipient: str) -> None:
    assert "V-02" in broken_rules(Letter(good.sender, recipient, good.raw))


def test_every_rule_was_shown_a_mail_that_breaks_it() -> None:
    assert {*BREAKS, "V-01", "V-02"} == set(RULES)


def test_python_s_own_writer_breaks_the_rule_of_list_unsubscribe(good: Letter) -> None:
    theirs = EmailMessage()
    theirs["List-Unsubscribe"] = f"<{URL}{'t' * 40}>"

    assert "L-01" in broken_rules(Letter(SENDER, good.recipient, theirs.as_bytes()))


@pytest.mark.parametrize(
    ("sender", "recipient", "pattern", "replacement", "shared"),
    [
        ("b+other@kabar.test", "sari@pembaca.test", "Banjir", "Banjir", "Message-ID"),
        (SENDER, "sari@pembaca.test", "e1.abcdefgh", "e2.abcdefgh", "bounce address"),
        ("b+other@kabar.test", "budi@pembaca.test", "e1.abcdefgh", "e2.abcdefgh", "unsubscribe link"),
    ],
)
def test_two_mails_with_the_same_of_what_each_has_alone_are_noticed(
    good: Letter, sender: str, recipient: str, pattern: str, replacement: str, shared: str
) -> None:
    other = Letter(sender, recipient, changed(good, pattern, replacement).raw)

    assert any(problem.startswith(shared) for problem in mixed_up([good, other]))


def test_a_mail_that_was_sent_twice_is_one_mail(good: Letter) -> None:
    assert mixed_up([good, Letter(good.sender, good.recipient, good.raw)]) == []
