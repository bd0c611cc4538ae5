"""Who may do what, when a session is over, and what can be a password."""

from datetime import UTC, datetime, timedelta

import pytest

from syndicate.domain.account import (
    IDLE,
    LONGEST,
    NAME,
    Account,
    Role,
    Session,
    new_session,
    normal_password,
    password_problem,
    session_digest,
)

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("role", "covered"),
    [
        (Role.VIEWER, {Role.VIEWER}),
        (Role.EDITOR, {Role.VIEWER, Role.EDITOR}),
        (Role.OPERATOR, {Role.VIEWER, Role.EDITOR, Role.OPERATOR}),
    ],
)
def test_each_role_may_do_what_those_before_it_may(role: Role, covered: set[Role]) -> None:
    assert {needed for needed in Role if role.covers(needed)} == covered


@pytest.mark.parametrize(
    ("age", "unused", "over"),
    [
        (timedelta(0), timedelta(0), False),
        (IDLE, IDLE - timedelta(seconds=1), False),
        (IDLE, IDLE, True),
        (LONGEST - timedelta(seconds=1), timedelta(0), False),
        (LONGEST, timedelta(0), True),
    ],
)
def test_a_session_ends_when_it_is_not_used_and_when_it_is_old(age: timedelta, unused: timedelta, over: bool) -> None:
    account = Account(name="laksmi", role=Role.EDITOR, created_at=NOW)
    session = Session(account=account, began_at=NOW - age, seen_at=NOW - unused)

    assert session.is_over(NOW) is over


def test_of_a_session_only_a_digest_is_kept() -> None:
    shown, digest = new_session(bytes(range(32)))

    assert session_digest(shown) == digest
    assert shown.removeprefix("ns_") not in digest
    assert len(digest) == 64


@pytest.mark.parametrize("shown", ["", "ns_", "ns_" + "A" * 42, "np_" + "A" * 43, "ns_" + "A" * 42 + "\n", "x" * 5000])
def test_what_is_no_session_is_not_looked_for(shown: str) -> None:
    assert session_digest(shown) is None


@pytest.mark.parametrize(
    "typed",
    [
        "sebelas char",
        "empat kata yang panjang",
        "Tq7!xM2#vL9s",
        "кириллица тоже подходит",
        "laksmi suka jembatan baru",
    ],
)
def test_a_long_password_that_nobody_would_guess_is_taken(typed: str) -> None:
    assert password_problem(typed, account="laksmi") == ""


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("", "0 characters"),
        ("sebelascha!", "11 characters"),
        ("password1234", "first that anybody"),
        ("P@SSWORD!2026", "first that anybody"),
        ("Indonesia1945!", "first that anybody"),
        ("123456789012", "first that anybody"),
        ("laksmi-123456", "first that anybody"),
        ("laksmilaksmi12", "first that anybody"),
        ("abababababab1", "too few different"),
        ("empat kata\x00yang", "can type"),
        ("empat kata\udcffyang", "can type"),
        ("empat kata\nyang panjang", "can type"),
    ],
)
def test_a_password_that_is_short_or_common_is_not(typed: str, why: str) -> None:
    assert why in password_problem(typed, account="laksmi")


@pytest.mark.parametrize(
    ("account", "typed"),
    [
        ("laksmi", "laksmi-2026-laksmi"),
        ("laksmi", "imskal-2026-laksmi"),
        ("laksmi", "LaksmiRedaksi2026!"),
        ("ratna.dewi", "ratna.dewi.2026"),
        ("ratna.dewi", "RatnaDewi20261124"),
        ("ratna.dewi", "dewi-ratna-2026!"),
        ("ratna-2", "ratna2ratna2ratna2"),
    ],
)
def test_a_password_that_is_made_of_the_account_s_name_is_not(account: str, typed: str) -> None:
    assert "first that anybody" in password_problem(typed, account=account)


@pytest.mark.parametrize("account", ["laksmi", "2", "a.b", "x"])
def test_a_name_within_a_longer_phrase_does_no_harm(account: str) -> None:
    assert password_problem("laksmi kenari hijau muda", account=account) == ""


def test_a_password_is_the_same_however_its_characters_are_made() -> None:
    assert normal_password("café ﬁlm ２０２６") == normal_password("cafe\u0301 film 2026")


@pytest.mark.parametrize("name", ["", "Laksmi", "-laksmi", "laksmi paramesti", "laksmi@pos.example", "a" * 41, "a\n"])
def test_a_name_is_one_plain_word(name: str) -> None:
    assert NAME.fullmatch(name) is None
