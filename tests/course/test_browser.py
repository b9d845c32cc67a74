"""The course as a reader meets it: `minidiff lab`, JupyterLab, a real browser, and a hand on the slider.

Skipped where Chromium or playwright is missing, except in CI (the environment variable CI is "true"), where they must
be there. Screenshots go to $MINIDIFF_SCREENSHOTS, or else to pytest's temporary folder.
"""

import base64
import contextlib
import ctypes
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from minidiff.course import notebooks

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
SOON, LONG = 180, 1800  # seconds: for one answer, and for one notebook, on a machine with twenty other things to do
FOLDERS = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR",
           "JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR")  # fmt: skip
SHOWN = """image => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    canvas.getContext("2d").drawImage(image, 0, 0);
    return canvas.toDataURL();
}"""  # the pixels of a picture on the page, as a PNG
SCROLL = """async all => {
    for (const cell of all) {
        cell.scrollIntoView();
        await new Promise(requestAnimationFrame);
    }
}"""
PROSE = """all => all.map(shown => {
    const copy = shown.cloneNode(true);
    copy.querySelectorAll("code, pre, mjx-container").forEach(part => part.remove());
    return copy.textContent;
})"""  # what is neither code nor a formula, so that TeX in it is a formula that was not understood
WIDE = "all => all.filter(it => it.scrollWidth > it.clientWidth).map(it => it.textContent)"  # code that is cut off
PLAIN = {"generic", "none", "StaticText", "InlineTextBox", "LabelText", "paragraph", "status", "group", "option"}
WIDGET = "application/vnd.jupyter.widget-view+json"


def browser_file() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def missing() -> str:
    """What this test needs and does not find, or ""."""
    if find_spec("playwright") is None:
        return 'playwright is not installed: pip install -e ".[browser]"'
    return "" if browser_file() else "no Chromium was found: apt-get install chromium, say"


def need_a_browser() -> None:
    """Skip where there is none; fail in CI, where being green must mean that this ran."""
    if reason := missing():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


def until(condition, seconds: float, what: str, pause: float = 0.2):
    """The first true value of condition(), asked again and again; AssertionError where there is none in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what() if callable(what) else what}"
        time.sleep(pause)
    return value


def copy_course(folder: Path) -> Path:
    """A clone of its own, so that `minidiff lab` makes its copies of the notebooks there."""
    shutil.copytree(ROOT / "minidiff", folder / "minidiff", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "data").symlink_to(ROOT / "data", target_is_directory=True)
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns(".*"))
    return folder


def person(course: Path) -> dict[str, str]:
    """The environment of somebody at the keyboard: none of a test's silence, Jupyter's files in the copy."""
    ours = {"CI", *notebooks.ENVIRONMENT} - {"OMP_NUM_THREADS"}
    rest = {name: value for name, value in os.environ.items() if name not in ours}
    folders = {name: str(course / ".jupyter" / name) for name in FOLDERS}
    return rest | folders | {"PYTHONPATH": os.pathsep.join(filter(None, [str(course), rest.get("PYTHONPATH")]))}


def processes(course: Path) -> list[int]:
    """Every process that was started for this copy of the course: server, kernels, browser (Linux only)."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if os.fsencode(course) in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:  # ended, or not ours
            pass
    return found


def stop(server: subprocess.Popen, course: Path) -> None:
    """Ask the server to end, which must end all it started; nothing survives this function."""
    server.terminate()
    try:
        until(lambda: server.poll() is not None and not processes(course), SOON, lambda: f"{processes(course)} end")
    finally:
        for pid in processes(course):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        server.wait(SOON)


def end_with_parent() -> None:
    """Called in a child: where the tests themselves are killed, it is asked to end (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # 1 is PR_SET_PDEATHSIG


class Lab(NamedTuple):
    address: str  # what `minidiff lab --no-browser` prints
    course: Path


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A running `minidiff lab --no-browser` on a free port, with a token, in a copy of the course."""
    need_a_browser()
    course = copy_course(tmp_path_factory.mktemp("course"))
    log = course / "server.log"
    command = [sys.executable, "-m", "minidiff", "lab", "--no-browser"]
    command += ["--", "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0"]
    with open(log, "w") as file:
        server = subprocess.Popen(command, cwd=course, env=person(course), stdin=subprocess.DEVNULL, stdout=file,
                                  stderr=subprocess.STDOUT, preexec_fn=end_with_parent)  # fmt: skip

    def address():
        assert server.poll() is None, f"minidiff lab ended with status {server.returncode}:\n{log.read_text()[-2000:]}"
        return re.search(r"http://127\.0\.0\.1:\d+/\S*token=\w+", log.read_text())

    try:
        found = until(address, SOON, lambda: f"minidiff lab prints its address:\n{log.read_text()[-2000:]}")
        yield Lab(found[0], course)
    finally:
        stop(server, course)


class Visit(NamedTuple):
    """A page in a browser, and what it does that no reader would notice."""

    page: object
    complaints: list[str]  # errors on its console, and exceptions that nobody caught
    outside: list[str]  # addresses on other machines


@pytest.fixture
def visit(lab):
    """A new browser with one empty page."""
    from playwright.sync_api import sync_playwright

    here = lab.address.split("/lab")[0]
    mark = os.environ | {"MINIDIFF_BROWSER_FOR": str(lab.course)}  # so that processes() finds it
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_file(), args=FLAGS, env=mark, timeout=1000 * SOON)
        page = browser.new_page(viewport={"width": 1366, "height": 900})
        page.set_default_timeout(1000 * SOON)
        visit = Visit(page, [], [])
        page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        page.on("console", lambda said: visit.complaints.append(said.text) if said.type == "error" else None)
        near = (here, "data:", "blob:")
        page.on("request", lambda it: None if it.url.startswith(near) else visit.outside.append(it.url))
        yield visit
        browser.close()


def save(page, path: Path) -> list[dict]:
    """Save the notebook as a reader would; its code cells as they are in the file."""
    page.keyboard.press("Control+s")
    page.locator(".lm-TabBar-tab.lm-mod-current.jp-mod-dirty").wait_for(state="detached")

    def whole():  # JupyterLab saves by itself too, and while it writes the file is not whole
        with contextlib.suppress(json.JSONDecodeError):
            return json.loads(path.read_text())

    notebook = until(whole, SOON, f"{path.name} is saved")
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def expected_to_raise(cell: dict) -> bool:
    return "raises-exception" in cell["metadata"].get("tags", [])


def errors(cells: list[dict]) -> list[str]:
    """The code cells that ended in an error and should not have, did not and should have, or wrote to stderr."""
    found = []
    for cell in cells:
        raised = [f"{out['ename']}: {out['evalue']}" for out in cell["outputs"] if out["output_type"] == "error"]
        if bool(raised) != expected_to_raise(cell) and cell["execution_count"]:
            found.append(f"{cell['id']} raised {raised or 'nothing'}")
        wrote = [out["text"] for out in cell["outputs"] if out.get("name") == "stderr"]
        found += [f"{cell['id']} wrote to stderr: {text}" for text in wrote]
    return found


def run_all_cells(page, path: Path) -> list[dict]:
    """Run > Run All Cells; the code cells once all have run, or one has failed."""
    page.click(".lm-MenuBar-itemLabel:text-is('Run')")
    page.click(".lm-Menu-itemLabel:text-is('Run All Cells')")
    cells = []

    def done():  # prompts are on the page for cells whose source is shown; the file knows all
        if page.locator(".jp-InputArea-prompt", has_text="[*]").count():
            return False
        cells[:] = save(page, path)
        return errors(cells) or all(cell["execution_count"] for cell in cells)

    until(done, LONG, lambda: f"all of {path.name} has run: {[cell['execution_count'] for cell in cells]}", pause=1)
    return cells


def unsightly(page, raising: int) -> list[str]:
    """What a reader would see as broken, all through the notebook: red boxes, pictures or formulas that fail.

    A cell that is expected to raise has a red box too, of the same kind as those of stderr.
    """
    page.eval_on_selector_all(".jp-Notebook .jp-Cell", SCROLL)  # JupyterLab draws what is in view
    red = page.locator("[data-mime-type$='.stderr'], [data-mime-type$='.error']").all_inner_texts()
    broken = red if len(red) != raising else []
    failed = "mjx-merror, [mathcolor=red], .jupyter-widgets-error"
    broken += page.eval_on_selector_all(failed, "all => all.map(it => it.outerHTML)")
    prose = page.eval_on_selector_all(".jp-MarkdownOutput", PROSE)
    broken += [text for text in prose if re.search(r"\$|\\[A-Za-z]", text)]
    gone = "all => all.filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
    return broken + page.eval_on_selector_all(".jp-Notebook img", gone)


def along(slider, share: float | None = None) -> tuple[float, float]:
    """The point of a slider's track at this share of its length, by default where its handle is now."""
    share = slider.evaluate("it => it.value / it.max") if share is None else share
    track, half = slider.bounding_box(), 8  # half the width of a handle
    return track["x"] + half + share * (track["width"] - 2 * half), track["y"] + track["height"] / 2


class Scrubber:
    """A StepScrubber on the page, beside the film in the saved notebook that holds the same frames."""

    def __init__(self, page, cells: list[dict]):
        shown = [(cell, out["data"]) for cell in cells for out in cell["outputs"] if WIDGET in out.get("data", {})]
        shown = [(cell, data) for cell, data in shown if "".join(data["text/plain"]).startswith("StepScrubber")]
        assert shown, "no cell shows a live scrubber"
        cell, data = shown[0]
        self.page = page
        self.box = page.locator(".jp-OutputArea-output:has(input[type=range]):has(img)").first
        self.handle = self.box.get_by_role("slider", name="step")
        said = re.search(r"\((\d+) frames, from '(.*)' to '(.*)'\)", "".join(data["text/plain"]))
        count, self.first, self.last = said.groups()
        film = Image.open(io.BytesIO(base64.b64decode("".join(data["image/png"]))))
        assert film.n_frames == int(count)
        frames = []
        for k in range(film.n_frames):
            film.seek(k)
            frames.append(np.asarray(film.convert("RGB"), dtype=float))
        start = int(re.search(r"\bstart=(\d+)", "".join(cell["source"]))[1])  # a film begins with the frame `start`
        self.frames = frames[-start:] + frames[:-start]

    def shown(self) -> tuple[int, str, int]:
        """The number beside the slider, the label, and which of the frames the picture is (-1: none of them)."""
        number = int(self.box.locator("label + span").inner_text())
        label = self.box.locator(".widget-label").inner_text()
        png = base64.b64decode(self.box.locator("img").evaluate(SHOWN).split(",")[1])
        if not png:  # not loaded yet
            return number, label, -1
        pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=float)
        far = [np.abs(pixels - frame).mean() if pixels.shape == frame.shape else 255 for frame in self.frames]
        return number, label, int(np.argmin(far)) if min(far) < 8 else -1  # a film has 256 colours

    def settles(self, right, what: str) -> tuple[int, str, int]:
        """What is shown once the picture is the slider's and right(number, label) holds."""
        last = []

        def settled():
            last[:] = [self.shown()]
            number, label, frame = last[0]
            return frame == number and right(number, label) and last[0]

        return until(settled, SOON, lambda: f"{what}; (number, label, frame shown) = {last[0]}")

    def point(self, share: float) -> tuple[float, float]:
        """The point of the slider's track at this share of its length."""
        return along(self.handle, share)

    def drag_to(self, share: float) -> None:
        drag(self.page, along(self.handle), self.point(share))


@pytest.mark.parametrize("name", ["00_start_here", "02_destroying_data"])
def test_a_reader_runs_a_notebook_and_moves_its_slider(lab, visit, name, tmp_path):
    page = visit.page
    screenshots = Path(os.environ.get("MINIDIFF_SCREENSHOTS") or tmp_path)
    screenshots.mkdir(parents=True, exist_ok=True)

    def photograph(what):
        page.screenshot(path=screenshots / f"{name}-{what}.png")

    assert "/lab/tree/my-notebooks/00_start_here.ipynb?token=" in lab.address
    page.goto(lab.address if name.startswith("00") else f"{lab.address.replace('00_start_here', name)}&reset")
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    photograph("1-opened")
    assert page.locator(".Toastify__toast").count() == 0  # nor does it ask whether to show news
    assert page.eval_on_selector_all(".jp-Notebook .cm-scroller", WIDE) == []

    del visit.complaints[:]  # what JupyterLab says to itself while it starts
    cells = run_all_cells(page, lab.course / "my-notebooks" / f"{name}.ipynb")
    photograph("2-run")
    assert errors(cells) == []
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    broken = []

    def sightly():  # once formulas are set and pictures are loaded
        broken[:] = unsightly(page, sum(map(expected_to_raise, cells)))
        return not broken

    until(sightly, SOON, lambda: f"everything is shown as it should be: {broken}", pause=1)

    scrubber = Scrubber(page, cells)
    end = len(scrubber.frames) - 1
    scrubber.box.evaluate("it => it.scrollIntoView({block: 'center'})")  # so that photographs show it
    scrubber.handle.click()
    page.keyboard.press("Home")
    scrubber.settles(lambda number, label: (number, label) == (0, scrubber.first), "the Home key shows the first frame")
    page.keyboard.press("ArrowRight")
    ends = (scrubber.first, scrubber.last)
    scrubber.settles(lambda number, label: number == 1 and label not in ends, "the right arrow key shows the next")
    photograph("3-keys")
    scrubber.drag_to(0.5)
    scrubber.settles(lambda number, label: abs(number - end / 2) <= 1, "the mouse drags the slider to the middle")
    photograph("4-dragged")
    page.keyboard.press("End")
    scrubber.settles(lambda number, label: (number, label) == (end, scrubber.last), "the End key shows the last frame")
    page.mouse.click(*scrubber.point(0.2))
    scrubber.settles(lambda number, label: abs(number - end / 5) <= 1, "a click on the track moves the slider there")
    scrubber.box.locator("button").first.click()
    scrubber.settles(lambda number, label: (number, label) == (end, scrubber.last), "play goes on to the end")
    photograph("5-played")

    assert visit.complaints == []
    assert visit.outside == []
    for path in filter(Path.is_file, (lab.course / "notebooks").rglob("*")):
        original = ROOT / path.relative_to(lab.course)
        assert path.read_bytes() == original.read_bytes(), "an original was touched"


TOYS = """
import time
import torch
from minidiff.course.live import live
from minidiff.show.pad import Pad

def show(value):
    with open("toys.txt", "a") as file:
        print(len(value) if value.dim() == 2 else round(float(value.sum())), value.flatten().tolist(), file=file)

doodle, points = Pad(), Pad("points", most=3)
doodle.on_change(show)
points.on_change(show)
display(doodle, points)
///
def f(t, kind):
    time.sleep(0.3 if kind == "slow" else 0)
    assert t < 0.95, "too far"
    with open("lever.txt", "a") as file:
        print(round(t, 2), kind, file=file)
    return torch.full((1, 1, 28, 28), t)

live(f, t=(0.0, 1.0, 0.5), kind=["fast", "slow"])
///
from minidiff.show import plots, widgets

figure, ax = plots.panels(width=2, height=2, title="A line & its end")
plots.curve(ax, [0, 1], [0, 1])
plots.show(figure)
widgets.film([torch.full((1, 1, 28, 28), k / 4) for k in range(5)], ["dawn", "a", "b", "c", "noon"], start=2)
"""


@pytest.fixture
def toys(lab, visit):
    """A notebook with two pads and a lever that has run; toys("toys.txt") are the lines its kernel wrote there."""
    folder, page = lab.course / re.search("/lab/tree/(.*)/", lab.address)[1], visit.page
    cells = [
        {"cell_type": "code", "id": f"toy-{i}", "metadata": {}, "source": code.strip(), "outputs": [],
         "execution_count": None}
        for i, code in enumerate(TOYS.split("///"))
    ]  # fmt: skip
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    whole = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    (folder / "toys.ipynb").write_text(json.dumps(whole))
    page.goto(f"{re.sub('[0-9a-z_]+.ipynb', 'toys.ipynb', lab.address)}&reset")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    del visit.complaints[:]
    assert errors(run_all_cells(page, folder / "toys.ipynb")) == []

    def lines(name):
        path = folder / name
        return path.read_text().splitlines() if path.exists() else []

    return lines


def drag(page, place, *places):
    """Press the mouse at a place, draw it through others and let it go."""
    page.mouse.move(*place)
    page.mouse.down()
    for next_place in places:
        page.mouse.move(*next_place, steps=6)
    page.mouse.up()


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def kernel_has(lines, right, what):
    """The last drawing that the kernel was told of, once it is right: a list of numbers."""

    def last():
        told = [json.loads(line.partition(" ")[2]) for line in lines("toys.txt")[-1:] if line.endswith("]")]
        return told and right(told[0]) and told

    return until(last, SOON, lambda: f"{what}; the kernel has {lines('toys.txt')[-1:]}")[0]


def test_a_reader_draws_a_doodle_by_mouse_finger_and_keys(toys, visit):
    page = visit.page
    doodle = page.get_by_role("application", name="doodle to draw")
    doodle.scroll_into_view_if_needed()
    frame = doodle.bounding_box()
    at = lambda column, row: (frame["x"] + 10 * column + 5, frame["y"] + 10 * row + 5)
    outline = lambda: doodle.evaluate("it => getComputedStyle(it).outlineWidth")
    assert outline() == "1px"

    drag(page, at(5, 5), at(20, 20))
    seen = kernel_has(toys, lambda got: min(got[29 * k] for k in range(5, 21)) > 0.9, "the mouse draws a diagonal")
    assert not any(seen[28 * i + j] for i in range(28) for j in range(28) if abs(i - j) > 3)
    assert outline() == "3px"  # where the keys go
    press(page, "Tab", "Enter")
    kernel_has(toys, lambda got: not any(got), "Tab and Enter clear it")
    press(page, "Shift+Tab", "ArrowRight", "ArrowRight", "ArrowUp", " ")
    kernel_has(toys, lambda got: got[28 * 19 + 22] > 0.9 and not got[28 * 19 + 26], "space draws at the cursor")
    page.get_by_text("row 20, column 23: 100 % white").wait_for()
    press(page, "Shift+ArrowLeft", "Shift+ArrowLeft", "Shift+ArrowLeft", "Shift+ArrowLeft")
    kernel_has(toys, lambda got: min(got[28 * 19 + k] for k in range(18, 23)) > 0.9, "shift and an arrow draw a line")
    press(page, "Backspace")
    kernel_has(toys, lambda got: got[28 * 19 + 18] == 0 < got[28 * 19 + 22], "backspace erases")
    touch = page.context.new_cdp_session(page)
    for kind, places in (("touchStart", [at(3, 3)]), ("touchMove", [at(12, 3)]), ("touchEnd", [])):
        points = [{"x": x, "y": y} for x, y in places]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    kernel_has(toys, lambda got: min(got[28 * 3 + k] for k in range(3, 13)) > 0.9, "a finger draws")
    doodle.focus()
    press(page, "b", " ")  # JupyterLab would insert a cell
    kernel_has(toys, lambda got: got[28 * 3 + 12] > 0.9, "other keys do nothing")
    assert page.locator(".jp-CodeCell").count() == 3  # none of the keys was taken for JupyterLab's own
    assert visit.complaints == visit.outside == []


def test_a_reader_sets_points_by_mouse_and_by_keys(toys, visit):
    page = visit.page
    points = page.get_by_role("application", name="points in the plane to draw")
    points.scroll_into_view_if_needed()
    frame = points.bounding_box()
    at = lambda x, y: (frame["x"] + 140 * (1 + x / 3), frame["y"] + 140 * (1 - y / 3))
    are = lambda *wanted: lambda got: len(got) == len(wanted) and np.abs(np.subtract(got, wanted)).max(initial=0) < 0.05

    page.mouse.click(*at(0, 0))
    kernel_has(toys, are(0, 0), "a click sets a point")
    drag(page, at(0, 0), at(1, 0), at(1.5, -0.9))
    kernel_has(toys, are(1.5, -0.9), "the mouse drags it")
    press(page, *["ArrowUp"] * 6, *["ArrowLeft"] * 10, " ")
    kernel_has(toys, are(1.5, -0.9, 0, 0), "space sets a point at the cursor")
    page.get_by_text("2 points").wait_for()
    page.mouse.click(*at(-2, 2))
    page.mouse.click(*at(-2, -2))
    kernel_has(toys, are(0, 0, -2, 2, -2, -2), "the fourth point of three takes the place of the first")
    page.keyboard.down("Shift")
    page.mouse.click(*at(-2, 2))
    page.keyboard.up("Shift")
    kernel_has(toys, are(0, 0, -2, -2), "shift and a click remove a point")
    press(page, "ArrowDown", "ArrowDown", *["ArrowRight"] * 3)
    press(page, *["ArrowDown"] * 25, "Backspace")
    kernel_has(toys, are(0, 0), "backspace removes the nearest")
    assert visit.complaints == visit.outside == []


WATCH = """image => {
    const now = () => performance.now(), times = window.times = {moved: [], answered: [], said: []};
    const box = image.closest(".widget-vbox"), said = box.querySelector(".widget-html-content");
    box.addEventListener("keydown", () => times.moved.push(now()), true);
    image.addEventListener("load", () => times.answered.push(now()));
    new MutationObserver(() => times.said.push(said.textContent)).observe(said, {childList: true, subtree: true});
}"""  # when a key went down, when a picture was there, and what was said


def test_a_reader_moves_a_lever_by_mouse_and_by_keys(toys, visit, tmp_path):
    page = visit.page
    box = page.locator(".widget-vbox:has(input[type=range])").first
    handle, image = box.get_by_role("slider", name="t"), box.get_by_role("img")
    image.scroll_into_view_if_needed()
    image.evaluate(WATCH)
    last = lambda: (toys("lever.txt") or [""])[-1]
    answers = lambda what, wanted: until(lambda: last() == wanted, SOON, lambda: f"{what}: {wanted}, not {last()}")
    assert image.get_attribute("title") == "Picture at t = 0.5, kind = 'fast'"
    assert image.bounding_box()["width"] == image.evaluate("it => it.naturalWidth") == 112

    handle.focus()
    for k in range(1, 6):
        press(page, "ArrowRight")
        answers("a key moves the lever", f"{0.5 + k / 100:g} fast")
        until(lambda count=k: page.evaluate("times.answered.length") >= count, SOON, "the picture follows")
    times = page.evaluate("times")
    waits = [b - a for a, b in zip(times["moved"], times["answered"], strict=False)]
    print(f"the lever answers within {max(waits):.0f} ms, at best {min(waits):.0f} ms")
    assert times["said"][:2] == ["working ...", ""]
    shade = np.asarray(Image.open(io.BytesIO(base64.b64decode(image.evaluate(SHOWN).split(",")[1]))).convert("L"))
    assert abs(shade.mean() / 255 - 0.55) < 0.01

    box.get_by_role("combobox", name="kind").select_option("slow")
    answers("a choice moves it too", "0.55 slow")
    before = len(toys("lever.txt"))
    page.mouse.move(*along(handle))
    page.mouse.down()
    page.mouse.move(*along(handle, 0.2), steps=30)
    page.get_by_text("working ...").wait_for()
    page.mouse.up()
    passed, stands = len(toys("lever.txt")), handle.get_attribute("aria-valuetext")
    answers("the mouse drags it", f"{float(stands):g} slow")
    assert 1 <= len(toys("lever.txt")) - before < 30  # places on its way, however slow the mouse is here
    assert len(toys("lever.txt")) - passed <= 3  # one being computed, one on its way, and the last

    handle.focus()
    press(page, "End")
    page.get_by_text("AssertionError: too far").wait_for()
    press(page, "Home")
    answers("after an error it lives on", "0.0 slow")
    until(lambda: image.get_attribute("title") == "Picture at t = 0.0, kind = 'slow'", SOON, "it names the picture")
    page.screenshot(path=Path(os.environ.get("MINIDIFF_SCREENSHOTS") or tmp_path) / "lever.png")
    assert visit.complaints == visit.outside == []


def named(page) -> list[tuple[str, str, str]]:
    """The role, the name and the value, as a screen reader is told them, of all that can be used or seen in outputs."""
    browser = page.context.new_cdp_session(page)
    found = []
    for node in browser.send("Accessibility.getFullAXTree")["nodes"]:
        place = {"backendNodeId": node["backendDOMNodeId"]} if "backendDOMNodeId" in node else None
        if node["ignored"] or not place or node["role"]["value"] in PLAIN:
            continue
        it = browser.send("DOM.resolveNode", place)["object"]["objectId"]
        asked = "function() { return Boolean(this.closest?.('.jp-OutputArea-output')) }"
        within = browser.send("Runtime.callFunctionOn", {"functionDeclaration": asked, "objectId": it})
        if within["result"]["value"]:
            spoken = [node.get(key, {}).get("value", "") for key in ("role", "name", "value")]
            # the tree may hold an element as it was when it was made, before its text was set: look at the element, too
            own = {"functionDeclaration": "function() { return this.getAttribute?.('aria-valuetext') }", "objectId": it}
            texts = [part["value"]["value"] for part in node["properties"] if part["name"] == "valuetext"]
            texts = texts or list(filter(None, [browser.send("Runtime.callFunctionOn", own)["result"].get("value")]))
            found.append((*spoken[:2], *(texts or spoken[2:])))
    browser.detach()
    return found


def test_all_that_is_shown_or_moves_has_a_name(toys, visit):
    wanted = [
        ("application", "doodle to draw", ""), ("button", "Clear", ""), ("application", "points in the plane to draw", ""),
        ("button", "Clear", ""), ("slider", "t", "0.5"), ("combobox", "kind", "fast"),
        ("image", "Picture at t = 0.5, kind = 'fast'", ""), ("image", "Figure: A line & its end", ""),
        ("button", "Play", ""), ("slider", "step", "b"), ("image", "Film of 5 frames, from dawn to noon", ""),
    ]  # fmt: skip
    whole = lambda: sorted(named(visit.page)) == sorted(wanted)
    until(whole, SOON, lambda: f"everything has its name, not {named(visit.page)}", pause=1)
    slider = visit.page.get_by_role("slider", name="step")
    slider.focus()
    press(visit.page, "End")
    until(lambda: ("slider", "step", "noon") in named(visit.page), SOON, "what it says follows where it stands")
    assert visit.complaints == visit.outside == []


def test_ci_installs_what_this_test_needs():
    """Else CI would be red, as it should be, but here it is seen without CI."""
    commands = (ROOT / ".ci" / "run").read_text()
    (wanted,) = re.findall(r'^browser = \["(playwright.*?)"\]', (ROOT / "pyproject.toml").read_text(), re.M)
    assert f'pip install "{wanted}"' in commands and "export CI=true" in commands
    assert commands.index("chromium") < commands.index("pytest") > commands.index("playwright")


@pytest.mark.parametrize("ci, outcome", [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_without_a_browser_this_is_skipped_but_fails_in_ci(ci, outcome, monkeypatch):
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(outcome, match="playwright is not installed|no Chromium was found"):
        need_a_browser()
