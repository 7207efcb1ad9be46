"""From a key press on a slider to the new chart in the page: `python benchmarks/latency.py [PRESSES]`.

Chromium is headless; the time runs from the browser's keydown event to the first frame in which the drawing of the
lines has changed. A picture that follows may be drawn before the page has run; "page" is the time until it has.
Beside it the smallest Streamlit page with a slider and a chart (smallest.py), the server's processor time a change, and
how often a picture is drawn anew in a second of dragging.
"""

import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.conftest import CHROMIUM, start_server, stop_server

MEASURE = """
number => new Promise((resolve, reject) => {
  const drawing = () => {
    const view = document.querySelectorAll('[data-testid="stVegaLiteChart"]')[number];
    const canvas = view && view.querySelector('canvas');
    const paths = view ? [...view.querySelectorAll('path')] : [];
    return canvas ? canvas.toDataURL() : paths.map(path => path.outerHTML).join();  // colours too
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


RUN = """
() => new Promise(resolve => {
  const app = document.querySelector('[data-testid="stApp"]');
  window.addEventListener('keydown', () => {
    const start = performance.now();
    let ran = false;
    const watch = new MutationObserver(changes => {  // a short run begins and ends within one frame
      ran ||= changes.some(change => change.oldValue === 'running') || app.dataset.testScriptState === 'running';
      if (ran && app.dataset.testScriptState === 'notRunning') end(performance.now() - start);
    });
    const end = passed => { watch.disconnect(); resolve(passed); };
    watch.observe(app, {attributeFilter: ['data-test-script-state'], attributeOldValue: true});
    setTimeout(end, 20000, NaN);
  }, {once: true, capture: true});
})
"""

DRAWN = """
setting => {
  window.drawings = 0; window.stops = 0;
  const view = document.querySelector('[data-testid="stVegaLiteChart"]');
  const lines = () => [...view.querySelectorAll('.mark-line path, .mark-rect path')]
    .map(path => path.getAttribute('d')).join();
  const thumb = document.querySelector(`.st-key-${setting} input[type=range]`);
  let before = lines(), text = thumb.getAttribute('aria-valuetext');
  const look = () => {
    const now = lines(), stop = thumb.getAttribute('aria-valuetext');
    if (now !== before) window.drawings++;
    if (stop !== text) window.stops++;
    before = now; text = stop;
    requestAnimationFrame(look);
  };
  look();
}
"""

SLIDERS = {  # of each page, those whose key presses are timed
    "": ("Steps", "Gain", "Keep-gate bias"), "gradient_flow": ("Steps", "Gain", "Keep-gate bias"),
    "one_unit": ("Weight w",), "why_addition": ("Keep-gate bias",), "gates": ("Keep-gate bias",),
    "unrolled": ("Keep-gate bias",), "jacobians": ("Keep-gate bias",), "weights": ("Gain",),
    "sequence_types": ("Steps",), "itemised": ("Keep-gate bias",), "truncation": ("Keep-gate bias",),
}  # fmt: skip

FIRST_OWN = {"sequence_types": 5, "itemised": 1}  # where the first charts do not change with that slider, one that does
DRAGS = {  # address and setting of those that are timed
    "home, one cell": ("?cells=LSTM", "keep_bias"), "home, three cells": ("", "keep_bias"),
    "home, one cell's gain": ("?cells=LSTM", "gain"), "home, three cells' gain": ("", "gain"),
    "one unit": ("one_unit", "weight"), "why addition wins": ("why_addition", "keep_bias"),
}  # fmt: skip


def idle(page) -> None:
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=60_000)


def processor(pid: int) -> float:
    """Milliseconds that a process has had a processor for, to the nanosecond: Linux numbers its clock by its id."""
    return 1000 * time.clock_gettime((~pid << 3) | 2)


def measure(url: str, slider: str, presses: int, server: int, chart: int = 0) -> list[tuple[float, float, float]]:
    """Of each press, milliseconds to the new chart and to the end of the page's run, and of the server's processor.

    All in one direction, that with more stops, and no more than there are: every value is new to the server, but for
    the stop ahead that the press before had asked for. The processor's time is that of the second that begins with the
    press, without what the server takes while nobody does anything; the first two presses are not counted.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(url)
        page.wait_for_selector(
            '[data-testid="stVegaLiteChart"] path, [data-testid="stVegaLiteChart"] canvas', timeout=120_000
        )
        page.wait_for_timeout(5000)
        before = processor(server)
        page.wait_for_timeout(5000)
        idling = (processor(server) - before) / 5
        found = []
        handle = page.get_by_role("slider", name=slider)
        low, now, high = (float(handle.get_attribute(name)) for name in ("min", "value", "max"))
        step = float(handle.get_attribute("step") or 1)
        key, room = ("ArrowRight", high - now) if high - now >= now - low else ("ArrowLeft", now - low)
        for _ in range(min(presses + 2, round(room / step))):
            idle(page)
            handle.focus()
            page.evaluate(f"void (window.measured = ({MEASURE})({chart}))")
            page.evaluate(f"void (window.run = ({RUN})())")
            before, start = processor(server), time.monotonic()
            page.keyboard.press(key)
            drawn, run = page.evaluate("window.measured"), page.evaluate("window.run")
            page.wait_for_timeout(max(0, 1000 * (start + 1 - time.monotonic())))
            passed = time.monotonic() - start
            found.append((drawn, run, processor(server) - before - idling * passed))
        browser.close()
    return found[2:]


def drags(url: str, setting: str, seconds: float = 3.0) -> tuple[float, float]:
    """Drawings a second, and stops a second that the thumb passed, of the first drag of a page."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(url)
        page.wait_for_selector('[data-testid="stVegaLiteChart"] path', timeout=120_000)
        idle(page)
        page.wait_for_timeout(3000)
        box = page.locator(f".st-key-{setting} [role=group]").bounding_box()
        middle, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(middle, y)
        page.mouse.down()
        page.evaluate(f"({DRAWN})('{setting}')")
        start, moves = time.monotonic(), 0
        while (passed := time.monotonic() - start) < seconds:
            there = (passed * 2.5) % 2 - 1  # to and fro
            page.mouse.move(middle + (abs(there) - 0.5) * 0.9 * box["width"], y)
            moves += 1
        drawn, stops = page.evaluate("[window.drawings, window.stops]")
        page.mouse.up()
        browser.close()
    return drawn / seconds, stops / seconds


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


def start_smallest() -> tuple[subprocess.Popen, str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    page = Path(__file__).with_name("smallest.py")
    options = ["--server.headless=true", "--server.address=127.0.0.1", f"--server.port={port}"]
    options += ["--browser.gatherUsageStats=false", "--server.fileWatcherType=none"]
    command = [sys.executable, "-m", "streamlit", "run", str(page), *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(5)
    return process, f"http://127.0.0.1:{port}"


def report(name: str, found: list[tuple[float, float, float]]) -> None:
    charts, runs, processors = ([*values] for values in zip(*found, strict=True))
    print(
        f"{name}: chart {statistics.median(charts):.0f} ms ({min(charts):.0f} to {max(charts):.0f}), page "
        f"{statistics.median(runs):.0f} ms, server's processor {statistics.median(processors):.1f} ms a change, "
        f"{len(found)} presses",
        flush=True,
    )


def main() -> None:
    presses = int(sys.argv[1]) if len(sys.argv) > 1 else 24
    bare, bare_url = start_smallest()
    process, url = start_server(Path(tempfile.mkdtemp()) / "log.txt")
    server = psutil.Process(process.pid)
    try:
        while server.cpu_percent(interval=2.0) > 5:  # the kernels are compiled in the background
            pass
        report("Smallest page", measure(bare_url, "Slope", presses, bare.pid))
        for address, sliders in SLIDERS.items():
            at = FIRST_OWN.get(address, 0)
            for slider in sliders:
                report(f"{address or 'home'}, {slider}", measure(f"{url}/{address}", slider, presses, process.pid, at))
        for name, (address, setting) in DRAGS.items():
            drawn, stops = drags(f"{url}/{address}", setting)
            print(f"Drag of {setting}, {name}: {drawn:.0f} drawings of {stops:.0f} stops a second", flush=True)
        stops = sorted(measure_stop(url) for _ in range(5))
        print(f"Stop of long work: median {statistics.median(stops):.0f} ms, {stops[0]:.0f} to {stops[-1]:.0f} ms")
    finally:
        stop_server(process)
        stop_server(bare)


if __name__ == "__main__":
    main()
