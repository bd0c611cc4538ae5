"""Mailgun over HTTP: what readers get, who can't be got, and what each answer means for everybody in the call."""

import asyncio
import html
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from email.header import decode_header, make_header

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syndicate.channels.mail.mailgun import MailgunConfig, MailgunMailer, harmless
from syndicate.channels.mail.message import Addressee, own_fields
from syndicate.domain.delivery import Outcome, OutcomeKind
from syndicate.errors import ConfigError
from syndicate.ports import BulkMailer, Copy, Letterhead, Probe, Sheet
from tests.channels.mails import make_mail, send_one
from tests.factories import NOW
from tests.servers.mailgun import DOMAIN, KEY, MOST_RECIPIENTS, Mailgun, expand, mailgun

MARK = "qwertyuiopasdfgh"
JOINER = "\u2060"
LETTERHEAD = Letterhead(
    from_name="Lintas Pagi",
    from_address="pagi@lintaspagi.example",
    date=NOW,
    reply_to="redaksi@lintaspagi.example",
    list_id="pagi.lintaspagi.example",
    list_title="Lintas Pagi",
)
INJECTIONS = (
    "%recipient.bounce%",
    "%recipient.h_list_unsubscribe% diskon 50%",
    "%%recipient.bounce%%",
    "%recipient%",
    "%unsubscribe_url%",
    "%mailing_list_unsubscribe_url%",
    "%recipient.%recipient.bounce%%",
    "naik 100%recipient.x% dari https://x.test/?q=%D0%B1%C3%A9&a=%25recipient.bounce%",
    "100%",
)


def make_config(url: str, **changes: object) -> MailgunConfig:
    values: dict[str, object] = {"name": "esp", "domain": DOMAIN, "api_key": KEY, "user_agent": "tests", "url": url}
    return MailgunConfig(**values | changes)  # type: ignore[arg-type]


def make_sheet(**changes: object) -> Sheet:
    values: dict[str, object] = {
        "letterhead": LETTERHEAD,
        "subject": "Harga cabai turun",
        "html": f'<p>Halo</p><a href="{MARK}-link-">Berhenti</a>',
        "text": f"Halo\nBerhenti: {MARK}-link-\n",
        "mark": MARK,
    }
    return Sheet(**values | changes)  # type: ignore[arg-type]


def make_copy(number: int, *, name: str = "Dewi", address: str = "", link: str = "") -> Copy:
    own = Addressee(
        address or f"pembaca{number}@pembaca.example",
        f"e1.name{number}@lintaspagi.example",
        name,
        f"https://berita.lintaspagi.example/u/token{number}",
        f"mailto:u+token{number}@lintaspagi.example",
    )
    values = {"link": link or f"https://berita.lintaspagi.example/u/token{number}"}
    return Copy(number, own.address, f"b+verp{number}@lintaspagi.example", own_fields(own), values)


async def send(
    mailer: MailgunMailer,
    copies: Sequence[Copy],
    sheet: Sheet | None = None,
    *,
    may: Callable[[int], bool] = lambda _: True,
) -> dict[int, Outcome | None]:
    said: dict[int, Outcome | None] = {}
    async for delivery, outcome in mailer.send_bulk(sheet or make_sheet(), copies, may_send=may):
        assert delivery not in said
        said[delivery] = outcome
    return said


def kinds(said: dict[int, Outcome | None]) -> set[OutcomeKind | None]:
    return {outcome.kind if outcome else None for outcome in said.values()}


@pytest.fixture
async def provider() -> AsyncIterator[Mailgun]:
    async with mailgun() as running:
        yield running


@pytest.fixture
async def mailer(provider: Mailgun) -> AsyncIterator[MailgunMailer]:
    opened = MailgunMailer(make_config(provider.url))
    yield opened
    await opened.aclose()


async def test_each_reader_gets_a_copy_of_their_own(provider: Mailgun, mailer: MailgunMailer) -> None:
    said = await send(mailer, [make_copy(number) for number in range(5)])

    assert kinds(said) == {OutcomeKind.ACCEPTED}
    assert {outcome.provider_ref for outcome in said.values() if outcome} == {provider.sent[0].id}
    assert len(provider.calls) == 1
    for number, sent in enumerate(provider.sent):
        link = f"https://berita.lintaspagi.example/u/token{number}"
        assert sent.recipient == f"pembaca{number}@pembaca.example"
        assert sent.variables == {"bounce": f"b+verp{number}@lintaspagi.example"}
        assert sent.subject == "Harga cabai turun"
        assert sent.text == f"Halo\nBerhenti: {link}\n"
        assert sent.html == f'<p>Halo</p><a href="{link}">Berhenti</a>'
        assert sent.headers == {
            "From": '"Lintas Pagi" <pagi@lintaspagi.example>',
            "To": f'"Dewi" <{sent.recipient}>',
            "Message-ID": f"<e1.name{number}@lintaspagi.example>",
            "Reply-To": "<redaksi@lintaspagi.example>",
            "List-Id": '"Lintas Pagi" <pagi.lintaspagi.example>',
            "List-Unsubscribe": f"<{link}>, <mailto:u+token{number}@lintaspagi.example>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "OOF, AutoReply",
            "Precedence": "bulk",
        }


async def test_a_call_takes_a_thousand(provider: Mailgun, mailer: MailgunMailer) -> None:
    assert isinstance(mailer, BulkMailer)
    assert mailer.per_call == MOST_RECIPIENTS

    said = await send(mailer, [make_copy(number) for number in range(mailer.per_call)])

    assert (kinds(said), len(provider.calls)) == ({OutcomeKind.ACCEPTED}, 1)
    assert len(set(provider.recipients())) == mailer.per_call


@pytest.mark.parametrize("passes", [1, 3])
@pytest.mark.parametrize("words", INJECTIONS)
async def test_what_looks_like_a_variable_reaches_the_reader_as_text(
    provider: Mailgun, mailer: MailgunMailer, words: str, passes: int
) -> None:
    provider.passes = passes
    letterhead = Letterhead(
        from_name=words, from_address="a@x.test", date=NOW, list_id="a.x.test", list_title=words, reply_to="r@x.test"
    )
    sheet = make_sheet(
        letterhead=letterhead,
        subject=words,
        text=f"{words}{MARK}-link-\n{words}",
        html=f'<p title="{html.escape(words)}">{html.escape(words)}{MARK}-link-</p>',
    )

    await send(mailer, [make_copy(1, link=words)], sheet)

    (sent,) = provider.sent
    assert sent.subject.replace(JOINER, "") == words
    assert sent.text.replace(JOINER, "") == f"{words}{words}\n{words}"
    assert html.unescape(sent.html) == f'<p title="{words}">{words}{words}</p>'
    assert sent.headers["List-Unsubscribe"].startswith("<https://berita.lintaspagi.example/u/token1>")
    for name in ("From", "List-Id"):
        assert words in str(make_header(decode_header(sent.headers[name]))).replace(JOINER, "")


text = st.text(st.sampled_from("%%%%recipient.bounce_urlR{}0aF&<\"' é"), max_size=40)


@settings(max_examples=300, deadline=None)
@given(words=text, value=text, passes=st.integers(1, 3))
def test_a_provider_that_looks_for_variables_finds_none_but_ours(words: str, value: str, passes: int) -> None:
    own = {"bounce": "BOUNCE", "t_link": harmless(value)}

    read = expand(f"{harmless(words)}%recipient.t_link%\n", own, passes=passes)

    assert read.replace(JOINER, "") == f"{words}{value}\n"


async def test_percent_signs_in_styles_and_addresses_stay_as_they_are(provider: Mailgun, mailer: MailgunMailer) -> None:
    markup = '<style>td{width:100%;max-width:50%}</style><td width="100%" style="width:100%"><a href="/%D0%B1?a=50%25">'

    await send(mailer, [make_copy(1)], make_sheet(html=markup))

    assert provider.sent[0].html == markup


async def test_who_left_is_not_in_the_call(provider: Mailgun, mailer: MailgunMailer) -> None:
    said = await send(mailer, [make_copy(number) for number in range(4)], may=lambda delivery: delivery != 2)

    assert [delivery for delivery, outcome in said.items() if outcome is None] == [2]
    assert len(provider.recipients()) == 3
    assert "pembaca2@pembaca.example" not in provider.recipients()


async def test_who_leaves_while_the_call_is_made_ready_is_taken_out(provider: Mailgun, mailer: MailgunMailer) -> None:
    asked: list[int] = []

    def may(delivery: int) -> bool:
        asked.append(delivery)
        return delivery != 1 or asked.count(1) == 1

    said = await send(mailer, [make_copy(number) for number in range(3)], may=may)

    assert said[1] is None
    assert provider.recipients() == ["pembaca0@pembaca.example", "pembaca2@pembaca.example"]
    assert len(provider.calls) == 1


async def test_nobody_left_means_no_call(provider: Mailgun, mailer: MailgunMailer) -> None:
    said = await send(mailer, [make_copy(1), make_copy(2)], may=lambda _: False)

    assert said == {1: None, 2: None}
    assert provider.calls == []


async def test_one_bad_address_is_found_and_the_others_go(provider: Mailgun, mailer: MailgunMailer) -> None:
    provider.bad_addresses = {"pembaca137@pembaca.example", "pembaca700@pembaca.example"}

    said = await send(mailer, [make_copy(number) for number in range(1000)])

    refused = {delivery for delivery, outcome in said.items() if outcome and outcome.kind is OutcomeKind.REFUSED}
    assert refused == {137, 700}
    assert len(said) == 1000
    assert len(set(provider.recipients())) == len(provider.recipients()) == 998
    assert len(provider.calls) <= 2 * 2 * 10 + 2


async def test_while_halving_who_left_is_left_out(provider: Mailgun, mailer: MailgunMailer) -> None:
    provider.bad_addresses = {"pembaca1@pembaca.example"}

    said = await send(
        mailer, [make_copy(number) for number in range(8)], may=lambda delivery: delivery != 6 or not provider.calls
    )

    assert said[6] is None
    assert "pembaca6@pembaca.example" not in provider.recipients()
    assert len(provider.recipients()) == 6


async def test_not_now_ends_the_halving(provider: Mailgun, mailer: MailgunMailer) -> None:
    provider.bad_addresses = {"pembaca0@pembaca.example"}
    provider.faults.extend(["", "", "429"])

    said = await send(mailer, [make_copy(number) for number in range(8)])

    assert kinds(said) == {OutcomeKind.DEFERRED}
    assert len(provider.calls) == 3
    assert provider.sent == []


async def test_if_all_addresses_are_refused_it_is_about_us(provider: Mailgun, mailer: MailgunMailer) -> None:
    provider.bad_addresses = {f"pembaca{number}@pembaca.example" for number in range(1000)}

    said = await send(mailer, [make_copy(number) for number in range(1000)])

    count = Counter(outcome.kind for outcome in said.values() if outcome)
    assert count == {OutcomeKind.REFUSED: 20, OutcomeKind.DEFERRED: 980}
    assert len(provider.calls) < 100


@pytest.mark.parametrize("address", ["a%b@x.test", "%recipient.bounce%@x.test"])
async def test_an_address_that_could_be_a_variable_is_refused_before_the_wire(
    provider: Mailgun, mailer: MailgunMailer, address: str
) -> None:
    said = await send(mailer, [make_copy(1, address=address), make_copy(2)])

    assert said[1] is not None
    assert said[1].kind is OutcomeKind.REFUSED
    assert provider.recipients() == ["pembaca2@pembaca.example"]


NAMES = ("Dewi, Sari", 'Dewi "D" L', "Dewi <x@evil.test>", "Ратна", "=?utf-8?q?x?=", "%recipient.bounce%", "")


async def test_a_name_never_makes_a_second_recipient(provider: Mailgun, mailer: MailgunMailer) -> None:
    said = await send(mailer, [make_copy(number, name=name) for number, name in enumerate(NAMES)])

    assert kinds(said) == {OutcomeKind.ACCEPTED}
    assert provider.recipients() == [f"pembaca{number}@pembaca.example" for number in range(len(NAMES))]
    assert [sent.headers["To"].rpartition("<")[2] for sent in provider.sent] == [f"{r}>" for r in provider.recipients()]


@pytest.mark.parametrize(
    ("fault", "kind", "code", "words"),
    [
        ("429", OutcomeKind.DEFERRED, "HTTP 429", "not now"),
        ("503", OutcomeKind.DEFERRED, "HTTP 503", "not now"),
        ("402", OutcomeKind.DEFERRED, "HTTP 402", "our set-up: not now"),
        ("401", OutcomeKind.DEFERRED, "HTTP 401", "our set-up: not now"),
        ("400", OutcomeKind.DEFERRED, "HTTP 400", "our set-up: not now"),
        ("403", OutcomeKind.DEFERRED, "HTTP 403", "our set-up: not now"),
        ("magnificent", OutcomeKind.DEFERRED, "HTTP 200", "our set-up: Mailgun Magnificent API"),
        ("500", OutcomeKind.UNCERTAIN, "HTTP 500", "Internal Server Error"),
        ("reset", OutcomeKind.UNCERTAIN, "protocol", ""),
        ("hang up", OutcomeKind.UNCERTAIN, "protocol", ""),
        ("garbage", OutcomeKind.UNCERTAIN, "protocol", ""),
        ("cut", OutcomeKind.ACCEPTED, "HTTP 200", ""),
        ("page", OutcomeKind.ACCEPTED, "HTTP 200", "<html>Queued?</html>"),
    ],
)
async def test_what_an_answer_means(
    provider: Mailgun, mailer: MailgunMailer, fault: str, kind: OutcomeKind, code: str, words: str
) -> None:
    provider.faults.append(fault)

    said = await send(mailer, [make_copy(number) for number in range(3)])

    assert kinds(said) == {kind}
    outcome = said[0]
    assert outcome is not None
    assert outcome.code == code
    assert outcome.text == words or not words
    assert len(provider.calls) == 1
    if fault in ("429", "503"):
        assert outcome.retry_after == timedelta(seconds=120)


async def test_a_yes_that_comes_too_late_is_a_doubt(provider: Mailgun) -> None:
    hasty = MailgunMailer(make_config(provider.url, timeout_seconds=0.3))
    provider.faults.append("late")

    said = await send(hasty, [make_copy(1)])
    provider.answer_late.set()
    await hasty.aclose()

    assert said[1] is not None
    assert (said[1].kind, said[1].code) == (OutcomeKind.UNCERTAIN, "timeout")
    assert len(provider.sent) == 1


async def test_no_connection_means_that_nothing_was_sent(mailer: MailgunMailer) -> None:
    async with mailgun() as gone:
        url = gone.url
    alone = MailgunMailer(make_config(url))

    said = await send(alone, [make_copy(1)])

    assert said[1] is not None
    assert (said[1].kind, said[1].code) == (OutcomeKind.DEFERRED, "connect")


@pytest.mark.parametrize("changes", [{"api_key": "another"}, {"domain": "unknown.example"}])
async def test_our_own_set_up_refuses_no_reader(provider: Mailgun, changes: dict[str, object]) -> None:
    wrong = MailgunMailer(make_config(provider.url, **changes))

    said = await send(wrong, [make_copy(1)])
    trouble = await wrong.probe()
    await wrong.aclose()

    assert said[1] is not None
    assert said[1].kind is OutcomeKind.DEFERRED
    assert said[1].text.startswith("our set-up")
    assert "our set-up" in trouble
    assert "another" not in trouble + repr(make_config(provider.url, **changes))


async def test_the_probe_sends_nothing(provider: Mailgun, mailer: MailgunMailer) -> None:
    assert isinstance(mailer, Probe)
    assert await mailer.probe() == ""
    assert provider.sent == []


async def test_a_sheet_that_cannot_be_written_is_raised_before_the_wire(
    provider: Mailgun, mailer: MailgunMailer
) -> None:
    with pytest.raises(ValueError, match="mark"):
        await send(mailer, [make_copy(1)], make_sheet(text=f"{MARK} alone"))

    assert provider.calls == []


async def test_a_single_mail_goes_as_it_is_and_carries_its_bounce_address(
    provider: Mailgun, mailer: MailgunMailer
) -> None:
    content = b"Subject: x\r\n\r\n%recipient.bounce%\r\n.\r\n\x00\xff\r\n"

    outcome = await send_one(mailer, make_mail(content=content))

    assert outcome.kind is OutcomeKind.ACCEPTED
    assert [(sent.message, sent.variables) for sent in provider.sent] == [(content, {"bounce": "b+abc@bounce.x.test"})]


async def test_calls_at_once_share_nothing(provider: Mailgun, mailer: MailgunMailer) -> None:
    groups = [[make_copy(10 * group + number) for number in range(10)] for group in range(4)]

    await asyncio.gather(*(send(mailer, group) for group in groups))

    assert len(set(provider.recipients())) == 40


def test_a_domain_with_a_path_in_it_is_told_at_the_start() -> None:
    with pytest.raises(ConfigError, match=r"channels\.esp\.domain"):
        MailgunMailer(make_config("https://api.mailgun.net", domain="x.test/../y"))
