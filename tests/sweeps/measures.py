"""Measures of the sweeps' tests, which worker processes import."""

import os
import signal
import time
from pathlib import Path


def of_settings(experiment):
    """A number that every setting of the tests' grids decides."""
    return experiment.gain * 100 + experiment.steps + experiment.seed / 10


def slow(experiment):
    time.sleep(0.15)
    return of_settings(experiment)


def raising(experiment):
    if experiment.gain == 2:
        raise ValueError("no measure at a gain of 2")
    return of_settings(experiment)


def killing(experiment):
    """Ends the process that measures it, at one point."""
    if experiment.gain == 2 and experiment.seed == 1:
        time.sleep(0.3)  # others are in flight
        os.kill(os.getpid(), signal.SIGKILL)
    return of_settings(experiment)


def noted(experiment, folder, seconds=0.0):
    """Leaves a file for each time that it is called."""
    name = f"{experiment.gain}-{experiment.seed}-{time.time_ns()}-{os.getpid()}"
    (Path(folder) / name).touch()
    time.sleep(seconds)
    return of_settings(experiment)


def once_killed(experiment, folder):
    """Ends its process at one point, the first time; so a worker dies that is no fault of the point."""
    mark = Path(folder) / "killed"
    if experiment.gain == 2 and experiment.seed == 1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return of_settings(experiment)
