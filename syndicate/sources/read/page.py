"""An article's page to one clean story, and a list page to the stories it leads to. Runs inside the jail."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from selectolax.lexbor import LexborHTMLParser

from syndicate.domain.markup import plain_text
from syndicate.sources.moves import same_site
from syndicate.sources.read.body import FEWEST_CHARACTERS, Body, find_body
from syndicate.sources.read.charset import decode
from syndicate.sources.read.entry import RawEntry
from syndicate.sources.read.gate import faults_of
from syndicate.sources.read.identity import Identity, read_identity
from syndicate.sources.read.listing import story_links
from syndicate.sources.read.metadata import Metadata, read_metadata
from syndicate.sources.read.parse import story_item
from syndicate.sources.read.rules import PageRule
from syndicate.sources.read.words import language_of, paragraphs, without_illegal

_HEAD = 1024  # bytes; HTML §4.2.5.4: a page names its encoding there
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9._:-]+)", re.IGNORECASE)
_LISTS = frozenset(["home", "blog", "archive", "category", "tag", "search", "search-results", "author", "error404"])
_STORIES = frozenset({"single", "single-post", "page", "attachment"})

same_site("https://a.example", "https://b.example")  # else it reads its list of suffixes at the first page


def read_page(payload: bytes, options: dict[str, Any]) -> tuple[Any, bytes]:
    """`{"refused"}` when the page shows no story, or `{"item", "layers"}`.

    Options: the answer's `content_type` and `url`, `rules` (as of `PageRule.as_option`, the first that applies is
    used) and `language`, the newsroom's. The item has the keys of `story_item` and `wp_id`, `sections`, `tags`,
    `aliases`, `elsewhere`, `next_pages`, `faults`. Of each field `layers` tells who found what, and
    who won. Its flags may be `paywalled`, `rule_drift`, `needs_review`.
    """
    url, tree = options["url"], _tree(payload, options["content_type"])
    rule = _rule(tree, options["rules"])
    metadata, identity = read_metadata(tree, url=url, rule=rule), read_identity(tree, url)
    if why := _no_story(tree, metadata, url):
        return {"refused": why}, b""
    paywalled, protected = _is_paywalled(tree, metadata), tree.css_first("form.post-password-form") is not None
    body = find_body(tree, rule=rule, base=identity.link, title=metadata.title)
    if not metadata.is_article and "needs_review" in body.cleaned.flags and not metadata.title:
        return {"refused": f"it has neither a title nor {FEWEST_CHARACTERS} characters of text"}, b""
    item = _item(metadata, identity, body, outlets=rule.dateline_outlets if rule else (), url=url)
    if paywalled:
        item = _in_summary(item)
    item["protected"] = protected
    item["faults"] = faults_of(item, language=options["language"])
    return {"item": item, "layers": _layers(metadata, identity, body, rule)}, b""


def read_listing(payload: bytes, options: dict[str, Any]) -> tuple[Any, bytes]:
    """`{"links"}`: addresses of stories in the order of a front page or section. Options as of `read_page`."""
    tree = _tree(payload, options["content_type"])
    rule = _rule(tree, options["rules"])
    return {"links": story_links(tree, url=options["url"], selectors=rule.listing if rule else ())}, b""


def _tree(payload: bytes, content_type: str) -> LexborHTMLParser:
    """HTML names its encoding in a way of its own; the rest is as for feeds."""
    if "charset" not in content_type.lower() and (hit := _META_CHARSET.search(payload[:_HEAD])):
        content_type = f"text/html; charset={hit[1].decode('ascii')}"
    text, _ = decode(payload, content_type)
    return LexborHTMLParser(without_illegal(text))


def _rule(tree: LexborHTMLParser, options: Sequence[dict[str, Any]]) -> PageRule | None:
    rules = map(PageRule.from_option, options)
    return next((rule for rule in rules if not rule.applies or any(map(tree.css_first, rule.applies))), None)


def _no_story(tree: LexborHTMLParser, metadata: Metadata, url: str) -> str:
    """Why the page is none of a story, "" when it may be one."""
    classes = set((tree.body.attributes.get("class") or "").split()) if tree.body is not None else set()
    if metadata.is_article or classes & _STORIES:
        return ""
    if kinds := classes & _LISTS:
        return f"it is a list of stories or no page at all ({', '.join(sorted(kinds))})"
    return "it is the site's front page" if urlsplit(url).path in ("", "/") and not urlsplit(url).query else ""


def _is_paywalled(tree: LexborHTMLParser, metadata: Metadata) -> bool:
    return not metadata.free if metadata.free is not None else tree.css_first(".paywall") is not None


def _item(metadata: Metadata, identity: Identity, body: Body, *, outlets: Sequence[str], url: str) -> dict[str, Any]:
    cleaned = body.cleaned
    picture = metadata.picture and replace(metadata.picture, caption=metadata.caption)
    entry = RawEntry(
        link=identity.link,
        title=metadata.title,
        title_is_text=True,
        authors=metadata.authors,
        published=metadata.published,
        updated=metadata.updated,
        language=_language(metadata.language, cleaned.markup),
        summary=paragraphs(metadata.summary),
        body=cleaned.markup,
        picture=picture,
    )
    item = story_item(entry, feed_url=url, language="", body=cleaned, outlets=outlets)
    item |= {"sections": list(metadata.sections), "tags": list(metadata.tags), "wp_id": identity.wp_id}
    item |= {"aliases": list(identity.aliases), "next_pages": list(identity.next_pages)}
    item["elsewhere"] = identity.elsewhere
    return item


def _language(claimed: str, body: str) -> str:
    """Themes left in English claim it for Indonesian stories; where the text is sure, it is believed."""
    sure = language_of(plain_text(body))
    return claimed if not sure or claimed.lower().startswith(sure) else sure


def _in_summary(item: dict[str, Any]) -> dict[str, Any]:
    """What a newspaper sells isn't ours to show; the few lines before the wall are not the story either."""
    kept = {"body": paragraphs(item["summary"]), "initials": [], "next_pages": []}
    return {**item, **kept, "flags": [*(flag for flag in item["flags"] if flag != "needs_review"), "paywalled"]}


def _layers(metadata: Metadata, identity: Identity, body: Body, rule: PageRule | None) -> dict[str, Any]:
    named = {"found": identity.found, "won": identity.won}
    text = {"found": body.found, "won": body.won}
    return {**metadata.report, "canonical": named, "body": text, "page_rule": rule.name if rule else ""}
