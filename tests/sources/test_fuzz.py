"""Whatever comes in, the readers answer and the sanitiser's promise holds."""

from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from syndicate.sources.read.addresses import absolute, canonical, web_address
from syndicate.sources.read.clean import clean
from syndicate.sources.read.dates import read_date
from syndicate.sources.read.parse import parse_feed
from syndicate.sources.read.story import StoryProblem, read_story
from tests.sources.test_clean import assert_only_allowed

WORDS = """
<p> </p> <div> </div> <b> </b> <a¶href=javascript:x> </a> <a¶href='//e'> <a¶href='/\\e'> <img¶src=x> <svg>
</svg> <img¶data-src=/y.jpg> <math> <style> </style> <script> </script> <noscript> </noscript> <template> <title>
</title> <textarea> <table> <tr> <td> </table> <figure> <figcaption> <iframe¶src=https://v.id/1> <form> <body>
</body> <html> <frameset> <blockquote¶data-instgrm-permalink=https://i.id/p> <!-- --> <![CDATA[ ]]> &lt; &amp;
&#0; &#x0b; &#65534 &#xD800; [caption¶a='b'] baca¶juga: teks <select> <option> < > "
"""
TAGS = """
<rss> </rss> <channel> </channel> <item> </item> <title> </title> <link> </link> <guid> <description> <pubDate> <entry>
</entry> <feed> <content¶type='xhtml'> <media:content¶url='x'> <dc:creator> & &amp; &nbsp; <![CDATA[ ]]> <?xml ?>
<!DOCTYPE
"""


def soup(words: str) -> st.SearchStrategy[str]:
    """Pieces in any order, with anything between them."""
    pieces = [word.replace("¶", " ") for word in words.split()]
    odd = st.sampled_from(["\x00", "\x0b", "\ud800", "\u202e"])
    return st.lists(st.sampled_from(pieces) | odd | st.text(max_size=5), max_size=40).map("".join)


MARKUP = soup(WORDS)
XML = soup(TAGS)
QUICK = settings(max_examples=100, deadline=None)


@QUICK
@given(MARKUP, st.sampled_from(["https://koran.id/a/", ""]))
def test_no_markup_gets_past_the_sanitiser(markup: str, base: str) -> None:
    assert_only_allowed(clean(markup, base=base).markup)


@QUICK
@given(MARKUP)
def test_what_is_clean_stays_as_it_is(markup: str) -> None:
    once = clean(markup, base="https://koran.id/a/").markup
    assert_only_allowed(clean(once, base="https://koran.id/a/").markup)


@QUICK
@given(XML | MARKUP)
def test_every_document_is_read_or_refused(text: str) -> None:
    options: dict[str, Any] = {"content_type": "", "url": "https://koran.id/feed"}
    for document in (text, f"<rss><channel><item>{text}</item></channel></rss>"):
        value, _ = parse_feed(document.encode("utf-8", "surrogatepass"), options)
        assert "refused" in value or "items" in value


@QUICK
@given(
    st.text(max_size=40)
    | st.from_regex(r"[0-9]{1,4}[-/. ][0-9A-Za-z]{1,4}[-/. ][0-9]{1,4}[T ][0-9:.]{1,9}[+-]?[0-9:]{0,5}")
)
def test_every_date_is_read_or_none(text: str) -> None:
    read_date(text, "Asia/Jakarta")


@QUICK
@given(st.text(max_size=40) | st.from_regex(r"https?:[/\\]{1,3}[a-z\[\]:.@]{0,9}[/?#][a-z=&%]{0,9}"))
def test_every_address_is_read_or_none(text: str) -> None:
    for base in ("", "https://koran.id/a/"):
        absolute(text, base)
        web_address(text, base)
    once = canonical(text)
    assert once is None or canonical(once) == once


@QUICK
@given(st.text(max_size=60), st.text(max_size=20))
def test_every_story_file_is_read_or_told(front: str, body: str) -> None:
    with suppress(StoryProblem):
        read_story(f"+++\n{front}\n+++\n{body}", zone="Asia/Jakarta")
