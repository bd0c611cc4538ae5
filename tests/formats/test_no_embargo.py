"""X-14: there is no embargo, so nothing that is published may say that it is from later than now."""

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.domain.article import Content, Edit, next_content
from syndicate.sources.read.dates import choose_times
from tests.formats.rules import broken_rules
from tests.formats.samples import T0, address, built, make_article

SOURCES = Path(__file__).resolve().parents[2] / "syndicate" / "sources"
ZONES = st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours)))
CLAIMED = st.builds(
    lambda seconds, zone: (T0 + timedelta(seconds=seconds)).astimezone(zone), st.integers(-(10**9), 10**9), ZONES
)
CLAIMS = st.one_of(
    st.just(""),
    st.text(max_size=30),
    CLAIMED.map(datetime.isoformat),
    CLAIMED.map(format_datetime),
    CLAIMED.map(lambda at: at.strftime("%d/%m/%Y %H:%M")),
)


def times(published: str, updated: str) -> tuple[datetime, datetime]:
    return choose_times(published, updated, zone="Asia/Jakarta", now=T0)[:2]


@given(CLAIMS, CLAIMS)
def test_whatever_a_newsroom_claims_no_story_is_from_later_than_the_look(published: str, updated: str) -> None:
    appeared, changed = times(published, updated)

    assert appeared <= changed <= T0


@given(CLAIMS, CLAIMS, st.sampled_from(Edit))
def test_no_edit_moves_a_story_beyond_the_look(before: str, after: str, edit: Edit) -> None:
    old, new = (content(*times(claim, claim)) for claim in (before, after))

    assert next_content(old, new, edit, now=T0).updated <= T0


def content(published: datetime, updated: datetime) -> Content:
    return Content(title="Judul", summary="", body_html="<p>Isi</p>", published=published, updated=updated)


def test_every_source_takes_its_times_from_where_they_are_clamped() -> None:
    texts = {path.name: path.read_text("utf-8") for path in SOURCES.rglob("*.py")}

    makers = {name for name, text in texts.items() if " = Content(" in text}

    assert len(makers) > 1
    assert makers == {name for name, text in texts.items() if " = choose_times(" in text}


@pytest.mark.parametrize("kind", ["rss", "atom", "json"])
def test_a_story_that_claims_to_be_from_tomorrow_stands_in_the_feed_as_one_of_now(kind: str) -> None:
    claimed = (T0 + timedelta(days=1)).astimezone(UTC).isoformat()
    published, updated = times(claimed, claimed)

    document = built(kind, [make_article(1, published=published, updated=updated)])

    assert broken_rules(kind, document, url=address(f".{kind}"), now=T0) == {}
