"""Header fields (RFC 5322) by few rules that can be checked: the reason is in `message.py`.

Text for people (headlines, names) is never refused: control characters and line ends become blanks, and what is not
plain ASCII is B-encoded (RFC 2047). Addresses, ids and URLs that don't fit raise ValueError. A field is a string that
ends in CRLF.
"""

import re
from binascii import b2a_base64
from collections.abc import Mapping, Sequence
from functools import cache

_LINE = 78  # characters, RFC 5322 §2.1.1
_ENCODED_LINE = 76  # characters of a line that holds encoded words, RFC 2047 §2
_WORD = 75  # characters of an encoded word, RFC 2047 §2
_WORD_FRAME = len("=?utf-8?b??=")

ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,253}")
_LIST_ID = re.compile(r"(?=.{1,255}\Z)[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+")  # RFC 2919 §2
_MESSAGE_ID = re.compile(r"[A-Za-z0-9_+.-]{1,128}@[A-Za-z0-9.-]{1,253}")
_URL = re.compile(r"https?://[!#-+\-.-;=?-~]{1,800}")  # no comma, quote or angle: they mean something in List-*
_MAILTO = re.compile(r"mailto:[!#-+\-.-;=?-~]{1,800}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_PLAIN = re.compile(r"[!-~]{1,66}(?: [!-~]{1,66})*")
_PRINTABLE = re.compile(r"[ -~]+")
_NAME = re.compile(r"[!-9;-~]{1,76}")
_VALUE = r": [ -~]{0,900}(?:\r\n [!-~][ -~]{0,990})*\r\n"
_TIDY = re.compile(r"[!-~]+(?: [!-~]+)*")
_BARE = re.compile(r"[!#-<>-\[\]-~]+(?: [!#-<>-\[\]-~]+)*")  # needs no more than quotes around it: most people's names


def text_field(name: str, text: str) -> str:
    """Subject and the like. What might be taken for an encoded word is encoded, so it is shown as it is."""
    clean = one_line(text)
    if not clean:
        return f"{name}: \r\n"
    if not _PLAIN.fullmatch(clean) or "=?" in clean:
        return f"{name}: " + "\r\n ".join(_encoded_words(clean, _ENCODED_LINE - len(name) - 2)) + "\r\n"
    lines = [f"{name}:"]
    for word in clean.split(" "):
        if len(lines[-1]) + 1 + len(word) > _LINE:
            lines.append("")
        lines[-1] += f" {word}"
    return "\r\n".join(lines) + "\r\n"


def mailbox(name: str, display_name: str, address: str) -> str:
    """From, To, Reply-To: one address, with or without a person's name (RFC 5322 §3.4)."""
    _require(ADDRESS, address, name)
    return _phrase_field(name, display_name, f"<{address}>")


def list_id(value: str, title: str) -> str:
    """List-Id (RFC 2919)."""
    _require(_LIST_ID, value, "List-Id")
    return _phrase_field("List-Id", title, f"<{value}>")


def message_id(value: str) -> str:
    """Message-ID, given without its angle brackets."""
    _require(_MESSAGE_ID, value, "Message-ID")
    return f"Message-ID: <{value}>\r\n"


def unsubscribe(url: str, mailto: str | None) -> str:
    """RFC 2369 and 8058: the https address first; folded nowhere but between the two."""
    _require(_URL, url, "List-Unsubscribe")
    if mailto is None:
        return f"List-Unsubscribe: <{url}>\r\n"
    _require(_MAILTO, mailto, "List-Unsubscribe")
    return f"List-Unsubscribe: <{url}>,\r\n <{mailto}>\r\n"


def one_line(text: str) -> str:
    """What becomes of a headline or a person's name in a header: control characters, line ends and
    runs of blanks turn into one blank."""
    if _TIDY.fullmatch(text):
        return text
    return " ".join(_CONTROL.sub(" ", text).split())


def block(fields: Mapping[str, str]) -> bytes:
    """The fields as bytes, after reading them back: these names, ASCII, CRLF, no line over 998 (RFC 5322 §2.1.1)."""
    head = "".join(fields.values())
    if not _block_of(tuple(fields)).fullmatch(head):
        raise ValueError(f"the header fields {', '.join(fields)} came out broken: {head[:800]!r}")
    return head.encode("ascii")


@cache
def _block_of(names: tuple[str, ...]) -> re.Pattern[str]:
    """Exactly these fields. All mails of a build have one of a few sets of them."""
    if not all(map(_NAME.fullmatch, names)):
        raise ValueError(f"the header fields {names} came out with a name that none can have")
    return re.compile("".join(re.escape(name) + _VALUE for name in names))


def _require(pattern: re.Pattern[str], value: str, where: str) -> None:
    if not pattern.fullmatch(value):
        raise ValueError(f"{where}: {value!r} can't stand there")


def _phrase_field(name: str, display_name: str, tail: str) -> str:
    """`Name: "phrase" <tail>`. A phrase is never left bare: a comma or angle in it would make a second address."""
    if _BARE.fullmatch(display_name) and len(name) + len(display_name) + len(tail) + 5 <= _ENCODED_LINE:
        return f'{name}: "{display_name}" {tail}\r\n'
    clean = one_line(display_name)
    if not clean:
        return f"{name}: {tail}\r\n"
    quoted = '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'
    start = f"{name}: {quoted}"
    if not _PRINTABLE.fullmatch(clean) or "=?" in clean or len(start) > _LINE:
        start = f"{name}: " + "\r\n ".join(_encoded_words(clean, _ENCODED_LINE - len(name) - 2))
    last = start.rpartition("\r\n")[2]
    fits = len(last) + 1 + len(tail) <= _ENCODED_LINE
    return f"{start} {tail}\r\n" if fits else f"{start}\r\n {tail}\r\n"


def _encoded_words(text: str, first: int) -> Sequence[str]:
    """RFC 2047 words, none longer than 75 (the first: `first`) characters, none ending inside a character."""
    room = (min(first, _WORD) - _WORD_FRAME) // 4 * 3  # bytes
    if len(raw := text.encode()) <= room:
        return [_encoded_word(raw)]
    words: list[str] = []
    chunk = b""
    for character in text:
        raw = character.encode()
        if len(chunk) + len(raw) > room:
            words.append(_encoded_word(chunk))
            chunk, room = b"", (_WORD - _WORD_FRAME) // 4 * 3
        chunk += raw
    return [*words, _encoded_word(chunk)]


def _encoded_word(raw: bytes) -> str:
    return f"=?utf-8?b?{b2a_base64(raw, newline=False).decode()}?="
