"""Inspects a picture's bytes. Runs inside the jail: image files are programs for their decoders."""

import io
import warnings
from typing import Any

# All that Pillow would load when it is first asked, which the jail can't. BMP and PPM it always wants, we never read.
from PIL import (
    BmpImagePlugin,  # noqa: F401
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,  # noqa: F401
    WebPImagePlugin,
)

LARGEST_PIXELS = 50_000_000  # architecture.md §8 "caps"
_FORMATS = tuple(
    reader.format
    for reader in (
        JpegImagePlugin.JpegImageFile,
        PngImagePlugin.PngImageFile,
        WebPImagePlugin.WebPImageFile,
        GifImagePlugin.GifImageFile,
    )
)
_QUALITY = 82  # of JPEG; below about 80 skies and skin begin to show blocks


def inspect_picture(payload: bytes, options: dict[str, Any]) -> tuple[Any, bytes]:
    """`{"mime", "sizes"}` and the bytes to serve, one after the other, or `{"problem"}` and nothing.

    `sizes` has width, height and number of bytes for each of `widths` (widest first) that the picture reaches; a
    narrower one comes as it is. Always re-encoded: EXIF (where a photo was taken) and whatever hides behind the
    picture stay outside. Mail programs show neither WebP nor moving GIFs reliably, so the result is a JPEG, or
    a PNG where the original is one or has transparency.
    """
    try:
        with warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning):
            with Image.open(io.BytesIO(payload), formats=_FORMATS) as probe:
                _check_size(probe)
                probe.verify()
            with Image.open(io.BytesIO(payload), formats=_FORMATS) as image:
                return _encoded(image, [int(width) for width in options["widths"]])
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return {"problem": f"it has more than {LARGEST_PIXELS // 1_000_000} million pixels"}, b""
    except (OSError, SyntaxError, ValueError, EOFError) as why:  # what Pillow raises for broken files
        return {"problem": f"it is no JPEG, PNG, WebP or GIF that we can read ({str(why)[:80]})"}, b""


def _check_size(image: Image.Image) -> None:
    """Pillow's own limit is three times ours, so it is asked before anything is decoded."""
    if image.width * image.height > LARGEST_PIXELS:
        raise Image.DecompressionBombError


def _encoded(image: Image.Image, widths: list[int]) -> tuple[Any, bytes]:
    original, see_through = image.format, image.has_transparency_data
    if original == "JPEG":
        image.draft("RGB", (widths[0], widths[0]))  # decodes a huge photo at a fraction of its size
    # A profile describes the pixels' own mode: with CMYK turned into RGB it would only spoil the colours.
    profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA") else None
    ImageOps.exif_transpose(image, in_place=True)
    pixels = _converted(image, "RGBA" if see_through else "RGB")
    pixels.info = {}
    mime = "image/png" if original == "PNG" or see_through else "image/jpeg"
    sizes: list[list[int]] = []
    bodies: list[bytes] = []
    for width in widths:
        if sizes and pixels.width <= width:
            break
        pixels.thumbnail((width, pixels.height), Image.Resampling.LANCZOS)
        bodies.append(_bytes(pixels, mime, profile))
        sizes.append([pixels.width, pixels.height, len(bodies[-1])])
    return {"mime": mime, "sizes": sizes}, b"".join(bodies)


def _bytes(pixels: Image.Image, mime: str, profile: bytes | None) -> bytes:
    out = io.BytesIO()
    if mime == "image/png":
        pixels.save(out, "PNG", icc_profile=profile)
    else:
        pixels.save(out, "JPEG", quality=_QUALITY, optimize=True, progressive=True, icc_profile=profile)
    return out.getvalue()


def _converted(image: Image.Image, mode: str) -> Image.Image:
    if image.mode == mode:
        image.load()
        return image
    return image.convert(mode)
