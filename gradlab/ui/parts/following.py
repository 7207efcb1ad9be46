"""Pages that follow the finger: what one shows at other stops of one setting, for `app.py` to answer.

Streamlit reports a slider only when it is let go. Until then the browser (following.js) asks `following/stops` for the
rows and the texts at the slider's own stops. A page's follower makes them for the page and for the route, from the
settings that the page's link names: what follows the finger is what the page shows on release. `PAGES` names the
followers, a line a page.
"""

import json
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qsl, urlencode
from zlib import crc32

import streamlit as st
from streamlit.components import v2

from gradlab.analyses.call import Call
from gradlab.analyses.traces import trace
from gradlab.charts.arriving import arriving, by_column, with_first
from gradlab.charts.picture import Picture
from gradlab.charts.presented import presented
from gradlab.engine import plan
from gradlab.settings.experiment import Experiment
from gradlab.settings.subject import Subject
from gradlab.ui import ask
from gradlab.ui.charts_on_disk import kept_vega_of
from gradlab.ui.frame import language, link, present, settings, widgets
from gradlab.ui.frame.shown import Settings
from gradlab.ui.kept import MISSING
from gradlab.ui.parts import (
    gallery,
    initial_weights,
    matrices,
    memory,
    microscope,
    norms,
    one_unit,
    passes,
    pins,
    product_jacobians,
    spectrum,
    story,
    totals,
    walk,
    windows,
)
from gradlab.ui.parts.drawing import Drawing
from gradlab.ui.parts.figure import figure
from gradlab.ui.parts.view import Answer, Asked, Figure, Follower, Sliders, View
from gradlab.ui.work import KEPT, kept, kept_or_made
from gradlab.words.following import NOT_ALLOWED, OTHER_PARTS, TOO_LONG
from gradlab.words.languages import SOURCE, _, codes, current, speaking
from gradlab.words.letters import without_markdown

MOST_STOPS = 8  # of a request
BUDGET = 60.0  # milliseconds that one curve of a stop may take while a pointer drags
MOST_OF_A_STOP = 120.0  # and all of them together
MOST_AHEAD = 500.0  # and before a key is pressed again
AT_HAND = 2  # stops of a request that may take so long: the present one, and the next
MOST = 1000.0  # milliseconds of a page's own curves, which the first request of a server that forgot them makes again
PER_MILLISECOND = 14e6  # of `Plan.multiply_adds`, as measured on two cores
ABOVE = 2  # sentences that stand above a picture, where there are many
MOST_KNOWN = 2_000_000  # characters of what is sent of a slider's other stops
HERE = Path(__file__)


def of_trace(subject: Subject) -> float:
    """About how many milliseconds a subject's trace takes."""
    return plan(subject.size).multiply_adds / PER_MILLISECOND


def of_matrix(subject: Subject) -> float:
    """About how many milliseconds a subject's matrix takes, and the trace that stands beside it."""
    return of_trace(subject) + matrices.milliseconds(subject)


class Page(NamedTuple):
    """How what a page shows is made, and what that takes."""

    view: Follower
    subjects: Callable[[Settings], Sequence[Subject]] = lambda shared: shared.subjects  # as often as their work is done
    milliseconds: Callable[[Subject], float] = of_trace  # about how long the work for one subject takes
    # where these keep their traces
    besides: Callable[[Settings, Settings], Sequence[Subject]] = lambda before, after: ()
    own: tuple[str, ...] = ()  # settings of this page alone
    sliders: Sliders = lambda shared: {}  # those among them that have stops
    times: Callable[[Asked], int] = lambda asked: 1  # how often that work is done, by the page's own settings
    of_window: str = ""  # height of its first picture by that of the window, `Picture.of_window`; {height}: its own


PAGES = {
    "home": Page(totals.view, pins.subjects, of_window=totals.OF_WINDOW),
    "story": Page(story.view, lambda shared: (), own=story.KEYS, sliders=story.sliders),
    "gradient_flow": Page(norms.view, pins.subjects, own=(norms.SEEDS,), times=norms.times),
    "one_unit": Page(one_unit.view, lambda shared: (), own=("weight", "gate", "lags"), sliders=one_unit.sliders),
    "why_addition": Page(passes.view, passes.work),
    "gates": Page(microscope.view, lambda shared: 2 * (shared.one,), own=("layer", "sequence", "unit", "characters")),
    "unrolled": Page(walk.view, lambda shared: 4 * pins.ones(shared), own=("lag", "colours"), sliders=walk.sliders),
    "truncation": Page(windows.view, windows.work, besides=windows.of_window, own=("layer",)),
    "sequence_types": Page(gallery.view, lambda shared: (shared.one,), of_matrix, own=(gallery.GRADIENT,)),
    "itemised": Page(matrices.view, matrices.work, of_matrix, own=("layer", matrices.SUMS)),
    "jacobians": Page(
        product_jacobians.view,
        pins.ones,
        product_jacobians.milliseconds,
        own=(product_jacobians.OF,),
    ),
    "weights": Page(initial_weights.view, pins.ones, initial_weights.milliseconds),
    "memory": Page(memory.view, lambda shared: (), own=(memory.EIGENVALUE,), sliders=memory.sliders),
    "spectrum": Page(spectrum.view, pins.ones, spectrum.milliseconds),
}


class Shown(NamedTuple):
    """A view as the browser has it: JSON."""

    pictures: tuple[Picture, ...]
    looks: tuple[Hashable, ...]
    marks: tuple[str, ...]  # short, of the looks
    rows: tuple[Mapping[str, str], ...]  # of each picture by dataset: lists by column
    domains: tuple[str, ...]
    texts: str  # as they stand between marks of markdown

    def frame(self, known: "Shown | None" = None) -> str:
        """Everything, without the rows that are known."""
        pictures = (self.picture(n, known) for n in range(len(self.pictures)))
        return f'{{"pictures":[{",".join(pictures)}],{self.texts}}}'

    def picture(self, number: int, known: "Shown | None" = None) -> str:
        """One of the pictures, without the rows that are known."""
        rows = (
            f"{json.dumps(name)}:{text}"
            for name, text in self.rows[number].items()
            if known is None or known.rows[number][name] != text
        )
        rest = f'"domains":{self.domains[number]},"held":{json.dumps(self.pictures[number].held)}'
        return f'{{"rows":{{{",".join(rows)}}},{rest}}}'


class First(NamedTuple):
    """What a picture of a visit began with: it stays in its specification, for the browser keeps what stays."""

    look: Hashable
    picture: Mapping[str, Any]
    title: str


class Followed(NamedTuple):
    """A page that follows.

    shown       None where it does not
    watched     what the browser needs beside that: the query that names what is shown, stops of sliders, what is known
    """

    page: str
    asked: Asked
    view: View
    shown: Shown | None
    watched: Callable[[], dict[str, Any]]

    def sentence(self, number: int = 0, kind: Literal["markdown", "header", "caption"] = "markdown") -> None:
        """One of its sentences."""
        with st.container(key=f"followed_{number}"):
            text = self.view.sentences[number]
            match kind:
                case "markdown":
                    st.markdown(text)
                case "header":
                    st.header(text, anchor=False)
                case "caption":
                    st.caption(text)

    def every_sentence(self, rest: Any) -> None:
        """The first two, here, and the others in another place, so that the picture stays in view.

        The container is always there, so that charts below stay when one comes or goes.
        """
        with st.container():
            for number in range(len(self.view.sentences[:ABOVE])):
                self.sentence(number)
        with rest:
            for number in range(ABOVE, len(self.view.sentences)):
                self.sentence(number)

    def side_by_side(self, numbers: Sequence[int], headers: Sequence[str] = ()) -> None:
        """Figures of the present network, each beside that of the first pin, where there is one.

        headers    above them, one for each
        """
        shared, half = self.asked.settings, len(self.view.figures) // 2
        if not shared.pins:
            for number in numbers:
                self.figure(number)
            return
        self.sentence(len(self.view.sentences) - 1, "caption")
        for place, number in enumerate(numbers):
            if headers:
                st.header(headers[place], anchor=False)
            of_pin, now = pins.columns(shared)
            with now:
                self.figure(number)
            with of_pin:
                self.figure(half + number)

    def figure(self, number: int = 0, tools: bool = True) -> None:
        """One of its figures; with the first one the browser begins to watch."""
        drawn = self.view.figures[number]
        figure(
            drawn.draw,
            drawn.question,
            drawn.words,
            drawn.reduction,
            beside=drawn.beside,
            width=drawn.width,
            tools=tools,
            followed=partial(_show, self, number),
        )


def of(page: str) -> Followed:
    """What a page shows at the settings that the frame and its own widgets have."""
    chosen = ((name, st.session_state.get(name)) for name in PAGES[page].own)
    spelt = tuple((name, str(value)) for name, value in chosen if value is not None)
    asked = Asked(settings.current(), spelt, settings.dark(), current())
    with st.container():  # always there: what comes and goes before a chart would have the browser draw it anew
        watched = partial(_watched, page, asked)
        if not follows(page, asked):
            return Followed(page, asked, PAGES[page].view(asked, ask.result), None, watched)
        view = _view(page, asked, ask.result)
        with ask.waiting():
            return Followed(page, asked, view, shown(page, asked), watched)


def along(page: str, setting: str, views: Mapping[int, View], value: int) -> Followed:
    """What a page shows at one stop of a slider, where the browser is sent all its stops at once: of what is not in
    links, such as the updates of a training. `views` of finished questions alone."""
    asked = Asked(settings.current(), (), settings.dark(), current())
    found = {stop: _kept_shown(view, asked.dark) for stop, view in views.items()}
    here = found[value]
    same = {stop: one for stop, one in found.items() if here and one and one.looks == here.looks}
    known = ",".join(f'"{stop}":{one.frame(here)}' for stop, one in same.items())
    if here is None or len(known) > MOST_KNOWN:
        return Followed(page, asked, views[value], None, dict)
    stops = [*map(str, same)]
    ladders = {setting: {"texts": stops, "stops": stops, "value": str(value)}}
    of = crc32(known.encode())  # another training is another query
    watched = {"query": urlencode({"of": of, setting: value}), "ladders": ladders}
    return Followed(page, asked, views[value], here, lambda: watched | {"known": f'{{"{setting}":{{{known}}}}}'})


def _kept_shown(view: View, dark: bool) -> Shown | None:
    drawn = [(figure.question.key, str(figure.draw), figure.words.title) for figure in view.figures]
    key = ("shown", *drawn, *view.sentences, dark, current())
    return kept_or_made(key, lambda progress: _in_json(view, dark))


def follows(page: str, asked: Asked) -> bool:
    """Whether the page's settings stand in its link, and its own curves are quick enough to be made once more."""
    subjects = PAGES[page].subjects(asked.settings)
    is_linked = all(isinstance(subject, Experiment) for subject in (*subjects, asked.settings.one))
    return is_linked and PAGES[page].times(asked) * sum(map(PAGES[page].milliseconds, subjects)) <= MOST


def _view(page: str, asked: Asked, answer: Answer) -> View:
    """What a page shows, kept."""
    found = kept(("view", page, asked))
    if found is MISSING:  # not by `kept_or_made`: `answer` may draw, and stop this page alone
        with speaking(asked.language):
            found = PAGES[page].view(asked, answer)
        KEPT.put(("view", page, asked), found)
    return found


def shown(page: str, asked: Asked) -> Shown | None:
    """What a page shows, as JSON; None where there is nothing to draw. Who asks while it is made waits for it."""
    return kept_or_made(("shown", page, asked), lambda progress: _shown(page, asked))


def _shown(page: str, asked: Asked) -> Shown | None:
    view = _view(page, asked, ask.answer)
    with speaking(asked.language):
        return _in_json(view, asked.dark)


def _in_json(view: View, dark: bool) -> Shown | None:
    drawn = [*map(partial(_drawn, dark=dark), view.figures)]
    parts = [part for part in drawn if part is not None]
    if len(parts) < len(drawn):
        return None
    pictures, rows = zip(*parts, strict=True) if parts else ((), ())
    texts: dict[str, Any] = {"sentences": [*map(_plain, view.sentences)]}
    texts["cards"] = [[*map(_plain, card)] for card in view.cards]
    texts["labels"] = [without_markdown(f"{figure.words.title}. {figure.words.sentence}") for figure in view.figures]
    looks = tuple(picture.key for picture in pictures)
    marks = tuple(f"{crc32(repr(look).encode()):x}" for look in looks)
    domains = tuple(_json(picture.domains) for picture in pictures)
    return Shown(pictures, looks, marks, rows, domains, _json(texts)[1:-1])


def _drawn(drawn: Figure, dark: bool) -> tuple[Picture, dict[str, str]] | None:
    """A figure's picture and its rows as JSON by dataset; None of no rows."""
    if drawn.key is None:
        return _made(drawn, dark)
    return kept_or_made(("picture", drawn.key, dark, current()), lambda progress: _made(drawn, dark))


def _made(drawn: Figure, dark: bool) -> tuple[Picture, dict[str, str]] | None:
    rows = ask.rows_on_screen(drawn.question, drawn.reduction)
    if rows.empty:
        return None
    picture = Drawing(drawn.draw, drawn.question, drawn.reduction, drawn.beside).in_parts(rows, dark)
    return picture, {name: _json(by_column(table)) for name, table in picture.rows.items()}


def stops(query: str) -> str:
    """JSON: what a page shows at some stops of one setting; a sentence where it does not follow there.

    query   page, setting, stops (their values, a comma between), dark, dragged (whether by a pointer) and a full link's
            query. Raises ValueError for one that names no page, no setting with stops, too many stops, or settings that
            are not allowed.
    """
    given = parse_qsl(query, keep_blank_values=True)
    asked = {name: value for name, value in given if name in ("page", "setting", "stops", "dark", "dragged")}
    rest = [(name, value) for name, value in given if name not in asked]
    page, setting, values = asked.get("page", ""), asked.get("setting", ""), asked.get("stops", "").split(",")
    if page not in PAGES or len(values) > MOST_STOPS:
        raise ValueError("page or the number of stops is not known here")
    if setting not in widgets.LADDERS and setting not in PAGES[page].own:
        raise ValueError("setting is not known here")
    dark, is_dragged = asked.get("dark") == "true", asked.get("dragged") == "true"
    base, problems = _read(page, rest, dark)
    if problems:
        raise ValueError(problems[0])
    others = [(name, value) for name, value in rest if name != setting]
    found = (
        f"{json.dumps(value)}:{_at(page, base, [*others, (setting, value)], setting, is_dragged or n >= AT_HAND)}"
        for n, value in enumerate(dict.fromkeys(values))
    )
    return f"{{{','.join(found)}}}"


def _read(page: str, query: list[tuple[str, str]], dark: bool) -> tuple[Asked, list[str]]:
    """What a link asks of a page, and what of it is not allowed."""
    shared, problems = link.read(query)
    given = dict(query)
    spoken = given.get(language.NAME, SOURCE) if page in language.WHOLE else SOURCE
    if spoken not in codes():
        raise ValueError("language is not known here")
    own = tuple((name, given[name]) for name in PAGES[page].own if name in given)
    return Asked(shared, own, dark, spoken), problems


def _at(page: str, base: Asked, query: list[tuple[str, str]], setting: str, is_soon: bool) -> str:
    """JSON of one stop, without the rows that are those of the page; is_soon: whether it is wanted while a finger
    moves."""
    moved, problems = _read(page, query, base.dark)
    if setting in PAGES[page].own:
        allowed = PAGES[page].sliders(moved.settings).get(setting, ())
        problems = problems or [NOT_ALLOWED] * (dict(moved.own)[setting] not in map(str, allowed))
    with speaking(base.language):
        if problems:
            return json.dumps(_(NOT_ALLOWED))
        if takes_too_long(milliseconds(page, base, moved), is_soon):
            return json.dumps(_(TOO_LONG))
        here, there = shown(page, base), shown(page, moved)
        return there.frame(here) if here and there and here.looks == there.looks else json.dumps(_(OTHER_PARTS))


def milliseconds(page: str, base: Asked, moved: Asked) -> list[float]:
    """About how long each of the curves takes that are not those of the page."""
    before, after = (PAGES[page].subjects(asked.settings) for asked in (base, moved))
    kept = set() if base.own != moved.own else {Call.of(trace, subject).key for subject in before}
    changed = [subject for subject in after if Call.of(trace, subject).key not in kept]
    changed += PAGES[page].besides(base.settings, moved.settings)
    return [PAGES[page].times(moved) * PAGES[page].milliseconds(subject) for subject in changed]


def takes_too_long(curves: Sequence[float], is_soon: bool) -> bool:
    """Whether a stop whose curves take so many milliseconds is not made before the slider is let go."""
    if not is_soon:
        return sum(curves) > MOST_AHEAD
    return max(curves, default=0) > BUDGET or sum(curves) > MOST_OF_A_STOP


def _show(followed: Followed, number: int) -> bool:
    """Draws a figure so that it follows the finger; False where it does not, and nothing is drawn."""
    page, view, found = followed.page, followed.view, followed.shown
    if found is None:
        return False
    events = [f"gradlab-{page}-{n}-{mark}" for n, mark in enumerate(found.marks)]
    look, at_first = found.looks[number], st.session_state.setdefault("first frame", {})
    first: First | None = at_first.get(number)
    if first is None or first.look != look:
        rows = json.loads(found.picture(number))
        first = at_first[number] = First(look, rows, view.figures[number].words.title)
    picture, of_window = found.pictures[number], PAGES[page].of_window if page in PAGES else ""
    if number == 0 and of_window and not present.is_on():  # which has a height for it
        picture = replace(picture, of_window=of_window.format(height=picture.height))
    specification = with_first(_compiled(picture.key, events[number], picture), first.picture)
    with st.container(key=f"followed_picture_{number}"):
        st.vega_lite_chart(
            presented(specification, present.height()) if present.is_on() else specification,
            theme=None,
            width=view.figures[number].width,
            alt=first.title,  # another one would have the browser draw the chart anew
        )
    if number == 0:
        drawn = {"page": page, "events": events, "dark": followed.asked.dark, "frame": found.frame()}
        watcher()(key="following", data=followed.watched() | drawn, height=1)
    return True


def _watched(page: str, asked: Asked) -> dict[str, Any]:
    return {"query": link.full_query(asked.settings), "ladders": _ladders(page, asked)}


def _ladders(page: str, asked: Asked) -> dict[str, dict[str, Any]]:
    """Every slider's stops: as it writes them, as links do, and the present one."""
    one = asked.settings.subjects[0].settings
    found = {name: (widgets.stops(name), getattr(one, name), widgets.stop_text(name)) for name in widgets.LADDERS}
    own = PAGES[page].sliders(asked.settings)
    found |= {name: ([*stops], dict(asked.own)[name], str) for name, stops in own.items() if name in dict(asked.own)}
    return {
        name: {"texts": [*map(text, stops)], "stops": [*map(_in_link, stops)], "value": _in_link(value)}
        for name, (stops, value, text) in found.items()
    }


def _compiled(look: Hashable, event: str, picture: Picture) -> dict[str, Any]:
    """The specification of a look, made of any of its pictures."""
    return kept_or_made(("specification", look, event), lambda progress: arriving(picture, event, kept_vega_of))


def watcher() -> Any:
    """The component that watches sliders; without an element of its own."""
    return v2.component("gradlab_following", html="<span></span>", css=_file(".css"), js=_file(".js"),
                                      isolate_styles=False)  # fmt: skip


@lru_cache
def _file(suffix: str) -> str:
    return HERE.with_suffix(suffix).read_text(encoding="utf-8")


def _in_link(value: Any) -> str:
    return "none" if value is None else str(value)


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def _plain(text: str) -> list[str]:
    """The texts between marks of markdown, as the browser's nodes hold them."""
    return [part for part in re.split(r":\w+\[|\*\*|\]", text) if part.strip()]
