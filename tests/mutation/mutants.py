"""Planted bugs: change one symbol of the package, and see whether a test or a notebook goes red.

    python -m tests.mutation.mutants --lines 180 --seed 0                      # a sample of the whole package
    python -m tests.mutation.mutants --module samplers engine --lines 0        # a module and a room, in full
    python -m tests.mutation.mutants --module data --quick --no-notebooks      # by the quick tests alone

`rules.py` makes the mutants, a seed chooses the lines, and every mutant of a chosen line is replayed in a copy
of the repository: first the tests that ran this line of the original, the quickest first; then the other quick tests of
its own module, the others that reach it, and all their slow ones; what survives them meets the notebooks. Mutants known
to be equivalent meet the tests of their line only. The table counts who caught what. A mutant that keeps every promise of the
docstrings is named, with the reason, in equivalent.txt. The exit status is 1 if less than 95 % of the others are
caught, or if that file is out of date. The working tree is never touched. After torch has been imported once, a
process is forked for each mutant, so this runs on Linux and macOS.

Why not mutmut or cosmic-ray (3.8.1 and 8.7.0 were looked at): neither draws a seeded sample; mutmut's list of rules is
closed, so that nothing exchanges alpha with sigma, and it leaves decorated functions alone; cosmic-ray mutates files in
place and imports torch again for every mutant, which takes longer than most tests that catch one.
"""

import argparse
import ast
import compileall
import contextlib
import gc
import multiprocessing
import multiprocessing.connection
import os
import py_compile
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.mutation.rules import Code, edits

ROOT = Path(__file__).parents[2]
TESTS = {  # which test files can tell, the quickest first
    "schedules": ("maths/schedules", "maths/predictions", "maths/exact", "maths/guidance", "maths/samplers", "engine/training"),
    "predictions": (
        "maths/predictions", "maths/exact", "maths/guidance", "maths/samplers", "engine/checkpoints", "engine/training",
    ),
    "refusals": ("maths/schedules", "networks/networks"),
    "conditions": ("maths/conditions", "engine/training"),
    "exact": ("maths/exact", "maths/predictions", "maths/guidance", "maths/samplers", "engine/training"),
    "losses": ("engine/training",),
    "guidance": ("maths/guidance", "maths/inverse"),
    "inverse": ("maths/inverse",),
    "samplers": ("maths/samplers", "maths/solvers", "maths/likelihood"),
    "solvers": ("maths/solvers",),
    "likelihood": ("maths/likelihood",),
    "estimates": ("evaluation/metrics", "peers/metrics_peers"),
    "notation": ("maths/notation",),
    "networks.layers": ("networks/networks", "networks/attention", "networks/transformers"),
    "networks.mlp": ("networks/networks",),
    "networks.unet": ("networks/networks", "networks/words"),
    "networks.dit": ("networks/transformers", "networks/networks", "networks/words"),
    "networks.text": ("networks/words", "networks/attention", "house/nonsense"),
    "networks.convnet": ("networks/networks",),
    "networks.registry": ("networks/networks", "networks/words", "engine/own", "engine/checkpoints"),
    "networks.autoencoder": ("networks/autoencoder", "house/nonsense"),
    "data.dataset": ("data/data", "house/nonsense"),
    "data.points": ("data/data", "house/nonsense"),
    "data.drawing": ("data/data", "house/nonsense"),
    "data.images": ("data/data", "data/picture_files", "house/nonsense"),
    "data.scenes": ("data/scenes", "evaluation/scene_parser", "house/nonsense"),
    "data.folder": ("data/folder", "house/nonsense"),
    "data.files": ("data/files", "data/data", "engine/checkpoints"),
    "engine.augmentations": ("engine/augmentations", "engine/training"),
    "engine.measurements": ("engine/measurements", "maths/inverse"),
    "engine.ranks": ("engine/ranks", "engine/training"),
    "engine.feed": ("engine/training", "engine/ranks"),
    "engine.state": ("engine/training", "engine/checkpoints", "engine/ranks"),
    "engine.train": ("engine/training", "engine/checkpoints", "engine/ranks"),
    "engine.cards": ("engine/cards", "engine/own", "engine/checkpoints", "show/samples"),
    "engine.checkpoints": ("engine/checkpoints", "engine/own", "engine/cards", "house/nonsense", "engine/training", "engine/ranks"),
    "engine.runtime": ("engine/runtime", "engine/provenance", "house/nonsense"),
    "engine.presets": ("engine/presets",),
    "engine.reading": ("engine/reading",),
    "engine.runs": ("engine/runs", "house/own_data", "house/nonsense"),
    "engine.generate": ("engine/generate", "engine/generate_streams", "house/nonsense"),
    "engine.commands": ("engine/commands", "house/cli", "engine/survival", "engine/ranks", "house/own_data"),
    "evaluation.metrics": ("evaluation/metrics", "peers/metrics_peers"),
    "evaluation.judge": ("evaluation/judge",),
    "evaluation.inception": ("evaluation/judge",),
    "evaluation.scene_parser": ("evaluation/scene_parser", "house/nonsense"),
    "evaluation.score": ("evaluation/score", "house/nonsense"),
    "evaluation.commands": ("evaluation/score", "engine/commands", "house/cli"),
    "show.pixels": ("show/plots", "show/widgets", "house/nonsense"),
    "show.plots": ("show/plots", "house/nonsense"),
    "show.samples": ("show/samples",),
    "show.commands": ("show/samples", "show/edit", "engine/commands", "house/cli", "house/outputs", "engine/cards"),
    "show.widgets": ("show/widgets", "house/nonsense"),
    "show.pad": ("show/toys", "house/nonsense"),
    "show.slider": ("show/toys", "show/widgets"),
    "course.checks": ("course/checks", "house/nonsense"),
    "course.exercises": ("course/exercises", "house/nonsense"),
    "course.tasks.gaussians": ("course/turns",),
    "course.tasks.two_clouds": ("course/turns",),
    "course.tasks.destroying_data": ("course/turns",),
    "course.tasks.noise_schedules": ("course/turns",),
    "course.tasks.start_here": ("course/turns",),
    "course.tasks.ddpm": ("course/turns",),
    "course.tasks.bound_and_variance": ("course/turns",),
    "course.tasks.ideal_denoiser": ("course/turns", "course/exercises"),
    "course.tasks.ddim": ("course/turns",),
    "course.tasks.flow_matching": ("course/turns",),
    "course.tasks.words": ("course/turns",),
    "course.tasks.sdes_and_odes": ("course/turns",),
    "course.tasks.design_space": ("course/turns",),
    "course.tasks.likelihood": ("course/turns",),
    "course.tasks.training_a_denoiser": ("course/turns", "course/exercises"),
    "course.tasks.guidance": ("course/turns",),
    "course.tasks.judging_samples": ("course/turns",),
    "course.inside": ("course/inside",),
    "course.tasks.unet_and_first_images": ("course/turns",),
    "course.tasks.four_families": ("course/turns", "benchmarks/families"),
    "course.tasks.editing": ("course/turns", "course/editing"),
    "course.tasks.latent_diffusion": ("course/turns", "benchmarks/latents"),
    "course.tasks.text_to_image": ("course/turns",),
    "course.tasks.adapters": ("course/turns",),
    "course.tasks.finding_and_filling": ("course/turns", "course/finding", "peers/finding_peers", "benchmarks/augmented"),
    "course.tasks.cuda_image_generation": ("course/turns",),
    "course.tasks.what_the_data_do": ("course/turns",),
    "course.tasks.transformers": ("course/turns", "benchmarks/transformers"),
    "course.ladder": ("course/diagnose",),
    "course.grading.wire": ("course/grader", "course/assignments"),
    "course.grading.sandbox": ("course/grader",),
    "course.grading.worker": ("course/grader",),
    "course.grading.release": ("course/grader", "course/assignments"),
    "course.grading.grade": ("course/grader", "course/assignments"),
    "course.grading.report": ("course/grader",),
    "course.notebooks": ("house/hygiene", "course/notebooks"),
    "course.live": ("show/toys", "house/nonsense"),
    "course.multiple_choice": ("course/quiz", "house/nonsense"),
    "course.questions": ("course/questions", "house/nonsense"),
    "course.lab": ("house/cli", "house/surroundings", "course/copies"),
    "course.copies": ("course/copies",),
    "course.doctor": ("course/doctor",),
    "course.commands": ("house/surroundings", "house/cli"),
    "__main__": ("house/surroundings", "house/cli"),
}  # fmt: skip
COPIED = (".ci", ".gitignore", "minidiff", "tests", "notebooks", "data", "pyproject.toml", "README.md")
WANTED = 0.95
WALL, MEMORY = 3600, 12 * 2**30  # seconds and bytes; a mutant's times are limited by what the original took
PYTEST = ["-x", "-q", "-p", "no:cacheprovider"]
UNIT = [*PYTEST, "--disable-plugin-autoload", "--assert=plain", "-o", "addopts="]

Watched = dict[str, tuple[float, dict[str, set[int]]]]  # a test: its seconds, and the lines of each file that it ran
Key = tuple[str, str, str]  # module.function, the line before, the line after
Stages = list[list[str]]  # arguments of pytest, to be tried one after the other
Trial = tuple["Mutant | None", Stages, list[str]]  # None: the original; with the tests that come before all others


@dataclass(frozen=True)
class Mutant:
    """One change of one module. Its key holds no line number, so that equivalent.txt outlives other edits."""

    module: str
    line: int
    rule: str
    key: Key
    text: str = field(repr=False)  # of the whole module

    def __str__(self) -> str:
        place, before, after = self.key
        return f"{place}, line {self.line}: {self.rule.replace('_', ' ')}\n    - {before}\n    + {after}"


def mutants_of(module: str, text: str) -> list[Mutant]:
    """Every mutant of a module's text, in the order of its lines; no two are the same."""
    code, found = Code(text), {}
    for place, rule, (first, last, new) in edits(code):
        line = sum(start <= first for start in code.starts)
        begin = code.starts[line - 1]
        end = min((start for start in code.starts if start >= last and start > first), default=len(code.bytes))
        mutated = b"".join([code.bytes[:first], new.encode(), code.bytes[last:]])
        if mutated == code.bytes:  # two equal halves were exchanged
            continue
        ast.parse(mutated)
        before, after = code.bytes[begin:end], mutated[begin : end + len(mutated) - len(code.bytes)]
        key = (module + place, *(" ".join(part.decode().split()) for part in (before, after)))
        found.setdefault(mutated, Mutant(module, line, rule, key, mutated.decode()))
    return sorted(found.values(), key=lambda mutant: mutant.line)


def chosen(mutants: list[Mutant], lines: int, seed: int) -> list[Mutant]:
    """Every mutant of some lines, which the seed draws from all lines that have any; 0 lines: all."""
    every = sorted({(mutant.module, mutant.line) for mutant in mutants})
    drawn = set(random.Random(seed).sample(every, min(lines or len(every), len(every))))
    return [mutant for mutant in mutants if (mutant.module, mutant.line) in drawn]


def equivalents(path: Path) -> dict[Key, str]:
    """The reason for every mutant known to be equivalent; the file says how it is written."""
    found, said = {}, {"why": "", "in": "", "-": "", "+": ""}
    for line in path.read_text().splitlines() if path.exists() else []:
        kind, _, rest = line.strip().partition(" ")
        if kind in said:
            said[kind] = rest
        if kind == "+":
            found[said["in"], said["-"], said["+"]] = said["why"]
    return found


def source(root: Path, module: str) -> Path:
    """The file of a module by its dotted name within the package."""
    return root.joinpath("minidiff", *module.split(".")).with_suffix(".py")


class FirstFailure:
    """A pytest plugin that remembers what failed first."""

    name = ""

    def pytest_runtest_logreport(self, report) -> None:
        if report.failed and not self.name:
            self.name = report.nodeid

    pytest_collectreport = pytest_runtest_logreport


class Watch:
    """A pytest plugin that notes which lines of the package each test runs, and for how long."""

    def __init__(self, package: Path):
        self.package, self.tests, self.lines = f"{package}{os.sep}", {}, {}

    def _enter(self, frame, event, _):
        file = frame.f_code.co_filename
        if not file.startswith(self.package):
            return None
        lines = self.lines.setdefault(file, set())

        def step(frame, event, _):
            lines.add(frame.f_lineno)
            return step

        return step(frame, event, None)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self.lines, begun = {}, time.monotonic()
        sys.settrace(self._enter)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            self.tests[item.nodeid] = (time.monotonic() - begun, self.lines)


@dataclass
class Order:
    """A pytest plugin: only the first ones, in their order; or only the others."""

    first: list[str]
    others: bool = False

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items):
        place = {name: number for number, name in enumerate(self.first)}
        chosen = [item for item in items if (item.nodeid in place) != self.others]
        items[:] = chosen if self.others else sorted(chosen, key=lambda item: place[item.nodeid])


def replay(folder: Path, stages: Stages, first: list[str], watched: bool, cpu: float, answer) -> None:
    """In a process of its own: run pytest in a copy and answer (exit status, first failure, what was watched).

    The first tests come before the stages, which then have the others; what fails ends all.
    """
    os.setsid()  # a group of its own, to be ended with all that it starts
    gc.freeze()  # pytest collects garbage several times; torch is none
    os.chdir(folder)
    resource.setrlimit(resource.RLIMIT_CPU, (int(cpu), int(cpu) + 5))
    with contextlib.suppress(ValueError, OSError):  # macOS knows the limit but will not set it
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    sys.path.insert(0, str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]  # the copy has tests of its own
    beside = folder.with_name(f"{folder.name}-temporary")  # in the copy, a test would find itself in a clone
    beside.mkdir(exist_ok=True)
    os.environ |= {"PYTHONPATH": str(folder), "TMPDIR": str(beside), "OMP_NUM_THREADS": "1"}
    tempfile.tempdir = str(beside)
    log = os.open(folder / "replay.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1), os.dup2(log, 2)
    failure, status, watch = FirstFailure(), 0, Watch(folder / "minidiff")
    files = [str(folder / name) for name in dict.fromkeys(name.partition("::")[0] for name in first)]
    runs = [([*UNIT, *files], Order(first))] * bool(first) + [(stage, Order(first, others=True)) for stage in stages]
    for arguments, order in runs:
        plugins = [failure, order, *[watch] * watched]
        ended = int(pytest.main([*arguments, "--rootdir", str(folder)], plugins=plugins))
        status = status or ended * (ended != pytest.ExitCode.NO_TESTS_COLLECTED)  # a file may have no slow ones
        if failure.name:
            break
    package = sys.modules.get("minidiff")
    ours = package is None or Path(package.__file__).is_relative_to(folder)
    answer.send((status if ours else -1, failure.name, watch.tests))


class Replay:
    """A mutant (or None, the original) on trial in a copy of the repository."""

    def __init__(self, trial: Trial, folder: Path, cpu: float):
        mutant, stages, first = trial
        self.mutant, self.folder, self.begun, self.watched = mutant, folder, time.monotonic(), {}
        if mutant:
            self.path = source(folder, mutant.module)
            self.original = self.path.read_text()
            self.path.write_text(mutant.text)
        self.answer, sender = multiprocessing.Pipe(duplex=False)
        start = multiprocessing.get_context("fork").Process
        self.process = start(target=replay, args=(folder, stages, first, mutant is None, cpu, sender))
        self.process.start()
        sender.close()  # so that the death of the process ends the pipe

    def end(self) -> str:
        """Who caught the mutant, or "" for nobody; the copy is the original again."""
        try:
            status, name, self.watched = self.answer.recv()
        except EOFError:
            status, name = 1, "the time limit, or a crash"
        self.stop()
        if self.mutant:
            self.path.write_text(self.original)
        if status not in (0, 1, 2):  # 2: a test file could not even be imported
            said = (self.folder / "replay.log").read_text()[-3000:]
            raise RuntimeError(f"pytest ended with status {status}:\n{said}")
        return (name or "an import") if status else ""

    def stop(self) -> None:
        """End the process and all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.join()


def replayed(trials: list[Trial], cpu: float, wall: float, copies: list[Path]) -> Iterator[tuple[Replay, str]]:
    """(replay, who caught its mutant) for each, as they end; as many at a time as there are copies.

    cpu, wall: seconds that one may take; what waits for ever, as for a pipe, uses no CPU.
    """
    waiting, free, running = trials[::-1], list(copies), {}
    try:
        while waiting or running:
            while waiting and free:
                one = Replay(waiting.pop(), free.pop(), cpu)
                running[one.answer] = one
            ended = multiprocessing.connection.wait(list(running), timeout=30)
            for answer in ended or [*running]:
                if ended or time.monotonic() - running[answer].begun > wall:
                    one = running.pop(answer)
                    if not ended:
                        one.stop()
                    verdict = one.end()
                    free.append(one.folder)
                    yield one, verdict
    finally:
        for one in running.values():
            one.stop()


def unit_stages(module: str, root: Path, quick: bool) -> Stages:
    """The quick tests of the module's own file, then of the others that reach it, then the slow ones of all."""
    paths = [Path("tests", room, f"test_{name}.py") for room, name in (test.split("/") for test in TESTS[module])]
    own, *others = (str(path) for path in paths if (root / path).exists())
    stages = [["-m", "not slow", own], ["-m", "not slow", *others]] + [["-m", "slow", own, *others]] * (not quick)
    return [[*UNIT, *stage] for stage in stages if len(stage) > 2]


def merged(stages: Stages) -> Stages:
    """The tests of all the stages, each file once: what several modules ask of the original need not be run for each."""
    files: dict[tuple[str, ...], dict[str, None]] = {}
    for stage in stages:
        named = dict.fromkeys(word for word in stage if word.endswith((".py", ".ipynb")))
        files.setdefault(tuple(word for word in stage if word not in named), {}).update(named)
    return [[*words, *named] for words, named in files.items()]


def covering(mutant: Mutant, watched: Watched) -> list[str]:
    """The tests that ran the mutant's line of the original, the quickest first; where none did, those of its function."""
    spans = [range(mutant.line, mutant.line + 1), range(1, 10**6)]
    for node in ast.walk(ast.parse(mutant.text)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.lineno <= mutant.line <= (node.end_lineno or 0):
            spans.insert(1, range(node.lineno, (node.end_lineno or 0) + 1))  # the innermost comes last
    ending = os.sep + str(source(Path(), mutant.module))
    ran = {
        name: (seconds, set().union(*(mine for file, mine in lines.items() if file.endswith(ending))))
        for name, (seconds, lines) in watched.items()
    }
    for span in spans:
        if found := sorted(
            (seconds, name) for name, (seconds, lines) in ran.items() if any(line in span for line in lines)
        ):
            return [name for _, name in found]
    return []


def asked(trials: list[Trial], known: dict[Key, str], copies: list[Path], verdicts: dict[Mutant, str]) -> None:
    """Replay the trials once the original has passed them, and note the verdicts. RuntimeError if it does not pass."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    stages = merged([stage for _, stages, _ in trials for stage in stages])
    ((original, verdict),) = replayed([(None, stages, [])], WALL, WALL, copies[:1])
    if verdict:
        raise RuntimeError(f"the original itself is caught by {verdict}: mend that first")
    quickest = [name for _, name in sorted((seconds, name) for name, (seconds, _) in original.watched.items())]
    for _, verdict in replayed([(None, [], quickest)] * bool(quickest), WALL, WALL, copies[:1]):
        if verdict:  # and so it would catch any mutant
            said = (copies[0] / "replay.log").read_text()[-3000:]
            raise RuntimeError(f"{verdict} fails when the quickest tests come first: mend that first\n{said}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = 30 + 3 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    wall = 60 + 5 * len(copies) * (time.monotonic() - begun)
    ordered: list[Trial] = []
    for mutant, stages, _ in trials:
        first = covering(mutant, original.watched)
        ordered.append((mutant, [] if first and mutant.key in known else stages, first))
    for number, (one, verdict) in enumerate(replayed(ordered, cpu, wall, copies), start=1):
        verdicts[mutant := one.mutant] = verdict
        said = f"caught by {verdict}" if verdict else f"alive: {mutant.key[2]}"
        print(f"{number}/{len(trials)}  {mutant.key[0]}:{mutant.line}  {said}", flush=True)


def table(verdicts: dict[Mutant, str], known: dict[Key, str]) -> tuple[str, float]:
    """The table, in Markdown, and the share caught of the mutants that are not known to be equivalent."""
    rows = [("module", "lines", "mutants", "caught by tests", "by notebooks", "equivalent", "survived")]
    for module in [*dict.fromkeys(mutant.module for mutant in verdicts), "all"]:
        mine = {mutant: verdict for mutant, verdict in verdicts.items() if module in (mutant.module, "all")}
        books = sum(verdict.startswith("notebooks/") for verdict in mine.values())
        same = sum(not verdict and mutant.key in known for mutant, verdict in mine.items())
        alive = sum(not verdict for verdict in mine.values()) - same
        lines = len({(mutant.module, mutant.line) for mutant in mine})
        rows.append((module, lines, len(mine), len(mine) - books - same - alive, books, same, alive))
    widths = [max(len(str(row[k])) for row in rows) for k in range(len(rows[0]))]
    drawn = [
        "| " + " | ".join(str(cell).rjust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    drawn.insert(1, "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|")
    different = len(verdicts) - same
    return "\n".join(drawn), 1 - alive / different if different else 1.0


def report(verdicts: dict[Mutant, str], known: dict[Key, str], every: list[Mutant]) -> int:
    """Print the table and name the survivors; 1 if too few were caught, or equivalent.txt is out of date."""
    drawn, share = table(verdicts, known)
    print(f"\n{drawn}\n\n{share:.1%} of the mutants that differ were caught.")
    for mutant, verdict in verdicts.items():
        if not verdict and mutant.key in known:
            print(f"\nequivalent: {mutant}\n    {known[mutant.key]}")
        elif not verdict:
            print(f"\nSURVIVED: {mutant}")
    stale = [f"{key} is no mutant any more" for key in known if key not in {mutant.key for mutant in every}]
    stale += [f"{one.key} is caught by {verdict}" for one, verdict in verdicts.items() if verdict and one.key in known]
    print("\n".join(["", *(f"equivalent.txt is out of date: {line}" for line in stale)]))
    return int(share < WANTED or bool(stale))


def copied(root: Path, copy: Path) -> Path:
    """What tests and notebooks need, in another folder, compiled so that only a change of content counts as one."""
    copy.mkdir()
    for name in COPIED:
        if (root / name).is_dir():
            shutil.copytree(root / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        elif (root / name).exists():
            shutil.copy(root / name, copy)
    for name in ("minidiff", "tests"):
        compileall.compile_dir(copy / name, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
    return copy


def hunt(
    some: list[Mutant], known: dict, quick: bool, notebooks: bool, root: Path, copies: list[Path], verdicts: dict
) -> None:
    """Fill verdicts: who caught each mutant, "" for nobody. Those known to be equivalent are spared the notebooks."""
    asked([(mutant, unit_stages(mutant.module, root, quick), []) for mutant in some], known, copies, verdicts)
    unknown = [mutant for mutant in some if not verdicts[mutant] and mutant.key not in known]
    books = sorted(str(path.relative_to(root)) for path in (root / "notebooks").glob("*.ipynb"))
    if notebooks and books and unknown:
        asked([(mutant, [[*PYTEST, *books]], []) for mutant in unknown], known, copies, verdicts)


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="which lines are drawn (default 0)")
    parser.add_argument("--lines", type=int, default=180, help="how many lines are drawn; 0 means all (default 180)")
    parser.add_argument("--module", nargs="+", default=[""], help="mutate these modules, or rooms, only")
    parser.add_argument("--jobs", type=int, default=1, help="mutants at a time (default 1)")
    parser.add_argument("--quick", action="store_true", help="leave out the tests marked slow")
    parser.add_argument("--no-notebooks", action="store_true", help="ask the tests only")
    options, begun = parser.parse_args(arguments), time.monotonic()
    paths = {name: source(root, name) for name in TESTS}
    every = [one for name, path in paths.items() if path.exists() for one in mutants_of(name, path.read_text())]
    wanted = tuple(f"{name}." if name else "" for name in options.module)  # data. is a room, data.files. a module
    some = chosen([one for one in every if f"{one.module}.".startswith(wanted)], options.lines, options.seed)
    known, verdicts = equivalents(root / "tests" / "mutation" / "equivalent.txt"), {}
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        try:
            copies = [copied(root, Path(folder).resolve() / str(k)) for k in range(options.jobs)]
            hunt(some, known, options.quick, not options.no_notebooks, root, copies, verdicts)
        except KeyboardInterrupt:
            print("\nstopped: what follows counts the mutants so far")
        except RuntimeError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
    status = report(verdicts, known, every)
    print(f"seed {options.seed}, {len(verdicts)} of {len(some)} mutants, {time.monotonic() - begun:.0f} s")
    return status if len(verdicts) == len(some) else 130


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    import matplotlib.pyplot  # noqa: F401, what every process would import for itself: more than half of its time
    import safetensors.torch  # noqa: F401
    import torch._dynamo

    torch.testing.assert_close(torch.ones(1), torch.ones(1))
    sys.exit(main())
