"""Trained networks that the pages outside Train show in place of drawn ones: of this tab alone, in no link.

While some are open, the sidebar asks for what their weights leave open; the pages get them from `settings.current()`.
"""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from gradlab.settings.experiment import Experiment
from gradlab.settings.subject import Subject
from gradlab.settings.trained import OPEN, Trained
from gradlab.settings.watched import Watched
from gradlab.training import Run, example
from gradlab.ui.frame import shelf, visit
from gradlab.ui.kept import bytes_of
from gradlab.words.languages import _
from gradlab.words.numbers import listed

Network = Trained | Watched
LEARN = ("training", "character_model")  # pages that train what the sidebar says
SEQUENCES = 8  # as many as a drawn network reads by default
YOURS = "your_network"  # which shows an example where nothing is open


def decided(page: str) -> frozenset[str]:
    """Settings that a page does not ask for, since what is open decides them."""
    return frozenset(Experiment.model_fields) - {*OPEN} | {"cells"} if networks(page) else frozenset()


def networks(page: str) -> tuple[Network, ...]:
    """What a page shows instead of drawn networks; nothing where none is open, or the example on its own page."""
    if page in LEARN:
        return ()
    opened = st.session_state.get("opened", ())
    return (yours() or opened or (example(),)) if page == YOURS else opened


def yours() -> tuple[Network, ...]:
    """What a visitor brought: on its own page until it is opened on every one."""
    return st.session_state.get("yours", ())


def take(networks: Sequence[Network]) -> None:
    """Networks that a visitor brings, in the place of those before; none of them takes them away."""
    brought = tuple(networks)
    if not brought:
        shelf.forget("yours")
        return
    shelf.keep("yours", brought, bytes_of([network.weights for network in brought]))
    st.session_state.update(_of_settings(brought[0].settings))


def open_runs(runs: Sequence[Run]) -> None:
    """Opens the present weights of runs, and sets the shared sequence and loss to theirs."""
    open_networks(tuple(run.trained for run in runs if run.diverged is None))


def open_networks(trained: Sequence[Network]) -> None:
    """Opens networks with their data, and sets the shared sequence and loss to theirs."""
    trained = tuple(trained)
    close()
    fits = shelf.keep("opened", trained, bytes_of([network.weights for network in trained]))
    st.session_state["kept opened"] = shelf.SAID if fits else shelf.TOO_LARGE
    chosen = _of_settings(trained[0].settings)
    titles = [network.title for network in trained]
    examined = st.session_state["settings"].one.title
    chosen["one_cell"] = min(titles, key=lambda title: title != examined)
    address = visit.current().address  # of settings that no page has asked for yet
    before = {name: getattr(address, name) for name in chosen if name != "one_cell"} | {"one_cell": examined}
    before |= {name: st.session_state[name] for name in chosen if name in st.session_state}
    shelf.keep("before opening", before, bytes_of(before))
    st.session_state.update(chosen)


def _of_settings(settings: Experiment) -> dict[str, Any]:
    """The shared sequence and loss that show a network as it came."""
    chosen = {name: getattr(settings, name) for name in OPEN if name != "seed"}
    return chosen | {"batch_size": min(settings.batch_size, SEQUENCES)}


def close() -> None:
    """Back to drawn networks, and to the settings that were there before."""
    shelf.forget("opened")
    before = st.session_state.get("before opening", {})
    shelf.forget("before opening")
    st.session_state.update(before)


def with_settings(network: Network, shared: Experiment) -> Network:
    """A trained network under what the visitor has set."""
    return network.under(shared)


def with_cell(subject: Subject, cell: str) -> Subject:
    """Another cell under the same settings; beside a trained one, on the same task before any update."""
    if isinstance(subject, Watched):
        return subject.with_cell(cell)
    if not isinstance(subject, Trained):
        return subject.replace(cell=cell)
    weights = subject.weights
    return with_settings(Run(weights.experiment.replace(cell=cell), weights.task).trained, subject.settings)


def notice(first: Any) -> None:
    """On every page: what is open, that it is of this session alone, a first page to look at, and the way back."""
    trained = st.session_state.get("opened", ())
    if not trained:
        return
    names, kept = listed([run.title for run in trained]), st.session_state.get("kept opened", shelf.SAID)
    with st.container(border=True, key="opened notice"):
        text = _(
            "**Outside Train, every page shows the opened {names}**: {origin}.  \n:small[{kept} A copied link has the "
            "settings, not the weights. A cell that was not trained beside them is shown with initial weights.]"
        )
        st.markdown(text.format(names=names, origin=trained[0].origin, kept=_(kept)))
        with st.container(horizontal=True, vertical_alignment="center"):
            st.page_link(first)
            st.button(_("Back to the initial weights"), key="close opened", on_click=close)
