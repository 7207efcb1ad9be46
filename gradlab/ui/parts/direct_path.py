"""Sentences on the direct path: its half-life, its share by forget bias, and textbook claims."""

from typing import Any

import streamlit as st

from gradlab.analyses.call import Call, Table
from gradlab.analyses.paths import Summary, direct_at_biases, textbook
from gradlab.analyses.traces import trace
from gradlab.settings.subject import Subject
from gradlab.ui.ask import ask, result
from gradlab.words import paths as sentences


def say(place: Any, subject: Subject, summary: Summary) -> None:
    """What the parts come to, here; where the forget bias puts the gate, in a place at the page's top."""
    place.markdown(sentences.resting_gate(subject, summary))
    st.caption(sentences.what_parts_are(subject))
    st.markdown(sentences.of_parts(summary))
    if "forget_bias" not in subject.unused():
        st.markdown(sentences.at_biases(ask(Table.of(Call.of(direct_at_biases, subject)))))


def claims(subject: Subject, summary: Summary, rnn: Subject) -> None:
    """Each textbook sentence, with whether it holds."""
    st.subheader("Textbook claims, at these settings", anchor=False)
    judged = textbook(summary, *(result(Call.of(trace, one)) for one in (subject, rnn)))
    for sentence in sentences.textbook(subject, summary, judged):
        st.markdown(sentence)
