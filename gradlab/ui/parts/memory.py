"""The page of the curse of memory: one slider, λ, and the sensitivity of both parametrizations."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from gradlab.analyses.call import Call, Table
from gradlab.analyses.remembering import VARIANCE, curse_and_remedy
from gradlab.charts.memory import sensitivities
from gradlab.ui.frame import linked
from gradlab.ui.frame.shown import Settings
from gradlab.ui.parts.view import Answer, Asked, Figure, View
from gradlab.words import memory as words
from gradlab.words.how_to_read import Words
from gradlab.words.languages import _

EIGENVALUE = "memory_eigenvalue"
EIGENVALUES = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
AT_FIRST = 0.99
SEQUENCES = 100  # over which the means are measured


def choose() -> None:
    """The one weight."""
    label = _("Weight λ of the unit on its old state")
    linked.select_slider(label, EIGENVALUES, AT_FIRST, key=EIGENVALUE, help="h′ = λ h + x")


def sliders(shared: Settings) -> Mapping[str, Sequence[Any]]:
    """Its stops."""
    return {EIGENVALUE: EIGENVALUES}


def view(asked: Asked, answer: Answer) -> View:
    """Both sensitivities at every stop, measured and by the formula; what they are at the slider's."""
    chosen = asked.one_of(EIGENVALUE, EIGENVALUES, AT_FIRST)
    call = Call.of(curse_and_remedy, EIGENVALUES, sequences=SEQUENCES)
    sentences = words.of_curse(answer(call), chosen), words.of_remedy(answer(call), chosen)
    text = Words("curse of memory", _("The curse of memory"), " ".join(sentences), words.HOW_TO_READ)
    rows = Table.of(call, where=f"quantity != {VARIANCE!r}")
    return View([Figure(partial(sensitivities, at=chosen), rows, text)], sentences)
