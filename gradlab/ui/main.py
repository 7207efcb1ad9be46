"""The frame of every page: its title, the navigation by sections, and the settings that all pages share.

The settings' widgets are drawn here and not in the pages, so that they and the address bar survive a change of page.
"""

from pathlib import Path

import streamlit as st

from gradlab.ui import maps
from gradlab.ui.ask import place_bars
from gradlab.ui.frame import again, hidden, language, link, opened_runs, pinned, present, settings, tools
from gradlab.ui.frame.again import session_id
from gradlab.ui.frame.link import PAGES
from gradlab.ui.parts import phase_map
from gradlab.ui.training import job_controls
from gradlab.ui.work import holding
from gradlab.words.languages import _, speaking

ICON = str(Path(__file__).with_name("icon.svg"))
STYLE = Path(__file__).with_name("frame") / "style.css"

st.set_page_config(page_title="gradlab", page_icon=ICON, layout="wide")
link.report(language.begin())
EXPLORER = st.Page(PAGES / "gradient_flow.py", title=_("Gradient flow"))
SECTIONS = {
    _("See"): [
        st.Page(PAGES / "story.py", title=_("The story in ten steps")),
        st.Page(PAGES / "home.py", title=_("Where does the gradient go?"), default=True),
        EXPLORER,
    ],
    _("Why"): [
        st.Page(PAGES / "one_unit.py", title=_("One unit, one weight")),
        st.Page(PAGES / "why_addition.py", title=_("Why addition wins")),
        st.Page(PAGES / "gates.py", title=_("Gates and units")),
        st.Page(PAGES / "unrolled.py", title=_("The unrolled network")),
        st.Page(PAGES / "jacobians.py", title=_("Product Jacobians")),
    ],
    _("Initialization"): [
        st.Page(PAGES / "initializations.py", title=_("Every initialization")),
        st.Page(PAGES / "phase_map.py", title=_("Phase map")),
        st.Page(PAGES / "weights.py", title=_("Initial weights")),
        st.Page(PAGES / "spectrum.py", title=_("Spectrum")),
        st.Page(PAGES / "memory.py", title=_("The curse of memory")),
    ],
    _("Sequences"): [
        st.Page(PAGES / "sequence_types.py", title=_("Sequence types")),
        st.Page(PAGES / "itemised.py", title=_("One loss at a time")),
        st.Page(PAGES / "truncation.py", title=_("Truncated back-propagation")),
    ],
    _("Train"): [
        st.Page(PAGES / "training.py", title=_("Training")),
        st.Page(PAGES / "character_model.py", title=_("Character model")),
    ],
    _("Yours"): [st.Page(PAGES / "your_network.py", title=_("Your network"))],
}

st.html(STYLE)
st.logo(ICON, size="large")
page = st.navigation(SECTIONS, position="top")
link.read_first_address()
again.arrive()
present.frame()
hidden.frame()
language.frame()
job_controls.left(page.url_path)
if page.url_path != phase_map.ADDRESS:
    maps.MAPS.left(session_id())
buttons = st.sidebar.container()
notices = st.container()
is_home = page.url_path == ""
column, st.session_state["aside"] = st.columns([3, 1]) if is_home else (st.container(), None)
column.title(page.title, anchor=False)
above, below = column.container(), column.container()
body, at_hand = (above, below) if is_home or present.is_on() else (below, above)
settings.draw(page.url_path, at_hand)
pinned.write()
st.set_page_config(page_title=f"{page.title}{settings.differences()} · gradlab")
with notices:
    link.tell(settings.current())
    opened_runs.notice(EXPLORER)
told = len(st.session_state.get("problems", []))
try:
    with body, holding(), speaking(language.of_page(page.url_path)):
        place_bars()
        page.run()
    with notices:
        link.tell_of_page(told)
finally:  # a page that stops with a sentence has settings too
    tools.draw(buttons)
