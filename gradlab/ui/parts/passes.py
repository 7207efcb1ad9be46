"""How often what arrives has passed U: a sentence and one bar per cell."""

from collections.abc import Sequence

import streamlit as st

from gradlab.analyses.call import Call, Table
from gradlab.analyses.paths import mean_passes, passes_at, steps_by_way
from gradlab.analyses.traces import LAST
from gradlab.charts.passes import bars
from gradlab.settings.subject import Subject
from gradlab.ui.ask import result
from gradlab.ui.parts.figure import figure
from gradlab.words import paths as sentences
from gradlab.words.how_to_read import Words


def draw(subjects: Sequence[Subject]) -> None:
    """The mean number of passes over 100 steps, or over the longest lag there is."""
    calls = [Call.of(mean_passes, subject, losses=LAST) for subject in dict.fromkeys(subjects)]
    sentence = sentences.of_passes([result(call.then(passes_at)) for call in calls])
    st.markdown(sentence)
    rows = Table.of(call.then(steps_by_way) for call in calls)
    figure(bars, rows, Words("passes", "How the gradient came back", sentence, sentences.HOW_TO_READ_PASSES))
