"""Slides of the core route: `python .github/site/slides.py`, or with numbers of notebooks; nothing is executed.

Each notebook becomes build/slides/NN_name.slides.html by `jupyter nbconvert --to slides`: a section is a column, a cell
or a figure is a slide in it, hints and solutions are left out. reveal.js is fetched from the network when the slides
are shown, unless --reveal names a copy, such as build/slides/reveal.js.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORE = ["00", "01", "02", "03", "04", "12", "05", "06", "11", "13"]
CDN = "https://unpkg.com/reveal.js@4.6.1"
FOLDED = re.compile(r"<details>.*?</details>\n*", re.S)
STYLE = """<style>
.reveal { font-size: 20px; } .reveal h1 { font-size: 2em; } .reveal h2 { font-size: 1.5em; }
.reveal .slides section { text-align: left; } .reveal pre { font-size: 15px; line-height: 1.3; white-space: pre-wrap; }
.reveal .jp-RenderedImage img { margin: 0 auto; max-height: 560px; }
</style>"""


def main(arguments: list[str] | None = None) -> int:
    """Write the slides; nbconvert's exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("numbers", nargs="*", default=CORE, help="of notebooks (default: the core route)")
    parser.add_argument("--reveal", default=CDN, help="where reveal.js is, seen from the slides")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "slides")
    a = parser.parse_args(arguments)
    a.out.mkdir(parents=True, exist_ok=True)
    made = []
    for number in a.numbers:
        path = next((ROOT / "notebooks").glob(f"{number}_*.ipynb"), None)
        if path is None:
            parser.error(f"there is no notebook {number}")
        made.append(a.out / path.name)
        made[-1].write_text(json.dumps(slides(json.loads(path.read_bytes()))))
    options = ["--to", "slides", "--no-prompt", "--reveal-prefix", a.reveal]
    options += [f"--SlidesExporter.reveal_{name}" for name in ("scroll=True", "width=1200", "height=720")]
    command = [sys.executable, "-m", "nbconvert", *options, "--output-dir", a.out, *made]
    status = subprocess.run(list(map(str, command))).returncode
    for path in made:
        path.unlink()
    return status


def slides(book: dict) -> dict:
    """The notebook with each cell told what kind of slide it is."""
    cells = []
    for cell in book["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts = re.split(r"\n(?=#{2,3} )", "\n" + FOLDED.sub("", text).strip())
            cells += [
                _slide(cell | {"source": part.strip()}, number) for number, part in enumerate(parts) if part.strip()
            ]
        elif cell["cell_type"] == "code" and (cell["outputs"] or not re.match(r"(import|from) ", text)):
            cells += _code(cell)
    cells[0]["source"] += f"\n\n{STYLE}"
    return book | {"cells": cells}


def _slide(cell: dict, number: int = 0) -> dict:
    """A cell as a slide, beside the one before where a section begins, below it elsewhere."""
    kind = "slide" if re.match(r"##? ", cell["source"]) else "subslide"
    cell["metadata"] = {"slideshow": {"slide_type": kind}}
    return cell | {"id": f"{cell['id'][:60]}-{number}"}


def _code(cell: dict) -> list[dict]:
    """The code with what it prints, then its pictures on a slide of their own."""
    pictures = [one for one in cell["outputs"] if "image/png" in one.get("data", {})]
    told = [one for one in cell["outputs"] if one not in pictures]
    first = _slide(cell | {"source": "".join(cell["source"]), "outputs": told})
    if not pictures:
        return [first]
    shown = cell | {"source": "", "outputs": pictures, "id": f"{cell['id'][:60]}-shown"}
    return [first, shown | {"metadata": {"slideshow": {"slide_type": "subslide"}}}]


if __name__ == "__main__":
    raise SystemExit(main())
