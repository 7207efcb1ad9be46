"""Results that show themselves in a notebook: `chart()`, and `_repr_html_`, which Jupyter asks for.

Analyses know nothing of charts. A result knows only that somebody draws it: the floor above says who, once, by
`drawn_by`, and it is loaded with the first picture.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Draws(Protocol):
    """What draws results: functions of a result, the first with options."""

    @property
    def chart(self) -> Callable[..., Any]: ...

    @property
    def html(self) -> Callable[[Any], str]: ...


_drawing: list[Callable[[], Draws]] = []  # one, from the package's first import on


def drawn_by(load: Callable[[], Draws]) -> None:
    """Says who draws results; `load` gives it when the first picture is asked for."""
    _drawing[:] = [load]


class Pictured:
    """A result that can be looked at."""

    def chart(self, **options: Any) -> Any:
        """The result as an Altair chart that answers the pointer; `gradlab.exports.save` keeps it as a file.

        title, subtitle    in place of the verdict and its rate
        width, height      pixels
        dark               for a dark page

        A notebook that shows the chart loads Vega from the network, unless `altair.renderers.enable("mimetype")` says
        that it has its own; the result's still picture, and files of `gradlab.exports`, load nothing.
        """
        return _drawing[0]().chart(self, **options)

    def _repr_html_(self) -> str:
        return _drawing[0]().html(self)
