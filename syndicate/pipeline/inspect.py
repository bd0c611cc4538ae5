"""One page of a newsroom, read through every layer, beside what the source itself says of that story."""

from dataclasses import dataclass
from datetime import datetime

from syndicate.domain.source import FoundArticle, Memory, SourceConfig
from syndicate.ports import Source
from syndicate.sources import Tools
from syndicate.sources.guide import Link
from syndicate.sources.ladder import Trouble
from syndicate.sources.read.addresses import canonical
from syndicate.sources.read.items import found_articles
from syndicate.sources.reader import PageReader, Seen


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """`story` is what the page alone makes, even where a person would have to look first."""

    seen: Seen
    story: FoundArticle | None = None
    told: FoundArticle | None = None  # the same story as the source's own channel tells it now
    problem: str = ""  # of the source's look, or why `told` is missing


async def inspect_page(url: str, config: SourceConfig, source: Source, tools: Tools, *, now: datetime) -> Inspection:
    """Writes nothing, remembers nothing. The source is looked at once, unless its stories come from pages alone."""
    try:
        seen = await PageReader(config, tools.client, tools.jail, tools.rules).read(Link(url=url))
    except Trouble as why:
        seen = Seen(problem=str(why))
    found = (
        found_articles([seen.item], config=config, home=config.location, channel="page", now=now)[0]
        if seen.item
        else ()
    )
    story = next(iter(found), None)
    if config.kind not in ("feed", "wordpress"):
        return Inspection(seen=seen, story=story)
    gathered = await source.gather(Memory(), now=now)
    names = {url, canonical(url), *((story.key, *story.aliases) if story else ())}
    told = next(
        (one for one in gathered.articles if not names.isdisjoint((one.key, one.content.url, *one.aliases))), None
    )
    problem = gathered.problem or ("" if told else "this story isn't among those that its channel shows now")
    return Inspection(seen=seen, story=story, told=told, problem=problem)
