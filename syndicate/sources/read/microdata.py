"""Schema.org microdata of an article page. Runs inside the jail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

from syndicate.domain.markup import one_line

_ARTICLES = (
    "Article",
    "NewsArticle",
    "BlogPosting",
    "ReportageNewsArticle",
    "OpinionNewsArticle",
    "AnalysisNewsArticle",
)
_MOST_PROPERTIES = 500
_LONGEST = 1000  # characters
_NAMING = ("name", "url", "contentUrl")  # what a thing inside the article is called by
_LOOSE = ("datePublished", "dateModified")  # read outside any article too: templates put them into the page's scope


@dataclass(frozen=True)
class ArticleData:
    """Property → its values as text; things such as a person are their names, pictures their addresses."""

    values: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def first(self, name: str) -> str:
        """The first value, or ""."""
        return next(iter(self.values.get(name, ())), "")


def find_article(tree: LexborHTMLParser) -> ArticleData:
    """The article that holds the page's heading. Boxes of other stories may be articles too, but have none."""
    scopes = [node for node in tree.css("[itemscope][itemtype]") if _type(node) in _ARTICLES]
    heading = tree.css_first("h1")
    own = [node for node in scopes if node.css_first("h1") is not None] if heading else scopes
    if len(own) == 1 or (own and heading):
        return ArticleData(_properties(own[0]))
    return ArticleData(_loose(tree))


def _loose(tree: LexborHTMLParser) -> dict[str, list[str]]:
    found = {}
    for name in _LOOSE:
        nodes = [node for node in tree.css(f'meta[itemprop="{name}"]') if _is_of_the_page(node)]
        if len(nodes) == 1:
            found[name] = [_value(nodes[0])]
    return found


def _is_of_the_page(node: LexborNode) -> bool:
    scope = _scope(node)
    return scope is None or _type(scope) == "WebPage"


def _properties(article: LexborNode) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for node in article.css("[itemprop]")[:_MOST_PROPERTIES]:
        if _scope(node) == article and (value := _value(node)):
            for name in (node.attributes.get("itemprop") or "").split():
                found.setdefault(name, []).append(value)
    return found


def _scope(node: LexborNode) -> LexborNode | None:
    """The thing that a property belongs to."""
    above = node.parent
    while above is not None and "itemscope" not in above.attributes:
        above = above.parent
    return above


def _value(node: LexborNode) -> str:
    attributes = node.attributes
    if "itemscope" in attributes:
        inner = [one for name in _NAMING for one in node.css(f'[itemprop="{name}"]') if _scope(one) == node]
        return _value(inner[0]) if inner else attributes.get("itemid") or ""
    names = ("content", "datetime", "href", "src")
    text = next((value for name in names if (value := attributes.get(name))), None) or node.text(separator=" ")
    return one_line(text)[:_LONGEST]


def _type(node: LexborNode) -> str:
    return (node.attributes.get("itemtype") or "").rstrip("/").rpartition("/")[2]
