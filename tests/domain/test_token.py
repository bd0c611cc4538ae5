"""Links that can't be forged, altered, used for something else or written in two ways."""

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.domain.token import (
    Keyring,
    Purpose,
    Token,
    delivery_name,
    mailed_token,
    make_token,
    name_number,
    read_token,
    read_verp,
    token_of_mail,
    verp_token,
)

OLD, NEW = b"1" * 32, b"2" * 32
RING = Keyring(keys={1: OLD})
BOTH = Keyring(keys={1: OLD, 2: NEW})
TOKEN = Token(purpose=Purpose.UNSUBSCRIBE, subscriber=17, newsletter=name_number("pagi"), generation=3)
TEXT = make_token(RING, TOKEN)
ALPHABET = string.ascii_letters + string.digits + "-_"
TOKENS = st.builds(
    Token,
    purpose=st.sampled_from(Purpose),
    subscriber=st.integers(0, 2**63 - 1),
    newsletter=st.integers(0, 2**32 - 1),
    generation=st.integers(0, 2**24 - 1),
)


@given(TOKENS)
def test_a_token_says_what_was_put_in_and_has_44_characters(token: Token) -> None:
    text = make_token(RING, token)

    assert read_token(RING, token.purpose, text) == token
    assert len(text) == 44


@pytest.mark.parametrize("place", range(44))
def test_a_token_with_one_character_changed_is_none(place: int) -> None:
    for character in ALPHABET.replace(TEXT[place], ""):
        assert read_token(RING, Purpose.UNSUBSCRIBE, TEXT[:place] + character + TEXT[place + 1 :]) is None


def test_a_token_of_one_purpose_opens_no_other() -> None:
    assert read_token(RING, Purpose.VIEW, TEXT) is None


def test_a_token_of_other_keys_is_none() -> None:
    assert read_token(Keyring(keys={1: NEW}), Purpose.UNSUBSCRIBE, TEXT) is None
    assert read_token(Keyring(keys={2: OLD}), Purpose.UNSUBSCRIBE, TEXT) is None


def test_generation_and_newsletter_are_part_of_what_is_signed() -> None:
    found = read_token(RING, Purpose.UNSUBSCRIBE, TEXT)

    assert found is not None
    assert (found.generation, found.newsletter) == (3, name_number("pagi"))
    assert name_number("pagi") != name_number("sore")


def test_an_old_key_in_the_ring_goes_on_opening_its_links_and_the_newest_signs() -> None:
    assert read_token(BOTH, Purpose.UNSUBSCRIBE, TEXT) == TOKEN
    assert base64.urlsafe_b64decode(make_token(BOTH, TOKEN))[1] == 2
    assert read_token(RING, Purpose.UNSUBSCRIBE, make_token(BOTH, TOKEN)) is None


@pytest.mark.parametrize(
    "spelling",
    [
        TEXT + "=",
        TEXT + "\n",
        " " + TEXT,
        TEXT[:22] + "\n" + TEXT[22:],
        base64.b64encode(base64.urlsafe_b64decode(TEXT)).decode().replace("-", "+").replace("_", "/") + "=",
        TEXT[:-1],
        TEXT + "A",
        TEXT.replace(TEXT[0], "\u0391", 1),
        "",
    ],
)
def test_a_token_has_one_spelling(spelling: str) -> None:
    assert read_token(RING, Purpose.UNSUBSCRIBE, spelling) is None


def test_the_other_alphabet_of_base64_is_not_read() -> None:
    seen = 0
    for subscriber in range(50):
        text = make_token(RING, Token(purpose=Purpose.VIEW, subscriber=subscriber, newsletter=2**32 - 1, generation=0))
        other = text.translate(str.maketrans("-_", "+/"))
        seen += other != text
        assert other == text or read_token(RING, Purpose.VIEW, other) is None

    assert seen


@given(st.text(max_size=60))
def test_reading_any_text_as_a_token_ends_in_none(text: str) -> None:
    assert read_token(RING, Purpose.UNSUBSCRIBE, text) is None
    assert read_verp(RING, text) is None


@given(st.integers(0, 2**56 - 1))
def test_a_bounce_address_survives_folded_case(delivery: int) -> None:
    text = verp_token(RING, delivery)

    assert read_verp(RING, text) == read_verp(RING, text.upper()) == read_verp(BOTH, text) == delivery
    assert set(text) <= set(string.ascii_lowercase + "234567")
    assert len(f"b+{text}") <= 64


@pytest.mark.parametrize("place", range(28))
def test_a_bounce_address_with_one_character_changed_is_none(place: int) -> None:
    text = verp_token(RING, 42)
    for character in (string.ascii_lowercase + "234567").replace(text[place], ""):
        assert read_verp(RING, text[:place] + character + text[place + 1 :]) is None


def test_a_bounce_address_of_an_unknown_key_is_none() -> None:
    assert read_verp(RING, verp_token(BOTH, 42)) is None


def test_a_message_id_stays_the_same_after_a_new_key_and_cannot_be_guessed() -> None:
    assert delivery_name(RING, 7, 17) == delivery_name(BOTH, 7, 17)
    assert delivery_name(RING, 7, 17) != delivery_name(Keyring(keys={1: NEW}), 7, 17)
    assert len({delivery_name(RING, edition, person) for edition in range(9) for person in range(9)}) == 81


def test_a_token_survives_a_mail_address_whose_case_is_folded() -> None:
    token = make_token(RING, TOKEN)
    mailed = mailed_token(token)

    assert len(f"u+{mailed}") <= 64  # RFC 5321 §4.5.3.1.1
    assert mailed == mailed.lower()
    assert token_of_mail(mailed) == token_of_mail(mailed.upper()) == token == TEXT


@pytest.mark.parametrize("text", ["", "a" * 52, "a" * 54, "1" * 53, "a" * 52 + "=", "a" * 52 + "\n"])
def test_what_can_be_no_token_in_an_address_is_none(text: str) -> None:
    assert token_of_mail(text) is None
