"""What would help a gradient that vanishes: changes computed on this very network, one click away."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from gradlab.analyses.call import Call
from gradlab.analyses.changes import changes
from gradlab.analyses.diagnosis import diagnose
from gradlab.analyses.traces import trace
from gradlab.settings.subject import Subject
from gradlab.ui.ask import result
from gradlab.ui.frame import pinned, settings
from gradlab.ui.parts.section import section
from gradlab.words.languages import _
from gradlab.words.remedies import NONE, before, remedy


def draw(subjects: Sequence[Subject], places: Sequence[Any], page: str) -> None:
    """A section under each card whose verdict is vanishing, in the card's place; its key begins with the page."""
    why_not = pinned.why_not_before(settings.current())
    for subject, place in zip(subjects, places, strict=True):
        if result(Call.of(trace, subject).then(diagnose)).verdict != "vanishing":
            continue
        cell = subject.settings.cell
        with place, section(_("Try on this network"), f"{page}_remedies_{cell}") as is_open:
            if not is_open:
                continue
            found = result(Call.of(changes, subject))
            if found.empty:
                st.caption(_(NONE))
            for number, row in found.iterrows():
                key, act, said = f"{page} remedy {cell} {number}", pinned.change, before(why_not)
                st.button(remedy(row), key=key, on_click=act, args=(row["change"],), help=said, width="stretch")
