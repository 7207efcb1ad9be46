"""Progress of long work: how it is reported, and how it aborts."""

from collections.abc import Callable

# Called with the fraction done, about ten times a second; an exception it raises aborts the work and is passed on.
Progress = Callable[[float], None]


def silent(fraction: float) -> None:
    """A Progress that reports to nobody."""


def part_of(progress: Progress, begin: float, end: float) -> Progress:
    """The Progress of a part that spans `begin` to `end` of the whole."""
    return lambda fraction: progress(begin + (end - begin) * fraction)
