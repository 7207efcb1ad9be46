"""Pictures that follow the finger: what a page shows at other stops of one setting, for `app.py` to answer.

Streamlit reports a slider only when it is let go. Until then the browser (live.js) asks `live/stops` for the rows, the
sentence and the cards at the slider's own stops. `frame` makes them for the page and for the route, from the settings
that the page's link names: what follows the finger is what the page shows on release.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import streamlit as st
from streamlit.components import v2

from gradlab.analyses.call import Call, Table, each
from gradlab.analyses.diagnosis import diagnose
from gradlab.analyses.thinning import Lines, line_ends
from gradlab.analyses.traces import GradientTrace, trace
from gradlab.charts import traces
from gradlab.charts.arriving import arriving, by_column, with_first
from gradlab.engine import plan
from gradlab.settings.experiment import Experiment
from gradlab.settings.subject import Subject
from gradlab.ui.ask import answer, rows_on_screen
from gradlab.ui.frame import link, settings, widgets
from gradlab.ui.frame.shown import Settings
from gradlab.ui.parts.cards import face, state_of
from gradlab.ui.parts.promise import promised
from gradlab.words import flow

MOST_STOPS = 8  # of a request
BUDGET = 60.0  # milliseconds that the curves of one stop may take
MOST = 1000.0  # milliseconds of a page's own curves, which the first request of a server that forgot them makes again
PER_MILLISECOND = 14e6  # of `Plan.multiply_adds`, as measured on two cores
SENTENCE = "followed_sentence"  # key of the container that holds it
HERE = Path(__file__)


class Picture(NamedTuple):
    """A page's main picture: of which rows of the traces, and how it is drawn."""

    where: Callable[[Settings, list[GradientTrace]], str]
    first_picture: bool


PICTURES = {
    "home": Picture(lambda shared, found: "layer == 0 and state == 'h'", True),
    "gradient_flow": Picture(lambda shared, found: settings.of_state(state_of(found, shared.state)), False),
}


class Frame(NamedTuple):
    """What a page shows at one stop."""

    look: traces.Look
    rows: dict[str, Any]
    domains: dict[str, Sequence[float]]
    sentence: str
    cards: list[tuple[str, str, str]]

    @property
    def detail(self) -> dict[str, Any]:
        """What the browser gets: rows by column, texts as they stand between marks of markdown."""
        rows = {name: by_column(table) for name, table in self.rows.items()}
        cards = [[_plain(text) for text in card] for card in self.cards]
        return {"rows": rows, **self.domains, "sentence": _plain(self.sentence), "cards": cards}


def frame(picture: str, shared: Settings) -> Frame:
    """What a picture shows of some settings."""
    where, first_picture = PICTURES[picture]
    calls = [*each(trace, shared.subjects)]
    found = [answer(call) for call in calls]
    rows = rows_on_screen(Table.of(calls, "table", where(shared, found)), Lines())
    ends = line_ends(rows, shared.relative) if first_picture else None
    other = promised(shared.subjects, where(shared, found)) if first_picture else None
    drawn, domains = traces.datasets(rows, relative=shared.relative, ends=ends, marks=flow.marks(found), promised=other)
    look = traces.look_of(rows, drawn, relative=shared.relative, first_picture=first_picture, dark=False)
    look = look._replace(parts=frozenset(traces.PARTS))
    cards = [face(answer(call.then(diagnose))) for call in calls]
    return Frame(look, drawn, domains, flow.opening(found), cards)


def milliseconds(subjects: Iterable[Subject]) -> float:
    """About how long the curves of some subjects take."""
    return sum(plan(subject.size).multiply_adds for subject in subjects) / PER_MILLISECOND


def stops(query: str) -> str:
    """JSON: what a page shows at some stops of one setting; null where it takes too long or settings do not fit.

    query   picture, setting, stops (their values, a comma between) and a full link's query. Raises ValueError for one
            that names no picture, no setting with stops, too many stops, or settings that are not allowed.
    """
    asked = parse_qsl(query, keep_blank_values=True)
    own = {name: value for name, value in asked if name in ("picture", "setting", "stops")}
    rest = [(name, value) for name, value in asked if name not in own]
    picture, setting, values = own.get("picture"), own.get("setting", ""), own.get("stops", "").split(",")
    if picture not in PICTURES or setting not in widgets.LADDERS or len(values) > MOST_STOPS:
        raise ValueError("picture, setting or the number of stops is not known here")
    base, problems = link.read(rest)
    if problems:
        raise ValueError(problems[0])
    others = [(name, value) for name, value in rest if name != setting]
    found = {value: _at(picture, base, [*others, (setting, value)]) for value in values}
    return json.dumps(found)


def _at(picture: str, base: Settings, query: list[tuple[str, str]]) -> dict[str, Any] | None:
    shared, problems = link.read(query)
    if problems or milliseconds(_changed(base, shared)) > BUDGET:
        return None
    found = frame(picture, shared)
    return found.detail if found.look == _look(picture, base) else None


def _changed(base: Settings, shared: Settings) -> list[Subject]:
    """The subjects whose curves are not those of the page."""
    before, after = ([Call.of(trace, subject).key for subject in given.subjects] for given in (base, shared))
    return [subject for subject, own, key in zip(shared.subjects, before, after, strict=True) if own != key]


@lru_cache(maxsize=100)
def _look(picture: str, shared: Settings) -> traces.Look:
    return frame(picture, shared).look


def follows(shared: Settings) -> bool:
    """Whether the page's settings stand in its link, and its own curves are quick enough to be made once more."""
    is_linked = all(isinstance(subject, Experiment) for subject in shared.subjects)
    return is_linked and milliseconds(shared.subjects) <= MOST


def sentence(text: str) -> None:
    """A sentence that follows."""
    with st.container(key=SENTENCE):
        st.markdown(text)


def show(picture: str, shared: Settings, description: str) -> None:
    """Draws a picture that follows the finger. Its specification stays as long as its look does."""
    found = frame(picture, shared)
    look, detail = found.look._replace(dark=settings.dark()), found.detail
    columns = tuple((name, tuple(map(str, table.columns))) for name, table in found.rows.items())
    event = f"gradlab-{picture}"
    first = st.session_state.get("first frame")
    if first is None or first[0] != (picture, look):
        first = st.session_state["first frame"] = ((picture, look), detail)
    specification = with_first(_compiled(look, event, columns), first[1])
    st.vega_lite_chart(specification, theme=None, width="stretch", alt=description)
    texts = {name: [widgets.stop_text(value) for value in widgets.stops(name)] for name in widgets.LADDERS}
    values = {name: [_in_link(value) for value in widgets.stops(name)] for name in widgets.LADDERS}
    query = link.full_query(shared)
    one = shared.subjects[0].settings
    present = {name: _in_link(getattr(one, name)) for name in widgets.LADDERS}
    data = {"picture": picture, "event": event, "query": query, "texts": texts, "stops": values, "values": present}
    data |= {"frame": detail, "run": f"{query} {picture} {settings.dark()}"}
    watcher()(key="live", data=data, height=1)


@lru_cache(maxsize=60)
def _compiled(look: traces.Look, event: str, columns: tuple[tuple[str, tuple[str, ...]], ...]) -> dict[str, Any]:
    return arriving(traces.followed(look), traces.FOLLOWED, event, dict(columns))


def watcher() -> Any:
    """The component that watches sliders; without an element of its own."""
    return v2.component("gradlab_live", html="<span></span>", css=_file(".css"), js=_file(".js"),
                                      isolate_styles=False)  # fmt: skip


@lru_cache
def _file(suffix: str) -> str:
    return HERE.with_suffix(suffix).read_text(encoding="utf-8")


def _in_link(value: Any) -> str:
    return "none" if value is None else str(value)


def _plain(text: str) -> list[str]:
    """The texts between marks of markdown, as the browser's nodes hold them."""
    return [part for part in re.split(r":\w+\[|\*\*|\]", text) if part.strip()]
