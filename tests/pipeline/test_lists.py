"""Lists of readers in and out: what is begun, what is kept as ended, and what no list can do (peers.md B, T24, T46)."""

import csv
import io
import resource
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syndicate.domain.account import Deed
from syndicate.domain.audience import SubscriptionState, address_digest
from syndicate.domain.consent import Consent, Said
from syndicate.domain.lists import PLAIN, PRESETS, Preset, find_columns
from syndicate.errors import Refused
from syndicate.pipeline.list_file import LONGEST_LINE, look_over
from syndicate.pipeline.lists import ListReport, Order, Refusal, export_list, import_list
from syndicate.pipeline.replay import replay_departures
from syndicate.store import accounts, audience, consents, receipts
from syndicate.store.db import Database
from syndicate.store.fence import departures
from tests.factories import NOW, PEPPER, add_reader

CORPUS = Path(__file__).parents[1] / "corpus" / "lists"
ORIGIN = "sign-up form of lintaspagi.example, double opt-in"
LATER = NOW + timedelta(days=1)


def digest(address: str) -> str:
    return address_digest(PEPPER, address)


class Desk:
    """Imports files into one database."""

    def __init__(self, db: Database, folder: Path) -> None:
        self.db, self.folder = db, folder
        self.journal = folder / "departures.jsonl"
        self.refusals: list[Refusal] = []
        self.went: list[int] = []

    async def take(
        self, path: Path, preset: Preset = PLAIN, *, newsletters: Any = ("pagi",), **more: Any
    ) -> ListReport:
        self.refusals, self.went = [], []
        file = look_over(path)
        order = Order(
            newsletters=newsletters,
            origin=ORIGIN,
            reading=find_columns(preset, file.header),
            reason=preset.reason,
            digest=digest,
            language="id",
            timezone="Asia/Jakarta",
            who="cli:root",
            journal=self.journal,
            dry_run=more.get("dry_run", False),
        )
        now = more.get("now", NOW)
        return await import_list(
            self.db, file, order, now=now, refuse=self.refusals.append, went=more.get("went", self.went.append)
        )

    async def text(self, text: str | bytes, **more: Any) -> ListReport:
        path = self.folder / "list.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return await self.take(path, **more)

    async def states(self, address: str) -> dict[str, SubscriptionState]:
        async with self.db.read() as connection:
            person = await audience.by_address(connection, address)
            found = await audience.subscriptions_of(connection, person.id) if person else []
        return {one.newsletter: one.state for one in found}

    async def said(self, address: str) -> list[tuple[str, Said, str]]:
        async with self.db.read() as connection:
            found = await consents.of_person(connection, digest(address))
        return [(one.newsletter, one.what, one.origin) for one in found]

    async def held(self, address: str) -> str | None:
        async with self.db.read() as connection:
            found = await audience.suppression(connection, digest(address))
        return found[0] if found else None

    async def exported(self, newsletter: str | None = None) -> list[dict[str, str]]:
        out = io.StringIO()
        await export_list(self.db, out, newsletter=newsletter, **BY)
        return list(csv.DictReader(io.StringIO(out.getvalue(), newline="")))


@pytest.fixture
def desk(db: Database, tmp_path: Path) -> Desk:
    return Desk(db, tmp_path)


@pytest.fixture
def mails_by_the_rules() -> None:
    """No mail is written here."""


BY: dict[str, Any] = {"who": "cli:root", "where": "readers.csv", "now": NOW}
ACTIVE, ENDED = {"pagi": SubscriptionState.ACTIVE}, {"pagi": SubscriptionState.ENDED}


async def test_listmonk_s_export_begins_ends_and_suppresses(desk: Desk) -> None:
    report = await desk.take(CORPUS / "listmonk.csv", PRESETS["listmonk"])

    assert report == ListReport(rows=4, subscribed=2, ended=1, suppressed=1)
    assert await desk.states("bagus@pembaca.example") == await desk.states("ratna@pembaca.example") == ACTIVE
    assert await desk.states("pergi@pembaca.example") == ENDED
    assert await desk.states("jangan@pembaca.example") == {}
    assert await desk.held("jangan@pembaca.example") == "blocklisted"


async def test_ghost_s_export_begins_and_ends(desk: Desk) -> None:
    report = await desk.take(CORPUS / "ghost.csv", PRESETS["ghost"])

    assert report == ListReport(rows=4, subscribed=2, ended=2)
    assert await desk.states("pergi@pembaca.example") == await desk.states("jangan@pembaca.example") == ENDED


async def test_mailchimp_s_three_files_begin_end_and_suppress(desk: Desk) -> None:
    reports = [
        await desk.take(CORPUS / f"mailchimp_{name}.csv", PRESETS["mailchimp"])
        for name in ("subscribed", "unsubscribed", "cleaned")
    ]
    async with desk.db.read() as connection:
        person = await audience.by_address(connection, "ratna@pembaca.example")

    assert reports == [
        ListReport(rows=2, subscribed=2),
        ListReport(rows=1, ended=1),
        ListReport(rows=1, suppressed=1),
    ]
    assert person is not None
    assert (person.name, person.language, person.timezone) == ("Ratna Dewi", "id", "Asia/Jakarta")
    assert await desk.held("jangan@pembaca.example") == "hard_bounce"


async def test_the_consent_s_provenance_is_kept_with_its_date(desk: Desk) -> None:
    await desk.take(CORPUS / "ghost.csv", PRESETS["ghost"])

    assert await desk.said("ratna@pembaca.example") == [
        ("pagi", Said.CONFIRMED, f"{ORIGIN} (since 2023-02-14T01:20:33.000Z)")
    ]
    assert await desk.said("pergi@pembaca.example") == [
        ("pagi", Said.ENDED, f"{ORIGIN} (since 2022-01-09T09:00:00.000Z)")
    ]


@pytest.mark.parametrize("name", ["listmonk", "ghost"])
async def test_the_same_list_a_second_time_changes_nothing(name: str, desk: Desk) -> None:
    await desk.take(CORPUS / f"{name}.csv", PRESETS[name])
    before = await desk.exported(), await desk.said("ratna@pembaca.example"), list(departures(desk.journal))
    report = await desk.take(CORPUS / f"{name}.csv", PRESETS[name], now=LATER)

    assert report == ListReport(rows=4, unchanged=4)
    assert (await desk.exported(), await desk.said("ratna@pembaca.example"), list(departures(desk.journal))) == before


async def test_a_dry_run_counts_and_changes_nothing(desk: Desk) -> None:
    report = await desk.take(CORPUS / "listmonk.csv", PRESETS["listmonk"], dry_run=True)

    assert report == ListReport(rows=4, subscribed=2, ended=1, suppressed=1)
    assert await desk.exported() == []
    assert await desk.held("jangan@pembaca.example") is None
    assert not desk.journal.exists()


async def test_a_list_never_lifts_a_suppression(desk: Desk) -> None:
    async with desk.db.write() as connection:
        await audience.suppress(connection, digest("rini@x.example"), "complaint", now=NOW)
        await receipts.suspend(connection, digest("sari@x.example"), until=LATER, now=NOW)
    report = await desk.text("address\nrini@x.example\nRINI@x.example\nsari@x.example\n")

    assert report == ListReport(rows=3, unchanged=1, withheld=2)
    assert [(one.line, one.why) for one in desk.refusals] == [
        (2, "suppressed here: complaint"),
        (4, "suspended here: mails to it fail"),
    ]
    assert await desk.states("rini@x.example") == await desk.states("sari@x.example") == {}
    assert await desk.held("rini@x.example") == "complaint"


async def test_whoever_left_here_does_not_come_back_by_a_list(desk: Desk) -> None:
    async with desk.db.write() as connection:
        person = await add_reader(connection, 1)
        await audience.unsubscribe(connection, "pagi", person.id, now=NOW)
    report = await desk.text(f"address\n{person.address}\n", now=LATER)

    assert report == ListReport(rows=1, withheld=1)
    assert [one.why for one in desk.refusals] == ["left before"]
    assert await desk.states(person.address) == ENDED


async def test_who_said_it_was_not_them_is_not_subscribed_by_a_list(desk: Desk) -> None:
    async with desk.db.write() as connection:
        denied = Consent(newsletter="pagi", what=Said.DENIED, at=NOW, origin="link")
        await consents.add(connection, digest("rini@x.example"), [denied])
    report = await desk.text("address\nrini@x.example\n")

    assert report == ListReport(rows=1, withheld=1)


async def test_an_address_that_its_reader_exchanged_for_another_is_not_subscribed_by_a_list(desk: Desk) -> None:
    async with desk.db.write() as connection:
        said = [Consent(newsletter="pagi", what=Said.CONFIRMED, at=NOW, origin="form")]
        said += [Consent(newsletter="", what=Said.MOVED, at=NOW, origin="link")]
        await consents.add(connection, digest("rini@x.example"), said)
    report = await desk.text("address\nrini@x.example\n")

    assert report == ListReport(rows=1, withheld=1)


async def test_a_list_ends_what_a_list_began_but_not_what_its_reader_confirmed_here(desk: Desk) -> None:
    async with desk.db.write() as connection:
        own = await add_reader(connection, 1)  # by a form of ours
    await desk.text("address,state\nrini@x.example,active\n")
    report = await desk.text(f"address,state\nrini@x.example,unsubscribed\n{own.address},unsubscribed\n", now=LATER)

    assert report == ListReport(rows=2, ended=1, withheld=1)
    assert await desk.states("rini@x.example") == ENDED
    assert [what for _, what, _ in await desk.said("rini@x.example")] == [Said.CONFIRMED, Said.ENDED]
    assert await desk.states(own.address) == ACTIVE


@pytest.mark.parametrize("states", [("active", "ended"), ("ended", "active")])
@pytest.mark.parametrize("between", [0, 600])
async def test_of_two_rows_for_one_address_the_one_that_says_no_counts(
    states: tuple[str, str], between: int, desk: Desk
) -> None:
    others = "".join(f"p{number}@x.example,active\n" for number in range(between))
    await desk.text(f"address,state\nrini@x.example,{states[0]}\n{others}RINI@x.example,{states[1]}\n")

    assert await desk.states("rini@x.example") == ENDED


async def test_several_newsletters_are_begun_at_once(desk: Desk) -> None:
    async with desk.db.write() as connection:
        known = await add_reader(connection, 1)
    report = await desk.text(f"address\n{known.address}\nrini@x.example\n", newsletters=("pagi", "sore"))

    assert report == ListReport(rows=2, subscribed=2)
    assert (
        await desk.states(known.address)
        == await desk.states("rini@x.example")
        == {
            "pagi": SubscriptionState.ACTIVE,
            "sore": SubscriptionState.ACTIVE,
        }
    )
    assert [name for name, _, _ in await desk.said(known.address)] == ["sore"]


async def test_a_restored_backup_learns_from_the_journal_who_is_blocked(desk: Desk) -> None:
    await desk.take(CORPUS / "listmonk.csv", PRESETS["listmonk"])
    async with desk.db.write() as connection:
        await connection.exec_driver_sql("DELETE FROM suppressions")
    await replay_departures(desk.db, desk.journal, now=LATER)

    assert await desk.held("jangan@pembaca.example") == "blocklisted"


async def test_an_interrupted_list_goes_on_from_where_it_was(desk: Desk) -> None:
    text = "address\n" + "".join(f"p{number}@x.example\n" for number in range(1200))

    class Stop(Exception):
        pass

    def stop(_line: int) -> None:
        raise Stop

    with pytest.raises(Stop):
        await desk.text(text, went=stop)
    report = await desk.text(text)

    assert report == ListReport(rows=1200, unchanged=500, subscribed=700)
    assert desk.went == [501, 1001, 1201]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
async def test_delimiter_and_byte_order_mark_are_found(delimiter: str, bom: bytes, desk: Desk) -> None:
    text = f'"address"{delimiter}"name"\r\nrini@x.example{delimiter}"Rini{delimiter} S."\r\n\r\n'
    report = await desk.text(bom + text.encode())
    (row,) = await desk.exported()

    assert report == ListReport(rows=1, subscribed=1)
    assert row["name"] == f"Rini{delimiter.replace(chr(9), '')} S."


async def test_rows_that_can_t_be_read_are_told_by_the_line_and_the_rest_is_done(desk: Desk) -> None:
    lines = [
        *(b"address,name", b"a@x.example,A", b"no address,B", b'c@x.example,"two', b'lines"', b"d@x.example,N\0L"),
        *(
            b"e@x.example," + b"x" * (3 * LONGEST_LINE),
            b"f@x.example," + b"," * 9000,
            b'g@x.example,"G"G',
            b"h@x.example,H",
        ),
    ]
    report = await desk.text(b"\n".join(lines) + b"\n")

    assert [(one.line, one.why.partition(";")[0]) for one in desk.refusals] == [
        (3, "it needs exactly one @"),
        (6, "line 6 has a NUL character"),
        (7, "line 7 is longer than 65,536 bytes"),
        (8, "it has 9002 columns"),
        (9, "it is no CSV: ',' expected after '\"'"),
    ]
    assert report == ListReport(rows=8, subscribed=3, rejected=5)


async def test_a_quotation_mark_that_is_never_closed_swallows_no_more_than_it_tells(desk: Desk) -> None:
    report = await desk.text('address,name\na@x.example,A\nb@x.example,"B\n' + "c@x.example,C\n" * 5)

    assert report == ListReport(rows=2, subscribed=1, rejected=1)
    assert [(one.line, one.why) for one in desk.refusals] == [
        (3, "a quotation mark that isn't closed; lines 3 to 8 can't be told apart")
    ]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("address\nrini@x.example\nandré@x.example\n".encode("cp1252"), r"line 3 is not UTF-8 .*iconv -f WINDOWS-1252"),
        ("address\nrini@x.example\n".encode("utf-16"), "UTF-16.*iconv -f UTF-16"),
        (b"", "it is empty"),
        (b"\n", "it is empty"),
        (b"," * 9000 + b"\n", "it is empty"),
        (b"a," * 9000 + b"\n", "9001 columns"),
        (b"a" * 10 * LONGEST_LINE, "longer than"),
        (b"PK\x03\x04\0\0", "NUL"),
    ],
)
async def test_a_file_that_is_no_list_is_refused_before_anything_is_done(content: bytes, why: str, desk: Desk) -> None:
    with pytest.raises(Refused, match=why):
        await desk.text(content)

    assert await desk.exported() == []


async def test_an_export_has_the_consent_and_no_formula(desk: Desk) -> None:
    await desk.text('address,name,since\nrini@x.example,"=HYPERLINK(""http://e/"")",2024\n')
    await desk.text("address,state\nrini@x.example,ended\n", newsletters=("sore",))
    async with desk.db.write() as connection:
        person = await add_reader(connection, 1)
        await audience.suppress(connection, digest(person.address), "complaint", now=NOW)
    rows = await desk.exported()

    assert [(row["address"], row["newsletter"], row["state"], row["suppressed"]) for row in rows] == [
        ("rini@x.example", "pagi", "active", ""),
        ("rini@x.example", "sore", "ended", ""),
        (person.address, "pagi", "suppressed", "complaint"),
    ]
    assert rows[0]["name"] == '\'=HYPERLINK("http://e/")'
    assert (rows[0]["consent_at"], rows[0]["consent_origin"]) == (NOW.isoformat(), f"{ORIGIN} (since 2024)")
    assert [row["newsletter"] for row in await desk.exported("sore")] == ["sore"]


async def test_an_export_can_be_read_back_elsewhere(desk: Desk, tmp_path: Path) -> None:
    await desk.take(CORPUS / "listmonk.csv", PRESETS["listmonk"])
    out = tmp_path / "out.csv"
    with out.open("w", encoding="utf-8", newline="") as file:
        await export_list(desk.db, file, **BY)
    report = await desk.take(out, newsletters=("sore",))

    assert report == ListReport(rows=3, subscribed=2, ended=1)


async def test_memory_stays_flat_however_long_the_list(desk: Desk, tmp_path: Path) -> None:
    """50,000 rows, and not 20 MiB more than 5,000 need: kept rows alone would be more."""
    path = tmp_path / "long.csv"

    async def take(first: int, last: int) -> ListReport:
        with path.open("w") as file:
            file.write("address,name\n")
            file.writelines(f"pembaca{n}@pembaca.example,{'Pembaca ' * 12}{n}\n" for n in range(first, last))
        desk.went = []
        return await desk.take(path, PLAIN)

    await take(0, 5_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report = await take(5_000, 55_000)
    with (tmp_path / "out.csv").open("w", encoding="utf-8") as out:
        written = await export_list(desk.db, out, **BY)

    assert (report.subscribed, written) == (50_000, 55_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 1024  # KiB


# ── the audit log ────────────────────────────────────────────────────────────────────────────────────────────────────


class Broken(io.StringIO):
    """A pipe whose other end is closed after two lines."""

    def write(self, text: str) -> int:
        if self.getvalue().count("\n") >= 2:
            raise BrokenPipeError
        return super().write(text)


async def deeds(db: Database) -> list[tuple[str, Deed, str, str]]:
    async with db.read() as connection:
        found = await accounts.log(connection, limit=9)
    return [(one.who, one.what, one.subject, one.note) for one in reversed(found)]


async def test_the_audit_log_tells_who_took_over_how_many_from_where(desk: Desk) -> None:
    await desk.take(CORPUS / "listmonk.csv", PRESETS["listmonk"])

    (line,) = await deeds(desk.db)
    assert line[:3] == ("cli:root", Deed.LIST_IN, "pagi")
    assert line[3].startswith("listmonk.csv: 4 rows, 2 subscribed, 1 ended, 1 suppressed; ")
    assert line[3].endswith(ORIGIN)


async def test_the_audit_log_tells_of_a_list_that_was_broken_off(desk: Desk) -> None:
    def broken(_line: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await desk.text("address\na@pembaca.example\n", went=broken)

    assert [one[3].partition(";")[0] for one in await deeds(desk.db)] == ["list.csv: 1 rows, 1 subscribed"]


async def test_a_dry_run_is_nobody_s_deed(desk: Desk) -> None:
    await desk.text("address\na@pembaca.example\n", dry_run=True)

    assert await deeds(desk.db) == []


async def test_the_audit_log_tells_who_took_how_many_away(desk: Desk) -> None:
    await desk.text("address\na@pembaca.example\nb@pembaca.example\n")
    await desk.exported("pagi")
    with pytest.raises(BrokenPipeError):
        await export_list(desk.db, Broken(), **BY)

    assert (await deeds(desk.db))[1:] == [
        ("cli:root", Deed.LIST_OUT, "pagi", "readers.csv: 2 subscriptions"),
        ("cli:root", Deed.LIST_OUT, "all newsletters", "readers.csv: 2 subscriptions"),
    ]
