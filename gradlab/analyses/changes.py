"""Changes of the settings that would help a network that is drawn, each with what becomes of its gradient.

Nothing is recommended that was not computed: every row is a trace of this very network, its other settings unchanged.
"""

from typing import Any

import pandas as pd

from gradlab.analyses.diagnosis import diagnose
from gradlab.analyses.problem import Need, Problem, analysis
from gradlab.analyses.traces import trace
from gradlab.engine import Progress
from gradlab.engine.progress import part_of, silent
from gradlab.settings.conflicts import bias_to_keep
from gradlab.settings.subject import Subject

CHANGES: tuple[dict[str, Any], ...] = (
    {"keep_bias": 1.0, "forget_bias": None},
    {"keep_bias": 3.0, "forget_bias": None},
    {"initialization": "orthogonal"},
    {"initialization": "orthogonal", "keep_bias": 3.0, "forget_bias": None},
)
CHANGE_COLUMNS = ("setting", "value", "verdict", "log10_left", "change")


def _need(problem: Problem) -> Need:
    one = problem.trace_need
    return one._replace(work=len(CHANGES) * one.work)


@analysis(_need)
def changes(subject: Subject, *, progress: Progress | None = None) -> pd.DataFrame:
    """One row per change that is one here, the most helpful first: columns `CHANGE_COLUMNS`.

    setting, value    what is changed and to what, several joined by " and "
    verdict           of the changed network (`gradlab.diagnose`)
    log10_left        of the last loss's gradient at step 0 in all states of the bottom layer, relative to its injection
    change            the settings themselves, as `subject.replace` takes them

    No rows where no change applies, as to weights that were learned.
    """
    applied = [change for change in CHANGES if _is_one(subject, change)]
    rows = []
    for number, change in enumerate(applied):
        part = part_of(progress or silent, number / len(applied), (number + 1) / len(applied))
        found = diagnose(trace(subject.replace(**change), progress=part))
        wanted = _wanted(change)
        values = " and ".join(f"{value:g}" if isinstance(value, float) else value for value in wanted.values())
        rows.append((" and ".join(wanted), values, found.verdict, found.log10_left, change))
    table = pd.DataFrame(rows, columns=list(CHANGE_COLUMNS))
    return table.sort_values("log10_left", key=lambda left: left.abs(), kind="stable", ignore_index=True)


def _is_one(subject: Subject, change: dict[str, Any]) -> bool:
    """Whether every setting of a change decides something of this network, and is another there."""
    now = subject.settings.model_dump() | {"keep_bias": bias_to_keep(subject.settings)}
    wanted = _wanted(change)
    return wanted.keys().isdisjoint(subject.unused()) and all(now[name] != value for name, value in wanted.items())


def _wanted(change: dict[str, Any]) -> dict[str, Any]:
    """What a change sets, without the settings that only give way to it."""
    return {name: value for name, value in change.items() if value is not None}
