"""Files that are whole or not there."""

from dataclasses import replace
from pathlib import Path

import pytest

from syndicate.store import files
from syndicate.store.files import Document

DOCUMENT = Document(
    name="terkini.rss",
    media_type="application/rss+xml; charset=utf-8",
    etag="abc",
    last_modified=1_795_000_000,
    plain=b"<rss>\n</rss>",
    gzipped=b"\x1f\x8b\n\x00",
)


def test_a_document_comes_back_as_it_was_written(tmp_path: Path) -> None:
    files.write_document(tmp_path, DOCUMENT)

    assert files.read_document(tmp_path, "terkini.rss") == DOCUMENT
    assert files.document_names(tmp_path) == ["terkini.rss"]


def test_a_document_with_any_byte_changed_is_not_served(tmp_path: Path) -> None:
    files.write_document(tmp_path, DOCUMENT)
    path = tmp_path / "terkini.rss.doc"
    whole = path.read_bytes()
    body = whole.index(b"<rss>")
    for place in (0, body, len(whole) - 1, *range(33, body, 7)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert files.read_document(tmp_path, "terkini.rss") is None


@pytest.mark.parametrize("raw", [b"", b"\n", b"[]\nx", b"{}\nx", b"nonsense", b'{"digest": 1, "plain_length": 2}'])
def test_a_file_that_is_no_document_is_none(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "terkini.rss.doc").write_bytes(raw)

    assert files.read_document(tmp_path, "terkini.rss") is None


def test_a_document_takes_the_place_of_the_former_and_leaves_nothing_beside(tmp_path: Path) -> None:
    files.write_document(tmp_path, DOCUMENT)
    open_before = (tmp_path / "terkini.rss.doc").open("rb")
    files.write_document(tmp_path, replace(DOCUMENT, plain=b"<rss>2</rss>"))

    with open_before:
        assert b"<rss>\n" in open_before.read()
    assert [path.name for path in tmp_path.iterdir()] == ["terkini.rss.doc"]


def test_a_failed_write_leaves_the_former_document(tmp_path: Path) -> None:
    files.write_document(tmp_path, DOCUMENT)
    with pytest.raises(TypeError):
        files.write_document(tmp_path, replace(DOCUMENT, etag=object()))  # type: ignore[arg-type]

    assert files.read_document(tmp_path, "terkini.rss") == DOCUMENT


@pytest.mark.parametrize(
    "name", ["../x.rss", "x", "X.rss", "x.rss\n", "", ".rss", "a/b.rss", "x.rss.doc", "a" * 49 + ".rss"]
)
def test_a_name_that_is_no_feed_document_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is not the name of a feed document"):
        files.read_document(tmp_path, name)
    with pytest.raises(ValueError, match="is not the name of a feed document"):
        files.remove_document(tmp_path, name)


def test_removing_twice_is_harmless(tmp_path: Path) -> None:
    files.write_document(tmp_path, DOCUMENT)
    for _ in range(2):
        files.remove_document(tmp_path, "terkini.rss")

    assert files.read_document(tmp_path, "terkini.rss") is None


def test_a_picture_is_kept_once_under_its_hash(tmp_path: Path) -> None:
    folder = tmp_path / "media"
    files.write_media(folder, "a" * 32, b"one")
    files.write_media(folder, "a" * 32, b"two")

    assert files.media_path(folder, "a" * 32).read_bytes() == b"one"


@pytest.mark.parametrize("digest", ["../" + "a" * 29, "A" * 32, "a" * 31, "a" * 32 + "\n", ""])
def test_what_is_no_hash_names_no_picture(tmp_path: Path, digest: str) -> None:
    with pytest.raises(ValueError, match="is not the hash of a picture"):
        files.media_path(tmp_path, digest)
