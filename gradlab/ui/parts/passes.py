"""Why addition wins: how often what arrives has passed U, what arrives, and where the gate that keeps rests."""

from gradlab.analyses.call import Call, Table
from gradlab.analyses.paths import decompose, lowest, mean_passes, passes_at, steps_by_way, summary
from gradlab.analyses.traces import LAST
from gradlab.charts.passes import bars
from gradlab.settings.subject import Subject
from gradlab.ui.frame.shown import Settings
from gradlab.ui.parts.totals import totals
from gradlab.ui.parts.view import Answer, Asked, Figure, View
from gradlab.words import paths as sentences
from gradlab.words.how_to_read import Words
from gradlab.words.languages import _


def compared(shared: Settings) -> list[Subject]:
    """The networks that stand beside the one examined, the control among them, and that one."""
    return [shared.of(name) for name in dict.fromkeys((*sentences.COMPARED, shared.one.settings.cell))]


def explained(shared: Settings) -> list[Subject]:
    """Those whose passes are counted."""
    return [*dict.fromkeys((shared.of("rnn"), shared.of("lstm_squashed"), shared.one))]


def work(shared: Settings) -> list[Subject]:
    """A subject for each trace that the view's work is about as long as."""
    return [*compared(shared), *3 * explained(shared), *3 * [shared.one]]


def direct(subject: Subject) -> Call:
    """The direct path of the last loss's gradient beside the whole."""
    return Call.of(decompose, subject, orders=0, losses=LAST).then(lowest).then(summary)


def view(asked: Asked, answer: Answer) -> View:
    """The mean number of passes over 100 steps, or over the longest lag there is, and the networks' gradients."""
    shared = asked.settings
    calls = [Call.of(mean_passes, subject, losses=LAST) for subject in explained(shared)]
    sentence = sentences.of_passes([answer(call.then(passes_at)) for call in calls])
    rows = Table.of(call.then(steps_by_way) for call in calls)
    drawn = Figure(bars, rows, Words("passes", _("How the gradient came back"), sentence, sentences.HOW_TO_READ_PASSES))
    networks = totals(compared(shared), shared.relative, "totals", answer)
    gate = sentences.resting_gate(shared.one, answer(direct(shared.one)))
    return View([drawn, networks], [sentence, networks.words.sentence, gate])
