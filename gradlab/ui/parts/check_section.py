"""The check: the engine beside autograd and finite differences on the current settings, with what passes."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from gradlab.analyses.call import Call
from gradlab.analyses.check import Checked, check
from gradlab.cells import CELLS
from gradlab.settings.subject import Subject
from gradlab.ui.ask import result


def draw(subjects: Sequence[Subject]) -> None:
    """A button, and after it the errors; the answer stays until a setting changes."""
    st.header("Are these numbers right?", anchor=False)
    st.markdown(
        "The engine's gradients are derived by hand. Here they are compared with PyTorch's autograd on the same "
        "network, and with finite differences of its loss."
    )
    asked = {"checked": subjects}
    st.button("Check the current settings", key="check", on_click=st.session_state.update, kwargs=asked)
    if st.session_state.get("checked") != subjects:
        return
    results = [result(Call.of(check, subject)) for subject in subjects]
    tables = [checked.table.assign(cell=CELLS[checked.size.cell].title) for checked in results]
    table = pd.concat(tables, ignore_index=True)
    failed = table[~table.passed]
    if failed.empty:
        st.success(f"All {len(table)} comparisons pass. {_compared(results)}")
    else:
        st.error(f"{len(failed)} of {len(table)} comparisons do not pass. {_compared(results)}")
    verdict = table.passed.map({True: "passes", False: "does not pass"})
    st.dataframe(
        table.assign(passed=verdict)[["cell", "passed", "largest_error", "allowed", "check", "quantity", "compared"]],
        hide_index=True,
        column_config={
            "check": "against",
            "largest_error": st.column_config.NumberColumn("largest relative error", format="scientific"),
            "allowed": st.column_config.NumberColumn(format="scientific"),
            "compared": st.column_config.NumberColumn("vectors compared", help="Layers, steps and sequences together."),
            "passed": "verdict",
        },
    )


def _compared(results: Sequence[Checked]) -> str:
    """On what the cells were checked: once where it is the same for all, else one sentence per cell."""
    if len({checked.sentence for checked in results}) == 1:
        return results[0].sentence
    return " ".join(f"{CELLS[checked.size.cell].title}: {checked.sentence}" for checked in results)
