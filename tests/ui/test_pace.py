"""How long an answer will take is what it took before, scaled by its work."""

import math
import time

import pytest

from gradlab import Experiment, trace
from gradlab.analyses.call import Call
from gradlab.analyses.itemised import itemised
from gradlab.analyses.problem import problem_of
from gradlab.engine import sweep
from gradlab.ui import pace

SMALL = Experiment(hidden_size=8, steps=50, batch_size=1)
CALL = Call.of(trace, SMALL)
TWICE = Call.of(trace, SMALL.replace(steps=100))
LARGE = Call.of(trace, SMALL.replace(steps=1_000_000))  # takes seconds


@pytest.fixture(autouse=True)
def nothing_learned():
    """A process that has answered nothing yet, and afterwards knows again what it knew."""
    before = {name: list(paces) for name, paces in pace._paces.items()}
    pace._paces.clear()
    yield
    pace._paces.clear()
    for name, paces in before.items():
        pace._paces[name].extend(paces)


def at_first(call):
    """Seconds at the pace of a first sweep, and no slower than is believed."""
    return call.work / pace.first_pace() * 4


def test_an_answer_is_expected_to_take_what_it_took_before_and_another_in_proportion_to_its_work():
    taken = at_first(LARGE) / 10
    pace.learn(LARGE, taken)
    assert pace.seconds(LARGE) == pytest.approx(taken)
    assert pace.seconds(CALL) == pytest.approx(taken * CALL.work / LARGE.work)
    assert pace.seconds(Call.of(itemised, SMALL)) == pytest.approx(at_first(Call.of(itemised, SMALL)))


def test_before_anything_is_learned_and_after_a_slow_answer_the_first_sweep_counts():
    assert pace.seconds(CALL) == pytest.approx(at_first(CALL))
    assert pace.seconds(TWICE) / pace.seconds(CALL) == pytest.approx(TWICE.work / CALL.work)
    pace.learn(CALL, 1000.0)
    assert pace.seconds(CALL) == pytest.approx(at_first(CALL))


def test_the_fastest_of_the_latest_answers_counts():
    first = at_first(LARGE)
    pace.learn(LARGE, first / 8)
    for _ in range(7):
        pace.learn(LARGE, first / 2)
    assert pace.seconds(LARGE) == pytest.approx(first / 8)
    pace.learn(LARGE, first / 2)
    assert pace.seconds(LARGE) == pytest.approx(first / 2), "the ninth answer back is forgotten"


def test_answers_shorter_than_the_shortest_that_says_anything_teach_nothing():
    pace.learn(CALL, 0.9 * pace.FEWEST_SECONDS)
    assert pace.seconds(CALL) == pytest.approx(at_first(CALL))
    pace.learn(LARGE, pace.FEWEST_SECONDS)
    assert pace.seconds(LARGE) == pytest.approx(pace.FEWEST_SECONDS)


def test_what_states_no_work_takes_no_time_and_teaches_nothing():
    call = Call.of(math.sqrt, 2.0)
    pace.learn(call, 100.0)
    assert pace.seconds(call) == 0.0


def test_the_first_pace_is_that_of_a_sweep_measured_here():
    """To a factor of thirty: another size, on a machine that does other things as well."""
    problem = problem_of(Experiment(cell="gru", hidden_size=48, steps=300, batch_size=2))
    taken = []
    for _ in range(4):
        begun = time.perf_counter()
        sweep(problem.stack, problem.inputs, problem.loss)
        taken.append(time.perf_counter() - begun)
    measured = problem.trace_need.work / min(taken)
    assert measured / 30 < pace.first_pace() < measured * 30
