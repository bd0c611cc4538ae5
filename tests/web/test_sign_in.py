"""Signing in and out over HTTP: cookies, other sites, limits, and what is told to nobody (T17, T30, T31, T45)."""

import asyncio
import io
from collections.abc import Iterator
from datetime import timedelta
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from typing import Any

import httpx2
import pytest
import structlog

from syndicate import log
from syndicate.domain.account import Role
from syndicate.pipeline.accounts import FROM_THERE, OF_ACCOUNT_THERE, change_role
from tests.web.house import PASSWORD, PUBLIC, House, house
from tests.web.paper import PATIENCE

WRONG = "empat kata kenari merah"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("world"), world=True) as one:
        yield one


@pytest.fixture
def world(shared: House) -> House:
    """A newspaper that the world can reach. What was tried before is forgotten."""
    shared.paper.clock.at += timedelta(minutes=20)
    return shared


def cookie_of(answer: httpx2.Response) -> "Morsel[str]":
    (line,) = answer.headers.get_list("set-cookie")
    (morsel,) = SimpleCookie(line).values()
    return morsel


# ── in, around and out ───────────────────────────────────────────────────────────────────────────────────────────────


def test_from_a_closed_page_to_signing_in_to_that_page_and_out_again(world: House) -> None:
    closed = world.ask("GET", "/outbox")
    assert (closed.status_code, closed.headers["location"]) == (303, "/sign-in?to=%2Foutbox")
    assert 'name="to" value="/outbox"' in world.ask("GET", closed.headers["location"]).text

    entered = world.sign_in("viewer", to="/outbox")
    assert (entered.status_code, entered.headers["location"]) == (303, "/outbox")
    session = cookie_of(entered).value
    inside = world.ask("GET", "/outbox", session=session)
    assert inside.status_code == 200
    assert "<span>viewer</span>" in inside.text
    assert "rini@pembaca.example" in inside.text
    assert "viewer" in world.ask("GET", "/sign-in", session=session).text

    left = world.ask("POST", "/sign-out", session=session)
    assert (left.status_code, left.headers["location"]) == (303, "/")
    assert (cookie_of(left).value, cookie_of(left)["max-age"]) == ("", "0")
    assert world.ask("GET", "/outbox", session=session).status_code == 303


def test_the_cookie_is_for_this_host_alone_and_for_no_script(world: House) -> None:
    cookie = cookie_of(world.sign_in("viewer"))

    assert cookie.key == "__Host-syndicate"
    assert (cookie["path"], cookie["domain"], cookie["samesite"].lower()) == ("/", "", "lax")
    assert cookie["secure"] is True
    assert cookie["httponly"] is True


def test_on_this_machine_there_is_no_https_and_the_cookie_has_a_plain_name(tmp_path: Path) -> None:
    with house(tmp_path, world=False) as here:
        cookie = cookie_of(here.sign_in("viewer"))

        assert (cookie.key, cookie["secure"], cookie["httponly"]) == ("syndicate", "", True)
        assert here.ask("GET", "/sign-in", session=cookie.value).text.count("viewer") >= 2


def test_t31_a_cookie_that_was_planted_is_not_the_one_that_is_given(world: House) -> None:
    planted = "ns_" + "A" * 43

    answer = world.ask("POST", "/sign-in", session=planted, data={"name": "viewer", "password": PASSWORD})

    assert cookie_of(answer).value != planted
    assert world.ask("GET", "/outbox", session=planted).status_code == 303


def test_t31_another_role_counts_from_the_next_request_on(tmp_path: Path) -> None:
    with house(tmp_path, world=True) as own:
        session = cookie_of(own.sign_in("operator")).value
        assert own.ask("GET", "/metrics", session=session).status_code == 200

        own.paper.do(change_role(own.paper.app.db, "operator", Role.VIEWER, who="test", now=own.paper.clock.at))
        assert own.ask("GET", "/metrics", session=session).status_code == 404

        again = cookie_of(own.sign_in("operator")).value
        assert own.ask("GET", "/metrics", session=again).status_code == 403


@pytest.mark.parametrize(
    ("asked", "led"),
    [
        ("/outbox/a.b.syndicate:2,S", "/outbox/a.b.syndicate:2,S"),
        ("//jahat.example", "/outbox"),
        ("/\\jahat.example", "/outbox"),
        ("https://jahat.example/", "/outbox"),
        ("/outbox\r\nset-cookie: a=b", "/outbox"),
        ("/\t/jahat.example", "/outbox"),
        ("javascript:alert(1)", "/outbox"),
        ("", "/outbox"),
    ],
)
def test_signing_in_leads_to_no_other_site(world: House, asked: str, led: str) -> None:
    assert world.sign_in("viewer", to=asked).headers["location"] == led


def test_the_language_that_was_chosen_stays(world: House) -> None:
    answer = world.ask("POST", "/sign-in?lang=en", data={"name": "viewer", "password": PASSWORD})

    assert answer.headers["location"] == "/outbox?lang=en"


def test_pages_for_everybody_do_not_know_who_asks(world: House) -> None:
    session = world.session(Role.OPERATOR)
    for path in ("/", "/feeds/", "/feeds/terkini/", "/editions/ringkasan/", "/nothing"):
        stranger, known = world.ask("GET", path), world.ask("GET", path, session=session)
        assert known.content == stranger.content, path
        assert "set-cookie" not in known.headers, path


def test_what_a_session_opens_is_kept_by_nobody(world: House) -> None:
    session = world.session(Role.OPERATOR)
    for path in ("/outbox", "/outbox/nothing", "/metrics", "/sign-in"):
        assert world.ask("GET", path, session=session).headers["cache-control"] == "no-store", path


# ── what strangers learn ─────────────────────────────────────────────────────────────────────────────────────────────


def test_t30_an_unknown_name_and_a_wrong_password_get_the_same_answer(world: House) -> None:
    answers = [
        world.sign_in("viewer", WRONG),
        world.sign_in("ratna", WRONG),
        world.sign_in("", ""),
        world.sign_in("a\0b"),
    ]

    first = answers[0]
    assert first.status_code == 403
    assert "Nama akun atau kata sandi tidak cocok." in first.text
    for other in answers[1:]:
        assert (other.status_code, other.content) == (first.status_code, first.content)
        assert set(other.headers) == set(first.headers)


def test_what_was_typed_is_not_shown_again(world: House) -> None:
    answer = world.sign_in(WRONG, PASSWORD, to="/outbox")

    assert WRONG not in answer.text
    assert PASSWORD not in answer.text


def test_t30_too_many_tries_are_told_when_to_come_back(world: House) -> None:
    answers = [world.sign_in("editor", WRONG) for _ in range(OF_ACCOUNT_THERE.burst + 1)]

    assert [one.status_code for one in answers] == [403] * OF_ACCOUNT_THERE.burst + [429]
    assert answers[-1].headers["retry-after"] == "60"
    assert "Terlalu banyak percobaan" in answers[-1].text
    world.paper.clock.at += timedelta(seconds=60)
    assert world.sign_in("editor").status_code == 303


def test_t30_a_flood_is_turned_away_while_pages_go_on(world: House) -> None:
    async def flood() -> tuple[list[int], list[int]]:
        headers = {"host": PUBLIC.removeprefix("https://"), "origin": PUBLIC}
        async with httpx2.AsyncClient(base_url=world.paper.origin, headers=headers, timeout=PATIENCE) as client:
            tried = [
                client.post("/sign-in", data={"name": f"nama{number}", "password": WRONG}) for number in range(200)
            ]
            others = [client.get("/feeds/terkini/") for _ in range(10)]
            answers = await asyncio.gather(*tried, *others)
        return [one.status_code for one in answers[:200]], [one.status_code for one in answers[200:]]

    tried, others = asyncio.run(flood())

    assert set(tried) == {403, 429}
    assert tried.count(403) <= FROM_THERE.burst
    assert others == [200] * 10


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "application/x-www-form-urlencoded"),
        (b"name=%ff&password=%00", "application/x-www-form-urlencoded"),
        (b"name=viewer&" * 500, "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
        (b"--x\r\n", "multipart/form-data; boundary=x"),
        (
            b'--x\r\nContent-Disposition: form-data; name="name"; filename="a"\r\n\r\nviewer\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
    ],
)
def test_a_body_of_another_shape_signs_nobody_in(world: House, content: bytes, kind: str) -> None:
    answer = world.http.post("/sign-in", content=content, headers={"origin": PUBLIC, "content-type": kind})

    assert answer.status_code in (400, 403)
    assert "set-cookie" not in answer.headers


# ── other sites ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("headers", "done"),
    [
        ({"origin": PUBLIC}, True),
        ({"origin": PUBLIC, "sec_fetch_site": "same-origin"}, True),
        ({"origin": "null", "sec_fetch_site": "same-origin"}, True),
        ({"origin": "", "sec_fetch_site": "none"}, True),
        ({"origin": ""}, False),
        ({"origin": "null"}, False),
        ({"origin": "https://jahat.example"}, False),
        ({"origin": "https://berita.contohpos.example.jahat.example"}, False),
        ({"origin": "http://berita.contohpos.example"}, False),
        ({"origin": "https://berita.contohpos.example:444"}, False),
        ({"origin": "http://127.0.0.1:8080"}, False),
        ({"origin": PUBLIC, "sec_fetch_site": "same-site"}, False),
        ({"origin": PUBLIC, "sec_fetch_site": "cross-site"}, False),
        ({"origin": "", "referer": f"{PUBLIC}/sign-in"}, False),
    ],
)
def test_t17_only_our_own_pages_can_sign_anybody_in_or_out(world: House, headers: dict[str, Any], done: bool) -> None:
    session = world.session(Role.OPERATOR)
    form = {"name": "operator", "password": PASSWORD}

    entered = world.ask("POST", "/sign-in", data=form, **headers)
    left = world.ask("POST", "/sign-out", session=session, **headers)

    assert (entered.status_code, "set-cookie" in entered.headers) == ((303, True) if done else (403, False))
    assert (left.status_code, "set-cookie" in left.headers) == ((303, True) if done else (403, False))
    assert (world.ask("GET", "/metrics", session=session).status_code == 200) is not done


def test_t17_by_a_loopback_name_our_origin_is_that_name(tmp_path: Path) -> None:
    with house(tmp_path, world=False) as here:
        port = here.origin.rpartition(":")[2]
        form = {"name": "viewer", "password": PASSWORD}
        for host, origin, status in [
            (f"localhost:{port}", f"http://localhost:{port}", 303),
            (f"localhost:{port}", "http://localhost:1", 403),
            (f"localhost:{port}", f"https://localhost:{port}", 403),
            (f"localhost:{port}", here.origin, 303),
        ]:
            assert here.ask("POST", "/sign-in", data=form, host=host, origin=origin).status_code == status, origin


# ── secrets ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """All that is logged, from the lowest level up."""
    stream = io.StringIO()
    log.set_up(level="debug", format="json", stream=stream, pepper=b"pepper")
    yield stream
    structlog.reset_defaults()


def test_t45_no_secret_is_in_a_log_a_page_a_file_or_the_database(tmp_path: Path, logged: io.StringIO) -> None:
    with house(tmp_path, world=True) as own:
        answers = [own.sign_in("operator"), own.sign_in("viewer", WRONG), own.sign_in(PASSWORD, WRONG)]
        session = cookie_of(answers[0]).value
        given = answers[0].headers.pop("set-cookie")
        for path in ("/outbox", "/metrics", "/sign-in", "/", "/nothing", "/feeds/mitra.rss", f"/u/{session}"):
            answers.append(own.ask("GET", path, session=session, authorization=f"Bearer {own.key}"))
        answers.append(own.ask("GET", f"/feeds/mitra.rss?api_key={own.key}"))
        answers.append(own.ask("POST", "/sign-out", session=session))
        structlog.get_logger().info("kenari.sang", about=f"{session} {own.key}")
        answers[-1].headers.pop("set-cookie")
        pages = "\n".join(f"{one.headers}\n{one.text}" for one in answers)
        folders = (own.paper.folder / "var", own.paper.folder / "keys")
        files = [path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()]

        assert session in given
        assert {one.status_code for one in answers} >= {200, 303, 400, 403, 404}
        assert "account.tried" in logged.getvalue()
        for secret in (PASSWORD, WRONG, session, session.removeprefix("ns_"), own.key):
            assert secret not in logged.getvalue(), secret
            assert secret not in pages, secret
            assert not [one for one in files if secret.encode() in one], secret


def test_without_the_database_signing_in_asks_to_come_back(tmp_path: Path) -> None:
    with house(tmp_path, world=True) as own:
        session = own.session(Role.OPERATOR)
        own.paper.do(own.paper.app.db.aclose())
        for file in (own.paper.folder / "var").glob("syndicate.db*"):
            file.unlink()
        (own.paper.folder / "var" / "syndicate.db").mkdir()

        answers = [own.sign_in("viewer"), own.ask("GET", "/outbox", session=session)]

        assert [one.status_code for one in answers] == [503, 503]
        assert own.ask("GET", "/sign-in").status_code == 200, "the page itself needs none"
