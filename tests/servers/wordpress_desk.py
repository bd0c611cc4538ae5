"""The editors' side of the tests' WordPress: what it holds, and what people do to it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from itertools import count
from typing import Literal
from zoneinfo import ZoneInfo

from tests.servers.wordpress_posts import START, Author, Comment, Options, Picture, Post, Status, Term
from tests.servers.wordpress_text import slugified
from tests.servers.wordpress_wire import Headers


@dataclass(kw_only=True)
class Desk:
    """Holds everything. All verbs name a post by its slug and happen at `now`, which only tests move."""

    options: Options = field(default_factory=Options)
    now: datetime = START
    home: str = ""  # known when the server listens
    posts: dict[int, Post] = field(default_factory=dict)
    pictures: dict[int, Picture] = field(default_factory=dict)
    authors: dict[int, Author] = field(default_factory=dict)
    terms: dict[int, Term] = field(default_factory=dict)
    _numbers: "count[int]" = field(default_factory=lambda: count(101))

    def __post_init__(self) -> None:
        """A new WordPress has one category."""
        self.terms[1] = Term(id=1, slug="uncategorized", name="Uncategorized", taxonomy="category")

    @property
    def zone(self) -> tzinfo:
        """The site's own."""
        return ZoneInfo(self.options.zone)

    # What is there.

    def status(self, post: Post) -> Status:
        """As it is now: a scheduled post comes out when its date comes."""
        due = post.status is Status.FUTURE and post.date_gmt <= self.now
        return Status.PUBLISH if due else post.status

    def discovery(self) -> Headers:
        """The header that leads to the REST API, which most answers have unless the API is switched off."""
        api = ("Link", f'<{self.home}/wp-json/>; rel="https://api.w.org/"')
        return () if self.options.rest == "missing_404" else (api,)

    def public(self) -> list[Post]:
        """What everybody may see, the newest dates first; also what is protected by a password."""
        shown = (post for post in self.posts.values() if self.status(post) is Status.PUBLISH)
        return sorted(shown, key=lambda post: (post.date_gmt, post.id), reverse=True)

    def changed(self) -> datetime:
        """Of the whole site, as feeds say it; goes back when the newest post is trashed."""
        return max((max(post.date_gmt, post.modified_gmt) for post in self.public()), default=START)

    def post(self, slug: str) -> Post:
        """By its present slug, of any status. Raises KeyError."""
        for post in self.posts.values():
            if post.slug == slug:
                return post
        raise KeyError(slug)

    def link(self, slug: str) -> str:
        """The permalink."""
        return f"{self.home}/{self.post(slug).slug}/"

    def family(self, term_id: int) -> set[int]:
        """A category and all below it."""
        below = {term.id for term in self.terms.values() if term.parent == term_id}
        return {term_id}.union(*(self.family(child) for child in below))

    def archive(self, term: Term) -> str:
        """The path of its page: a category's leads through those above it."""
        if term.taxonomy == "post_tag":
            return f"/tag/{term.slug}/"
        return f"{self.archive(self.terms[term.parent]) if term.parent else '/category/'}{term.slug}/"

    def filed(self, post: Post, taxonomy: str) -> list[Term]:
        """The post's categories or tags, by name."""
        found = (self.terms[number] for number in (*post.categories, *post.tags))
        return sorted((term for term in found if term.taxonomy == taxonomy), key=lambda term: term.name)

    def named(self, name: str, taxonomy: str) -> Term:
        """A category or tag by its name. Raises KeyError."""
        for term in self.terms.values():
            if term.name == name and term.taxonomy == taxonomy:
                return term
        raise KeyError(name)

    # What editors do.

    def publish(
        self,
        slug: str,
        title: str,
        content: str,
        *,
        author: str = "Redaksi",
        categories: Sequence[str] = (),
        tags: Sequence[str] = (),
        picture: Picture | None = None,
        excerpt: str = "",
        status: Status = Status.PUBLISH,
        date_gmt: datetime | None = None,
        by_rest: bool = False,
        post_id: int | None = None,
    ) -> Post:
        """A new post: HTML, or a text whose blank lines part paragraphs. A date to come schedules it; a category is
        a path ("Malang Raya/Kota Malang"); a slug that is taken gets "-2". Made by REST, its guid is the permalink.
        """
        number = post_id or next(self._numbers)
        date = date_gmt or self.now
        free = self._free(slug)
        post = Post(
            id=number,
            slug=free,
            title=title,
            content=content,
            excerpt=excerpt,
            author=self._author(author).id,
            categories=tuple(self._category(path).id for path in categories) or (1,),
            tags=tuple(self._term(name, "post_tag").id for name in tags),
            picture=self._upload(picture),
            date_gmt=date,
            modified_gmt=self.now,
            status=Status.FUTURE if status is Status.PUBLISH and date > self.now else status,
            guid=f"/{free}/" if by_rest else f"/?p={number}",
        )
        self.posts[number] = post
        return post

    def edit(
        self,
        slug: str,
        *,
        title: str | None = None,
        content: str | None = None,
        excerpt: str | None = None,
        author: str | None = None,
        categories: Sequence[str] | None = None,
        tags: Sequence[str] | None = None,
        picture: Picture | None = None,
    ) -> Post:
        """Saves the post with what is given; with nothing given, too, it is modified now."""
        old = self.post(slug)
        return self._save(
            replace(
                old,
                title=old.title if title is None else title,
                content=old.content if content is None else content,
                excerpt=old.excerpt if excerpt is None else excerpt,
                author=old.author if author is None else self._author(author).id,
                categories=old.categories if categories is None else tuple(self._category(p).id for p in categories),
                tags=old.tags if tags is None else tuple(self._term(name, "post_tag").id for name in tags),
                picture=old.picture if picture is None else self._upload(picture),
            )
        )

    def edit_caption(self, slug: str, caption: str) -> None:
        """In the media library: the post isn't modified by it."""
        picture = self.pictures[self.post(slug).picture]
        self.pictures[picture.id] = replace(picture, caption=caption)

    def replace_picture(self, slug: str, data: bytes) -> None:
        """Another picture under the same URL; the post isn't modified by it."""
        picture = self.pictures[self.post(slug).picture]
        self.pictures[picture.id] = replace(picture, data=data, changed=self.now)

    def rename_author(self, name: str, new: str) -> None:
        """No post is modified by it; the slug stays."""
        author = self._author(name)
        self.authors[author.id] = replace(author, name=new)

    def rename_category(self, name: str, new: str) -> None:
        """No post is modified by it; the slug stays."""
        term = self.named(name, "category")
        self.terms[term.id] = replace(term, name=new)

    def back_date(self, slug: str, by: timedelta) -> Post:
        """The post says that it is older than it is; it is modified now."""
        post = self.post(slug)
        return self._save(replace(post, date_gmt=post.date_gmt - by))

    def rename_slug(self, slug: str, new: str) -> Post:
        """The old address leads to the new one from now on."""
        post = self.post(slug)
        return self._save(replace(post, slug=self._free(new), old_slugs=(*post.old_slugs, slug)))

    def protect(self, slug: str) -> Post:
        """Only with a password from now on."""
        return self._save(replace(self.post(slug), password="rahasia"))

    def privatise(self, slug: str) -> Post:
        """Only for the editors from now on."""
        return self._save(replace(self.post(slug), status=Status.PRIVATE))

    def trash(self, slug: str) -> Post:
        """Into the bin."""
        return self._save(replace(self.post(slug), status=Status.TRASH))

    def restore(self, slug: str) -> Post:
        """Public, whatever it was before; its date stays."""
        return self._save(replace(self.post(slug), status=Status.PUBLISH, password=""))

    def delete(self, slug: str) -> None:
        """For good."""
        del self.posts[self.post(slug).id]

    def lose_many(self, number: int) -> list[str]:
        """An accident: so many public posts are gone at once, the newest first. Gives their slugs."""
        lost = self.public()[:number]
        for post in lost:
            del self.posts[post.id]
        return [post.slug for post in lost]

    def comment(self, slug: str, author: str, text: str) -> None:
        """A reader's; the post isn't modified by it."""
        post = self.post(slug)
        said = Comment(id=next(self._numbers), author=author, text=text, at=self.now)
        self.posts[post.id] = replace(post, comments=(*post.comments, said))

    def _save(self, post: Post) -> Post:
        saved = replace(post, modified_gmt=self.now, revisions=(*post.revisions, next(self._numbers)))
        self.posts[post.id] = saved
        return saved

    def _free(self, slug: str) -> str:
        taken = {post.slug for post in self.posts.values()}
        tries = (f"{slug}-{number}" if number > 1 else slug for number in count(1))
        return next(name for name in tries if name not in taken)

    def _upload(self, picture: Picture | None) -> int:
        if picture is None:
            return 0
        number = picture.id or next(self._numbers)
        self.pictures[number] = replace(picture, id=number, uploaded=self.now, changed=self.now)
        return number

    def _author(self, name: str) -> Author:
        found = [author for author in self.authors.values() if author.name == name]
        if not found:
            found = [Author(id=next(self._numbers), slug=slugified(name), name=name)]
            self.authors[found[0].id] = found[0]
        return found[0]

    def _category(self, path: str) -> Term:
        parent = 0
        for name in path.split("/"):
            term = self._term(name, "category", parent)
            parent = term.id
        return term

    def _term(self, name: str, taxonomy: Literal["category", "post_tag"], parent: int = 0) -> Term:
        try:
            return self.named(name, taxonomy)
        except KeyError:
            term = Term(id=next(self._numbers), slug=slugified(name), name=name, taxonomy=taxonomy, parent=parent)
            self.terms[term.id] = term
            return term
