"""Forms that say when they were shown, and how much of a reader's address is kept."""

import string
from datetime import timedelta
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.domain.consent import OLDEST, YOUNGEST, ConsentText, Via, is_timely, kept_network, new_form, one_line
from syndicate.domain.token import Keyring
from tests.factories import NOW, RING

FORM = new_form(RING, Via.PAGE, NOW)
ALPHABET = string.ascii_letters + string.digits + "-_"


@pytest.mark.parametrize("via", Via)
@pytest.mark.parametrize("age", [YOUNGEST, timedelta(minutes=3), OLDEST])
def test_a_form_that_comes_back_in_time_says_where_it_was_shown(via: Via, age: timedelta) -> None:
    assert is_timely(RING, new_form(RING, via, NOW), NOW + age) is via


@pytest.mark.parametrize(
    "age", [timedelta(0), YOUNGEST - timedelta(milliseconds=1), OLDEST + timedelta(milliseconds=1), -timedelta(hours=1)]
)
def test_a_form_that_comes_back_at_once_or_late_or_from_the_future_is_none(age: timedelta) -> None:
    assert is_timely(RING, FORM, NOW + age) is None


def test_no_character_of_a_form_s_token_can_be_another() -> None:
    later = NOW + timedelta(minutes=1)
    for place, old in enumerate(FORM):
        for character in ALPHABET.replace(old, ""):
            assert is_timely(RING, FORM[:place] + character + FORM[place + 1 :], later) is None


def test_a_form_of_another_house_is_none() -> None:
    assert is_timely(Keyring(keys={1: b"2" * 32}), FORM, NOW + timedelta(minutes=1)) is None


@given(st.text(max_size=40))
def test_any_text_as_a_form_s_token_is_none(text: str) -> None:
    assert is_timely(RING, text, NOW) is None


@pytest.mark.parametrize(
    ("client", "kept", "line"),
    [
        ("203.0.113.77", "203.0.113.0/24", "203.0.113.77/32"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48", "2001:db8:1:2::/64"),
    ],
)
def test_a_reader_s_address_is_kept_in_part_and_counted_by_line(client: str, kept: str, line: str) -> None:
    assert (kept_network(ip_address(client)), one_line(ip_address(client))) == (kept, line)


def test_the_digest_of_a_text_is_of_exactly_what_was_shown() -> None:
    text = ConsentText(version=1, language="id", words="Saya ingin menerima.")

    assert text.digest == "8c3b8993a42f183993417f244c07345d7b2335e0c127f9db64841f646cafaa96"
    assert ConsentText(version=1, language="id", words="Saya ingin menerima. ").digest != text.digest
