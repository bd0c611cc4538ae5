"""`syndicate sources test NAME --url URL`: what each layer of a page says, and the story it becomes."""

import re
from typing import TYPE_CHECKING, Any

from syndicate.cli import show
from syndicate.errors import NotFound, Refused

if TYPE_CHECKING:
    from syndicate.app import App
    from syndicate.domain.article import Content
    from syndicate.pipeline.inspect import Inspection

_LONGEST = 100  # characters of what a layer says
_PARAGRAPH = re.compile(r"<p>(.*?)</p>", re.DOTALL)


async def inspect(app: "App", name: str, url: str) -> tuple["Inspection", str]:
    """Reads the page as this source would; also gives the source's zone."""
    from syndicate.pipeline.inspect import inspect_page

    if name not in app.sources:
        raise NotFound("source", name, known=tuple(app.sources))
    config, source = app.sources[name]
    if config.kind == "folder":
        raise Refused(f"{name} is a folder, which has no pages; --url is for newsrooms on the web")
    return await inspect_page(url, config, source, app.tools, now=app.clock.now()), config.zone


def show_page(found: "Inspection", zone: str) -> None:
    """All of it, for people."""
    if found.seen.item is None:
        print(f"The page {show.clean(found.seen.problem)}.")
    else:
        show.table(("field", "layer", "found", "won"), list(_layers(found)), empty="No layer found anything.")
        print()
        faults = found.seen.item["faults"]
        show.facts([("page rule", found.seen.rule or "none fits"), ("publish gate", "passed" if not faults else "")])
        for fault in faults:
            print(f"needs review: {show.clean(fault)}")
    if found.story:
        print("\nAs its page alone makes it:")
        show.facts(_story(found.story.content, zone))
    if found.told:
        print("\nAs the source would gather it:")
        show.facts([*_story(found.told.content, zone), ("by channel", _channels(found.told.content))])
    elif found.problem:
        print(f"\nThe source itself: {show.clean(found.problem)}")


def record(found: "Inspection") -> dict[str, Any]:
    """All of it, for machines."""
    return {
        "problem": found.seen.problem,
        "layers": found.seen.layers,
        "page_rule": found.seen.rule,
        "faults": found.seen.item["faults"] if found.seen.item else (),
        "story": found.story
        and {"key": found.story.key, "aliases": found.story.aliases, "content": found.story.content},
        "gathered": found.told
        and {"key": found.told.key, "aliases": found.told.aliases, "content": found.told.content},
        "look_problem": found.problem,
    }


def _layers(found: "Inspection") -> list[tuple[object, ...]]:
    """One row for each layer that says anything; the field stands in its first one."""
    rows: list[tuple[object, ...]] = []
    for name, one in found.seen.layers.items():
        for place, (layer, text) in enumerate(one["found"].items()):
            shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
            rows.append(("" if place else name, layer, shown, "✓" if layer == one["won"] else ""))
    return rows


def _story(content: "Content", zone: str) -> list[tuple[str, object]]:
    paragraphs = _PARAGRAPH.findall(content.body_html)
    picture = content.picture
    return [
        ("title", content.title),
        ("published", show.moment(content.published, zone)),
        ("updated", show.moment(content.updated, zone)),
        ("authors", show.words(content.authors)),
        ("sections", show.words(content.sections)),
        ("tags", show.words(content.tags)),
        ("picture", picture and (picture.url or "ours")),
        ("caption", picture and picture.caption),
        ("credit", picture and picture.credit),
        ("summary", content.summary),
        ("dateline", content.dateline),
        ("initials", show.words(content.initials)),
        ("flags", show.words(content.flags)),
        ("paragraphs", len(paragraphs)),
        ("first", _text(paragraphs[0]) if paragraphs else ""),
        ("last", _text(paragraphs[-1]) if paragraphs else ""),
    ]


def _text(markup: str) -> str:
    from syndicate.domain.markup import plain_text

    return plain_text(markup)


def _channels(content: "Content") -> str:
    """`rest: title, body_html; page: picture`."""
    by_channel: dict[str, list[str]] = {}
    for name, channel in content.provenance.items():
        by_channel.setdefault(channel, []).append(name)
    return "; ".join(f"{channel}: {show.words(names)}" for channel, names in by_channel.items())
