"""A feed that has become too large is named, once; it is published all the same."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from syndicate.pipeline.publish import Press
from syndicate.pipeline.weigh import LARGE, large_feeds, tell_large
from syndicate.store import files
from syndicate.store.files import Document
from tests.factories import make_feed
from tests.pipeline.test_publish import make_press


@pytest.fixture
def press(tmp_path: Path) -> Press:
    return make_press(tmp_path, make_feed(limit=80))


def keep(press: Press, name: str, size: int) -> None:
    """A document of so many bytes, as publishing leaves it."""
    body = b"<" * size
    document = Document(name=name, media_type="x/x", etag="a", last_modified=1, plain=body, gzipped=b"")
    files.write_document(press.folder, document)


def test_a_feed_over_512_kb_is_named_with_its_size_and_the_cure(press: Press) -> None:
    keep(press, "terkini.rss", LARGE)
    assert large_feeds(press) == {}

    keep(press, "terkini.rss", LARGE + 1)
    keep(press, "terkini.json", 600_000)
    keep(press, "bekas.rss", 900_000)  # of a feed that is no longer configured

    said = "terkini.json is 600,000 bytes, more than 524,288: some programs read such a feed no longer"
    assert {name: one.why for name, one in large_feeds(press).items()} == {
        "terkini": f"{said}; write a limit under 80 for the feed terkini"
    }


@pytest.mark.parametrize("raw", [b"", b"x\n", b'x\n{"plain_length": true}\n', b"\xff\n\xff"])
def test_a_ruined_document_has_no_size(press: Press, raw: bytes) -> None:
    press.folder.mkdir(exist_ok=True)
    (press.folder / "terkini.rss.doc").write_bytes(raw)

    assert large_feeds(press) == {}


async def test_the_log_says_it_once_per_crossing(press: Press) -> None:
    told = frozenset[str]()
    with capture_logs() as logged:
        for size in (10, LARGE + 1, LARGE + 2, LARGE, LARGE + 1):
            keep(press, "terkini.rss", size)
            told = await tell_large(press, told)

    assert [(one["event"], one["log_level"], one["feed"], one["bytes"]) for one in logged] == [
        ("feed.large", "warning", "terkini", LARGE + 1),
        ("feed.large", "warning", "terkini", LARGE + 1),
    ]
