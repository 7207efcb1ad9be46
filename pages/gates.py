"""The state microscope: one unit in close-up, every unit's state and gates at every step, and saturation."""

from gradlab.analyses.call import Call, Table
from gradlab.analyses.paths import gate_statistics
from gradlab.analyses.thinning import Lines
from gradlab.charts import gates
from gradlab.ui.ask import ask, result
from gradlab.ui.frame import settings
from gradlab.ui.parts import following, pins
from gradlab.ui.parts import microscope as asked
from gradlab.ui.parts.figure import figure
from gradlab.ui.parts.section import section
from gradlab.words.how_to_read import Words
from gradlab.words.languages import _

one = settings.current().one
asked.choose(one)
with pins.below(compares=True):
    shown = following.of("gates")
    at, sentence = asked.place(shown.asked), shown.view.sentences[0]
    scope = result(at.call)
    shown.sentence(0)
    shown.sentence(1)
    for number in range(len(shown.view.figures)):
        shown.figure(number)
with section(_("Every unit at every step: click a row to look at its unit"), "gates_units") as is_open:
    if is_open:
        unit = scope.longest if at.unit is None else at.unit
        asked.maps(at, scope, unit)
where = f"layer == {scope.layer} and saturated_low >= 0"
with section(_("Where the gates stand: all units and sequences"), "gates_spread") as is_open:
    if is_open and len(ask(spread := Table.of(Call.of(gate_statistics, one), where=where))):
        words = Words("gates", _("Where the gates stand"), sentence)
        figure(gates.spread, spread, words, Lines(("median", "q05", "q95"), ("gate",), points=3000))
