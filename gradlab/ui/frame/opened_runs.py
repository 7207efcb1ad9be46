"""Trained networks that the pages outside Train show in place of drawn ones: of this tab alone, in no link.

While some are open, the sidebar asks for what their weights leave open; the pages get them from `settings.current()`.
"""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from gradlab.settings.experiment import Experiment
from gradlab.settings.losses import LOSSES
from gradlab.settings.subject import Subject
from gradlab.settings.trained import Trained
from gradlab.training import Run
from gradlab.ui.frame import shelf
from gradlab.ui.kept import bytes_of
from gradlab.words.numbers import listed

LEARN = ("training", "character_model")  # pages that train what the sidebar says
SEQUENCES = 8  # as many as a drawn network reads by default
OPEN = (
    "steps", "batch_size", "loss", "loss_step", "loss_steps", "reads", "writes", "truncation", "k1", "k2", "seed",
)  # fmt: skip


def decided(page: str) -> frozenset[str]:
    """Settings that a page does not ask for, since what is open decides them."""
    return frozenset(Experiment.model_fields) - {*OPEN} | {"cells"} if networks(page) else frozenset()


def networks(page: str) -> tuple[Trained, ...]:
    """What a page shows instead of drawn networks; nothing where none is open."""
    return () if page in LEARN else st.session_state.get("opened", ())


def open_runs(runs: Sequence[Run]) -> None:
    """Opens the present weights of runs, and sets the shared sequence and loss to theirs."""
    trained = tuple(run.trained for run in runs if run.diverged is None)
    close()
    fits = shelf.keep("opened", trained, bytes_of([run.weights.layers for run in trained]))
    st.session_state["kept opened"] = shelf.SAID if fits else shelf.TOO_LARGE
    settings = trained[0].settings
    chosen = {name: getattr(settings, name) for name in OPEN if name != "seed"}
    chosen["batch_size"] = min(settings.batch_size, SEQUENCES)
    titles = [run.title for run in trained]
    examined = st.session_state["settings"].one.title
    chosen["one_cell"] = min(titles, key=lambda title: title != examined)
    before = {name: st.session_state[name] for name in chosen if name in st.session_state}
    shelf.keep("before opening", before, bytes_of(before))
    st.session_state.update(chosen)


def close() -> None:
    """Back to drawn networks, and to the settings that were there before."""
    shelf.forget("opened")
    before = st.session_state.get("before opening", {})
    shelf.forget("before opening")
    st.session_state.update(before)


def with_settings(network: Trained, shared: Experiment) -> Trained:
    """A trained network under what the visitor has set: the settings that its weights leave open."""
    objective = "direction" if LOSSES[shared.loss].needs_states else network.weights.experiment.objective
    return network.replace(objective=objective, **{name: getattr(shared, name) for name in OPEN})


def with_cell(subject: Subject, cell: str) -> Subject:
    """Another cell under the same settings; beside a trained one, on the same task before any update."""
    if not isinstance(subject, Trained):
        return subject.replace(cell=cell)
    weights = subject.weights
    return with_settings(Run(weights.experiment.replace(cell=cell), weights.task).trained, subject.settings)


def notice(first: Any) -> None:
    """On every page: what is open, that it is of this session alone, a first page to look at, and the way back."""
    trained = st.session_state.get("opened", ())
    if not trained:
        return
    weights = trained[0].weights
    names, kept = listed([run.title for run in trained]), st.session_state.get("kept opened", shelf.SAID)
    with st.container(border=True, key="opened notice"):
        st.markdown(
            f"**Outside Train, every page shows the trained {names}**: update {weights.updates} of "
            f"{weights.task.title}, on batches of the task.  \n:small[{kept} A copied link has the settings, not the "
            "weights. A cell that was not trained beside them is shown with initial "
            "weights.]"
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            st.page_link(first)
            st.button("Back to the initial weights", key="close opened", on_click=close)
