"""Mail servers of other people, each an instance of a test's own on loopback that hands on to a sink.

Whoever is in KNOWN gets mail, all others are refused. What a server was given lies in a queue that it flushes to disk,
as it would in earnest; its folders are made for the test, and it is ended by its process group.
"""

import asyncio
import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.channels.mail_rules import INBOX
from tests.conftest import absent
from tests.servers.smtp import Behaviour, SmtpSink, Taken

PATIENCE = 20.0  # seconds: a hang guard, a start takes about one
DOMAIN = "pembaca.test"
_POSTFIX = "/usr/sbin:/usr/lib/postfix/sbin:/usr/libexec/postfix"
_OPENSMTPD = ("/usr/sbin/smtpd", "/usr/local/lib/opensmtpd/usr/sbin/smtpd")  # .ci/run unpacks the second

_MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log/mail
maillog_file_prefixes = {folder}/log
myhostname = relay.test
inet_protocols = ipv4
mydestination =
local_recipient_maps =
alias_maps =
mynetworks = 127.0.0.0/8
relay_domains = {domain}
relay_recipient_maps = inline:{{ {known} }}
relayhost = [127.0.0.1]:{sink}
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = reject_unauth_destination
"""
_MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
_SMTPD_CONF = """\
listen on 127.0.0.1 port {port}
table known {{ {known} }}
action out relay host smtp://127.0.0.1:{sink}
match from any for rcpt-to <known> action out
"""
# OpenSMTPD's folders and users are compiled in: it gets its own in a mount namespace, and nobody else sees them.
_OWN_NAMESPACE = """
set -e
cd "$1"
mount --make-rprivate /
mount --bind spool /var/spool
mount --bind run /run
mount --bind lib /var/lib
mount --bind passwd /etc/passwd
mount --bind group /etc/group
exec "$2" -d -f "$1/smtpd.conf"
"""


@dataclass(frozen=True, kw_only=True)
class Relay:
    """A server that is ready for mail, and what arrived behind it so far."""

    port: int
    arrived: Sequence[Taken]


@asynccontextmanager
async def aiosmtpd(known: Sequence[str]) -> AsyncIterator[Relay]:
    """In this process; it keeps what it takes."""
    arrived: list[Taken] = []

    class Handler:
        async def handle_RCPT(self, _: SMTP, __: Session, envelope: Envelope, address: str, options: list[str]) -> str:
            if address not in known:
                return "550 5.1.1 no such reader"
            envelope.rcpt_tos.append(address)
            return "250 2.1.5 OK"

        async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:
            assert isinstance(envelope.content, bytes)
            sender, recipients = envelope.mail_from or "", tuple(envelope.rcpt_tos)
            arrived.append(Taken(sender=sender, recipients=recipients, content=envelope.content))
            for recipient in recipients:
                INBOX.take(sender, recipient, envelope.content)
            return "250 2.0.0 OK"

    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Handler(), hostname="relay.test"), "127.0.0.1", 0)
    async with server:
        yield Relay(port=server.sockets[0].getsockname()[1], arrived=arrived)


@asynccontextmanager
async def postfix(known: Sequence[str], *, gone: Sequence[str] = ()) -> AsyncIterator[Relay]:
    """Its own configuration, queue and log; its daemons run as the system's `postfix` user.

    Those `gone` are known to it, and refused by the sink: it writes a bounce, which arrives there as well.
    """
    master = shutil.which("master", path=_POSTFIX)
    if master is None:
        absent("postfix", "no master in /usr/lib/postfix/sbin")
    if os.geteuid() != 0:
        absent("postfix", "only root can start it")
    refusals = dict.fromkeys(gone, b"550 5.1.1 no such reader\r\n")
    async with SmtpSink(Behaviour(replies=refusals)) as sink:
        with tempfile.TemporaryDirectory(prefix="postfix-", ignore_cleanup_errors=True) as name:
            folder, port = Path(name), _free_port()
            values = {"folder": folder, "domain": DOMAIN, "sink": sink.port, "port": port}
            values["known"] = ", ".join(f"{{ {address} = OK }}" for address in (*known, *gone))
            _lay_out_postfix(folder)
            (folder / "main.cf").write_text(_MAIN_CF.format(**values), "ascii")
            (folder / "master.cf").write_text(_MASTER_CF.format(**values), "ascii")
            async with _running([str(master), "-c", name, "-d"], port):
                yield Relay(port=port, arrived=sink.messages)


@asynccontextmanager
async def opensmtpd(known: Sequence[str]) -> AsyncIterator[Relay]:
    """From its package, unpacked: Debian won't install it beside Postfix."""
    program = next(filter(os.path.exists, _OPENSMTPD), None)
    if program is None:
        absent("opensmtpd", f"none of {', '.join(_OPENSMTPD)} is there")
    if not _may_have_folders_of_its_own():
        absent("opensmtpd", "only root can give it folders of its own, with `unshare --mount`")
    async with SmtpSink() as sink:
        with tempfile.TemporaryDirectory(prefix="opensmtpd-", ignore_cleanup_errors=True) as name:
            folder, port = Path(name), _free_port()
            values = {"sink": sink.port, "port": port, "known": ", ".join(f'"{address}"' for address in known)}
            _lay_out_opensmtpd(folder)
            (folder / "smtpd.conf").write_text(_SMTPD_CONF.format(**values), "ascii")
            command = ["unshare", "--mount", "sh", "-c", _OWN_NAMESPACE, "sh", name, str(program)]
            async with _running(command, port):
                yield Relay(port=port, arrived=sink.messages)


def _lay_out_postfix(folder: Path) -> None:
    """The folders that `postfix check` would make, with its owners and modes."""
    folder.chmod(0o755)
    owner, dropper = pwd.getpwnam("postfix").pw_uid, grp.getgrnam("postdrop").gr_gid
    for name in ("queue", "queue/pid", "log"):
        (folder / name).mkdir(mode=0o755)
    private = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved")
    for name in ("data", *(f"queue/{name}" for name in (*private, "trace"))):
        (folder / name).mkdir(mode=0o700)
        os.chown(folder / name, owner, -1)
    for name, mode in (("public", 0o2710), ("maildrop", 0o1730)):
        (folder / "queue" / name).mkdir()
        os.chown(folder / "queue" / name, owner, dropper)
        (folder / "queue" / name).chmod(mode)


def _may_have_folders_of_its_own() -> bool:
    unshare = shutil.which("unshare")
    return unshare is not None and subprocess.run([unshare, "--mount", "true"], check=False).returncode == 0


def _lay_out_opensmtpd(folder: Path) -> None:
    folder.chmod(0o755)
    (folder / "lib/opensmtpd/empty").mkdir(parents=True)
    (folder / "lib/empty").mkdir()
    for name in ("spool", "run"):
        (folder / name).mkdir()
    users = [(name, 64_900 + place % 2) for place, name in enumerate(("_smtpd", "_smtpq", "opensmtpd", "opensmtpq"))]
    for kind, row in (("passwd", "{0}:x:{1}:{1}::/:/bin/false"), ("group", "{0}:x:{1}:")):
        rows = [*Path("/etc", kind).read_text("utf-8").splitlines(), *(row.format(*user) for user in users)]
        (folder / kind).write_text("\n".join(rows) + "\n", "utf-8")


@asynccontextmanager
async def _running(command: Sequence[str], port: int) -> AsyncIterator[None]:
    """The process and its children, in a group of their own, from when the port answers."""
    process = await asyncio.create_subprocess_exec(
        *command, start_new_session=True, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(PATIENCE):
            while not await _greets(port):
                assert process.returncode is None, f"{command[0]} ended with {process.returncode}"
                await asyncio.sleep(0.02)
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            await process.wait()


async def _greets(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    greeting = await reader.readline()
    writer.write(b"QUIT\r\n")
    writer.close()
    return greeting.startswith(b"220 ")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
