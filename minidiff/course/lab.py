"""Open the course in JupyterLab."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from ..data.files import clones, home

FIRST = "notebooks/00_start_here.ipynb"


def course() -> Path:
    """The folder that holds notebooks/; FileNotFoundError says where to get it."""
    for root in clones():
        if (root / FIRST).is_file():
            return root
    raise FileNotFoundError(f"{FIRST} was not found: run minidiff lab inside a clone of the minidiff repository")


def command(root: Path, browser: bool, extra: list[str]) -> list[str]:
    """The JupyterLab command that opens notebook 00; extra arguments go to JupyterLab unchanged.

    Notebook 00 is the default address, not an argument: a server that opens no browser prints the default address.
    """
    options = [f"--ServerApp.root_dir={root}", f"--LabApp.default_url=/lab/tree/{FIRST}"]
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


def open_lab(browser: bool = True, extra: list[str] | None = None) -> int:
    """Start JupyterLab at notebook 00 and wait until it ends, whatever asks it to; returns its exit status."""
    home()  # without one Jupyter fails
    arguments, asked = command(course(), browser, extra or []), []
    servers: list[subprocess.Popen] = []

    def end(number, frame):  # without this JupyterLab would outlive us
        asked.append(number)
        for server in servers:
            server.terminate()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, lambda number, frame: None)  # JupyterLab gets Ctrl-C too, asks, and ends its kernels
    servers.append(server := subprocess.Popen(arguments))
    if asked:  # while it was starting
        server.terminate()
    return server.wait()
