"""WordPress' sitemaps (its own, Yoast's, the one for news) and its robots.txt."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from html import escape

from tests.servers.wordpress_desk import Desk
from tests.servers.wordpress_posts import Post
from tests.servers.wordpress_text import texturised
from tests.servers.wordpress_wire import Answer, Asked, offset

NEWS_AGE = timedelta(hours=48)
_XML = ("Content-type", "application/xml; charset=UTF-8")
_NAMESPACES = (
    'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" '
    'xmlns:news="http://www.google.com/schemas/sitemap-news/0.9" '
    'xmlns:image="http://www.google.com/schemas/sitemap-image/1.1"'
)
_CORE, _YOAST, _NEWS = "/wp-sitemap.xml", "/sitemap_index.xml", "/news-sitemap.xml"


def answer_sitemap(desk: Desk, asked: Asked) -> Answer | None:
    """The sitemap or robots.txt at this path; None if the site has none there."""
    if asked.path == "/robots.txt":
        return _robots(desk)
    if asked.path == _NEWS and desk.options.news_sitemap:
        return _urlset(_news(desk, post) for post in _fresh(desk))
    if desk.options.sitemap == "core":
        return _core(desk, asked.path)
    if desk.options.sitemap == "yoast":
        return _yoast(desk, asked.path)
    return None


def _robots(desk: Desk) -> Answer:
    shown = [{"core": _CORE, "yoast": _YOAST}.get(desk.options.sitemap), _NEWS if desk.options.news_sitemap else None]
    maps = "".join(f"Sitemap: {desk.home}{path}\n" for path in shown if path)
    body = f"User-agent: *\nDisallow: /wp-admin/\nAllow: /wp-admin/admin-ajax.php\n\n{maps}"
    return Answer(body=body.encode(), headers=(*desk.discovery(), ("Content-Type", "text/plain; charset=utf-8")))


def _core(desk: Desk, path: str) -> Answer | None:
    """WordPress' own: in the order of ids, also what is protected; `lastmod` only since 6.5, in local time."""
    posts = sorted(desk.public(), key=lambda post: post.id)
    if path == _CORE:
        numbers = range(1, len(_chunks(desk, posts)) + 1)
        names = [f"wp-sitemap-posts-post-{number}.xml" for number in numbers]
        return _index(_entry("sitemap", f"{desk.home}/{name}") for name in (*names, *_ARCHIVES))
    if (name := path.strip("/")) in _ARCHIVES:
        return _urlset(_entry("url", f"{desk.home}{archive}") for archive in _archives(desk, name))
    chunk = _chunk(desk, posts, r"/wp-sitemap-posts-post-(\d+)\.xml", path)
    return _urlset(_dated(desk, post, shown=desk.options.sitemap_lastmod) for post in chunk) if chunk else None


_ARCHIVES = ("wp-sitemap-taxonomies-category-1.xml", "wp-sitemap-taxonomies-post_tag-1.xml", "wp-sitemap-users-1.xml")


def _archives(desk: Desk, name: str) -> list[str]:
    if "users" in name:
        return [f"/author/{author.slug}/" for author in desk.authors.values()]
    return [desk.archive(term) for term in desk.terms.values() if term.taxonomy in name]


def _yoast(desk: Desk, path: str) -> Answer | None:
    """Yoast's: what was modified last stands last, with its picture; nothing that is protected."""
    posts = sorted((p for p in desk.public() if not p.password), key=lambda post: (post.modified_gmt, post.id))
    if path == _YOAST:
        parts = enumerate(_chunks(desk, posts), 1)
        return _index(
            _entry(
                "sitemap",
                f"{desk.home}/post-sitemap{number if number > 1 else ''}.xml",
                _lastmod(desk, chunk[-1].modified_gmt),
            )
            for number, chunk in parts
        )
    chunk = _chunk(desk, posts, r"/post-sitemap(\d*)\.xml", path)
    return _urlset(_dated(desk, post, shown=True, picture=True) for post in chunk) if chunk else None


def _chunks(desk: Desk, posts: list[Post]) -> list[list[Post]]:
    size = desk.options.sitemap_size
    return [posts[start : start + size] for start in range(0, len(posts), size)]


def _chunk(desk: Desk, posts: list[Post], pattern: str, path: str) -> list[Post]:
    found, chunks = re.fullmatch(pattern, path), _chunks(desk, posts)
    number = int(found[1] or 1) if found else 0
    return chunks[number - 1] if 1 <= number <= len(chunks) else []


def _fresh(desk: Desk) -> list[Post]:
    return [post for post in desk.public() if post.date_gmt > desk.now - NEWS_AGE and not post.password]


def _news(desk: Desk, post: Post) -> str:
    news = (
        f"<news:news><news:publication><news:name>{escape(desk.options.name)}</news:name>"
        "<news:language>id</news:language></news:publication>"
        f"<news:publication_date>{offset(post.date_gmt, desk.zone)}</news:publication_date>"
        f"<news:title><![CDATA[{texturised(post.title)}]]></news:title></news:news>"
    )
    return _entry("url", f"{desk.home}/{post.slug}/", news + _image(desk, post))


def _dated(desk: Desk, post: Post, *, shown: bool, picture: bool = False) -> str:
    lastmod = _lastmod(desk, post.modified_gmt) if shown else ""
    return _entry("url", f"{desk.home}/{post.slug}/", lastmod + (_image(desk, post) if picture else ""))


def _image(desk: Desk, post: Post) -> str:
    if not post.picture:
        return ""
    return f"<image:image><image:loc>{desk.home}{desk.pictures[post.picture].path}</image:loc></image:image>"


def _lastmod(desk: Desk, moment: datetime) -> str:
    return f"<lastmod>{offset(moment, desk.zone)}</lastmod>"


def _entry(element: str, url: str, more: str = "") -> str:
    return f"<{element}><loc>{escape(url)}</loc>{more}</{element}>"


def _index(entries: Iterable[str]) -> Answer:
    return _xml(f"<sitemapindex {_NAMESPACES}>{''.join(entries)}</sitemapindex>")


def _urlset(entries: Iterable[str]) -> Answer:
    return _xml(f"<urlset {_NAMESPACES}>{''.join(entries)}</urlset>")


def _xml(document: str) -> Answer:
    return Answer(body=f'<?xml version="1.0" encoding="UTF-8"?>\n{document}\n'.encode(), headers=(_XML,))
