"""Which posts an address of WordPress lists: the front page, a category, a tag, an author, a search."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.servers.wordpress_desk import Desk
from tests.servers.wordpress_posts import Post


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A list of posts, the newest dates first, as pages and feeds show it in pieces."""

    path: str
    posts: list[Post]
    title: str = ""  # of the front page none
    record: str = ""  # of REST: "categories/2"

    def piece(self, page: int, size: int) -> list[Post]:
        """The posts of a page; none beyond the last."""
        return self.posts[size * (page - 1) : size * page]


def find_archive(desk: Desk, path: str, query: Mapping[str, str]) -> Archive | None:
    """The archive at this path, or None. A category holds the posts of its children too."""
    if path == "/" and "s" in query:
        return _search(desk, query["s"])
    if path == "/":
        return Archive(path=path, posts=desk.public())
    return _of_term(desk, path) or _of_author(desk, path)


def _search(desk: Desk, words: str) -> Archive:
    found = [post for post in desk.public() if words.lower() in f"{post.title} {post.content}".lower()]
    return Archive(path="/", posts=found, title=f"Search Results for &#8220;{words}&#8221;")


def _of_term(desk: Desk, path: str) -> Archive | None:
    for term in desk.terms.values():
        if path == desk.archive(term):
            family = desk.family(term.id)
            posts = [post for post in desk.public() if family & {*post.categories, *post.tags}]
            kind = "categories" if term.taxonomy == "category" else "tags"
            return Archive(path=path, posts=posts, title=term.name, record=f"{kind}/{term.id}")
    return None


def _of_author(desk: Desk, path: str) -> Archive | None:
    for author in desk.authors.values():
        if path == f"/author/{author.slug}/":
            posts = [post for post in desk.public() if post.author == author.id]
            return Archive(path=path, posts=posts, title=author.name, record=f"users/{author.id}")
    return None
