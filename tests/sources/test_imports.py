"""Inside the jail files may be out of reach once work begins, so nothing may be imported later than at the start."""

import subprocess
import sys
from pathlib import Path

import pytest

CORPUS = Path(__file__).resolve().parents[1] / "corpus"
CHECK = """
import glob, io, sys
from syndicate.sources.read.parse import parse_feed
from syndicate.sources.read.clean import clean_article
from syndicate.sources.read.page import read_listing, read_page
from syndicate.sources.read.picture import inspect_picture
from syndicate.sources.read.rest import read_posts
from syndicate.sources.read.signposts import read_signposts
from syndicate.sources.read.sitemap import read_sitemap
before = set(sys.modules)
for path in glob.glob(sys.argv[1] + "/feeds/*"):
    parse_feed(open(path, "rb").read(), {"content_type": "text/xml; charset=windows-1251", "url": "https://k.example/"})
asked = {"content_type": "text/html", "url": "https://k.example/a/", "rules": [], "language": "id", "links": []}
for path in glob.glob(sys.argv[1] + "/pages/*/page.html"):
    page = open(path, "rb").read()
    read_page(page, asked), read_listing(page, asked), read_signposts(page, asked)
read_sitemap(b"<urlset><url><loc>https://k.example/a/</loc></url></urlset>", asked)
read_posts(b'[{"id": 1, "link": "https://k.example/a/", "content": {"rendered": "<p>a</p>"}}]', asked)
clean_article(b"# a\\n\\n| a |\\n|---|\\n| <b>b</b> |\\n", {"format": "markdown", "base": ""})
from PIL import Image
for kind in ("JPEG", "PNG", "WEBP", "GIF"):
    out = io.BytesIO()
    Image.new("RGB", (9, 9)).save(out, kind)
    assert inspect_picture(out.getvalue(), {"widths": [5]})[1]
print(sorted(set(sys.modules) - before))
"""


@pytest.mark.parametrize("corpus", [CORPUS])
def test_everything_is_imported_at_the_start(corpus: Path) -> None:
    done = subprocess.run([sys.executable, "-c", CHECK, str(corpus)], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
