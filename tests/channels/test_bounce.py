"""What mail systems write back (tests/corpus/receipts): what goes in, and what it counts for."""

import json
from pathlib import Path

import pytest

from syndicate.channels.mail.bounce import MOST_BYTES, read_report
from syndicate.domain.receipt import Notice, Report, Verdict, verdict_of
from syndicate.domain.token import Purpose, delivery_name, read_token, read_verp, token_of_mail
from syndicate.jail import Answer, Jail, JailFailure
from tests.factories import RING
from tests.receipts import CORPUS, filled

INPUTS = sorted(path for path in CORPUS.iterdir() if path.suffix == ".eml")
READER = "syndicate.channels.mail.bounce:read_report"


def read(raw: bytes) -> Report:
    value, _ = read_report(raw, {})
    lists = {name: tuple(found) for name, found in value.items() if isinstance(found, list)}
    return Report(**value | lists | {"notices": tuple(Notice(**one) for one in value["notices"])})


def judged(report: Report) -> Verdict:
    """As the pipeline does, for a delivery and a reader that exist."""
    complaint = bool(report.feedback)
    bounces = report.bounce_tokens + report.quoted_bounce_tokens * complaint
    proven = any(read_verp(RING, token) is not None for token in bounces)
    named = delivery_name(RING, 1, 1) in report.quoted_names
    tokens = report.quoted_leave_tokens if complaint else report.leave_tokens
    leaving = any(read_token(RING, Purpose.UNSUBSCRIBE, token_of_mail(one) or one) for one in tokens)
    return verdict_of(report, proven=proven or (complaint and leaving and named), leaving=leaving)


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.stem)
def test_a_report_counts_for_what_it_is(path: Path) -> None:
    expected = json.loads(path.with_suffix(".expected.json").read_text("utf-8"))
    report = read(filled(path.stem))
    status = report.notices[0].status if report.notices else ""

    assert {"verdict": judged(report).value, "status": status} == expected


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
    ],
    ids=["nested", "mails in mails", "flufl", "tokens", "comments", "parameters", "blocks", "bytes", "nothing"],
)
async def test_a_hostile_mail_ends_in_time_and_as_a_value(raw: bytes) -> None:
    jail = Jail()
    try:
        answer = await jail.call(READER, raw[:MOST_BYTES])
    finally:
        await jail.aclose()

    if isinstance(answer, JailFailure):
        assert answer.kind == "timeout" or answer.detail.startswith(("ValueError", "RecursionError"))
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
