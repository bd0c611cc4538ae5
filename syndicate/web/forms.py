"""What a form on a page sends. Text is UTF-8, as every page says; anybody may claim something else."""

from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request

_ENCODINGS: Final = frozenset({b"", b"utf-8", b"utf8", b"us-ascii"})  # WHATWG HTML §4.10.21.5: browsers send UTF-8


async def read_form(request: Request, *, most_fields: int) -> FormData:
    """The fields, without files. Raises HTTPException 400 for what no form of a page sends.

    The parser would decode by any codec of Python that is named; some raise, others make characters that no database
    and no hash takes (lone surrogates, by `utf-7`).
    """
    _, options = parse_options_header(request.headers.get("content-type"))
    if options.get(b"charset", b"").lower() not in _ENCODINGS:
        raise HTTPException(400, "a form is sent in UTF-8")
    try:
        form = await request.form(max_files=0, max_fields=most_fields)
        for name, value in form.multi_items():
            (name + str(value)).encode()
    except (FormParserError, UnicodeError) as error:
        raise HTTPException(400, "this is no form") from error
    return form
