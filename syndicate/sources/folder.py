"""A newsroom that is a folder of story files: Markdown or HTML with TOML front matter, pictures beside them.

What is taken from the folder is what a person there did: an edit, a new name, a deletion. A folder that is gone or
suddenly (almost) empty is a broken disk, not a newsroom that withdraws everything.
"""

import asyncio
import hashlib
import json
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from syndicate.domain.article import Content, Picture
from syndicate.domain.source import FoundArticle, Gathered, Look, Media, Memory, SourceConfig
from syndicate.jail import Jail, JailFailure
from syndicate.sources.darkroom import develop, held
from syndicate.sources.read.addresses import web_address
from syndicate.sources.read.dates import choose_times
from syndicate.sources.read.disk import STORY_ENDINGS, Stamp, Unstable, read, scan
from syndicate.sources.read.removals import confirmation, looks_broken, removal_code, some
from syndicate.sources.read.story import Story, StoryProblem, read_story

_LARGEST_STORY = 1024 * 1024  # bytes
_LARGEST_PICTURE = 20 * 1024 * 1024  # bytes, architecture.md §8 "caps"
_SETTLED = 1.0  # seconds; a file younger than this may still be written
_CLOCKS_APART = 2.0  # seconds; a file may be younger than `now`, which was taken before we looked


@dataclass(frozen=True, kw_only=True)
class _Row:
    """What is remembered of one story file. `key` is "" for a file that never was a readable story."""

    stamp: str
    key: str = ""
    digest: str = ""
    image: str = ""  # path inside the folder
    image_stamp: str = ""  # "" while there is no such file
    problems: tuple[str, ...] = ()

    def to_text(self) -> str:
        """For the memory, which holds texts."""
        return json.dumps([self.stamp, self.key, self.digest, self.image, self.image_stamp, *self.problems])

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The opposite of `to_text`."""
        stamp, key, digest, image, image_stamp, *problems = json.loads(text)
        return cls(stamp=stamp, key=key, digest=digest, image=image, image_stamp=image_stamp, problems=tuple(problems))


@dataclass(frozen=True, kw_only=True)
class _Shown:
    """What became of a story's lead picture."""

    path: str = ""  # inside the folder
    picture: Picture | None = None
    media: tuple[Media, ...] = ()
    problem: str = ""


class _TryAgain(Exception):
    """Trouble that may pass by itself; the text says which."""


@dataclass(kw_only=True)
class _Look:
    """One look in the making."""

    files: Mapping[str, Stamp]
    old: Mapping[str, _Row]
    confirmed: str  # the operator's word on a mass loss, as a code
    new: dict[str, _Row] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)  # of the stories in `new`
    articles: list[FoundArticle] = field(default_factory=list)
    passing: list[str] = field(default_factory=list)  # problems that are not remembered, since we try again
    waiting: bool = False  # some file is left for the next look

    def keep(self, path: str, row: _Row) -> None:
        """This is how the file stands after this look."""
        self.new[path] = row
        if row.key:
            self.keys.add(row.key)

    def postpone(self, path: str) -> None:
        """Leave the file as it was known for the next look."""
        self.waiting = True
        if path in self.old:
            self.keep(path, self.old[path])

    def problems(self) -> tuple[str, ...]:
        return (*(line for row in self.new.values() for line in row.problems), *self.passing)


class FolderSource:
    """Story files in a folder. Cheap when nothing changed: names, sizes and times are compared, nothing is read."""

    def __init__(self, config: SourceConfig, jail: Jail) -> None:
        self._config = config
        self._jail = jail
        self._root = Path(config.location)
        self._settings = f"{config.zone} {config.language}"

    async def gather(self, memory: Memory, *, now: datetime) -> Gathered:
        """One look. Never raises for what is in the folder."""
        try:
            files = await asyncio.to_thread(scan, self._root)
        except OSError as why:
            return self._failed(f"can't be listed: {why.strerror}")
        look = _Look(files=files, old=_rows(memory), confirmed=memory.values.get("confirmed", ""))
        changed = self._sort_out(look, same_settings=memory.values.get("settings") == self._settings, now=now)
        for path in changed:
            await self._take(path, look, now=now)
        return self._conclude(look, unchanged=not changed)

    def _sort_out(self, look: _Look, *, same_settings: bool, now: datetime) -> list[str]:
        """Keeps the rows of unchanged files; returns the paths to read."""
        changed = []
        for path, stamp in look.files.items():
            if not path.endswith(STORY_ENDINGS):
                continue
            if not path.isprintable():
                look.passing.append(f"{path!a}:1: its name has characters that can't be written; rename the file")
                continue
            row = look.old.get(path)
            if row and same_settings and row.stamp == str(stamp) and row.image_stamp == _image_stamp(row.image, look):
                look.keep(path, row)
            elif _is_fresh(stamp, now):
                look.postpone(path)
            else:
                changed.append(path)
        return changed

    async def _take(self, path: str, look: _Look, *, now: datetime) -> None:
        """Reads one story file into the look: as an article, as a problem, or as something for the next look."""
        stamp = look.files[path]
        known = look.old.get(path, _Row(stamp=""))
        try:
            if stamp.size > _LARGEST_STORY:
                raise StoryProblem(1, "it is larger than 1 MiB; pictures go beside the story, not into it")
            raw = await self._bytes(path, stamp)
            story = read_story(_decoded(raw), zone=self._config.zone)
            if (key := story.id or path) in look.keys:
                raise StoryProblem(1, f"id {key!r} belongs to another file; each story needs an id of its own")
            article, row = await self._article(path, story, look, now=now)
        except Unstable:
            look.postpone(path)
        except StoryProblem as why:
            line = f"{path}:{why.line}: {why}"
            look.keep(path, replace(known, stamp=str(stamp), image="", image_stamp="", problems=(line,)))
        except _TryAgain as why:
            look.postpone(path)
            look.passing.append(f"{path}: {why}")
        else:
            look.articles.append(article)
            look.keep(path, replace(row, stamp=str(stamp), digest=_digest(raw)))

    async def _article(self, path: str, story: Story, look: _Look, *, now: datetime) -> tuple[FoundArticle, _Row]:
        problems = [f"{path}:{why.line}: {why}" for why in story.unknown]
        cleaned = await self._jail.call(
            "syndicate.sources.read.clean:clean_article",
            story.body.encode(),
            format="markdown" if path.endswith(".md") else "html",
            base=story.url or "",
        )
        if isinstance(cleaned, JailFailure):
            raise _TryAgain(f"its text could not be read ({cleaned.kind})")
        if cleaned.value["pictures_lost"]:
            problems.append(f"{path}:1: pictures inside the text need https:// addresses; only `image` may be a file")
        shown = await self._picture(path, story, look, now=now)
        problems += [f"{path}:1: {shown.problem}"] if shown.problem else []
        published, updated, flags = _times(story, look.files[path], now=now)
        content = Content(
            title=story.title,
            summary=story.summary or cleaned.value["summary"],
            body_html=cleaned.payload.decode(),
            published=published,
            updated=updated,
            url=story.url,
            authors=story.authors,
            sections=story.sections,
            tags=story.tags,
            language=story.language or self._config.language,
            picture=shown.picture,
            flags=(*flags, *cleaned.value["flags"]),
        )
        found = FoundArticle(
            key=story.id or path,
            content=content,
            aliases=(story.url,) if story.url else (),
            media=shown.media,
        )
        image_stamp = _image_stamp(shown.path, look)
        return found, _Row(stamp="", key=found.key, image=shown.path, image_stamp=image_stamp, problems=tuple(problems))

    async def _picture(self, path: str, story: Story, look: _Look, *, now: datetime) -> _Shown:
        """The lead picture. A bad one costs the story its picture, not its place."""
        if not story.image:
            return _Shown()
        words = Picture(alt=story.image_alt, caption=story.image_caption, credit=story.image_credit)
        if "://" in story.image:
            address = web_address(story.image, "")
            problem = "" if address else f"image {story.image!r} is no web address"
            return _Shown(picture=replace(words, url=address) if address else None, problem=problem)
        inside = _inside(path, story.image)
        stamp = look.files.get(inside)
        if stamp is None:
            return _Shown(path=inside, problem=f"image {story.image!r} is not in the folder; put the file there")
        if _is_fresh(stamp, now):
            raise Unstable
        if stamp.size > _LARGEST_PICTURE:
            return _Shown(path=inside, problem=f"image {story.image!r} is larger than 20 MiB")
        raw = await self._bytes(inside, stamp)
        made = await develop(self._jail, raw)
        if isinstance(made, str):
            return _Shown(path=inside, problem=f"image {story.image!r} can't be used: {made}")
        return _Shown(path=inside, picture=replace(words, **held(made)), media=made)

    def _conclude(self, look: _Look, *, unchanged: bool) -> Gathered:
        """What the look amounts to, once all files were read."""
        absent = {path: row for path, row in look.old.items() if path not in look.files and row.key}
        if absent and look.waiting:  # perhaps a new name for one of them is still being written
            for path, row in absent.items():
                look.keep(path, row)
            absent = {}
        moved = _moves(look, absent)
        known = {row.key for row in look.old.values() if row.key}
        gone = known - look.keys - moved.keys()
        if looks_broken(gone, known) and look.confirmed != (code := removal_code(gone)):
            paths = [path for path, row in look.old.items() if row.key in gone]
            return self._failed(
                f"lacks {len(gone)} of its {len(known)} stories all at once, so nothing was withdrawn ({some(paths)}). "
                f"If they were meant to go, run {confirmation(self._config.name, code)}"
            )
        if unchanged and look.new == look.old:
            return Gathered(look=Look.UNCHANGED, problems=look.problems())
        rows = {f"file:{path}": row.to_text() for path, row in look.new.items()}
        unused = {"confirmed": look.confirmed} if look.confirmed and not gone else {}
        return Gathered(
            look=Look.OK,
            articles=tuple(look.articles),
            gone=frozenset(gone),
            moved=moved,
            memory=Memory(values={"settings": self._settings, **unused, **rows}),
            problems=look.problems(),
        )

    async def _bytes(self, path: str, stamp: Stamp) -> bytes:
        try:
            return await asyncio.to_thread(read, self._root, path, stamp)
        except FileNotFoundError:
            raise Unstable from None
        except OSError as why:
            raise _TryAgain(f"it can't be read: {why.strerror}") from why

    def _failed(self, words: str) -> Gathered:
        return Gathered(look=Look.FAILED, problem=f"The folder {self._config.location} {words}.")


def _rows(memory: Memory) -> dict[str, _Row]:
    return {
        name.removeprefix("file:"): _Row.from_text(text)
        for name, text in memory.values.items()
        if name.startswith("file:")
    }


def _is_fresh(stamp: Stamp, now: datetime) -> bool:
    age = now.timestamp() - stamp.mtime_ns / 1e9
    return -_CLOCKS_APART < age < _SETTLED


def _image_stamp(image: str, look: _Look) -> str:
    return str(look.files[image]) if image in look.files else ""


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as why:
        line = raw.count(b"\n", 0, why.start) + 1
        raise StoryProblem(line, "it is not UTF-8; save it in that encoding") from None


def _digest(raw: bytes) -> str:
    return hashlib.blake2b(raw, digest_size=16).hexdigest()


def _inside(story: str, image: str) -> str:
    """The picture's path inside the folder: beside the story, or from the top when it begins with a slash.

    A path that leads out of the folder is none that `scan` ever lists.
    """
    return posixpath.normpath(posixpath.join("/", posixpath.dirname(story), image)).lstrip("/")


def _times(story: Story, stamp: Stamp, *, now: datetime) -> tuple[datetime, datetime, tuple[str, ...]]:
    """As for feeds, but a file that names no time is from when it was last written."""
    written = datetime.fromtimestamp(min(max(stamp.mtime_ns / 1e9, 0), now.timestamp()), tz=UTC)
    guess = () if story.published else ("date_guess",)
    published = story.published or written
    times = (published.isoformat(), (story.updated or published).isoformat())
    appeared, changed, flags = choose_times(*times, zone="UTC", now=now)
    return appeared, changed, (*guess, *flags)


def _moves(look: _Look, absent: Mapping[str, _Row]) -> dict[str, str]:
    """Old key → new key of stories whose file has another name, or whose front matter got (or lost) an `id`."""
    moved = {}
    for path, row in look.new.items():
        old = look.old.get(path)
        if old and old.key and row.key and old.key != row.key and path in (old.key, row.key):
            moved[old.key] = row.key
    by_digest: dict[str, list[str]] = {}
    for path, row in look.new.items():
        if path not in look.old and row.key:
            by_digest.setdefault(row.digest, []).append(row.key)
    still_here = look.keys
    for _, row in sorted(absent.items()):
        if row.key not in still_here and by_digest.get(row.digest):
            moved[row.key] = by_digest[row.digest].pop(0)
    return moved
