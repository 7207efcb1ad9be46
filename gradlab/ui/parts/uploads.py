"""A file of weights, and data if wanted, that a visitor brings: what was found in it, and which part is looked at.

It stays in this session: nothing of it is in a link, on a disk or seen by another visitor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import streamlit as st

from gradlab.checkpoints import AmbiguousError, Checkpoint, load
from gradlab.checkpoints.data import SCALINGS, Data, SeveralArraysError, read
from gradlab.network.stack import Stack
from gradlab.ui.frame import language, opened_runs
from gradlab.ui.frame.refusal import refusal
from gradlab.words import checkpoints as words
from gradlab.words.languages import _

WEIGHTS = ("pt", "pth", "bin", "ckpt", "safetensors", "npz", "onnx", "keras", "h5", "hdf5")
DATA = ("npy", "npz", "csv", "parquet", "txt")
UPLOAD = "checkpoint uploaded"


@dataclass(frozen=True, eq=False)
class Upload:
    """What a visitor brought and chose so far."""

    name: str = ""
    digest: str = ""  # SHA-256
    content: bytes = field(default=b"", repr=False)  # kept only while a question is open
    checkpoint: Checkpoint | None = None
    asked: AmbiguousError | None = None
    cells: Mapping[str, str] = field(default_factory=dict)  # the answers
    part: str = ""
    data_name: str = ""
    data_content: bytes = field(default=b"", repr=False)
    arrays: tuple[str, ...] = ()  # of an .npz, where it is not said which is read
    array: str | None = None
    batch_first: bool = False
    scaling: str = "none"
    data: Data | None = None
    problem: str = ""


def choose_data() -> None:
    """The place to upload data."""
    st.file_uploader(_("Data that it reads, if wanted"), DATA, key="data uploaded", on_change=_take_data)


def draw() -> None:
    """What was found, the part that is looked at, and how the data are read."""
    upload: Upload | None = st.session_state.get(UPLOAD)
    if upload is None:
        return
    if upload.problem:
        refusal(_("This cannot be opened"), upload.problem)
    if upload.asked is not None:
        _ask(upload.asked)
    if upload.checkpoint is None:
        return
    checkpoint = upload.checkpoint
    st.markdown(words.found(upload.name, checkpoint.format, len(checkpoint.parts)))
    st.dataframe(words.table(checkpoint.table), hide_index=True)
    names = [part.name for part in checkpoint.parts]
    if len(names) > 1:
        st.selectbox(
            _("Part looked at"), names, names.index(upload.part), format_func=words.part, key="part uploaded",
            on_change=_choose, args=("part", "part uploaded"),
        )  # fmt: skip
    _draw_data(upload)
    st.caption(_(words.LOSS))


def _ask(asked: AmbiguousError) -> None:
    with st.container(border=True):
        st.text(str(asked))
        st.selectbox(
            words.question(asked.part), asked.answers, None, format_func=words.answer, key=f"cell of {asked.part}",
            placeholder=_("choose a cell"), on_change=_answer, args=(asked.part,),
        )  # fmt: skip


def _draw_data(upload: Upload) -> None:
    if upload.arrays:
        st.selectbox(
            _("Array of {file} that it reads").format(file=upload.data_name), upload.arrays, None, key="array uploaded",
            placeholder=_("choose an array"), on_change=_choose, args=("array", "array uploaded"),
        )  # fmt: skip
    if upload.data is None:
        if not upload.data_name:
            st.caption(_(words.NO_DATA))
        return
    st.text(f"{upload.data_name}: {upload.data.read_as}")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            _("Scaling"), list(SCALINGS), list(SCALINGS).index(upload.scaling), format_func=words.scaling,
            key="scaling uploaded", on_change=_choose, args=("scaling", "scaling uploaded"),
        )  # fmt: skip
        if upload.data.axes == 3:
            st.toggle(
                _("Sequences first"), upload.batch_first, key="batch first uploaded",
                on_change=_choose, args=("batch_first", "batch first uploaded"),
            )  # fmt: skip
    st.dataframe(words.data_table(upload.data.table), hide_index=True)


def take_weights(name: str, content: bytes) -> None:
    """Reads a file of weights, in the place of the one before; data that were uploaded stay."""
    before: Upload = st.session_state.get(UPLOAD, Upload())
    digest = sha256(content).hexdigest()
    if digest != before.digest:
        fresh = replace(before, name=name, digest=digest, content=content, checkpoint=None, cells={}, part="")
        _look_at(fresh)


@language.spoken
def _take_data() -> None:
    before: Upload = st.session_state.get(UPLOAD, Upload())
    file = st.session_state["data uploaded"]
    name, content = ("", b"") if file is None else (file.name, file.getvalue())
    _look_at(replace(before, data_name=name, data_content=content, array=None, batch_first=False, scaling="none"))


@language.spoken
def _answer(part: str) -> None:
    before: Upload = st.session_state[UPLOAD]
    chosen = st.session_state[f"cell of {part}"]
    if chosen is not None:
        _look_at(replace(before, cells={**before.cells, part: chosen}))


@language.spoken
def _choose(option: str, key: str) -> None:
    before: Upload = st.session_state[UPLOAD]
    chosen: dict[str, Any] = {option: st.session_state[key]}
    _look_at(replace(before, **chosen))


def _look_at(upload: Upload) -> None:
    """Reads what is there and takes its network to the pages; a question or what is wrong stands on the page."""
    upload = replace(upload, problem="", asked=None, arrays=(), data=None)
    try:
        if upload.checkpoint is None and upload.digest:
            checkpoint = load(upload.content, dict(upload.cells) or None, file_name=upload.name)
            upload = replace(upload, checkpoint=checkpoint, content=b"", part=_first(checkpoint))
        if (checkpoint := upload.checkpoint) is not None:
            network = checkpoint.stacks[upload.part]
            if upload.data_content:
                data = read(
                    upload.data_content, network.input_size, name=upload.data_name, array=upload.array,
                    batch_first=upload.batch_first, scaling=upload.scaling,
                )  # fmt: skip
                upload = replace(upload, data=data)
            opened_runs.take([checkpoint.subject(upload.part, upload.data)])
    except AmbiguousError as error:
        upload = replace(upload, asked=error)
    except SeveralArraysError as error:
        upload = replace(upload, arrays=error.arrays)
    except (ValueError, ImportError) as error:
        upload = replace(upload, problem=str(error))
    st.session_state[UPLOAD] = upload


def _first(checkpoint: Checkpoint) -> str:
    """The first part that pages show, else the first."""
    return next(
        (name for name, stack in checkpoint.stacks.items() if isinstance(stack, Stack)), next(iter(checkpoint.stacks))
    )
