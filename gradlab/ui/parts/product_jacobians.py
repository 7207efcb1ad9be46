"""The page of product Jacobians: what becomes of every direction of the gradient, against lag."""

from gradlab.analyses.call import Call, Table
from gradlab.analyses.jacobians import farthest, singular_values_by_lag
from gradlab.charts.jacobians import stretches
from gradlab.settings.subject import Subject
from gradlab.ui.parts import pins
from gradlab.ui.parts.view import Answer, Asked, Figure, View
from gradlab.words.how_to_read import Words
from gradlab.words.jacobians import BLOCKS, HOW_TO_READ, TITLES, of_singular_values, size_of_block
from gradlab.words.languages import _

OF = "jacobians_of"  # the page's setting
PER_MILLISECOND = 1.2e8  # of the multiply-adds that are counted of the singular values, as measured


def milliseconds(subject: Subject) -> float:
    """About how long the singular values take."""
    return Call.of(singular_values_by_lag, subject).work / PER_MILLISECOND


def view(asked: Asked, answer: Answer) -> View:
    """The singular values of one subject, what they say, and the size of the matrix; and those of a pin."""
    one, name = asked.settings.one, asked.one_of(OF, list(BLOCKS), next(iter(BLOCKS)))
    call = Call.of(singular_values_by_lag, one, of=BLOCKS[name])
    sentence = of_singular_values(one, BLOCKS[name], answer(call.then(farthest)))
    words = Words("product Jacobians", _(TITLES[BLOCKS[name]]), sentence, HOW_TO_READ)
    figures, sentences = [Figure(stretches, Table.of(call), words)], [sentence, size_of_block(one, BLOCKS[name])]
    if (pinned := pins.of_one(asked.settings)) is None:
        return View(figures, sentences)
    other = Call.of(singular_values_by_lag, pinned.subject, of=BLOCKS[name])
    sentence = of_singular_values(pinned.subject, BLOCKS[name], answer(other.then(farthest)))
    return View(
        pins.both(figures, [Table.of(other)], pinned, [sentence]), [*sentences, f"**{pinned.pin.name}**: {sentence}"]
    )
