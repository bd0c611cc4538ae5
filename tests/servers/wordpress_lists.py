"""The lists of WordPress' REST API: which things a query means, before any record is made of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.servers.wordpress_desk import Desk
from tests.servers.wordpress_posts import Author, Comment, Picture, Post, Term
from tests.servers.wordpress_records import (
    Record,
    author_record,
    comment_record,
    picture_record,
    post_record,
    term_record,
)
from tests.servers.wordpress_text import plain

_POST_ORDERS: dict[str, Callable[[Post], Any]] = {
    "date": lambda post: (post.date_gmt, post.id),
    "modified": lambda post: (post.modified_gmt, post.id),
    "id": lambda post: post.id,
    "slug": lambda post: post.slug,
    "title": lambda post: post.title,
}
ORDERS = (*_POST_ORDERS, "include", "name")


def _posts(desk: Desk, query: Mapping[str, str]) -> list[Post]:
    return _ordered([post for post in desk.public() if _fits(desk, post, query)], query)


def _fits(desk: Desk, post: Post, query: Mapping[str, str]) -> bool:
    """True if the post passes all filters; the dates are compared strictly, in whole seconds."""
    terms = {*post.categories, *post.tags}
    below = [desk.family(int(number)) for number in query.get("categories", "").split(",") if number]
    tags = {int(number) for number in query.get("tags", "").split(",") if number}
    return (
        _within(post.date_gmt, query.get("after"), query.get("before"), desk)
        and _within(post.modified_gmt, query.get("modified_after"), query.get("modified_before"), desk)
        and _is_among(post.id, query.get("include"))
        and _is_among(post.slug, query.get("slug"))
        and _is_among(post.author, query.get("author"))
        and ("exclude" not in query or not _is_among(post.id, query["exclude"]))
        and (not below or any(terms & family for family in below))
        and (not tags or bool(terms & tags))
        and query.get("search", "").lower() in f"{post.title} {plain(post.content)}".lower()
    )


def _is_among(value: int | str, wanted: str | None) -> bool:
    return wanted is None or str(value) in wanted.split(",")


def _within(moment: datetime, after: str | None, before: str | None, desk: Desk) -> bool:
    exact = moment.replace(microsecond=0)
    return (after is None or exact > _read(after, desk)) and (before is None or exact < _read(before, desk))


def _read(text: str, desk: Desk) -> datetime:
    """A date of a query; without a zone it is the site's own time."""
    found = datetime.fromisoformat(text.upper())
    return (found if found.tzinfo else found.replace(tzinfo=desk.zone)).replace(microsecond=0)


def _ordered(posts: list[Post], query: Mapping[str, str]) -> list[Post]:
    by = query.get("orderby", "date")
    if by == "include":
        places = query.get("include", "").split(",")
        return sorted(posts, key=lambda post: places.index(str(post.id)))
    return sorted(posts, key=_POST_ORDERS[by], reverse=query.get("order", "desc") == "desc")


def _terms(taxonomy: str) -> Callable[[Desk, Mapping[str, str]], list[Term]]:
    def terms(desk: Desk, query: Mapping[str, str]) -> list[Term]:
        post = desk.posts.get(int(query.get("post", 0)))
        found = desk.filed(post, taxonomy) if post else [t for t in desk.terms.values() if t.taxonomy == taxonomy]
        chosen = (
            term
            for term in found
            if _is_among(term.id, query.get("include"))
            and _is_among(term.slug, query.get("slug"))
            and _is_among(term.parent, query.get("parent"))
        )
        return sorted(chosen, key=lambda term: term.name)

    return terms


def _users(desk: Desk, query: Mapping[str, str]) -> list[Author]:
    """Only who has written something public."""
    writing = {post.author for post in desk.public()}
    found = (
        author
        for author in desk.authors.values()
        if author.id in writing
        and _is_among(author.id, query.get("include"))
        and _is_among(author.slug, query.get("slug"))
    )
    return sorted(found, key=lambda author: author.name.lower())


def _media(desk: Desk, query: Mapping[str, str]) -> list[Picture]:
    """None is attached to a post: they were uploaded in the library."""
    found = (
        picture
        for picture in desk.pictures.values()
        if _is_among(picture.id, query.get("include")) and _is_among(0, query.get("parent"))
    )
    return sorted(found, key=lambda picture: (picture.uploaded, picture.id), reverse=True)


def _comments(desk: Desk, query: Mapping[str, str]) -> list[tuple[Post, Comment]]:
    posts = [post for post in desk.public() if _is_among(post.id, query.get("post")) and not post.password]
    found = ((post, comment) for post in posts for comment in reversed(post.comments))
    return [(post, comment) for post, comment in found if _is_among(comment.id, query.get("include"))]


@dataclass(frozen=True)
class Part:
    """A part of the API. `strict`: a page beyond the last is refused; terms and users give an empty one."""

    choose: Callable[[Desk, Mapping[str, str]], list[Any]]
    record: Callable[[Desk, Any], Record]
    strict: bool = False


PARTS = {
    "posts": Part(_posts, post_record, strict=True),
    "media": Part(_media, picture_record, strict=True),
    "categories": Part(_terms("category"), term_record),
    "tags": Part(_terms("post_tag"), term_record),
    "users": Part(_users, author_record),
    "comments": Part(_comments, lambda desk, pair: comment_record(desk, *pair)),
}
