"""What a page shows at one setting, as a value: its figures, sentences and cards, made by one function.

The page draws it, and a slider that moves gets it at its other stops (`following.py`), from the same function.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from gradlab.analyses.call import Call, Question
from gradlab.analyses.thinning import AllRows, Reduction
from gradlab.ui.frame.shown import Settings
from gradlab.ui.parts.drawing import Beside, Draw
from gradlab.ui.parts.figure import Width
from gradlab.words.how_to_read import Words
from gradlab.words.languages import SOURCE

V = TypeVar("V")
Answer = Callable[[Call], Any]  # what a call gives: `ask.result` in a page, `ask.answer` outside of one


class Asked(NamedTuple):
    """What a page's link names."""

    settings: Settings
    own: tuple[tuple[str, str], ...]  # settings of this page alone, as its link spells them
    dark: bool
    language: str = SOURCE

    def is_open(self, section: str) -> bool:
        """Whether a section of the page, which a page's own settings name by its key, is open."""
        return dict(self.own).get(section, "").lower() == "true"

    def one_of(self, name: str, options: Sequence[V], standard: V) -> V:
        """A setting of the page that is one of several values; the standard one where the link says another."""
        return {str(option): option for option in options}.get(dict(self.own).get(name, ""), standard)

    def number(self, name: str, most: int, standard: V) -> int | V:
        """A whole number from 0 to `most`, which is taken for a larger one."""
        text = dict(self.own).get(name, "")
        return min(int(text), most) if text.isdecimal() else standard


class Figure(NamedTuple):
    """A figure to be drawn, `figure`'s arguments; `draw` is a chart function `in_parts` or a partial of one.

    key    equal for figures of equal pictures alone, where a slider's stops have many of these in common: it is kept
    """

    draw: Draw
    question: Question
    words: Words
    reduction: Reduction = AllRows()
    beside: Beside = MappingProxyType({})
    width: Width = "stretch"
    key: Hashable = None


class View(NamedTuple):
    """What follows a slider."""

    figures: Sequence[Figure]
    sentences: Sequence[str]
    cards: Sequence[tuple[str, str, str]] = ()


Follower = Callable[[Asked, Answer], View]
Sliders = Callable[[Settings], Mapping[str, Sequence[Any]]]
