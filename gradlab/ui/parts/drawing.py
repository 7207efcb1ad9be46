"""A chart as a value: what draws it, of which question's rows, and what it takes beside them.

It draws the screen's rows, a picture of every row, and writes itself as the lines of a program that make the picture.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import partial
from typing import Any

import pandas as pd

import gradlab
from gradlab.analyses.call import Call, Question, code_of
from gradlab.analyses.thinning import AllRows, Reduction
from gradlab.charts.picture import Picture, picture_of
from gradlab.exports import experiments_code
from gradlab.ui.ask import Rows, every_part
from gradlab.words.languages import SOURCE, current, speaking

Draw = Callable[..., Any]  # (rows, dark=…, and each name of `beside`) -> chart
Beside = Mapping[str, Callable[[pd.DataFrame], Any] | Rows | Call]  # what is made of the rows, or of another question


@dataclass(frozen=True)
class Drawing:
    """A chart of a question's rows.

    draw        a function of gradlab.charts, or a `partial` of one
    reduction   fewer rows for the screen, and for pictures that leave it
    beside      what the chart takes beside the rows: what a function makes of those drawn (the places of labels, say),
                or of them and other `Rows` as a `partial`; the `Rows` of another question; the result of a call
    taken       what draws pictures that leave the screen, where that is not `draw`
    language    of the chart's texts: that which is spoken where the drawing is made
    """

    draw: Draw
    question: Question
    reduction: Reduction = field(default_factory=AllRows)
    beside: Beside = field(default_factory=dict)
    taken: Draw | None = None
    language: str = field(default_factory=current)

    def key(self, dark: bool) -> str | None:
        """Equal for equal charts on the screen alone; None where the rows still change."""
        if (asked := self.question.key) is None:
            return None
        drawn = replace(self, taken=None)  # and not as it leaves the screen
        return f"{asked}\n{drawn.code(dark)}"

    def on_screen(self, rows: pd.DataFrame, dark: bool) -> Any:
        """The chart of the screen's rows."""
        return self._chart(self.draw, rows, dark, lambda other: other.asked())

    def in_parts(self, rows: pd.DataFrame, dark: bool) -> Picture:
        """The chart of the screen's rows as its rows and how they are drawn; of functions that are so marked."""
        return self._chart(partial(picture_of, self.draw), rows, dark, lambda other: other.on_screen())

    def picture(self, dark: bool) -> Any:
        """The chart of every row, or of as many as a picture holds."""
        rows = self.reduction.taken(every_part(self.question))
        return self._chart(self.taken or self.draw, rows, dark, lambda other: other.taken())

    def _chart(self, draw: Draw, rows: pd.DataFrame, dark: bool, made: Callable[[Rows], pd.DataFrame]) -> Any:
        def value(what: Any) -> Any:
            match what:
                case Rows():
                    return made(what)
                case Call():
                    return what.result()
                case partial():
                    return what.func(*map(value, what.args), rows, **what.keywords)
            return what(rows) if callable(what) else what

        with speaking(self.language):
            return draw(rows, dark=dark, **{name: value(what) for name, what in self.beside.items()})

    def code(self, dark: bool) -> str:
        """Lines of Python that make `chart` of `table`, both as a program calls them."""
        draw, others = _without(self.taken or self.draw, self.beside), list(_others(self.beside.values()))
        lines, names = [], {id(other): f"beside_{number}" for number, other in enumerate(others, 1)}
        for number, other in enumerate(others, 1):
            listed = f"experiments_{number}"
            constants = ", ".join(f"{name}={value!r}" for name, value in other.constants)
            assigned = f".assign({constants})" if constants else ""
            rows = _reduced(other.reduction, other.question.code_of(listed))
            lines += [experiments_code(other.question.subjects, listed), f"{names[id(other)]} = {rows}{assigned}"]
        rows = "table"
        if not isinstance(self.reduction, AllRows):
            lines.append(f"rows = {_reduced(self.reduction, 'table')}")
            rows = "rows"
        beside = [
            f"{name}={_applied(what, [rows], names) if callable(what) else _written(what, names)}"
            for name, what in self.beside.items()
        ]
        chart = f"chart = {_applied(draw, [rows, f'dark={dark}', *beside], names)}"
        if self.language != SOURCE:
            chart = f"with gradlab.words.languages.speaking({self.language!r}):\n    {chart}"
        return "\n".join([*lines, chart])


def _without(draw: Draw, names: Collection[str]) -> Draw:
    """A `partial` without the options of some names, which others take the place of."""
    if not isinstance(draw, partial):
        return draw
    return partial(draw.func, *draw.args, **{name: value for name, value in draw.keywords.items() if name not in names})


def _others(beside: Iterable[Any]) -> Iterator[Rows]:
    for what in beside:
        values = what.args if isinstance(what, partial) else (what,)
        yield from (value for value in values if isinstance(value, Rows))


def _applied(function: Any, arguments: list[str], names: Mapping[int, str]) -> str:
    """A call of a function, or of a `partial`, as Python writes it."""
    inner = function if isinstance(function, partial) else partial(function)
    written = [_written(value, names) for value in inner.args] + arguments
    written += [f"{name}={_written(value, names)}" for name, value in inner.keywords.items()]
    return f"{_name(inner.func)}({', '.join(written)})"


def _name(function: Any) -> str:
    """How a program calls a function: by a module of the package's top where there is one."""
    module = function.__module__
    public = module.removeprefix("gradlab.analyses.").split(".")[0]
    return f"{f'gradlab.{public}' if public in gradlab.MODULES else module}.{function.__qualname__}"


def _written(value: Any, names: Mapping[int, str]) -> str:
    """A value as Python writes it."""
    match value:
        case Rows():
            return names[id(value)]
        case pd.DataFrame():
            columns = {str(name): value[name].tolist() for name in value.columns}
            return f"pd.DataFrame({code_of(columns)})"
        case pd.Series():
            return f"pd.Series({code_of(value.tolist())}, {code_of(value.index.tolist())})"
        case _:
            return code_of(value)


def _reduced(reduction: Reduction, table: str) -> str:
    return table if isinstance(reduction, AllRows) else f"{_reduction(reduction)}.taken({table})"


def _reduction(value: Any) -> str:
    """A reduction as Python writes it, what is at its default left out."""
    if not is_dataclass(value):
        return code_of(value)
    own = [field for field in fields(value) if getattr(value, field.name) != field.default]
    kind, options = type(value), [f"{field.name}={_reduction(getattr(value, field.name))}" for field in own]
    return f"{kind.__module__}.{kind.__qualname__}({', '.join(options)})"
