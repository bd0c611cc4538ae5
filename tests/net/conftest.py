"""What the tests of `net/` share: a client that is closed at the end, and sites to talk to."""

import ssl
from collections.abc import AsyncIterator, Callable

import pytest

from syndicate.net.client import Caps, Client, Fetched, FetchFailed
from syndicate.net.connect import tls_context
from syndicate.net.guard import Allowed, Resolver
from syndicate.net.polite import Politeness
from tests.servers.http import MIB, Site, serve

QUICK = Caps(connect_seconds=2.0, read_seconds=1.0, total_seconds=1.0, wire_bytes=2 * MIB, body_bytes=8 * MIB)
"""The caps of feeds with less time."""

OpenClient = Callable[..., Client]


@pytest.fixture(scope="session")
def authorities() -> ssl.SSLContext:
    """The system's, loaded once: that takes longer than most tests here."""
    return tls_context()


@pytest.fixture
async def open_client(authorities: ssl.SSLContext) -> AsyncIterator[OpenClient]:
    """`open_client("127.0.0.1:8080", resolver=…)`: a client to which those addresses are open."""
    clients: list[Client] = []

    def open_one(
        *allow: str,
        resolver: Resolver | None = None,
        polite: Politeness | None = None,
        tls: ssl.SSLContext = authorities,
    ) -> Client:
        allowed = Allowed.parse(allow)
        clients.append(Client(allowed=allowed, user_agent="Test/1", polite=polite, resolver=resolver, tls=tls))
        return clients[-1]

    yield open_one
    for client in clients:
        await client.aclose()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with serve() as running:
        yield running


@pytest.fixture
def client(site: Site, open_client: OpenClient) -> Client:
    """A client to which only the site is open."""
    return open_client(f"127.0.0.1:{site.port}")


async def fetched(client: Client, url: str, **options: object) -> Fetched:
    outcome = await client.fetch("GET", url, caps=QUICK, **options)  # type: ignore[arg-type]
    assert isinstance(outcome, Fetched), outcome
    return outcome


async def failed(client: Client, url: str, **options: object) -> FetchFailed:
    outcome = await client.fetch("GET", url, **{"caps": QUICK, **options})  # type: ignore[arg-type]
    assert isinstance(outcome, FetchFailed), outcome
    return outcome
