"""Mailboxes that others write to: what each kind promises, then what only one of them can do."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path

import pytest
import trustme

from syndicate.channels.mail.bounce import MOST_BYTES
from syndicate.channels.mail.imap import ImapConfig, ImapMailbox
from syndicate.channels.mail.maildir_in import MaildirIn, MaildirInConfig
from syndicate.errors import ConfigError
from syndicate.ports import Mailbox
from tests.servers.imap import ImapServer

PATIENCE = 30.0  # seconds: a hang guard
Put = Callable[[bytes], None]
Bench = AbstractAsyncContextManager[tuple[Mailbox, Put]]


class Kept:
    """What a mailbox handed over; fails when it is told to."""

    def __init__(self, *, failing: bool = False) -> None:
        self.mails: list[bytes] = []
        self.failing = failing

    async def __call__(self, mails: Sequence[bytes]) -> None:
        if self.failing:
            raise RuntimeError("the database is away")
        self.mails += mails


def maildir(folder: Path) -> MaildirIn:
    for name in ("tmp", "new", "cur"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return MaildirIn(MaildirInConfig(name="pantul", path=folder))


def imap(server: ImapServer, **changes: object) -> ImapMailbox:
    values = {"host": "localhost", "port": server.port, "username": "pantul", "password": "rahasia", "tls": "none"}
    return ImapMailbox(ImapConfig(name="pantul", **{"timeout_seconds": 10.0, **values, **changes}))  # type: ignore[arg-type]


@pytest.fixture(params=["maildir", "imap"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    @asynccontextmanager
    async def folder() -> AsyncIterator[tuple[Mailbox, Put]]:
        box = maildir(tmp_path / "kotak")

        def put(mail: bytes) -> None:
            there = len(list((tmp_path / "kotak").rglob("*.mx")))
            (tmp_path / "kotak" / "new" / f"{1000 + there}.mx").write_bytes(mail)

        yield box, put

    @asynccontextmanager
    async def server() -> AsyncIterator[tuple[Mailbox, Put]]:
        async with ImapServer() as running:
            yield imap(running), running.put

    return folder() if request.param == "maildir" else server()


@pytest.fixture
def mails_by_the_rules() -> None:
    """What lies in these mailboxes is not by us."""


async def test_what_is_new_is_handed_over_once_oldest_first(bench: Bench) -> None:
    kept = Kept()
    async with bench as (box, put):
        put(b"satu\r\n")
        put(b"dua\r\n")
        first = await box.empty(kept)
        put(b"tiga\r\n")
        second = await box.empty(kept)

    assert (first, second) == ("", "")
    assert kept.mails == [b"satu\r\n", b"dua\r\n", b"tiga\r\n"]


async def test_what_could_not_be_stored_comes_again(bench: Bench) -> None:
    kept = Kept()
    async with bench as (box, put):
        put(b"satu\r\n")
        with pytest.raises(RuntimeError, match="the database is away"):
            await box.empty(Kept(failing=True))
        await box.empty(kept)

    assert kept.mails == [b"satu\r\n"]


async def test_a_mail_is_cut_off_at_the_limit(bench: Bench) -> None:
    kept = Kept()
    async with bench as (box, put):
        put(b"x" * (MOST_BYTES + 1000))
        await box.empty(kept)

    assert [len(mail) for mail in kept.mails] == [MOST_BYTES]


async def test_hundreds_come_in_several_handfuls(bench: Bench) -> None:
    sizes: list[int] = []

    async def keep(mails: Sequence[bytes]) -> None:
        sizes.append(len(mails))

    async with bench as (box, put):
        for number in range(120):
            put(b"%d\r\n" % number)
        await box.empty(keep)

    assert sizes == [50, 50, 20]


async def test_an_empty_mailbox_is_no_problem(bench: Bench) -> None:
    kept = Kept()
    async with bench as (box, _):
        assert await box.empty(kept) == ""

    assert kept.mails == []


async def test_a_probe_says_that_it_can_be_read_and_takes_nothing(bench: Bench) -> None:
    async with bench as (box, put):
        put(b"satu\r\n")
        problem = await box.probe()
        await box.empty(kept := Kept())

    assert (problem, kept.mails) == ("", [b"satu\r\n"])


async def test_a_probe_says_what_stands_in_the_way(tmp_path: Path) -> None:
    folder = await MaildirIn(MaildirInConfig(name="pantul", path=tmp_path)).probe()
    async with ImapServer() as server:
        password = await imap(server, password="salah").probe()

    assert folder == f"{tmp_path}/new is not there, or can't be read and written by us"
    assert "wrong password" in password


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    box = MaildirIn(MaildirInConfig(name="pantul", path=tmp_path / "tidak-ada"))

    assert await box.empty(Kept()) == f"{tmp_path}/tidak-ada/new: No such file or directory"


async def test_a_maildir_keeps_what_was_taken_as_seen(tmp_path: Path) -> None:
    box, kept = maildir(tmp_path), Kept()
    (tmp_path / "new" / "1.mx").write_bytes(b"satu")
    (tmp_path / "new" / "2.mx:2,").write_bytes(b"dua")
    (tmp_path / "new" / "folder").mkdir()
    await box.empty(kept)

    assert sorted(path.name for path in (tmp_path / "cur").iterdir()) == ["1.mx:2,S", "2.mx:2,"]
    assert kept.mails == [b"satu", b"dua"]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return str(tmp_path / "ca.pem")


@pytest.mark.parametrize("tls", ["tls", "starttls"])
async def test_imap_over_tls(server_tls: ssl.SSLContext, ca_file: str, tls: str) -> None:
    async with ImapServer(tls=server_tls, implicit_tls=tls == "tls") as server:
        server.put(b"satu")
        problem = await imap(server, tls=tls, ca_file=ca_file).empty(kept := Kept())

    assert (problem, kept.mails) == ("", [b"satu"])


@pytest.mark.parametrize("tls", ["tls", "starttls"])
async def test_nothing_is_said_to_a_server_whose_certificate_is_not_trusted(
    server_tls: ssl.SSLContext, tls: str
) -> None:
    async with ImapServer(tls=server_tls, implicit_tls=tls == "tls") as server:
        problem = await imap(server, tls=tls).empty(Kept())

    assert problem.startswith("no trusted encrypted connection")
    assert not {"LOGIN", "AUTHENTICATE"} & set(server.said)


async def test_nothing_is_said_in_clear_where_starttls_is_wanted_and_not_to_be_had() -> None:
    async with ImapServer(no_to=frozenset({"STARTTLS"})) as server:
        problem = await imap(server, tls="starttls").empty(Kept())

    assert problem
    assert not {"LOGIN", "AUTHENTICATE"} & set(server.said)


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("name", ["pantul", 'a "b" \\c'])
async def test_both_ways_to_sign_in(name: str, *, plain: bool) -> None:
    async with ImapServer(plain=plain, users={name: 'r"a\\h'}) as server:
        server.put(b"satu")
        problem = await imap(server, username=name, password='r"a\\h').empty(kept := Kept())

    assert (problem, kept.mails) == ("", [b"satu"])


async def test_a_wrong_password_is_told_without_it() -> None:
    async with ImapServer() as server:
        problem = await imap(server, password="salah-sekali").empty(Kept())

    assert "wrong password" in problem
    assert "salah" not in problem


async def test_a_folder_of_another_name() -> None:
    async with ImapServer(folder="Kotak Pantul") as server:
        server.put(b"satu")
        problem = await imap(server, folder="Kotak Pantul").empty(kept := Kept())
        wrong = await imap(server).empty(Kept())

    assert (problem, kept.mails) == ("", [b"satu"])
    assert "no such folder" in wrong


@pytest.mark.parametrize("verb", ["SELECT", "SEARCH", "FETCH", "STORE"])
async def test_a_no_is_a_problem_and_nothing_is_lost(verb: str) -> None:
    async with ImapServer(no_to=frozenset({verb})) as server:
        server.put(b"satu")
        problem = await imap(server).empty(Kept())
        server.no_to = frozenset()
        again = await imap(server).empty(kept := Kept())

    assert (problem, again, kept.mails) == ("not today", "", [b"satu"])


async def test_a_mail_that_the_server_cannot_read_holds_nobody_up_and_comes_again() -> None:
    async with ImapServer(unreadable=frozenset({102})) as server:
        server.put(b"satu", b"dua", b"tiga")
        problem = await imap(server).empty(kept := Kept())
        server.unreadable = frozenset()
        again = await imap(server).empty(later := Kept())

    assert (problem, kept.mails) == ("damaged", [b"satu", b"tiga"])
    assert (again, later.mails) == ("", [b"dua"])


@pytest.mark.parametrize("verb", ["CAPABILITY", "SELECT", "SEARCH", "FETCH", "STORE"])
async def test_a_connection_that_breaks_is_a_problem_and_nothing_is_lost(verb: str) -> None:
    async with ImapServer(hang_up_at=verb) as server:
        server.put(b"satu")
        problem = await imap(server).empty(Kept())
        server.hang_up_at = ""
        await imap(server).empty(kept := Kept())

    assert problem
    assert kept.mails == [b"satu"]


async def test_a_silent_server_is_left() -> None:
    async with ImapServer(silent_at="SEARCH") as server:
        problem = await imap(server, timeout_seconds=0.2).empty(Kept())

    assert problem == "no answer in time"


@pytest.mark.parametrize("begin", [b"* OK ready\r\n", b"* "], ids=["lines", "one line"])
async def test_a_server_that_never_stops_talking_is_left(begin: bytes) -> None:
    hung_up = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while True:
                writer.write(begin)
                await writer.drain()
                await asyncio.sleep(0.01)  # a server's own pace, slower than any of our limits in bytes
        writer.close()
        hung_up.set()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        values = {"host": "127.0.0.1", "port": port, "username": "a", "password": "b", "tls": "none"}
        box = ImapMailbox(ImapConfig(name="p", look_seconds=0.5, **values))
        async with asyncio.timeout(PATIENCE):
            problem = await box.empty(Kept())
            await hung_up.wait()

    assert problem == "the look took more than 0.5 s"


async def test_a_look_that_ends_over_tls_ends_all_the_same(server_tls: ssl.SSLContext, ca_file: str) -> None:
    async with ImapServer(tls=server_tls, silent_at="SEARCH") as server:
        box = imap(server, tls="starttls", ca_file=ca_file, look_seconds=0.5, timeout_seconds=PATIENCE)
        async with asyncio.timeout(PATIENCE):
            problem = await box.empty(Kept())

    assert problem == "the look took more than 0.5 s"


async def test_a_mail_that_is_said_to_be_huge_is_not_read() -> None:
    async with ImapServer() as server:
        server.put(b"satu")
        server.announce = 10**9
        problem = await imap(server).empty(kept := Kept())

    assert problem.endswith("it sends more than was asked for")
    assert kept.mails == []


async def test_a_maildir_follows_no_link_and_reads_no_pipe(tmp_path: Path) -> None:
    box, new = maildir(tmp_path / "kotak"), tmp_path / "kotak" / "new"
    (tmp_path / "secret").write_bytes(b"rahasia")
    (new / "1.link").symlink_to(tmp_path / "secret")
    (new / "2.lost").symlink_to(tmp_path / "nothing")
    (new / "3.folder").mkdir()
    os.mkfifo(new / "4.pipe")
    (new / "5.mail").write_bytes(b"satu")
    problem = await box.empty(kept := Kept())

    assert (problem, kept.mails) == ("", [b"satu"])
    assert (new / "1.link").is_symlink()


async def test_a_maildir_takes_mails_with_names_of_any_length(tmp_path: Path) -> None:
    box, folder = maildir(tmp_path / "kotak"), tmp_path / "kotak"
    names = ["a" * 255, "a" * 254 + "b", "\u00e9" * 127, "pendek"]
    for name in names:
        (folder / "new" / name).write_bytes(name.encode())
    first = await box.empty(kept := Kept())
    second = await box.empty(Kept())

    assert (first, second, len(kept.mails)) == ("", "", 4)
    assert list((folder / "new").iterdir()) == []
    assert len([one for one in (folder / "cur").iterdir() if one.name.endswith(":2,S")]) == 4


async def test_a_mail_that_can_not_be_moved_holds_nobody_up(tmp_path: Path) -> None:
    box, folder = maildir(tmp_path / "kotak"), tmp_path / "kotak"
    (folder / "cur" / "1:2,S").mkdir()
    for name in ("1", "2"):
        (folder / "new" / name).write_bytes(b"isi")
    problem = await box.empty(kept := Kept())

    assert "directory" in problem.lower()
    assert [one.name for one in (folder / "new").iterdir()] == ["1"]
    assert len(kept.mails) == 2


async def test_nobody_there_is_a_problem() -> None:
    async with ImapServer() as server:
        box = imap(server)

    assert "refused" in await box.empty(Kept())


def test_authorities_that_can_t_be_read_are_named() -> None:
    config = ImapConfig(name="pantul", host="mx.test", port=993, username="a", password="b", ca_file="/tidak/ada.pem")
    with pytest.raises(ConfigError, match=r"receipts\.pantul\.ca_file: /tidak/ada\.pem can't be used"):
        ImapMailbox(config)


def test_a_password_is_not_shown() -> None:
    config = ImapConfig(name="pantul", host="mx.test", port=993, username="a", password="rahasia-besar")

    assert "rahasia-besar" not in repr(config)
