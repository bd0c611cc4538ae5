"""Configuration: the shipped files work, every fault is named at its key with a cure, and keys stay secret."""

import base64
import json
import os
import re
import shutil
import stat
import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syndicate.domain.look import contrast
from syndicate.domain.slot import Interval, WallTimes, parse_schedule
from syndicate.errors import ConfigError
from syndicate.settings import (
    Settings,
    assets,
    create_keys,
    create_sample_secret,
    init_text,
    load,
    load_keyring,
    prepare_keys,
)
from syndicate.settings.tables import MailChannel, ReceiptsTable, RemoteSource, SourceTable, Table
from syndicate.settings.whole import TABLES, keys_of
from tests.factories import make_article

ROOT = Path(__file__).resolve().parents[1]
CANARY = "kenari-9b2d"
WEBHOOK = "whsec_" + base64.b64encode(bytes(range(32))).decode()
ENVIRON = {
    "SYNDICATE_RELAY_PASSWORD": CANARY,
    "SYNDICATE_RECEIPTS_PASSWORD": CANARY,
    "SYNDICATE_METRICS_KEY": CANARY * 4,
    "SYNDICATE_MAILGUN_KEY": CANARY,
    "SYNDICATE_MAILGUN_WEBHOOK_KEY": CANARY,
    "SYNDICATE_PORTAL_WARGA_SECRET": WEBHOOK,
    "SYNDICATE_STORE": f"postgresql://syndicate:{CANARY}@db.contohpos.example/syndicate",
}
SITE = '[site]\ntitle = "Contoh Pos"\nurl = "https://contohpos.example"\n'
WEB = '[web]\npublic_url = "http://127.0.0.1:8080"\n'
OUTBOX = '[channels.outbox]\nkind = "maildir"\npath = "var/outbox"\n'
HEADINGS = {
    "": "The top of the file",
    "sources.folder": '`[[sources]]` with `kind = "folder"`',
    "sources.feed": '`[[sources]]` with `kind = "feed"`',
    "sources.wordpress": '`[[sources]]` with `kind = "wordpress"`',
    "sources.page": '`[[sources]]` with `kind = "page"`',
    "channels.smtp": '`[channels.NAME]` with `kind = "smtp"`',
    "channels.mailgun": '`[channels.NAME]` with `kind = "mailgun"`',
    "channels.maildir": '`[channels.NAME]` with `kind = "maildir"`',
    "receipts.maildir": '`[[receipts]]` with `kind = "maildir"`',
    "receipts.imap": '`[[receipts]]` with `kind = "imap"`',
    "select": "`select`",
    "exclude": "`exclude`",
    "dark": "`[look.dark]`",
    "logo": "`[look.logo]`",
    "sponsor": "`[newsletters.sponsor]`",
    "picture": "`[newsletters.sponsor.picture]`",
} | {name: f"`[[{name}]]`" for name in ("feeds", "newsletters", "partners", "endpoints")}


def newsletter(**keys: str) -> str:
    """A newsletter with some keys written otherwise; values are TOML."""
    lines = {
        "name": '"pagi"',
        "title": '"Pagi"',
        "schedule": '"06:00"',
        "from": '"Contoh Pos <pagi@contohpos.example>"',
        "channel": '"outbox"',
    } | keys
    return "[[newsletters]]\n" + "\n".join(f"{key} = {value}" for key, value in lines.items()) + "\n"


def load_text(tmp_path: Path, *parts: str, top: str = "", environ: Mapping[str, str] = ENVIRON) -> Settings:
    """A file of these parts, in tmp_path/config."""
    file = tmp_path / "config" / "syndicate.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(top + "\n" + "\n".join(parts), "utf-8")
    return load(None, cwd=tmp_path, environ=environ)


def problems_of(tmp_path: Path, *parts: str, top: str = "") -> tuple[str, ...]:
    """What is said about a file with faults."""
    with pytest.raises(ConfigError) as caught:
        load_text(tmp_path, *parts, top=top)
    return tuple(map(str, caught.value.problems))


# ── the shipped files ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_shipped_configuration_is_the_complete_sample(tmp_path: Path) -> None:
    (tmp_path / "syndicate.toml").write_text(assets("config/syndicate.toml").read_text("utf-8"), "utf-8")
    prepare_keys(None, cwd=tmp_path)

    settings = load(None, cwd=tmp_path, environ={})

    (source,) = settings.sources()
    assert source.location == str(assets("sample/newsroom"))
    assert Path(source.location).is_dir()
    assert (source.every, source.first_import_mail) == (timedelta(seconds=3), True)
    assert settings.sample
    assert settings.web.outbox
    assert settings.newsletters()[0].schedule == Interval(every=timedelta(minutes=1))
    assert {feed.name for feed in settings.feeds() if feed.partners} == {"mitra"}
    assert len(settings.endpoints()[0].secrets[0]) == 32
    assert load_keyring(settings.keys).pepper


def test_every_section_of_the_sample_newsroom_has_a_feed() -> None:
    config = tomllib.loads(assets("config/syndicate.toml").read_text("utf-8"))
    sections = {folder.name for folder in assets("sample/newsroom").iterdir() if folder.is_dir()}
    assert sections <= {feed["name"] for feed in config["feeds"]}


def test_a_newsletter_s_look_is_the_house_s_but_for_what_it_writes_itself(tmp_path: Path) -> None:
    house = (
        '[look]\naccent = "#0b4f7d"\nfooter = "Jalan Merdeka 12\\n\\n Kota Lintang "\n[look.dark]\nquiet = "#cccccc"\n'
    )
    own = newsletter(look='{ accent = "#6B3FA0", dark = { accent = "#c3a6e8" } }')
    other = newsletter(name='"sore"')

    mine, plain = (one.look for one in load_text(tmp_path, SITE, WEB, OUTBOX, house, own, other).newsletters())

    assert (mine.light.accent, mine.dark.accent, mine.dark.quiet) == ("#6b3fa0", "#c3a6e8", "#cccccc")
    assert mine.footer == plain.footer == ("Jalan Merdeka 12", "Kota Lintang")
    assert plain.light.accent == "#0b4f7d"
    assert contrast(plain.dark.accent, plain.dark.paper) >= 4.5


def test_a_newsletter_s_colours_are_judged_on_the_house_s_grounds(tmp_path: Path) -> None:
    house = '[look]\npaper = "#e0e8e0"\n'
    (problem,) = problems_of(tmp_path, SITE, WEB, OUTBOX, house, newsletter(look='{ accent = "#b05050" }'))
    assert "accent #b05050 on paper #e0e8e0" in problem


def test_a_template_of_one_s_own_lies_beside_the_configuration(tmp_path: Path) -> None:
    shutil.copytree(assets("templates/digest/briefing"), tmp_path / "templates/digest/mine")
    settings = load_text(tmp_path, SITE, WEB, OUTBOX, newsletter(template='"mine"'))
    assert settings.newsletters()[0].template == "mine"
    assert settings.templates == tmp_path / "templates"


@pytest.mark.parametrize("name", ["newspaper", "postgres"])
def test_an_example_loads(name: str) -> None:
    settings = load(ROOT / f"config/examples/{name}.toml", cwd=ROOT, environ=ENVIRON)
    assert settings.newsletters()
    assert settings.mail_channels()[0].kind == "smtp"


def written_keys(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(name in TABLES, key) of all that a file has."""
    for key, value in data.items():
        yield "", key
        tables = value.values() if key == "channels" else value if isinstance(value, list) else [value]
        for table in (t for t in tables if isinstance(t, dict)):
            section = f"{key}.{table['kind']}" if key in ("sources", "channels", "receipts") else key
            yield from ((section, inner) for inner in table)
            yield from nested_keys(table)


def nested_keys(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(name in TABLES, key) of all in the tables below a table."""
    for key, value in table.items():
        if isinstance(value, dict) and key not in ("rules", "per_domain"):
            yield from ((key, inner) for inner in value)
            yield from nested_keys(value)


def test_the_newspaper_example_has_every_key() -> None:
    example = tomllib.loads((ROOT / "config/examples/newspaper.toml").read_text("utf-8"))
    every = {(name, key) for name, table in TABLES.items() for key in keys_of(table)}
    assert every == set(written_keys(example))


def test_no_table_of_the_model_is_left_out_of_the_list_of_tables() -> None:
    def subclasses(table: type[Table]) -> set[type[Table]]:
        return {sub for direct in table.__subclasses__() for sub in {direct, *subclasses(direct)}}

    shared = {SourceTable, RemoteSource, MailChannel, ReceiptsTable}  # what all of a kind have
    assert subclasses(Table) == set(TABLES.values()) | shared


def documented(heading: str) -> dict[str, str]:
    """Key and default of each row below a heading of docs/configuration.md."""
    text = (ROOT / "docs/configuration.md").read_text("utf-8")
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", section, re.MULTILINE))


@pytest.mark.parametrize("name", TABLES)
def test_every_key_is_documented_with_its_default(name: str) -> None:
    table = TABLES[name]
    rows = documented(HEADINGS.get(name, f"`[{name}]`"))
    keys = {key for key in keys_of(table) if name or key not in tables_of_the_file()}
    assert keys == set(rows)
    for field_name, field in table.model_fields.items():
        key = field.alias or field_name
        if key not in keys:
            continue
        assert field.is_required() == (rows[key] == "required"), key
        if isinstance(field.default, str | int | tuple) and field.default not in ("", ()):
            assert rows[key] == f"`{json.dumps(field.default)}`", key


def tables_of_the_file() -> set[str]:
    """The keys of the whole file that are tables, with headings of their own."""
    return {name.split(".")[0] for name in TABLES if name not in ("", "select", "exclude")}


@pytest.mark.parametrize("with_folder", [True, False])
def test_what_init_writes_loads_and_says_what_was_asked(tmp_path: Path, *, with_folder: bool) -> None:
    title = 'Suara "Lintang" <Kota>'
    text = init_text(title=title, site_url="https://www.lintang.example/", with_folder=with_folder)
    settings = load_text(tmp_path, text)
    assert settings.site().title == title
    assert [source.location for source in settings.sources()] == [str(tmp_path / "newsroom")] * with_folder
    assert settings.newsletters()[0].sender_address == "ringkasan@lintang.example"
    assert not settings.sample


def test_what_init_offers_in_comments_loads_too(tmp_path: Path) -> None:
    text = init_text(title="Lintang", site_url="https://lintang.example")
    settings = load_text(tmp_path, re.sub(r"^# (\[channels|\w+ = )", r"\1", text, flags=re.MULTILINE))
    assert [channel.kind for channel in settings.mail_channels()] == ["maildir", "smtp"]


# ── finding and reading ──────────────────────────────────────────────────────────────────────────────────────────────


def test_the_file_in_config_comes_before_the_one_beside_it(tmp_path: Path) -> None:
    (tmp_path / "syndicate.toml").write_text("not TOML", "utf-8")
    assert load_text(tmp_path, SITE, WEB).site().title == "Contoh Pos"


def test_without_a_file_it_is_told_where_one_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config/syndicate\.toml and syndicate\.toml; write one with"):
        load(None, cwd=tmp_path, environ={})


def test_relative_paths_start_at_the_folder_that_holds_config(tmp_path: Path) -> None:
    settings = load_text(tmp_path, SITE, WEB)
    assert settings.var == tmp_path / "var"
    assert settings.keys == tmp_path / "keys"
    assert settings.store_url == f"sqlite:///{tmp_path}/var/syndicate.db"


def test_relative_paths_start_at_the_file_when_it_lies_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "news.toml").write_text(SITE + WEB, "utf-8")
    assert load(Path("news.toml"), cwd=tmp_path, environ={}).var == tmp_path / "var"


SYNTAX = [
    ("[site]\ntitle = Contoh\n", "line 3, column 9: `title = Contoh`: ", "write text in straight quotes"),
    ("[site]\ntitle =", "line 3: `title =`: ", "write text in straight quotes"),
    ("title = “Contoh”", "line 2, column 9: `title = “Contoh”`: ", "straight quotes"),
    ('[site]\ntitle "Contoh"\n', 'line 3, column 7: `title "Contoh"`: ', 'write key = "…"'),
    ('[site]\ntitle = "Con\nurl = 1', 'line 3, column 13: `title = "Con`: ', "the quote that closes the text"),
    ('[site]\ntitle = """Con\n\nurl = 1\n', 'line 3: `title = """Con`: ', "the quote that closes the text"),
    ("[site]\ntitle = 'Con\n\nurl = 1\n", "line 3: `title = 'Con`: ", "the quote that closes the text"),
    ("[site\nurl = 1\n", "line 2, column 6: `[site`: ", "write [name]"),
    ("[[feeds]\n", "line 2, column 8: `[[feeds]`: ", "write [[name]]"),
    ("[site]\n[site]\n", "line 3, column 6: `[site]`: ", "it stands here twice"),
    ("a = 1\na = 2\n", "line 3, column 6: `a = 2`: ", "it stands here twice"),
    ('schedule = "06:00" daily', 'line 2, column 20: `schedule = "06:00" daily`: ', "one key = value a line"),
    ('a = ["b" "c"]', 'line 2, column 10: `a = ["b" "c"]`: ', "a list needs commas"),
    ('path = "c:\\dir"', 'line 2, column 13: `path = "c:\\dir"`: ', "must be doubled"),
]


@pytest.mark.parametrize(("text", "start", "cure"), SYNTAX, ids=[text for text, _, _ in SYNTAX])
def test_a_syntax_error_shows_the_line_and_says_what_to_write(tmp_path: Path, text: str, start: str, cure: str) -> None:
    (problem,) = problems_of(tmp_path, text)
    assert problem.startswith(f"config/syndicate.toml: {start}")
    assert cure in problem


@pytest.mark.parametrize(
    "line",
    [
        f'password = "{CANARY}',
        f'pasword = "{CANARY}',
        f'"secret" = "{CANARY}',
        f'store = "postgresql://a:{CANARY}@db.example/x',
        f'secret = ["whsec_{CANARY}" "whsec_{CANARY}"]',
        f'  "whsec_{CANARY}',
    ],
)
def test_a_line_that_can_not_be_read_shows_no_secret(tmp_path: Path, line: str) -> None:
    (problem,) = problems_of(tmp_path, line + "\n")
    assert problem.startswith("config/syndicate.toml: line 2")
    assert CANARY not in problem


def test_a_line_that_can_not_be_read_writes_nothing_to_the_terminal(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, 'title = "\x1b[31m\n')
    assert problem.isprintable()


def test_a_file_that_is_not_utf8_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "syndicate.toml").write_bytes(b'[site]\ntitle = "caf\xe9"\n')
    with pytest.raises(ConfigError, match="byte 19 is not UTF-8"):
        load(None, cwd=tmp_path, environ={})


def test_the_settings_cannot_be_changed(tmp_path: Path) -> None:
    settings = load_text(tmp_path, SITE, WEB)
    with pytest.raises(ValueError, match="frozen"):
        settings.sample = True  # type: ignore[misc]  # that is the point


def test_what_a_table_leaves_open_is_taken_from_the_site(tmp_path: Path) -> None:
    site = SITE + 'timezone = "Asia/Makassar"\nlanguage = "jv"\n'
    source = '[[sources]]\nname = "cms"\nkind = "feed"\nurl = "https://contohpos.example/feed"\n'
    settings = load_text(tmp_path, site, WEB, OUTBOX, source, newsletter())
    assert (settings.sources()[0].zone, settings.sources()[0].language) == ("Asia/Makassar", "jv")
    assert (settings.newsletters()[0].timezone, settings.newsletters()[0].language) == ("Asia/Makassar", "jv")
    assert settings.site().tag_host == "contohpos.example"
    assert isinstance(settings.newsletters()[0].schedule, WallTimes)


def test_the_first_of_a_feed_s_former_names_is_its_first_name(tmp_path: Path) -> None:
    feeds = [f'[[feeds]]\nname = "{name}"\ntitle = "A"\n' for name in ("baru", "lain")]
    settings = load_text(tmp_path, SITE, WEB, f'{feeds[0]}moved = ["awal", "tengah"]\n', feeds[1])

    assert [feed.first_name for feed in settings.feeds()] == ["awal", ""]


def test_sections_and_tags_of_a_selection_may_be_paths(tmp_path: Path) -> None:
    feed = '[[feeds]]\nname = "a"\ntitle = "A"\nselect = { sections = ["Daerah/Semarang"], tags = ["AC/DC"] }\n'
    selection = load_text(tmp_path, SITE, WEB, feed).feeds()[0].selection
    assert selection.holds(make_article(sections=("Daerah/Semarang/Tembalang",), tags=("AC/DC",)))
    assert not selection.holds(make_article(sections=("Daerah/Solo",), tags=("AC/DC",)))


def test_topics_keep_their_order_and_are_compared_as_slugs(tmp_path: Path) -> None:
    chosen = '["Kota Malang", "Daerah/Solo Raya", "kota-malang", "Ekonomi"]'
    keys = {"topics": chosen, "breaking": '["Gempa Bumi"]', "roundup": '"sun 07:00"'}
    (one,) = load_text(tmp_path, SITE, WEB, OUTBOX, newsletter(**keys)).newsletters()

    assert one.topics == ("kota-malang", "daerah/solo-raya", "ekonomi")
    assert (one.breaking, one.breaking_max, one.roundup) == (("gempa-bumi",), 3, parse_schedule("sun 07:00"))


def test_more_topics_than_anybody_reads_are_refused(tmp_path: Path) -> None:
    many = json.dumps([f"topik {number}" for number in range(31)])
    (problem,) = problems_of(tmp_path, SITE, WEB, OUTBOX, newsletter(topics=many))

    assert '[[newsletters]] "pagi": topics' in problem


def test_a_selection_is_compared_as_slugs(tmp_path: Path) -> None:
    feed = '[[feeds]]\nname = "a"\ntitle = "A"\nselect = { tags = ["Kota Malang"], exclude = { tags = ["IKLAN"] } }\n'
    selection = load_text(tmp_path, SITE, WEB, feed).feeds()[0].selection
    assert selection.tags == {"kota-malang"}
    assert selection.exclude is not None
    assert selection.exclude.tags == {"iklan"}


@pytest.mark.parametrize(
    ("listen", "public_url", "shown"),
    [
        ("127.0.0.1:8080", "http://127.0.0.1:8080", True),
        ("[::1]:8080", "http://localhost:8080", True),
        ("0.0.0.0:8080", "http://127.0.0.1:8080", False),
        ("127.0.0.1:8080", "https://feeds.contohpos.example", False),
    ],
)
def test_the_outbox_is_shown_only_when_both_addresses_are_loopback(
    tmp_path: Path, listen: str, public_url: str, *, shown: bool
) -> None:
    web = f'[web]\nlisten = "{listen}"\npublic_url = "{public_url}"\n'
    assert load_text(tmp_path, SITE, web).web.outbox is shown


# ── faults ───────────────────────────────────────────────────────────────────────────────────────────────────────────

FEED = '[[feeds]]\nname = "terkini"\ntitle = "Terkini"\n'
SOURCE = '[[sources]]\nname = "cms"\nkind = "feed"\nurl = "https://contohpos.example/feed"\n'
RELAY = '[channels.relay]\nkind = "smtp"\nhost = "smtp.contohpos.example"\n'
PARTNER = '[[partners]]\nname = "portal"\ntitle = "Portal"\n'
ENDPOINT = (
    '[[endpoints]]\nname = "portal"\npartner = "portal"\nkind = "webhook"\nurl = "https://portal.example/hook"\n'
    'secret = "env:SYNDICATE_PORTAL_WARGA_SECRET"\n'
)


def pushed(old: str, new: str) -> str:
    """An endpoint and its partner, with something written otherwise."""
    return PARTNER + ENDPOINT.replace(old, new)


SECRET = "env:SYNDICATE_PORTAL_WARGA_SECRET"
PASSWORD = "env:SYNDICATE_RELAY_PASSWORD"
CLEAR = f'tls = "none"\nusername = "a"\npassword = "{PASSWORD}"'
IMAP = '[[receipts]]\nname = "pantul"\nkind = "imap"\nhost = "imap.contohpos.example"\nusername = "pantul"\n'
MAILGUN = f'[channels.esp]\nkind = "mailgun"\ndomain = "surat.contohpos.example"\napi_key = "{PASSWORD}"\n'
LOGO = '[look.logo]\nurl = "https://a.example/l.png"\nalt = "Contoh Pos"\nwidth = 220\nheight = 48\n'
FAULTS = [
    ('[[newsletters]] "pagi": schedule = "every 0 min": ', "write", OUTBOX + newsletter(schedule='"every 0 min"')),
    (
        '[[newsletters]] "pagi": schedule = "sometimes": ',
        "write 'every 10 min'",
        OUTBOX + newsletter(schedule='"sometimes"'),
    ),
    (
        '[[newsletters]] "pagi": roundup = "06:00": ',
        'not a day of the week; write for example "sun 07:00"',
        OUTBOX + newsletter(roundup='"06:00"'),
    ),
    (
        '[[newsletters]] "pagi": roundup = "sun 07:00": ',
        "leave roundup out",
        OUTBOX + newsletter(schedule='"mon 06:00"', roundup='"sun 07:00"'),
    ),
    ('[[newsletters]] "pagi": topics: ', "names nothing", OUTBOX + newsletter(topics='["!"]')),
    ('[[newsletters]] "pagi": breaking_max = 0: ', "1", OUTBOX + newsletter(breaking_max="0")),
    (
        '[[newsletters]] "pagi": sponsor.until = ',
        "before from; write 2026-12-01 or a later day",
        OUTBOX + newsletter(sponsor='{ name = "B", url = "https://b.example", from = 2026-12-01, until = 2026-11-30 }'),
    ),
    ('[[newsletters]] "pagi": channel = "outbx": ', 'did you mean "outbox"?', OUTBOX + newsletter(channel='"outbx"')),
    (
        '[[newsletters]] "pagi": timezone = "Asia/Jakrta": ',
        'write for example "Asia/Jakarta"',
        OUTBOX + newsletter(timezone='"Asia/Jakrta"'),
    ),
    ('[[newsletters]] "pagi": timezone = "../etc": ', "write for example", OUTBOX + newsletter(timezone='"../etc"')),
    ('[[newsletters]] "pagi": template = "sektions": ', 'mean "sections"?', OUTBOX + newsletter(template='"sektions"')),
    ('[[newsletters]] "pagi": template = "mine": ', "templates/digest/mine", OUTBOX + newsletter(template='"mine"')),
    ('[[newsletters]] "pagi": template = "parts": ', "known: breaking", OUTBOX + newsletter(template='"parts"')),
    (
        '[[newsletters]] "pagi": look.akcent: ',
        'did you mean "accent"?',
        OUTBOX + newsletter(look='{ akcent = "#000000" }'),
    ),
    (
        '[[newsletters]] "pagi": look.text = "#808080": ',
        "text #808080 on paper #ffffff has a contrast of 3.94:1; write a pair with 4.5:1",
        OUTBOX + newsletter(look='{ text = "#808080" }'),
    ),
    (
        '[[newsletters]] "pagi": sponsor.url: is missing',
        "write url = …",
        OUTBOX + newsletter(sponsor='{ name = "Bank" }'),
    ),
    (
        'look.accent = "#ff8800": ',
        "accent #ff8800 on paper #ffffff has a contrast of 2.39:1",
        '[look]\naccent = "#ff8800"',
    ),
    ('look.dark.quiet = "#555555": ', "quiet #555555 on paper #1b1c1f has", '[look.dark]\nquiet = "#555555"'),
    ('look.accent = "red": ', 'write # and six digits, for example "#9c1f1f"', '[look]\naccent = "red"'),
    ("look.logo.height: is missing", "write height = …", LOGO.replace("height = 48\n", "")),
    ('look.logo.url = "http://a.example/l.png": ', "write https://…", LOGO.replace("https:", "http:")),
    ('look.logo.url = "https://a.example/l.svg": ', "PNG or JPEG", LOGO.replace(".png", ".svg")),
    ("look.logo.width = 900: ", "write 536 or less", LOGO.replace("220", "900")),
    (
        '[[newsletters]] "pagi": from = "pagi@contohpos.example": ',
        'write "Contoh Pos <',
        OUTBOX + newsletter(**{"from": '"pagi@contohpos.example"'}),
    ),
    (
        '[[newsletters]] "pagi": from = "A <a b@c.example>": ',
        "not an address",
        OUTBOX + newsletter(**{"from": '"A <a b@c.example>"'}),
    ),
    (
        '[[newsletters]] "pagi": subject = "{title": ',
        "write {title}, {date} or {lead}",
        OUTBOX + newsletter(subject='"{title"'),
    ),
    ('[[newsletters]] "pagi": subject = "title}": ', "without its other half", OUTBOX + newsletter(subject='"title}"')),
    ('[[newsletters]] "pagi": subject = "{}": ', "write {title}, {date}", OUTBOX + newsletter(subject='"{}"')),
    (
        '[[newsletters]] "pagi": subject = "{head line}": ',
        "write {title}",
        OUTBOX + newsletter(subject='"{head line}"'),
    ),
    (
        '[[newsletters]] "pagi": subject = "{titel}": ',
        "write {title}, {date} or {lead}",
        OUTBOX + newsletter(subject='"{titel}"'),
    ),
    ('[[newsletters]] "pagi": max = 2: ', "write 5 or more", OUTBOX + newsletter(min="5", max="2")),
    ('[[newsletters]] "pagi": max = 500: ', "write 100 or less", OUTBOX + newsletter(max="500")),
    ('[[newsletters]] "pagi": skip_empty = "yes": ', "write true or false", OUTBOX + newsletter(skip_empty='"yes"')),
    ('[[newsletters]] "pagi": titel: ', 'did you mean "title"?', OUTBOX + newsletter(titel='"Pagi"')),
    ('[[newsletters]] "pagi": select.tag: ', 'did you mean "tags"?', OUTBOX + newsletter(select='{ tag = ["a"] }')),
    (
        '[[newsletters]] "pagi": select.sections: ',
        '"/ !" names nothing',
        OUTBOX + newsletter(select='{ sections = ["/ !"] }'),
    ),
    (
        '[[newsletters]] "pagi": select.sources: ',
        "sources has no such name",
        OUTBOX + newsletter(select='{ sources = ["cms"] }'),
    ),
    (
        'the 2nd [[newsletters]]: name = "pagi": ',
        "the 1st [[newsletters]] has this name; write another",
        OUTBOX + newsletter() + newsletter(),
    ),
    ('the 1st [[newsletters]]: name = "Pagi!": ', "write up to 40 of", OUTBOX + newsletter(name='"Pagi!"')),
    (
        '[[feeds]] "terkini": the 1st of partners = "portal": ',
        "partners has no such name; none is written",
        FEED + 'partners = ["portal"]',
    ),
    ('[[feeds]] "terkini": the 1st of moved = "terkini": ', "a feed has this name", FEED + 'moved = ["terkini"]'),
    ("feeds: ", '"lama" can\'t have become two things', FEED + 'moved = ["lama", "lama"]'),
    ('[[feeds]] "terkini": formats: ', "write at least one", FEED + "formats = []"),
    (
        '[[feeds]] "terkini": the 1st of formats = "rdf": ',
        "write 'rss' or 'atom' or 'json'",
        FEED + 'formats = ["rdf"]',
    ),
    ('[[feeds]] "terkini": partners = "portal": ', "must be a list", FEED + 'partners = "portal"'),
    ('[[sources]] "cms": every = "30 s": ', 'write "1 min" or more', SOURCE + 'every = "30 s"'),
    ('[[sources]] "cms": every = 30: ', 'write for example "30 s"', SOURCE + "every = 30"),
    ('[[sources]] "cms": path: there is no such key', "known: name, zone, language", SOURCE + 'path = "x"'),
    ('[[sources]] "cms": kind = "atom": ', "write 'folder' or 'feed'", SOURCE.replace('"feed"\n', '"atom"\n')),
    ('[[sources]] "x": kind: is missing', "write kind = …, see", '[[sources]]\nname = "x"\n'),
    ('[[sources]] "x": url: is missing', "write url = …, see", '[[sources]]\nname = "x"\nkind = "feed"\n'),
    (
        '[[sources]] "cms": url = "ftp://contohpos.example/feed": ',
        "write for example",
        SOURCE.replace("https:", "ftp:"),
    ),
    (
        '[[sources]] "cms": url = "https://contohpos.example:99999/feed": ',
        "not a web address; write",
        SOURCE.replace(".example/", ".example:99999/"),
    ),
    (
        '[[endpoints]] "portal": partner = "portl": ',
        'did you mean "portal"?',
        pushed('"portal"\nkind', '"portl"\nkind'),
    ),
    (
        '[[endpoints]] "portal": the 1st of newsletters = "sore": ',
        "newsletters has no such name",
        PARTNER + ENDPOINT + 'newsletters = ["sore"]',
    ),
    ('[[endpoints]] "portal": url = "http://portal.example/hook": ', "write https://", pushed("https:", "http:")),
    (
        '[[endpoints]] "portal": secret = "env:NONE": ',
        "the environment has no NONE; set it",
        pushed(SECRET, "env:NONE"),
    ),
    ('[[endpoints]] "portal": secret = "env:SYNDICATE_RELAY_PASSWORD": ', "whsec_", pushed(SECRET, PASSWORD)),
    (
        '[[endpoints]] "portal": secret = "file:none": ',
        "can't be read (No such file or directory)",
        pushed(SECRET, "file:none"),
    ),
    ('[[endpoints]] "portal": secret = "file:var/x": ', "inside the data folder", pushed(SECRET, "file:var/x")),
    ("channels.relay.password: ", "write both username and password", RELAY + 'username = "a"'),
    ('channels.relay.password = "env:SYNDICATE_RELAY_PASSWORD": ', 'write tls = "starttls"', RELAY + CLEAR),
    ('channels.relay.tls = "ssl": ', "write 'starttls' or 'tls' or 'none'", RELAY + 'tls = "ssl"'),
    (
        'channels.esp.url = "http://api.mailgun.net": ',
        "write https://",
        MAILGUN + 'url = "http://api.mailgun.net"\n',
    ),
    ('channels.esp.region = "asia": ', "write 'us' or 'eu'", MAILGUN + 'region = "asia"\n'),
    ("channels.esp.connections = 40: ", "write 16 or less", MAILGUN + "connections = 40\n"),
    ("channels.esp.dkim: ", "no such key", MAILGUN + 'dkim = "s1"\n'),
    ("channels.relay.usrname: ", 'did you mean "username"?', RELAY + 'usrname = "a"'),
    ('[[receipts]] "pantul": password: ', "is missing; write password", IMAP),
    (
        '[[receipts]] "pantul": password = "env:SYNDICATE_RELAY_PASSWORD": ',
        'write tls = "tls" or "starttls"',
        f'{IMAP}tls = "none"\npassword = "{PASSWORD}"',
    ),
    ('[[receipts]] "pantul": foldr: ', 'did you mean "folder"?', f'{IMAP}foldr = "a"\npassword = "{PASSWORD}"'),
    (
        'receipts: "contohpos.exampel" in domains of "pantul": no newsletter is from there; ',
        'did you mean "contohpos.example"?',
        OUTBOX + newsletter() + f'{IMAP}domains = ["contohpos.exampel"]\npassword = "{PASSWORD}"',
    ),
    ('[[receipts]] "pantul": kind = "pop3": ', "write 'maildir' or 'imap'", IMAP.replace('"imap"', '"pop3"')),
    ('the 1st of net.allow = "cms.example:443": ', "not a name", '[net]\nallow = ["cms.example:443"]'),
    ('the 1st of net.allow = "0.0.0.0/0:443": ', "would turn the guard off", '[net]\nallow = ["0.0.0.0/0:443"]'),
    ("newsleters: there is no such key", 'did you mean "newsletters"?', "[[newsleters]]\n"),
]


@pytest.mark.parametrize("proxy", ["proxy.contohpos.example", "127.0.0.1:8080", "10.0.0.1/8", ""])
def test_a_proxy_is_named_by_its_address(tmp_path: Path, proxy: str) -> None:
    (problem,) = problems_of(tmp_path, SITE, f'{WEB}trusted_proxies = ["{proxy}"]\n')
    assert problem.startswith(f'config/syndicate.toml: the 1st of web.trusted_proxies = "{proxy}": not an address')


@pytest.mark.parametrize(
    ("entries", "start"),
    [
        ('title = "Tanpa nama"', "the 1st [[feeds]]: name: is missing"),
        ('name = "a"\ntitle = ""', '[[feeds]] "a": title = "": '),
        ('name = "a"\ntitle = "A"\n[[feeds]]\nname = "b"\nlimit = 5', '[[feeds]] "b": title: is missing'),
        ('name = "a"\ntitle = "A"\n[[feeds]]\ntitle = ""\nname = 2', "the 2nd [[feeds]]: name = 2: "),
    ],
)
def test_an_entry_of_a_list_is_called_by_its_name_else_by_its_number(tmp_path: Path, entries: str, start: str) -> None:
    problems = problems_of(tmp_path, SITE, WEB, f"[[feeds]]\n{entries}\n")
    assert problems[0].startswith(f"config/syndicate.toml: {start}")


def test_entries_with_one_name_are_told_apart_by_their_number(tmp_path: Path) -> None:
    feeds = FEED.replace('title = "Terkini"', "") * 2
    problems = problems_of(tmp_path, SITE, WEB, feeds)
    assert [problem.split(": ")[1] for problem in problems] == [
        "the 2nd [[feeds]]",
        "the 1st [[feeds]]",
        "the 2nd [[feeds]]",
    ]


@pytest.mark.parametrize(("count", "said"), [(3, "the 3rd"), (4, "the 4th"), (11, "the 11th"), (22, "the 22nd")])
def test_entries_are_counted_as_people_count(tmp_path: Path, count: int, said: str) -> None:
    good = "".join(FEED.replace("terkini", f"f{number}") for number in range(count - 1))
    (problem,) = problems_of(tmp_path, SITE, WEB, good, FEED.replace('name = "terkini"\n', ""))
    assert problem.startswith(f"config/syndicate.toml: {said} [[feeds]]: name: is missing")


@pytest.mark.parametrize("url", ["contohpos.example", "ftp://contohpos.example"])
def test_the_front_page_is_not_told_to_be_a_feed(tmp_path: Path, url: str) -> None:
    (problem,) = problems_of(tmp_path, SITE.replace("https://contohpos.example", url), WEB)
    assert problem.endswith('not a web address; write for example "https://contohpos.example"')


def test_a_problem_has_its_parts_apart(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text(tmp_path, SITE, WEB, FEED + "limit = 900\n")

    (problem,) = caught.value.problems
    assert (problem.file, problem.place, problem.value, problem.message) == (
        "config/syndicate.toml",
        '[[feeds]] "terkini": limit',
        "900",
        "too large; write 500 or less",
    )


@pytest.mark.parametrize(("start", "cure", "part"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_a_fault_is_told_with_file_key_value_and_cure(tmp_path: Path, start: str, cure: str, part: str) -> None:
    (problem,) = problems_of(tmp_path, SITE, WEB, part)
    assert problem.startswith(f"config/syndicate.toml: {start}")
    assert cure in problem
    assert "\n" not in problem


@pytest.mark.parametrize(
    ("top", "start", "cure"),
    [
        ('engine = "amqp://localhost"', 'engine = "amqp://localhost": ', 'write "embedded"'),
        ('store = "mysql://localhost/x"', 'store = "mysql://localhost/x": ', 'write "sqlite:///var'),
        ('keys = "var/keys"', 'keys = "var/keys": ', 'write for example "keys"'),
        ('var = "."', "keys: ", "inside the data folder"),
        ("sampel = true", "sampel: there is no such key", 'did you mean "sample"?'),
        ("sample = 1", "sample = 1: ", "write true or false"),
        ("sources = 1", "sources = 1: ", "write [[sources]]"),
        ("channels = 1", "channels = 1: ", "write [channels.NAME]"),
        ("log = 1", "log = 1: ", "heading in [brackets]"),
    ],
)
def test_a_fault_at_the_top_is_told(tmp_path: Path, top: str, start: str, cure: str) -> None:
    (problem,) = problems_of(tmp_path, SITE, WEB, top=top)
    assert problem.startswith(f"config/syndicate.toml: {start}")
    assert cure in problem


@pytest.mark.parametrize(
    ("web", "start", "cure"),
    [
        ('public_url = "http://contohpos.example"', "web.public_url", 'write "https://contohpos.example"'),
        ('public_url = "https://contohpos.example/x"', "web.public_url", 'write only "https://contohpos.example"'),
        ('public_url = "https://a.example"\nlisten = "8080"', "web.listen", 'write for example "127.0.0.1:8080"'),
        ('public_url = "https://a.example"\nlisten = "127.0.0.1:0"', "web.listen", "not host:port"),
        ("", "web.public_url: is missing", "write public_url"),
    ],
)
def test_a_fault_in_our_own_address_is_told(tmp_path: Path, web: str, start: str, cure: str) -> None:
    (problem,) = problems_of(tmp_path, SITE, "[web]\n" + web)
    assert problem.startswith(f"config/syndicate.toml: {start}")
    assert cure in problem


@pytest.mark.parametrize("listen", ["0.0.0.0:8080", "[::]:8080", "192.168.1.5:8080", "feeds.contohpos.example:8080"])
def test_the_sample_is_refused_where_others_could_reach_it(tmp_path: Path, listen: str) -> None:
    (problem,) = problems_of(tmp_path, SITE, WEB, f'listen = "{listen}"', top="sample = true")
    assert 'write listen = "127.0.0.1:8080", or sample = false' in problem


HOSTILE = ["3", "-0.5", '""', '"\\u0000\\n\\u001b[31m"', "[]", "[[1]]", "{}", "true", "1979-05-27", '"~x:[/"']


def problems_or_none(file: Path) -> tuple[str, ...]:
    """What is said about a file; nothing if it is good."""
    try:
        load(file, cwd=file.parent, environ=ENVIRON)
    except ConfigError as error:
        return tuple(map(str, error.problems))
    return ()


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_value_at_any_key_fails_otherwise_than_in_words(tmp_path: Path, hostile: str) -> None:
    lines = (ROOT / "config/examples/newspaper.toml").read_text("utf-8").splitlines()
    file = tmp_path / "syndicate.toml"
    for number, line in enumerate(lines):
        if hit := re.match(r"\w+ = ", line):
            file.write_text("\n".join([*lines[:number], hit[0] + hostile, *lines[number + 1 :]]), "utf-8")
            for problem in problems_or_none(file):
                assert problem.isprintable()
                assert re.match(r"syndicate\.toml: (the \d+\w+ (of )?)?[\w.\[\]]+( =|:| \")", problem)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    faults = [OUTBOX, newsletter(schedule='"x"', channel='"y"'), newsletter(), SOURCE + 'every = "1 s"\nkin = 1\n']
    problems = problems_of(tmp_path, SITE.replace("title", "titel"), WEB, *faults, top='engine = "x"')
    assert len(problems) == 8


@pytest.mark.parametrize("written", [f'"{CANARY}"', "12345"])
def test_a_secret_in_clear_is_refused_without_being_shown(tmp_path: Path, written: str) -> None:
    endpoint = re.sub(r'"env:\w+"', written, ENDPOINT)
    problems = problems_of(tmp_path, SITE, WEB, RELAY, f'username = "a"\npassword = {written}\n', PARTNER, endpoint)
    assert len(problems) == 2
    assert all(" = …: " in problem and 'write "env:NAME" or "file:PATH"' in problem for problem in problems[:1])
    assert not any(CANARY in problem or "12345" in problem for problem in problems)


@pytest.mark.parametrize("key", ["api_key", "webhook_key"])
def test_a_provider_s_key_in_clear_is_refused_without_being_shown(tmp_path: Path, key: str) -> None:
    rest = MAILGUN if key == "webhook_key" else "".join(MAILGUN.splitlines(keepends=True)[:3])
    (problem,) = problems_of(tmp_path, SITE, WEB, f'{rest}{key} = "{CANARY}"\n')
    assert f"channels.esp.{key} = …: " in problem
    assert CANARY not in problem


def test_webhooks_are_taken_where_there_is_a_key_for_them(tmp_path: Path) -> None:
    settings = load_text(
        tmp_path, SITE, WEB, OUTBOX, MAILGUN, f'webhook_key = "{PASSWORD}"\n', MAILGUN.replace("esp", "b")
    )
    assert settings.hook_keys() == {"esp": CANARY.encode()}
    assert load(None, cwd=tmp_path, environ={}, secrets=False).hook_keys() == {}


def test_a_list_of_secrets_in_clear_is_refused_without_being_shown(tmp_path: Path) -> None:
    endpoint = re.sub(r'"env:\w+"', f'["{CANARY}"]', ENDPOINT)
    (problem,) = problems_of(tmp_path, SITE, WEB, PARTNER, endpoint)
    assert problem.startswith('config/syndicate.toml: [[endpoints]] "portal": the 1st of secret = …: ')
    assert CANARY not in problem


@pytest.mark.parametrize(
    ("top", "part"),
    [
        (f'store = "postgresql://syndicate:{CANARY}@db.example/x"', ""),
        (f'store = "mysql://syndicate:{CANARY}@db.example/x"', ""),
        ("", f'[[sources]]\nname = "a"\nkind = "feed"\nurl = "https://a:{CANARY}@contohpos.example/feed"\n'),
        ("", RELAY + f'pasword = "{CANARY}"\n'),
    ],
)
def test_a_password_written_elsewhere_is_refused_without_being_shown(tmp_path: Path, top: str, part: str) -> None:
    (problem,) = problems_of(tmp_path, SITE, WEB, part, top=top)
    assert CANARY not in problem


def test_secrets_are_resolved_and_never_shown() -> None:
    newspaper = load(ROOT / "config/examples/newspaper.toml", cwd=ROOT, environ=ENVIRON)
    postgres = load(ROOT / "config/examples/postgres.toml", cwd=ROOT, environ=ENVIRON)
    assert newspaper.endpoints()[0].secrets == (bytes(range(32)),)
    assert getattr(newspaper.mail_channels()[0], "password") == CANARY  # noqa: B009  # of one kind only
    assert postgres.store_url == ENVIRON["SYNDICATE_STORE"]
    shown = f"{newspaper!r} {postgres!r} {newspaper.mail_channels()!r}"
    assert CANARY not in shown
    assert WEBHOOK not in shown


def test_work_that_needs_no_secret_does_not_look_for_one(tmp_path: Path) -> None:
    relay = RELAY + 'username = "a"\npassword = "env:NONE"\n'
    text = [SITE, WEB, OUTBOX, relay, PARTNER, re.sub(r'"env:\w+"', '["env:NONE", "file:none"]', ENDPOINT)]
    assert len(problems_of(tmp_path, *text)) == 3

    settings = load(None, cwd=tmp_path, environ={}, secrets=False)

    assert [channel.name for channel in settings.mail_channels()] == ["outbox"]
    assert [(endpoint.name, endpoint.secrets) for endpoint in settings.endpoints()] == [("portal", ())]


def test_a_secret_in_clear_is_refused_whatever_the_work(tmp_path: Path) -> None:
    problems_of(tmp_path, SITE, WEB, PARTNER, re.sub(r'"env:\w+"', f'"{CANARY}"', ENDPOINT))
    with pytest.raises(ConfigError, match="a secret may not stand in this file"):
        load(None, cwd=tmp_path, environ={}, secrets=False)


def test_the_database_s_url_is_needed_for_all_work(tmp_path: Path) -> None:
    problems_of(tmp_path, SITE, WEB, top='store = "env:NONE"')
    with pytest.raises(ConfigError, match="the environment has no NONE"):
        load(None, cwd=tmp_path, environ={}, secrets=False)


def test_two_secrets_sign_while_one_is_being_changed(tmp_path: Path) -> None:
    (tmp_path / "new").write_text(WEBHOOK + "\n", "utf-8")
    endpoint = re.sub(r'"env:\w+"', '["file:new", "env:SYNDICATE_PORTAL_WARGA_SECRET"]', ENDPOINT)
    assert len(load_text(tmp_path, SITE, WEB, PARTNER, endpoint).endpoints()[0].secrets) == 2


@pytest.mark.parametrize("allow", ["127.0.0.1:9000", "127.0.0.0/8:*"])
def test_an_allowed_address_may_be_polled_often_and_pushed_to_in_clear(tmp_path: Path, allow: str) -> None:
    source = SOURCE.replace("https://contohpos.example", "http://127.0.0.1:9000") + 'every = "1 s"\n'
    endpoint = ENDPOINT.replace("https://portal.example", "http://127.0.0.1:9000")
    settings = load_text(tmp_path, SITE, WEB, f'[net]\nallow = ["{allow}"]', source, PARTNER, endpoint)
    assert settings.sources()[0].every == timedelta(seconds=1)


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_keys_are_made_once_and_only_their_owner_can_read_them(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    assert create_keys(folder)
    create_sample_secret(folder)
    first = load_keyring(folder)

    assert not create_keys(folder)
    create_sample_secret(folder)

    assert load_keyring(folder) == first
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert sorted(path.name for path in folder.iterdir()) == ["master-1.key", "pepper.key", "sample-endpoint.secret"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert first.pepper.hex() not in repr(first)


def test_keys_are_finished_after_a_crash_between_two_of_them(tmp_path: Path) -> None:
    create_keys(tmp_path)
    keys = load_keyring(tmp_path)
    (tmp_path / ".new").mkdir()
    (tmp_path / "pepper.key").rename(tmp_path / ".new" / "pepper.key")
    create_keys(tmp_path)
    assert load_keyring(tmp_path) == keys


def test_keys_are_begun_anew_after_a_crash_before_the_first(tmp_path: Path) -> None:
    (tmp_path / ".new").mkdir()
    (tmp_path / ".new" / "master-1.key").write_text("half", "utf-8")
    tmp_path.chmod(0o700)
    assert create_keys(tmp_path)
    assert load_keyring(tmp_path).ring.newest == 1


def test_a_lost_key_is_reported_and_never_replaced(tmp_path: Path) -> None:
    create_keys(tmp_path)
    (tmp_path / "pepper.key").unlink()
    assert not create_keys(tmp_path)
    with pytest.raises(ConfigError, match=r"pepper\.key is missing; put it back from your copy"):
        load_keyring(tmp_path)


def test_older_master_keys_stay_valid_and_the_highest_signs(tmp_path: Path) -> None:
    create_keys(tmp_path)
    (tmp_path / "master-2.key").write_text("ab" * 32, "utf-8")
    (tmp_path / "master-2.key").chmod(0o600)
    ring = load_keyring(tmp_path).ring
    assert (ring.newest, sorted(ring.keys)) == (2, [1, 2])


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
@pytest.mark.parametrize("name", ["master-1.key", "pepper.key", "."])
def test_keys_that_others_can_open_are_refused_with_the_cure(tmp_path: Path, name: str, mode: int) -> None:
    create_keys(tmp_path)
    (tmp_path / name).chmod(mode | 0o100 * (name == "."))
    with pytest.raises(ConfigError, match=r"others can open it; run: chmod [67]00"):
        load_keyring(tmp_path)


@pytest.mark.parametrize("content", ["", "abcd", "zz" * 32, "00" * 31])
def test_a_key_that_is_too_short_or_no_key_is_refused_without_being_shown(tmp_path: Path, content: str) -> None:
    create_keys(tmp_path)
    (tmp_path / "master-1.key").write_text(content, "utf-8")
    with pytest.raises(ConfigError, match="not a key of 32 bytes in hex") as caught:
        load_keyring(tmp_path)
    assert not content or content not in str(caught.value)


def test_missing_keys_are_told_with_the_command_that_makes_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`syndicate up` and `syndicate init` make them"):
        load_keyring(tmp_path / "keys")


def test_no_key_is_made_inside_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "syndicate.toml").write_text(f'keys = "var/keys"\n{SITE}{WEB}', "utf-8")
    prepare_keys(None, cwd=tmp_path)
    assert not (tmp_path / "var").exists()


def test_settings_read_no_other_environment_than_the_one_given(tmp_path: Path) -> None:
    assert "PATH" in os.environ
    endpoint = re.sub(r"env:\w+", "env:PATH", ENDPOINT)
    assert "the environment has no PATH" in problems_of(tmp_path, SITE, WEB, PARTNER, endpoint)[0]


PACED = """
[channels.cepat]
kind = "maildir"
path = "var/cepat"

[channels.pelan]
kind = "maildir"
path = "var/pelan"
rate = "300 / min"
daily = 50000
per_domain = { "gmail.com" = "10/s", default = "5 / s" }
"""


def test_a_channel_has_the_limits_that_are_written_and_no_others(tmp_path: Path) -> None:
    pacings = load_text(tmp_path, init_text(title="Lintang", site_url="https://lintang.example/") + PACED).pacings()
    pelan = pacings["pelan"]

    assert set(pacings) == {"pelan"}
    assert (pelan.daily, str(pelan.rate and pelan.rate.span)) == (50_000, "200000")
    assert (pelan.domains["gmail.com"].number, pelan.others and pelan.others.number) == (10, 5)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('rate = "20"', "not a rate"),
        ('rate = "0 / s"', "not a rate"),
        ('rate = "20 / week"', "not a rate"),
        ("daily = 0", "daily"),
        ('per_domain = { Gmail = "1 / s" }', "no mail domain"),
        ('per_domain = { "gmail.com" = "fast" }', "not a rate"),
    ],
)
def test_a_limit_that_can_not_be_meant_is_said_with_what_to_write(tmp_path: Path, line: str, said: str) -> None:
    text = f'[channels.pelan]\nkind = "maildir"\npath = "var/pelan"\n{line}\n'
    with pytest.raises(ConfigError, match=said):
        load_text(tmp_path, init_text(title="Lintang", site_url="https://lintang.example/") + text)
