"""A spliced message means what the same message means when the standard library writes it whole, for hostile words too.

The reference is the library's older writer, which encodes every word of every header: its newer one changes some.
"""

import email
import html
import re
from datetime import UTC, datetime
from email.header import Header, decode_header, make_header
from email.message import EmailMessage, Message
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import default
from email.utils import format_datetime
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syndicate.channels.mail.headers import one_line
from syndicate.channels.mail.message import Addressee, compile_variant
from syndicate.domain.audience import Subscriber
from syndicate.domain.token import Purpose, read_token
from syndicate.pipeline.postroom import Letter as EditionLetter
from syndicate.pipeline.postroom import Postroom, Revocations, write_mail
from syndicate.ports import Letterhead, Mail
from tests.channels.mail_rules import Letter, broken_rules, mixed_up
from tests.factories import NOW, RING, SITE, SetClock, make_edition, make_newsletter

MARK = "qwertyuiopasdfgh"
DATE = datetime(2026, 11, 23, 23, 0, tzinfo=UTC)
SENDER = "b+abcdefgh@kabar.test"
SNIPPETS = [
    *("=", "=20", "=\r\n", "=3D", "=e9", "==", " =", "=?", "?=", "=?utf-8?q?x=0D=0ABcc:_v@evil.test?="),
    *("=?utf-8?b?DQpCY2M6IHZAZXZpbC50ZXN0?=", "=?iso-8859-1?q?a?= =?iso-8859-1?q?b?=", "--=_qwertyuiopasdfg"),
    *(".", "..", "\n.", "\r\n.\r\n", "\n..\n", "\r", "\n", "\r\n", "\r\n\r\n", "\t", " ", "   ", " \n", "\t\r\n"),
    *("\0", "\x01", "\x0b", "\x0c", "\x1b[31m", "\x7f", "\x85", "\u2028", "\u2029", "\ufeff", "\u200b", "\u00ad"),
    *(
        "\u202egpj.exe",
        "\u2066abc\u2069",
        "\u061c",
        "e\u0301",
        "😀",
        "👩‍👩‍👧‍👦",
        "🇮🇩",
        "\U0010ffff",
        "漢字",
        "Zoë",
        "ﷺ",
    ),
    *("x" * 200, "Ω" * 120, "kata " * 40, "https://kabar.test/" + "a" * 300),
    *("{{unsubscribe_url}}", "{% raw %}", "{0.__class__}", "${HOME}", "%%UNSUB%%", "%s", "%recipient.name%"),
    *(f"{MARK[:-1]}-name-", f"{MARK[1:]}-name-", f"{MARK.upper()}-name-", "-name-", "name"),
    *("<b>", "&amp;", "&", '"', "'", "\\", "\\\\", '\\"', "<v@evil.test>", ", ", ";", ":", "(x)", "Bcc: v@evil.test"),
    *("From somebody", ">From", "--", "-- ", "Subject: x", "\ud800", "a", "Banjir surut"),
]
WORDS = st.one_of(st.lists(st.sampled_from(SNIPPETS), max_size=12).map("".join), st.text(max_size=80))
# Only a value can have the mark in it: it is drawn when the stories are there already.
VALUES = st.one_of(WORDS, st.sampled_from([MARK, f"{MARK}-name-", f"--=_{MARK}--", f"{MARK}-unsubscribe_url-"]))
LOCALS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9!#$&'*+/=?^_`{|}~-]{0,40}(?:\.[A-Za-z0-9_+=-]{1,20})?", fullmatch=True)
DOMAINS = st.from_regex(r"(?:[a-z0-9]{1,20}\.){1,4}(?:test|xn--p1ai)", fullmatch=True)
ADDRESSES = st.builds("{}@{}".format, LOCALS, DOMAINS)
WRITTEN = WORDS.filter(lambda words: MARK not in words)  # else there is no message: another mark is taken
STORIES = st.fixed_dictionaries(dict.fromkeys(("subject", "sender", "title", "text", "page"), WRITTEN))
READERS = st.lists(st.tuples(VALUES, ADDRESSES), min_size=1, max_size=3)


def spliced(story: dict[str, str], name: str, address: str, *, number: int) -> bytes:
    """By us: encoded once, then joined."""
    letterhead = Letterhead(
        from_name=story["sender"],
        from_address="pagi@kabar.test",
        date=DATE,
        list_id="pagi.kabar.test",
        list_title=story["title"],
    )
    variant = compile_variant(
        letterhead=letterhead,
        subject=story["subject"],
        text=f"{MARK}-name-{story['text']}{MARK}-name-\n{MARK}-unsubscribe_url-\n",
        html=f'<p>{MARK}-name-</p>{story["page"]}<a href="{MARK}-unsubscribe_url-">x</a>',
        mark=MARK,
    )
    addressee = Addressee(
        address=address, name=name, message_id=f"e1.abcdefg{number}@kabar.test", unsubscribe_url=link(number)
    )
    return variant.message(addressee, {"name": name, "unsubscribe_url": link(number)})


def whole(story: dict[str, str], name: str, address: str, *, number: int) -> bytes:
    """By the library: each message from its own words."""
    shown = one_line(name)
    message = MIMEMultipart("alternative")
    for field, words, tail in (
        ("To", shown, f"<{address}>"),
        ("From", one_line(story["sender"]), "<pagi@kabar.test>"),
        ("List-Id", one_line(story["title"]), "<pagi.kabar.test>"),
        ("Subject", one_line(story["subject"]), ""),
    ):
        message[field] = " ".join(filter(None, (_encoded(words), tail)))
    message["Date"] = format_datetime(DATE)
    message["Message-ID"] = f"<e1.abcdefg{number}@kabar.test>"
    message["List-Unsubscribe"] = f"<{link(number)}>"
    text = f"{shown}{_lines(story['text'])}{shown}\r\n{link(number)}\r\n"
    page = f'<p>{html.escape(shown)}</p>{_lines(story["page"])}<a href="{link(number)}">x</a>'
    for kind, body in (("plain", text), ("html", page)):
        message.attach(MIMEText(body, kind, "utf-8"))
    return message.as_bytes()


def link(number: int) -> str:
    return f"https://kabar.test/u/{number:044x}"


def _encoded(words: str) -> str:
    return Header(words, "utf-8", maxlinelen=10**6).encode() if words else ""


def _lines(text: str) -> str:
    """As mail has them; half a character can't be sent by anybody."""
    return re.sub("\r\n|\r|\n", "\r\n", text.encode(errors="replace").decode())


def meaning(raw: bytes) -> object:
    """What a mail program shows: words and addresses of the headers, and the parts."""
    message = email.message_from_bytes(raw)
    heads = {name: _mailbox(str(message[name])) for name in ("To", "From", "List-Id")}
    heads |= {name: (_words(str(message[name])), "") for name in ("Subject", "Date", "Message-ID", "List-Unsubscribe")}
    bodies = [part for part in message.walk() if not part.is_multipart()]
    parts = [(part.get_content_type(), part.get_content_charset(), _payload(part)) for part in bodies]
    return message.get_content_type(), heads, parts


def _mailbox(value: str) -> tuple[str, str]:
    phrase, _, address = value.rpartition("<")
    phrase = phrase.strip(" \r\n")
    quoted = phrase.startswith('"') and phrase.endswith('"')
    return re.sub(r"\\(.)", r"\1", phrase[1:-1]) if quoted else _words(phrase), address


def _words(value: str) -> str:
    return str(make_header(decode_header(re.sub(r"\r?\n ", " ", value)))).strip(" ")


def _payload(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload


def assert_splices_well(story: dict[str, str], readers: list[tuple[str, str]]) -> None:
    letters = []
    for number, (name, address) in enumerate(readers):
        ours = spliced(story, name, address, number=number)
        assert meaning(ours) == meaning(whole(story, name, address, number=number))
        assert defects(ours) == []
        letters.append(Letter(f"b+abcdefgh{'abc'[number]}@kabar.test", address, ours))
        assert broken_rules(letters[-1], but=_NOT_HERE) == {}
    assert mixed_up(letters) == []


# E-04: the values here have the mark in them.
# E-05, E-06: these stories are no editions.
_NOT_HERE = ("E-04", "E-05", "E-06", "L-05")


def defects(raw: bytes) -> list[object]:
    message = email.message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)
    return [*message.defects, *(defect for part in message.walk() for defect in part.defects)]


@given(story=STORIES, readers=READERS)
@settings(max_examples=100, deadline=None)
def test_a_spliced_message_means_what_a_whole_one_means(story: dict[str, str], readers: list[tuple[str, str]]) -> None:
    assert_splices_well(story, readers)


@pytest.mark.long
@given(story=STORIES, readers=READERS)
@settings(max_examples=20_000, deadline=None)
def test_many_spliced_messages_mean_what_whole_ones_mean(story: dict[str, str], readers: list[tuple[str, str]]) -> None:
    assert_splices_well(story, readers)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=count())
def test_each_hostile_snippet_arrives_as_it_is(snippet: str) -> None:
    for words in (snippet, f"Halo {snippet} pagi", snippet * 3):
        story = dict.fromkeys(("subject", "sender", "title", "text", "page"), words)

        assert_splices_well(story, [(words, "sari@pembaca.test")])


def test_of_a_thousand_mails_each_has_a_link_a_bounce_address_and_an_id_of_its_own() -> None:
    newsletter = make_newsletter()
    room = Postroom(
        site=SITE,
        ring=RING,
        mailers={},
        newsletters={"pagi": newsletter},
        signing_keys={},
        revocations=Revocations(),
        owner="a",
        fence_file=None,  # type: ignore[arg-type] # nothing is sent here
        install="here",
        clock=SetClock(),
        chance=lambda: 0.5,
    )
    letterhead = Letterhead(
        from_name="Lintas",
        from_address=newsletter.sender_address,
        date=DATE,
        list_id=f"pagi.{newsletter.sender_domain}",
    )
    variant = compile_variant(
        letterhead=letterhead,
        subject="Banjir",
        text=f"Halo\n{MARK}-unsubscribe_url-\n",
        html=f'<a href="{MARK}-unsubscribe_url-">x</a>',
        mark=MARK,
    )
    letter = EditionLetter(edition=make_edition(id=7), newsletter=newsletter, variant=variant)
    people = [Subscriber(id=n, address=f"pembaca{n}@pembaca.example", created_at=NOW) for n in range(1, 1001)]

    mails = [write_mail(room, letter, person, delivery=9 * 10**15 + person.id) for person in people]

    letters = [Letter(mail.sender, mail.recipient, mail.content) for mail in mails if isinstance(mail, Mail)]
    assert mixed_up(letters) == []
    assert [broken for letter_ in letters if (broken := broken_rules(letter_))] == []
    for own in ({x.sender for x in letters}, {x.leave_url for x in letters}, {x.value("Message-ID") for x in letters}):
        assert len(own) == 1000
    tokens = [read_token(RING, Purpose.UNSUBSCRIBE, x.leave_url.rpartition("/")[2]) for x in letters]
    assert [token.subscriber for token in tokens if token] == [person.id for person in people]
