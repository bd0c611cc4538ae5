"""The desk's word against the source: what outranks what, and until when."""

from dataclasses import replace
from typing import Any

import pytest

from syndicate.domain.article import ArticleState, Content
from syndicate.domain.change import ChangeKind
from syndicate.domain.desk import (
    LONGEST_NOTE,
    DeskChange,
    DeskWord,
    content_after,
    refuse_senseless,
    taken_down,
    weigh,
    word_after,
)
from syndicate.errors import Refused
from tests.factories import NOW, make_article, make_content

SOURCE = make_content(title="Harga cabai naik")


def make_word(**changes: Any) -> DeskWord:
    return replace(DeskWord(article_id="lintas-a", at=NOW, based_on=SOURCE, shown=SOURCE), **changes)


TITLED = make_word(says={"title": "Harga cabai turun"})
WITHDRAWN = make_word(standing=ArticleState.WITHDRAWN)


def test_a_corrected_field_outranks_a_source_that_shows_what_it_showed() -> None:
    ruling = weigh(TITLED, SOURCE)

    assert (ruling.content.title, ruling.word, ruling.stays_withdrawn) == ("Harga cabai turun", TITLED, False)


def test_a_corrected_field_gives_way_when_the_source_changes_it() -> None:
    ruling = weigh(TITLED, replace(SOURCE, title="Harga cabai naik lagi"))

    assert (ruling.content.title, ruling.word) == ("Harga cabai naik lagi", None)


def test_what_the_desk_did_not_correct_follows_the_source() -> None:
    ruling = weigh(TITLED, replace(SOURCE, summary="Pasokan terlambat."))

    assert (ruling.content.title, ruling.content.summary) == ("Harga cabai turun", "Pasokan terlambat.")
    assert ruling.word is not None
    assert ruling.word.shown.summary == "Pasokan terlambat."


def test_other_markup_round_the_same_words_does_not_undo_a_corrected_body() -> None:
    word = make_word(says={"body_html": "<p>Harga turun.</p>"})
    ruling = weigh(word, replace(SOURCE, body_html=f"<div>{SOURCE.body_html}</div>"))

    assert ruling.content.body_html == "<p>Harga turun.</p>"
    assert ruling.word is not None


def test_our_own_text_looked_at_again_is_no_change_of_the_source() -> None:
    ours = replace(SOURCE, title="Harga cabai turun")
    again = weigh(TITLED, ours)

    assert again.word == TITLED
    assert weigh(again.word or TITLED, SOURCE).content.title == "Harga cabai turun"


@pytest.mark.parametrize(
    ("edit", "stays"),
    [
        ({}, True),
        ({"summary": "lain"}, True),
        ({"authors": ("Rex",)}, True),
        ({"title": "Harga cabai turun"}, False),
        ({"body_html": "<p>Ditulis ulang seluruhnya oleh redaksi setelah hak jawab.</p>"}, False),
    ],
)
def test_a_withdrawal_stands_until_the_newsroom_reworks_the_story(edit: dict[str, Any], stays: bool) -> None:
    ruling = weigh(WITHDRAWN, replace(SOURCE, **edit))

    assert ruling.stays_withdrawn is stays
    assert (ruling.word is not None) is stays


def test_small_edits_of_a_withdrawn_story_add_up() -> None:
    text = [f"kata{number}" for number in range(40)]
    shown, word = (
        SOURCE,
        make_word(standing=ArticleState.WITHDRAWN, based_on=replace(SOURCE, body_html=f"<p>{' '.join(text)}</p>")),
    )
    stays = []
    for number in range(6):
        text[number] = "lain"
        shown = replace(SOURCE, body_html=f"<p>{' '.join(text)}</p>")
        ruling = weigh(word, shown)
        stays.append(ruling.stays_withdrawn)
        word = ruling.word or word

    assert stays == [True, True, True, True, False, False]


def test_a_source_that_takes_the_story_down_itself_decides_when_it_comes_back() -> None:
    assert taken_down(WITHDRAWN) is None
    assert taken_down(replace(TITLED, standing=ArticleState.WITHDRAWN)) == TITLED


def corrected(**says: str) -> DeskChange:
    return DeskChange(kind=ChangeKind.CORRECTED, note="Ralat.", says=says)


def test_a_note_alone_is_nothing_to_hold_against_the_source() -> None:
    assert word_after(make_article(), None, corrected(), now=NOW) is None


def test_a_second_correction_keeps_the_first() -> None:
    article = make_article(title="Harga cabai turun")
    word = word_after(article, TITLED, corrected(summary="Panen raya."), now=NOW)

    assert word is not None
    assert word.says == {"title": "Harga cabai turun", "summary": "Panen raya."}
    assert word.based_on == SOURCE


@pytest.mark.parametrize(("word", "standing"), [(None, ArticleState.PUBLISHED), (WITHDRAWN, None)])
def test_only_a_story_that_its_source_took_down_is_restored_against_the_source(
    word: DeskWord | None, standing: ArticleState | None
) -> None:
    article = make_article(state=ArticleState.WITHDRAWN)
    after = word_after(article, word, DeskChange(kind=ChangeKind.RESTORED, note="Kembali."), now=NOW)

    assert (after.standing if after else None) is standing


def test_what_is_restored_comes_back_as_the_source_shows_it_by_now_with_what_was_corrected() -> None:
    shown: Content = replace(SOURCE, summary="Terbaru.")
    word = replace(TITLED, standing=ArticleState.WITHDRAWN, shown=shown)
    change = DeskChange(kind=ChangeKind.RESTORED, note="Kembali.")

    content = content_after(make_article(state=ArticleState.WITHDRAWN), word, change, now=NOW)

    assert (content.title, content.summary) == ("Harga cabai turun", "Terbaru.")


@pytest.mark.parametrize(
    ("state", "change"),
    [
        (ArticleState.PUBLISHED, DeskChange(kind=ChangeKind.RESTORED, note="x")),
        (ArticleState.WITHDRAWN, DeskChange(kind=ChangeKind.WITHDRAWN, note="x")),
        (ArticleState.WITHDRAWN, corrected()),
        (ArticleState.PUBLISHED, DeskChange(kind=ChangeKind.WITHDRAWN, note="  ")),
        (ArticleState.PUBLISHED, DeskChange(kind=ChangeKind.WITHDRAWN, note="x" * (LONGEST_NOTE + 1))),
        (ArticleState.PUBLISHED, corrected(title="Berita 1")),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(state: ArticleState, change: DeskChange) -> None:
    with pytest.raises(Refused):
        refuse_senseless(change, make_article(state=state))
