"""The direct path: the parts of the gradient by path, its share by keep-gate bias, and textbook claims."""

from functools import partial

import streamlit as st

from gradlab.analyses.call import Call, Table
from gradlab.analyses.paths import Summary, decompose, direct_at_biases, lowest, summary, textbook
from gradlab.analyses.thinning import EvenSteps, Lines
from gradlab.analyses.traces import LAST, trace
from gradlab.charts import paths
from gradlab.settings.subject import Subject
from gradlab.ui.ask import ask, result
from gradlab.ui.parts.figure import figure
from gradlab.words import paths as sentences
from gradlab.words.how_to_read import Words
from gradlab.words.languages import _


def orders(subject: Subject, relative: bool) -> None:
    """Shares and norms of the parts, in words and two figures."""
    parts = Call.of(decompose, subject, orders=8, losses=LAST).then(lowest)
    st.caption(sentences.what_parts_are(subject))
    st.markdown(sentence := sentences.of_parts(result(parts.then(summary))))
    if "keep_bias" not in subject.unused():
        st.markdown(sentences.at_biases(ask(Table.of(Call.of(direct_at_biases, subject)))))
    words = Words("shares", _("Shares of the gradient by path"), sentence)
    draw = partial(paths.shares, cell=subject.settings.cell)
    figure(draw, Table.of(parts, where="path != 'total'"), words, EvenSteps())
    lines = Lines(("log10_relative",), ("path",))
    words = Words("parts", _("The gradient by path"), sentences.of_norms(result(parts.then(summary))))
    figure(partial(paths.parts, relative=relative), Table.of(parts), words, lines)


def claims(subject: Subject, found: Summary, rnn: Subject) -> None:
    """Each textbook sentence, with whether it holds."""
    judged = textbook(found, *(result(Call.of(trace, one)) for one in (subject, rnn)))
    for sentence in sentences.textbook(subject, found, judged):
        st.markdown(sentence)
