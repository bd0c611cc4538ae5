"""`/v/TOKEN`: the variant that a reader was mailed, for whoever has the link; it shows nothing of whose it is."""

from dataclasses import replace

import pytest
from sqlalchemy import update

from syndicate.domain.edition import EditionState
from syndicate.domain.token import Purpose
from syndicate.domain.variant import VariantKey
from syndicate.store import candidates, editions
from syndicate.store.tables import deliveries
from tests.web.paper import Paper

DELIVERY = 1
OWN = "Hanya untuk pembaca ekonomi"


@pytest.fixture
def paper(own_paper: Paper) -> Paper:
    """With one reader whose mail was another variant than everybody's."""

    async def write() -> None:
        async with own_paper.app.db.write() as connection:
            found = await editions.of_delivery(connection, DELIVERY)
            assert found is not None
            number = found[0].id
            whole = (await editions.renderings(connection, number, [0]))[0]
            await candidates.add_keys(connection, number, {1: VariantKey(language="en", zone="UTC")})
            html = whole.html.replace("</h1>", f"</h1><p>{OWN}</p><a href='{whole.mark}-view_url-'>x</a>")
            await editions.set_rendering(connection, number, replace(whole, number=1, html=html))
            mine = update(deliveries).where(deliveries.c.id == DELIVERY)
            await connection.execute(mine.values(variant=1))

    own_paper.do(write())
    return own_paper


def page_of(paper: Paper) -> str:
    """The public page of the same edition."""

    async def ask() -> str:
        async with paper.app.db.read() as connection:
            found = await editions.of_delivery(connection, DELIVERY)
            assert found is not None
            return f"/editions/{found[0].newsletter}/{found[0].slot}"

    return paper.do(ask())


def link(paper: Paper) -> str:
    return f"/v/{paper.token(purpose=Purpose.VIEW, subscriber=DELIVERY)}"


def test_it_shows_the_variant_and_the_public_page_the_whole_edition(paper: Paper) -> None:
    own = paper.get(link(paper))
    public = paper.get(page_of(paper))

    assert (own.status_code, OWN in own.text) == (200, True)
    assert (public.status_code, OWN in public.text) == (200, False)


def test_nothing_in_it_is_the_reader_s_own(paper: Paper) -> None:
    answer = paper.get(link(paper))

    assert "/u/" not in answer.text
    assert "/p/" not in answer.text
    assert "/v/" not in answer.text
    assert "@pembaca.example" not in answer.text
    assert f"{paper.origin}{page_of(paper)}" in answer.text


def test_nobody_keeps_or_finds_it_and_it_acts_on_nothing(paper: Paper) -> None:
    headers = paper.get(link(paper)).headers

    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-robots-tag"] == "noindex, nofollow"
    assert headers["content-security-policy"].startswith("sandbox; default-src 'none'")


def test_t14_a_link_for_another_purpose_or_mail_is_none(paper: Paper) -> None:
    unknown = paper.get("/v/unknown")
    others = [
        paper.token(),
        paper.token(purpose=Purpose.VIEW, subscriber=999_999),
        paper.token(purpose=Purpose.VIEW, subscriber=DELIVERY, newsletter="mingguan"),
        link(paper).removeprefix("/v/")[:-1] + "A",
    ]

    assert unknown.status_code == 404
    for token in others:
        answer = paper.get(f"/v/{token}")
        assert (answer.status_code, answer.content) == (404, unknown.content)
    assert paper.http.post(link(paper)).status_code == 405


@pytest.mark.parametrize("state", [EditionState.HELD, EditionState.CANCELLED])
def test_what_nobody_may_read_isn_t_shown(paper: Paper, state: EditionState) -> None:
    async def stop() -> None:
        async with paper.app.db.write() as connection:
            found = await editions.of_delivery(connection, DELIVERY)
            assert found is not None
            await editions.set_state(connection, found[0].id, state, came_from=EditionState)

    paper.do(stop())

    assert paper.get(link(paper)).status_code == 404
