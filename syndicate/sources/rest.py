"""A newsroom seen through WordPress's REST API: what changed since, what is gone, and what changed without saying so.

REST lists have no validators; asking for what was modified since is the cheap form (gather.md §2.2). Captions and
names of authors change without moving that stamp, so young stories are read again now and then; a deleted story
leaves no trace in a list of changes, so the ones we know are counted. Nothing is called gone on
one witness, but for a password that the record itself shows.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from syndicate.domain.source import SourceConfig, obeys_robots
from syndicate.jail import Jail, JailFailure
from syndicate.net.client import PAGE, REST_PAGE, Client, Fetched, FetchFailed
from syndicate.sources.ladder import SURE, Brought, Closed, Trouble, Unreadable, instant, is_due, parsed, whole
from syndicate.sources.moves import same_site
from syndicate.sources.posts import RestMemory
from syndicate.sources.read.items import found_articles
from syndicate.sources.read.removals import kept_word, mass_loss

OVERLAP = timedelta(seconds=120)  # a post may be saved while the list is made (gather.md §2.2)
_PAGE = 50  # posts read whole at once
_LIST = 100  # the most that WordPress lists
_IMPORT = 200  # posts of a first import
_ROUNDS = 20  # lists of changes read in one look; the next look goes on
_HALVINGS = 20  # of lists that can't be read, in one look; finding one bad post among fifty takes six
_SECOND = timedelta(seconds=1)  # the grain of WordPress's times
_SWEEP = timedelta(minutes=15)  # between two readings of young stories
_YOUNG = timedelta(days=3)
_EMBED = "wp:featuredmedia,wp:term,author"
_FIELDS = (  # `_embedded` comes only when `_links` does too (gather.md §2.2)
    "id,date,date_gmt,modified_gmt,guid,slug,status,link,title,content,excerpt,featured_media,yoast_head_json,_links,"
    "_embedded"
)
_STAMP_FIELDS = "id,modified_gmt,link"
_POST_CLASS = re.compile(rb"postid-(\d{1,18})")


@dataclass(kw_only=True)
class _Look(Brought):
    """What one look brought, and what it may still spend on finding posts that can't be read."""

    halvings: int = _HALVINGS


class RestChannel:
    """One look at a time: changes, then young stories, then who is missing."""

    def __init__(self, config: SourceConfig, client: Client, jail: Jail) -> None:
        self._config, self._client, self._jail = config, client, jail

    async def look(self, memory: RestMemory, *, confirmed: str, now: datetime) -> Brought:
        """Brings `memory` up to date. Raises Closed or Trouble; `memory` is of no use then.

        `confirmed` is the code with which the operator confirmed a mass loss.
        """
        look = _Look()
        if memory.imported_at:
            await self._go_on(memory, look, confirmed=confirmed, now=now)
        else:
            await self._import(memory, look, now=now)
        home = self._config.location.rstrip("/")
        look.problems += [f"{home}/?p={one}: left out, since its record {why}" for one, why in memory.unread.items()]
        memory.unread = {one: why for one, why in memory.unread.items() if memory.knows(one)}  # else old when mended
        return look

    async def _go_on(self, memory: RestMemory, look: _Look, *, confirmed: str, now: datetime) -> None:
        sweep = is_due(memory.swept_at, _SWEEP, now)
        if sweep:
            again, memory.unread = memory.unread, {}
            await self._take_all(memory, look, map(int, again), now=now)
        await self._changes(memory, look, now=now)
        there = await self._newest(memory, look, now=now)
        if sweep:
            await self._read_again(memory, look, now=now)
            memory.swept_at = now.isoformat()
        await self._count(memory, look, there, sweep=sweep, confirmed=confirmed, now=now)

    async def probe(self, root: str) -> None:
        """Raises Closed unless posts can be listed at this root."""
        answer = await self._get(root, {"per_page": "1", "_fields": _STAMP_FIELDS})
        parsed = await self._jail.call("syndicate.sources.read.rest:read_stamps", answer.body, url=answer.url)
        if isinstance(parsed, JailFailure) or "refused" in parsed.value:
            raise Closed("doesn't answer as WordPress does")

    async def peek(self, root: str, query: Mapping[str, str], *, now: datetime) -> Brought:
        """The posts that one question brings, as they would be gathered; nothing is remembered.

        Raises Closed or Trouble.
        """
        look = _Look()
        await self._take(RestMemory(root=root), look, query, now=now)
        return look

    async def _import(self, memory: RestMemory, look: _Look, *, now: datetime) -> None:
        """The newest posts by date. Pages are cut by date, for rows move while we turn them."""
        query = {"orderby": "date", "order": "desc", "per_page": str(_PAGE)}
        while len(memory.posts) < _IMPORT:
            before = len(memory.posts)
            count = await self._take_listed(memory, look, query, now=now)
            if count < _PAGE or len(memory.posts) == before:
                break
            oldest = min(row[1] for row in memory.posts.values() if row[1])
            query["before"] = _stamp(instant(oldest) + timedelta(seconds=1))
        if not memory.posts:
            raise Trouble("lists no posts")  # to believe it would make all of them news at the next look
        memory.seen_to = _latest([row[0] for row in memory.posts.values()], now)
        memory.imported_at = now.isoformat()
        memory.imported_id = max(map(int, [*memory.posts, *memory.unread]), default=0)

    async def _changes(self, memory: RestMemory, look: _Look, *, now: datetime) -> None:
        """What was modified since the last look, or since where that one had to stop."""
        since = instant(memory.since) if memory.since else instant(memory.seen_to) - OVERLAP
        page = memory.page and max(memory.page - 1, 1)  # those behind an edited post have moved up
        memory.since, memory.page = "", 0
        seen: dict[int, str] = {}
        for _ in range(_ROUNDS):
            stamps = await self._changed(memory.root, since, page)
            seen |= {number: modified for number, modified, _ in stamps}
            is_full = len(stamps) == _LIST
            if page:
                since, page = (since, page + 1) if is_full else (since + _SECOND, 0)
            elif is_full:  # on from the last one; when one second has more of them than a list, by their numbers
                last = max((instant(modified) for _, modified, _ in stamps if modified), default=since) - _SECOND
                since, page = (last, 0) if last > since else (since, 1)
            else:
                break
        else:
            memory.since, memory.page = _stamp(since), page
        changed = [number for number, modified in seen.items() if memory.posts.get(str(number), [""])[0] != modified]
        await self._take_all(memory, look, changed, now=now)
        memory.seen_to = _latest([memory.seen_to, *seen.values()], now)

    async def _changed(self, root: str, since: datetime, page: int) -> list[tuple[int, str, str]]:
        """The first ones modified later (the comparison is strict), or a page of those of the next second alone.

        In such a page they stand by number: databases give rows with equal times in a new order each time.
        """
        query = {"modified_after": _stamp(since), "order": "asc", "per_page": str(_LIST)}
        if not page:
            return await self._stamps(root, query | {"orderby": "modified"})
        query |= {"modified_before": _stamp(since + 2 * _SECOND), "orderby": "id", "page": str(page)}
        try:
            return await self._stamps(root, query)
        except Trouble as why:
            if page > 1 and why.status == 400:  # a page beyond the last (gather.md §2.2)
                return []
            raise

    async def _newest(self, memory: RestMemory, look: _Look, *, now: datetime) -> set[str]:
        """The newest by date: a scheduled post comes out without being modified. Returns who is there."""
        stamps = await self._stamps(memory.root, {"orderby": "date", "per_page": str(_LIST)})
        unknown = [number for number, modified, _ in stamps if memory.posts.get(str(number), [""])[0] != modified]
        await self._take_all(memory, look, unknown, now=now)
        return {str(number) for number, _, _ in stamps}

    async def _read_again(self, memory: RestMemory, look: _Look, *, now: datetime) -> None:
        """Captions, pictures and authors' names change without a new time of modification."""
        oldest = _stamp(now - _YOUNG)
        young = sorted((number for number, row in memory.posts.items() if row[1] >= oldest), key=int, reverse=True)
        fresh = {key.removeprefix("wp:") for key in look.articles}
        await self._take_all(memory, look, [int(n) for n in young[:_LIST] if n not in fresh], now=now)

    async def _count(
        self, memory: RestMemory, look: _Look, there: set[str], *, sweep: bool, confirmed: str, now: datetime
    ) -> None:
        """Whether what we know is still there: the newest at every look, a part of the rest at a sweep.

        `there` are those that were seen already. What we withdrew is asked for too: it may be back.
        """
        watched = sorted(memory.posts.keys() - set(memory.unlisted), key=lambda n: memory.posts[n][1], reverse=True)
        asked = list(dict.fromkeys([*watched[:_LIST], *memory.missing]))
        if sweep:
            older = watched[_LIST:]
            memory.place = memory.place + _LIST if memory.place + _LIST < len(older) else 0
            asked += [number for number in older[memory.place : memory.place + _LIST] if number not in memory.missing]
        unseen = [number for number in asked if number not in there]
        for some in _chunks([*unseen, *(memory.gone if sweep else [])], _LIST):
            query = {"include": ",".join(some), "per_page": str(_LIST), "orderby": "include"}
            there |= {str(number) for number, _, _ in await self._stamps(memory.root, query)}
        await self._take_all(memory, look, [int(number) for number in memory.gone if number in there], now=now)
        lost = [number for number in asked if number not in there]
        memory.missing = {number: memory.missing.get(number, now.isoformat()) for number in lost}
        where = {number: memory.posts[number][2] for number in lost}
        look.alarm = mass_loss(lost, len(asked), source=self._config.name, confirmed=confirmed, where=where)
        look.confirmed = kept_word(confirmed, lost)
        if look.alarm:
            return
        again = memory.unlisted if sweep else []
        for number in [*(number for number in lost if is_due(memory.missing[number], SURE, now)), *again]:
            await self._decide(number, memory, look)

    async def _decide(self, number: str, memory: RestMemory, look: _Look) -> None:
        """The second witness is the story's page."""
        link = memory.posts[number][2]
        headers, robots = {"Accept": "text/html"}, obeys_robots(self._config, page=False)
        answer = await self._client.fetch("GET", link, headers=headers, caps=PAGE, obey_robots=robots)
        if isinstance(answer, FetchFailed):
            return
        # WordPress sends the address of a lost story on to one that looks like it, and gives a free one to a new story.
        shown = set(_POST_CLASS.findall(answer.body)) if answer.status == 200 else set()
        other = number.encode() not in shown and (bool(shown) or _path(answer.url) != _path(link))
        moved = answer.status == 200 and other
        if answer.status in (404, 410) or moved:
            look.gone.add(f"wp:{number}")
            memory.lose(number)
        elif answer.status == 200:  # perhaps out of a cache: its page is asked for again at each sweep
            look.problems.append(f"{link}: not in the site's list any more, but its page is there; it stays")
            memory.unlisted = [*(other for other in memory.unlisted if other != number), number]
            memory.missing.pop(number, None)

    async def _take_listed(self, memory: RestMemory, look: _Look, query: Mapping[str, str], *, now: datetime) -> int:
        """Reads whole posts; returns how many there were, with those that couldn't be read."""
        try:
            return await self._take(memory, look, query, now=now)
        except Unreadable:
            stamps = await self._stamps(memory.root, query)
            await self._take_all(memory, look, [number for number, _, _ in stamps], now=now)
            return len(stamps)

    async def _take_all(self, memory: RestMemory, look: _Look, numbers: Iterable[int], *, now: datetime) -> None:
        """Reads whole posts. A list that can't be read is halved, down to the post that is to blame.

        That one is asked for again at the next sweep, and so is what we had no halvings left for; but the first
        import wants all the others, for what it lacks would never come.
        """
        wanted = [str(number) for number in numbers if str(number) not in memory.unread]
        waiting = list(_chunks(wanted, _PAGE))
        while waiting:
            some = waiting.pop(0)
            try:
                await self._take(memory, look, {"include": ",".join(some), "per_page": str(_PAGE)}, now=now)
            except Unreadable as why:
                if len(some) > 1 and look.halvings:
                    look.halvings -= 1
                    waiting[:0] = _chunks(some, -(-len(some) // 2))
                elif len(some) > 1 and not memory.imported_at:
                    raise
                else:
                    memory.unread |= dict.fromkeys(some, str(why))

    async def _take(self, memory: RestMemory, look: _Look, query: Mapping[str, str], *, now: datetime) -> int:
        """Reads whole posts; returns how many records there were."""
        answer = await self._get(memory.root, {**query, "_embed": _EMBED, "_fields": _FIELDS})
        value = await parsed(self._jail, "syndicate.sources.read.rest:read_posts", answer)
        look.problems += value["problems"]
        wanted = []
        for post in value["posts"]:
            number = str(post["wp_id"])
            if self._is_fit(post, memory, look):
                if not post["body"]:
                    look.problems.append(f"{_name(post)}: without text; if it had one before, that one stays")
                wanted.append({**post, "language": self._config.language})  # records don't say it
                times = [post[name].removesuffix("Z") for name in ("updated", "published")]
                memory.posts[number] = [*times, post["link"] or memory.root]
                memory.gone = [other for other in memory.gone if other != number]
                memory.unlisted = [other for other in memory.unlisted if other != number]
        found, problems = found_articles(
            wanted, config=self._config, home=self._config.location, channel="rest", now=now
        )
        look.articles |= {one.key: one for one in found}
        look.problems += problems
        return len(value["posts"]) + len(value["problems"])

    def _is_fit(self, post: Mapping[str, Any], memory: RestMemory, look: _Look) -> bool:
        """A post we may take. One that got a password is gone; one from before the first import is no news."""
        number, name = str(post["wp_id"]), _name(post)
        if post["protected"]:
            if number in memory.posts:
                look.gone.add(f"wp:{number}")
                memory.lose(number)
            look.problems.append(f"{name}: left out, since its text is behind a password")
            return False
        if post["elsewhere"]:
            look.problems.append(f"{name}: left out, since the site says that it is a copy of {post['elsewhere']}")
            return False
        # Else the first import left it out.
        return memory.knows(number) or bool(post["published"] >= _stamp(instant(memory.imported_at)))

    async def _stamps(self, root: str, query: Mapping[str, str]) -> list[tuple[int, str, str]]:
        answer = await self._get(root, {**query, "_fields": _STAMP_FIELDS})
        value = await parsed(self._jail, "syndicate.sources.read.rest:read_stamps", answer)
        return [tuple(row) for row in value["posts"]]

    async def _get(self, root: str, query: Mapping[str, str]) -> Fetched:
        """One list of posts. Raises Closed when the API is shut, Trouble for what may pass."""
        headers = {"Accept": "application/json", "Accept-Language": self._config.language}
        robots = obeys_robots(self._config, page=False)
        address = _address(root, query)
        answer = whole(await self._client.fetch("GET", address, headers=headers, caps=REST_PAGE, obey_robots=robots))
        if not same_site(answer.url, root):
            raise Trouble(f"leads to another site, {answer.url}")
        return answer


def _address(root: str, query: Mapping[str, str]) -> str:
    """A list of posts. Plain sites answer at `/?rest_route=/`. A bare `+` would be a blank, so all is quoted."""
    asked = "&".join(f"{name}={quote(value, safe=',:')}" for name, value in query.items())
    return f"{root}wp/v2/posts{'&' if '?' in root else '?'}{asked}"


def _chunks(numbers: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (numbers[start : start + size] for start in range(0, len(numbers), size))


def _stamp(at: datetime) -> str:
    """UTC with `Z`: without a zone WordPress takes a time for the site's own (gather.md §2.2)."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"


def _latest(stamps: Iterable[str], now: datetime) -> str:
    """The highest time of modification; one from the future must not blind us to all that comes before it."""
    return _stamp(min(max((instant(stamp) for stamp in stamps if stamp), default=now), now))


def _name(post: Mapping[str, Any]) -> str:
    """In words for the operator."""
    return str(post["link"] or f"post {post['wp_id']}")


def _path(url: str) -> str:
    return urlsplit(url).path.rstrip("/")
