"""What WordPress does to the words of a post on their way out."""

import re
from html import unescape

_TAG = re.compile(r"(<!--.*?-->|<[^>]*>)", re.DOTALL)
_SILENT = re.compile(r"<(script|style)\b.*?</\1>", re.DOTALL | re.IGNORECASE)
_BLOCK = re.compile(r"<(?:p|div|figure|h[1-6]|ul|ol|blockquote|table|iframe)\b", re.IGNORECASE)
_BLOCK_END = re.compile(r"</(?:p|div|figure|h[1-6]|ul|ol|li|blockquote|table)>", re.IGNORECASE)
_EMOJI = re.compile("([\U0001f300-\U0001faff\u2600-\u27bf])\ufe0f?")
_MORE, _NEXT_PAGE = "<!--more-->", "<!--nextpage-->"
_NAMED = re.compile(r"&[A-Za-z]\w*;")
_CURLED = (
    (re.compile(r"&(?!#?\w+;)"), "&#038;"),
    (re.compile(r'(^|(?<=[\s(\[]))"(?=\S)'), "&#8220;"),
    (re.compile('"'), "&#8221;"),
    (re.compile(r"(^|(?<=[\s(\[]))'(?=\S)"), "&#8216;"),
    (re.compile("'"), "&#8217;"),
    (re.compile(r" --? "), " &#8211; "),
    (re.compile(r"\.\.\."), "&#8230;"),
)
EXCERPT_WORDS = 55
SEALED = "Tidak ada kutipan karena ini adalah tulisan yang dilindungi kata sandi."


def slugified(words: str) -> str:
    """As the editor makes a slug of a title."""
    return re.sub(r"[^a-z0-9]+", "-", unescape(plain(words)).lower()).strip("-")


def texturised(html: str) -> str:
    """wptexturize: typographic quotes and dashes as numeric entities; tags, scripts and code stay as they are."""
    parts, kept = _TAG.split(html), ""
    for number, part in enumerate(parts):
        if number % 2:
            kept = _code_around(part, kept)
        elif not kept:
            for pattern, entity in _CURLED:
                part = pattern.sub(entity, part)
            parts[number] = part
    return "".join(parts)


def _code_around(tag: str, kept: str) -> str:
    """The code element that what follows stands in, or nothing."""
    name = re.match(r"</?(script|style|pre|code)\b", tag, re.IGNORECASE)
    if name is None:
        return kept
    return "" if tag.startswith("</") else name[1]


def in_paragraphs(content: str) -> str:
    """wpautop: a text without blocks gets paragraphs at its blank lines."""
    if _BLOCK.search(content):
        return content if content.endswith("\n") else f"{content}\n"
    return "".join(f"<p>{part.strip()}</p>\n" for part in re.split(r"\n\s*\n", content) if part.strip())


def rendered(content: str) -> str:
    """The body as REST gives it: whole, its page breaks as comments."""
    return texturised(in_paragraphs(content))


def pages(content: str) -> list[str]:
    """The body, cut at its page breaks."""
    return rendered(content).split(_NEXT_PAGE)


def in_feed(content: str, post_id: int) -> str:
    """The body as feeds give it: the first page only, with pictures for emoji."""
    first = pages(content)[0].replace(_MORE, f'<span id="more-{post_id}"></span>')
    return _EMOJI.sub(_smiley, first).replace("]]>", "]]&gt;")


def _smiley(found: re.Match[str]) -> str:
    code = f"{ord(found[1]):x}"
    return (
        f'<img src="https://s.w.org/images/core/emoji/14.0.0/72x72/{code}.png" alt="{found[1]}" class="wp-smiley"'
        ' style="height: 1em; max-height: 1em;" />'
    )


def plain(html: str) -> str:
    """wp_strip_all_tags: nothing takes the place of a tag, so `</p><p>` glues two words."""
    return " ".join(_TAG.sub("", _SILENT.sub("", html)).split())


def excerpt(content: str, manual: str, *, beyond_more: bool = False) -> str:
    """What an editor wrote, or the first 55 words; feeds go on beyond the "more" mark, REST stops there."""
    if manual:
        return texturised(manual)
    first = pages(content)[0]
    shown = _BLOCK_END.sub(r"\g<0>\n", first if beyond_more else first.partition(_MORE)[0])  # wpautop does so
    words = plain(shown).split(" ")
    return " ".join(words[:EXCERPT_WORDS]) + (" [&hellip;]" if len(words) > EXCERPT_WORDS else "")


def numeric(text: str) -> str:
    """ent2ncr: XML knows no named entities."""
    return _NAMED.sub(lambda found: "".join(f"&#{ord(char)};" for char in unescape(found[0])), text)
