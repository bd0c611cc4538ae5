"""Our own words, as shipped."""

from syndicate.formats.catalogues import load_phrases
from syndicate.settings import assets

LOCALE = assets("locale")
PHRASES = load_phrases((LOCALE,))
