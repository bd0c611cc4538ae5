"""TLS sees the name although the address is dialled."""

import json
import ssl

import pytest
import trustme

from tests.net.conftest import OpenClient, failed, fetched
from tests.servers.http import (
    Site,
    echo,
    redirect,
    serve,
)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_tls(authority: trustme.CA, *names: str, seen: list[str] | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(context)
    context.sni_callback = lambda _, name, __: None if seen is None else seen.append(str(name))
    return context


def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_over_tls_the_peer_sees_the_name_although_the_address_is_dialled(
    authority: trustme.CA, open_client: OpenClient
) -> None:
    seen: list[str] = []
    async with serve({"/": echo}, tls=server_tls(authority, "feeds.example.test", seen=seen)) as site:
        client = open_client(
            f"127.0.0.1:{site.port}", resolver=lambda host, port: ["127.0.0.1"], tls=client_tls(authority)
        )

        outcome = await fetched(client, f"https://feeds.example.test:{site.port}/")

    assert seen == ["feeds.example.test"]
    assert json.loads(outcome.body)["headers"]["host"] == f"feeds.example.test:{site.port}"


@pytest.mark.parametrize("trusted", [True, False])
async def test_a_certificate_of_another_name_or_authority_is_refused_before_anything_is_sent(
    trusted: bool, authority: trustme.CA, open_client: OpenClient, authorities: ssl.SSLContext
) -> None:
    name = "other.example.test" if trusted else "feeds.example.test"
    async with serve({"/": echo}, tls=server_tls(authority, name)) as site:
        client = open_client(
            f"127.0.0.1:{site.port}",
            resolver=lambda host, port: ["127.0.0.1"],
            tls=client_tls(authority) if trusted else authorities,
        )

        outcome = await failed(client, f"https://feeds.example.test:{site.port}/")

    assert (outcome.kind, outcome.maybe_delivered, site.requests) == ("tls", False, [])


async def test_no_redirect_leads_from_https_to_http(authority: trustme.CA, site: Site, open_client: OpenClient) -> None:
    async with serve({"/": redirect(site.url())}, tls=server_tls(authority, "127.0.0.1")) as secure:
        client = open_client(f"127.0.0.1:{site.port}", f"127.0.0.1:{secure.port}", tls=client_tls(authority))

        outcome = await failed(client, secure.url())

    assert outcome.kind == "redirect"
    assert site.connections == 0
