"""WordPress' feeds: RSS 2.0 and Atom of posts, of archives and of searches, and RSS of comments."""

import re
from dataclasses import dataclass
from datetime import datetime
from html import escape
from urllib.parse import urlsplit

from tests.servers.wordpress_archives import find_archive
from tests.servers.wordpress_desk import Desk
from tests.servers.wordpress_posts import Comment, Post
from tests.servers.wordpress_records import guid, shown_title
from tests.servers.wordpress_text import SEALED, excerpt, in_feed, numeric, plain
from tests.servers.wordpress_wire import UNCACHED, Answer, Asked, Headers, has_it, rss_date, validators, zulu

_VERSION = "6.1.9"
_RSS = """<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"
	xmlns:content="http://purl.org/rss/1.0/modules/content/"
	xmlns:wfw="http://wellformedweb.org/CommentAPI/"
	xmlns:dc="http://purl.org/dc/elements/1.1/"
	xmlns:atom="http://www.w3.org/2005/Atom"
	xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"
	xmlns:slash="http://purl.org/rss/1.0/modules/slash/"
	>

<channel>
	<title>{title}</title>
	<atom:link href="{itself}" rel="self" type="application/rss+xml" />
	<link>{link}</link>
	<description>{tagline}</description>
	<lastBuildDate>{built}</lastBuildDate>{language}
	<sy:updatePeriod>
	hourly	</sy:updatePeriod>
	<sy:updateFrequency>
	1	</sy:updateFrequency>
	<generator>https://wordpress.org/?v={version}</generator>{items}
</channel>
</rss>
"""
_ITEM = """
	<item>
		<title>{title}</title>
		<link>{link}</link>
					<comments>{link}#{anchor}</comments>

		<dc:creator><![CDATA[{author}]]></dc:creator>
		<pubDate>{published}</pubDate>
				{categories}
		<guid isPermaLink="false">{guid}</guid>

					<description><![CDATA[{summary}]]></description>{body}
					<wfw:commentRss>{link}feed/</wfw:commentRss>
			<slash:comments>{comments}</slash:comments>
			</item>"""
_ATOM = """<?xml version="1.0" encoding="UTF-8"?><feed
	xmlns="http://www.w3.org/2005/Atom"
	xmlns:thr="http://purl.org/syndication/thread/1.0"
	xml:lang="id-ID"
	>
	<title type="text">{title}</title>
	<subtitle type="text">{tagline}</subtitle>

	<updated>{built}</updated>

	<link rel="alternate" type="text/html" href="{home}" />
	<id>{id}</id>
	<link rel="self" type="application/atom+xml" href="{itself}" />

	<generator uri="https://wordpress.org/" version="{version}">WordPress</generator>{items}
</feed>
"""
_ENTRY = """
	<entry>
		<author>
			<name>{author}</name>{author_url}
						</author>

		<title type="html"><![CDATA[{title}]]></title>
		<link rel="alternate" type="text/html" href="{link}" />

		<id>{guid}</id>
		<updated>{updated}</updated>
		<published>{published}</published>
		{categories}
		<summary type="html"><![CDATA[{summary}]]></summary>{body}
					<link rel="replies" type="text/html" href="{link}#comments" thr:count="{comments}" />
			<link rel="replies" type="application/atom+xml" href="{link}feed/atom/" thr:count="{comments}" />
			<thr:total>{comments}</thr:total>
			</entry>"""
_COMMENT = """
	<item>
		<title>{title}</title>
		<link>{link}#comment-{number}</link>

		<dc:creator><![CDATA[{author}]]></dc:creator>
		<pubDate>{published}</pubDate>
		<guid isPermaLink="false">{guid}#comment-{number}</guid>

					<description><![CDATA[{text}]]></description>
			<content:encoded><![CDATA[<p>{text}</p>
]]></content:encoded>
			</item>"""
_FORM = """<form action="{home}/wp-login.php?action=postpass" class="post-password-form" method="post">
<p>This content is password protected. To view it please enter your password below:</p>
<p><label for="pwbox-{number}">Kata Sandi: <input name="post_password" id="pwbox-{number}" type="password" \
size="20" /></label> <input type="submit" name="Submit" value="Enter" /></p>
</form>
"""
_NOT_FOUND = "Halaman tidak ditemukan"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A feed that was asked for: of what (a path), and how it is written."""

    path: str
    atom: bool


def wanted_feed(asked: Asked) -> Wanted | None:
    """The feed that the address means, or None."""
    if "feed" in asked.query:
        return Wanted(path=asked.path, atom=asked.query["feed"] == "atom")
    found = re.fullmatch(r"(/|/.*/)feed/(?:(atom|rss2)/)?", asked.path)
    return Wanted(path=found[1], atom=found[2] == "atom") if found else None


def answer_feed(desk: Desk, asked: Asked, wanted: Wanted) -> Answer | None:
    """The feed; None if there is nothing at its path."""
    if wanted.path == "/comments/":
        said = [(post, comment) for post in desk.public() for comment in post.comments]
        return _comments(desk, asked, said, f"Komentar untuk {escape(desk.options.name)}", desk.home)
    if archive := find_archive(desk, wanted.path, asked.query):
        page = int(asked.query.get("paged", "1"))
        posts = archive.piece(page, desk.options.per_feed)
        missing = page > 1 and not posts
        title = _title(desk, _NOT_FOUND if missing else f"Page {page}" if page > 1 else archive.title)
        write = _write_atom if wanted.atom else _write_rss
        body = write(desk, asked, posts, title).encode()
        beside: Headers = (
            (("Link", f'<{desk.home}/wp-json/wp/v2/{archive.record}>; rel="alternate"; type="application/json"'),)
            if archive.record
            else ()
        )
        kind = "application/atom+xml" if wanted.atom else "application/rss+xml"
        return _validated(desk, asked, desk.changed(), kind, body, beside, missing=missing)
    return _comments_below(desk, asked, wanted.path.strip("/"))


def _title(desk: Desk, part: str) -> str:
    name = escape(desk.options.name)
    return f"{numeric(part)} &#8211; {name}" if part else name


def _validated(
    desk: Desk, asked: Asked, changed: datetime, kind: str, body: bytes, beside: Headers, *, missing: bool = False
) -> Answer:
    """The validators are compared before anything is looked up, so even a page that isn't there may be a 304."""
    said = ("Content-Type", f"{kind}; charset=UTF-8")
    if has_it(asked, changed):
        return Answer(status=304, headers=(said, *validators(changed)))
    headers = (*(UNCACHED if missing else ()), *validators(changed), *desk.discovery(), *beside, said)
    return Answer(status=404 if missing else 200, body=body, headers=headers)


def _itself(desk: Desk, asked: Asked) -> str:
    """The rel=self of WordPress 6.1, which drops the port."""
    home = urlsplit(desk.home)
    return f"{home.scheme}://{home.hostname}{asked.target}".replace("&", "&#038;")


def _built(desk: Desk, posts: list[Post]) -> datetime:
    return max((post.modified_gmt for post in posts), default=desk.changed())


def _write_rss(desk: Desk, asked: Asked, posts: list[Post], title: str) -> str:
    return _RSS.format(
        title=title,
        itself=_itself(desk, asked),
        link=desk.home,
        tagline=escape(desk.options.tagline),
        built=rss_date(_built(desk, posts)),
        language="\n	<language>id-ID</language>",
        version=_VERSION,
        items="".join(_item(desk, post) for post in posts),
    )


def _item(desk: Desk, post: Post) -> str:
    body = f"\n					<content:encoded><![CDATA[{body_in_feed(desk, post)}]]></content:encoded>"
    terms = [term.name for kind in ("category", "post_tag") for term in desk.filed(post, kind)]
    return _ITEM.format(
        title=numeric(plain(shown_title(post))),
        link=f"{desk.home}/{post.slug}/",
        anchor="comments" if post.comments else "respond",
        author=desk.authors[post.author].name,
        published=rss_date(post.date_gmt),
        categories="\n		".join(f"<category><![CDATA[{name}]]></category>" for name in terms),
        guid=escape(guid(desk, post)),
        summary=_summary(post),
        body="" if desk.options.excerpts_only else body,
        comments=len(post.comments),
    )


def _summary(post: Post) -> str:
    return SEALED if post.password else numeric(excerpt(post.content, post.excerpt, beyond_more=True))


def body_in_feed(desk: Desk, post: Post) -> str:
    """The text; of a protected post the form that asks for its password."""
    return password_form(desk, post) if post.password else in_feed(post.content, post.id)


def password_form(desk: Desk, post: Post) -> str:
    """What stands in the place of a protected text, also in feeds."""
    return _FORM.format(home=desk.home, number=post.id)


def _write_atom(desk: Desk, asked: Asked, posts: list[Post], title: str) -> str:
    return _ATOM.format(
        title=title,
        itself=_itself(desk, asked),
        home=desk.home,
        id=f"{desk.home}{asked.path}",
        tagline=escape(desk.options.tagline),
        built=zulu(_built(desk, posts)),
        version=_VERSION,
        items="".join(_entry(desk, post) for post in posts),
    )


def _entry(desk: Desk, post: Post) -> str:
    link, author = f"{desk.home}/{post.slug}/", desk.authors[post.author]
    terms = [term.name for kind in ("category", "post_tag") for term in desk.filed(post, kind)]
    body = (
        f'\n					<content type="html" xml:base="{link}"><![CDATA[{body_in_feed(desk, post)}]]></content>'
    )
    return _ENTRY.format(
        author=escape(author.name),
        author_url=f"\n							<uri>{escape(author.url)}</uri>" if author.url else "",
        title=numeric(plain(shown_title(post))),
        link=link,
        guid=escape(guid(desk, post)),
        updated=zulu(post.modified_gmt),
        published=zulu(post.date_gmt),
        categories="".join(f'<category scheme="{desk.home}" term="{escape(name)}" />' for name in terms),
        summary=_summary(post),
        body="" if desk.options.excerpts_only else body,
        comments=len(post.comments),
    )


def _comments_below(desk: Desk, asked: Asked, slug: str) -> Answer | None:
    for post in desk.public():
        if post.slug == slug:
            title = f"Komentar di: {numeric(plain(shown_title(post)))}"
            said = [(post, comment) for comment in post.comments]
            return _comments(desk, asked, said, title, f"{desk.home}/{slug}/", post=post)
    return None


def _comments(
    desk: Desk, asked: Asked, said: list[tuple[Post, Comment]], title: str, link: str, post: Post | None = None
) -> Answer:
    changed = max((comment.at for _, comment in said), default=desk.changed())
    body = _RSS.format(
        title=title,
        itself=_itself(desk, asked),
        link=link,
        tagline=escape(desk.options.tagline),
        built=rss_date(changed),
        language="",
        version=_VERSION,
        items="".join(_comment(desk, *pair, of_site=post is None) for pair in reversed(said)),
    )
    beside = post_links(desk, post) if post else ()
    return _validated(desk, asked, max(changed, desk.changed()), "application/rss+xml", body.encode(), beside)


def _comment(desk: Desk, post: Post, comment: Comment, *, of_site: bool) -> str:
    where = f"Komentar di {numeric(plain(shown_title(post)))} oleh {escape(comment.author)}"
    return _COMMENT.format(
        title=where if of_site else f"Oleh: {escape(comment.author)}",
        link=f"{desk.home}/{post.slug}/",
        number=comment.id,
        author=comment.author,
        published=rss_date(comment.at),
        guid=escape(guid(desk, post)),
        text=comment.text,
    )


def post_links(desk: Desk, post: Post) -> Headers:
    """The headers that lead from a post's page to its record and its short address."""
    record = f'<{desk.home}/wp-json/wp/v2/posts/{post.id}>; rel="alternate"; type="application/json"'
    return (("Link", record), ("Link", f"<{desk.home}/?p={post.id}>; rel=shortlink"))
