"""In which of our two languages a page speaks: `?lang=`, else what the browser asks for, else the newspaper's own."""

from starlette.requests import Request

from syndicate.formats.dates import reading_language

LANGUAGES = ("id", "en")


def chosen_language(request: Request) -> str | None:
    """The language that the address asks for."""
    asked = request.query_params.get("lang", "")
    return asked if asked in LANGUAGES else None


def page_language(request: Request, site_language: str) -> str:
    """The language of the page."""
    return (
        chosen_language(request)
        or _accepted(request.headers.get("accept-language", ""))
        or reading_language(site_language)
    )


def _accepted(header: str) -> str | None:
    """The best of our languages in Accept-Language (RFC 9110 §12.5.4); the first named wins among equals."""
    best, language = 0.0, None
    for part in header.lower().split(",")[:20]:
        tag, _, parameters = part.strip().partition(";")
        primary = tag.split("-")[0].strip()
        weight = _weight(parameters)
        if primary in LANGUAGES and weight > best:
            best, language = weight, primary
    return language


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
