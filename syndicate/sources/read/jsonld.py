"""The article that a page's JSON-LD speaks of, whatever plugin wrote it. Runs inside the jail."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

_LARGEST = 512 * 1024  # characters of one script
_MOST_SCRIPTS = 20
_DEEPEST = 8  # of lists and graphs in each other
_ARTICLE = re.compile(r"(?:https?://schema\.org/|schema:)?(\w*Article|\w*BlogPosting|SocialMediaPosting|Report)")
_AROUND = re.compile(r"^\s*(?:<!--|/\*\s*<!\[CDATA\[\s*\*/|//\s*<!\[CDATA\[|<!\[CDATA\[)\s*")
_LAST_COMMA = re.compile(r",(\s*[}\]])")

Node = dict[str, Any]


class Graph:
    """Every thing the page's scripts describe; a mere reference (`{"@id": …}`) is looked up."""

    def __init__(self, scripts: Sequence[str]) -> None:
        self.nodes = [node for script in scripts[:_MOST_SCRIPTS] for node in _nodes(_parsed(script))]
        self._named = {node["@id"]: node for node in self.nodes if isinstance(node.get("@id"), str) and len(node) > 1}

    def articles(self) -> list[Node]:
        """Those that are articles by type, in the page's order."""
        return [node for node in self.nodes if any(_ARTICLE.fullmatch(name) for name in types_of(node))]

    def of_type(self, name: str) -> list[Node]:
        """Those of one type."""
        return [node for node in self.nodes if name in types_of(node)]

    def values(self, value: object) -> list[Any]:
        """The value as a list, references resolved: what stands there wins over what it refers to."""
        found = value if isinstance(value, list) else [] if value is None else [value]
        return [self._resolved(one) if isinstance(one, dict) else one for one in found]

    def _resolved(self, node: Node) -> Node:
        name = node.get("@id")
        return {**self._named.get(name, {}), **node} if isinstance(name, str) else node


def types_of(node: Node) -> list[str]:
    """The names of its types without the vocabulary's address."""
    found = node.get("@type")
    listed = found if isinstance(found, list) else [found]
    return [one.rpartition("/")[2].removeprefix("schema:") for one in listed if isinstance(one, str)]


def _parsed(script: str) -> object:
    """Control characters inside strings are common, a comma at the end and wrappers of old XHTML too."""
    text = _AROUND.sub("", script[:_LARGEST]).lstrip("\ufeff \t\r\n")
    decoder = json.JSONDecoder(strict=False)
    for attempt in (text, _LAST_COMMA.sub(r"\1", text)):
        try:
            return decoder.raw_decode(attempt)[0]
        except (ValueError, RecursionError):
            continue
    return None


def _nodes(value: object, depth: int = 0) -> Iterator[Node]:
    """The things at the top, in lists and in graphs; what is only a part of an article is no thing of its own."""
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for one in value:
            yield from _nodes(one, depth + 1)
    elif isinstance(value, dict):
        if "@graph" in value:
            yield from _nodes(value["@graph"], depth + 1)
        if "@type" in value:
            yield value
        for name in ("mainEntity", "mainEntityOfPage"):  # a WebPage around its article
            if isinstance(value.get(name), dict) and len(value[name]) > 2:
                yield from _nodes(value[name], depth + 1)
