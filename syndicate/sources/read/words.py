"""Text in markup: what no document may hold, and what newspapers write in ways of their own (datelines, credits)."""

import html
import re
import sys
from collections.abc import Sequence

from syndicate.domain.markup import excerpt, legal, plain_text

_FIGURE = re.compile(r"<figure>.*?</figure>", re.DOTALL)
_DASH = re.compile(r"\s*[–—-]{1,2}\s+")
_LONGEST_DATELINE = 80  # characters
_DATELINE_LINES = 3  # a byline or a heading may stand above it
_PLACES = re.compile(r"\s*[,/|()]\s*")  # what stands between a place and a newspaper's name
_NAME = re.compile(r"[A-Z0-9][\w.'’&]*(?: [A-Z0-9][\w.'’&]*){0,4}")
_SITE_NAME = re.compile(r"[\w-]+(\.(co|com|id|net|org|news|tv|info)){1,2}", re.IGNORECASE)
_PLACE = r"[A-Z][\w .'’]{1,40}?"
_LABELS = re.compile(r"RALAT|KOREKSI|HAK JAWAB|UPDATE|BREAKING NEWS|VIDEO|FOTO|OPINI|INFOGRAFIS|ADVERTORIAL")
_VOWEL_SHARE = 0.25  # of letters; words that can be said have more, acronyms (RPJMD) less
_SIGN = re.compile(r"\(([^()\s][^()]{0,40})\)\.?$")
_SIGNS = re.compile(r"\s*[/&,]\s*")
_INITIALS = re.compile(r"\*{1,3}|[a-z]{2,5}\d{0,2}|[A-Z]{1,2}-\d{1,2}|[a-z]{1,3}-?\d{1,2}")
_INITIALS_BESIDE = re.compile(rf"{_INITIALS.pattern}|[A-Z][A-Za-z]{{1,3}}")  # "(Ant/rex)": an agency and a reporter
_LONGEST_SINGLE = 4  # letters; "(habis)" is no one's initials
_NO_INITIALS = frozenset({"foto", "dll", "dsb", "dst"})
_SENTENCE_END = (".", "?", "!", "…", "”", '"', "’", "'", ")", "*")
_UNDERNEATH = re.compile(
    r"(https?://\S+|(editor|penulis|pewarta|reporter|foto|sumber|pemeriksa)\s*:.{0,80})$", re.IGNORECASE
)
_LAST_LINES = 4
_SMALL_WORDS = {
    "id": "yang dan di dari dengan untuk pada ini itu dalam tidak akan oleh juga adalah ke para telah sudah kata karena"
    " bisa ada atau saat kalau lebih kami mereka hingga setelah menjadi mengatakan tersebut",
    "en": "the and of to in is that for was with on as it by from are this be at has had have were but not said they we"
    " his their which after an or will who",
}
_SURE_WORDS, _SURE_TIMES = 8, 4
_REFERENCE = re.compile(r"&#(?:[xX]([0-9a-fA-F]+)|([0-9]+));?")
_MOST_DIGITS = 7  # of a reference to a character that exists
_OPENING = 2000  # characters of HTML
_ENOUGH = 600  # characters; a summary is shorter
_CREDIT = re.compile(
    r"\(\s*((?:foto|photo|dok)\b[^()]{0,60}|[^()]{1,40}/[^()]{1,40}|ist|istimewa)\s*\)\s*$", re.IGNORECASE
)
_CREDIT_LABEL = re.compile(r"^(foto|photo)\s*:\s*", re.IGNORECASE)


def without_illegal(markup: str) -> str:
    """Without characters that XML forbids, also where they are written as references (`&#11;`, `&#xD800;`)."""
    return _REFERENCE.sub(_legal_reference, legal(markup))


def _legal_reference(hit: re.Match[str]) -> str:
    digits, base = (hit[1], 16) if hit[1] else (hit[2], 10)
    number = int(digits.lstrip("0")[: _MOST_DIGITS + 1] or "0", base)
    return hit[0] if number <= sys.maxunicode and legal(chr(number)) else ""


def paragraphs(text: str) -> str:
    """Plain text as HTML: a paragraph for each run of lines."""
    runs = re.split(r"\n\s*\n", text.replace("\r\n", "\n").strip())
    return "".join(f"<p>{html.escape(run, quote=False).replace(chr(10), '<br>')}</p>" for run in runs if run.strip())


def opening(markup: str) -> str:
    """The text that a story begins with, on one line; long stories are not read to their end for it."""
    return " ".join(_first_lines(markup))


def _first_lines(markup: str) -> list[str]:
    """A line for each block; what stands under a picture is no part of the story."""
    head = markup if len(markup) <= _OPENING else markup[:_OPENING].rpartition("<")[0]
    return plain_text(_FIGURE.sub("", head)).split("\n")


def summarize(markup: str, outlets: Sequence[str] = ()) -> str:
    """The first words of a story after its dateline and what stands above it: readers know where their paper sits."""
    lines = _first_lines(markup)
    place = _find_dateline(lines, outlets)
    text = " ".join([lines[place[0]][place[1] :], *lines[place[0] + 1 :]] if place else lines)
    return excerpt(html.escape(text[:_ENOUGH]))


def dateline_of(markup: str, outlets: Sequence[str] = ()) -> str:
    """Where a story was written, as newspapers put it before a dash at the top: "MALANG POSCO MEDIA, MALANG".

    `outlets` are names of newspapers in any case; without them only capitals and names of sites are known for one.
    """
    lines = _first_lines(markup)
    place = _find_dateline(lines, outlets)
    return lines[place[0]][: place[1]].rstrip(" –—-") if place else ""


def _find_dateline(lines: Sequence[str], outlets: Sequence[str]) -> tuple[int, int] | None:
    """Which line bears it, and where in that line it ends."""
    ends = ((number, _dateline_end(line, outlets)) for number, line in enumerate(lines[:_DATELINE_LINES]))
    return next(((number, end) for number, end in ends if end), None)


def _dateline_end(line: str, outlets: Sequence[str]) -> int:
    """How many characters of the line are its dateline with the dash, 0 for none."""
    for outlet in outlets:
        name = rf"(?:{_PLACE}(?:, ?| ?\())?(?i:{re.escape(outlet)})\)?(?:(?:, ?| ?\(){_PLACE}\)?)?"
        if hit := re.match(rf"{name}\s*[–—-]{{1,2}}\s*", line[: _LONGEST_DATELINE + len(outlet)]):
            return hit.end()
    dash = _DASH.search(line, 0, _LONGEST_DATELINE)
    return dash.end() if dash and _is_dateline(line[: dash.start()]) else 0


def _is_dateline(head: str) -> bool:
    """Names only, one of them in capitals or a site's: "Malang (ANTARA)", "TEMPO.CO, Jakarta", but not "ASN"."""
    names = [name for name in _PLACES.split(head) if name]
    if not all(_NAME.fullmatch(name) or _SITE_NAME.fullmatch(name) for name in names) or _LABELS.fullmatch(head):
        return False
    return any(_SITE_NAME.fullmatch(name) or _is_said_in_capitals(name) for name in names)


def _is_said_in_capitals(name: str) -> bool:
    parts = name.split()
    shortest = 5 if len(parts) == 1 else 4
    return name.isupper() and any(len(part) >= shortest and _vowel_share(part) >= _VOWEL_SHARE for part in parts)


def _vowel_share(word: str) -> float:
    return sum(letter in "AEIOU" for letter in word) / len(word)


def initials_of(markup: str) -> tuple[str, ...]:
    """Who wrote and edited a story, from its very end: "(rex/aim)", "(E-2)", "(*)"; not "(17/5)" or "(BUMD)"."""
    tail = markup if len(markup) <= _OPENING else markup[-_OPENING:].partition(">")[2]
    lines = plain_text(_FIGURE.sub("", tail)).split("\n")[-_LAST_LINES:]
    last = next((line for line in reversed(lines) if not _UNDERNEATH.match(line)), "")
    hit = _SIGN.search(last)
    if hit is None:
        return ()
    signs = tuple(_SIGNS.split(hit[1].strip()))
    known = _are_initials(signs) if len(signs) > 1 else _is_single(signs[0], after=last[: hit.start()].rstrip())
    return signs if known else ()


def _are_initials(signs: Sequence[str]) -> bool:
    return all(map(_INITIALS_BESIDE.fullmatch, signs)) and any(map(_INITIALS.fullmatch, signs))


def _is_single(sign: str, *, after: str) -> bool:
    """One sign alone is only sure after the end of a sentence."""
    short = _INITIALS.fullmatch(sign) and len(sign) <= _LONGEST_SINGLE and sign not in _NO_INITIALS
    return bool(short) and (not after or after.endswith(_SENTENCE_END))


def credit_of(caption: str) -> str:
    """Whose picture it is, as newspapers write it at the end of a caption: "(PROKOPIM/MPM)", "(Foto: Antara)"."""
    hit = _CREDIT.search(caption)
    return _CREDIT_LABEL.sub("", hit[1]).strip() if hit else ""


def language_of(text: str) -> str:
    """ "id" or "en" by the small words of the text, "" when neither is sure."""
    found = text[:_OPENING].casefold().split()
    counts = {language: sum(map(found.count, small.split())) for language, small in _SMALL_WORDS.items()}
    first, second = sorted(counts, key=lambda language: counts[language], reverse=True)
    return first if counts[first] >= max(_SURE_WORDS, _SURE_TIMES * counts[second]) else ""
