"""WordPress' pages for people: articles, archives, redirects to the right address, and "not found"."""

import re

from tests.servers.wordpress_archives import Archive, find_archive
from tests.servers.wordpress_desk import Desk
from tests.servers.wordpress_feeds import password_form, post_links
from tests.servers.wordpress_posts import Post, Status
from tests.servers.wordpress_records import shown_title
from tests.servers.wordpress_text import pages
from tests.servers.wordpress_themes import Page, article_main, document, listing_main
from tests.servers.wordpress_wire import HTML, UNCACHED, Answer, Asked, Headers

PER_PAGE = 10
MAINTENANCE = (
    b"<!doctype html><html lang=id><title>Pemeliharaan</title><h1>Sedang dalam pemeliharaan</h1>"
    b"<p>Silakan kembali beberapa saat lagi.</p></html>"
)


def answer_page(desk: Desk, asked: Asked) -> Answer:
    """The page at this address, or where it is now, or 404."""
    if asked.path == "/" and "p" in asked.query:
        return _short_link(desk, asked.query["p"])
    if not asked.path.endswith("/"):
        return _with_slash(desk, asked)
    base, number = _paged(asked.path)
    if archive := find_archive(desk, base, asked.query):
        return _archive(desk, archive, number)
    slug, _, page = asked.path.strip("/").partition("/")
    for post in desk.public():
        if post.slug == slug and (not page or page.isdigit()):
            return _article(desk, post, int(page or 1))
    return _renamed(desk, slug) or not_found(desk)


def not_found(desk: Desk) -> Answer:
    """The theme's page for it."""
    page = Page(title="Halaman tidak ditemukan", classes="error404", main="<h1>404</h1>")
    return _html(desk, page, status=404, headers=UNCACHED)


def _paged(path: str) -> tuple[str, int]:
    found = re.fullmatch(r"(.*/)page/(\d+)/", path)
    return (found[1], int(found[2])) if found else (path, 1)


def _short_link(desk: Desk, number: str) -> Answer:
    post = desk.posts.get(int(number)) if number.isdigit() else None
    if post is None or desk.status(post) is not Status.PUBLISH:
        return not_found(desk)
    return _moved(f"{desk.home}/{post.slug}/")


def _with_slash(desk: Desk, asked: Asked) -> Answer:
    known = any(post.slug == asked.path.strip("/") for post in desk.public())
    is_there = known or find_archive(desk, f"{asked.path}/", {}) is not None
    return _moved(f"{desk.home}{asked.path}/") if is_there else not_found(desk)


def _renamed(desk: Desk, slug: str) -> Answer | None:
    """To where a post is now that once was here."""
    for post in desk.public():
        if slug in post.old_slugs:
            return _moved(f"{desk.home}/{post.slug}/", headers=UNCACHED)
    return None


def _moved(to: str, *, headers: Headers = ()) -> Answer:
    return Answer(status=301, headers=(*headers, HTML, ("X-Redirect-By", "WordPress"), ("Location", to)))


def _article(desk: Desk, post: Post, number: int) -> Answer:
    parts = [password_form(desk, post)] if post.password else pages(post.content)
    link = f"{desk.home}/{post.slug}/"
    if not 1 <= number <= len(parts):
        return _moved(link)
    more = f" paged-{number} single-paged-{number}" if number > 1 else ""
    page = Page(
        title=shown_title(post) + (f" &#8211; Page {number}" if number > 1 else ""),
        classes=f"post-template-default single single-post postid-{post.id} single-format-standard{more}",
        canonical=f"{link}{number}/" if number > 1 else link,
        post=post,
        main=article_main(desk, post, parts[number - 1] + _page_links(link, number, len(parts))),
    )
    return _html(desk, page, headers=post_links(desk, post) if desk.options.rest != "missing_404" else ())


def _page_links(link: str, number: int, count: int) -> str:
    """wp_link_pages: the way to the other pages of a story."""
    addresses = {page: f"{link}{page}/" if page > 1 else link for page in range(1, count + 1) if page != number}
    links = "".join(f'<a href="{url}" class="post-page-numbers">{page}</a> ' for page, url in addresses.items())
    return f'<p class="page-links page-nav">Laman: {links}</p>\n' if links else ""


def _archive(desk: Desk, archive: Archive, number: int) -> Answer:
    posts = archive.piece(number, PER_PAGE)
    if number > 1 and not posts:
        return not_found(desk)
    if archive.path == "/" and number == 1:
        posts = _sticky_first(desk, posts)
    kind = "archive" if archive.title else "home blog"
    more = f" paged paged-{number}" if number > 1 else ""
    main = listing_main(desk, posts, archive.path, number, -(-len(archive.posts) // PER_PAGE))
    page = Page(title=archive.title or desk.options.tagline, classes=f"{kind}{more}", main=main)
    if not archive.record or desk.options.rest == "missing_404":
        return _html(desk, page)
    record = f'<{desk.home}/wp-json/wp/v2/{archive.record}>; rel="alternate"; type="application/json"'
    return _html(desk, page, headers=(("Link", record),))


def _sticky_first(desk: Desk, posts: list[Post]) -> list[Post]:
    sticky = [post for post in desk.public() if post.sticky]
    return sticky + [post for post in posts if not post.sticky]


def _html(desk: Desk, page: Page, *, status: int = 200, headers: Headers = ()) -> Answer:
    return Answer(status=status, body=document(desk, page).encode(), headers=(HTML, *desk.discovery(), *headers))
