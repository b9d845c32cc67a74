"""How Sphinx makes the pages that build.py has put together; read together with every build."""

import importlib.util
import re
import shutil
from pathlib import Path

HERE = Path(__file__).parent
MATHJAX = importlib.util.find_spec("sphinx-mathjax-offline")  # MathJax beside the pages: they need no network

project = "minidiff"
author = "The minidiff authors"
copyright = "the minidiff authors; code MIT, prose and figures CC BY 4.0"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "sphinx.ext.mathjax"]
templates_path: list[str] = []
exclude_patterns = ["files"]

nb_execution_mode = "off"  # the stored outputs are the course's own, checked by the tests
nb_merge_streams = True
myst_heading_anchors = 3
myst_enable_extensions = ["dollarmath", "amsmath", "attrs_inline"]
suppress_warnings = ["mystnb.unknown_mime_type"]

autodoc_typehints = "none"  # the docstrings give shapes, which say more
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False  # PyTorch's own are no documentation of ours
python_display_short_literal_types = True

html_theme = "furo"
html_title = "minidiff"
html_static_path = [str(HERE / "static")]
html_css_files = ["style.css"]
html_show_sphinx = False
html_copy_source = False
if MATHJAX:
    mathjax_path = "mathjax/tex-chtml.js"


def _readable(app, what, name, thing, options, lines: list[str]) -> None:
    """A docstring as reStructuredText: equations as they stand, one parameter a line as a list."""
    text, made = "\n".join(lines).strip("\n"), []
    for block in re.split(r"\n\s*\n", text):
        rows = block.split("\n")
        if all(row.startswith("    ") or not row.strip() for row in rows):
            made += ["::", "", *(f"   {row}" for row in rows), ""]
        elif re.match(r"[\w, ]{1,40}: ", rows[0]) and len(rows[0].split(":")[0].split()) < 5:
            made += _parameters(rows)
        else:
            made += [*map(plain, rows), ""]
    lines[:] = made


def _parameters(rows: list[str]) -> list[str]:
    made: list[str] = []
    for row in rows:
        name, colon, said = row.partition(": ")
        if colon and not row.startswith(" ") and re.fullmatch(r"[\w, ]{1,40}", name):
            made += [f"``{name}``", f"    {plain(said) or '...'}"]
        else:
            made.append(f"    {plain(row.strip())}")
    return [*made, ""]


def plain(row: str) -> str:
    """A line without what reStructuredText would take for markup; `names` stay names."""
    parts = re.split(r"`([^`]+)`", row.strip())
    words = [re.sub(r"([\\*|_`])", r"\\\1", part) if k % 2 == 0 else f"``{part}``" for k, part in enumerate(parts)]
    return "\\ ".join(word for word in words if word)


def _mathjax(app, failed: Exception | None) -> None:
    """Lay beside the pages what they need of MathJax: its program and its letters."""
    if MATHJAX and not failed:
        there = Path(MATHJAX.submodule_search_locations[0]) / "static" / "mathjax"
        for name in ("tex-chtml.js", "input/tex/extensions", "output/chtml/fonts"):
            source, target = there / name, Path(app.outdir) / "_static" / "mathjax" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if source.is_dir() else shutil.copy)(source, target)


def setup(app) -> dict:
    app.connect("autodoc-process-docstring", _readable)
    app.connect("build-finished", _mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
