"""In which of our languages a page speaks: `?lang=`, else what the browser asks for, else the newspaper's own."""

from starlette.requests import Request

from syndicate.domain.feed import Site
from syndicate.domain.phrases import Phrases

_LONGEST_TAG = 35  # RFC 5646 §4.4.1


def chosen_language(request: Request, phrases: Phrases) -> str | None:
    """The language that the address asks for."""
    asked = request.query_params.get("lang", "")
    return asked if asked in phrases.languages else None


def page_language(request: Request, site: Site) -> str:
    """The language of the page."""
    return (
        chosen_language(request, site.phrases)
        or _accepted(request.headers.get("accept-language", ""), site.phrases)
        or site.phrases.language_for(site.language)
    )


def _accepted(header: str, phrases: Phrases) -> str | None:
    """The best of our languages in Accept-Language (RFC 9110 §12.5.4); the first named wins among equals."""
    best, language = 0.0, None
    for part in header.lower().split(",")[:20]:
        tag, _, parameters = part.strip().partition(";")
        weight = _weight(parameters)
        if weight > best and (known := phrases.known(tag.strip()[:_LONGEST_TAG])):
            best, language = weight, known
    return language


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
