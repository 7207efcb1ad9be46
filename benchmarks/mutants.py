"""Which small faults do the tests let live? Mutates a module of `gradlab/` in memory and runs the tests nearest to it.

    python -m benchmarks.mutants gradlab/analyses/itemised.py                          tests/analyses/test_itemised.py
    python -m benchmarks.mutants gradlab/words/flow.py tests/words tests/ui/test_pages.py --every 3

Each mutant differs in one place: a comparison, a sign, a constant, `min` for `max`, a condition that is always true. A
survivor either changes no result or shows a missing test. Cells and the engine are left to tests/cells/test_adjoints.py
and to a copy of the package: their compiled kernels are kept by the text of their files, which is not changed here.
Tests that draw pictures need --cold: the converter's threads are not there after a fork, and who waits for them waits.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib.abc
import importlib.util
import io
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

ROOT = Path(__file__).resolve().parents[1]
SWAPPED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Pow: ast.Mult,
    ast.And: ast.Or, ast.Or: ast.And, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
OTHER_NAME = {
    "min": "max", "max": "min", "any": "all", "all": "any", "argmin": "argmax", "argmax": "argmin",
    "minimum": "maximum", "maximum": "minimum", "ceil": "floor", "floor": "ceil", "first": "last", "last": "first",
}  # fmt: skip
SECONDS = 60  # of a processor that a mutant may take, and five times that by the clock: one that hangs is seen as well


def places(tree: ast.Module) -> list[tuple[ast.AST, int]]:
    """Every node that can be changed, once for each of its ways."""
    texts = _texts(tree)
    found = []
    for node in list(ast.walk(tree)):
        for way in range(2):
            if id(node) not in texts:
                with mutant(node, way) as what:
                    found += [(node, way)] if what else []
    return found


@contextlib.contextmanager
def mutant(node: ast.AST, way: int) -> Iterator[str]:
    """The tree around a node changed while the block runs; gives what changed, "" where the node has no such way."""
    kept = {name: list(value) if isinstance(value, list) else value for name, value in vars(node).items()}
    before = ast.unparse(node) if isinstance(node, ast.expr) else ""
    try:
        yield f"{before[:60]} -> {ast.unparse(node)[:60]}" if _change(node, way) else ""
    finally:
        vars(node).update(kept)


def _texts(tree: ast.Module) -> set[int]:
    """The nodes of an error's text, an annotation or a representation, which decide no result."""
    parts: list[ast.AST] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise):
            parts.append(node)
        elif isinstance(node, ast.FunctionDef | ast.AnnAssign | ast.arg):
            annotation = node.returns if isinstance(node, ast.FunctionDef) else node.annotation
            parts += [annotation] if annotation else []
            parts += [node] if getattr(node, "name", "") == "__repr__" else []
        elif isinstance(node, ast.Assign) and "Callable" in ast.unparse(node.value):
            parts.append(node)
    return {id(inner) for part in parts for inner in ast.walk(part)}


def _change(node: ast.AST, change: int) -> bool:
    """Changes a node in place in its first or second way; False where it has no such way."""
    if change == 1:
        if isinstance(node, ast.IfExp):
            node.test = ast.Constant(False)
            return True
        return False
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPPED:
        node.ops[0] = SWAPPED[type(node.ops[0])]()
    elif isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign) and type(node.op) in SWAPPED:
        node.op = SWAPPED[type(node.op)]()
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
        node.op = ast.UAdd() if isinstance(node.op, ast.USub) else ast.Not()
        if isinstance(node.op, ast.Not):
            node.operand = ast.UnaryOp(ast.Not(), node.operand)
    elif isinstance(node, ast.IfExp):
        node.test = ast.Constant(True)
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        node.value = node.value + 1 if isinstance(node.value, int) else node.value * 1.1 + 0.01
    elif isinstance(node, ast.Attribute) and node.attr in OTHER_NAME:
        node.attr = OTHER_NAME[node.attr]
    elif isinstance(node, ast.Name) and node.id in OTHER_NAME and node.id in dir(__builtins__):
        node.id = OTHER_NAME[node.id]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute) and len(node.args) == 1:
        if (node.func.id if isinstance(node.func, ast.Name) else node.func.attr) not in ("abs", "sqrt", "sorted"):
            return False
        node.func = ast.Lambda(_one_argument(), ast.Name("x", ast.Load()))
    else:
        return False
    return True


def _one_argument() -> ast.arguments:
    return ast.arguments(posonlyargs=[], args=[ast.arg("x")], kwonlyargs=[], kw_defaults=[], defaults=[])


class Mutated(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from changed code."""

    def __init__(self, name: str, path: Path, code: CodeType):
        self.name, self.path, self.code = name, path, code

    def find_spec(self, name, path=None, target=None):
        if name != self.name:
            return None
        package = [str(self.path.parent)] if self.path.name == "__init__.py" else None
        return importlib.util.spec_from_file_location(name, self.path, loader=self, submodule_search_locations=package)

    def exec_module(self, module):
        exec(self.code, module.__dict__)


def importers(name: str) -> set[str]:
    """The modules of `gradlab/` that import a module, directly or through others, and itself; by their syntax."""
    files = {_name_of(path): path for path in ROOT.glob("gradlab/**/*.py")}
    imports = {}
    for module, path in files.items():
        imports[module] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imports[module] |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                named = {f"{node.module}.{alias.name}" for alias in node.names}
                imports[module] |= named if node.module == "gradlab" and named <= set(files) else {node.module, *named}
    found, before = {name, "gradlab"}, set()
    while found != before:
        before = set(found)
        found |= {module for module, names in imports.items() if names & found}
    return found


def forget(names: set[str]) -> None:
    """Takes modules out of this process, under all their names, and the tests: the next import runs them again."""
    tests = str(ROOT / "tests")
    for entry, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if getattr(module, "__name__", "") in names or entry in names or file.startswith(tests):
            del sys.modules[entry]
            parent, _, last = entry.rpartition(".")
            if parent in sys.modules and getattr(sys.modules[parent], last, None) is module:
                delattr(sys.modules[parent], last)


class Order:
    """A plugin of pytest: tests that killed a mutant come first, then the others file by file, quick ones before."""

    def __init__(self) -> None:
        self.kills: Counter[str] = Counter()
        self.seconds: dict[str, float] = {}
        self.failed = ""

    def pytest_collection_modifyitems(self, items):
        files = {item.path: number for number, item in reversed([*enumerate(items)])}
        seconds = {item: self.seconds.get(item.nodeid, 0.0) for item in items}
        items.sort(key=lambda item: (-self.kills[item.nodeid], files[item.path], seconds[item]))

    def pytest_runtest_logreport(self, report):
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration
        if report.failed:
            self.failed = report.nodeid


def run_tests(tests: list[str], order: Order) -> int:
    import pytest

    options = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "-m", "not slow and not browser"]
    return pytest.main([*options, *tests], plugins=[order])


def survives(name: str, path: Path, code: CodeType, tests: list[str], stale: set[str], order: Order) -> bool:
    """Whether every test passes with the changed module, in a process of its own.

    The process has what the tests loaded before, but for the `stale` modules: all that could know the module itself.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
        if not os.environ.get("MUTANTS_VERBOSE"):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
        result = 1
        with contextlib.suppress(BaseException):
            if slices := sys.modules.get("gradlab.engine.slices"):
                slices._pool.cache_clear()  # its threads are the parent's
            forget(stale)
            sys.meta_path.insert(0, Mutated(name, path, code))
            kept = {entry: module for entry, module in sys.modules.items() if entry.startswith("gradlab.")}
            package = importlib.import_module("gradlab")
            for entry, module in kept.items():
                if entry.count(".") == 1:
                    setattr(package, entry.rpartition(".")[2], module)
            result = run_tests(tests, order)
            os.write(write, order.failed.encode()[:4000])
        os._exit(int(result != 0))
    os.close(write)
    end, done, status = time.monotonic() + 5 * SECONDS, 0, 1
    while not done and time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        time.sleep(0.0 if done else 0.02)
    if not done:
        os.kill(child, 9)
        os.waitpid(child, 0)
    with os.fdopen(read, "rb") as pipe:
        if killer := pipe.read().decode(errors="ignore"):
            order.kills[killer] += 1
    return done > 0 and status == 0


def _name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("module", type=Path, help="a file of gradlab/")
    arguments.add_argument("tests", nargs="+", help="test files or folders")
    arguments.add_argument("--every", type=int, default=1, help="only every so many mutants")
    arguments.add_argument("--first", type=int, default=0, help="the number of the first mutant")
    arguments.add_argument("--lines", default="1-100000", help="only of these lines: 20-80")
    arguments.add_argument("--cold", action="store_true", help="each mutant in a process that has loaded no test")
    asked = arguments.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    path = asked.module.resolve()
    name = _name_of(path)
    low, high = map(int, asked.lines.split("-"))
    tree = ast.parse(path.read_text())
    for heavy in ("numpy", "pandas", "torch", "numba", "pydantic"):
        importlib.import_module(heavy)
    order = Order()
    if not asked.cold:  # once in this process: the libraries, the kernels and the modules below are then loaded
        with contextlib.redirect_stdout(io.StringIO()):
            run_tests(asked.tests, order)
    stale = importers(name)
    if not survives(name, path, compile(tree, str(path), "exec"), asked.tests, stale, order):
        sys.exit("the tests fail as they are")
    chosen = [(node, way) for node, way in places(tree) if low <= getattr(node, "lineno", 0) <= high]
    chosen = chosen[asked.first :: asked.every]
    alive = 0
    for node, way in chosen:
        with mutant(node, way) as what:
            code = compile(ast.fix_missing_locations(tree), str(path), "exec")
        if survives(name, path, code, asked.tests, stale, order):
            alive += 1
            print(f"{asked.module}:{node.lineno}: {what}", flush=True)
    print(f"{len(chosen)} mutants of {asked.module}, {alive} survive")


if __name__ == "__main__":
    main()
