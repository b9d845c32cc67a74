"""The mutation run: its rules one by one, its sample, and its verdicts on a toy package."""

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytest.importorskip("resource")  # the limits of a mutant need it; Windows has none

from tests.mutation.mutants import TESTS, chosen, covering, equivalents, merged, mutants_of, source  # noqa: E402
from tests.mutation.rules import RULES  # noqa: E402

EXAMPLES = [
    ("drop_a_function", "y = math.sqrt(x) + z.exp()", ["y = (x) + z.exp()", "y = math.sqrt(x) + z"]),
    ("drop_a_function", "y = (a + b).sqrt()", ["y = (a + b)"]),
    ("flip_a_sign", "y = -x or not (z)", ["y = x or not (z)", "y = -x or (z)"]),
    ("exchange_an_operator", "y = a + b * c", ["y = a - b * c", "y = a + b / c"]),
    ("exchange_an_operator", "y = (a) // (b % c)", ["y = (a) % (b % c)", "y = (a) // (b // c)"]),
    ("exchange_a_name", "def f(alpha_t, sigma_t, alpha_s): return alpha_t", [
        "def f(alpha_t, sigma_t, alpha_s): return sigma_t", "def f(alpha_t, sigma_t, alpha_s): return alpha_s"]),
    ("exchange_a_name", "def f(t, s): return max(t, 1)", [
        "def f(t, s): return min(t, 1)", "def f(t, s): return max(s, 1)"]),
    ("exchange_a_name", "y = x.cos() + z.sin()", ["y = x.sin() + z.sin()", "y = x.cos() + z.cos()"]),
    ("exchange_neighbours", "x, y = f(t, s)", ["y, x = f(t, s)", "x, y = f(s, t)"]),
    ("exchange_neighbours", "y = x in (1, 2) or (x, x)", []),
    ("off_by_one", "y = x[1] ** 2", ["y = x[2] ** 2", "y = x[0] ** 2", "y = x[1] ** 3"]),
    ("a_tenth_more", "y = 0.5 * 0.0", ["y = 0.55 * 0.0", "y = 0.5 * 0.1"]),
    ("exchange_a_comparison", "y = 0 < x <= 1", ["y = 0 <= x <= 1", "y = 0 < x < 1"]),
    ("exchange_a_comparison", "y = x is not None", ["y = x is None"]),
    ("drop_a_keyword", "y = f(x, a=1, **b)", ["y = f(x, **b)", "y = f(x, a=1)"]),
    ("drop_a_keyword", "y = f(a=1)", ["y = f()"]),
    ("square_a_factor", "y = a * b / 2", ["y = a**2 * b / 2", "y = a * b**2 / 2"]),
    ("drop_a_power", "y = (a + b) ** 0.5", ["y = (a + b)"]),
    ("negate_a_condition", "y = [a if x else b for x in z if a < x]", [
        "y = [a if not (x) else b for x in z if a < x]", "y = [a if x else b for x in z if not (a < x)]"]),
    ("exchange_and_with_or", "y = a and b or c", ["y = a or b or c", "y = a and b and c"]),
    ("drop_a_statement", "refuse(x)", ["pass"]),
    ("drop_a_statement", "if x:\n    raise ValueError(\n        x)", ["pass"]),
    ("exchange_true_with_false", "y = True", ["y = False"]),
]  # fmt: skip


@pytest.mark.parametrize("rule, source, changed", EXAMPLES)
def test_a_rule_makes_these_mutants_and_no_others(rule, source, changed):
    found = [mutant.key[2] for mutant in mutants_of("toy", source) if mutant.rule == rule]
    assert sorted(found) == sorted(changed)


def test_every_rule_has_an_example():
    assert {rule for rule, *_ in EXAMPLES} == {rule.__name__ for rule in RULES}


def test_every_module_is_mutated_and_knows_test_files_that_are_there():
    files = {path.relative_to(ROOT / "minidiff").with_suffix("") for path in (ROOT / "minidiff").rglob("*.py")}
    assert {".".join(path.parts) for path in files if path.name != "__init__"} == set(TESTS)
    rooms = [test.split("/") for tests in TESTS.values() for test in tests]
    assert [name for room, name in rooms if not (ROOT / "tests" / room / f"test_{name}.py").exists()] == []


def test_only_what_is_computed_with_is_changed():
    source = '"""One + 1."""\ndef f(t: A | None, s: B[1, 2] = 3) -> C[4]:\n    """Two - 2."""\n    return f"{t + 1}"\n'
    assert [mutant.key[2] for mutant in mutants_of("toy", source)] == [
        "def f(t: A | None, s: B[1, 2] = 4) -> C[4]:", "def f(t: A | None, s: B[1, 2] = 2) -> C[4]:"]  # fmt: skip


def test_a_mutant_differs_in_one_place_and_says_which():
    source = "# é, of two bytes\ndef f(x):\n    return g(\n        x,\n        é=1,\n    )\n"
    mutant = next(m for m in mutants_of("toy", source) if m.rule == "off_by_one")
    assert mutant.text == source.replace("é=1", "é=2")
    assert (mutant.line, mutant.key) == (5, ("toy.f", "é=1,", "é=2,"))


TOY = "def mix(alpha, sigma):\n    return alpha + 2 * sigma\n"
WEAK = "from minidiff.guidance import mix\n\n\ndef test_mix():\n    assert mix(1, 1) == 3\n"
STRONG = WEAK + "    assert mix(2, 3) == 8\n"


def test_the_seed_decides_which_lines():
    every = mutants_of("guidance", TOY * 9)
    for seed in range(3):
        some = chosen(every, 4, seed)
        assert some == chosen(every, 4, seed)
        lines = {mutant.line for mutant in some}
        assert len(lines) == 4 and some == [mutant for mutant in every if mutant.line in lines]
    assert chosen(every, 4, 0) != chosen(every, 4, 1) and chosen(every, 0, 0) == chosen(every, 99, 0) == every


def test_the_tests_of_a_line_come_first_the_quickest_of_them_first():
    at = {
        mutant.line: mutant for mutant in mutants_of("guidance", "def f(x=1):\n    y = x + 1\n    return y + 2\n" + TOY)
    }
    file, others = "/copy/minidiff/guidance.py", "/copy/minidiff/samplers.py"
    watched = {
        "slow": (3.0, {file: {2, 3}}), "quick": (1.0, {file: {2}}), "mix": (0.5, {file: {5}}), "no": (0.1, {others: {2}})
    }  # fmt: skip
    assert covering(at[2], watched) == ["quick", "slow"] and covering(at[3], watched) == ["slow"]
    assert covering(at[1], watched) == ["quick", "slow"], "a default is computed before any test: ask the function's"
    assert covering(at[5], {"mix": watched["no"]}) == []


def hunt(root, test, *arguments):
    """Run the whole tool on a toy repository; its exit status and what it said."""
    files = {"minidiff/__init__.py": "", "minidiff/guidance.py": TOY, "tests/maths/test_guidance.py": test}
    for name, text in {**files, "pyproject.toml": ""}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    code = "import sys, pathlib; from tests.mutation import mutants; sys.exit(mutants.main(sys.argv[2:], pathlib.Path(sys.argv[1])))"
    command = [sys.executable, "-c", code, str(root), "--lines", "0", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (root / "minidiff" / "guidance.py").read_text() == TOY
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_the_original_runs_each_file_once():
    quick, slow = ["-q", "-m", "not slow"], ["-q", "-m", "slow"]
    stages = [[*quick, "a.py"], [*quick, "b.py", "a.py"], [*slow, "a.py", "b.py"], [*quick, "c.py", "b.py"]]
    assert merged(stages) == [[*quick, "a.py", "b.py", "c.py"], [*slow, "a.py", "b.py"]]


def test_what_no_test_catches_is_named(tmp_path):
    status, said = hunt(tmp_path, WEAK)
    survivors = [part.splitlines()[2].strip() for part in said.split("SURVIVED: ")[1:]]
    assert sorted(survivors) == [
        "+ return alpha + 2 * alpha", "+ return alpha + 2 * sigma**2",
        "+ return alpha + 2 / sigma", "+ return sigma + 2 * sigma"]  # fmt: skip
    assert said.count("caught by tests/maths/test_guidance.py::test_mix") == 3
    assert status == 1 and "42.9% of the mutants that differ were caught" in said  # 3 of 7


@pytest.mark.slow
def test_all_is_well_when_all_are_caught_or_known(tmp_path):
    known = tmp_path / "tests" / "mutation" / "equivalent.txt"
    known.parent.mkdir(parents=True)
    known.write_text("why the same\nin guidance.mix\n- return alpha + 2 * sigma\n+ return alpha + 2 * gone\n")
    status, said = hunt(tmp_path, STRONG, "--jobs", "2")
    stale = ("guidance.mix", "return alpha + 2 * sigma", "return alpha + 2 * gone")
    assert status == 1 and f"out of date: {stale} is no mutant any more" in said
    assert "100.0% of the mutants" in said and "SURVIVED" not in said


@pytest.mark.slow
def test_a_broken_original_is_refused(tmp_path):
    status, said = hunt(tmp_path, WEAK.replace("== 3", "== 4"))
    assert status == 2 and "the original itself is caught by tests/maths/test_guidance.py::test_mix" in said


@pytest.mark.slow
def test_a_test_that_lives_by_the_order_is_refused(tmp_path):
    """Quick tests are asked first: one that fails then would catch whatever comes."""
    ordered = (
        WEAK + "    import time; time.sleep(0.2); globals()['seen'] = 1\n\n\ndef test_after():\n    mix(1, 1); seen\n"
    )
    status, said = hunt(tmp_path, ordered)
    assert status == 2 and "test_after fails when the quickest tests come first" in said


def test_the_known_equivalents_have_reasons():
    assert all(len(reason) > 20 for reason in equivalents(ROOT / "tests" / "mutation" / "equivalent.txt").values())


@functools.cache
def definitions(module):
    """The text of a module and of all that is defined in it, by dotted name; spaces do not count."""
    text, found = source(ROOT, module).read_text(), {}

    def walk(body, name):
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                first = min(part.lineno for part in [node, *node.decorator_list])
                found[f"{name}.{node.name}"] = " ".join(
                    " ".join(text.splitlines()[first - 1 : node.end_lineno]).split()
                )
                walk(node.body, f"{name}.{node.name}")

    walk(ast.parse(text).body, module)
    return found | {module: " ".join(text.split())}


def test_the_known_equivalents_change_lines_that_are_there():
    """Whether each is a mutant still, only a mutation run can say: to make them all takes half a minute."""
    gone = []
    for place, before, _ in equivalents(ROOT / "tests" / "mutation" / "equivalent.txt"):
        parts = place.split(".")
        module = next(name for n in (1, 2, 3) if source(ROOT, name := ".".join(parts[:n])).is_file())
        if before not in definitions(module).get(place, ""):
            gone.append((place, before))
    assert gone == []
