"""What the tests in a real browser have in common. All of them wait long: the machine may have other work to do."""

import contextlib
import time

import psutil
import pytest
from playwright.sync_api import Page, TimeoutError, expect

from gradlab.charts.colours import INKS

RUNNING = '[data-testid="stApp"]'
CHART = '[data-testid="stVegaLiteChart"]'
BACKGROUNDS = {"light": "rgb(255, 255, 255)", "dark": "rgb(14, 17, 23)"}
WAIT = 60_000  # milliseconds
REST = 0.1  # of a core: a server that uses less does nothing but answer
ENDS_WITHIN = 10  # seconds; the work that the tests begin takes half a minute and more

expect.set_options(timeout=WAIT)


def idle(page: Page) -> None:
    expect(page.locator(RUNNING)).to_have_attribute("data-test-script-state", "notRunning")


def visit(page: Page, url: str) -> None:
    """Opens an address and waits until its page is drawn."""
    page.goto(url)
    try:
        page.locator(f"{CHART} svg, {CHART} canvas").first.wait_for(timeout=WAIT)
    except TimeoutError as error:
        pytest.fail(f"{url} drew no chart: {error}\n{page.get_by_test_id('stMain').inner_text()}")
    idle(page)


def turn(page: Page, address: str) -> None:
    """To another page of the app that is open, as Back and Forward go: Streamlit's scripts need not be loaded anew."""
    title = page.get_by_role("heading", level=1)
    before = title.inner_text()
    page.evaluate(
        "address => { history.pushState(null, '', address); dispatchEvent(new PopStateEvent('popstate')); }", address
    )
    expect(title).not_to_have_text(before)
    idle(page)
    page.locator(f"{CHART} svg, {CHART} canvas").first.wait_for(timeout=WAIT)
    idle(page)


def drawing(page: Page) -> str:
    """What the first chart looks like: its paths, or its pixels."""
    return page.locator(CHART).first.evaluate(
        "view => view.querySelector('canvas')?.toDataURL()"
        " ?? [...view.querySelectorAll('path')].map(path => path.getAttribute('d')).join()"
    )


def follows_the_theme(page: Page, scheme: str) -> bool:
    """Whether the page has its background in a colour scheme, and the texts of its charts the ink; it has charts."""
    page.locator(f"{CHART} svg text").first.wait_for(state="attached", timeout=WAIT)
    background = page.locator(RUNNING).evaluate("app => getComputedStyle(app).backgroundColor")
    texts = page.locator(f"{CHART} svg text").evaluate_all("texts => texts.map(text => text.getAttribute('fill'))")
    ink, other = (set(INKS[dark]) for dark in (scheme == "dark", scheme != "dark"))
    return background == BACKGROUNDS[scheme] and bool(ink & set(texts)) and not set(texts) & (other - ink)


def press(page: Page, slider: str, key: str) -> None:
    """One key press on a slider of a page that stands still; returns when the first chart is another."""
    page.locator(f"{CHART} svg, {CHART} canvas").first.wait_for(timeout=WAIT)
    idle(page)
    before = drawing(page)
    page.get_by_role("slider", name=slider).press(key)
    page.wait_for_timeout(50)
    for _ in range(200):
        idle(page)
        if drawing(page) != before:
            return
        page.wait_for_timeout(50)
    pytest.fail("the chart did not change")


def go(page: Page, section: str, title: str) -> None:
    """To another page by the navigation across the top."""
    page.get_by_test_id("stTopNavSection").filter(has_text=section).click()
    page.get_by_role("menuitem", name=title, exact=True).click()


def download(page: Page, subject: str, kind: str) -> bytes:
    opener = page.get_by_role("button", name=f"Export {subject}")
    button = page.get_by_role("button", name=kind, exact=True)
    if not button.is_visible():
        opener.click()
    with page.expect_download(timeout=WAIT) as started:
        button.click()
    return started.value.path().read_bytes()


def busy(server: psutil.Process) -> float:
    """Shares of a core that the server and its processes use over the next second."""
    before, begin = spent(server), time.monotonic()
    time.sleep(1.0)
    after = spent(server)
    return sum(seconds - before.get(pid, 0.0) for pid, seconds in after.items()) / (time.monotonic() - begin)


def spent(server: psutil.Process) -> dict[int, float]:
    """Seconds at work by process."""
    seconds = {}
    for process in (server, *server.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            seconds[process.pid] = times.user + times.system
    return seconds


def server_of(url: str) -> psutil.Process:
    """The app's server, once it has nothing left to do of its own: at its start it compiles the kernels."""
    port = int(url.rpartition(":")[2])
    found = [c.pid for c in psutil.net_connections() if c.status == "LISTEN" and c.laddr.port == port]
    server = psutil.Process(found[0])
    assert comes_to_rest(server, 300), "the server is busy though nobody asks anything of it"  # a cold cache
    return server


def works(server: psutil.Process) -> bool:
    """Whether the server or one of its processes has work to do; a full machine may not let it at once."""
    return any(busy(server) > REST for _ in range(ENDS_WITHIN))


def comes_to_rest(server: psutil.Process, within: int = ENDS_WITHIN) -> bool:
    """Whether the server's work ends in so many seconds."""
    return any(busy(server) < REST for _ in range(within))
