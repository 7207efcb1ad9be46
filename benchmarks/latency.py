"""From a key press on a slider to the new chart in the page: `python benchmarks/latency.py [ADDRESS] [PRESSES]`.

Without an address it starts a server. Chromium is headless; the time runs from the browser's keydown event
to the first frame in which the drawing of the lines has changed.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.conftest import CHROMIUM, start_server, stop_server

MEASURE = """
() => new Promise((resolve, reject) => {
  const drawing = () => {
    const view = document.querySelector('[data-testid="stVegaLiteChart"]');
    const canvas = view && view.querySelector('canvas');
    const paths = view ? [...view.querySelectorAll('path')] : [];
    return canvas ? canvas.toDataURL() : paths.map(path => path.getAttribute('d')).join();
  };
  const before = drawing();
  window.addEventListener('keydown', () => {
    const start = performance.now();
    const look = () => {
      const now = drawing();
      if (now && now !== before) return resolve(performance.now() - start);
      if (performance.now() - start > 20000) return reject(new Error('the chart did not change'));
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }, {once: true, capture: true});
})
"""


def idle(page) -> None:
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=60_000)


def measure(url: str, slider: str, presses: int) -> list[float]:
    """Milliseconds of each press, alternately right and left further out, so that most values are new to the cache."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(url)
        page.wait_for_selector(
            '[data-testid="stVegaLiteChart"] path, [data-testid="stVegaLiteChart"] canvas', timeout=120_000
        )
        page.wait_for_timeout(3000)
        found = []
        handle = page.get_by_role("slider", name=slider)
        for n in range(presses):
            idle(page)
            page.wait_for_timeout(400)
            handle.focus()
            page.evaluate(f"void (window.measured = ({MEASURE})())")
            page.keyboard.press("ArrowLeft" if n % 6 > 2 else "ArrowRight")
            found.append(page.evaluate("window.measured"))
        browser.close()
    return found


def measure_stop(url: str) -> float:
    """Milliseconds from the click on "Reset" in the middle of long work until its progress bar is gone."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.goto(f"{url}/?steps=10000&hidden_size=512&depth=2&cells=LSTM")
        page.get_by_test_id("stProgress").wait_for(timeout=120_000)
        page.wait_for_timeout(2000)
        start = time.monotonic()
        page.get_by_role("button", name="Reset every setting").click()
        page.get_by_test_id("stProgress").wait_for(state="detached", timeout=120_000)
        stopped = 1000 * (time.monotonic() - start)
        browser.close()
    return stopped


def main() -> None:
    process, url = (None, sys.argv[1]) if len(sys.argv) > 1 else start_server(Path(tempfile.mkdtemp()) / "log.txt")
    presses = int(sys.argv[2]) if len(sys.argv) > 2 else 24
    try:
        for slider in ("Steps", "Gain", "Forget bias"):
            times = sorted(measure(url, slider, presses))
            median = statistics.median(times)
            print(f"{slider}: median {median:.0f} ms, {times[0]:.0f} to {times[-1]:.0f} ms, {presses} presses")
        stops = sorted(measure_stop(url) for _ in range(5))
        print(f"Stop of long work: median {statistics.median(stops):.0f} ms, {stops[0]:.0f} to {stops[-1]:.0f} ms")
    finally:
        if process:
            stop_server(process)


if __name__ == "__main__":
    main()
