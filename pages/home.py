"""The opening picture: the same input through each cell, and how much of the gradient is left at every step."""

from functools import partial

from gradlab.analyses.call import Table, each
from gradlab.analyses.thinning import Lines, line_ends
from gradlab.analyses.traces import trace
from gradlab.charts.traces import opening
from gradlab.ui.frame import settings
from gradlab.ui.parts import live
from gradlab.ui.parts.cards import cards, traces_of
from gradlab.ui.parts.figure import figure
from gradlab.words import flow
from gradlab.words.how_to_read import Words

shared = settings.current()
traces = traces_of(shared.subjects)
sentence = flow.opening(traces)
rows = Table.of(each(trace, shared.subjects), "table", "layer == 0 and state == 'h'")

live.sentence(sentence)
draw = partial(opening, relative=shared.relative, marks=flow.marks(traces))
words = Words("gradient norms", f"Gradient norms: {flow.names(traces)}", sentence)
figure(draw, rows, words, Lines(), beside={"ends": partial(line_ends, relative=shared.relative)}, follows="home")
cards(shared.subjects, [settings.aside() for _ in traces])
