"""The site: built without a warning from what is stored, every link inside it leads somewhere, every picture is whole.

Skipped without the extra `site`. Nothing is executed and nothing downloaded.
"""

import base64
import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest

import minidiff

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
needed = [
    name for name in ("sphinx", "myst_nb", "furo", "sphinx-mathjax-offline") if not importlib.util.find_spec(name)
]


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """The site, built with every warning an error and a proxy that nobody answers at."""
    if needed:
        pytest.skip(f"{', '.join(needed)} not installed: pip install -e '.[site]'")
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, ".github/site/build.py", "--repository", "example/minidiff", "--out", str(out)]
    nobody = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    done = subprocess.run(command, cwd=ROOT, env=os.environ | nobody, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return out


class Page(HTMLParser):
    """What a page holds: its links, its anchors, its words."""

    def __init__(self, path: Path):
        super().__init__()
        self.links, self.anchors, self.alts = [], set(), []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.links += [found[name] for name in ("href", "src") if found.get(name)]
        self.anchors |= {found[name] for name in ("id", "name") if found.get(name)}
        self.alts += [found.get("alt") or ""] * (tag == "img")


@cache
def page(path: Path) -> Page:
    return Page(path)


def broken(site: Path, path: Path) -> list[str]:
    """The links of a page that lead nowhere within the site."""
    found = []
    for link in page(path).links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        anchor = unquote(parts.fragment)
        inside = target.is_relative_to(site.resolve()) and target.is_file()
        if not inside or (anchor and target.suffix == ".html" and anchor not in page(target).anchors):
            found.append(link)
    return found


def test_every_link_inside_the_site_leads_somewhere(built):
    site = (built / "site").resolve()
    pages = [path for path in site.rglob("*.html") if "_static" not in path.parts]
    assert len(pages) > len(NOTEBOOKS) + 10
    lost = {path.relative_to(site).as_posix(): found for path in pages if (found := broken(site, path))}
    assert not lost


def test_a_link_that_leads_nowhere_is_seen(tmp_path):
    (tmp_path / "a.html").write_text(
        '<a id="here" href="b.html"></a><a href="#gone"></a><a href="#here"></a><a href="../c"></a>'
    )
    assert broken(tmp_path, tmp_path / "a.html") == ["b.html", "#gone", "../c"]


def test_nothing_that_a_page_needs_is_fetched_from_elsewhere(built):
    for path in (built / "site").rglob("*.html"):
        needs = re.findall(r'<(?:script|img|link)\b[^>]*?(?:src|href)="(https?:[^"]+)', path.read_text())
        assert not needs, (path.name, needs)


def test_the_course_stands_in_its_order(built):
    text = (built / "site" / "index.html").read_text()
    side = text[text.index("sidebar-tree") : text.index("</aside>")]
    assert re.findall(r'href="notebooks/(\w+)\.html"', side)[: len(NOTEBOOKS)] == [path.stem for path in NOTEBOOKS]
    sets = sorted(path.name for path in (ROOT / "notebooks/assignments/release").iterdir())
    assert re.findall(r'href="notebooks/assignments/release/(\w+)/', side) == sets


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_keeps_its_pictures_its_folds_and_its_launch_links(built, path):
    """Byte for byte, so that films still move; with their words; folded what was folded."""
    book = nbformat.read(path, 4)
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    stored = [base64.b64decode(one.data["image/png"]) for one in outputs if "image/png" in one.get("data", {})]
    text = (built / "site" / "notebooks" / f"{path.stem}.html").read_text()
    seen = {hashlib.sha256(file.read_bytes()).digest() for file in _images(built, text)}
    assert {hashlib.sha256(one).digest() for one in stored} <= seen
    assert all(page(built / "site" / "notebooks" / f"{path.stem}.html").alts)
    folds = sum(cell.source.count("<details") for cell in book.cells if cell.cell_type == "markdown")
    assert text.count("<details>") >= folds and "<details open" not in text
    for place in (
        "colab.research.google.com/github/example/minidiff/blob/colab/",
        "mybinder.org/v2/gh/example/minidiff/main",
    ):
        assert place in text
    download = re.search(r'href="([^"]*_downloads/[^"]*\.ipynb)"', text)[1]
    assert (built / "site" / "notebooks" / download).read_bytes() == path.read_bytes()


def _images(built, text):
    return [built / "site" / "_images" / name for name in re.findall(r'src="\.\./_images/([^"]+)"', text)]


def test_the_reference_holds_every_public_name(built):
    pages = [page(path) for path in (built / "site" / "api").glob("*.html")]
    anchors = set().union(*(one.anchors for one in pages))
    assert {f"minidiff.{name}" for name in minidiff.__all__} <= anchors


def test_the_search_knows_the_notebooks_and_the_names(built):
    index = (built / "site" / "searchindex.js").read_text()
    assert all(path.stem in index for path in NOTEBOOKS) and "ddim_step" in index


def test_what_colab_opens_begins_with_the_cell_that_fetches(built):
    for path in NOTEBOOKS:
        book = nbformat.reads((built / "colab" / path.name).read_text(), 4)
        nbformat.validate(book)
        assert "github.com/example/minidiff.git" in book.cells[0].source
        assert [cell.source for cell in book.cells[1:]] == [cell.source for cell in nbformat.read(path, 4).cells]
        assert not any(cell.get("outputs") for cell in book.cells)
        json.loads((built / "colab" / path.name).read_text())


def test_slides_keep_every_figure_and_no_solution():
    """A section begins a column; what is folded is left out."""
    spec = importlib.util.spec_from_file_location("slides", ROOT / ".github/site/slides.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    for path in NOTEBOOKS:
        book = json.loads(path.read_bytes())
        found = made.slides(json.loads(path.read_bytes()))
        nbformat.validate(found)
        count = lambda one: sum(
            "image/png" in out.get("data", {}) for c in one["cells"] for out in c.get("outputs", [])
        )
        assert count(found) == count(book)
        assert not any("<details" in cell["source"] for cell in found["cells"] if cell["cell_type"] == "markdown")
        kinds = [cell["metadata"]["slideshow"]["slide_type"] for cell in found["cells"]]
        assert kinds[0] == "slide" and kinds.count("slide") > 5
