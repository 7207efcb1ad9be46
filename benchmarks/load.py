"""Many people at one server: `python -m benchmarks.load [--sessions 50] [--changes 20] [--think 5 15]`.

Every session speaks Streamlit's websocket protocol (tests/visitor.py), thinks, and lets a slider go at another stop, on
six pages in turn; a change takes from then until its run of the page has ended. Beside it one session alone on the same
server before the others come. `--opening 50`: so many first visits in ten seconds, each until its chart is there.
`--beside work` and `--beside map`: the changes of a few while another visitor's long work, or map of 10,201 points, is
under way, and without it; and the map's visitor's changes of a setting that the map does not read. The server is
started for it, at 127.0.0.1 alone, and ends with it; browsers, which draw what they get on machines of their own, are
left out.
"""

import argparse
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.conftest import start_server, stop_server
from tests.visitor import Visitor, button_of, is_chart, is_finished, until_idle

PAGES = {  # address → the slider that is moved there
    "": "keep_bias", "gradient_flow": "gain", "one_unit": "weight", "why_addition": "keep_bias", "gates": "keep_bias",
    "unrolled": "keep_bias",
}  # fmt: skip
TIMES, TIMES_AT_95, CHART_SECONDS, TIMES_BESIDE = 2.0, 3.0, 15.0, 2.0  # what is asked for
OPENING_SECONDS, OTHERS, OTHERS_THINK = 10.0, 5, (1.0, 2.0)
LONG = {  # a page and its settings, which take most of a minute
    "work": ("weights", "hidden_size=1024&depth=8"), "map": ("phase_map", "phase_map_size=101&phase_map_seeds=1"),
}  # fmt: skip
MEASURED = "phase_map_size=5&phase_map_seeds=1"  # a map that is there at once


class Session(threading.Thread):
    """One person: changes on the pages in turn, each after some thinking."""

    def __init__(self, url: str, number: int, changes: int, think: tuple[float, float]):
        super().__init__(daemon=True)
        self.url, self.number, self.changes, self.think = url, number, changes, think
        self.seconds: list[float] = []
        self.errors: list[str] = []

    def run(self) -> None:
        chance = random.Random(self.number)
        time.sleep(chance.uniform(0, self.think[1]))
        try:
            pages = [*PAGES]
            page = pages[self.number % len(pages)]
            with Visitor(self.url, page, "") as visitor:
                visitor.wait_for(is_finished)
                for change in range(self.changes):
                    if change and change % -(-self.changes // len(pages)) == 0:
                        page = pages[(pages.index(page) + 1) % len(pages)]
                        visitor.go(page)
                        visitor.wait_for(is_finished)
                    time.sleep(chance.uniform(*self.think))
                    visitor.elements.clear()
                    begun = time.monotonic()
                    visitor.move(PAGES[page], chance.choice(visitor.stops(PAGES[page])))
                    finished = visitor.wait_for(is_finished)
                    self.seconds.append(time.monotonic() - begun)
                    self.errors += errors_of(visitor, finished)
        except Exception as error:  # a visitor that is thrown out is what is counted
            self.errors.append(f"{type(error).__name__}: {error}")


def errors_of(visitor: Visitor, finished: object) -> list[str]:
    """What went wrong in the last run of a page."""
    said = [message.delta.new_element.exception.message for message in visitor.elements]
    return [text for text in said if text] + ([] if "SUCCESSFULLY" in str(finished) else [str(finished)])


def together(sessions: list[Session]) -> tuple[list[float], list[str]]:
    """Seconds of all their changes, and what went wrong."""
    for session in sessions:
        session.start()
    for session in sessions:
        session.join()
    return [s for session in sessions for s in session.seconds], [e for session in sessions for e in session.errors]


def at_95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20, method="inclusive")[-1]


def measured(name: str, server: psutil.Process, sessions: list[Session]) -> tuple[float, float]:
    """Median and 95th percentile of their changes, which are printed."""
    begun, before = time.monotonic(), sum(server.cpu_times()[:2])
    seconds, errors = together(sessions)
    processor = sum(server.cpu_times()[:2]) - before
    median, late = statistics.median(seconds), at_95(seconds)
    print(
        f"{name}: {len(seconds)} changes in {time.monotonic() - begun:.0f} s, {len(errors)} errors; median "
        f"{1000 * median:.0f} ms, 95th percentile {1000 * late:.0f} ms; server's processor "
        f"{1000 * processor / len(seconds):.0f} ms a change, opening pages and all",
        flush=True,
    )
    for error in errors[:5]:
        print(f"    {error}")
    return median, late


def compared(name: str, ratio: float, most: float) -> None:
    print(f"{name}: {ratio:.1f} × (at most {most:g} ×: {'yes' if ratio <= most else 'NO'})", flush=True)


def crowd(url: str, server: psutil.Process, sessions: int, changes: int, think: tuple[float, float]) -> None:
    """All at once beside one alone."""
    # twice: who comes later finds the pages known, as in the crowd
    together([Session(url, number, len(PAGES), (0.2, 0.4)) for number in range(2)])
    until_idle(server)
    median, late = measured("One session", server, [Session(url, 0, max(24, changes), (0.5, 1.0))])
    crowded = [Session(url, number, changes, think) for number in range(sessions)]
    median_of_all, late_of_all = measured(f"{sessions} sessions", server, crowded)
    compared("Median beside one alone", median_of_all / median, TIMES)
    compared("95th percentile beside one alone", late_of_all / late, TIMES_AT_95)


def opening(url: str, visits: int) -> None:
    """First visits of the first page, spread over ten seconds: how long each waits for its chart."""
    waited: list[float] = []

    def visit(after: float) -> None:
        time.sleep(after)
        begun = time.monotonic()
        with Visitor(url, "", "") as visitor:
            visitor.wait_for(is_chart)
            waited.append(time.monotonic() - begun)
            visitor.wait_for(is_finished)

    threads = [threading.Thread(target=visit, args=(OPENING_SECONDS * n / visits,)) for n in range(visits)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"{len(waited)} of {visits} first visits in {OPENING_SECONDS:g} s saw the chart; median "
          f"{statistics.median(waited):.2f} s, longest {max(waited):.2f} s (at most {CHART_SECONDS:g} s: "
          f"{'yes' if len(waited) == visits and max(waited) <= CHART_SECONDS else 'NO'})")  # fmt: skip


def beside_long(url: str, server: psutil.Process, what: str) -> None:
    """The changes of a few visitors without and with another one's long work, and of a map's visitor without and
    with the measuring."""

    def few() -> list[Session]:
        return [Session(url, number, 10, OTHERS_THINK) for number in range(OTHERS)]

    together(few())  # who comes later finds the pages known
    until_idle(server)
    without, _ = measured(f"{OTHERS} sessions", server, few())
    stop = threading.Event()
    thread = threading.Thread(target=works, args=(url, LONG[what], stop.is_set))
    thread.start()
    time.sleep(2)
    beside, _ = measured(f"{OTHERS} sessions beside {what}", server, few())
    stop.set()
    thread.join()
    compared(f"Median beside {what}", beside / without, TIMES_BESIDE)
    if what == "map":
        until_idle(server)
        maps = MEASURED, f"{LONG[what][1]}&seed=99"
        there, under_way = (1000 * statistics.median(on_the_map(url, query)) for query in maps)
        print(f"A change on the map's page: {there:.0f} ms where it is there, {under_way:.0f} ms while it is measured")


def on_the_map(url: str, query: str) -> list[float]:
    """Seconds of changes on the page of a map: of the gain, which moves the mark of the present network alone."""
    seconds = []
    with Visitor(url, LONG["map"][0], query) as visitor:
        visitor.wait_for(is_finished)
        begins = [button for message in visitor.elements if (button := button_of(message, "Begin")) is not None]
        if begins:  # of a map that takes long
            visitor.run(click=begins[-1])
            visitor.wait_for(is_finished)
        for stop in visitor.stops("gain")[5:15]:
            time.sleep(1.0)
            begun = time.monotonic()
            visitor.move("gain", stop)
            visitor.wait_for(is_finished)
            seconds.append(time.monotonic() - begun)
    return seconds


def works(url: str, long: tuple[str, str], is_over: Callable[[], bool]) -> None:
    """A visitor whose page is at work all the time."""
    number = 0
    while not is_over():
        number += 1
        page, query = long
        with Visitor(url, page, f"{query}&seed={number}") as visitor:
            while not is_over():
                try:
                    message = visitor.wait_for(lambda message: True, seconds=0.5)
                except (AssertionError, TimeoutError):
                    continue
                if (button := button_of(message, "Begin")) is not None:
                    visitor.wait_for(is_finished)
                    visitor.run(click=button)
                elif is_finished(message):
                    break


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--changes", type=int, default=20, help="of each session")
    parser.add_argument("--think", type=float, nargs=2, default=(5.0, 15.0), help="seconds between changes")
    parser.add_argument("--opening", type=int, help="so many first visits in ten seconds, and nothing else")
    parser.add_argument("--beside", choices=[*LONG], help="a few beside long work, and nothing else")
    chosen = parser.parse_args()
    process, url = start_server(Path(tempfile.mkdtemp()) / "log.txt")
    server = psutil.Process(process.pid)
    try:
        until_idle(server)  # the kernels are compiled in the background
        if chosen.opening:
            opening(url, chosen.opening)
        elif chosen.beside:
            beside_long(url, server, chosen.beside)
        else:
            crowd(url, server, chosen.sessions, chosen.changes, tuple(chosen.think))
    finally:
        stop_server(process)


if __name__ == "__main__":
    main()
