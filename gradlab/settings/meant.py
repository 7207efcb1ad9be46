"""What somebody may have meant who wrote a name that does not exist."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def refuse_unknown_options(function: str, options: Iterable[str], known: Iterable[str]) -> None:
    """Raises TypeError, naming the nearest option, for the first of `options` that a function does not have."""
    known = tuple(known)
    for name in options:
        if name not in known:
            raise TypeError(f"{function} has no option {name!r}{did_you_mean(name, known)}")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a refusal: the name that is nearest in spelling or has these initials (lr), else all of them."""
    known = tuple(known)
    close = get_close_matches(name, known, 1) or [one for one in known if _initials(one) == name.lower()]
    return f": did you mean {close[0]}?" if close else f": use {', '.join(known)}"


def _initials(name: str) -> str:
    return "".join(word[0] for word in name.split("_") if word)
