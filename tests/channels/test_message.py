"""The message writer: no headline, name or value gets out of its place, and what is read is what was meant."""

import email
import html
import json
import re
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from syndicate.channels.mail import headers, message
from syndicate.channels.mail.message import Addressee, Variant, compile_variant, self_test, unfit
from syndicate.errors import ConfigError
from syndicate.ports import Letterhead
from tests.channels.mail_rules import ORDER, Letter, broken_rules
from tests.channels.mails import make_mail

MARK = "qwertyuiopasdfgh"
URL = "https://kabar.test/u/" + "t" * 44
HOSTILE = [
    "Evil\r\nBcc: v@evil.test",
    "Evil <v@evil.test>, x",
    'a"b\\c',
    "‮gpj.exe",
    "=?utf-8?q?a=0D=0ABcc:?=",
    "=?utf-8?q?x=0D=0ABcc:_v@evil.test?=",
    "=?utf-8?b?DQpCY2M6IHZAZXZpbC50ZXN0?=",
    "A" * 400 + ", B <v@evil.test>",
    "x\x0bBcc: v@evil.test",
    "x\u2028Bcc: v@evil.test",
    "x\x85Bcc: v@evil.test",
    "\ud800 half a character",
    "O’Neil, Ὀδυσσεύς 李雷 Zoë",
    " " * 100,
    "a  b   c",
    "(comment) group: x;",
]
SEEDS = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=120),
    st.lists(st.sampled_from(["\r", "\n", "=?", "?=", '"', "\\", "<", ">", ",", "@", " ", "é", "😀", "Bcc:", "a"])).map(
        "".join
    ),
)


def letterhead(**changes: Any) -> Letterhead:
    values: dict[str, Any] = {
        "from_name": "Kabar Lintang",
        "from_address": "pagi@kabar.test",
        "date": datetime(2026, 11, 23, 23, 0, tzinfo=UTC),
        "reply_to": "redaksi@kabar.test",
        "list_id": "pagi.kabar.test",
        "list_title": "Kabar Pagi",
    }
    return Letterhead(**(values | changes))


def addressee(**changes: Any) -> Addressee:
    values: dict[str, Any] = {
        "address": "b@x.test",
        "message_id": "e17.abcd@kabar.test",
        "unsubscribe_url": URL,
        "unsubscribe_mailto": "mailto:berhenti@kabar.test",
    }
    return Addressee(**(values | changes))


def compile_one(**changes: Any) -> Variant:
    values: dict[str, Any] = {
        "letterhead": letterhead(),
        "subject": "Banjir rob surut",
        "html": f'<p>Halo {MARK}-name-</p><a href="{MARK}-unsubscribe_url-">Berhenti</a>',
        "text": f"Halo {MARK}-name-\n{MARK}-unsubscribe_url-\n",
        "mark": MARK,
    }
    return compile_variant(**(values | changes))


def read(raw: bytes) -> EmailMessage:
    parsed = email.message_from_bytes(raw, policy=default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def body(raw: bytes, kind: str) -> str:
    """Decoded by the old interface, which doesn't touch line ends."""
    part = read(raw).get_body((kind,))
    assert isinstance(part, Message)
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


def words_of(text: str) -> str:
    return headers.one_line(text)


def phrase(raw: bytes, name: str) -> str:
    """The words before the address, by RFC 2047 §6.2. Not by the address parser: in Python 3.11.7 it puts blanks
    between encoded words (gh-92081)."""
    (line,) = re.findall(rf"^{name}: ((?:.*\r\n )*.*)\r\n", raw.partition(b"\r\n\r\n")[0].decode() + "\r\n", re.M)
    words = line.rpartition("<")[0].rstrip("\r\n ")
    if words.startswith('"'):
        return re.sub(r"\\(.)", r"\1", words[1:-1])
    return str(make_header(decode_header(words)))


def check_wire(raw: bytes) -> None:
    """The rules that any message must keep, on its bytes, and all the fields that one can have without a signature."""
    letter = Letter("b+abcdefgh@kabar.test", "b@x.test", raw)
    assert broken_rules(letter, but=("E-05", "L-05")) == {}  # what the bodies say is made up here
    assert [name for name, _ in letter.fields] == [*ORDER[1:]]


@given(subject=SEEDS, sender=SEEDS, title=SEEDS, name=SEEDS, value=SEEDS)
@settings(max_examples=100, deadline=None)
@example(subject="", sender="", title="", name="", value="")
def test_what_is_read_is_what_was_meant_and_nothing_else(
    subject: str, sender: str, title: str, name: str, value: str
) -> None:
    variant = compile_one(letterhead=letterhead(from_name=sender, list_title=title), subject=subject)

    raw = variant.message(addressee(name=name), {"name": value, "unsubscribe_url": URL})

    check_wire(raw)
    parsed = read(raw)
    assert not parsed.defects
    assert str(parsed["Subject"]) == words_of(subject)
    for field, words, address in (("To", name, "b@x.test"), ("From", sender, "pagi@kabar.test")):
        (seen,) = parsed[field].addresses
        assert seen.addr_spec == address
        assert "".join(seen.display_name.split()) == "".join(words_of(words).split())
        assert phrase(raw, field) == words_of(words)
    assert phrase(raw, "List-Id") == words_of(title)
    assert body(raw, "plain") == f"Halo {words_of(value)}\r\n{URL}\r\n"
    assert body(raw, "html") == (f'<p>Halo {html.escape(words_of(value))}</p><a href="{URL}">Berhenti</a>')


@given(text=st.text(max_size=300), value=st.text(max_size=200), data=st.data())
@settings(max_examples=100, deadline=None)
def test_bodies_decode_to_what_was_put_in(text: str, value: str, data: st.DataObject) -> None:
    assume(MARK not in text)
    place = data.draw(st.integers(0, len(text)))

    raw = compile_one(html=text, text=text[:place] + f"{MARK}-name-" + text[place:]).message(
        addressee(), {"name": value, "unsubscribe_url": URL}
    )

    check_wire(raw)
    assert body(raw, "html") == _crlf(text)
    assert body(raw, "plain") == _crlf(text[:place]) + words_of(value) + _crlf(text[place:])


def _crlf(text: str) -> str:
    return re.sub("\r\n|\r|\n", "\r\n", text)


def test_the_parser_sees_what_it_would_see_of_an_email_message() -> None:
    subject, name, text, page = "Banjir — rob, surut", "Zoë, A.", "Halo Zoë\r\n", "<p>Zoë &amp; “kawan”</p>\r\n"
    reference = EmailMessage(policy=default)
    reference["To"], reference["Subject"] = f'"{name}" <b@x.test>', subject
    reference.set_content(text)
    reference.add_alternative(page, subtype="html")
    theirs = read(reference.as_bytes())

    ours = read(compile_one(subject=subject, text=text, html=page).message(addressee(name=name), {}))

    assert str(ours["To"]) == str(theirs["To"])
    assert str(ours["Subject"]) == str(theirs["Subject"])
    assert ours.get_content_type() == theirs.get_content_type() == "multipart/alternative"
    for one, other in zip(ours.iter_parts(), theirs.iter_parts(), strict=True):
        assert one.get_content_type() == other.get_content_type()
        assert one.get_content().splitlines() == other.get_content().splitlines()


def test_hostile_headers_of_the_shared_fixtures(shared: Path) -> None:
    for text in json.loads((shared / "fixtures/security/header_values.json").read_text(encoding="utf-8")):
        variant = compile_one(letterhead=letterhead(from_name=text, list_title=text), subject=text)
        check_wire(variant.message(addressee(name=text), {"name": text, "unsubscribe_url": URL}))


def test_the_unsubscribe_header_is_plain_and_folded_only_between_its_addresses() -> None:
    url = "https://kabar.test/u/" + "t" * 200

    raw = compile_one().message(addressee(unsubscribe_url=url), {"name": "", "unsubscribe_url": url})

    assert f"\r\nList-Unsubscribe: <{url}>,\r\n <mailto:berhenti@kabar.test>\r\n".encode() in raw
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in raw


def test_python_s_own_writer_breaks_that_header() -> None:
    theirs = EmailMessage()
    theirs["List-Unsubscribe"] = "<https://kabar.test/u/" + "t" * 90 + ">"

    assert b"List-Unsubscribe: <https" not in theirs.as_bytes()


def test_a_mail_that_is_no_newsletter_has_no_list_headers() -> None:
    variant = compile_one(letterhead=letterhead(list_id=None, reply_to=None), html="x", text="x")

    head = variant.message(addressee(unsubscribe_url=None), {}).partition(b"\r\n\r\n")[0]

    assert not re.search(rb"^(List-|Precedence|Reply-To)", head, re.M)
    assert b"Auto-Submitted: auto-generated" in head


def test_holes_stand_alone_so_no_line_depends_on_a_value() -> None:
    variant = compile_one()
    values = [{"name": "x" * length, "unsubscribe_url": URL} for length in (0, 1, 75, 76, 1000)]

    static = [set(variant.message(addressee(), each).split(b"\r\n")) for each in values]

    assert b"Halo=20=" in set.intersection(*static)
    assert variant.names == {"name", "unsubscribe_url"}


def test_the_same_input_gives_the_same_bytes() -> None:
    values = {"name": "Zoë", "unsubscribe_url": URL}

    assert compile_one().message(addressee(), values) == compile_one().message(addressee(), values)


def test_a_hole_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="name"):
        compile_one().message(addressee(), {"unsubscribe_url": URL})


@pytest.mark.parametrize("text", [MARK, f"{MARK}-", f"{MARK}-Name-", f"{MARK}-name"])
def test_a_mark_outside_of_a_hole_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="outside of a hole"):
        compile_one(text=text)


@pytest.mark.parametrize("mark", ["", "abc", "Q" * 16, "q" * 17, "qwertyuiop.*fgh]"])
def test_a_mark_of_another_form_is_an_error(mark: str) -> None:
    with pytest.raises(ValueError, match="16 letters"):
        compile_one(mark=mark)


@pytest.mark.parametrize(
    "changes",
    [
        {"address": "b@x.test>\r\nBcc: <v@evil.test"},
        {"address": "b@x.test, v@evil.test"},
        {"address": "zoë@x.test"},
        {"message_id": "a>b@x"},
        {"message_id": "a@x\r\nBcc: v@evil.test"},
        {"unsubscribe_url": "https://x.test/>,<https://evil.test/"},
        {"unsubscribe_url": "https://x.test/\r\nBcc: v@evil.test"},
        {"unsubscribe_url": "javascript:alert(1)"},
        {"unsubscribe_mailto": "https://x.test"},
    ],
)
def test_what_is_no_address_id_or_url_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="can't stand there"):
        compile_one(html="x", text="x").message(addressee(**changes), {})


@pytest.mark.parametrize("list_id", ["nodot", "a b.test", "a.test>\r\nBcc: v@evil.test", "", f"a.{'b' * 254}"])
def test_what_is_no_list_id_is_refused(list_id: str) -> None:
    with pytest.raises(ValueError, match="can't stand there"):
        compile_one(letterhead=letterhead(list_id=list_id))


@pytest.mark.parametrize(
    "fields",
    [
        {"Subject": "Subject: x\r\nBcc: v@evil.test\r\n"},
        {"Subject": "Subject: x\nBcc: v@evil.test\r\n"},
        {"Subject": "Subject: x"},
        {"Sub ject": "Sub ject: x\r\n"},
        {"Subject": "Subject: x\r\n\r\n"},
        {"Subject": "Subject: é\r\n"},
        {"Subject": "Subject: " + "x" * 2000 + "\r\n"},
        {"Subject": "Subject: x\r\n \r\n"},
    ],
)
def test_a_header_block_that_does_not_read_back_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"came out|ascii"):
        headers.block(fields)


def test_the_self_test_passes_here() -> None:
    self_test()


def test_the_self_test_notices_a_writer_that_leaves_names_bare(monkeypatch: pytest.MonkeyPatch) -> None:
    # By hand: the self-test must notice writers that are broken, and ours are not.
    monkeypatch.setattr(headers, "_phrase_field", lambda name, words, tail: f"{name}: {words} {tail}\r\n")

    with pytest.raises(ConfigError, match="self-test failed"):
        self_test()


def test_the_self_test_notices_a_lost_header_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headers, "one_line", lambda text: text)
    monkeypatch.setattr(headers, "block", lambda fields: "".join(fields.values()).encode())
    monkeypatch.setattr(headers, "text_field", lambda name, text: f"{name}: {text}\r\n")

    with pytest.raises(ConfigError, match="self-test failed"):
        self_test()


def test_an_envelope_with_more_than_an_address_is_unfit() -> None:
    assert unfit(make_mail()) is None
    assert "recipient" in (unfit(make_mail(recipient="a@x.test>\r\nRCPT TO:<b@e.test")) or "")
    assert "sender" in (unfit(make_mail(sender="")) or "")
    assert message.unfit is unfit
