"""What somebody may have meant who wrote a name that does not exist."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import wraps
from inspect import signature
from typing import ParamSpec, TypeVar

LONGEST = 60  # characters of what may mean a name; the search's time and memory grow with them

P = ParamSpec("P")
R = TypeVar("R")


def knows_its_options(function: Callable[P, R]) -> Callable[P, R]:
    """The function, which names the nearest option where it is called with an unknown one."""
    known = signature(function).parameters

    @wraps(function)
    def called(*arguments: P.args, **options: P.kwargs) -> R:
        refuse_unknown_options(function.__name__, options, known)
        return function(*arguments, **options)

    return called


def refuse_unknown_options(function: str, options: Iterable[str], known: Iterable[str]) -> None:
    """Raises TypeError, naming the nearest option, for the first of `options` that a function does not have."""
    known = tuple(known)
    for name in options:
        if name not in known:
            raise TypeError(f"{function} has no option {name!r}{did_you_mean(name, known)}")


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """The end of a refusal: the name that was meant, else all of them."""
    known = tuple(known)
    close = closest(name, known)
    return f": did you mean {close}?" if close else f": use {', '.join(known)}"


def closest(name: object, known: Iterable[str]) -> str | None:
    """The name that is nearest in spelling, in whatever case, or has these initials (lr); None where none is near."""
    if not isinstance(name, str) or len(name) > LONGEST:
        return None
    spelt = {word.lower(): word for word in known}
    near = get_close_matches(name.lower(), spelt, 1) or [word for word in spelt if _initials(word) == name.lower()]
    return spelt[near[0]] if near else None


def _initials(name: str) -> str:
    return "".join(word[0] for word in name.split("_") if word)
