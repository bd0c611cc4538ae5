"""The rules of a mail, each a checker on its bytes: H (headers), L (lists), E (encoding), D (DKIM), V (envelope).

On bytes, not through Python's parser: it reads a List-Unsubscribe that no mail program understands as if it were well.
`broken_rules` runs all. test_mail_rules.py shows for each that it rejects a mail that breaks it; `INBOX` holds what
tests received, and a fixture in tests/conftest.py puts all of it to the rules.
"""

import base64
import binascii
import html
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from typing import Final

ORDER: Final = (
    *("DKIM-Signature", "To", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post"),
    *("From", "Subject", "Date", "Auto-Submitted", "X-Auto-Response-Suppress", "Reply-To", "List-Id", "Precedence"),
    *("MIME-Version", "Content-Type"),
)
OPTIONAL: Final = frozenset(
    {"DKIM-Signature", "List-Unsubscribe", "List-Unsubscribe-Post", "Reply-To", "List-Id", "Precedence"}
)
SIGNED: Final = frozenset(
    {
        *("from", "subject", "to", "date", "message-id", "reply-to", "mime-version", "content-type"),
        *("list-id", "list-unsubscribe", "list-unsubscribe-post"),
    }
)
OVERSIGNED: Final = ("from", "subject", "to", "date")
MOST_HTML = 90_000  # octets as encoded: Gmail clips at about 102 KB, and links may still grow

_NAME = re.compile(rb"[!-9;-~]{1,76}")
_FIELD = re.compile(rb"([^\r\n:]*):((?:[^\r\n]*\r\n[ \t])*[^\r\n]*)\r\n")
_TRACE = re.compile(rb"\A(?:Received:(?:[^\r\n]*\r\n[ \t])*[^\r\n]*\r\n)+")
_PHRASE = rb'"(?:[^"\\\r\n]|\\[!-~ ])*"|=\?utf-8\?b\?[A-Za-z0-9+/=]+\?=(?:\r\n =\?utf-8\?b\?[A-Za-z0-9+/=]+\?=)*'
_ADDRESS = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,253}"
_MAILBOX = re.compile(rb" (?:(?:" + _PHRASE + rb")(?: |\r\n ))?<(" + _ADDRESS + rb")>")
_WORD = re.compile(rb"=\?([^?\r\n]*)\?([^?\r\n]*)\?([^?\r\n]*)\?=")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_DATE = re.compile(
    rb" (?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d? (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4}"
    rb" \d\d:\d\d:\d\d [+-]\d{4}"
)
_LEAVE = re.compile(rb" <(https?://[!#-+\-.-;=?-~]+)>(?:,(?: |\r\n )<mailto:[!#-+\-.-;=?-~]+>)?")
_LIST_ID = re.compile(rb" (?:(?:" + _PHRASE + rb")(?: |\r\n ))?<([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+)>")
_LOOPBACK = re.compile(r"http://(?:127\.0\.0\.1|localhost|\[::1\])[:/]")
_VERP = re.compile(r"b\+[a-z2-7]+@[a-z0-9.-]+")
_ALTERNATIVE = re.compile(rb' multipart/alternative;(?: |\r\n )boundary="([^"\r\n]{1,70})"')
_PART = re.compile(
    rb"Content-Type: text/(plain|html); charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n(.*)\r\n",
    re.S,
)
_NOT_QP = re.compile(rb"=(?![0-9A-F]{2}|\r\n)|^\.|[ \t](?=\r\n|\Z)|[^\t -~\r\n]", re.M)
_STORY = re.compile(r'<h2[^>]*>\s*<a[^>]*\shref="([^"]*)"[^>]*>(.*?)</a>\s*</h2>', re.S)


@dataclass(frozen=True)
class Letter:
    """A mail as it was handed over."""

    sender: str
    recipient: str
    raw: bytes

    @property
    def is_copy(self) -> bool:
        """One reader's copy of an edition. Others, such as test sends, bounce to a person."""
        return self.sender.lower().startswith("b+")

    @cached_property
    def head(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[0] + b"\r\n"

    @cached_property
    def body(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]

    @cached_property
    def fields(self) -> list[tuple[str, bytes]]:
        """Name and raw value of each, folds and leading blank included."""
        return [(hit[1].decode("latin-1"), hit[2]) for hit in _FIELD.finditer(self.head)]

    def values(self, name: str) -> list[bytes]:
        return [value for one, value in self.fields if one.lower() == name.lower()]

    def value(self, name: str) -> bytes:
        """The first one; b"" where there is none."""
        return next(iter(self.values(name)), b"")

    @cached_property
    def domain(self) -> str:
        """The one that the mail says it is from."""
        hit = _MAILBOX.fullmatch(self.value("From"))
        return hit[1].rpartition(b"@")[2].decode().lower() if hit else ""

    @cached_property
    def boundary(self) -> bytes:
        hit = re.fullmatch(
            rb' multipart/alternative;(?: |\r\n )boundary="([^"\r\n]{1,70})"', self.value("Content-Type")
        )
        return hit[1] if hit else b""

    @cached_property
    def parts(self) -> Mapping[str, bytes]:
        """The encoded bodies by kind, in order; none where the mail isn't built as it should be."""
        edge = b"--" + self.boundary
        if not self.boundary or not self.body.startswith(edge + b"\r\n") or not self.body.endswith(edge + b"--\r\n"):
            return {}
        bodies = self.body[len(edge) + 2 : -len(edge) - 4].split(edge + b"\r\n")
        hits = [_PART.fullmatch(body) for body in bodies]
        return {hit[1].decode(): hit[2] for hit in hits if hit} if all(hits) else {}

    @cached_property
    def text(self) -> str:
        return binascii.a2b_qp(self.parts.get("plain", b"")).decode("utf-8", "replace")

    @cached_property
    def html(self) -> str:
        return binascii.a2b_qp(self.parts.get("html", b"")).decode("utf-8", "replace")

    @cached_property
    def leave_url(self) -> str:
        """Where one click ends the subscription; "" for none."""
        hit = _LEAVE.fullmatch(self.value("List-Unsubscribe"))
        return hit[1].decode() if hit else ""


Rule = Callable[[Letter], Iterator[str]]


def h01(letter: Letter) -> Iterator[str]:
    """RFC 5322 §3.6: what must be there is there once, and nothing twice."""
    names = [name.lower() for name, _ in letter.fields]
    for name in ORDER:
        if names.count(name.lower()) != 1 and name not in OPTIONAL:
            yield f"{name} stands there {names.count(name.lower())} times"
    for name in sorted({name for name in names if names.count(name) > 1} - {"dkim-signature"}):
        yield f"{name} stands there more than once"


def h02(letter: Letter) -> Iterator[str]:
    """These fields in this order, and none that somebody brought in."""
    names = [name for name, _ in letter.fields]
    if names != sorted(names, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER)):
        yield f"the fields stand in another order: {', '.join(names)}"
    for name in sorted(set(names) - set(ORDER)):
        yield f"{name} is none of our fields"


def h03(letter: Letter) -> Iterator[str]:
    """Trap 2: a field is `name: printable`, with nothing between fields."""
    if _FIELD.sub(b"", letter.head):
        yield f"no header field: {_FIELD.sub(b'', letter.head)[:80]!r}"
    for name, value in letter.fields:
        if not _NAME.fullmatch(name.encode("latin-1")) or not re.fullmatch(rb" [ -~\r\n]*", value):
            yield f"{name}: {value[:80]!r} can't be a field"


def h04(letter: Letter) -> Iterator[str]:
    """RFC 5322 §2.1.1, RFC 2047 §2."""
    for line in letter.head.split(b"\r\n")[:-1]:
        longest = 76 if b"=?" in line else 78
        inner = line.lstrip(b" ").partition(b": ")[2] if line[:1] != b" " else line[1:]
        if len(line) > 998 or (len(line) > longest and (b" " in inner or b"=?" in line)):
            yield f"a line of {len(line)}: {line[:60]!r}"
        if not line.strip():
            yield "a line of blanks"


def h05(letter: Letter) -> Iterator[str]:
    """RFC 5322 §3.3."""
    value = letter.value("Date")
    if not _DATE.fullmatch(value):
        yield f"Date:{value!r}"
    elif f"{parsedate_to_datetime(value.decode()):%a}".encode() != value[1:4]:
        yield f"Date:{value!r} is on another day of the week"


def h06(letter: Letter) -> Iterator[str]:
    """An id in our own domain."""
    hit = re.fullmatch(rb" <[A-Za-z0-9_+.-]{8,}@([A-Za-z0-9.-]+)>", letter.value("Message-ID"))
    if not hit or hit[1].decode().lower() != letter.domain:
        yield f"Message-ID:{letter.value('Message-ID')!r} of a mail from {letter.domain}"


def h07(letter: Letter) -> Iterator[str]:
    """RFC 3834: no vacation replies; Exchange's word for the same."""
    for name, wanted in (("Auto-Submitted", b" auto-generated"), ("X-Auto-Response-Suppress", b" OOF, AutoReply")):
        if letter.value(name) != wanted:
            yield f"{name}:{letter.value(name)!r}"


def h08(letter: Letter) -> Iterator[str]:
    """One address each, its name quoted or encoded; To is who gets it."""
    for name in ("From", "To", "Reply-To"):
        for value in letter.values(name):
            hit = _MAILBOX.fullmatch(value)
            if not hit:
                yield f"{name}:{value!r} is not one address"
            elif name == "To" and hit[1].decode() != letter.recipient:
                yield f"To:{value!r} goes to {letter.recipient}"


def h09(letter: Letter) -> Iterator[str]:
    """RFC 2047 §5 (3): each encoded word is whole characters, is at most 75 long, and hides no line end."""
    for hit in _WORD.finditer(letter.head):
        try:
            words = base64.b64decode(hit[3], validate=True).decode("utf-8")
        except ValueError:
            words = "\0"
        if (hit[1], hit[2]) != (b"utf-8", b"b") or len(hit[0]) > 75 or _CONTROL.search(words):
            yield f"{hit[0]!r}"


def l01(letter: Letter) -> Iterator[str]:
    """Trap 1, RFC 8058 §3.1: plain, one https address first, then mailto; folded only between them."""
    values = letter.values("List-Unsubscribe")
    if letter.is_copy and not values:
        yield "a reader's copy without List-Unsubscribe"
    for value in values:
        hit = _LEAVE.fullmatch(value)
        if not hit:
            yield f"List-Unsubscribe:{value[:120]!r}"
        elif not hit[1].startswith(b"https://") and not _LOOPBACK.match(hit[1].decode()):
            yield f"{hit[1]!r} is not https"


def l02(letter: Letter) -> Iterator[str]:
    """RFC 8058 §3.1: exactly so, and beside List-Unsubscribe."""
    wanted = [b" List-Unsubscribe=One-Click"] * len(letter.values("List-Unsubscribe"))
    if letter.values("List-Unsubscribe-Post") != wanted:
        yield f"List-Unsubscribe-Post: {letter.values('List-Unsubscribe-Post')}"


def l03(letter: Letter) -> Iterator[str]:
    """RFC 2919: `"Phrase" <label.domain>` in our own domain, at most 255 long."""
    for value in letter.values("List-Id"):
        hit = _LIST_ID.fullmatch(value)
        if not hit or len(hit[1]) > 255 or not hit[1].decode().lower().endswith(f".{letter.domain}"):
            yield f"List-Id:{value!r}"
    if letter.is_copy and not letter.values("List-Id"):
        yield "a reader's copy without List-Id"


def l04(letter: Letter) -> Iterator[str]:
    """`Precedence: bulk` goes with a list, for the vacation programs that know nothing newer."""
    if letter.values("Precedence") != [b" bulk"] * len(letter.values("List-Id")):
        yield f"Precedence: {letter.values('Precedence')}"


def l05(letter: Letter) -> Iterator[str]:
    """Gmail, RFC 8058: the header doesn't replace a link that can be seen."""
    if letter.leave_url:
        if letter.leave_url not in letter.text.split():
            yield "the text part lacks the link to unsubscribe"
        if f'href="{letter.leave_url}"' not in html.unescape(letter.html):
            yield "the HTML part lacks the link to unsubscribe"


def e01(letter: Letter) -> Iterator[str]:
    """7-bit, no NUL, CRLF only: so neither 8BITMIME nor SMTPUTF8 is ever needed."""
    if not letter.raw.isascii() or b"\0" in letter.raw:
        yield "not 7-bit"
    pairs = letter.raw.count(b"\r\n")
    if {letter.raw.count(b"\r"), letter.raw.count(b"\n")} != {pairs} or not letter.raw.endswith(b"\r\n"):
        yield "a line end that is not CRLF"


def e02(letter: Letter) -> Iterator[str]:
    """RFC 2046 §5.1.4: text, then HTML, then nothing; both quoted-printable."""
    if tuple(letter.parts) != ("plain", "html"):
        yield f"not text and HTML in quoted-printable, in this order: {', '.join(letter.parts) or 'nothing'}"


def e03(letter: Letter) -> Iterator[str]:
    """RFC 2045 §6.7; a dot at a line's start is encoded too, for relays that forget to undouble it."""
    for kind, part in letter.parts.items():
        if hit := _NOT_QP.search(part):
            yield f"{kind}: {part[max(0, hit.start() - 40) : hit.end() + 40]!r}"
        if (longest := max(map(len, part.split(b"\r\n")))) > 76:
            yield f"{kind}: a line of {longest}"
        try:
            binascii.a2b_qp(part).decode("utf-8")
        except UnicodeDecodeError:
            yield f"{kind}: not UTF-8"


def e04(letter: Letter) -> Iterator[str]:
    """Trap 8: no place for a reader's own value is left open. The boundary is made from the mark of the holes."""
    mark = letter.boundary.removeprefix(b"=_")
    if mark and mark in letter.body.replace(b"--" + letter.boundary, b""):
        yield "a hole was left open"
    if mark and mark.decode() in letter.text + letter.html:
        yield "a hole was left open"


def e05(letter: Letter) -> Iterator[str]:
    """Who reads the text part misses no story."""
    text = " ".join(letter.text.split())
    for link, title in _STORY.findall(letter.html):
        if " ".join(html.unescape(title).split()) not in text:
            yield f"the text lacks {title!r}"
        if html.unescape(link) not in text.split(" "):
            yield f"the text lacks {link!r}"


def e06(letter: Letter) -> Iterator[str]:
    """Gmail clips, and with it goes the link to unsubscribe."""
    if len(letter.parts.get("html", b"")) > MOST_HTML:
        yield f"HTML of {len(letter.parts['html'])} octets"


def d01(letter: Letter) -> Iterator[str]:
    """RFC 6376 §5.4, RFC 8058 §4: each signature covers what counts, some of it once more."""
    present = {name.lower() for name, _ in letter.fields}
    for tags in _signatures(letter):
        names = tags.get("h", "").split(":")
        if lacking := (SIGNED & present) - set(names):
            yield f"not signed: {', '.join(sorted(lacking))}"
        if weak := [name for name in OVERSIGNED if names.count(name) < 2]:
            yield f"a second one could be added: {', '.join(weak)}"
        if set(names) & {"return-path", "received"}:
            yield "signs what every relay changes"


def d02(letter: Letter) -> Iterator[str]:
    """No `l=`; relaxed head; RSA first, and Ed25519 (RFC 8463) never alone; the domain is the mail's own."""
    signatures = list(_signatures(letter))
    for tags in signatures:
        if "l" in tags or tags.get("v") != "1" or tags.get("c") not in ("relaxed/simple", "relaxed/relaxed"):
            yield f"v={tags.get('v')}, c={tags.get('c')}, l={tags.get('l')}"
        own = tags.get("d", "-").lower()
        if f".{letter.domain}".removesuffix(f".{own}") == f".{letter.domain}":
            yield f"signed by {own}, from {letter.domain}"
    kinds = [tags.get("a") for tags in signatures]
    if kinds and (kinds[0] != "rsa-sha256" or set(kinds) - {"rsa-sha256", "ed25519-sha256"}):
        yield f"signed with {kinds}"


def v01(letter: Letter) -> Iterator[str]:
    """RFC 5321 §4.5.3.1: lower case, since relays fold it; 64 octets; aligned with From (SPF, DMARC)."""
    local, _, domain = letter.sender.rpartition("@")
    if not re.fullmatch(_ADDRESS, letter.sender.encode()) or len(local) > 64:
        yield f"{letter.sender!r} is no sender"
    if letter.is_copy and not _VERP.fullmatch(letter.sender):
        yield f"{letter.sender!r} is no bounce address"
    if f".{domain}".removesuffix(f".{letter.domain}") == f".{domain}":
        yield f"{letter.sender!r} for a mail from {letter.domain}"


def v02(letter: Letter) -> Iterator[str]:
    """Trap 3: one plain ASCII address."""
    if not re.fullmatch(_ADDRESS, letter.recipient.encode()):
        yield f"{letter.recipient!r} is not one address"


RULES: Mapping[str, Rule] = {
    **{"H-01": h01, "H-02": h02, "H-03": h03, "H-04": h04, "H-05": h05, "H-06": h06, "H-07": h07, "H-08": h08},
    **{"H-09": h09, "L-01": l01, "L-02": l02, "L-03": l03, "L-04": l04, "L-05": l05, "E-01": e01, "E-02": e02},
    **{"E-03": e03, "E-04": e04, "E-05": e05, "E-06": e06, "D-01": d01, "D-02": d02, "V-01": v01, "V-02": v02},
}


def broken_rules(letter: Letter, *, but: Collection[str] = ()) -> dict[str, list[str]]:
    """What is wrong with a mail, by rule. Empty when nothing is."""
    found = {name: list(rule(letter)) for name, rule in RULES.items() if name not in but}
    return {name: problems for name, problems in found.items() if problems}


def mixed_up(letters: Iterable[Letter]) -> list[str]:
    """What mails share that each should have of its own. A mail that was sent twice is the same to the last byte."""
    owners: dict[tuple[str, object], object] = {}
    problems: list[str] = []
    for letter in letters:
        pairs: list[tuple[tuple[str, object], object]] = [(("Message-ID", letter.value("Message-ID")), letter)]
        if letter.is_copy:
            pairs.append((("bounce address", letter.sender), letter))
        if letter.leave_url:
            pairs.append((("unsubscribe link", letter.leave_url), letter.recipient))
        problems += [
            f"{key[0]} {key[1]!r} in two mails" for key, owner in pairs if owners.setdefault(key, owner) != owner
        ]
    return problems


def assert_by_the_rules(letters: Sequence[Letter]) -> None:
    """Fails with the first few mails that break a rule, and with what two have in common and shouldn't."""
    broken = [(letter.recipient, problems) for letter in letters if (problems := broken_rules(letter))]
    assert not broken, f"{len(broken)} of {len(letters)} mails break rules: {broken[:3]}"
    assert mixed_up(letters) == []


@dataclass
class Inbox:
    """What the servers of a test received."""

    letters: list[Letter] = field(default_factory=list)

    def take(self, sender: str, recipient: str, raw: bytes) -> None:
        """Without what relays on the way put on top."""
        self.letters.append(Letter(sender, recipient, _TRACE.sub(b"", raw)))


INBOX = Inbox()  # one a process: servers start where no fixture reaches


def in_maildirs(folder: Path) -> list[Letter]:
    """What our own Maildir channel wrote under a folder, wherever a test had it."""
    return [_of_maildir(path.read_bytes()) for path in sorted(folder.rglob("new/*.syndicate"))]


def _of_maildir(content: bytes) -> Letter:
    sender, recipient, raw = content.split(b"\r\n", 2)
    return Letter(sender.decode()[len("Return-Path: <") : -1], recipient.decode()[len("Delivered-To: ") :], raw)


def _signatures(letter: Letter) -> Iterator[Mapping[str, str]]:
    for value in letter.values("DKIM-Signature"):
        pairs = (tag.partition("=") for tag in "".join(value.decode("latin-1").split()).split(";"))
        yield {name: text for name, _, text in pairs}
