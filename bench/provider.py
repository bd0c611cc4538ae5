"""`esp-batch`: the whole send path by a provider over HTTP, from the ledger over the wire and back.

Ours is the production Dispatcher on a SQLite file, as in `sending`; the other side is a process that takes what Mailgun
takes: it unpacks every call, reads its form, and refuses all that isn't for a thousand readers with links of their own.
"""

import asyncio
import gzip
import json
import re
import sys
from asyncio import IncompleteReadError, StreamReader, StreamWriter
from contextlib import suppress

from bench.figure import RUNS, BenchError, Row, Run, alone
from bench.processes import free_port, running, wait_until
from bench.sending import Office, Pace
from syndicate.channels.mail.mailgun import MailgunConfig, MailgunMailer

_READERS = 20_000
_OCTETS = 60_000  # of an edition's HTML, about
_CONNECTIONS = 1  # as the configuration has it unless written otherwise
_DOMAIN = "surat.contohpos.example"
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_TO = b'name="to"\r\n'
_VARIABLES = b'name="recipient-variables"\r\n\r\n'


def measure() -> Row:
    """Recipients a second, with marks and outcomes in the ledger."""
    pace, runs, port = Pace(), [], free_port()
    with Office(octets=_OCTETS, readers=_READERS) as office:
        sink = [sys.executable, "-m", "bench.provider", str(port)]
        with running(sink, folder=office.folder) as process:
            wait_until(lambda: not asyncio.run(_probe(port)), process, seconds=10, what="the provider to answer")
            office.send(lambda: _mailer(port))
            for _ in range(RUNS):
                runs.append(Run(ours=pace.add(*office.send(lambda: _mailer(port)))))
    note = (
        f"{_READERS:,} a run, 1,000 a call, HTML of {_OCTETS:,} bytes, {_CONNECTIONS} connections; "
        f"a recipient takes us {pace.cpu_words()}"
    )
    return alone("esp-batch", unit="recipients/s", runs=runs, note=note)


async def _probe(port: int) -> str:
    mailer = _mailer(port)
    try:
        return await mailer.probe()
    finally:
        await mailer.aclose()


def _mailer(port: int) -> MailgunMailer:
    config = MailgunConfig(
        name="relay",
        domain=_DOMAIN,
        api_key="key",
        user_agent="bench",
        url=f"http://127.0.0.1:{port}",
        connections=_CONNECTIONS,
    )
    return MailgunMailer(config)


async def _serve(port: int) -> None:
    server = await asyncio.start_server(_converse, "127.0.0.1", port, limit=2**20)
    async with server:
        await server.serve_forever()


async def _converse(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(IncompleteReadError, ConnectionError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            body = await reader.readexactly(int(length[1]) if length else 0)
            status, said = _judge(gzip.decompress(body))
            answer = json.dumps(said).encode()
            writer.write(b"HTTP/1.1 %d As Told\r\nContent-Length: %d\r\n\r\n%s" % (status, len(answer), answer))
            await writer.drain()
    writer.close()


def _judge(form: bytes) -> tuple[int, dict[str, str]]:
    readers = form.count(_TO)
    variables = form.partition(_VARIABLES)[2].partition(b"\r\n--")[0]
    own = json.loads(variables) if variables else {}
    links = {one["h_list_unsubscribe"] for one in own.values()}
    if not 0 < readers == len(own) == len(links) <= 1000:
        return 400, {"message": f"{readers} recipients, {len(own)} variables, {len(links)} links"}
    return 200, {"id": "<1@bench>", "message": "Queued. Thank you."}


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise BenchError("python -m bench.provider PORT")
    asyncio.run(_serve(int(sys.argv[1])))
