"""Bytes of an XML or JSON document into text. Valid UTF-8 is believed over any label, as labels are often wrong."""

import codecs
import re

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UNMARKED = ((b"<\x00", "utf-16-le"), (b"\x00<", "utf-16-be"))  # valid UTF-8, strictly speaking
_HTTP = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9._:-]+)", re.IGNORECASE)
_DECLARED = re.compile(rb"^\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._:-]+)", re.IGNORECASE)
# The encodings of the WHATWG Encoding standard §4.2 that Python has; looked up here because inside the jail their
# files may be out of reach later. Python's other codecs (unicode_escape, idna …) are no business of a feed.
_NAMES = (
    "utf-8 utf-16 utf-16-le utf-16-be utf-32-le utf-32-be cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257"
    " cp1258 cp866 cp874 iso8859-2 iso8859-3 iso8859-4 iso8859-5 iso8859-6 iso8859-7 iso8859-8 iso8859-10"
    " iso8859-13 iso8859-14 iso8859-15 iso8859-16 koi8-r koi8-u mac-roman tis-620 gb18030 gbk gb2312 big5 euc-jp"
    " shift_jis iso2022_jp euc-kr"
)
_KNOWN = frozenset(codecs.lookup(name).name for name in _NAMES.split())
# In the wild these labels mean the wider Windows sets.
_WIDER = {"iso8859-1": "cp1252", "ascii": "cp1252", "iso8859-9": "cp1254"}


def decode(payload: bytes, content_type: str) -> tuple[str, str]:
    """The text, and in words what is wrong with it ("" when nothing is).

    Order: byte order mark, UTF-8 if it is valid, the label of the HTTP answer, the XML declaration, windows-1252.
    """
    for mark, name in _BOMS:
        if payload.startswith(mark):
            return _decoded(payload[len(mark) :], name)
    for start, name in _UNMARKED:
        if payload.startswith(start):
            return _decoded(payload, name)
    try:
        return payload.decode("utf-8"), ""
    except UnicodeDecodeError:
        return _by_label(payload, content_type)


def _by_label(payload: bytes, content_type: str) -> tuple[str, str]:
    sent, declared = _HTTP.search(content_type), _DECLARED.search(payload)
    labels = [sent[1]] if sent else []
    labels += [declared[1].decode("ascii")] if declared else []
    for label in labels:
        if (name := _codec(label)) and name != "utf-8":
            return _decoded(payload, name)
    if labels:  # it calls itself UTF-8 and is not, or is something nobody knows
        return _decoded(payload, "utf-8")
    return _decoded(payload, "cp1252")


def _codec(label: str) -> str | None:
    """The known encoding that a label means, or None."""
    try:
        name = codecs.lookup(label).name
    except (LookupError, ValueError):
        return None
    name = _WIDER.get(name, name)
    return name if name in _KNOWN else None


def _decoded(payload: bytes, name: str) -> tuple[str, str]:
    try:
        return payload.decode(name), ""
    except UnicodeError:
        return payload.decode(name, "replace"), f"some bytes are not {name}"
