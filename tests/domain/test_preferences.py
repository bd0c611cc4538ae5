"""What a form asks for: taken whole, or each field that can't be taken is named."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.domain.audience import Rhythm
from syndicate.domain.consent import Said
from syndicate.domain.newsletter import rhythms_of
from syndicate.domain.preferences import (
    Choice,
    Difference,
    Field,
    Flaw,
    Offer,
    Preferences,
    differences,
    masked,
    paused_day,
    read_form,
    write_form,
)
from syndicate.domain.slot import parse_schedule
from tests.factories import NOW, make_newsletter

PAGI = make_newsletter(name="pagi", topics=("kota", "daerah", "olahraga"))
SORE = make_newsletter(name="sore", roundup=parse_schedule("sun 07:00"), breaking=("kota",))
ZONES = frozenset({"Asia/Jakarta", "Asia/Jayapura", "Europe/Amsterdam", "UTC"})
OFFER = Offer(newsletters={"pagi": PAGI, "sore": SORE}, languages=("id", "en"), zones=ZONES)
BEFORE = Preferences(
    choices=(Choice(newsletter="pagi"),), language="id", timezone="Asia/Jakarta", hour=None, paused_until=None
)


def filled(before: Preferences = BEFORE, **changes: list[str]) -> dict[str, list[str]]:
    """The form as it was shown, with some fields filled in otherwise; `topics_pagi` is `topics-pagi`."""
    named = {name.replace("_", "-"): value for name, value in changes.items()}
    return write_form(before, OFFER.newsletters, now=NOW) | named


def read(before: Preferences = BEFORE, offer: Offer = OFFER, **changes: list[str]) -> Preferences:
    found = read_form(filled(before, **changes), before, offer, now=NOW)
    assert isinstance(found, Preferences), found
    return found


def flaws(before: Preferences = BEFORE, offer: Offer = OFFER, **changes: list[str]) -> list[str]:
    found = read_form(filled(before, **changes), before, offer, now=NOW)
    assert not isinstance(found, Preferences)
    return [flaw.name for flaw in found]


CHOICES = st.lists(
    st.one_of(
        st.builds(
            lambda topics: Choice(newsletter="pagi", topics=tuple(t for t in PAGI.topics if t in topics)),
            st.sets(st.sampled_from(PAGI.topics), max_size=2),
        ),
        st.builds(lambda rhythm: Choice(newsletter="sore", rhythm=rhythm), st.sampled_from(Rhythm)),
        st.just(Choice(newsletter="lama", topics=("x",), rhythm=Rhythm.WEEKLY)),
    ),
    unique_by=lambda one: one.newsletter,
)
PREFERENCES = st.builds(
    lambda choices, language, zone, hour: Preferences(
        choices=tuple(sorted(choices, key=lambda one: one.newsletter)),
        language=language,
        timezone=zone,
        hour=hour,
        paused_until=None,
    ),
    CHOICES,
    st.sampled_from(["id", "en", "jv"]),
    st.sampled_from(sorted(ZONES)),
    st.none() | st.integers(0, 23),
)


@given(PREFERENCES)
def test_a_form_sent_back_as_it_was_shown_changes_nothing(chosen: Preferences) -> None:
    again = read_form(write_form(chosen, OFFER.newsletters, now=NOW), chosen, OFFER, now=NOW)

    assert again == chosen
    assert differences(chosen, chosen) == ()


def test_what_is_ticked_begins_and_what_is_not_ends() -> None:
    after = read(newsletter=["sore"])

    assert [one.newsletter for one in after.choices] == ["sore"]
    assert [(one.newsletter, one.said) for one in differences(BEFORE, after)] == [
        ("pagi", Said.ENDED),
        ("sore", Said.CONFIRMED),
    ]


def test_topics_are_kept_in_the_newsletter_s_order() -> None:
    assert read(topics_pagi=["olahraga", "kota"]).choice("pagi") == Choice(
        newsletter="pagi", topics=("kota", "olahraga")
    )


@pytest.mark.parametrize("ticked", [[], ["kota", "daerah", "olahraga"]])
def test_no_topic_and_every_topic_are_all_of_it_whatever_is_added_later(ticked: list[str]) -> None:
    before = replace(BEFORE, choices=(Choice(newsletter="pagi", topics=("kota",)),))

    assert read(before, topics_pagi=ticked).choice("pagi") == Choice(newsletter="pagi")


def test_only_what_a_newsletter_offers_can_be_chosen() -> None:
    assert rhythms_of(PAGI) == (Rhythm.EACH,)
    assert rhythms_of(SORE) == (Rhythm.EACH, Rhythm.WEEKLY, Rhythm.BREAKING)
    assert read(rhythm_pagi=["weekly"]).choice("pagi") == Choice(newsletter="pagi")
    assert read(newsletter=["sore"], topics_sore=["kota"]).choice("sore") == Choice(newsletter="sore")


def test_a_subscription_to_what_is_no_longer_offered_stays_as_it_is() -> None:
    lama = Choice(newsletter="lama", topics=("x",), rhythm=Rhythm.WEEKLY)

    assert read(replace(BEFORE, choices=(lama,)), newsletter=[]).choices == (lama,)


def test_a_language_and_a_zone_that_were_there_before_may_stay() -> None:
    before = replace(BEFORE, language="jv", timezone="Asia/Kolkata")

    assert (read(before).language, read(before).timezone) == ("jv", "Asia/Kolkata")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("newsletter", ["pagi", "nobody"]),
        ("topics_pagi", ["kota", "x"]),
        ("rhythm_sore", ["daily"]),
        ("rhythm_sore", ["each", "weekly"]),
        ("language", ["xx"]),
        ("language", []),
        ("zone", ["Asia/Kolkata"]),
        ("zone", ["../../etc/passwd"]),
        ("hour", ["24"]),
        ("hour", ["-1"]),
        ("hour", ["07"]),
        ("hour", ["٧"]),
        ("hour", ["7", "8"]),
        ("hour", []),
        ("pause", ["tomorrow"]),
        ("pause", ["2026-13-01"]),
        ("pause", ["9999-12-31"]),
        ("pause", ["0001-01-01"]),
        ("pause", ["2026-11-24"]),
        ("pause", ["2028-01-01"]),
        ("pause", []),
    ],
)
def test_a_field_that_can_t_be_taken_is_named_and_nothing_is_taken(field: str, value: list[str]) -> None:
    both = replace(BEFORE, choices=(Choice(newsletter="pagi"), Choice(newsletter="sore")))

    assert flaws(both, OFFER, **{field: value}) == [field.replace("_", "-")]


def test_every_flaw_is_named_at_once() -> None:
    assert flaws(hour=["x"], zone=["y"], pause=["z"]) == ["zone", "hour", "pause"]


def test_nothing_more_begins_for_an_address_that_isn_t_written_to() -> None:
    closed = replace(OFFER, closed=True)
    found = read_form(filled(newsletter=["pagi", "sore"]), BEFORE, closed, now=NOW)

    assert found == (Flaw(field=Field.NEWSLETTERS, closed=True),)
    assert read(BEFORE, closed, newsletter=[]).choices == ()


def test_a_pause_ends_at_the_beginning_of_that_day_where_the_reader_lives() -> None:
    after = read(zone=["Asia/Jayapura"], pause=["2026-12-01"])

    assert after.paused_until == datetime(2026, 11, 30, 15, 0, tzinfo=UTC)
    assert str(paused_day(after, now=NOW)) == "2026-12-01"
    assert paused_day(after, now=NOW + timedelta(days=8)) is None
    assert read(after, pause=[""]).paused_until is None


def test_what_changed_is_said_in_fields_and_in_words_for_the_ledger() -> None:
    after = read(newsletter=["pagi", "sore"], topics_pagi=["kota"], rhythm_sore=["weekly"], hour=["7"], language=["en"])

    assert differences(BEFORE, after) == (
        Difference(newsletter="pagi", said=Said.CHANGED, fields=(Field.TOPICS,), note="topics: kota"),
        Difference(
            newsletter="sore",
            said=Said.CONFIRMED,
            fields=(Field.TOPICS, Field.RHYTHM),
            note="topics: all; rhythm: weekly",
        ),
        Difference(newsletter="", said=Said.CHANGED, fields=(Field.LANGUAGE, Field.HOUR), note="language: en; hour: 7"),
    )


def test_a_masked_address_is_known_to_its_owner_alone() -> None:
    assert masked("dewi.lestari@pembaca.example") == "d***@pembaca.example"
