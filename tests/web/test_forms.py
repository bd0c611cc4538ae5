"""What is no form of a page of ours: 400 on every route that reads one, and never a trouble of ours."""

from collections.abc import Iterator

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.web.house import PUBLIC, House, house

ROUTES = ("/sign-in", "/subscribe", "/c/unknown", "/p/unknown")
TEXT = "multipart/form-data; boundary=x"
CODECS = ("utf-7", "idna", "punycode", "undefined", "hex", "rot13", "unicode_escape", "utf-16", "nonsense", "\xff")
NAMES = ("name", "password", "address", "newsletter", "consent", "token", "subject", "answer", "to", "lang")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("forms"), world=True) as one:
        yield one


def post(world: House, route: str, body: bytes, kind: str) -> httpx2.Response:
    headers = {"origin": PUBLIC, "content-type": kind.encode("latin-1")}
    return world.http.post(route, content=body, headers=headers)  # type: ignore[arg-type]  # a head of bytes is allowed


def parts(**fields: bytes) -> bytes:
    begin = b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    return b"".join(begin % (name.encode(), value) for name, value in fields.items()) + b"--x--\r\n"


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("codec", CODECS)
def test_a_form_in_another_encoding_is_no_form(world: House, route: str, codec: str) -> None:
    body = parts(**dict.fromkeys(NAMES, b"a+2AA-b.\xe4\\ud800"))

    assert post(world, route, body, f"{TEXT}; charset={codec}").status_code == 400
    assert post(world, route, body, f"{TEXT}; charset*=utf-8''{codec}").status_code < 500, "RFC 2231: not asked for"


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("kind", [TEXT, f"{TEXT}; charset=UTF-8", "application/x-www-form-urlencoded;charset=utf-8"])
def test_a_form_in_utf_8_is_read(world: House, route: str, kind: str) -> None:
    body = parts(name="Sañjaya".encode()) if kind.startswith("multipart") else b"name=Sa%C3%B1jaya"

    assert post(world, route, body, kind).status_code not in (400, 500)


_FIELDS = st.dictionaries(st.sampled_from(NAMES), st.binary(max_size=60), max_size=5)
_BODIES = st.one_of(
    st.binary(max_size=300),
    _FIELDS.map(lambda fields: parts(**fields)),
    _FIELDS.map(lambda fields: b"&".join(b"%s=%s" % (name.encode(), value) for name, value in fields.items())),
    st.text("=&%;+x0\ud800aA", max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")),
)
_CHARSETS = st.one_of(st.just(""), st.sampled_from(CODECS).map(lambda codec: f"; charset={codec}"))
_KINDS = st.tuples(st.sampled_from([TEXT, "application/x-www-form-urlencoded", "multipart/form-data", ""]), _CHARSETS)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(route=st.sampled_from(ROUTES), body=_BODIES, kind=_KINDS)
def test_whatever_is_posted_is_no_trouble_of_ours(world: House, route: str, body: bytes, kind: tuple[str, str]) -> None:
    answer = post(world, route, body, "".join(kind))

    assert answer.status_code < 500
    assert "set-cookie" not in answer.headers
