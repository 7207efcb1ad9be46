"""A part of a page that is drawn again by itself makes no fragment within: the browser would lose the page."""

from streamlit.testing.v1 import AppTest


def page():
    from functools import partial

    import pandas as pd
    import streamlit as st

    from gradlab.analyses.call import Call, Table
    from gradlab.analyses.traces import trace
    from gradlab.charts.traces import lines
    from gradlab.settings.experiment import Experiment
    from gradlab.ui.frame import settings
    from gradlab.ui.frame.again import by_itself
    from gradlab.ui.parts.figure import figure
    from gradlab.words.how_to_read import Words

    settings.dark = lambda: False
    made = []
    fragment = st.fragment
    st.fragment = lambda *given, **options: made.append(given[0].__name__) or fragment(*given, **options)
    rows = Table.of(Call.of(trace, Experiment(steps=9, hidden_size=3)), "table")

    def drawn(title):
        figure(lines, rows, Words(title, "t", "s", "gradient norms"), export=False)

    for every in (None, 5.0):
        made.clear()
        by_itself(partial(drawn, f"norms {every}"), every)
        st.session_state[f"made {every}"] = pd.Series(made).tolist()
    st.fragment = fragment


def test_the_tools_of_a_figure_are_a_fragment_only_where_none_around_them_is_drawn_again_by_itself():
    app = AppTest.from_function(page, default_timeout=60).run()
    assert not app.exception
    assert app.session_state["made None"] == ["run", "_tools"]
    assert app.session_state["made 5.0"] == ["run"]
