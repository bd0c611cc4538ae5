"""The mark-up of WordPress' pages: a tagDiv theme, classic or as a cloud template, and the plain default theme."""

import json
import re
from dataclasses import dataclass
from datetime import datetime

from tests.servers.wordpress_desk import Desk
from tests.servers.wordpress_posts import Post
from tests.servers.wordpress_records import dimensions, shown_title
from tests.servers.wordpress_text import SEALED, excerpt, plain
from tests.servers.wordpress_wire import offset

_DAYS = ("Senin", "Selasa", "Rabu", "Kamis", "Jumat", "Sabtu", "Minggu")
_MONTHS = (
    *("Januari", "Februari", "Maret", "April", "Mei", "Juni"),
    *("Juli", "Agustus", "September", "Oktober", "November", "Desember"),
)
_SPOT = '<span class="td-adspot-title">- Advertisement -</span><img src="/wp-content/iklan.jpg" alt="spot_img">'
_EVERY = 4  # paragraphs between two advertisements


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a theme makes a document of."""

    title: str
    classes: str
    main: str
    canonical: str = ""
    post: Post | None = None


def document(desk: Desk, page: Page) -> str:
    """The whole page, with the chrome of the theme."""
    name = desk.options.name
    title = f"{name} &#8211; {page.title}" if page.classes.startswith("home") else f"{page.title} &#8211; {name}"
    body = page.main if desk.options.theme == "default" else _tagdiv_chrome(desk, page)
    theme = {"default": "wp-embed-responsive", "tagdiv": "tagdiv-theme", "tagdiv_cloud": "tdb-template"}
    return (
        f'<!doctype html>\n<html lang="id-ID">\n<head><meta charset="UTF-8"><title>{title}</title>\n'
        f"{_head(desk, page)}</head>\n"
        f'<body class="{page.classes} {theme[desk.options.theme]}">\n{body}\n</body></html>\n'
    )


def _head(desk: Desk, page: Page) -> str:
    name, home, post = desk.options.name, desk.home, page.post
    feeds = {"Feed": "/feed/", "Umpan Komentar": "/comments/feed/"}
    if post:
        feeds[f"{plain(shown_title(post))} Umpan Komentar"] = f"/{post.slug}/feed/"
    lines = [
        f'<link rel="alternate" type="application/rss+xml" title="{name} &raquo; {title}" href="{home}{path}" />'
        for title, path in feeds.items()
    ]
    if desk.options.rest != "missing_404":
        lines.append(f'<link rel="https://api.w.org/" href="{home}/wp-json/" />')
    lines.append('<meta name="generator" content="WordPress 6.1.9" />')
    if post:
        lines += _of_post(desk, post, page.canonical)
    return "\n".join(lines) + "\n"


def _of_post(desk: Desk, post: Post, canonical: str) -> list[str]:
    record = f"{desk.home}/wp-json/wp/v2/posts/{post.id}"
    lines = [
        f'<link rel="canonical" href="{canonical}" />',
        f"<link rel='shortlink' href='{desk.home}/?p={post.id}' />",
    ]
    if desk.options.rest != "missing_404":
        lines.append(f'<link rel="alternate" type="application/json" href="{record}" />')
    return lines + ([*_open_graph(desk, post), _json_ld(desk, post)] if desk.options.seo_plugin else [])


def _open_graph(desk: Desk, post: Post) -> list[str]:
    said = {
        "og:type": "article",
        "og:locale": "id_ID",
        "og:title": _attribute(shown_title(post)),
        "og:description": _attribute(_teaser(post)),
        "og:url": f"{desk.home}/{post.slug}/",
        "og:site_name": desk.options.name,
        "article:published_time": post.date_gmt.isoformat(timespec="seconds"),
        "article:modified_time": post.modified_gmt.isoformat(timespec="seconds"),
    }
    if post.picture:
        said["og:image"] = f"{desk.home}{desk.pictures[post.picture].path}"
    return [f'<meta property="{name}" content="{value}" />' for name, value in said.items()]


def _attribute(html: str) -> str:
    return plain(html).replace('"', "&quot;")


def _json_ld(desk: Desk, post: Post) -> str:
    link = f"{desk.home}/{post.slug}/"
    said = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": plain(shown_title(post)),
        "url": link,
        "datePublished": offset(post.date_gmt, desk.zone),
        "dateModified": offset(post.modified_gmt, desk.zone),
        "author": [{"@type": "Person", "name": desk.authors[post.author].name}],
        "publisher": {"@type": "Organization", "name": desk.options.name},
        "inLanguage": "id",
        "mainEntityOfPage": link,
    }
    if post.picture:
        said["image"] = [f"{desk.home}{desk.pictures[post.picture].path}"]
    return f'<script type="application/ld+json">{json.dumps(said, ensure_ascii=False)}</script>'


# The article.


def article_main(desk: Desk, post: Post, body: str) -> str:
    """One page of a post as the theme shows it, `body` being that page's text."""
    write = {"tagdiv": _classic, "tagdiv_cloud": _cloud, "default": _default}[desk.options.theme]
    return write(desk, post, body)


def _classic(desk: Desk, post: Post, body: str) -> str:
    sections = _links(desk, post, "category", '<li class="entry-category"><a href="{0}">{1}</a></li>')
    tags = _links(desk, post, "post_tag", '<li><a href="{0}" rel="tag">{1}</a></li>')
    spot = f'<div class="td-a-rec td-a-rec-id-content_top">{_SPOT}</div>' if desk.options.advertisements else ""
    return f"""<article id="post-{post.id}" class="post-{post.id} post type-post status-publish hentry">
<div class="td-post-header"><ul class="td-category">{sections}</ul>
<header class="td-post-title"><h1 class="entry-title">{shown_title(post)}</h1><div class="td-module-meta-info">\
<div class="td-post-author-name"><div class="td-author-by">By</div> {_byline(desk, post)}</div>\
<span class="td-post-date">{_time(desk, post, "entry-date updated td-module-date")}</span></div></header></div>
<div class="td-post-content tagdiv-type">
<div class="td-post-featured-image">{_figure(desk, post, "wp-caption-text")}</div>{spot}
{_with_spots(desk, body, "td-a-rec td-a-rec-id-content_inline")}
</div>
<footer><div class="td-post-source-tags"><ul class="td-tags td-post-small-box">{tags}</ul></div></footer>
{_microdata(desk, post)}</article>
{_others(desk, post, "Berita Lainnya", "td_block_related_posts", "td_module_related_posts")}"""


def _cloud(desk: Desk, post: Post, body: str) -> str:
    """The id in the article's class is the template's, as tagDiv has it."""
    sections = _links(desk, post, "category", '<a class="tdb-entry-category" href="{0}">{1}</a>')
    tags = _links(desk, post, "post_tag", '<li><a href="{0}">{1}</a></li>')
    return f"""<article id="template-id-1024" class="post-1024 tdb_templates type-tdb_templates status-publish post">
<div class="td_block_wrap tdb_category">{sections}</div>
<div class="td_block_wrap tdb_title tdb-single-title"><h1 class="tdb-title-text">{shown_title(post)}</h1></div>
<div class="td_block_wrap tdb_single_author"><span class="tdb-author-name">{_byline(desk, post)}</span></div>
<div class="td_block_wrap tdb_single_date">{_time(desk, post, "entry-date updated td-module-date")}</div>
<div class="td_block_wrap tdb_single_featured_image"><div class="tdb-block-inner">\
{_figure(desk, post, "tdb-caption-text")}</div></div>
<div class="td_block_wrap tdb_single_content td-post-content tagdiv-type"><div class="tdb-block-inner">
{_with_spots(desk, body, "td-a-ad id_inline_ad")}
</div></div>
<div class="td_block_wrap tdb_single_tags"><ul class="tdb-tags"><li><span>Tags</span></li>{tags}</ul></div>
{_microdata(desk, post)}</article>
{_others(desk, post, "Berita Lainnya", "td_flex_block", "td_module_flex")}"""


def _default(desk: Desk, post: Post, body: str) -> str:
    sections = _links(desk, post, "category", '<a href="{0}" rel="category tag">{1}</a> ')
    tags = _links(desk, post, "post_tag", '<a href="{0}" rel="tag">{1}</a> ')
    return f"""<header class="site-header"><a href="{desk.home}/">{desk.options.name}</a></header>
<main id="main"><article id="post-{post.id}" class="post-{post.id} post type-post status-publish hentry">
<header class="entry-header"><h1 class="entry-title">{shown_title(post)}</h1>
{_figure(desk, post, "wp-element-caption")}</header>
<div class="entry-content">
{_with_spots(desk, body, "td-a-rec")}</div>
<footer class="entry-footer"><span class="posted-on">{_time(desk, post, "entry-date published")}</span>
<span class="byline">Oleh <span class="author vcard">{_byline(desk, post)}</span></span>
<span class="cat-links">{sections}</span><span class="tags-links">{tags}</span></footer>
{_microdata(desk, post)}</article></main>
{_others(desk, post, "Tulisan terkait", "navigation", "nav-links")}"""


def _links(desk: Desk, post: Post, taxonomy: str, form: str) -> str:
    terms = desk.filed(post, taxonomy)
    return "".join(form.format(f"{desk.home}{desk.archive(term)}", term.name) for term in terms)


def _byline(desk: Desk, post: Post) -> str:
    author = desk.authors[post.author]
    return f'<a href="{desk.home}/author/{author.slug}/">{author.name}</a>'


def _time(desk: Desk, post: Post, classes: str) -> str:
    day = _indonesian(post.date_gmt.astimezone(desk.zone))
    return f'<time class="{classes}" datetime="{offset(post.date_gmt, desk.zone)}">{day}</time>'


def _indonesian(day: datetime) -> str:
    return f"{_DAYS[day.weekday()]}, {_MONTHS[day.month - 1]} {day.day}, {day.year}"


def _figure(desk: Desk, post: Post, caption_class: str) -> str:
    if not post.picture or post.password:
        return ""
    picture = desk.pictures[post.picture]
    width, height = dimensions(picture.data)
    caption = f'<figcaption class="{caption_class}">{picture.caption}</figcaption>' if picture.caption else ""
    return (
        f'<figure><img width="{width}" height="{height}" src="{desk.home}{picture.path}" '
        f'class="entry-thumb wp-post-image" alt="{_attribute(picture.alt)}" />{caption}</figure>'
    )


def _with_spots(desk: Desk, body: str, classes: str) -> str:
    """Advertisements inside the text, as the theme puts them there."""
    if not desk.options.advertisements:
        return body
    paragraphs = re.split(r"(?<=</p>)", body)
    spots = (f'\n<div class="{classes}">{_SPOT}</div>\n' if n % _EVERY == 0 else "" for n in range(1, len(paragraphs)))
    return "".join(part for pair in zip(paragraphs, spots, strict=False) for part in pair) + paragraphs[-1]


def _microdata(desk: Desk, post: Post) -> str:
    if not desk.options.microdata:
        return ""
    return (
        '<span class="td-page-meta" itemprop="author" itemscope itemtype="https://schema.org/Person">'
        f'<meta itemprop="name" content="{_attribute(desk.authors[post.author].name)}"></span>'
        f'<meta itemprop="datePublished" content="{offset(post.date_gmt, desk.zone)}">'
        f'<meta itemprop="dateModified" content="{offset(post.modified_gmt, desk.zone)}">\n'
    )


# What stands around it.


def _tagdiv_chrome(desk: Desk, page: Page) -> str:
    today = f"{desk.now.astimezone(desk.zone):%A, %B %d, %Y}"
    spot = f'<div class="td-a-rec">{_SPOT}</div>' if desk.options.advertisements else ""
    date_class = "tdb-head-date-txt" if desk.options.theme == "tagdiv_cloud" else "td_data_time"
    return f"""<div id="td-outer-wrap" class="td-theme-wrap">
<div class="td-header-wrap">{spot}<div class="{date_class}">{today}</div></div>
<div class="td-main-content-wrap td-container-wrap"><div class="td-container">
{page.main}
<aside class="td-pb-span4 td-main-sidebar">{_others(desk, None, "Berita Terbaru", "td_block_wrap", "td_module_flex")}\
{spot}</aside>
</div></div></div>"""


def _others(desk: Desk, post: Post | None, title: str, block: str, module: str) -> str:
    newest = [other for other in desk.public() if post is None or other.id != post.id][:3]
    items = "".join(
        f'<div class="{module}"><h3 class="entry-title td-module-title">'
        f'<a href="{desk.home}/{other.slug}/">{shown_title(other)}</a></h3>'
        f"{_time(desk, other, 'entry-date updated td-module-date')}</div>"
        for other in newest
    )
    return f'<div class="{block}"><h4 class="td-block-title">{title}</h4>{items}</div>'


def listing_main(desk: Desk, posts: list[Post], path: str, number: int, pages: int) -> str:
    """Teasers with their dates, and the way to the other pages."""
    teasers = "\n".join(_listed(desk, post) for post in posts)
    addresses = {page: f"{path}page/{page}/" if page > 1 else path for page in range(1, pages + 1)}
    links = "".join(
        f'<a class="page-numbers" href="{desk.home}{address}">{page}</a>' if page != number else f"<span>{page}</span>"
        for page, address in addresses.items()
    )
    return f'<div class="td-ss-main-content">{teasers}\n<div class="page-nav">{links}</div></div>'


def _listed(desk: Desk, post: Post) -> str:
    return (
        '<div class="td_module_10 td_module_wrap"><h3 class="entry-title td-module-title">'
        f'<a href="{desk.home}/{post.slug}/" rel="bookmark">{shown_title(post)}</a></h3>'
        f"{_time(desk, post, 'entry-date updated td-module-date')}"
        f'<div class="td-excerpt">{_teaser(post)}</div></div>'
    )


def _teaser(post: Post) -> str:
    return SEALED if post.password else excerpt(post.content, post.excerpt)
