"""Mail messages: headers by our own writer, a body encoded once per variant and spliced per recipient.

The standard library's `EmailMessage` lets a headline bring in headers of its own (gh-80222, CVE-2024-6923,
CVE-2025-1795) and turns List-Unsubscribe into something no mail program reads. Headlines come from feeds, so headers
are assembled here as bytes, by few rules that can be checked: what is not plain ASCII is B-encoded (RFC 2047), display
names are quoted or encoded, and the finished header block is read again before it leaves.

In the text and HTML of a variant, `{mark}-NAME-` is a hole for a recipient's own value. A hole stands between soft
line breaks on a line of its own, so both parts are quoted-printable once and a message is a join of bytes.
"""

import html as html_escapes
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from typing import NamedTuple

from syndicate.channels.mail import headers
from syndicate.channels.mail.dkim import Seal, SigningKey
from syndicate.errors import ConfigError
from syndicate.ports import Letterhead, Mail

_QP_LINE = 75  # characters, and the `=` of a soft break makes 76, RFC 2045 §6.7
_QP_BYTES = [bytes([byte]) if 32 <= byte <= 126 and byte != 61 else b"=%02X" % byte for byte in range(256)]
_MARK = re.compile(r"[a-z]{16}")
_AS_IT_IS = bytes({*range(32, 127)} - set(b"\"&'<=>"))  # what neither HTML nor quoted-printable writes otherwise
_MARKUP = re.compile(r"[&<>\"']")  # what `html.escape` writes otherwise
_NEWLINE = re.compile(r"\r\n?")

_HOSTILE = (
    "Evil\r\nBcc: v@evil.test",
    "=?utf-8?q?x=0D=0ABcc:_v@evil.test?=",
    "=?utf-8?b?DQpCY2M6IHZAZXZpbC50ZXN0?=",
    "A" * 300 + ", B <v@evil.test>",
    'a"b\\c, <v@evil.test>',
    "x\x0b\x00\x85\u2028Bcc: v@evil.test",
    "Banjir rob 😀 " * 20 + "<v@evil.test>, x",
)
_PHRASE = rb'(?:"(?:[^"\\\r\n]|\\.)*"|=\?utf-8\?b\?[A-Za-z0-9+/=]+\?=(?:\r\n =\?utf-8\?b\?[A-Za-z0-9+/=]+\?=)*)'
_SELF_TEST = (
    re.compile(rb"^From: " + _PHRASE + rb"(?: |\r\n )<a@x\.test>\r\n", re.M),
    re.compile(rb"^To: " + _PHRASE + rb"(?: |\r\n )<b@x\.test>\r\n", re.M),
    re.compile(rb"^List-Id: " + _PHRASE + rb"(?: |\r\n )<a\.x\.test>\r\n", re.M),
    re.compile(rb"^Subject: [!-~]", re.M),
    re.compile(rb"^List-Unsubscribe: <https://x\.test/u/t{90}>\r\n", re.M),
    re.compile(rb"\A(?:[!-9;-~]+: [ -~]+\r\n(?: [ -~]+\r\n)*)+\Z"),
    re.compile(rb"\A(?!(?s:.*)^bcc:)", re.I | re.M),
)


class Addressee(NamedTuple):
    """What the head of one recipient's message has of its own."""

    address: str
    message_id: str  # without the angle brackets
    name: str = ""
    unsubscribe_url: str | None = None
    unsubscribe_mailto: str | None = None


class Hole(NamedTuple):
    """A place in a part where a recipient's own value stands."""

    place: int  # in a variant's pieces
    name: str
    in_html: bool


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One rendering of an edition, encoded. `message` is cheap: it may be called for each of a million recipients."""

    pieces: tuple[bytes, ...] = field(repr=False)  # common head first; empty where a hole is
    holes: tuple[Hole, ...]
    varies_from: int  # the first place in `pieces` that is not the same for all
    seal: Seal | None = field(default=None, repr=False)

    @property
    def names(self) -> frozenset[str]:
        """The values that `message` wants."""
        return frozenset(hole.name for hole in self.holes)

    def message(self, addressee: Addressee, values: Mapping[str, str]) -> bytes:
        """The whole message: RFC 5322, 7-bit, CRLF, no line over 76 but for URLs and addresses in the head.

        No line begins with a dot and each ends in CRLF, so DATA can carry it as it is (`Mail.is_clean`).
        Raises KeyError for a hole without a value and ValueError for an address, id or URL that would break a header.
        """
        parts = list(self.pieces)
        alike: dict[str, bytes] = {}  # lines that are the same in text and HTML, by name
        for place, name, in_html in self.holes:
            parts[place] = alike.get(name) or _encode_value(name, values[name], alike, in_html=in_html)
        own = own_fields(addressee)
        signatures = self.seal.fields(own, parts[self.varies_from :]) if self.seal else b""
        return b"".join([signatures, headers.block(own), *parts])


def compile_variant(
    *, letterhead: Letterhead, subject: str, html: str, text: str, mark: str, signing_keys: Sequence[SigningKey] = ()
) -> Variant:
    """Encodes what all recipients of a variant share. Without `signing_keys` the messages are not signed.

    `mark` is 16 letters a–z that nobody could guess before: a story can't contain a hole. Same input, same bytes.
    Raises ValueError when the mark is of another form or stands anywhere outside a hole.
    """
    boundary = f"=_{mark}".encode()  # `=_` never occurs in quoted-printable
    common = {**common_fields(letterhead, subject), **_mime_fields(boundary)}
    pieces: list[bytes] = [headers.block(common) + b"\r\n"]
    holes: list[Hole] = []
    for kind, body in (("plain", text), ("html", html)):
        pieces.append(
            b"--" + boundary + b"\r\nContent-Type: text/" + kind.encode() + b"; charset=utf-8\r\n"
            b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        )
        _encode_part(body, mark, pieces, holes, in_html=kind == "html")
        pieces.append(b"\r\n")
    pieces.append(b"--" + boundary + b"--\r\n")
    varies_from = holes[0].place if holes else len(pieces)
    begun = b"".join(pieces[1:varies_from])
    seal = Seal(signing_keys, common=common, body=begun, signed_at=letterhead.date) if signing_keys else None
    return Variant(pieces=tuple(pieces), holes=tuple(holes), varies_from=varies_from, seal=seal)


def common_fields(letterhead: Letterhead, subject: str) -> Mapping[str, str]:
    """The head that all mails of a variant have, but for what says how the body is written."""
    fields = {
        "From": headers.mailbox("From", letterhead.from_name, letterhead.from_address),
        "Subject": headers.text_field("Subject", subject),
        "Date": f"Date: {format_datetime(letterhead.date)}\r\n",
        "Auto-Submitted": "Auto-Submitted: auto-generated\r\n",  # RFC 3834: no vacation replies
        "X-Auto-Response-Suppress": "X-Auto-Response-Suppress: OOF, AutoReply\r\n",  # Exchange's word for the same
    }
    if letterhead.reply_to is not None:
        fields["Reply-To"] = headers.mailbox("Reply-To", "", letterhead.reply_to)
    if letterhead.list_id is not None:
        fields["List-Id"] = headers.list_id(letterhead.list_id, letterhead.list_title)
        fields["Precedence"] = "Precedence: bulk\r\n"
    return fields


def own_fields(addressee: Addressee) -> Mapping[str, str]:
    """The head that is one recipient's own. Raises ValueError for an address, id or URL that would break a header."""
    fields = {
        "To": headers.mailbox("To", addressee.name, addressee.address),
        "Message-ID": headers.message_id(addressee.message_id),
    }
    if addressee.unsubscribe_url is not None:
        fields["List-Unsubscribe"] = headers.unsubscribe(addressee.unsubscribe_url, addressee.unsubscribe_mailto)
        fields["List-Unsubscribe-Post"] = "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    return fields


def split_at_holes(body: str, mark: str) -> Sequence[str]:
    """Text and names of holes by turns. Raises ValueError when the mark is of another form or stands outside a hole."""
    if not _MARK.fullmatch(mark):
        raise ValueError("a mark is 16 letters a–z")
    stretches = re.split(rf"{mark}-([a-z][a-z0-9_]*)-", body)
    if any(mark in stretch for stretch in stretches):
        raise ValueError("the mark stands outside of a hole")
    return stretches


def unfit(mail: Mail) -> str | None:
    """Why an envelope must not go near a wire, or None. The last line of defence: `normal_address` came first."""
    for role, address in (("recipient", mail.recipient), ("sender", mail.sender)):
        if not headers.ADDRESS.fullmatch(address):
            return f"the {role}'s address has characters that mail can't carry safely"
    return None


def self_test() -> None:
    """Shows on hostile headlines that this build writes clean headers. Raises ConfigError: then no sender starts."""
    date = datetime.fromisoformat("2026-11-24T06:00:00+07:00")
    url = "https://x.test/u/" + "t" * 90
    for text in _HOSTILE:
        letterhead = Letterhead(
            from_name=text, from_address="a@x.test", date=date, list_id="a.x.test", list_title=text, reply_to="r@x.test"
        )
        addressee = Addressee(address="b@x.test", name=text, message_id="e1@x.test", unsubscribe_url=url)
        try:
            variant = compile_variant(letterhead=letterhead, subject=text, html=text, text=text, mark="q" * 16)
            head = variant.message(addressee, {}).partition(b"\r\n\r\n")[0] + b"\r\n"
        except ValueError as trouble:
            raise ConfigError(
                f"mail headers: the self-test failed on {text!r} ({trouble}); no mail can be sent"
            ) from None
        for rule in _SELF_TEST:
            if len(rule.findall(head)) != 1:
                raise ConfigError(f"mail headers: the self-test failed on {text!r}; no mail can be sent")


def _mime_fields(boundary: bytes) -> Mapping[str, str]:
    return {
        "MIME-Version": "MIME-Version: 1.0\r\n",
        "Content-Type": f'Content-Type: multipart/alternative;\r\n boundary="{boundary.decode()}"\r\n',
    }


def _encode_part(body: str, mark: str, pieces: list[bytes], holes: list[Hole], *, in_html: bool) -> None:
    """Appends the part's encoded stretches to `pieces`, with an empty piece and a line of its own for each hole."""
    stretches = split_at_holes(body, mark)
    for number, stretch in enumerate(stretches):
        if number % 2:
            holes.append(Hole(place=len(pieces), name=stretch, in_html=in_html))
            pieces.append(b"")
        else:
            before = b"=\r\n" if number else b""
            after = b"=\r\n" if number + 1 < len(stretches) else b""
            pieces.append(before + _quoted_printable(stretch) + after)


def _encode_value(name: str, value: str, alike: dict[str, bytes], *, in_html: bool) -> bytes:
    """One line of a part. Keeps it in `alike` if the other part carries the same."""
    if value.isascii() and not (raw := value.encode()).translate(None, _AS_IT_IS) and value == " ".join(value.split()):
        alike[name] = line = _qp_rows(raw)
        return line
    clean = headers.one_line(value)
    if _MARKUP.search(clean):
        return _qp_line((html_escapes.escape(clean) if in_html else clean).encode())
    alike[name] = line = _qp_line(clean.encode())
    return line


def _quoted_printable(text: str) -> bytes:
    return b"\r\n".join(map(_qp_line, _NEWLINE.sub("\n", text).encode(errors="replace").split(b"\n")))


def _qp_line(raw: bytes) -> bytes:
    """One line, RFC 2045 §6.7: at most 76 characters a row, no blank at its end, no dot at the start of a row."""
    line = b"".join(map(_QP_BYTES.__getitem__, raw))
    if line.endswith(b" "):
        line = line[:-1] + b"=20"
    return _qp_rows(line)


def _qp_rows(line: bytes) -> bytes:
    if len(line) <= _QP_LINE and not line.startswith(b"."):
        return line
    rows: list[bytes] = []
    place = 0
    while True:
        dotted = line.startswith(b".", place)
        row = line[place : place + _QP_LINE - 2 * dotted]
        if place + len(row) < len(line):
            row = row[: _unsplit(row)]
        rows.append(b"=2E" + row[1:] if dotted else row)
        place += len(row)
        if place >= len(line):
            return b"=\r\n".join(rows)


def _unsplit(row: bytes) -> int:
    """How much of a row can stay so that no `=XX` is cut in two."""
    equals = row.rfind(b"=", -2)
    return equals if equals >= 0 else len(row)
