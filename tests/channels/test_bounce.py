"""What mail systems write back (tests/corpus/receipts): what goes in, and what it counts for."""

import json
from pathlib import Path

import pytest

from syndicate.channels.mail.bounce import MOST_BYTES, read_report
from syndicate.domain.receipt import Notice, Report, Verdict, verdict_of
from syndicate.domain.token import Purpose, read_token, read_verp, token_of_mail
from syndicate.jail import Answer, Jail, JailFailure
from tests.factories import RING
from tests.receipts import CORPUS, READER_S, filled

INPUTS = sorted(path for path in CORPUS.iterdir() if path.suffix == ".eml")
READER = "syndicate.channels.mail.bounce:read_report"


def read(raw: bytes) -> Report:
    value, _ = read_report(raw, {})
    lists = {name: tuple(found) for name, found in value.items() if isinstance(found, list)}
    notices = tuple(Notice(**one | {"recipients": tuple(one["recipients"])}) for one in value["notices"])
    return Report(**value | lists | {"notices": notices})


def judged(report: Report) -> Verdict:
    """As the pipeline does, for a delivery and a reader that exist."""
    complaint = bool(report.feedback)
    bounces = report.bounce_tokens + report.quoted_bounce_tokens * complaint
    proven = any(read_verp(RING, token) is not None for token in bounces)
    tokens = report.quoted_leave_tokens if complaint else report.leave_tokens
    leaving = any(read_token(RING, Purpose.UNSUBSCRIBE, token_of_mail(one) or one) for one in tokens)
    return verdict_of(report, proven=proven, leaving=leaving, address=READER_S)


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.stem)
def test_a_report_counts_for_what_it_is(path: Path) -> None:
    expected = json.loads(path.with_suffix(".expected.json").read_text("utf-8"))
    report = read(filled(path.stem))
    status = report.notices[0].status if report.notices else ""

    assert {"verdict": judged(report).value, "status": status} == expected


@pytest.mark.parametrize(
    ("shown", "verdict"),
    [
        ("Pembaca1@Pembaca.Example", Verdict.HARD),
        ("<pembaca1@pembaca.example>", Verdict.HARD),
        ("pembaca2@pembaca.example", Verdict.SOFT),
        ("pembaca1@pembaca.example.evil.example", Verdict.SOFT),
        ("", Verdict.SOFT),
    ],
)
def test_t38_a_bounce_is_hard_only_for_the_address_that_the_mail_went_to(shown: str, verdict: Verdict) -> None:
    text = filled("postfix_unknown").decode()
    for field in ("Final-Recipient: rfc822; ", "Original-Recipient: rfc822;"):
        text = text.replace(f"{field}{READER_S}", f"{field}{shown}")

    assert judged(read(text.encode())) is verdict


@pytest.mark.parametrize("kind", ["x-unix", "unknown", "smtp"])
def test_t38_what_is_no_mail_address_is_nobody_s(kind: str) -> None:
    text = filled("postfix_unknown").decode().replace("Recipient: rfc822;", f"Recipient: {kind};")

    assert judged(read(text.encode())) is Verdict.SOFT


def test_t38_whom_the_mail_was_for_before_it_was_passed_on_counts() -> None:
    text = filled("postfix_unknown").decode()
    passed_on = text.replace(f"Final-Recipient: rfc822; {READER_S}", "Final-Recipient: rfc822; lain@pos.example")

    assert judged(read(passed_on.encode())) is Verdict.HARD


def test_t38_of_a_notice_for_several_recipients_only_ours_counts() -> None:
    text = filled("two_mailboxes_one_gone").decode()
    ours_is_there = text.replace("baru@pembaca.example", READER_S)
    ours_is_gone = text.replace("lama@pembaca.example", READER_S)

    assert judged(read(ours_is_there.encode())) is Verdict.DELIVERED
    assert judged(read(ours_is_gone.encode())) is Verdict.HARD


@pytest.mark.parametrize("name", ["qmail_unknown", "exim_without_form", "exchange_without_form"])
def test_t38_a_bounce_without_form_is_hard_for_that_address_only(name: str) -> None:
    other = filled(name, address="lain@pembaca.example")

    assert (judged(read(filled(name))), judged(read(other))) == (Verdict.HARD, Verdict.SOFT)


def test_an_international_report_has_a_block_for_each_recipient() -> None:
    text = filled("international").decode()
    block = "Final-Recipient: utf-8; lain@pembaca.example\r\nAction: failed\r\nStatus: 5.2.2\r\n"
    report = read(text.replace("Final-Recipient", f"{block}\r\nFinal-Recipient").encode())

    assert [one.status for one in report.notices] == ["5.2.2", "5.1.1"]


def test_a_domain_in_its_own_letters_is_the_same_one() -> None:
    text = filled("international").decode()
    address = "pembaca1@xn--bcher-kva.example"
    report = read(text.replace(f"utf-8; {READER_S}", "utf-8; pembaca1@b\u00fccher.example").encode())

    assert verdict_of(report, proven=True, leaving=False, address=address) is Verdict.HARD


@pytest.mark.parametrize("name", ["postfix_unknown", "exim_without_form", "qmail_unknown"])
def test_what_is_kept_of_a_report_names_nobody(name: str) -> None:
    (notice,) = read(filled(name)).notices

    assert notice.text
    assert "pembaca1" not in notice.text


def test_what_is_behind_the_limit_is_not_read() -> None:
    raw = filled("postfix_unknown")
    whole = read(raw)
    padded = read(raw + b"x" * MOST_BYTES)

    assert padded.notices == whole.notices


@pytest.mark.parametrize(
    "raw",
    [
        b"".join(b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (n, n) for n in range(2000)),
        b"Return-Path: <>\nContent-Type: multipart/report; boundary=a\n\n"
        + b"--a\nContent-Type: message/rfc822\n\n" * 9000,
        b"Return-Path: <>\nSubject: failure notice\n\n" + b"<a@b.example>:\n" * 16_000,
        b"Return-Path: <>\nTo: " + b"b+" * 120_000 + b"\n\n",
        b"From: " + b"(" * 250_000 + b"\n\nx",
        b"Content-Type: text/plain; " + b'a*0*="' * 40_000 + b"\n\nx",
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=a\n\n--a\n"
        b"Content-Type: message/delivery-status\n\n" + b"Action: failed\n\n" * 16_000 + b"--a--\n",
        bytes(range(256)) * 1024,
        b"",
        b"From: " + b"a@b," * 60_000 + b"\n\nx",
        b"Return-Path: <>\nSubject: failure notice\n\n" + b"  \t\n" * 60_000,
        b"".join(b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (n, n) for n in range(39))
        + b"x\n" * 100_000,
    ],
    ids=[
        *("nested", "mails in mails", "flufl", "tokens", "comments", "parameters", "blocks", "bytes", "nothing"),
        *("addresses", "blanks", "lines"),
    ],
)
async def test_a_hostile_mail_ends_in_time_and_as_a_value(raw: bytes) -> None:
    jail = Jail()
    try:
        answer = await jail.call(READER, raw[:MOST_BYTES])
    finally:
        await jail.aclose()

    if isinstance(answer, JailFailure):  # by itself: to kill the child would cost the next mail another start
        assert answer.detail.startswith(("ValueError", "RecursionError"))
    else:
        assert len(answer.value["notices"]) <= 50


async def test_nothing_is_left_to_be_imported_inside_the_jail() -> None:
    jail = Jail()
    try:
        for path in INPUTS:
            answer = await jail.call(READER, raw := filled(path.stem))
            assert isinstance(answer, Answer)
            assert answer.value == read_report(raw, {})[0]
    finally:
        await jail.aclose()
