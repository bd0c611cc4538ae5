"""`/metrics`: open on a machine that serves nobody else; where the world is served, with the key or a session (T33)."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from syndicate.domain.account import Role
from syndicate.errors import ConfigError
from syndicate.settings import load
from tests.web import paper as paper_module
from tests.web.house import House, house
from tests.web.paper import Paper, configure, running

KEY = "kenari-hijau-di-atas-pohon-randu-tua"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("metrics")
    (folder / "secret").mkdir()
    (folder / "secret" / "metrics.key").write_text(f"{KEY}\n")
    before = paper_module.CONFIG
    with ExitStack() as stack:
        paper_module.CONFIG = before.replace("[web]\n", '[web]\nmetrics_key = "file:secret/metrics.key"\n')
        try:
            one = stack.enter_context(house(folder, world=True))
        finally:
            paper_module.CONFIG = before
        yield one


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paper]:
    with running(tmp_path_factory.mktemp("here")) as one:
        yield one


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "[::1]", "berita.contohpos.example"])
def test_t33_a_loopback_name_that_a_proxy_on_this_machine_passes_on_opens_nothing(world: House, host: str) -> None:
    assert world.ask("GET", "/metrics", host=host).status_code == 404


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        (f"Bearer {KEY}", 200),
        (f"bearer  {KEY}", 200),
        (f"Basic {KEY}", 404),
        (f"Bearer {KEY}x", 404),
        (f"Bearer {KEY[:-1]}", 404),
        ("Bearer", 404),
        (KEY, 404),
    ],
)
def test_the_key_opens_it_and_nothing_like_it(world: House, shown: str, status: int) -> None:
    answer = world.ask("GET", "/metrics", authorization=shown)

    assert answer.status_code == status
    assert KEY not in answer.text


def test_the_key_opens_nothing_else(world: House) -> None:
    assert world.ask("GET", "/outbox", authorization=f"Bearer {KEY}").status_code == 303


def test_an_operator_s_session_opens_it_too(world: House) -> None:
    assert world.ask("GET", "/metrics", session=world.session(Role.OPERATOR)).status_code == 200


@pytest.mark.parametrize("header", ["Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP"])
def test_on_a_machine_of_its_own_a_proxy_opens_nothing(here: Paper, header: str) -> None:
    assert here.http.get("/metrics").status_code == 200
    assert here.http.get("/metrics", headers={header: "203.0.113.7"}).status_code == 404


def test_a_short_key_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        paper_module, "CONFIG", paper_module.CONFIG.replace("[web]\n", '[web]\nmetrics_key = "env:KUNCI"\n')
    )
    configure(tmp_path, "https://berita.contohpos.example", "127.0.0.1:8080", sample=False)

    with pytest.raises(ConfigError, match="32 or more random characters"):
        load(None, cwd=tmp_path, environ={"KUNCI": "pendek"})
