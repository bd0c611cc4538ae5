"""`page-extract` and `jail-cost`: reading a newspaper's article page, and what it costs to read it where it is safe."""

import asyncio
import random
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import trafilatura

from bench.figure import RUNS, BenchError, Row, Run, against_peer, medians
from bench.newsroom import word
from bench.processes import ROOT
from syndicate.jail import Answer, Jail
from syndicate.sources.read.body import GUARD
from syndicate.sources.read.page import read_page
from syndicate.sources.read.rules import load_rules

_CHARACTERS = 150_000  # of a page with its scripts and boxes of other stories, as newspapers' pages are
_SMALL = 20_000
_PARAGRAPHS = 12
_SCRIPT = "<script>(adsbygoogle = window.adsbygoogle || []).push({});</script>"
_URL = "https://contohpos.example/berita-panjang-dari-kota/"
_CALLS = 100  # of `jail-cost`; other work on the machine disturbs each of them
_TIMED = "bench.pages:timed_read"


def measure_extract() -> Row:
    """All our layers, trafilatura among them, against trafilatura with the same options alone."""
    page, options = _page(_CHARACTERS), _options()
    _check(read_page(page.encode(), options)[0])
    _trafilatura(page)
    runs = []
    for _ in range(RUNS + 4):
        ours = _milliseconds(lambda: read_page(page.encode(), options))
        runs.append(Run(ours=ours, peer=_milliseconds(lambda: _trafilatura(page))))
    return against_peer(
        "page-extract",
        unit="× trafilatura",
        peer_name=f"trafilatura {trafilatura.__version__} alone, the same options",
        runs=runs,
        note=f"milliseconds for one page of {len(page):,} characters",
    )


def measure_jail() -> Row:
    """What lies between our asking and our having the story, but for the reading itself, which the child times."""
    runs = asyncio.run(_jail_runs())
    ours, peer = medians(runs)
    return Row(
        name="jail-cost",
        value=round(median(run.ours - (run.peer or 0) for run in runs), 2),
        unit="ms",
        ours=ours,
        peer=peer,
        peer_name="the function in the child",
        runs=runs,
        note="milliseconds an article of 20 kB through the jail; the value is the difference of the two",
    )


def timed_read(payload: bytes, options: dict[str, Any]) -> tuple[Any, bytes]:
    """Runs in the jail: what `read_page` gives, and how many milliseconds it took."""
    begun = perf_counter()
    value, out = read_page(payload, options)
    return {"value": value, "milliseconds": _thousandths(begun, perf_counter())}, out


async def _jail_runs() -> list[Run]:
    page, options = _page(_SMALL).encode(), _options()
    jail = Jail(wall_seconds=10.0, extra_allowed=(_TIMED,))
    try:
        await _timed(jail, page, options)  # the child starts
        return [await _timed(jail, page, options) for _ in range(_CALLS)]
    finally:
        await jail.aclose()


async def _timed(jail: Jail, page: bytes, options: dict[str, Any]) -> Run:
    begun = perf_counter()
    answer = await jail.call(_TIMED, page, **options)
    ended = perf_counter()
    if not isinstance(answer, Answer):
        raise BenchError(f"the jail did not read the page: {answer.detail}")
    _check(answer.value["value"])
    return Run(ours=_thousandths(begun, ended), peer=answer.value["milliseconds"])


def _check(value: Any) -> None:
    if value["layers"]["body"]["won"] != "rule" or value["item"]["faults"]:
        raise BenchError(f"the page was not read as meant: {value['item']['faults']}")


def _trafilatura(page: str) -> object:
    return trafilatura.extract(page, **GUARD)


def _milliseconds(work: Callable[[], object]) -> float:
    begun = perf_counter()
    work()
    return _thousandths(begun, perf_counter())


def _thousandths(begun: float, ended: float) -> float:
    return round(1000 * (ended - begun), 3)


def _page(characters: int) -> str:
    """A story in the markup of tagDiv's cloud templates, with boxes of other stories around it up to that size."""
    chance = random.Random(150)
    text = "".join(f"<p>{_sentence(chance, 40)} yang dan di untuk dengan.</p>" for _ in range(_PARAGRAPHS))
    head = (
        f'<title>{_sentence(chance, 6)}</title><link rel="canonical" href="{_URL}">'
        '<meta property="og:type" content="article">'
        '<meta property="article:published_time" content="2026-11-16T11:40:00+00:00">'
    )
    story = (
        f'<h1 class="tdb-title-text">{_sentence(chance, 6)}</h1><div class="td_block_wrap tdb_single_content'
        f' td-post-content"><div class="tdb-block-inner td-fix-index">{text}</div></div>'
    )
    boxes: list[str] = []
    while sum(map(len, boxes)) < characters - len(head) - len(story):
        boxes.append(_box(chance))
    half = len(boxes) // 2
    around = "".join(boxes[:half]), "".join(boxes[half:])
    return f'<!doctype html><html lang="id"><head>{head}</head><body class="single">{story.join(around)}</body></html>'


def _box(chance: random.Random) -> str:
    address, title = f"https://contohpos.example/{word(chance)}-{word(chance)}-{word(chance)}/", _sentence(chance, 6)
    return (
        '<div class="td_module_flex td_module_wrap td-animation-stack"><div class="td-module-thumb">'
        f'<a href="{address}" rel="bookmark" class="td-image-wrap"><span class="entry-thumb td-thumb-css"'
        f' data-img-url="{address}foto-218x150.jpg"></span></a></div><h3 class="entry-title td-module-title">'
        f'<a href="{address}" rel="bookmark">{title}</a></h3><span class="td-post-date"><time class="entry-date'
        f' td-module-date" datetime="2026-11-20T06:10:00+07:00">20 November 2026</time></span>{_SCRIPT}</div>'
    )


def _sentence(chance: random.Random, length: int) -> str:
    return " ".join(word(chance) for _ in range(length)).capitalize()


def _options() -> dict[str, Any]:
    rules = [rule.as_option() for variants in load_rules(ROOT / "page-rules").values() for rule in variants]
    return {"content_type": "text/html", "url": _URL, "rules": rules, "language": "id"}
