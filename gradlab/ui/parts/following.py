"""Pictures that follow the finger: what a page shows at other stops of one setting, for `app.py` to answer.

Streamlit reports a slider only when it is let go. Until then the browser (following.js) asks `following/stops` for the
rows and the texts at the slider's own stops. `shown` makes them for the page and for the route, from the settings that
the page's link names: what follows the finger is what the page shows on release. `PAGES` says how, a line a page.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl
from zlib import crc32

import pandas as pd
import streamlit as st
from streamlit.components import v2

from gradlab.analyses.call import Call, Table, each
from gradlab.analyses.diagnosis import diagnose
from gradlab.analyses.thinning import Lines, line_ends
from gradlab.analyses.traces import trace
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
from gradlab.ui.work import kept_or_made
from gradlab.words import flow
from gradlab.words.following import NOT_ALLOWED, OTHER_PARTS, TOO_LONG

MOST_STOPS = 8  # of a request
BUDGET = 60.0  # milliseconds that the curves of one stop may take
MOST = 1000.0  # milliseconds of a page's own curves, which the first request of a server that forgot them makes again
PER_MILLISECOND = 14e6  # of `Plan.multiply_adds`, as measured on two cores
FIRST = "layer == 0 and state == 'h'"
HERE = Path(__file__)


class Asked(NamedTuple):
    """What a page's link names."""

    settings: Settings
    dark: bool


class Picture(NamedTuple):
    """A picture at one stop: rows and domains travel, its specification stays as long as its look does."""

    look: traces.Look
    rows: Mapping[str, pd.DataFrame]
    domains: Mapping[str, Sequence[float]]
    held: str  # the domain that only widens while a slider moves


class Content(NamedTuple):
    """What a page shows at one stop."""

    picture: Picture
    sentence: str
    cards: Sequence[tuple[str, str, str]] = ()


class Page(NamedTuple):
    """How what a page shows is made, of which subjects, and how many traces of each that takes."""

    content: Callable[[Asked], Content | None]
    subjects: Callable[[Settings], Sequence[Subject]] = lambda shared: shared.subjects
    work: float = 1.0


class Shown(NamedTuple):
    """A page's content as the browser has it."""

    look: traces.Look
    columns: tuple[tuple[str, tuple[str, ...]], ...]
    detail: str  # JSON: rows by column, domains, texts as they stand between marks of markdown


def _norms(
    asked: Asked, subjects: Sequence[Subject], where: str, *, first_picture: bool, cards: bool
) -> Content | None:
    """Gradient norms of some subjects, as `charts.traces` draws them."""
    shared = asked.settings
    calls = [*each(trace, subjects)]
    found = [answer(call) for call in calls]
    rows = rows_on_screen(Table.of(calls, "table", where), Lines())
    if rows.empty:
        return None
    ends = line_ends(rows, shared.relative) if first_picture else None
    other = promised(subjects, where) if first_picture and cards else None
    drawn, domains = traces.datasets(rows, relative=shared.relative, ends=ends, marks=flow.marks(found), promised=other)
    look = traces.look_of(rows, drawn, relative=shared.relative, first_picture=first_picture, dark=asked.dark)
    look = look._replace(parts=frozenset(traces.PARTS))
    faces = [face(answer(call.then(diagnose))) for call in calls] if cards else []
    return Content(Picture(look, drawn, domains, "norms"), flow.opening(found), faces)


def _home(asked: Asked) -> Content | None:
    return _norms(asked, asked.settings.subjects, FIRST, first_picture=True, cards=True)


def _gradient_flow(asked: Asked) -> Content | None:
    shared = asked.settings
    state = state_of([answer(call) for call in each(trace, shared.subjects)], shared.state)
    return _norms(asked, shared.subjects, settings.of_state(state), first_picture=False, cards=True)


PAGES = {
    "home": Page(_home),
    "gradient_flow": Page(_gradient_flow),
}


def shown(page: str, asked: Asked) -> Shown | None:
    """What a page shows; None where there is nothing to draw."""
    return kept_or_made(("shown", page, asked), lambda progress: _shown(page, asked))


def _shown(page: str, asked: Asked) -> Shown | None:
    content = PAGES[page].content(asked)
    if content is None:
        return None
    look, rows, domains, held = content.picture
    columns = tuple((name, tuple(map(str, table.columns))) for name, table in rows.items())
    detail = {"rows": {name: by_column(table) for name, table in rows.items()}, "domains": domains, "held": held}
    detail |= {"sentence": _plain(content.sentence), "cards": [[*map(_plain, card)] for card in content.cards]}
    return Shown(look, columns, json.dumps(detail, allow_nan=False, separators=(",", ":")))


def milliseconds(subjects: Iterable[Subject], work: float = 1.0) -> float:
    """About how long the curves of some subjects take."""
    return work * sum(plan(subject.size).multiply_adds for subject in subjects) / PER_MILLISECOND


def stops(query: str) -> str:
    """JSON: what a page shows at some stops of one setting; a sentence where it does not follow there.

    query   page, setting, stops (their values, a comma between), dark and a full link's query. Raises ValueError for
            one that names no page, no setting with stops, too many stops, or settings that are not allowed.
    """
    given = parse_qsl(query, keep_blank_values=True)
    own = {name: value for name, value in given if name in ("page", "setting", "stops", "dark")}
    rest = [(name, value) for name, value in given if name not in own]
    page, setting, values = own.get("page", ""), own.get("setting", ""), own.get("stops", "").split(",")
    if page not in PAGES or setting not in widgets.LADDERS or len(values) > MOST_STOPS:
        raise ValueError("page, setting or the number of stops is not known here")
    base, problems = link.read(rest)
    if problems:
        raise ValueError(problems[0])
    others = [(name, value) for name, value in rest if name != setting]
    dark = own.get("dark") == "true"
    found = (
        f"{json.dumps(value)}:{_at(page, base, [*others, (setting, value)], dark)}" for value in dict.fromkeys(values)
    )
    return f"{{{','.join(found)}}}"


def _at(page: str, base: Settings, query: list[tuple[str, str]], dark: bool) -> str:
    """JSON of one stop."""
    moved, problems = link.read(query)
    if problems:
        return json.dumps(NOT_ALLOWED)
    if milliseconds(_changed(page, base, moved), PAGES[page].work) > BUDGET:
        return json.dumps(TOO_LONG)
    here, there = shown(page, Asked(base, dark)), shown(page, Asked(moved, dark))
    return there.detail if here and there and here.look == there.look else json.dumps(OTHER_PARTS)


def _changed(page: str, base: Settings, moved: Settings) -> list[Subject]:
    """The subjects whose curves are not those of the page."""
    before, after = PAGES[page].subjects(base), PAGES[page].subjects(moved)
    kept = {Call.of(trace, subject).key for subject in before}
    return [subject for subject in after if Call.of(trace, subject).key not in kept]


def follows(page: str, shared: Settings) -> bool:
    """Whether the page's settings stand in its link, and its own curves are quick enough to be made once more."""
    subjects = PAGES[page].subjects(shared)
    is_linked = all(isinstance(subject, Experiment) for subject in subjects)
    return is_linked and milliseconds(subjects, PAGES[page].work) <= MOST


def sentence(text: str) -> None:
    """A sentence that follows."""
    with st.container(key="followed_sentence"):
        st.markdown(text)


def show(page: str, title: str) -> bool:
    """Draws a page's picture so that it follows the finger; False where it does not, and nothing is drawn."""
    asked = Asked(settings.current(), settings.dark())
    if not follows(page, asked.settings) or (found := shown(page, asked)) is None:
        return False
    look = crc32(repr((found.look, found.columns)).encode())
    event = f"gradlab-{page}-{look:x}"  # of this look alone: while another is on its way, the old chart hears nothing
    first = st.session_state.get("first frame")
    if first is None or first[0] != (page, found.look):
        first = st.session_state["first frame"] = ((page, found.look), json.loads(found.detail))
    specification = with_first(_compiled(found.look, event, found.columns), first[1])
    st.vega_lite_chart(specification, theme=None, width="stretch", alt=title)
    query, one = link.full_query(asked.settings), asked.settings.subjects[0].settings
    ladders = {
        name: {
            "texts": [widgets.stop_text(value) for value in widgets.stops(name)],
            "stops": [_in_link(value) for value in widgets.stops(name)],
            "value": _in_link(getattr(one, name)),
        }
        for name in widgets.LADDERS
    }
    data = {"page": page, "event": event, "query": query, "ladders": ladders, "dark": asked.dark, "title": title}
    watcher()(key="following", data=data | {"frame": found.detail}, height=1)
    return True


@lru_cache(maxsize=60)
def _compiled(look: traces.Look, event: str, columns: tuple[tuple[str, tuple[str, ...]], ...]) -> dict[str, Any]:
    return arriving(traces.followed(look), traces.FOLLOWED, event, dict(columns))


def watcher() -> Any:
    """The component that watches sliders; without an element of its own."""
    return v2.component("gradlab_following", html="<span></span>", css=_file(".css"), js=_file(".js"),
                                      isolate_styles=False)  # fmt: skip


@lru_cache
def _file(suffix: str) -> str:
    return HERE.with_suffix(suffix).read_text(encoding="utf-8")


def _in_link(value: Any) -> str:
    return "none" if value is None else str(value)


def _plain(text: str) -> list[str]:
    """The texts between marks of markdown, as the browser's nodes hold them."""
    return [part for part in re.split(r":\w+\[|\*\*|\]", text) if part.strip()]
