"""Our own words: each is said in both shipped languages and used; a language more is one file that can do no harm."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from syndicate.domain.phrases import Key, Phrases
from syndicate.errors import ConfigError
from syndicate.formats.catalogues import PLACES, load_phrases
from syndicate.formats.dates import clock_time, day_month, long_date, short_date
from syndicate.formats.digest import render
from syndicate.formats.template_words import words_of
from tests.browser.mails import LETTER, make_view, stories
from tests.browser.mails import TEMPLATES as MAIL_TEMPLATES
from tests.formats.samples import SITE, T0
from tests.phrases import LOCALE, PHRASES

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = {"page": ("web",), "mail": ("mail", "digest")}
HOSTILE = ["<script>alert(1)</script>", '"><img src=x>', "{site}", "{0.__class__}", "&amp;"]
POLISH = ROOT / "tests" / "locale" / "pl.po"
HEAD = 'msgid ""\nmsgstr ""\n"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n\n'


def with_own(folder: Path, name: str, text: str) -> Phrases:
    """The phrases of a paper that has a file of its own."""
    (folder / name).write_text(text, "utf-8")
    return load_phrases((folder, LOCALE))


def entry(place: str, name: str, text: str) -> str:
    return f'msgctxt "{place}"\nmsgid "{name}"\nmsgstr "{text}"\n\n'


@pytest.fixture
def three(tmp_path: Path) -> Phrases:
    """The shipped languages and Polish."""
    return with_own(tmp_path, "pl.po", POLISH.read_text("utf-8"))


# ── the shipped ones ─────────────────────────────────────────────────────────────────────────────────────────────────


def source(place: str) -> str:
    """Everything that can use a phrase of a place."""
    files = [file for folder in TEMPLATES.get(place, ()) for file in (ROOT / "templates" / folder).rglob("*.j2")]
    return "\n".join(file.read_text("utf-8") for file in (*files, *(ROOT / "syndicate").rglob("*.py")))


def used(text: str, place: str) -> Iterator[str]:
    """The names that are written out. Of the code only those in quotes: it says `words.NAME` of other things too."""
    yield from re.findall(r"\bwords\[[\"'](\w+)[\"']\]", text)
    for folder in TEMPLATES.get(place, ()):
        for file in (ROOT / "templates" / folder).rglob("*.j2"):
            yield from re.findall(r"(?<!consent\.)\bwords\.(\w+)", file.read_text("utf-8"))


def is_put_together(name: str, text: str) -> bool:
    """Names such as `words["role_" ~ account.role]` and `words[problem ~ "_about"]`: both halves are in the source."""
    ends = {end for end in re.findall(r"~ \"(_\w+)\"\]", text) if name.endswith(end)}
    begins = {begin for begin in re.findall(r"words\[\"(\w+_)\" ~", text) if name.startswith(begin)}
    parts = {name, *(name.removesuffix(end) for end in ends), *(name.removeprefix(begin) for begin in begins)}
    return any(re.search(rf"[\"']{part}[\"']|\b{part.upper()} = ", text) for part in parts)  # or a kind's name


def test_every_phrase_is_said_in_both_languages() -> None:
    assert PHRASES.languages == ("id", "en")
    assert {language: PHRASES.missing(language) | PHRASES.idle(language) for language in PHRASES.languages} == {
        "id": frozenset(),
        "en": frozenset(),
    }


@pytest.mark.parametrize("place", ["page", "mail", "feed"])
def test_every_phrase_that_is_used_exists_and_none_is_unused(place: str) -> None:
    text, words = source(place), PHRASES.words("en", place)
    everywhere = {name for each in PLACES for name in PHRASES.words("en", each)}

    written = set(used(text, place))
    idle = {name for name in words if name not in written and not is_put_together(name, text)}

    assert written - everywhere == set()
    assert idle == set()


@pytest.mark.parametrize("place", ["page", "mail"])
def test_a_template_uses_words_of_its_own_place(place: str) -> None:
    missing = set(used("", place)) - set(PHRASES.words("en", place))

    assert missing == set()


def test_no_name_hides_what_a_template_asks_a_table_for() -> None:
    """Jinja looks at attributes first: `words.items` would be a method."""
    assert [name for place in PLACES for name in PHRASES.words("en", place) if hasattr(dict, name)] == []


def test_a_phrase_is_on_one_line() -> None:
    for file in LOCALE.glob("*.po"):
        _, *entries = re.split(r"^msgctxt ", file.read_text("utf-8"), flags=re.MULTILINE)
        assert [one for one in entries if re.search(r'\n"', one)] == [], file.name


# ── one language more ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_language_is_one_file(three: Phrases) -> None:
    assert three.languages == ("id", "en", "pl")
    assert [three.own_name(each) for each in three.languages] == ["Bahasa Indonesia", "English", "Polski"]
    assert three.words("pl", "page")["skip"] == "Przejdź do treści"


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (1, "I jeszcze jeden artykuł."),
        (3, "I jeszcze 3 artykuły."),
        (22, "I jeszcze 22 artykuły."),
        (25, "I jeszcze 25 artykułów."),
        (12345, "I jeszcze 12\u00a0345 artykułów."),
    ],
)
def test_a_number_chooses_the_form_and_is_written_as_the_language_writes_it(
    three: Phrases, count: int, said: str
) -> None:
    assert three.words("pl", "mail")["left_out"].format(count=count) == said


def test_a_phrase_that_a_language_lacks_is_said_in_english_then_in_indonesian(tmp_path: Path) -> None:
    phrases = with_own(tmp_path, "id.po", entry("mail", "greeting", "Selamat pagi"))
    phrases = with_own(tmp_path, "pl.po", POLISH.read_text("utf-8"))

    polish = {**phrases.words("pl", "page"), **phrases.words("pl", "mail")}

    assert polish["newsletters"] == "Newsletters", "left empty"
    assert polish["editions"] == "Editions", "marked fuzzy"
    assert polish["greeting"] == "Selamat pagi"
    assert {("page", "newsletters"), ("page", "editions")} <= phrases.missing("pl")
    assert phrases.idle("id") == {("mail", "greeting")}


def test_a_file_of_one_s_own_changes_single_phrases_and_leaves_the_rest(tmp_path: Path) -> None:
    phrases = with_own(tmp_path, "id.po", entry("page", "skip", "Lompat ke isi"))

    assert phrases.words("id", "page")["skip"] == "Lompat ke isi"
    assert phrases.words("id", "page")["feeds"] == PHRASES.words("id", "page")["feeds"]
    assert phrases.own_name("id") == "Bahasa Indonesia"


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("en-GB", "en"),
        ("EN", "en"),
        ("in", "id"),
        ("in-ID", "id"),
        ("pl-PL", "pl"),
        ("jv", "id"),
        ("", "id"),
        ("*", "id"),
    ],
)
def test_a_tag_finds_the_nearest_catalogue(three: Phrases, tag: str, language: str) -> None:
    assert three.language_for(tag) == language


def test_a_regional_tag_comes_before_its_language(tmp_path: Path) -> None:
    phrases = with_own(tmp_path, "pt-BR.po", HEAD + entry("page", "skip", "Ir para o conteúdo"))

    assert (phrases.known("pt-br"), phrases.known("pt-BR-x"), phrases.known("pt")) == ("pt-BR", "pt-BR", None)
    assert short_date(T0, zone="UTC", language="pt-BR") == "23 de novembro de 2026"


@pytest.mark.parametrize(
    ("language", "written"),
    [
        ("id", ("Senin, 23 November 2026", "23 November 2026", "23 November", "07.15 WIB")),
        ("en", ("Monday, 23 November 2026", "23 November 2026", "23 November", "07:15 WIB")),
        ("pl", ("poniedziałek, 23 listopada 2026", "23 listopada 2026", "23 listopada", "07:15 WIB")),
        ("jv", ("Senin, 23 November 2026", "23 November 2026", "23 November", "07:15 WIB")),
        ("de", ("Montag, 23. November 2026", "23. November 2026", "23. November", "07:15 WIB")),
    ],
)
def test_dates_are_written_as_the_language_writes_them(language: str, written: tuple[str, ...]) -> None:
    told = tuple(
        write(T0, zone="Asia/Jakarta", language=language) for write in (long_date, short_date, day_month, clock_time)
    )

    assert told == written


# ── what can't do harm ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (entry("page", "to_site", "Otwórz {sito}"), 'line 6: "to_site" must have {site}, and has {sito}'),
        (entry("page", "to_site", "Otwórz"), 'line 6: "to_site" must have {site}, and has none'),
        (entry("page", "skip", "{site.phrases}"), "names alone in braces"),
        (entry("page", "to_site", "{site!r}"), "names alone in braces"),
        (entry("page", "to_site", "{0}"), "names alone in braces"),
        (entry("page", "to_site", "{site:>99999999}"), "names alone in braces"),
        (entry("page", "skip", "a { b"), "without its other half"),
        (entry("page", "skip", "a") + entry("page", "skip", "b"), 'line 10: "skip" of "page" stands on line 6 already'),
        (entry("strona", "skip", "a"), 'write msgctxt "page", "mail", "feed" or "consent"'),
        ('msgid "skip"\nmsgstr "a"\n', 'write msgctxt "page", "mail", "feed" or "consent"'),
        (entry("consent", "new", "{site}"), "no version of a consent"),
        ('msgctxt "page"\nmsgid "skip"\nmsgid_plural "skip"\nmsgstr[0] "a"\nmsgstr[1] "b"\n', "counts nothing"),
        ('msgctxt "mail"\nmsgid "left_out"\nmsgid_plural "left_out"\nmsgstr[0] "{count}"\n', "all its 2 forms"),
        ('msgctxt "page"\nmsgid "skip"\nmsgstr "a\n', "line 7: "),
        ("nonsense\n", "line 5: "),
    ],
)
def test_what_a_translator_got_wrong_is_told_with_file_line_and_cure(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as told:
        with_own(tmp_path, "pl.po", HEAD + text)

    assert f"{tmp_path / 'pl.po'}: " in str(told.value)
    assert said in str(told.value)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("xx.po", HEAD, "no language that CLDR knows"),
        ("klingon.po", HEAD, "no language that CLDR knows"),
        ("pl.po", HEAD.replace("Plural", 'Language: de\\n"\n"Plural'), 'says "Language: de"'),
        ("pl.po", HEAD.replace("(n != 1)", "n"), "a form beyond its nplurals=2"),
        ("pl.po", HEAD.replace("(n != 1)", "__import__"), "Plural-Forms can't be read"),
        ("pl.po", HEAD.replace("(n != 1)", "1/0"), "Plural-Forms can't be read"),
        ("pl.po", HEAD.replace("nplurals=2", "nplurals=many"), "write its head as in en.po"),
    ],
)
def test_a_file_that_can_t_be_used_as_a_whole_is_told(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        with_own(tmp_path, name, text)


def test_all_flaws_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "de.po").write_text(HEAD + entry("page", "skip", "{") + entry("page", "feeds", "}"), "utf-8")

    with pytest.raises(ConfigError) as told:
        with_own(tmp_path, "pl.po", HEAD + entry("page", "skip", "{"))

    assert [Path(one.file).name for one in told.value.problems] == ["de.po", "de.po", "pl.po"]


def test_a_file_that_isn_t_in_utf_8_is_told(tmp_path: Path) -> None:
    (tmp_path / "pl.po").write_bytes((HEAD + entry("page", "skip", "Przejdź")).encode("latin2"))

    with pytest.raises(ConfigError, match="not in UTF-8"):
        load_phrases((tmp_path, LOCALE))


@pytest.mark.parametrize(("name", "version"), [("en.po", "1"), ("id.po", "1"), ("en.po", "2")])
def test_what_people_agreed_to_can_t_be_said_otherwise(tmp_path: Path, name: str, version: str) -> None:
    with pytest.raises(ConfigError, match="which stays as it is"):
        with_own(tmp_path, name, entry("consent", version, "Semua boleh, {site}."))


def test_a_file_that_has_changed_is_read_again(tmp_path: Path) -> None:
    with_own(tmp_path, "pl.po", HEAD + entry("page", "skip", "Przejdź"))

    phrases = with_own(tmp_path, "pl.po", HEAD + entry("page", "skip", "Przejdź dalej"))

    assert phrases.words("pl", "page")["skip"] == "Przejdź dalej"


def test_other_words_give_kept_fragments_another_name(tmp_path: Path) -> None:
    feed = with_own(tmp_path, "id.po", entry("feed", "withdrawn", "Ditarik {date}."))
    page = with_own(tmp_path, "id.po", entry("page", "skip", "Lompat"))

    assert feed.fingerprint("feed") != PHRASES.fingerprint("feed")
    assert page.fingerprint("feed") == PHRASES.fingerprint("feed")


_NAMED: list[tuple[str, Key]] = [
    (language, (place, name))
    for language in PHRASES.languages
    for place in PLACES
    for name, phrase in PHRASES.words(language, place).items()
    if phrase.placeholders - {"count"}
]


@given(
    where=st.sampled_from(_NAMED),
    value=st.text(max_size=40)
    | st.sampled_from(["<script>alert(1)</script>", '"><img src=x>', "{site}", "{0.__class__}", "&amp;"]),
)
def test_a_value_in_a_phrase_is_escaped_whatever_it_is(where: tuple[str, Key], value: str) -> None:
    language, (place, name) = where
    phrase = PHRASES.words(language, place)[name]
    values = {one: 7 if one == "count" else f"[{value}]" for one in phrase.placeholders}
    page = Environment(autoescape=True).from_string("{{ phrase.format(**values) }}")
    plain = Environment(autoescape=True).from_string("{{ value }}")

    shown = page.render(phrase=phrase, values=values)

    assert plain.render(value=f"[{value}]") in shown
    assert "<" not in shown
    assert '"' not in shown


# ── words of one template ────────────────────────────────────────────────────────────────────────────────────────────


def own_words(folder: Path, phrases: Phrases, text: str, language: str) -> dict[str, str]:
    (folder / "words.toml").write_text(text, "utf-8")
    return {name: str(phrase) for name, phrase in words_of((folder,), phrases, language).items()}


def test_a_template_s_own_words_come_before_those_of_all_mails(three: Phrases, tmp_path: Path) -> None:
    text = '[id]\nread = "Simak"\n[en]\nread = "Go on"\nhello = "Good morning"\n[pl]\nread = "Dalej"\n'

    words = own_words(tmp_path, three, text, "pl")

    assert (words["read"], words["hello"], words["unsubscribe"]) == ("Dalej", "Good morning", "Wypisz się")


def test_a_template_s_own_word_may_leave_a_placeholder_out(tmp_path: Path) -> None:
    assert own_words(tmp_path, PHRASES, '[id]\nwhy = "Anda pelanggan."\n', "id")["why"] == "Anda pelanggan."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[id]\nwhy = "{sites}"\n', "[id] why: {sites} is nothing that can be filled in here; write {site}, {title}"),
        ('[id]\nread = "{site}"\n', "[id] read: {site} is nothing that can be filled in here; write no braces"),
        ('[id]\nhello = "{site.title}"\n', "[id] hello: has something in braces that is no name"),
        ("[id]\nread = 7\n", "[id] read: is no text"),
        ('[xx]\nread = "x"\n', "[xx]: no catalogue is of this language; write one of id, en"),
        ('read = "x"\n', "[read]: no catalogue"),
        ("[id\n", "words.toml: "),
    ],
)
def test_a_flaw_in_a_template_s_words_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as told:
        own_words(tmp_path, PHRASES, text, "id")

    assert said in str(told.value)


def test_a_digest_speaks_a_language_that_was_added(three: Phrases) -> None:
    letter = replace(LETTER, language="pl")
    view = make_view("sections", told=stories())

    mail = render(replace(view, site=replace(SITE, phrases=three), newsletter=letter, left_out_count=3), MAIL_TEMPLATES)

    for part in (mail.html, mail.text):
        assert "wtorek, 24 listopada 2026" in part
        assert "I jeszcze 3 artykuły." in part
        assert "Wypisz się" in part
    assert '<html lang="pl"' in mail.html
