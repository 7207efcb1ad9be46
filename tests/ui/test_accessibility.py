"""What axe finds on the pages, in both themes, whose inks the charts have: nothing beyond Streamlit's shell."""

from pathlib import Path
from urllib.parse import quote

import axe_playwright_python
import pytest

from tests.ui.browser import follows_the_theme, turn, visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.usefixtures("quiet")]

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
PAGES = sorted({path.stem for path in (Path(__file__).resolve().parents[2] / "pages").glob("*.py")} - {"home"})
RUN = "axe.run({resultTypes: ['violations']}).then(result => result.violations)"  # a path to all that passes takes long
SMALL = f"steps=40&hidden_size=8&batch_size=2&pin={quote('name=A&cells=lstm&steps=30&gain=0.5')}"
SMALL += "&phase_map_size=5&phase_map_seeds=1"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page_and_its_charts_follow_the_theme(page, app_url, scheme):
    page.emulate_media(color_scheme=scheme)
    visit(page, f"{app_url}/?{SMALL}")
    page.evaluate(AXE.read_text())
    found = []
    for name in ["home", *PAGES]:
        if name != "home":
            turn(page, f"/{name}?{SMALL}")
        assert follows_the_theme(page, scheme), name
        violations = page.evaluate(RUN)
        found += [(name, one["id"], [node["html"][:120] for node in one["nodes"][:3]]) for one in violations]
    assert not found
