"""Measures how much memory a request takes: a process that is forked for each, so that it begins as small each time.

Reads a line of JSON for each request: the analysis, its settings and options; writes what was estimated and how much
the process grew at its peak.
"""

import json
import os
import sys
from pathlib import Path

from gradlab.analyses import thinning
from gradlab.analyses.call import Call, Table
from gradlab.analyses.diagnosis import diagnose
from gradlab.analyses.traces import GradientTrace
from gradlab.analyses.truncation import Schedule
from gradlab.engine import slices, warm_up
from gradlab.settings.experiment import Experiment
from gradlab.ui.kept import give_back
from tests.analyses.registry import ANALYSES

WINDOW = Schedule("windows", 25, 50)
OPTIONS = {"bias": {"schedules": (WINDOW, Schedule("windows", 50, 100))}}
OPTIONS |= {name: {"schedule": WINDOW} for name in ("departure", "gradient", "window_for")}
OPTIONS["cost"] = {"schedules": (WINDOW,)}


def memory(what: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(what))


def request(name: str, settings: dict, options: dict, view: str, reduction: str) -> Table:
    experiment = Experiment(**settings)
    return Table.of(Call.of(ANALYSES[name], experiment, **OPTIONS.get(name, {}) | options), view)


def grown(table: Table, reduction: str) -> int:
    """Bytes by which the process grows until the rows of a request are there."""
    give_back()  # what earlier requests have freed
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts here
    before = memory("VmRSS")
    results = [table.calls[0].result()]
    if isinstance(results[0], GradientTrace):  # as every page does that shows one
        diagnose(results[0])
    if reduction:
        getattr(thinning, reduction)().on_screen(table.parts_of(results))
    return memory("VmHWM") - before


def main() -> None:
    warm_up(["rnn", "lstm", "gru"], ["float64", "float32"])
    for line in sys.stdin:
        asked = json.loads(line)
        small = asked | {"settings": asked["settings"] | {"steps": 120, "hidden_size": 4, "batch_size": 2}}
        grown(request(**small), asked["reduction"])  # what every first such request loads
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            slices._pool.cache_clear()  # its threads are the parent's
            grown(request(**small), asked["reduction"])  # maps the libraries' files, which a new process has not
            table = request(**asked)
            need = table.calls[0].need
            said = {"estimated": need.bytes if need else 0, "grown": grown(table, asked["reduction"])}
            os.write(writing, json.dumps(said).encode())
            os._exit(0)
        os.close(writing)
        _, status = os.waitpid(child, 0)
        with os.fdopen(reading) as said:
            sys.stdout.write((said.read() or json.dumps({"failed": status})) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
