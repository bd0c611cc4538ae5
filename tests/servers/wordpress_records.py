"""The JSON of WordPress' REST API: one function a kind of record, keys in WordPress' order."""

import hashlib
from dataclasses import replace
from functools import cache
from io import BytesIO
from typing import Any

from PIL import Image

from tests.servers.wordpress_desk import Desk
from tests.servers.wordpress_posts import Author, Comment, Picture, Post, Term
from tests.servers.wordpress_text import SEALED, excerpt, rendered, slugified, texturised
from tests.servers.wordpress_wire import bare, offset

Record = dict[str, Any]
API = "/wp-json/wp/v2"
SIZES = {"medium": 300, "large": 1024, "thumbnail": 150, "medium_large": 768}  # pixels of the longer side
_CURIES = [{"name": "wp", "href": "https://api.w.org/{rel}", "templated": True}]
_PARTS = {"category": "categories", "post_tag": "tags"}
_ROBOTS = {
    "index": "index",
    "follow": "follow",
    "max-snippet": "max-snippet:-1",
    "max-image-preview": "max-image-preview:large",
    "max-video-preview": "max-video-preview:-1",
}
_NO_EXIF = {
    "aperture": "0",
    "credit": "",
    "camera": "",
    "caption": "",
    "created_timestamp": "0",
    "copyright": "",
    "focal_length": "0",
    "iso": "0",
    "shutter_speed": "0",
    "title": "",
    "orientation": "0",
}


def post_record(desk: Desk, post: Post) -> Record:
    """A post in `context=view`."""
    sealed = bool(post.password)
    record: Record = {
        "id": post.id,
        "date": bare(post.date_gmt, desk.zone),
        "date_gmt": bare(post.date_gmt),
        "guid": {"rendered": guid(desk, post)},
        "modified": bare(post.modified_gmt, desk.zone),
        "modified_gmt": bare(post.modified_gmt),
        "slug": post.slug,
        "status": str(desk.status(post)),
        "type": "post",
        "link": f"{desk.home}/{post.slug}/",
        "title": {"rendered": texturised(post.title)},
        "content": {"rendered": "" if sealed else rendered(post.content), "protected": sealed},
        "excerpt": {"rendered": "" if sealed else _excerpt(post), "protected": sealed},
        "author": post.author,
        "featured_media": post.picture,
        "comment_status": "open",
        "ping_status": "closed",
        "sticky": post.sticky,
        "template": "",
        "format": "standard",
        "meta": [],
        "categories": [term.id for term in desk.filed(post, "category")],
        "tags": [term.id for term in desk.filed(post, "post_tag")],
    }
    if desk.options.seo_plugin:
        record["yoast_head_json"] = _seo(desk, post)
    return record | {"_links": _post_links(desk, post)}


def guid(desk: Desk, post: Post) -> str:
    """As it was made, for ever."""
    return f"{desk.home}{post.guid}" if post.guid.startswith("/") else post.guid


def shown_title(post: Post) -> str:
    """As pages and feeds have it; REST gives it without the prefix."""
    return f"Diproteksi: {texturised(post.title)}" if post.password else texturised(post.title)


def _excerpt(post: Post) -> str:
    return f"<p>{excerpt(post.content, post.excerpt)}</p>\n"


def _seo(desk: Desk, post: Post) -> Record:
    link, title = f"{desk.home}/{post.slug}/", shown_title(post)
    record: Record = {
        "title": f"{title} - {desk.options.name}",
        "description": SEALED if post.password else excerpt(post.content, post.excerpt),
        "robots": _ROBOTS,
        "canonical": link,
        "og_locale": "id_ID",
        "og_type": "article",
        "og_title": title,
        "og_url": link,
        "og_site_name": desk.options.name,
        "article_published_time": offset(post.date_gmt, post.date_gmt.tzinfo or desk.zone),
        "article_modified_time": offset(post.modified_gmt, post.modified_gmt.tzinfo or desk.zone),
    }
    if post.picture:
        url = f"{desk.home}{desk.pictures[post.picture].path}"
        record["og_image"] = [{"url": url, "type": "image/jpeg"}]
    return record | {"author": desk.authors[post.author].name, "twitter_card": "summary_large_image"}


def _post_links(desk: Desk, post: Post) -> Record:
    api = f"{desk.home}{API}"
    links = _own_links(desk, "posts", post.id, about="types/post")
    links["author"] = [{"embeddable": True, "href": f"{api}/users/{post.author}"}]
    links["replies"] = [{"embeddable": True, "href": f"{api}/comments?post={post.id}"}]
    history = f"{api}/posts/{post.id}/revisions"
    links["version-history"] = [{"count": len(post.revisions), "href": history}]
    if post.revisions:
        last = post.revisions[-1]
        links["predecessor-version"] = [{"id": last, "href": f"{history}/{last}"}]
    if post.picture:
        links["wp:featuredmedia"] = [{"embeddable": True, "href": f"{api}/media/{post.picture}"}]
    links["wp:attachment"] = [{"href": f"{api}/media?parent={post.id}"}]
    links["wp:term"] = [
        {"taxonomy": taxonomy, "embeddable": True, "href": f"{api}/{part}?post={post.id}"}
        for taxonomy, part in _PARTS.items()
    ]
    return links | {"curies": _CURIES}


def _own_links(desk: Desk, part: str, number: int, *, about: str = "") -> Record:
    api = f"{desk.home}{API}"
    links: Record = {"self": [{"href": f"{api}/{part}/{number}"}], "collection": [{"href": f"{api}/{part}"}]}
    return links | ({"about": [{"href": f"{api}/{about}"}]} if about else {})


def term_record(desk: Desk, term: Term) -> Record:
    """A category or tag; the count is of its own posts, without those of its children."""
    part = _PARTS[term.taxonomy]
    links = _own_links(desk, part, term.id, about=f"taxonomies/{term.taxonomy}")
    if term.parent:
        links["up"] = [{"embeddable": True, "href": f"{desk.home}{API}/{part}/{term.parent}"}]
    links["wp:post_type"] = [{"href": f"{desk.home}{API}/posts?{part}={term.id}"}]
    record: Record = {
        "id": term.id,
        "count": sum(term.id in post.categories + post.tags for post in desk.public()),
        "description": "",
        "link": f"{desk.home}{desk.archive(term)}",
        "name": texturised(term.name),
        "slug": term.slug,
        "taxonomy": term.taxonomy,
    }
    parent = {"parent": term.parent} if term.taxonomy == "category" else {}
    return record | parent | {"meta": [], "_links": links | {"curies": _CURIES}}


def author_record(desk: Desk, author: Author) -> Record:
    """A user as strangers see it."""
    return {
        "id": author.id,
        "name": author.name,
        "url": author.url,
        "description": "",
        "link": f"{desk.home}/author/{author.slug}/",
        "slug": author.slug,
        "avatar_urls": _avatars(author.slug),
        "meta": [],
        "_links": _own_links(desk, "users", author.id),
    }


def _avatars(seed: str) -> dict[str, str]:
    digest = hashlib.md5(seed.encode(), usedforsecurity=False).hexdigest()
    return {str(size): f"http://2.gravatar.com/avatar/{digest}?s={size}&d=mm&r=g" for size in (24, 48, 96)}


def comment_record(desk: Desk, post: Post, comment: Comment) -> Record:
    """A reader's comment, as it is embedded."""
    up = [{"embeddable": True, "post_type": "post", "href": f"{desk.home}{API}/posts/{post.id}"}]
    return {
        "id": comment.id,
        "parent": 0,
        "author": 0,
        "author_name": comment.author,
        "author_url": "",
        "date": bare(comment.at, desk.zone),
        "content": {"rendered": f"<p>{comment.text}</p>\n"},
        "link": f"{desk.home}/{post.slug}/#comment-{comment.id}",
        "type": "comment",
        "author_avatar_urls": _avatars(comment.author),
        "_links": _own_links(desk, "comments", comment.id) | {"up": up},
    }


def picture_record(desk: Desk, picture: Picture) -> Record:
    """A picture of the media library with its caption, alt text and sizes."""
    name = picture.name.rpartition(".")[0]
    about = _own_links(desk, "media", picture.id, about="types/attachment")
    about["author"] = [{"embeddable": True, "href": f"{desk.home}{API}/users/1"}]
    about["replies"] = [{"embeddable": True, "href": f"{desk.home}{API}/comments?post={picture.id}"}]
    return {
        "id": picture.id,
        "date": bare(picture.uploaded, desk.zone),
        "date_gmt": bare(picture.uploaded),
        "guid": {"rendered": picture.path},
        "modified": bare(picture.changed, desk.zone),
        "modified_gmt": bare(picture.changed),
        "slug": slugified(name),
        "status": "inherit",
        "type": "attachment",
        "link": f"{desk.home}/{slugified(name)}/",
        "title": {"rendered": picture.title or name},
        "author": 1,
        "comment_status": "open",
        "ping_status": "closed",
        "template": "",
        "meta": [],
        "description": {"rendered": f'<p class="attachment"><img src="{desk.home}{picture.path}"></p>\n'},
        "caption": {"rendered": f"<p>{texturised(picture.caption)}</p>\n" if picture.caption else ""},
        "alt_text": picture.alt,
        "media_type": "image",
        "mime_type": "image/jpeg",
        "media_details": _details(desk, picture),
        "post": None,
        "source_url": f"{desk.home}{picture.path}",
        "_links": about,
    }


def _details(desk: Desk, picture: Picture) -> Record:
    width, height = dimensions(picture.data)
    made = {label: sized(picture, side) for label, side in SIZES.items() if side < width}
    folder = picture.path.rpartition("/")[0].removeprefix("/wp-content/uploads/")
    sizes = {label: _size(desk, smaller, filesize=True) for label, smaller in made.items()}
    return {
        "width": width,
        "height": height,
        "file": f"{folder}/{picture.name}",
        "filesize": len(picture.data),
        "sizes": sizes | {"full": _size(desk, picture, filesize=False)},
        "image_meta": _NO_EXIF | {"credit": picture.credit, "keywords": []},
    }


def _size(desk: Desk, picture: Picture, *, filesize: bool) -> Record:
    width, height = dimensions(picture.data)
    weight = {"filesize": len(picture.data)} if filesize else {}
    return {
        "file": picture.name,
        "width": width,
        "height": height,
        **weight,
        "mime_type": "image/jpeg",
        "source_url": f"{desk.home}{picture.path}",
    }


@cache
def dimensions(data: bytes) -> tuple[int, int]:
    """Width and height in pixels."""
    with Image.open(BytesIO(data)) as image:
        return image.size


def sized(picture: Picture, side: int) -> Picture:
    """A smaller copy as WordPress makes it at upload, under its own name."""
    width, height = dimensions(picture.data)
    to = (side, side) if side == SIZES["thumbnail"] else (side, max(1, (height * side + width // 2) // width))
    stem, _, suffix = picture.name.rpartition(".")
    return replace(picture, name=f"{stem}-{to[0]}x{to[1]}.{suffix}", data=_resized(picture.data, to))


@cache
def _resized(data: bytes, to: tuple[int, int]) -> bytes:
    out = BytesIO()
    with Image.open(BytesIO(data)) as image:
        image.resize(to).save(out, "JPEG")
    return out.getvalue()
