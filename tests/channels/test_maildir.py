"""The Maildir: once at most, and the folder tells after a crash."""

import asyncio
import os
import signal
import sys
import textwrap
from pathlib import Path

import pytest

from syndicate.channels.mail.maildir import MaildirConfig, MaildirMailer
from syndicate.domain.delivery import OutcomeKind
from tests.channels.mails import make_mail, send_all, send_one

ROOT = Path(__file__).resolve().parents[2]
DIE_AT = textwrap.dedent("""
    import asyncio, os, signal, sys
    from pathlib import Path
    from syndicate.channels.mail.maildir import MaildirConfig, MaildirMailer
    from tests.channels.mails import make_mail, send_all

    def die(*_, **__):
        os.kill(os.getpid(), signal.SIGKILL)

    # The fault is put in by hand: only so can the process die exactly here.
    real = os.fsync
    calls = []
    def die_later(descriptor):
        real(descriptor)
        calls.append(descriptor)
        if len(calls) == int(sys.argv[2]):
            die()
    os.fsync = die_later
    mailer = MaildirMailer(MaildirConfig(name="m", path=Path(sys.argv[1])))
    asyncio.run(send_all(mailer, [make_mail(1), make_mail(2)]))
""")


@pytest.fixture(autouse=True)
def mails_by_the_rules() -> None:
    """What these send is written by hand: the way is tested here, not the letters."""


def open_mailer(path: Path) -> MaildirMailer:
    return MaildirMailer(MaildirConfig(name="m", path=path))


def names(path: Path, folder: str = "new") -> list[str]:
    return sorted(os.listdir(path / folder))


@pytest.mark.parametrize("fsync", range(1, 6))  # folder, its parent, mail 1, mail 2, new/
async def test_after_a_kill_looking_tells_and_sending_again_makes_it_one(tmp_path: Path, fsync: int) -> None:
    path = tmp_path / "mail"
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", DIE_AT, str(path), str(fsync), cwd=ROOT)
    assert await killed.wait() == -signal.SIGKILL
    mailer = open_mailer(path)

    told = await mailer.look(["e17.name1", "e17.name2"])

    assert told == dict.fromkeys(["e17.name1", "e17.name2"], fsync == 5)
    await send_all(mailer, [make_mail(1), make_mail(2)])
    assert names(path) == ["e17.name1.syndicate", "e17.name2.syndicate"]
    assert names(path, "tmp") == []


async def test_the_name_comes_from_the_delivery_and_the_envelope_stands_on_top(tmp_path: Path) -> None:
    mail = make_mail(7)

    await send_one(open_mailer(tmp_path), mail)

    assert (tmp_path / "new" / "e17.name7.syndicate").read_bytes() == (
        b"Return-Path: <b+abc@bounce.x.test>\r\nDelivered-To: reader7@x.test\r\n" + mail.content
    )
    assert names(tmp_path, "tmp") == []


@pytest.mark.parametrize("place", ["new/e17.name1.syndicate", "cur/e17.name1.syndicate:2,FS"])
async def test_what_is_there_already_is_accepted_and_not_written_again(tmp_path: Path, place: str) -> None:
    mailer = open_mailer(tmp_path)
    await send_one(mailer, make_mail(2))
    (tmp_path / place).write_bytes(b"the first copy")

    outcome = await send_one(mailer, make_mail(1))

    assert outcome.kind is OutcomeKind.ACCEPTED
    assert (tmp_path / place).read_bytes() == b"the first copy"
    assert len(names(tmp_path) + names(tmp_path, "cur")) == 2
    assert await mailer.look(["e17.name1", "e17.name3"]) == {"e17.name1": True, "e17.name3": False}


async def test_look_before_the_first_mail_says_no(tmp_path: Path) -> None:
    assert await open_mailer(tmp_path / "none").look(["e17.name1"]) == {"e17.name1": False}


async def test_a_folder_that_cannot_be_read_is_no_evidence(tmp_path: Path) -> None:
    (tmp_path / "new").symlink_to(tmp_path / "new")  # a loop: also root can't list it

    assert await open_mailer(tmp_path).look(["e17.name1"]) == {}


async def test_a_full_disk_defers_in_words_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    mailer = open_mailer(tmp_path)
    await send_one(mailer, make_mail(1))
    monkeypatch.setattr(os, "fsync", full)  # by hand: filling a disk needs root

    outcome = await send_one(mailer, make_mail(2))

    assert (outcome.kind, "No space left" in outcome.text) == (OutcomeKind.DEFERRED, True)
    assert names(tmp_path, "tmp") == []
    assert names(tmp_path) == ["e17.name1.syndicate"]


async def test_a_folder_that_could_not_be_flushed_leaves_a_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def no_folders(descriptor: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(5, "Input/output error")
        real(descriptor)

    mailer = open_mailer(tmp_path)
    await send_one(mailer, make_mail(1))
    monkeypatch.setattr(os, "fsync", no_folders)  # by hand: no real disk fails on demand

    outcome = await send_one(mailer, make_mail(2))

    assert outcome.kind is OutcomeKind.UNCERTAIN


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "a:2,S", "", "a" * 300])
async def test_a_name_that_is_no_file_name_is_a_bug(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no file name"):
        await open_mailer(tmp_path).look([name])


async def test_a_revocation_while_the_files_are_flushed_still_counts(tmp_path: Path) -> None:
    asked: list[list[str]] = []

    def may_send(_: int) -> bool:
        asked.append(names(tmp_path, "tmp"))
        return False

    outcomes = await send_all(open_mailer(tmp_path), [make_mail(1)], may_send=may_send)

    assert outcomes == [(1, None)]
    assert len(asked[0]) == 1  # written already, and asked after that
    assert names(tmp_path) == names(tmp_path, "tmp") == []
