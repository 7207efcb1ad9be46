"""The gallery of sequence types: one small unrolled network each, a button that chooses it, and the chosen network."""

from functools import partial

import streamlit as st

from gradlab.analyses.call import Call, Table
from gradlab.analyses.paths import diagram
from gradlab.charts.axes import decades_domain
from gradlab.charts.unrolled import network
from gradlab.settings.subject import Subject
from gradlab.ui.ask import ask, result
from gradlab.ui.parts.figure import figure
from gradlab.words.how_to_read import Words
from gradlab.words.numbers import counted
from gradlab.words.sequences import KINDS, Kind, kind_of, type_name

STEPS, MOST_STEPS = 5, 12  # of a small diagram; of the large one


def draw(subject: Subject) -> None:
    """The types, over a few steps of one subject; colours are on one scale."""
    short = [_example(subject, kind) for kind in KINDS]
    calls = [Call.of(diagram, example, most=STEPS) for example in short]
    questions = [Table.of(call, "edges") for call in calls]
    domain = decades_domain([ask(question)["log10_relative"] for question in questions])
    places = st.columns(len(KINDS))
    for column, kind, example, call, rows in zip(places, KINDS, short, calls, questions, strict=True):
        with column.container(border=True, height="stretch"):
            small = partial(network, domain=domain, steps=result(call).steps, small=True)
            words = Words(
                f"small {kind.loss}",
                kind.name,
                f"{kind.task}, over {counted(example.settings.steps, 'step')}",
                "unrolled network",
            )
            figure(small, rows, words, tools=False)
            st.markdown(f"**{kind.name}**  \n:small[{kind.task}]")
            is_shown = kind == kind_of(subject)
            st.button(
                "Shown below" if is_shown else "Show",
                key=f"show {kind.loss}",
                disabled=is_shown,
                on_click=st.session_state.update,
                kwargs={"loss": kind.loss},
                width="stretch",
            )


def chosen(subject: Subject, sentence: str) -> None:
    """The subject's own unrolled network."""
    call = Call.of(diagram, subject, most=MOST_STEPS)
    words = Words("unrolled network", type_name(subject), sentence)
    st.header(words.title, anchor=False)
    figure(partial(network, steps=result(call).steps), Table.of(call, "edges"), words)


def _example(subject: Subject, kind: Kind) -> Subject:
    """A subject as this type, over a few steps."""
    return subject.replace(loss=kind.loss, objective="direction", reads=None, writes=None).shortened(STEPS)
