"""Texts that stand in docstrings: what each function of a registry means, for babel's extraction.

The first paragraph of a function that a module's registry names (`INITIALIZATIONS`, `INPUTS`, `TASKS`) is a text, which
`meaning` of gradlab.settings.catalogue and `Task.meaning` say.
"""

import ast
from collections.abc import Collection, Iterator
from inspect import cleandoc
from typing import Any


def extract(
    file: Any, keywords: Any, comment_tags: Collection[str], options: Any
) -> Iterator[tuple[int, Any, Any, Any]]:
    """As babel calls it, which asks one method of a file: line, function, text and comments of each, the marked ones
    among them."""
    from babel.messages.extract import extract_python

    module = ast.parse(file.read())
    file.seek(0)
    yield from extract_python(file, keywords, comment_tags, options)
    named = _named(module)
    for node in module.body:
        is_named = isinstance(node, ast.FunctionDef) and node.name in named
        if is_named and (docstring := ast.get_docstring(node, clean=False)):
            yield node.lineno, None, paragraph(docstring), []


def paragraph(docstring: str) -> str:
    """The first paragraph of a docstring, in one line."""
    return cleandoc(docstring).split("\n\n")[0].replace("\n", " ")


def _named(module: ast.Module) -> set[str]:
    """The functions in values of the module's constants, and those of which there is a `partial`."""
    constants = [
        node.value
        for node in module.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id.isupper()
    ]
    inside = [node for value in constants if value for node in ast.walk(value)]
    calls = [node for node in ast.walk(module) if isinstance(node, ast.Call)]
    partials = [arg for call in calls if ast.unparse(call.func) == "partial" for arg in call.args[:1]]
    called = {ast.unparse(call.func) for call in calls if call in inside}
    return {node.id for node in (*inside, *partials) if isinstance(node, ast.Name)} - called
