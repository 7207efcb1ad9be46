"""Which small faults do the tests let live? Mutates a module of `gradlab/` in memory and runs the tests nearest to it.

    python -m benchmarks.mutants gradlab/analyses/itemised.py                          tests/analyses/test_itemised.py
    python -m benchmarks.mutants gradlab/words/flow.py tests/words tests/ui/test_pages.py --every 3

Each mutant differs in one place: a comparison, a sign, a constant, `min` for `max`, a condition that is always true. A
survivor either changes no result or shows a missing test. Cells and the engine are left to tests/cells/test_adjoints.py
and to a copy of the package: their compiled kernels are kept by the text of their files, which is not changed here.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import importlib.abc
import importlib.util
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

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
SECONDS = 120  # that a mutant may take: one that hangs is seen as well


def mutants(tree: ast.Module) -> Iterator[tuple[int, str, ast.Module]]:
    """(line, what changed, the whole module changed) for every place that can be changed."""
    for number, node in enumerate(ast.walk(tree)):
        for change in range(2):
            changed = copy.deepcopy(tree)
            other = next(node for place, node in enumerate(ast.walk(changed)) if place == number)
            before = ast.unparse(other) if isinstance(other, ast.expr) else ""
            if not _is_text(tree, node) and _change(other, change):
                ast.fix_missing_locations(changed)
                yield node.lineno, f"{before[:60]} -> {ast.unparse(other)[:60]}", changed


def _is_text(tree: ast.Module, node: ast.AST) -> bool:
    """Whether a node stands in an error's text, an annotation or a representation, which decide no result."""
    return id(node) in _texts(tree)


def _texts(tree: ast.Module) -> set[int]:
    if not hasattr(tree, "texts"):
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
        tree.texts = {id(inner) for part in parts for inner in ast.walk(part)}  # type: ignore[attr-defined]
    return tree.texts  # type: ignore[attr-defined]


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
    """Imports one module from a changed syntax tree."""

    def __init__(self, name: str, path: Path, tree: ast.Module):
        self.name, self.path, self.tree = name, path, tree

    def find_spec(self, name, path=None, target=None):
        if name != self.name:
            return None
        package = [str(self.path.parent)] if self.path.name == "__init__.py" else None
        return importlib.util.spec_from_file_location(name, self.path, loader=self, submodule_search_locations=package)

    def exec_module(self, module):
        exec(compile(self.tree, str(self.path), "exec"), module.__dict__)


def survives(name: str, path: Path, tree: ast.Module, tests: list[str]) -> bool:
    """Whether every test passes with the changed module, in a process of its own."""
    child = os.fork()
    if child == 0:
        import pytest

        sys.meta_path.insert(0, Mutated(name, path, tree))
        if not os.environ.get("MUTANTS_VERBOSE"):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
        code = 1
        with contextlib.suppress(BaseException):
            code = pytest.main(["-x", "-q", "-n", "0", "-m", "not slow and not browser", *tests])
        os._exit(int(code != 0))
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.02)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return False


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("module", type=Path, help="a file of gradlab/")
    arguments.add_argument("tests", nargs="+", help="test files or folders")
    arguments.add_argument("--every", type=int, default=1, help="only every so many mutants")
    arguments.add_argument("--lines", default="1-100000", help="only of these lines: 20-80")
    asked = arguments.parse_args()
    os.chdir(ROOT)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    path = asked.module.resolve()
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    low, high = map(int, asked.lines.split("-"))
    tree = ast.parse(path.read_text())
    for heavy in ("numpy", "pandas", "torch", "numba", "pydantic"):
        importlib.import_module(heavy)
    if not survives(name, path, tree, asked.tests):
        sys.exit("the tests fail as they are")
    chosen = [mutant for mutant in mutants(tree) if low <= mutant[0] <= high][:: asked.every]
    alive = 0
    for line, what, changed in chosen:
        if survives(name, path, changed, asked.tests):
            alive += 1
            print(f"{asked.module}:{line}: {what}", flush=True)
    print(f"{len(chosen)} mutants of {asked.module}, {alive} survive")


if __name__ == "__main__":
    main()
