"""A question is a value: which analysis, of which subjects, with which options.

A `Call` is one analysis of one subject; a `Question` is one tidy table made of one or more calls. Both are frozen and
hashable. A question runs itself (`rows`), writes itself as a Python program's expression (`code`), refuses itself by
size before any work (`refuse`) and is its own cache key (`key`): the screen, the table taken home, the picture and the
program come from the same value and cannot disagree.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from inspect import signature
from math import isfinite
from typing import Any, Concatenate, ParamSpec, Protocol

import numpy as np
import pandas as pd

from gradlab.analyses.parts import Part, together
from gradlab.analyses.problem import Need, Problem, problem_of
from gradlab.engine import Progress, refuse_too_large
from gradlab.settings.meant import refuse_unknown_options
from gradlab.settings.subject import Subject, is_subject
from gradlab.words.languages import N_, _, current

P = ParamSpec("P")
COMPARISONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}  # fmt: skip

AT_THE_TOP = (
    "trace",
    "check",
    "diagnose",
    "remedies",
)  # functions of `gradlab` itself; the others are of one of its modules


class Question(Protocol):
    """What a figure shows: a tidy table, not computed yet."""

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """What it is about, each once: the program's `experiments`."""
        ...

    @property
    def calls(self) -> tuple[Call, ...]:
        """The calls whose results it is made of; none where the rows are there already."""
        ...

    @property
    def code(self) -> str:
        """The table as a Python expression of `experiments`."""
        ...

    @property
    def key(self) -> str | None:
        """Equal for questions of equal rows alone; None where the rows still change."""
        ...

    def refuse(self) -> None:
        """Raises TooLarge where the answer needs more memory than there is; nothing is computed."""
        ...

    def rows(self, progress: Progress | None = None) -> pd.DataFrame:
        """Every row, computed."""
        ...

    def parts_of(self, results: Sequence[Any]) -> Sequence[Part]:
        """Every row, made of the results of `calls`, in parts that are made when they are read."""
        ...


class Named(Question, Protocol):
    """A question that a program can ask beside another one, whose subjects have another name there."""

    def code_of(self, experiments: str) -> str:
        """The table as a Python expression of a list with another name."""
        ...


@dataclass(frozen=True, repr=False)
class Call:
    """One analysis of one subject. The first argument is a subject, or a Call whose result is analysed further."""

    function: Callable[..., Any]
    arguments: tuple[Hashable, ...]
    options: tuple[tuple[str, Hashable], ...] = ()

    @classmethod
    def of(cls, function: Callable[P, Any], *arguments: P.args, **options: P.kwargs) -> Call:
        """The call `function(*arguments, **options)`, not made yet; lists become tuples."""
        return cls(function, _positional(arguments), _options(function, options))

    def then(self, function: Callable[Concatenate[Any, P], Any], *arguments: P.args, **options: P.kwargs) -> Call:
        """`function` of this call's result."""
        return Call(function, (self, *_positional(arguments)), _options(function, options))

    @property
    def subject(self) -> Subject | None:
        """What it is about; None for a call of numbers alone."""
        first = self.arguments[0] if self.arguments else None
        if isinstance(first, Call):
            return first.subject
        return first if is_subject(first) else None

    @property
    def inner(self) -> tuple[Call, ...]:
        """The calls among the arguments."""
        return tuple(value for value in self.arguments if isinstance(value, Call))

    @property
    def title(self) -> str:
        """What is being done, for a progress bar."""
        what = self.function.__name__.replace("_", " ").strip().capitalize()
        return what if self.subject is None else f"{what}, {self.subject.title}"

    def result(self, progress: Progress | None = None) -> Any:
        """Makes the call, and the calls among its arguments."""
        return self.result_of([call.result(progress) for call in self.inner], progress)

    def result_of(self, inner: Sequence[Any], progress: Progress | None = None) -> Any:
        """Makes the call with the results of the calls among its arguments."""
        results = iter(inner)
        arguments = [next(results) if isinstance(value, Call) else value for value in self.arguments]
        if progress is not None and "progress" in _parameters(self.function):
            return self.function(*arguments, **dict(self.options), progress=progress)
        return self.function(*arguments, **dict(self.options))

    def refuse(self) -> None:
        """Raises TooLarge where the call, or a call among its arguments, needs more memory than there is."""
        for call in self.inner:
            call.refuse()
        if (need := self.need) is not None:
            need.refuse()
            subject = self.arguments[0]
            if is_subject(subject) and "steps" in self.function.reads:  # weights alone always fit
                problem_of(subject)

    @property
    def need(self) -> Need | None:
        """What the call alone takes, known before any work; None where it is little, or hangs on another's result."""
        subject = self.arguments[0] if self.arguments else None
        if not is_subject(subject) or not hasattr(self.function, "needs"):
            return None
        problem = Problem(subject.size, subject)
        return self.function.needs(problem, **dict(self.options)) if self.function.needs else problem.trace_need

    @property
    def work(self) -> float:
        """About how many multiply-adds it makes; 0 where that is not known."""
        return 0.0 if (need := self.need) is None else need.work

    def normal(self) -> Call:
        """The same call with every setting that the analysis does not read at its default."""
        reads = getattr(self.function, "reads", None)

        def plain(value: Hashable) -> Hashable:
            if isinstance(value, Call):
                return value.normal()
            return value.reading(reads) if is_subject(value) and reads is not None else value

        return replace(self, arguments=tuple(map(plain, self.arguments)))

    def code(self, name: Callable[[Subject], str]) -> str:
        """The call as a Python expression; `name` says how a subject is called there."""
        written = [_literal(value, name) for value in self.arguments]
        written += [f"{option}={_literal(value, name)}" for option, value in self.options]
        return f"{_public_name(self.function)}({', '.join(written)})"

    @property
    def key(self) -> str:
        """Equal for calls of equal results alone."""
        written = self.normal().code(lambda subject: subject.key)
        return f"{current()}: {written}" if self.says else written

    @property
    def says(self) -> bool:
        """Whether its result has sentences, in the language that is spoken where it is made."""
        return getattr(self.function, "says", False) or any(call.says for call in self.inner)

    def __repr__(self) -> str:
        return f"Call({_public_name(self.function)}{f', {self.subject.title}' if self.subject else ''})"


@dataclass(frozen=True, repr=False)
class Table:
    """One tidy table: the results of some calls, one below the other.

    view     the results' attribute that is their table; none where they are tables
    where    a pandas query that chooses rows
    """

    calls: tuple[Call, ...]
    view: str = ""
    where: str = ""

    @classmethod
    def of(cls, calls: Call | Iterable[Call], view: str = "", where: str = "") -> Table:
        return cls((calls,) if isinstance(calls, Call) else tuple(calls), view, where)

    @property
    def subjects(self) -> tuple[Subject, ...]:
        return tuple(dict.fromkeys(call.subject for call in self.calls if call.subject is not None))

    def rows(self, progress: Progress | None = None) -> pd.DataFrame:
        count = len(self.calls)
        results = [call.result(_share(progress, number, count)) for number, call in enumerate(self.calls)]
        return together(self.parts_of(results))

    def parts_of(self, results: Sequence[Any]) -> list[Part]:
        return [part for result in results for part in self._parts_of(result)]

    def _parts_of(self, result: Any) -> list[Part]:
        parts: list[Part] = getattr(result, f"{self.view}_parts", [])
        if parts and (kept := chosen_parts(parts, self.where)) is not None:
            return kept
        table = getattr(result, self.view) if self.view else result
        return [Part.of(chosen(table, self.where).reset_index(drop=True) if self.where else table)]

    def refuse(self) -> None:
        for call in self.calls:
            call.refuse()

    @property
    def code(self) -> str:
        return self.code_of("experiments")

    def code_of(self, experiments: str, listed: Sequence[Subject] | None = None) -> str:
        """The table as a Python expression of a list with another name: of its subjects, or of others among them."""
        named = self.subjects if listed is None else listed
        each = [self._code(call, lambda subject: "experiment") for call in self.calls]
        if len(each) > 1 and len(set(each)) == 1 and [call.subject for call in self.calls] == [*named]:
            return f"pd.concat([{each[0]} for experiment in {experiments}], ignore_index=True)"
        parts = [self._code(call, lambda subject: f"{experiments}[{named.index(subject)}]") for call in self.calls]
        return parts[0] if len(parts) == 1 else f"pd.concat([{', '.join(parts)}], ignore_index=True)"

    @property
    def key(self) -> str:
        return " ".join(self._code(call.normal(), lambda subject: subject.key) for call in self.calls)

    def _code(self, call: Call, name: Callable[[Subject], str]) -> str:
        view = f".{self.view}" if self.view else ""
        where = f".query({self.where!r}).reset_index(drop=True)" if self.where else ""
        return f"{call.code(name)}{view}{where}"

    def __repr__(self) -> str:
        return f"Table({', '.join(map(repr, self.calls))}{f', {self.where}' if self.where else ''})"


@dataclass(frozen=True, repr=False)
class Compared:
    """Tables of the same columns, one below the other, and a column more that says which: its name.

    tables    each with its name; all their results are in memory together
    column    of the names
    """

    tables: tuple[tuple[str, Table], ...]
    column: str = "pin"

    @classmethod
    def of(cls, tables: Mapping[str, Table], column: str = "pin") -> Compared:
        return cls(tuple(tables.items()), column)

    @property
    def calls(self) -> tuple[Call, ...]:
        return tuple(call for _name, table in self.tables for call in table.calls)

    @property
    def subjects(self) -> tuple[Subject, ...]:
        return tuple(dict.fromkeys(subject for _name, table in self.tables for subject in table.subjects))

    def rows(self, progress: Progress | None = None) -> pd.DataFrame:
        count = len(self.calls)
        results = [call.result(_share(progress, number, count)) for number, call in enumerate(self.calls)]
        return together(self.parts_of(results))

    def parts_of(self, results: Sequence[Any]) -> list[Part]:
        remaining = iter(results)
        return [
            replace(part, columns=(*part.columns, self.column), same={**part.same, self.column: name})
            for name, table in self.tables
            for part in table.parts_of([next(remaining) for _call in table.calls])
        ]

    def refuse(self) -> None:
        """Raises TooLarge where one of the calls needs more memory than there is, or where one does beside the
        results of the others."""
        refuse_together(self.calls)

    @property
    def code(self) -> str:
        """Its program names every subject once, in whichever table it stands."""
        listed = self.subjects
        named = [
            f"{table.code_of('experiments', listed)}.assign({self.column}={name!r})" for name, table in self.tables
        ]
        return named[0] if len(named) == 1 else f"pd.concat([{', '.join(named)}], ignore_index=True)"

    @property
    def key(self) -> str:
        return " ".join(f"{self.column}={name!r}: {table.key}" for name, table in self.tables)

    def __repr__(self) -> str:
        return f"Compared({', '.join(f'{name}: {table!r}' for name, table in self.tables)})"


def refuse_together(calls: Sequence[Call]) -> None:
    """Raises TooLarge where one of some calls needs more memory than there is beside the results of the others."""
    calls = [*dict.fromkeys(call.normal() for call in calls)]
    for call in calls:
        call.refuse()
    needs = [need for call in calls if (need := call.need) is not None]
    if len(needs) > 1:
        most = sum(need.kept for need in needs) + max(need.bytes - need.kept for need in needs)
        what = _("{count} networks beside each other, those of pins among them,").format(count=len(needs))
        to_lower = N_("steps, batch_size or depth, compare fewer cells, or remove a pin")
        refuse_too_large(most, what, to_lower)


def chosen(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """The rows that a pandas query chooses. One that joins comparisons by `and` is applied as it stands: pandas' own
    reading of it takes longer than everything else that a page does with a table of this size."""
    comparisons = _comparisons(where)
    if comparisons is None:
        return table.query(where)
    mask = np.ones(len(table), bool)
    for column, compare, value in comparisons:
        mask &= compare(table[column].to_numpy(), value)
    return table[mask]


def chosen_parts(parts: Sequence[Part], where: str) -> list[Part] | None:
    """The parts whose rows a query chooses; None where it chooses none, or decides about single rows of a part."""
    if not where:
        return list(parts)
    comparisons = _comparisons(where)
    if comparisons is None or not all(name in part.same for part in parts for name, *_rest in comparisons):
        return None
    kept = [part for part in parts if all(compare(part.same[name], value) for name, compare, value in comparisons)]
    return kept or None


@lru_cache(maxsize=256)
def _comparisons(where: str) -> tuple[tuple[str, Callable[[Any, Any], Any], Any], ...] | None:
    """(column, comparison, value) of every part of a query; None where it is anything else."""
    body = ast.parse(where, mode="eval").body
    parts = body.values if isinstance(body, ast.BoolOp) and isinstance(body.op, ast.And) else [body]
    found = []
    for part in parts:
        match part:
            case ast.Compare(left=ast.Name(id=column), ops=[op], comparators=[ast.Constant(value=value)]) if (
                type(op) in COMPARISONS
            ):
                found.append((column, COMPARISONS[type(op)], value))
            case _:
                return None
    return tuple(found)


def each(
    function: Callable[Concatenate[Any, P], Any], subjects: Sequence[Subject], *arguments: P.args, **options: P.kwargs
) -> Iterator[Call]:
    """One call of a function for every subject."""
    frozen = _options(function, options)
    return (Call(function, (subject, *_positional(arguments)), frozen) for subject in subjects)


@lru_cache(maxsize=256)
def _parameters(function: Callable[..., Any]) -> Mapping[str, Any]:
    """Of a function's signature, which takes longer to read than a call's key to write."""
    return signature(function).parameters


def _share(progress: Progress | None, number: int, count: int) -> Progress | None:
    """The progress of one of several calls as a part of all."""
    return None if progress is None else lambda fraction: progress((number + fraction) / count)


def _options(function: Callable[..., Any], options: Mapping[str, Any]) -> tuple[tuple[str, Hashable], ...]:
    """Options as a part of a value. Raises TypeError for an option that the function does not have, and for arrays."""
    refuse_unknown_options(function.__name__, options, _parameters(function))
    return tuple((name, _frozen(name, value)) for name, value in options.items())


def _positional(arguments: Iterable[Any]) -> tuple[Hashable, ...]:
    """Positional arguments as a part of a value. Raises TypeError for arrays."""
    return tuple(_frozen(f"argument {number}", value) for number, value in enumerate(arguments))


def _frozen(name: str, value: Any) -> Any:
    """Lists as tuples, numpy's numbers as Python's: what `repr` writes is then the value."""
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return tuple(_frozen(name, part) for part in value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        raise TypeError(f"{name} is an array: a call is a value, pass a tuple of numbers")
    return value


def _public_name(thing: Any) -> str:
    """How a program that imports `gradlab` calls a function or a record of the analyses or of the training."""
    module = thing.__module__.removeprefix("gradlab.").removeprefix("analyses.").split(".")[0]
    return f"gradlab.{thing.__qualname__}" if thing.__name__ in AT_THE_TOP else f"gradlab.{module}.{thing.__qualname__}"


def code_of(value: Any) -> str:
    """A value without subjects as Python writes it: numbers, texts, records, calls, and lists and dicts of them."""
    return _literal(value, lambda subject: subject.code)


def _literal(value: Any, name: Callable[[Subject], str]) -> str:
    """A value as Python writes it."""
    if isinstance(value, Call):
        return value.code(name)
    if is_subject(value):
        return name(value)
    if hasattr(value, "_fields"):  # a record of ours
        fields = (f"{field}={_literal(part, name)}" for field, part in zip(value._fields, value, strict=True))
        return f"{_public_name(type(value))}({', '.join(fields)})"
    if isinstance(value, tuple | list):
        return f"[{', '.join(_literal(part, name) for part in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {_literal(part, name)}' for key, part in value.items())}}}"
    if isinstance(value, np.generic):
        return _literal(value.item(), name)
    if isinstance(value, float) and not isfinite(value):
        return f"float('{value}')"
    return repr(value)
