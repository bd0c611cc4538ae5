"""Sixty kills, a sink that errs, readers who leave: nobody loses a mail, nobody gets two (R01, R02, R03, R10)."""

from pathlib import Path

import pytest

from tests.faults.storm import KILLS, LEAVING, storm

SEED = 20261125
MORE_SEEDS = range(1, 7)


@pytest.mark.parametrize("kind", ["smtp", "mailgun"])
async def test_sixty_kills_lose_nobody_double_nobody_and_send_to_nobody_who_left(
    tmp_path: Path, database_url: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = await storm(tmp_path, database_url, kind, monkeypatch, seed=SEED)

    assert ending.wrong == []
    assert ending.working >= KILLS
    assert ending.left == LEAVING


@pytest.mark.long
@pytest.mark.parametrize("seed", MORE_SEEDS)
@pytest.mark.parametrize("kind", ["smtp", "mailgun"])
async def test_many_more_kills_do_neither(
    tmp_path: Path, database_url: str, kind: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = await storm(tmp_path, database_url, kind, monkeypatch, seed=seed)

    assert ending.wrong == []
    assert ending.working >= KILLS
