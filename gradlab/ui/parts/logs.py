"""Logs of `gradlab.watch`, followed from the server's folder or uploaded, and the place where files are opened.

What is uploaded is of this session alone. Which folder, the server's environment says (`GRADLAB_LOGS`); without it
none is read, whatever a visitor asks for.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from gradlab.charts.logs import by_update
from gradlab.settings.watched import Watched
from gradlab.ui.frame import language, opened_runs, settings
from gradlab.ui.frame.again import by_itself
from gradlab.ui.frame.refusal import refusal
from gradlab.ui.parts import uploads
from gradlab.ui.parts.figure import show
from gradlab.watching import folder, network
from gradlab.watching.log import Log, Records, log_of, records, records_of
from gradlab.words import checkpoints
from gradlab.words import logs as words
from gradlab.words.languages import _, current, speaking

EVERY = 2.0  # seconds
BROKEN = (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError)  # of a file that anybody wrote
FOLLOWED, UPLOADED, PROBLEM = "followed logs", "uploaded logs", "log problem"


def logs_folder() -> Path | None:
    """The folder whose logs may be followed."""
    name = os.environ.get("GRADLAB_LOGS", "")
    return Path(name) if name else None


def choose() -> None:
    """What is followed, and the place to upload a log or the network beside one."""
    where = logs_folder()
    left, right = st.columns([2, 1], vertical_alignment="bottom")
    with left:
        if where is None:
            st.caption(_(words.NO_FOLDER))
        else:
            listed, followed = folder.names(where), st.session_state.get(FOLLOWED, ())
            st.multiselect(
                _("Follow a log"), listed, [name for name in followed if name in listed], key="logs chosen",
                on_change=_follow, placeholder=_("none of the folder yet") if not listed else _("choose a log"),
            )  # fmt: skip
    with right, st.popover(_("Open weights, or a log"), width="stretch"):
        st.caption(_(checkpoints.HOW))
        st.file_uploader(
            _("Weights, or a log of gradlab.watch and the network beside it"), ["jsonl", *uploads.WEIGHTS],
            accept_multiple_files=True, key="logs uploaded", on_change=_upload,
        )  # fmt: skip
        uploads.choose_data()
    if problem := st.session_state.pop(PROBLEM, ""):
        refusal(_("This cannot be opened"), problem)


def draw() -> None:
    """What is followed, read again every two seconds, and what was uploaded."""
    where = logs_folder()
    followed = st.session_state.get(FOLLOWED, ()) if where is not None else ()
    uploaded: dict[str, Log] = st.session_state.get(UPLOADED, {})
    if not followed and not uploaded:
        return

    spoken = current()

    def part() -> None:
        found = dict(uploaded)
        for name in followed:
            if (log := _read(where, name)) is not None:
                found[name] = log
        with speaking(spoken):  # a fragment is drawn again without its page
            _show(found)

    by_itself(part, EVERY if followed else None)


def _show(found: dict[str, Log]) -> None:
    rows = []
    for name, log in found.items():
        if log.diagnoses.empty:
            st.caption(f"{name}: {_(words.WAITING)}")
            continue
        st.markdown(words.latest(name, log.diagnoses))
        _offer(name, log)
        rows.append(log.diagnoses.assign(run=words.run_names(log.diagnoses, name)))
    if rows:
        chart = by_update(pd.concat(rows, ignore_index=True), dark=settings.dark())
        show(chart, _("Rate of the gradient by update: {logs}").format(logs=", ".join(found)))


def _offer(name: str, log: Log) -> None:
    """Takes the network of the latest record, where a later one is there than is shown."""
    newest = int(log.diagnoses["update"].max())
    shown = [one for one in opened_runs.yours() if isinstance(one, Watched)]
    of_log = [one for one in shown if one.recorded.file_name.startswith(f"{Path(name).stem}.")]
    if name not in st.session_state.get(FOLLOWED, ()):
        return
    if not of_log:
        st.caption(_(words.NO_NETWORK))
    for one in of_log:
        st.caption(words.taken(one.recorded.update, one.recorded.part, newest))
    if any(one.recorded.update < newest for one in of_log) or not of_log:
        st.button(_("Take the network of update {update}").format(update=newest), key=f"take {name}", on_click=_take)


@language.spoken
def _follow() -> None:
    st.session_state[FOLLOWED] = tuple(st.session_state["logs chosen"])
    _take()


def _take() -> None:
    """The networks beside the logs that are followed, as they are now."""
    where = logs_folder()
    networks: list[Watched] = []
    if where is None:
        return
    for name in st.session_state.get(FOLLOWED, ()):
        log = _read(where, name)
        parts = [] if log is None else list(dict.fromkeys(log.diagnoses["part"]))
        for part in parts:
            if (found := _tried(lambda name=name, part=part: folder.network_of(where, name, part))) is not None:
                networks.append(found)
    opened_runs.take(networks)


@language.spoken
def _upload() -> None:
    logs, networks = dict(st.session_state.get(UPLOADED, {})), []
    for file in st.session_state["logs uploaded"] or ():
        data = file.getvalue()
        if file.name.endswith(".jsonl"):
            if (log := _tried(lambda data=data, file=file: log_of(records_of(data).records, file.name))) is not None:
                logs[file.name] = log
        elif not network.is_one(data):
            uploads.take_weights(file.name, data)
        elif (found := _tried(lambda data=data, file=file: network.load(data, file.name))) is not None:
            networks.append(found)
    st.session_state[UPLOADED] = logs
    if networks:
        opened_runs.take(networks)


def _tried(make: Callable[[], Any]) -> Any:
    """What is made of a file that anybody may have written; None where it fails, with a sentence for later."""
    try:
        return make()
    except BROKEN as error:
        sentence = str(error) if isinstance(error, ValueError) else _("its records are not those of gradlab.watch")
        st.session_state[PROBLEM] = sentence
        return None


def _read(where: Path | None, name: str) -> Log | None:
    """A log of the folder as it is now; only what was added since the last time is read."""
    if where is None:
        return None
    kept = st.session_state.setdefault("log records", {})
    before: Records = kept.get(name, Records([], 0))

    def make() -> Log:
        path = folder.path_of(where, name)
        start = before if path.stat().st_size >= before.offset else Records([], 0)  # begun anew
        more = records(path, start.offset)
        kept[name] = Records([*start.records, *more.records], more.offset)
        return log_of(kept[name].records, name)

    return _tried(make)
