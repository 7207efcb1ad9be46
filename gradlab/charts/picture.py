"""A picture in two: the rows that change with a setting, and how they are drawn, which stays.

A chart function that is marked `@in_parts(parts)` draws the `Picture` that `parts` gives of the same arguments. A page
that follows a slider sends the picture's rows and domains alone; its specification, which takes altair longer to make
than the rows take, is made once for each look (`gradlab.charts.arriving`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import altair as alt
import pandas as pd

from gradlab.charts import theme
from gradlab.charts.axes import Domain
from gradlab.words.languages import current, speaking

F = TypeVar("F", bound=Callable[..., Any])
Rows = Mapping[str, Any]  # tables by dataset, or names in their places
Domains = Mapping[str, Domain]


@dataclass(frozen=True)
class Picture:
    """What a chart draws, and how.

    layers      makes the chart's layers of rows, domains and look. Rows may be names and domains signals: what of the
                picture some rows have and others not it asks `has`, not the rows
    look        what decides how it is drawn beside rows and domains: equal looks have equal specifications
    rows        every row that is drawn, by dataset
    domains     of axes and colours, by name; "lags" is the mirror image of "steps"
    held        the domains that only widen while a slider moves
    height      pixels
    """

    layers: Callable[[Rows, Domains, Any], list[alt.Chart]]
    look: Hashable
    rows: Mapping[str, pd.DataFrame]
    domains: Mapping[str, Sequence[float]]
    dark: bool
    height: int
    held: tuple[str, ...] = ()
    two_x_axes: bool = False
    two_y_axes: bool = False
    side: int | None = None  # pixels of a square one, which does not stretch
    of_window: str = ""  # its height on a page that follows, as Vega's expression of the window's size; "": `height`
    language: str = field(default_factory=current)  # of the texts that the layers have: that in which it was made

    def chart(
        self, title: str = "", subtitle: str = "", width: int | str = "container", height: int | None = None
    ) -> alt.LayerChart:
        """The chart with its rows in it."""
        return self._finished(self.rows, self.domains, title, subtitle, width, height)

    def without_rows(self, domains: Domains) -> alt.LayerChart:
        """The chart of its look: datasets are named, domains are signals."""
        return self._finished({name: alt.NamedData(name) for name in self.rows}, domains, "", "", "container", None)

    @property
    def zooms(self) -> bool:
        """Whether a drag zooms into its steps where it follows: of lines over steps, with lags above them."""
        return {"steps", "lags"} <= set(self.domains)

    @property
    def columns(self) -> dict[str, tuple[str, ...]]:
        """The columns of every dataset."""
        return {name: tuple(map(str, table.columns)) for name, table in self.rows.items()}

    @property
    def key(self) -> Hashable:
        """Equal for pictures of equal specifications alone."""
        axes = (self.two_x_axes, self.two_y_axes, tuple(self.domains))
        frame = (self.dark, self.height, self.held, self.side, self.of_window, axes)
        drawn = self.layers.__module__, self.layers.__qualname__, self.look, tuple(self.columns.items())
        return *drawn, frame, self.language

    def _finished(
        self, rows: Rows, domains: Domains, title: str, subtitle: str, width: int | str, height: int | None
    ) -> alt.LayerChart:
        with speaking(self.language):
            layers = self.layers(rows, domains, self.look)
        if self.side is not None:
            return theme.finished(layers, title, subtitle, self.dark, self.side, self.side, autosize="pad")
        height = height or self.height
        two = self.two_x_axes, self.two_y_axes
        return theme.finished(layers, title, subtitle, self.dark, width, height, two_x_axes=two[0], two_y_axes=two[1])


PARTS: dict[Callable[..., Any], Callable[..., Picture]] = {}  # of every marked chart function


def has(rows: Any) -> bool:
    """Whether there is something to draw, or may be at another setting."""
    return not isinstance(rows, pd.DataFrame) or not rows.empty


def in_parts(parts: Callable[..., Picture]) -> Callable[[F], F]:
    """Marks a chart function: it draws the picture that `parts` gives of the same table and options."""

    def mark(draw: F) -> F:
        PARTS[draw] = parts
        return draw

    return mark


def picture_of(draw: Callable[..., Any], rows: pd.DataFrame, **options: Any) -> Picture:
    """The picture that a marked chart function, or a partial of one, draws of some rows."""
    if isinstance(draw, partial):
        return picture_of(draw.func, rows, **{**draw.keywords, **options})
    return PARTS[draw](rows, **options)
