"""The rules by which `mutants.py` changes one symbol: each looks at one node of a module's tree and yields edits.

The edit is made in the text, where the node stands: a mutant differs from the original in one place, and can be shown.
"""

import ast
import builtins
from collections.abc import Callable, Iterator

BUILTINS = set(dir(builtins))
Edit = tuple[int, int, str]  # from this byte to that, what stands there instead

TWINS = [  # parts of names, of functions and of methods that could be taken for each other
    ("t", "s"), ("alpha", "sigma"), ("x0", "eps"), ("x", "x0"), ("a", "b"), ("g", "b"), ("good", "bad"),
    ("mean", "std"), ("means", "stds"), ("first", "final"), ("top", "bottom"), ("start", "end"), ("start", "stop"),
    ("average", "denoiser"),
    ("min", "max"), ("cos", "sin"), ("ones", "zeros"), ("all", "any"), ("floor", "round"), ("sum", "mean"),
]  # fmt: skip
DROPPED = {"sqrt", "square", "exp", "log", "abs", "clamp", "round", "floor", "detach", "cpu", "double", "float",
           "masked_fill", "eval", "requires_grad_", "cumsum", "diff", "isfinite"}  # fmt: skip
OPERATORS = {ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*"),
             ast.FloorDiv: ("//", "%"), ast.Mod: ("%", "//"), ast.BitAnd: ("&", "|")}  # fmt: skip
COMPARISONS = {ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"),
               ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.Is: ("is", "is not"), ast.IsNot: ("is not", "is"),
               ast.In: ("in", "not in"), ast.NotIn: ("not in", "in")}  # fmt: skip


class Code:
    """A module's text and tree. The text is kept as bytes, because that is how the tree counts columns."""

    def __init__(self, text: str):
        self.bytes, self.tree = text.encode(), ast.parse(text)
        self.starts = [0]
        for line in self.bytes.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        nodes = list(ast.walk(self.tree))
        self.methods = {n.attr for n in nodes if isinstance(n, ast.Attribute)} | BUILTINS
        self.compared = {part for n in nodes if isinstance(n, ast.Compare) for part in n.comparators}
        powers = [n for n in nodes if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Pow)]
        self.squares = {power.right for power in powers if self.of(power.right) == "2"}

    def first(self, node: ast.AST) -> int:
        return self.starts[node.lineno - 1] + node.col_offset

    def last(self, node: ast.AST) -> int:
        return self.starts[node.end_lineno - 1] + node.end_col_offset

    def of(self, node: ast.AST) -> str:
        return self.bytes[self.first(node) : self.last(node)].decode()

    def instead(self, node: ast.AST, text: str) -> Edit:
        return self.first(node), self.last(node), text

    def between(self, left: ast.AST, right: ast.AST, old: str, new: str) -> Edit:
        """Exchange the operator that stands between two nodes."""
        at = self.bytes.index(old.encode(), self.last(left), self.first(right))
        return at, at + len(old), new

    def swapped(self, left: ast.AST, right: ast.AST) -> Edit:
        middle = self.bytes[self.last(left) : self.first(right)].decode()
        return self.first(left), self.last(right), self.of(right) + middle + self.of(left)


def twins(name: str) -> Iterator[str]:
    """The names it could be taken for: sigma_t and alpha_s for alpha_t."""
    parts = name.split("_")
    for k, part in enumerate(parts):
        for pair in TWINS:
            if part in pair:
                yield "_".join([*parts[:k], pair[part == pair[0]], *parts[k + 1 :]])


def drop_a_function(code: Code, node: ast.AST, names: set[str]) -> Iterator[Edit]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in DROPPED:
        if code.of(node.func.value) in ("math", "torch"):  # math.sqrt(x)
            yield code.instead(node, f"({code.of(node.args[0])})")
        else:  # x.sqrt()
            yield code.last(node.func) - len(node.func.attr) - 1, code.last(node), ""


def flip_a_sign(code: Code, node: ast.AST, names: set[str]) -> Iterator[Edit]:
    if isinstance(node, ast.UnaryOp):
        yield code.first(node), code.first(node) + (3 if isinstance(node.op, ast.Not) else 1), ""


def exchange_an_operator(code: Code, node: ast.AST, names: set[str]) -> Iterator[Edit]:
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        yield code.between(node.left, node.right, *OPERATORS[type(node.op)])


def exchange_a_name(code: Code, node: ast.AST, names: set[str]) -> Iterator[Edit]:
    """For a twin that is known at this place, or, after a dot, somewhere in the module."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        known = names | (BUILTINS if node.id in BUILTINS else set())
        yield from (code.instead(node, twin) for twin in twins(node.id) if twin in known)
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        first, last = code.last(node) - len(node.attr), code.last(node)
        yield from ((first, last, twin) for twin in twins(node.attr) if twin in code.methods)


def exchange_neighbours(code: Code, node: ast.AST, names: set[str]) -> Iterator[Edit]:
    """Two arguments that could be taken for each other, or the two halves of a pair."""
    if isinstance(node, ast.Call):
        pairs = zip(node.args, node.args[1:], strict=False)
        yield from (code.swapped(left, right) for left, right in pairs if code.of(right) in twins(code.of(left)))
    if isinstance(node, ast.Tuple) and len(node.elts) == 2 and node not in code.compared:  # x in (1, 2)
        yield code.swapped(*node.elts)


def off_by_one(code: Code, node: ast.AST, names: set[str]) -> Iterator[Edit]:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        numbers = (3,) if node in code.squares else (node.value + 1, node.value - 1)  # a square may also be dropped
        yield from (code.instead(node, str(n)) for n in numbers if n >= 0)


def a_tenth_more(code: Code, node: ast.AST, names: set[str]) -> Iterator[Edit]:
    if isinstance(node, ast.Constant) and type(node.value) is float:
        yield code.instead(node, f"{node.value * 1.1 or 0.1:.6g}")


def exchange_a_comparison(code: Code, node: ast.AST, names: set[str]) -> Iterator[Edit]:
    if isinstance(node, ast.Compare):
        for left, op, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
            yield code.between(left, right, *COMPARISONS[type(op)])


def drop_a_keyword(code: Code, node: ast.AST, names: set[str]) -> Iterator[Edit]:
    if isinstance(node, ast.Call):
        given = sorted([*node.args, *node.keywords], key=code.first)
        for k, item in enumerate(given):
            if isinstance(item, ast.keyword):
                first = code.last(given[k - 1]) if k else code.first(item)
                yield first, code.first(given[1]) if k == 0 and len(given) > 1 else code.last(item), ""


def square_a_factor(code: Code, node: ast.AST, names: set[str]) -> Iterator[Edit]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
        factors = [part for part in (node.left, node.right) if isinstance(part, (ast.Name, ast.Attribute))]
        yield from ((code.last(part), code.last(part), "**2") for part in factors)


def drop_a_power(code: Code, node: ast.AST, names: set[str]) -> Iterator[Edit]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        at, _, _ = code.between(node.left, node.right, "**", "")
        yield len(code.bytes[:at].rstrip()), code.last(node), ""


def negate_a_condition(code: Code, node: ast.AST, names: set[str]) -> Iterator[Edit]:
    conditions = [node.test] if isinstance(node, (ast.If, ast.IfExp, ast.While)) else getattr(node, "ifs", [])
    for test in conditions:
        order = isinstance(test, ast.Compare) and isinstance(test.ops[0], (ast.Lt, ast.LtE, ast.Gt, ast.GtE))
        if order or not isinstance(test, (ast.Compare, ast.UnaryOp)):  # other rules negate those
            yield code.instead(test, f"not ({code.of(test)})")


def exchange_and_with_or(code: Code, node: ast.AST, names: set[str]) -> Iterator[Edit]:
    if isinstance(node, ast.BoolOp):
        words = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        yield from (
            code.between(left, right, *words) for left, right in zip(node.values, node.values[1:], strict=False)
        )


def drop_a_statement(code: Code, node: ast.AST, names: set[str]) -> Iterator[Edit]:
    """A call made for what it does or refuses, a raise, an early return, a decorator."""
    called = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    if called or isinstance(node, ast.Raise) or (isinstance(node, ast.Return) and node.value is None):
        yield code.instead(node, "pass")
    for decorator in getattr(node, "decorator_list", []):
        yield code.first(decorator) - 1, code.last(decorator), ""


def exchange_true_with_false(code: Code, node: ast.AST, names: set[str]) -> Iterator[Edit]:
    if isinstance(node, ast.Constant) and type(node.value) is bool:
        yield code.instead(node, str(not node.value))


RULES: list[Callable[[Code, ast.AST, set[str]], Iterator[Edit]]] = [
    drop_a_function, flip_a_sign, exchange_an_operator, exchange_a_name, exchange_neighbours, off_by_one, a_tenth_more,
    exchange_a_comparison, drop_a_keyword, square_a_factor, drop_a_power, negate_a_condition, exchange_and_with_or,
    drop_a_statement, exchange_true_with_false,
]  # fmt: skip


def edits(code: Code) -> Iterator[tuple[str, str, Edit]]:
    """(where: the names of class and function, rule, edit) for every rule at every node that is computed with.

    Annotations, types in brackets and the wording of messages are left alone.
    """
    known = {n.name for n in code.tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    yield from _edits(code, code.tree, "", known)


def _edits(code: Code, node: ast.AST, place: str, names: set[str]) -> Iterator[tuple[str, str, Edit]]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        place = f"{place}.{node.name}"
    if isinstance(node, (ast.FunctionDef, ast.Lambda)):
        inside = list(ast.walk(node))
        names = names | {n.arg for n in inside if isinstance(n, ast.arg)}
        names |= {n.id for n in inside if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    for rule in RULES:
        yield from ((place, rule.__name__, edit) for edit in rule(code, node, names))
    if isinstance(node, (ast.Raise, ast.JoinedStr)):
        return
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            in_brackets = isinstance(node, ast.Subscript) and isinstance(child, ast.Tuple)
            if isinstance(child, ast.AST) and name not in ("annotation", "returns") and not in_brackets:
                yield from _edits(code, child, place, names)
