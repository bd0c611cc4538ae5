"""Pictures are inspected and made anew, so that nothing travels with them."""

import io
import struct
import zlib

import pytest
from PIL import Image

from syndicate.jail import Answer, Jail
from syndicate.sources.read.picture import inspect_picture


def encoded(kind: str, size: tuple[int, int] = (60, 40), *, mode: str = "RGB", **options: object) -> bytes:
    out = io.BytesIO()
    colours: dict[str, int | tuple[int, ...]] = {"L": 3, "P": 3, "RGBA": (0, 128, 128, 90)}
    Image.new(mode, size, colours.get(mode, "teal")).save(out, kind, **options)
    return out.getvalue()


def header_only_png(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("kind", "mode", "mime"),
    [
        ("JPEG", "RGB", "image/jpeg"),
        ("JPEG", "L", "image/jpeg"),
        ("JPEG", "CMYK", "image/jpeg"),
        ("PNG", "RGB", "image/png"),
        ("PNG", "RGBA", "image/png"),
        ("PNG", "P", "image/png"),
        ("WEBP", "RGB", "image/jpeg"),
        ("WEBP", "RGBA", "image/png"),
        ("GIF", "P", "image/jpeg"),
    ],
)
def test_the_result_is_what_every_mail_program_shows(kind: str, mode: str, mime: str) -> None:
    value, body = inspect_picture(encoded(kind, mode=mode), {"widths": [1600]})
    assert value == {"mime": mime, "sizes": [[60, 40, len(body)]]}
    with Image.open(io.BytesIO(body)) as image:
        assert (image.size, Image.MIME[image.format or ""]) == ((60, 40), mime)


def test_a_wide_picture_is_made_smaller_in_proportion_once_for_each_width() -> None:
    value, body = inspect_picture(encoded("JPEG", (3200, 1800)), {"widths": [1600, 640]})
    (_, _, length), _ = value["sizes"]
    assert [size[:2] for size in value["sizes"]] == [[1600, 900], [640, 360]]
    for part, size in ((body[:length], (1600, 900)), (body[length:], (640, 360))):
        with Image.open(io.BytesIO(part)) as image:
            assert image.size == size


@pytest.mark.parametrize("width", [300, 640])
def test_a_picture_that_is_narrow_already_comes_once(width: int) -> None:
    value, _ = inspect_picture(encoded("JPEG", (width, 200)), {"widths": [1600, 640]})
    assert [size[:2] for size in value["sizes"]] == [[width, 200]]


def test_exif_is_dropped_and_its_rotation_kept() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter
    exif[0x010E] = "rahasia"
    value, body = inspect_picture(encoded("JPEG", exif=exif.tobytes()), {"widths": [1600]})
    assert value["sizes"][0][:2] == [40, 60]
    assert b"rahasia" not in body
    with Image.open(io.BytesIO(body)) as image:
        assert not image.getexif()


def test_the_same_picture_gives_the_same_bytes() -> None:
    raw = encoded("JPEG", (2000, 1000))
    assert inspect_picture(raw, {"widths": [1600]}) == inspect_picture(raw, {"widths": [1600]})


@pytest.mark.parametrize(
    "raw",
    [b"", b"<svg/>", b"GIF89a", encoded("JPEG")[:100], encoded("PNG")[:60], encoded("BMP"), encoded("TIFF")],
    ids=["empty", "svg", "gif-head", "cut-jpeg", "cut-png", "bmp", "tiff"],
)
def test_what_is_no_picture_of_ours_is_a_problem(raw: bytes) -> None:
    value, body = inspect_picture(raw, {"widths": [1600]})
    assert (set(value), body) == ({"problem"}, b"")


@pytest.mark.parametrize("side", [7100, 12_000, 60_000])
def test_too_many_pixels_are_refused_before_decoding(side: int) -> None:
    value, _ = inspect_picture(header_only_png(side, side), {"widths": [1600]})
    assert "million pixels" in value["problem"]


async def test_a_large_photo_passes_within_the_limits_of_the_jail() -> None:
    jail = Jail()
    try:
        raw = encoded("JPEG", (6000, 4000))
        answer = await jail.call("syndicate.sources.read.picture:inspect_picture", raw, widths=[1600, 640])
    finally:
        await jail.aclose()
    assert isinstance(answer, Answer), answer
    assert answer.value["sizes"][0][0] == 1600
