"""One entry of a feed as its own format has it: nothing decided, nothing cleaned."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RawPicture:
    """A picture that the entry names beside its text. Its address may be relative."""

    url: str
    mime_type: str = ""
    width: str = ""
    height: str = ""
    caption: str = ""
    credit: str = ""
    alt: str = ""


@dataclass(frozen=True, kw_only=True)
class RawEntry:
    """`summary` and `body` are HTML of any kind; `title` may hold tags unless `title_is_text`."""

    guid: str = ""
    link: str = ""
    title: str = ""
    title_is_text: bool = False
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    published: str = ""
    updated: str = ""
    language: str = ""
    summary: str = ""
    body: str = ""
    base: str = ""  # xml:base of the body
    picture: RawPicture | None = None


class Refused(Exception):
    """Not a document we read; the text says why. `wrong_type`: it is something else, such as a login page."""

    def __init__(self, why: str, *, wrong_type: bool = False) -> None:
        self.wrong_type = wrong_type
        super().__init__(why)
