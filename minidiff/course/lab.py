"""Open the course in JupyterLab: the reader's copy of it, or the originals."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

from ..data.files import ROOT, clones, home

FIRST = "notebooks/00_start_here.ipynb"
SETTINGS = Path(__file__).parent  # labconfig/ in it holds settings of JupyterLab; the reader's own go before them


def course() -> Path:
    """The folder that holds notebooks/; FileNotFoundError says where to get it."""
    for root in clones():
        if (root / FIRST).is_file():
            return root
    raise FileNotFoundError(f"{FIRST} was not found: run minidiff lab inside a clone of the minidiff repository")


def command(root: Path, browser: bool, extra: list[str], folder: Path | None = None) -> list[str]:
    """The JupyterLab command that opens notebook 00. It is the default address, which a server without browser prints.

    root: the clone
    browser: whether to open one
    extra: arguments that go to JupyterLab unchanged
    folder: which notebooks to open (default: the originals); what JupyterLab shows beside them is the clone, if they
        are in it
    """
    first = (folder or root / "notebooks") / Path(FIRST).name
    top = root if first.is_relative_to(root) else first.parent
    address = quote(first.relative_to(top).as_posix())
    options = [f"--ServerApp.root_dir={top}", f"--LabApp.default_url=/lab/tree/{address}"]
    options += ["--LabApp.extension_manager=readonly"]
    options += [] if browser else ["--no-browser"]
    options += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return [*calling("jupyterlab.labapp", "main"), *options, *extra]


def calling(module: str, function: str) -> list[str]:
    """The command that calls a library's function, whatever modules of its name are in the current folder.

    `python -m` would run those; its option -P, which keeps the folder out, came with Python 3.11 and stays on.
    """
    start = "import sys; sys.path[:] = filter(None, sys.path)"
    return [sys.executable, "-c", f"{start}; from {module} import {function} as start; sys.exit(start())"]


def environment(root: Path, folder: Path | None = None) -> dict[str, str]:
    """The environment of JupyterLab and its kernels: this process's, our settings, and where data are, if far away."""
    found = os.environ | {"JUPYTER_CONFIG_PATH": _joined(os.environ.get("JUPYTER_CONFIG_PATH"), str(SETTINGS))}
    near = root == ROOT or (folder or root).is_relative_to(root)  # minidiff finds them by itself
    return found if near else {"MINIDIFF_DATA": str(root / "data")} | found


def _joined(*paths: str | None) -> str:
    return os.pathsep.join(filter(None, paths))


def open_lab(browser: bool = True, extra: list[str] | None = None, folder: Path | None = None) -> int:
    """Start JupyterLab at notebook 00 of a folder (default: the originals) and wait until it ends, whatever asks it to.

    Returns its exit status.
    """
    home()  # without one Jupyter fails
    root, asked = course(), []
    arguments = command(root, browser, extra or [], folder)
    servers: list[subprocess.Popen] = []

    def end(number, frame):  # without this JupyterLab would outlive us
        asked.append(number)
        for server in servers:
            server.terminate()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, lambda number, frame: None)  # JupyterLab gets Ctrl-C too, asks, and ends its kernels
    servers.append(server := subprocess.Popen(arguments, env=environment(root, folder)))
    if asked:  # while it was starting
        server.terminate()
    return server.wait()
