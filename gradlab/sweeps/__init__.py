"""Sweeps: any settings × seeds, any measure, over processes here or on a cluster; what is done is kept and resumed.

measures    `MEASURES`: what a sweep may measure of an Experiment, a number each
grid        the points of a sweep, coarse to fine, each keyed by its content
store       a folder of append-only records, one self-contained line per point
running     the loop that has missing points measured, outlives killed workers and finds the point that kills them
maps        phase maps: the rate over two settings, with theory's border
pool        processes for a server, which do not run its program again
cluster     a dask cluster in place of this machine's processes
sweep       `sweep`: the spread over seeds at every setting; `points`: every single one

A script that runs a sweep in processes stands under `if __name__ == "__main__":`, since each process imports it.
"""

from gradlab.sweeps.grid import coarse_to_fine
from gradlab.sweeps.maps import MAPS, PhaseMap, phase_map
from gradlab.sweeps.measures import MEASURES
from gradlab.sweeps.running import DONE, FAILED, KILLED
from gradlab.sweeps.store import read
from gradlab.sweeps.sweep import POINT_COLUMNS, SPREAD_COLUMNS, points, spread, sweep

__all__ = [
    "DONE",
    "FAILED",
    "KILLED",
    "MAPS",
    "MEASURES",
    "POINT_COLUMNS",
    "SPREAD_COLUMNS",
    "PhaseMap",
    "coarse_to_fine",
    "phase_map",
    "points",
    "read",
    "spread",
    "sweep",
]
