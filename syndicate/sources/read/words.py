"""Text in markup: what no document may hold, and what newspapers write in ways of their own (datelines, credits)."""

import html
import re
import sys

from syndicate.domain.markup import excerpt, legal, plain_text

# "KOTA LINTANG, CONTOH POS – ", "MALANG POSCO MEDIA-": capitals, then a dash.
_DATELINE = re.compile(r"^([A-Z][A-Z .,()/'’]{2,60}?)\s?[–—-]{1,2}\s+")
_REFERENCE = re.compile(r"&#(?:[xX]([0-9a-fA-F]+)|([0-9]+));?")
_MOST_DIGITS = 7  # of a reference to a character that exists
_OPENING = 2000  # characters of HTML
_ENOUGH = 600  # characters; a summary is shorter
_SHORTEST_DATELINE = 4  # letters; "ASN – " begins a sentence
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
    head = markup if len(markup) <= _OPENING else markup[:_OPENING].rpartition("<")[0]
    return " ".join(plain_text(head).split())


def summarize(markup: str) -> str:
    """The first words of a story, without its dateline: readers know where their own paper sits."""
    text = opening(markup)
    hit = _DATELINE.match(text)
    if hit and sum(map(str.isalpha, hit[1])) >= _SHORTEST_DATELINE:
        text = text[hit.end() :]
    return excerpt(html.escape(text[:_ENOUGH]))


def credit_of(caption: str) -> str:
    """Whose picture it is, as newspapers write it at the end of a caption: "(PROKOPIM/MPM)", "(Foto: Antara)"."""
    hit = _CREDIT.search(caption)
    return _CREDIT_LABEL.sub("", hit[1]).strip() if hit else ""
