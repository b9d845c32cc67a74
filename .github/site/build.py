"""Build the site: `python .github/site/build.py`, offline, from what the repository holds; nothing is executed.

The pages are put together in build/site-source, and Sphinx makes build/site of them, with every warning an error. What
Colab opens, the notebooks with a first cell that fetches the rest, is written to build/colab.
"""

import argparse
import inspect
import json
import os
import posixpath
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(HERE)]

import conf  # noqa: E402

import minidiff  # noqa: E402
from minidiff.course.copies import fresh, originals  # noqa: E402

LINK = re.compile(r"(?<=\]\()[^)\s]+(?=\))")
PARTS = (("", "One idea, exactly"), ("12", "Pictures"), ("17", "Speed, latents, words"))  # by their first notebook
PAGES = {  # a page of the site by its file in the repository
    "README.md": "index.md", ".github/CONTRIBUTING.md": "contributing.md", "minidiff/README.md": "minidiff/README.md",
    "notebooks/glossary.md": "notebooks/glossary.md", "notebooks/instructors.md": "notebooks/instructors.md",
}  # fmt: skip
FETCH = """\
# In Colab this cell fetches the course, its data and what it needs: about a minute. Run it first.
![ -d ~/minidiff ] || git clone -q --depth 1 https://github.com/{repository}.git ~/minidiff
%cd -q ~/minidiff
%pip install -q -e .
import sys

if "google.colab" in sys.modules:  # so that the pad and the sliders are drawn
    from google.colab import output

    output.enable_custom_widget_manager()"""


def main(arguments: list[str] | None = None) -> int:
    """Build, and return Sphinx's exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repository", default=repository(), help="OWNER/NAME on GitHub, for launch and source links")
    parser.add_argument("--out", type=Path, default=ROOT / "build", help="where site, site-source and colab go")
    a = parser.parse_args(arguments)
    source, site = a.out / "site-source", a.out / "site"
    for folder in (source, site, a.out / "colab"):
        shutil.rmtree(folder, ignore_errors=True)
    Pages(source, a.repository).write()
    if a.repository:
        for_colab(a.out / "colab", a.repository)
    else:
        print("no repository is known (--repository OWNER/NAME): the pages have no launch links")
    command = ["-W", "--keep-going", "-q", "-j", "auto", "-b", "html", "-c", HERE, source, site]
    return subprocess.run([sys.executable, "-m", "sphinx", *map(str, command)], cwd=ROOT).returncode


def repository() -> str:
    """OWNER/NAME on GitHub: what a workflow says, or the clone's origin; empty where that is elsewhere."""
    asked = ["git", "-C", str(ROOT), "remote", "get-url", "origin"]
    origin = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    found = re.search(r"github\.com[:/]([\w.-]+/[\w.-]+?)(\.git)?/?$", origin)
    return os.environ.get("GITHUB_REPOSITORY") or (found[1] if found else "")


def for_colab(folder: Path, repository: str) -> None:
    """Write the notebooks as Colab opens them: without outputs, as `minidiff lab` does, after a cell that fetches."""
    folder.mkdir(parents=True)
    for path in originals(ROOT):
        notebook = json.loads(fresh(path))
        cell = {"cell_type": "code", "id": "fetch", "metadata": {}, "source": FETCH.format(repository=repository)}
        notebook["cells"].insert(0, cell | {"outputs": [], "execution_count": None})
        (folder / path.name).write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")


class Pages:
    """The pages before Sphinx: the repository's own, with links that lead to each other."""

    def __init__(self, source: Path, repository: str):
        """source: where they are written.
        repository: OWNER/NAME on GitHub; empty leaves links to GitHub out.
        """
        self.source, self.repository = source, repository
        self.notebooks = [path.relative_to(ROOT).as_posix() for path in originals(ROOT)]
        sets = sorted((ROOT / "notebooks/assignments/release").glob("*/*.ipynb"))
        self.sets = [path.relative_to(ROOT).as_posix() for path in sets]
        self.data = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "data").glob("**/README.md"))]
        front = (ROOT / "README.md").read_text()
        self.first = front.index("\n## ", front.index("\n## The notebooks") + 1) + 1  # where its second page begins
        self.later = {_slug(title) for title in re.findall(r"^#+ (.*)", front[self.first :], re.M)}
        same = {name: name for name in (*self.notebooks, *self.sets, *self.data)}
        self.pages = {name: page for name, page in (PAGES | same).items() if (ROOT / name).exists()}

    def write(self) -> None:
        """Write them all."""
        self.source.mkdir(parents=True)
        for name in self.notebooks + self.sets:
            self.notebook(name)
        for name in self.pages.keys() - {"README.md", *self.notebooks, *self.sets}:
            self.put(self.pages[name], self.linked((ROOT / name).read_text(), name, self.pages[name]))
        self.front()
        self.reference()

    def put(self, page: str, text: str) -> None:
        """Write a page."""
        (self.source / page).parent.mkdir(parents=True, exist_ok=True)
        (self.source / page).write_text(text)

    def linked(self, text: str, name: str, page: str) -> str:
        """A text of the file `name` on the page `page`: links lead to pages, to pictures, or to GitHub."""

        def one(found: re.Match) -> str:
            target, _, place = found[0].partition("#")
            if not target or ":" in target:
                return found[0]
            file = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
            place = f"#{place}" * bool(place)
            if (ROOT / file / "README.md").exists():
                file += "/README.md"
            if file == "README.md" and place[1:] in self.later:
                return posixpath.relpath("library.md", posixpath.dirname(page) or ".") + place
            if file.endswith((".png", ".gif", ".apng")):
                (self.source / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / file, self.source / file)
            elif file not in self.pages:
                return self.github("blob/main/" + file + place)
            return posixpath.relpath(self.pages.get(file, file), posixpath.dirname(page) or ".") + place

        text = LINK.sub(one, text)
        return re.sub(r"\[([^\]\n]+)\]\(\)", r"\1", text)

    def github(self, path: str) -> str:
        """An address on GitHub, or nothing."""
        return f"https://github.com/{self.repository}/{path}" if self.repository else ""

    def notebook(self, name: str) -> None:
        """A notebook with launch links under its title, its pictures with their words, and its hidden cells folded."""
        book = json.loads((ROOT / name).read_bytes())
        for cell in book["cells"]:
            text = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                cell["source"] = self.linked(text, name, name)
            elif cell["cell_type"] == "code":
                about = cell["metadata"]
                if about.get("jupyter", {}).get("source_hidden"):
                    about["tags"] = [*about.get("tags", []), "hide-input"]
                for output in cell["outputs"]:
                    told = output.get("metadata", {})
                    if alt := (told.get("image/png") or told).get("alt"):
                        about["mystnb"] = {"image": {"alt": alt}}
        title, _, rest = book["cells"][0]["source"].partition("\n")
        book["cells"][0]["source"] = f"{title}\n\n{self.launch(name)}\n{rest}"
        self.put(name, json.dumps(book))

    def launch(self, name: str) -> str:
        """Where a notebook runs: Colab, Binder, or the reader's own JupyterLab."""
        file = posixpath.basename(name)
        self.put(f"files/{file}", (ROOT / name).read_text())
        links = [f"{{download}}`Download <{posixpath.relpath(f'files/{file}', posixpath.dirname(name))}>`"]
        if self.repository and name in self.notebooks:
            colab = f"https://colab.research.google.com/github/{self.repository}/blob/colab/{file}"
            binder = f"https://mybinder.org/v2/gh/{self.repository}/main?urlpath=lab/tree/{name}"
            links = [f"[Open in Colab]({colab})", f"[Open in Binder]({binder})", *links]
        return "```{container} launch\n" + " ".join(links) + "\n```\n"

    def front(self) -> None:
        """The README as two pages, cut after its notebooks, and the table of contents."""
        text = (ROOT / "README.md").read_text()
        here, there = text[: self.first], "# Beyond the notebooks\n\n" + text[self.first :]
        here = self.linked(here, "README.md", "index.md").replace("](#", "](library.md#")
        self.put("library.md", self.linked(there, "README.md", "library.md"))
        self.put("index.md", here + "\n" + self.contents())

    def contents(self) -> str:
        """The course in its order, then what else there is."""
        trees = []
        starts = [next(k for k, name in enumerate(self.notebooks) if name.startswith(f"notebooks/{number}"))
                  for number, _ in PARTS]  # fmt: skip
        for (_, caption), begin, end in zip(PARTS, starts, [*starts[1:], None], strict=True):
            trees.append((caption, [(_short(ROOT / name), name) for name in self.notebooks[begin:end]]))
        trees.append(("Problem sets", [(_short(ROOT / name), name) for name in self.sets]))
        more = [("Glossary", "notebooks/glossary.md"), ("For teachers", "notebooks/instructors.md"),
                ("Commands, own pictures, GPUs", "library.md"), ("The public names", "api/index.rst"),
                ("The map of the package", "minidiff/README.md"), ("The data", "data/README.md"),
                ("Contributing", "contributing.md")]  # fmt: skip
        trees.append(("Beside the course", more))
        text = "\n".join(_tree(caption, entries) for caption, entries in trees)
        cards = [name.removeprefix("data/") for name in self.data if name != "data/README.md"]
        (self.source / "data/README.md").open("a").write("\n" + _tree("", [("", name) for name in cards]))
        return text

    def reference(self) -> None:
        """A page a module or room, with the public names that come from it, in reading order."""
        names, pages = set(minidiff.__all__), []
        for home in minidiff.HOMES:
            module = import_module(home, "minidiff")
            own = [name for name in vars(module) if name in names]
            own.sort(key=lambda name: _place(getattr(module, name)))
            names -= set(own)
            if own:
                pages.append(home[1:])
                self.put(f"api/{home[1:]}.rst", _module(home[1:], module, own))
        assert not names, f"these public names have no home: {names}"
        entries = "\n".join(f"   {page}" for page in pages)
        text = "The public names, from ``from minidiff import ...``, in reading order.\n\n"
        self.put("api/index.rst", f"The public names\n================\n\n{text}.. toctree::\n\n{entries}\n")


def _place(one: object) -> tuple[str, int]:
    return str(inspect.getsourcefile(one)), inspect.getsourcelines(one)[1]


def _slug(title: str) -> str:
    return re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-")


def _short(path: Path) -> str:
    """A notebook's title up to the colon."""
    title = "".join(json.loads(path.read_bytes())["cells"][0]["source"]).splitlines()[0]
    return title.lstrip("# ").partition(":")[0]


def _tree(caption: str, entries: list[tuple[str, str]]) -> str:
    lines = [f"{title} <{page}>" if title else page for title, page in entries]
    return "\n".join(["```{toctree}", ":hidden:", *[f":caption: {caption}"] * bool(caption), "", *lines, "```", ""])


def _module(home: str, module: object, names: list[str]) -> str:
    """The page of a module."""
    parts = [home, "=" * len(home), "", f".. automodule:: minidiff.{home}", "   :no-members:", ""]
    first = {name: conf.plain(inspect.getdoc(getattr(module, name)).splitlines()[0]) for name in names}
    parts += [*(f"- :py:obj:`~minidiff.{name}`: {said}" for name, said in first.items()), ""]
    for name in names:
        one = getattr(module, name)
        kind, members = ("class", ["   :members:"]) if inspect.isclass(one) else ("function", [])
        if inspect.isclass(one) and issubclass(one, Exception):
            kind, members = "exception", []
        if one.__name__ == name:
            parts += [f".. auto{kind}:: minidiff.{name}", *members, ""]
        else:  # a second name; the first stands before it, or the pages of source would lead to the second
            where = f"{one.__module__}.{one.__name__}"
            parts += [f".. auto{kind}:: {where}", *members, ""]
            parts += [
                f".. py:{kind}:: {name}",
                "   :module: minidiff",
                "",
                f"   Another name of :py:obj:`{where}`.",
                "",
            ]
    return "\n".join(parts)


if __name__ == "__main__":
    raise SystemExit(main())
