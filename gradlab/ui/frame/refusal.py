"""What cannot be done, said on the page: the one place for a sentence that may hold what somebody typed."""

import streamlit as st

from gradlab.words.letters import printable


def refusal(title: str, sentence: str) -> None:
    """A title in red, and the sentence below it as it stands: `st.error` would read it as markdown."""
    with st.container(border=True):
        st.error(title)
        st.text(printable(sentence))
