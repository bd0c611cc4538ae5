"""Reads a story's own page, with the further pages of a long one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from syndicate.domain.source import FoundArticle, SourceConfig, obeys_robots
from syndicate.jail import Jail, JailFailure
from syndicate.net.client import PAGE, Client, Fetched, FetchFailed
from syndicate.sources.guide import Link
from syndicate.sources.ladder import Trouble, asked_wait, whole
from syndicate.sources.moves import same_site
from syndicate.sources.read.addresses import canonical
from syndicate.sources.read.dates import has_zone
from syndicate.sources.read.gate import faults_of
from syndicate.sources.read.items import found_articles
from syndicate.sources.read.rules import PageRule, laid_over

_MOST_PAGES = 9  # of one story
_ITS_OWN = ("too_big", "bad_encoding", "bad_url", "redirect", "refused_address", "robots")  # trouble of one page


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a story's page showed: an item with the keys of `read_page`, or why there is none, in words.

    An item's `faults` say why a person must look at it first.
    """

    item: Mapping[str, Any] | None = None
    problem: str = ""
    gone: bool = False  # the site says that there is no such page
    unreached: bool = False  # no answer came, or an error of the server: other pages may suffer the same
    rule: str = ""  # the page rule that applied
    layers: Mapping[str, Any] = field(default_factory=dict, repr=False)  # of each field, who found what, and who won


class PageReader:
    """One page after the other. The operator's own selectors, where there are any, take the place of the themes'."""

    def __init__(self, config: SourceConfig, client: Client, jail: Jail, rules: Sequence[PageRule]) -> None:
        self._config, self._client, self._jail = config, client, jail
        of_stories = [rule for rule in rules if rule.body]  # others know lists only
        self._rules = [rule.as_option() for rule in laid_over(config.page_rule, of_stories)]

    async def read(self, link: Link, *, published: str = "") -> Seen:
        """The story at the link, whose word is taken where the page is silent; `published` as it was known before.

        Raises Trouble when the site wants to be left alone.
        """
        seen = await self._page(link.url)
        if seen.item is None:
            return seen
        item = dict(seen.item)
        pages, read = list(item["next_pages"]), {link.url}
        while pages:
            if len(read) == _MOST_PAGES:
                return Seen(problem=f"left out, since it has more than {_MOST_PAGES} pages")
            further = await self._page(pages[0])
            if further.item is None:
                return replace(further, gone=False, problem=f"its page {pages[0]}: {further.problem}")
            read.add(pages.pop(0))
            pages += [one for one in further.item["next_pages"] if one not in read and one not in pages]
            item |= {"body": item["body"] + further.item["body"], "initials": further.item["initials"]}
            item["flags"] = list(dict.fromkeys([*item["flags"], *further.item["flags"]]))
        item |= {"title": item["title"] or link.title, "published": _published(item, link, published)}
        item["aliases"] = list(dict.fromkeys([*item["aliases"], *filter(None, [canonical(link.url)])]))
        return replace(seen, item=item | {"faults": faults_of(item, language=self._config.language)})

    async def _page(self, url: str) -> Seen:
        headers = {"Accept": "text/html", "Accept-Language": self._config.language}
        robots = obeys_robots(self._config, page=True)
        answer = await self._client.fetch("GET", url, headers=headers, caps=PAGE, obey_robots=robots)
        if isinstance(answer, FetchFailed):
            if answer.kind == "asked_to_wait":
                whole(answer)
            words = f"could not be fetched: {answer.safe_words} ({answer.detail})"
            return Seen(problem=words, unreached=answer.kind not in _ITS_OWN)
        wait = asked_wait(answer)
        if answer.status == 429 or (answer.status == 503 and wait):
            raise Trouble(f"answered {answer.status} to a page", wait=wait)
        if answer.status in (404, 410):
            return Seen(problem=f"is not there ({answer.status})", gone=True)
        if answer.status != 200:
            return Seen(problem=f"answered {answer.status}", unreached=answer.status >= 500)
        if not same_site(answer.url, url):
            return Seen(problem=f"leads to another site, {answer.url}")
        return await self._parsed(answer)

    async def _parsed(self, answer: Fetched) -> Seen:
        made = await self._jail.call(
            "syndicate.sources.read.page:read_page",
            answer.body,
            content_type=answer.headers.get("content-type", ""),
            url=answer.url,
            rules=self._rules,
            language=self._config.language,
        )
        if isinstance(made, JailFailure):
            return Seen(problem=f"could not be parsed ({made.kind}); it may be broken or hostile")
        if "refused" in made.value:
            return Seen(problem=f"shows no story: {made.value['refused']}")
        layers = dict(made.value["layers"])
        return Seen(item=made.value["item"], rule=layers.pop("page_rule"), layers=layers)


def story_of(item: Mapping[str, Any], config: SourceConfig, *, now: datetime) -> tuple[FoundArticle | None, str]:
    """The story that a page's item is, or why it may not go out."""
    if item["elsewhere"]:
        return None, f"left out, since the page says that it is a copy of {item['elsewhere']}"
    if item["protected"]:
        return None, "left out, since its text is behind a password"
    if item["faults"]:
        return None, f"needs review: {' '.join(item['faults'])}"
    found, problems = found_articles([item], config=config, home=config.location, channel="page", now=now)
    return (found[0], "") if found else (None, "; ".join(problems))


def _published(item: Mapping[str, Any], link: Link, known: str) -> str:
    """The surest word on when the story appeared: one that names its zone, else the page's own in the source's zone.

    An edit's time is better than none.
    """
    sure = (text for text in (item["published"], link.published, known) if has_zone(text))
    return next(sure, item["published"] or link.published or link.changed)
