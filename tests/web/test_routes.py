"""Who gets what at each address, as routes.txt says it (T17, T27): asked of the running app, in both its places."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from starlette.routing import Route

from syndicate.domain.account import Role
from syndicate.domain.token import Purpose
from syndicate.web.pages import open_front
from syndicate.web.site import open_site, routes
from syndicate.web.tally import Tally
from tests.web.house import KEY, PASSWORD, STRANGER, House, house

WHERE = ("here", "world")
ASKERS = (STRANGER, KEY, *(role.value for role in Role), "other-site")
FORMS = {"/sign-in": {"name": "editor", "password": PASSWORD}}
FEED = "/feeds/{name}.{ending}"
FREE_AGAIN = timedelta(minutes=20)  # sign-ins of the lines before are forgotten


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    where: str
    method: str
    route: str
    address: str
    statuses: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.method} {self.address}"


def table() -> Iterator[Line]:
    for line in (Path(__file__).parent / "routes.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            where, method, route, address, *statuses = line.split()
            assert len(statuses) == len(ASKERS), line
            for place in WHERE if where == "both" else (where,):
                yield Line(place, method, route, address, tuple(map(int, statuses)))


LINES = tuple(table())


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, House]]:
    with ExitStack() as stack:
        yield {
            where: stack.enter_context(house(tmp_path_factory.mktemp(where), world=where == "world")) for where in WHERE
        }


@pytest.fixture(scope="module")
def examples(houses: dict[str, House]) -> dict[str, dict[str, str]]:
    """What the names in the table's addresses stand for."""
    return {where: example(one) for where, one in houses.items()}


def example(one: House) -> dict[str, str]:
    var = one.paper.folder / "var"
    return {
        "story": one.http.get("/feeds/terkini.json").json()["items"][0]["url"].rpartition("/")[2],
        "picture": next((var / "media").iterdir()).name,
        "slot": one.http.get("/editions/ringkasan/").text.split('href="/editions/ringkasan/')[1].split('"')[0],
        "mail": next((var / "outbox" / "new").iterdir()).name,
        "leave": one.paper.token(),
        "copy": one.paper.token(purpose=Purpose.VIEW),
        "choices": one.paper.choices(),
    }


def answered(one: House, line: Line, asker: str, address: str) -> int:
    session, headers = "", dict[str, str]()
    if asker == KEY:
        headers["authorization"] = f"Bearer {one.key}"
    elif asker == "other-site":
        session = one.session(Role.OPERATOR)
        headers |= {"origin": "https://jahat.example", "sec_fetch_site": "cross-site"}
    elif asker != STRANGER:
        session = one.session(Role(asker))
    return one.ask(line.method, address, session=session, data=FORMS.get(line.route), **headers).status_code


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.where} {line}")
def test_each_asker_gets_what_the_table_says(
    houses: dict[str, House], examples: dict[str, dict[str, str]], line: Line
) -> None:
    one, address = houses[line.where], line.address.format(**examples[line.where])
    one.paper.clock.at += FREE_AGAIN

    assert [answered(one, line, asker, address) for asker in ASKERS] == list(line.statuses)


@pytest.mark.parametrize("where", WHERE)
def test_every_route_of_the_app_is_in_the_table_and_no_other(houses: dict[str, House], where: str) -> None:
    app = houses[where].paper.app
    served = {
        (method, route.path)
        for route in routes(open_front(app, Tally()))
        if isinstance(route, Route)
        for method in route.methods or ()
        if method != "HEAD"  # goes with GET
    }
    feeds = {("GET", path) for path in (*open_site(app).shelf.paths, "/feeds.opml")}
    known = {(line.method, line.route) for line in LINES if line.where == where}

    def has(method: str, path: str, *, feed: bool = False) -> bool:
        return any(
            method == m
            and (fnmatchcase(path, FEED.format(name="*", ending="*")) if feed and r == FEED else covers(r, path))
            for m, r in known
        )

    assert [one for one in served if not has(*one)] == []
    assert [one for one in feeds if not has(*one, feed=True)] == []
    of_framework = {one for one in known if one[1] != FEED and one[1] != "/feeds.opml"}
    assert [one for one in of_framework if not any(one[0] == m and covers(one[1], path) for m, path in served)] == []


def covers(route: str, path: str) -> bool:
    return fnmatchcase(path, route)


def test_what_a_session_is_asked_for_is_refused_to_other_sites(houses: dict[str, House]) -> None:
    """T17: whatever changes something and isn't for everybody anyway."""
    for_everybody = {"/u/{token}", "/c/{token}", "/subscribe", "/api/v1/subscriptions", "/sample/receiver"}
    for_everybody |= {"/hooks/{channel}"}
    for line in LINES:
        if line.method not in ("GET", "OPTIONS") and line.route not in for_everybody | {FEED, "/feeds.opml"}:
            assert line.statuses[-1] == 403, line
