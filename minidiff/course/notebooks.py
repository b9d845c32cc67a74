"""Make the notebooks' outputs again, byte for byte, and look for what a strict comparison cannot see.

nbval compares text literally, but passes a cell that never ran, ignores pictures, and cannot know that an output holds
somebody's home folder. `problems` lists such things.
"""

import asyncio
import atexit
import copy
import json
import os
import re
import signal
import sys
import time
import warnings
from contextlib import suppress
from pathlib import Path

import nbformat
from ipykernel.kernelspec import RESOURCES, get_kernel_dict
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

from ..data.files import ROOT, clones, home, write_atomically
from .lab import calling

# What kernels need so that outputs do not depend on who runs them; tests/pictures.py gives it to nbval's kernels too.
ENVIRONMENT = {
    "MINIDIFF_STATIC": "1",
    "MINIDIFF_QUIET": "1",
    "OMP_NUM_THREADS": "1",  # two threads on two busy cores are slower for small networks
    "PYTHONHASHSEED": "0",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
}
LARGEST = 1_000_000  # bytes of a notebook
MOST = 10 * LARGEST  # characters that a cell may show while it runs
TYPES = {"text/plain", "text/html", "text/markdown", "text/latex", "image/png"}
UNSTABLE = ("clear_output", "interact(", "interactive_output", "Output()", "tqdm", "%time", "os.system")
MACHINE = re.compile(r"(?<![\w.])/(?:home|root|tmp|Users|work|opt|var|mnt)/\w|[A-Z]:\\Users\\")
OVERWRITTEN = re.compile(r"^.*\r(?=[^\n])", re.M)  # what a carriage return sends a terminal back over
ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}")
MARKER = re.compile(r"^\s*#+\s*(?:NBVAL_SKIP|NBVAL_IGNORE_OUTPUT|PYTEST_VALIDATE_IGNORE_OUTPUT)\s*$", re.M)


def main_run(paths: list[Path]) -> int:
    """Run notebooks (default: all of the course) and store their outputs. Prints a line each; 1 if any failed."""
    failed = False
    home()  # without one no kernel starts
    for path in paths or every():
        begun = time.perf_counter()
        try:
            run(path)
            seconds, kilobytes = time.perf_counter() - begun, path.stat().st_size / 1000
            print(f"ran {path.name} in {seconds:.0f} s, {kilobytes:.0f} kB", flush=True)
        except NotebookError as error:
            failed = True
            print(f"{path}: {error}; the file is as it was", file=sys.stderr)
    return int(failed)


def main_check(paths: list[Path]) -> int:
    """Print the hygiene problems of notebooks (default: all of the course); 1 if there are any."""
    found = [f"{path}: {problem}" for path in paths or every() for problem in problems(path)]
    print("\n".join(found) or f"{len(paths or every())} notebooks are clean")
    return int(bool(found))


def every() -> list[Path]:
    """The course's notebooks, in order; FileNotFoundError says where to get them."""
    for root in clones():
        if found := sorted((root / "notebooks").glob("*.ipynb")):
            return found
    raise FileNotFoundError("no notebooks were found: run this inside a clone of the minidiff repository")


class NotebookError(RuntimeError):
    """A notebook that cannot be read or run; the message says where and why."""


def load(path: Path) -> nbformat.NotebookNode:
    """Read a notebook that is valid in every part, or raise NotebookError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            notebook = nbformat.read(path, as_version=4)
            nbformat.validate(notebook)
            return notebook
    except Exception as error:  # nbformat raises whatever a misshapen file trips it over
        raise NotebookError(f"cannot be read as a notebook ({type(error).__name__})") from None


class ThisPython(AsyncKernelManager):
    """Starts the Python that runs minidiff, whatever is registered as python3 on this machine, and ipykernel itself."""

    @property
    def kernel_spec(self) -> KernelSpec:
        start = [*calling("ipykernel.kernelapp", "launch_new_instance"), "-f", "{connection_file}"]
        return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict() | {"argv": start})


class Client(NotebookClient):
    """Runs a notebook, and ends it when asked to, or when a cell shows more than MOST, which may fill the memory."""

    held = 0  # characters that the cell shows
    over: int | None = None  # the first cell that showed too many
    asked: int | None = None  # the signal that asked for an end

    def output(self, outs, msg, *place):  # place: the number of its display, and of its cell
        shown = super().output(outs, msg, *place)
        self.held = _length(msg["content"]) + (0 if outs == [shown] else self.held)
        if self.held > MOST and self.over is None and self.task_poll_for_reply:
            self.over = place[-1]
            self.task_poll_for_reply.cancel()
        return shown

    async def async_start_new_kernel(self, **options):
        """Replace nbclient's handlers of signals, set just before, which would tell of a kernel that died."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def end(number: int) -> None:
            if self.asked is None and task:
                self.asked = number
                task.cancel()

        with suppress(RuntimeError):  # Windows has none: there Ctrl-C raises KeyboardInterrupt
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, end, number)
        await super().async_start_new_kernel(**options)


def _length(content: object) -> int:
    """How many characters a message holds, at any depth."""
    if isinstance(content, (dict, list)):
        return sum(map(_length, content.values() if isinstance(content, dict) else content))
    return len(str(content))


def _execute(client: Client, **options) -> None:
    """Run a client's notebook, and end its kernel however that ends.

    NotebookError where a cell shows too much; KeyboardInterrupt or SystemExit where a signal asked for an end.
    """
    loop = asyncio.SelectorEventLoop()  # Jupyter's sockets want this one on Windows too
    task = loop.create_task(client.async_execute(**options))
    try:
        loop.run_until_complete(asyncio.wait([task]))
    finally:
        for left in (rest := asyncio.all_tasks(loop)):
            left.cancel()
        loop.run_until_complete(asyncio.gather(task, *rest, return_exceptions=True))
        loop.close()
        if client.km is None:  # or nbclient would fail at the exit to end a kernel that has ended
            atexit.unregister(client._cleanup_kernel)
    if client.asked is not None:
        raise KeyboardInterrupt if client.asked == signal.SIGINT else SystemExit(128 + client.asked)
    if client.over is not None:  # asked first: a cell's last message may come when its end can no more be cancelled
        raise NotebookError(f"cell {client.over} shows more than {MOST:,} characters: show less")
    task.result()


def environment() -> dict[str, str]:
    """The environment of a kernel: this process's, with ENVIRONMENT, and with the minidiff that is running."""
    folders = [str(ROOT), os.environ.get("PYTHONPATH")]
    return os.environ | ENVIRONMENT | {"PYTHONPATH": os.pathsep.join(filter(None, folders))}


def run(path: Path) -> None:
    """Run one notebook from the top in a fresh kernel and write it back with its outputs, whole or not at all."""
    before, notebook, started = path.read_bytes() if path.is_file() else None, _cleared(load(path)), []
    client = Client(notebook, timeout=900, kernel_manager_class=ThisPython,
                    record_timing=False, store_widget_state=False,
                    on_cell_start=lambda cell, cell_index: started.append(cell_index),
                    resources={"metadata": {"path": str(path.resolve().parent)}})  # fmt: skip
    try:
        with open(os.devnull, "w") as silence:  # ipykernel warns there about its own transport
            _execute(client, env=environment(), stderr=silence)
    except NotebookError:
        raise
    except (CellExecutionError, CellTimeoutError, RuntimeError) as error:  # RuntimeError: a kernel that died
        what = f"{error.ename}: {error.evalue}" if isinstance(error, CellExecutionError) else str(error)
        where = f"cell {started[-1]} failed" if started else "no kernel could be started"
        raise NotebookError(f"{where} ({' '.join(what.split())[:300]})") from None
    if not path.is_file() or path.read_bytes() != before:
        raise NotebookError("was saved by another program while it ran: its outputs were dropped, run it again")
    write_atomically(path, _settled(notebook).encode())


def _cleared(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook as if it had never been run."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def _settled(notebook: nbformat.NotebookNode) -> str:
    """The notebook as text, without anything that differs from run to run."""
    notebook = copy.deepcopy(notebook)
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook.metadata = nbformat.from_dict({"kernelspec": kernel, "language_info": {"name": "python"}})
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)
        for output in cell.get("outputs", []):
            output.pop("transient", None)
            if output.output_type == "error":  # an expected one: the traceback names files of this machine
                output.traceback = [f"{output.ename}: {output.evalue}"]
    return nbformat.writes(notebook) + "\n"


def _joined(outputs: list) -> list:
    """A cell's outputs, each stream in one piece: when a kernel flushes depends on how busy the machine is.

    The piece stands where the stream began, standard output before standard error. nbclient can join them too, but
    takes minutes over a line of a million letters.
    """
    kept: list = []
    pieces: dict[str, list[str]] = {}
    for output in outputs:
        if output.output_type != "stream":
            kept.append(output)
        elif output.name not in pieces:
            late = output.name == "stdout" and bool(kept) and kept[-1].get("name") == "stderr"
            kept.insert(len(kept) - late, output)
        if output.output_type == "stream":
            pieces.setdefault(output.name, []).append(output.text)
    for output in kept:
        if output.output_type == "stream":
            output.text = OVERWRITTEN.sub("", "".join(pieces[output.name]))
    return kept


def problems(path: Path) -> list[str]:
    """Everything wrong with a stored notebook that running it would not show, one sentence each."""
    try:
        notebook = load(path)
    except NotebookError as error:
        return [str(error)]
    found = [] if path.stat().st_size <= LARGEST else [f"larger than {LARGEST:,} bytes"]
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        found.append("the kernelspec must be python3")
    if "widgets" in notebook.metadata:
        found.append("widget state is saved in its metadata")
    ids = [cell.get("id") for cell in json.loads(path.read_bytes())["cells"]]  # nbformat mends them as it reads
    if None in ids or len(set(ids)) != len(ids):
        found.append("every cell needs an id of its own")
    named = [i for i, cell in enumerate(notebook.cells) if MACHINE.search(cell.source)]
    found += [f"cell {i}: names a folder of one machine" for i in named]
    code = [(i, cell) for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    for number, (i, cell) in enumerate(code, start=1):
        found += [f"cell {i}: {what}" for what in (*_in_source(cell), *_in_order(cell, number), *_in_outputs(cell))]
    if sum("nbval-ignore-output" in cell.metadata.get("tags", []) for _, cell in code) > 2:
        found.append("more than two cells are compared by nothing (nbval-ignore-output)")
    return found


def _in_source(cell: nbformat.NotebookNode) -> list[str]:
    tags, source = cell.metadata.get("tags", []), cell.source
    found = [] if source.strip() else ["is empty"]
    if source.rstrip().endswith(";"):
        found.append("ends in a semicolon, which does not hide its value from nbval")
    if {"nbval-skip", "pytest-validate-ignore-output", "skip"} & set(tags) or MARKER.search(source):
        found.append("skipping is not allowed; what cannot be compared is tagged nbval-ignore-output")
    if "nbval-ignore-output" not in tags:
        words = [word for word in UNSTABLE if word in source]
        found += [f"{word} cannot be compared by nbval: tag the cell nbval-ignore-output" for word in words]
    return found


def _in_order(cell: nbformat.NotebookNode, number: int) -> list[str]:
    if cell.execution_count is None:
        return ["was never run, so nothing would be compared"]
    return [] if cell.execution_count == number else [f"ran as number {cell.execution_count}, expected {number}"]


def _in_outputs(cell: nbformat.NotebookNode) -> list[str]:
    found = []
    for output in cell.outputs:
        text = json.dumps({kind: value for kind, value in output.get("data", {}).items() if kind != "image/png"})
        text += str([output.get(part, "") for part in ("text", "evalue", "traceback")])
        if output.output_type == "stream" and output.name == "stderr":
            found.append("wrote to stderr")
        if output.output_type == "error" and "raises-exception" not in cell.metadata.get("tags", []):
            found.append("ended in an error")
        found += [f"holds an output of type {kind}" for kind in output.get("data", {}) if kind not in TYPES]
        found += ["prints a memory address"] * bool(ADDRESS.search(text))
        found += ["prints a folder of one machine"] * bool(MACHINE.search(text))
    return found
