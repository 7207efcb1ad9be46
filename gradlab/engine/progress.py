"""Progress of long work: how it is reported, and how it aborts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# Called with the fraction done, about ten times a second; an exception it raises aborts the work and is passed on.
Progress = Callable[[float], None]


def silent(fraction: float) -> None:
    """A Progress that reports to nobody."""


def part_of(progress: Progress, begin: float, end: float) -> Progress:
    """The Progress of a part that spans `begin` to `end` of the whole."""
    return lambda fraction: progress(begin + (end - begin) * fraction)


def _nobody() -> None:
    """Nothing can stop the work."""


_stop: ContextVar[Callable[[], None]] = ContextVar("stop", default=_nobody)


@contextmanager
def stopped_by(stop: Callable[[], None]) -> Iterator[None]:
    """What runs inside, in this thread, is aborted by an exception that `stop` raises at its next `checkpoint`."""
    token = _stop.set(stop)
    try:
        yield
    finally:
        _stop.reset(token)


def checkpoint() -> None:
    """A place where work that has no progress to report may be aborted: between layers, gates, lines of a table."""
    _stop.get()()
