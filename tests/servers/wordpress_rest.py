"""WordPress' REST API as strangers get it: lists with their paging and errors, single records, `_fields`, `_embed`."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from tests.servers.wordpress_desk import Desk
from tests.servers.wordpress_lists import ORDERS, PARTS
from tests.servers.wordpress_posts import Post, Status
from tests.servers.wordpress_records import API, Record, post_record
from tests.servers.wordpress_wire import Answer, Asked, Headers, as_json

_HEADERS: Headers = (
    ("Content-Type", "application/json; charset=UTF-8"),
    ("X-Robots-Tag", "noindex"),
    ("X-Content-Type-Options", "nosniff"),
    ("Access-Control-Expose-Headers", "X-WP-Total, X-WP-TotalPages, Link"),
    ("Access-Control-Allow-Headers", "Authorization, X-WP-Nonce, Content-Disposition, Content-MD5, Content-Type"),
    ("Vary", "Origin"),
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d(?::\d\d)?)?")  # rest_parse_date
_IN_CONTEXT_EMBED = {  # what is left of a record when it is embedded
    "author": ("id", "name", "url", "description", "link", "slug", "avatar_urls", "_links"),
    "wp:term": ("id", "link", "name", "slug", "taxonomy", "_links"),
    "wp:featuredmedia": (
        *("id", "date", "slug", "type", "link", "title", "author", "caption", "alt_text", "media_type", "mime_type"),
        *("media_details", "source_url", "_links"),
    ),
}


class Refused(Exception):
    """An error as WordPress words it."""

    def __init__(self, status: int, code: str, message: str, **data: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "message": message, "data": {"status": status, **data}}


def answer_rest(desk: Desk, asked: Asked, route: str) -> Answer:
    """`route` is the path below `/wp-json`, or what `?rest_route=` says."""
    try:
        if desk.options.rest == "closed_401":
            raise Refused(401, "rest_not_logged_in", "You are not currently logged in.")
        return _answer(desk, asked, route)
    except Refused as refused:
        allow = () if refused.status in (401, 404) else (("Allow", "GET"),)
        return _json(desk, refused.body, status=refused.status, headers=allow)


def _answer(desk: Desk, asked: Asked, route: str) -> Answer:
    name, _, number = route.strip("/").removeprefix("wp/v2/").partition("/")
    if asked.method not in ("GET", "HEAD"):
        raise Refused(401, "rest_cannot_create", "Sorry, you are not allowed to create posts as this user.")
    if route.strip("/") == "":
        return _json(desk, _root(desk), headers=(("Allow", "GET"),))
    if name not in PARTS or not route.startswith("/wp/v2/") or (number and not number.isdigit()):
        raise Refused(404, "rest_no_route", "No route was found matching the URL and request method.")
    _refuse_users(desk, name)
    if number:
        return _one(desk, asked, name, int(number))
    return _list(desk, asked, name)


def _refuse_users(desk: Desk, name: str) -> None:
    if name == "users" and desk.options.users_closed:
        raise Refused(401, "rest_user_cannot_view", "Sorry, you are not allowed to list users.")


def _root(desk: Desk) -> Record:
    offset = desk.now.astimezone(desk.zone).utcoffset()
    return {
        "name": desk.options.name,
        "description": desk.options.tagline,
        "url": desk.home,
        "home": desk.home,
        "gmt_offset": int(offset.total_seconds() // 3600) if offset else 0,
        "timezone_string": desk.options.zone,
        "namespaces": ["oembed/1.0", "wp/v2"],
        "authentication": {},
        "routes": {f"/wp/v2/{part}": {"namespace": "wp/v2", "methods": ["GET"]} for part in PARTS},
        "site_logo": 0,
        "site_icon": 0,
        "site_icon_url": "",
        "_links": {"help": [{"href": "https://developer.wordpress.org/rest-api/"}]},
    }


def _one(desk: Desk, asked: Asked, name: str, number: int) -> Answer:
    if name == "posts":
        record = post_record(desk, _readable(desk, number))
        link: Headers = (("Link", f'<{record["link"]}>; rel="alternate"; type=text/html'),)
    else:
        record, link = _single(desk, name, number), ()
    return _json(desk, _shaped(desk, record, asked.query), headers=(*link, ("Allow", "GET")))


def _single(desk: Desk, name: str, number: int) -> Record:
    """Raises `Refused` if it isn't there."""
    part = PARTS[name]
    for thing in part.choose(desk, {"include": str(number)}):
        return part.record(desk, thing)
    code = {"categories": "rest_term_invalid", "tags": "rest_term_invalid", "users": "rest_user_invalid_id"}
    raise Refused(404, code.get(name, "rest_post_invalid_id"), "ID tulisan tidak sah.")


def _readable(desk: Desk, number: int) -> Post:
    """Raises `Refused`: 404 for what isn't there, 401 for what isn't public."""
    post = desk.posts.get(number)
    if post is None:
        raise Refused(404, "rest_post_invalid_id", "ID tulisan tidak sah.")
    if desk.status(post) is not Status.PUBLISH:
        raise Refused(401, "rest_forbidden", "Sorry, you are not allowed to do that.")
    return post


def _list(desk: Desk, asked: Asked, name: str) -> Answer:
    _check(asked.query)
    part, size = PARTS[name], int(asked.query.get("per_page", 10))
    page, found = int(asked.query.get("page", 1)), part.choose(desk, asked.query)
    pages = -(-len(found) // size)
    if part.strict and found and page > pages:
        message = "The page number requested is larger than the number of pages available."
        raise Refused(400, "rest_post_invalid_page_number", message)
    records = [part.record(desk, thing) for thing in found[size * (page - 1) : size * page]]
    counted = (("X-WP-Total", str(len(found))), ("X-WP-TotalPages", str(pages)))
    link = _beside(desk, asked, name, pages)
    shaped = [_shaped(desk, record, asked.query) for record in records]
    return _json(desk, shaped, headers=(*counted, *((("Link", link),) if link else ()), ("Allow", "GET")))


def _beside(desk: Desk, asked: Asked, name: str, pages: int) -> str:
    """The addresses of the pages before and after, as one header."""
    page = int(asked.query.get("page", 1))
    beside = {"prev": page - 1 if page > 1 else 0, "next": page + 1 if page < pages else 0}
    base = {key: value for key, value in asked.query.items() if key != "rest_route"}
    return ", ".join(
        f'<{desk.home}{API}/{name}?{urlencode(base | {"page": str(number)})}>; rel="{rel}"'
        for rel, number in beside.items()
        if number
    )


def _check(query: Mapping[str, str]) -> None:
    """Raises `Refused` with all parameters that are wrong."""
    wrong: dict[str, tuple[str, str]] = {}
    if "per_page" in query and not (query["per_page"].isdigit() and 1 <= int(query["per_page"]) <= 100):
        wrong["per_page"] = "rest_out_of_bounds", "per_page must be between 1 (inclusive) and 100 (inclusive)"
    if "page" in query and not (query["page"].isdigit() and int(query["page"]) >= 1):
        wrong["page"] = "rest_out_of_bounds", "page must be greater than or equal to 1"
    for name in ("after", "before", "modified_after", "modified_before"):
        if name in query and not _DATE.fullmatch(query[name]):
            wrong[name] = "rest_invalid_date", "Invalid date."
    if query.get("orderby", "date") not in ORDERS:
        wrong["orderby"] = "rest_not_in_enum", f"orderby is not one of {', '.join(ORDERS)}."
    if query.get("order", "asc") not in ("asc", "desc"):
        wrong["order"] = "rest_not_in_enum", "order is not one of asc and desc."
    if query.get("status", "publish") != "publish":
        wrong["status"] = "rest_forbidden_status", "Status is forbidden."
    if wrong:
        raise _wrong_parameters(wrong)


def _wrong_parameters(wrong: Mapping[str, tuple[str, str]]) -> Refused:
    details = {name: {"code": code, "message": text, "data": None} for name, (code, text) in wrong.items()}
    params = {name: text for name, (_, text) in wrong.items()}
    message = f"Invalid parameter(s): {', '.join(wrong)}"
    return Refused(400, "rest_invalid_param", message, params=params, details=details)


# The shape of a record.


def _shaped(desk: Desk, record: Record, query: Mapping[str, str]) -> Record:
    """`_fields` first, then `_embed`, which needs what `_fields` may have taken away."""
    fields = [name.strip() for name in query["_fields"].split(",")] if query.get("_fields") else []
    kept = _only(record, fields) if fields else record
    if "_embed" not in query or "_links" not in kept or (fields and "_embedded" not in fields):
        return kept
    embedded = _embedded(desk, kept["_links"], query["_embed"])
    return kept | ({"_embedded": embedded} if embedded else {})


def _only(record: Record, fields: Sequence[str]) -> Record:
    kept: Record = {}
    for name in record:
        below = [field.removeprefix(f"{name}.") for field in fields if field.startswith(f"{name}.")]
        if name in fields:
            kept[name] = record[name]
        elif below and isinstance(record[name], dict):
            kept[name] = _only(record[name], below)
    return kept


def _embedded(desk: Desk, links: Record, wanted: str) -> Record:
    everything = wanted in ("", "1", "true")
    found: Record = {}
    for rel, targets in links.items():
        if everything or rel in wanted.split(","):
            parts = [_follow(desk, rel, target["href"]) for target in targets if target.get("embeddable")]
            if any(parts):
                found[rel] = parts
    return found


def _follow(desk: Desk, rel: str, href: str) -> Record | list[Record]:
    """The record that a link leads to, or the list; what is closed or gone comes as the error it is."""
    path, _, rest = href.removeprefix(f"{desk.home}{API}/").partition("?")
    name, _, number = path.partition("/")
    if not number:
        key, _, value = rest.partition("=")
        found = PARTS[name].choose(desk, {key: value})
        return [_in_embed(rel, PARTS[name].record(desk, thing)) for thing in found]
    try:
        _refuse_users(desk, name)
        return _in_embed(rel, _single(desk, name, int(number)))
    except Refused as refused:
        return refused.body


def _in_embed(rel: str, record: Record) -> Record:
    kept = _IN_CONTEXT_EMBED.get(rel)
    return {key: value for key, value in record.items() if kept is None or key in kept}


def _json(desk: Desk, value: object, *, status: int = 200, headers: Headers = ()) -> Answer:
    """A Link of the answer's own takes the place of the one that every answer has."""
    has_link = any(name == "Link" for name, _ in headers)
    discovery = () if has_link else desk.discovery()
    return Answer(status=status, body=as_json(value), headers=(*_HEADERS, *discovery, *headers))
