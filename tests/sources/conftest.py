"""What the tests of `sources/` share: a real jail, a real client, a newsroom to ask, and the customer's recordings."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syndicate.domain.source import SourceConfig
from syndicate.jail import Jail
from syndicate.net.client import Client
from syndicate.net.guard import Allowed
from tests.servers.http import Handler, Site, answer, serve

NOW = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
async def jail() -> AsyncIterator[Jail]:
    running = Jail(wall_seconds=10.0)
    yield running
    await running.aclose()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with serve() as running:
        yield running


@pytest.fixture
async def client(site: Site) -> AsyncIterator[Client]:
    opened = Client(allowed=Allowed.parse([f"127.0.0.1:{site.port}"]), user_agent="Test/1")
    yield opened
    await opened.aclose()


@pytest.fixture
def fixtures(shared: Path) -> Path:
    """The recordings of a real newsroom."""
    return shared / "fixtures"


MakeConfig = Callable[..., SourceConfig]


@pytest.fixture
def make_config() -> MakeConfig:
    def make(location: str, **changes: Any) -> SourceConfig:
        values: dict[str, Any] = {"name": "uji", "kind": "feed", "every": timedelta(minutes=5)}
        return SourceConfig(location=location, **(values | changes))

    return make


Recorded = Callable[[str], Handler]


@pytest.fixture
def recorded(fixtures: Path) -> Recorded:
    """A handler that answers as WordPress did when it was recorded."""

    def load(name: str) -> Handler:
        head = (fixtures / "wp" / f"{name}.headers").read_text(encoding="latin-1").splitlines()
        pairs = dict(line.split(": ", 1) for line in head[1:] if ": " in line)
        kept = {key: value for key, value in pairs.items() if key not in ("Host", "Connection", "Transfer-Encoding")}
        body = fixtures / "wp" / f"{name}.xml"
        return answer(int(head[0].split()[1]), body.read_bytes() if body.exists() else b"", kept)

    return load
