"""What watching costs a training: `python -m benchmarks.live [SECONDS] [ROUNDS]`.

The page's own default task and cells: updates per second under a headless Chromium that shows the page, beside the
same runs without a page, in a separate process. Both in turn, on one machine, browser and all. Also how often a
second the page's loss chart was redrawn.
"""

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from playwright.sync_api import sync_playwright

from benchmarks.latency import CHROMIUM, start_server, stop_server
from gradlab.settings.experiment import Experiment
from gradlab.training import Recipe, Run

CELLS = ("rnn", "lstm", "gru")
UPDATES, TRACE_EVERY, WARM_UP = 10_000, 250, 5  # as the page asks for 10,000 updates; seconds before the clock starts
OFTEN, STEALS = 2.0, 0.03  # drawings a second, at least; share of the training's time, at most
COUNT = """
() => {
  let before = '';
  window.drawn = 0;
  setInterval(() => {
    const paths = [...document.querySelectorAll('[data-testid="stVegaLiteChart"]')[0].querySelectorAll('path')];
    const now = paths.map(path => path.getAttribute('d')).join();
    if (now && now !== before) { before = now; window.drawn += 1; }
  }, 50);
}
"""


def bare(seconds: float) -> float:
    """Updates a second of all cells together, nobody watching."""
    recipe = Recipe(updates=UPDATES, trace_every=TRACE_EVERY)
    runs = [Run(Experiment(cell=cell, steps=50, batch_size=64), "adding", recipe) for cell in CELLS]
    end, start, done = time.monotonic() + WARM_UP, 0.0, 0
    while not start or time.monotonic() < end:
        for run in runs:
            run.update()
        done += 1
        if not start and time.monotonic() > end:
            start, done = time.monotonic(), 0
            end = start + seconds
    return done / (time.monotonic() - start)


def watched(url: str, seconds: float) -> tuple[float, float]:
    """(updates per second, drawings per second) with the page open."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{url}/training?updates={UPDATES}")
        page.get_by_role("button", name="Start training").click(timeout=120_000)
        progress = page.get_by_test_id("stProgress").first
        page.wait_for_timeout(1000 * WARM_UP)

        def look() -> tuple[float, int, int]:
            """(time, updates made, drawings made) when the page says next how far it is."""
            before = progress.inner_text()
            while (text := progress.inner_text()) == before:
                page.wait_for_timeout(20)
            return time.monotonic(), int(re.search(r"Update (\d+) of", text)[1]), page.evaluate("window.drawn")

        page.evaluate(COUNT)
        first = look()
        page.wait_for_timeout(1000 * seconds)
        took, updates, drawn = (after - before for after, before in zip(look(), first, strict=True))
        page.get_by_role("button", name="Pause").click()
        page.wait_for_timeout(1000)
        browser.close()
    return updates / took, drawn / took


def until_quiet(server: psutil.Process) -> None:
    """The kernels are compiled in the background of a server that has just begun."""
    while server.cpu_percent(interval=2.0) > 5:
        pass


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    process, url = start_server(Path(tempfile.mkdtemp()) / "log.txt")
    alone = f"import json; from benchmarks.live import bare; print(json.dumps(bare({seconds})))"
    rounds = []
    try:
        until_quiet(psutil.Process(process.pid))
        for _ in range(count):
            free = json.loads(subprocess.run([sys.executable, "-c", alone], capture_output=True, check=True).stdout)
            pace, often = watched(url, seconds)
            rounds.append((free, pace, often))
            print(f"bare {free:.1f}, watched {pace:.1f} updates a second; drawn {often:.2f} times a second", flush=True)
    finally:
        stop_server(process)
    free, pace, often = (statistics.median(values) for values in zip(*rounds, strict=True))
    stolen = 1 - pace / free
    print(
        f"median: watching takes {stolen:.1%} of the training's time (at most {STEALS:.0%}: "
        f"{'yes' if stolen <= STEALS else 'NO'}), {often:.2f} drawings a second (at least {OFTEN:g}: "
        f"{'yes' if often >= OFTEN else 'NO'})"
    )


if __name__ == "__main__":
    main()
