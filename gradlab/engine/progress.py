"""How long work says how far it is, and how it is aborted."""

from collections.abc import Callable

# Called with the fraction done, about ten times a second; an exception it raises aborts the work and is passed on.
Progress = Callable[[float], None]


def silent(fraction: float) -> None:
    """The Progress of work that nobody watches."""


def part_of(progress: Progress, begin: float, end: float) -> Progress:
    """The Progress of a part, which is from `begin` to `end` of the whole."""
    return lambda fraction: progress(begin + (end - begin) * fraction)
