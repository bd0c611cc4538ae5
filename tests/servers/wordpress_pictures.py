"""WordPress' uploads, as the web server in front of it gives them: files with validators that are compared rightly."""

from tests.servers.wordpress_desk import Desk
from tests.servers.wordpress_posts import Picture
from tests.servers.wordpress_records import SIZES, dimensions, sized
from tests.servers.wordpress_wire import Answer, Asked, http_date


def answer_picture(desk: Desk, asked: Asked) -> Answer | None:
    """The file at this path, in any of its sizes; None if there is none."""
    if not asked.path.startswith("/wp-content/uploads/"):
        return None
    return next((_file(asked, file) for picture in desk.pictures.values() for file in _files(picture, asked)), None)


def _files(picture: Picture, asked: Asked) -> list[Picture]:
    stem = picture.path.rpartition(".")[0]
    if not asked.path.startswith(stem):
        return []
    width, _ = dimensions(picture.data)
    files = [picture, *(sized(picture, side) for side in SIZES.values() if side < width)]
    return [file for file in files if file.path == asked.path]


def _file(asked: Asked, file: Picture) -> Answer:
    etag = f'"{int(file.changed.timestamp()):x}-{len(file.data):x}"'
    headers = (("Last-Modified", http_date(file.changed)), ("ETag", etag))
    held = asked.headers.get("if-none-match")
    known = [part.strip().removeprefix("W/") for part in held.split(",")] if held else []
    if etag in known or (held is None and asked.headers.get("if-modified-since") == headers[0][1]):
        return Answer(status=304, headers=headers)
    return Answer(body=file.data, headers=(("Content-Type", "image/jpeg"), *headers))
