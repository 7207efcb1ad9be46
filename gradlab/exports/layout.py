"""How a picture is laid out: its width on paper, its type, its pixels, and what is written around the plot.

A chart is made for a screen, where its axes are labelled at 12 pixels (9 points). A picture of another width and type
is the same chart laid out at as many of its own pixels as leave the labels the size that is asked for, then scaled:
lines, gaps and every other text keep their proportions.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

SCREEN_PIXELS = 900  # of a chart that takes its width from its surroundings
PIXELS, POINTS = 96, 72  # an inch
LABEL_POINTS = 9.0  # 12 pixels
SCREEN, COLUMN, PAGE = SCREEN_PIXELS / PIXELS, 3.25, 6.75  # inches: one column and two of a conference's paper
LIMITS = {"width": (1.0, 20.0, "inches"), "font_size": (5.0, 24.0, "points"), "dpi": (36, 1200, "dots an inch")}
MOST_PIXELS = 12_000  # of a side


@dataclass(frozen=True)
class Layout:
    """How a picture is laid out. Raises ValueError for a value that is not allowed.

    width       inches
    font_size   of the labels of the axes, in points; other texts in proportion
    dpi         pixels an inch, of a PNG
    heading     whether title and subtitle stand above the plot
    powers      whether powers of ten are 10⁻⁵, and not 1e-5
    """

    width: float = SCREEN
    font_size: float = LABEL_POINTS
    dpi: float = 2 * PIXELS
    heading: bool = True
    powers: bool = True

    def __post_init__(self) -> None:
        for name, (low, high, unit) in LIMITS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise ValueError(f"{name} = {value!r} is not allowed: use {low:g} to {high:g} {unit}")
        if self.pixels > MOST_PIXELS:
            most = int(MOST_PIXELS / self.width)
            raise ValueError(
                f"dpi = {self.dpi:g} at width = {self.width:g} inches makes {self.pixels} pixels a line: at most "
                f"{MOST_PIXELS} are allowed, so use a dpi up to {most}"
            )

    @property
    def pixels(self) -> int:
        """A PNG's width."""
        return round(self.width * self.dpi)

    @property
    def scale(self) -> float:
        """Inches of the picture a pixel of the chart."""
        return self.font_size / LABEL_POINTS / PIXELS

    @property
    def chart_width(self) -> int:
        """The width at which the chart is laid out, in its own pixels."""
        return round(self.width / self.scale)

    @property
    def changes(self) -> str:
        """What differs from the default, as arguments in Python."""
        changed = [(field.name, getattr(self, field.name), field.default) for field in fields(self)]
        return ", ".join(f"{name}={value!r}" for name, value, default in changed if value != default)
