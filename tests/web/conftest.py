"""The newspaper that the tests read, and one of its own for each test that changes it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.channels.mail_rules import assert_by_the_rules, in_maildirs
from tests.web.paper import Paper, fill, running


@pytest.fixture(scope="session")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paper]:
    """Shared by tests that only read."""
    with running(tmp_path_factory.mktemp("paper")) as shared:
        fill(shared)
        yield shared
    assert_by_the_rules(in_maildirs(shared.folder))


@pytest.fixture
def own_paper(tmp_path: Path) -> Iterator[Paper]:
    """For a test that changes something."""
    with running(tmp_path) as own:
        fill(own)
        yield own
