"""Questions about runs: their programs give their rows to the bit, and they are cache keys by what was measured."""

import pandas as pd
import pytest

from gradlab import exports
from gradlab.analyses.characters import activity, predictions, reach
from gradlab.settings.experiment import Experiment
from gradlab.settings.tasks import characters
from gradlab.training import Recipe, Run
from gradlab.training.replay import History, Measured, Reach, Reading, Snapshot, Traces

SMALL = Experiment(hidden_size=4, steps=10, batch_size=2)
RECIPE = Recipe(updates=9, trace_every=4, learning_rate=0.01)


def run_of(cell="gru", task="adding", recipe=RECIPE, **settings):
    return Run(SMALL.replace(cell=cell, **settings), task, recipe)


def measured(run, updates, grows=False):
    return Measured.of(run, run.advance(updates), grows)


def again(question) -> pd.DataFrame:
    """The table that the exported program computes."""
    names = {}
    exec(exports.python_code(question.subjects, question.code), names)
    return names["table"]


def hold(question):
    rows = question.rows()
    assert len(rows)
    pd.testing.assert_frame_equal(again(question), rows, check_exact=True)


def test_the_programs_of_several_runs_give_their_rows():
    runs = tuple(measured(run_of(cell), 7) for cell in ("rnn", "lstm"))
    hold(History(runs))
    hold(Traces(runs, 4))
    hold(Reach.of(runs[1], 0, "c"))
    assert ".after(" not in History(runs).code, "a run from the start needs no updates before its records"
    assert "for experiment in experiments" in History(runs).code, "what is the same for all is said once"


def test_the_programs_of_runs_with_unequal_records_name_each():
    runs = (measured(run_of("rnn"), 9), measured(run_of("gru"), 5))
    hold(History(runs))
    hold(Traces(runs, 8))
    hold(Traces(runs, 0))


def test_the_program_of_a_run_that_was_resumed_or_has_ended_begins_where_it_did():
    hold(History((measured(run_of().after(5), 3),)))
    ended = run_of().after(9)
    hold(History((Measured.of(ended, [ended.measured()]),)))
    hold(Reach.of(Measured.of(ended, [ended.measured()]), 0, "h"))


@pytest.mark.parametrize("task", ["hello", characters("한 번 더, one more time! ")], ids=["hello", "a text"])
def test_the_programs_of_a_character_model_read_what_it_reads(task):
    run = run_of(task=task).after(3)
    text = (run.task.text or "")[:4]
    snapshot = Snapshot.of(run)
    run.advance(4)
    for function, arguments in ((predictions, (text,)), (reach, (text, 2)), (activity, (text, 1, 0, "h"))):
        hold(Reading(function, snapshot, arguments))


def test_a_question_has_no_key_while_its_run_trains_and_then_one_of_what_was_measured():
    growing, run = measured(run_of(), 3, grows=True), run_of()
    assert History((growing,)).key is None
    first, second = measured(run, 3), measured(run, 3)
    same = measured(run_of(), 3)
    assert History((first,)).key == History((same,)).key
    assert History((first,)) == History((same,))
    keys = {
        History((first,)).key, History((second,)).key, History((measured(run_of(seed=1), 3),)).key,
        Traces((first,), 0).key, Reach.of(first, 0, "h").key, History((measured(run_of("rnn"), 3),)).key,
    }  # fmt: skip
    assert len(keys) == 6


def test_two_files_that_say_the_same_of_themselves_but_hold_other_weights_have_other_keys():
    run, other = run_of(), run_of()
    other.network.readout.bias.data += 1e-9
    assert History((measured(run, 1),)).code == History((measured(other, 1),)).code
    assert History((measured(run_of(), 1),)).key != History((measured(other, 1),)).key
    model, moved = run_of(task="hello"), run_of(task="hello")
    moved.network.readout.bias.data += 1e-9
    keys = {Reading(predictions, Snapshot.of(one), ("hell",)).key for one in (model, moved, run_of(task="hello"))}
    assert len(keys) == 2
    assert Reading(predictions, Snapshot.of(model), ("hell",), grows=True).key is None


def test_what_a_run_measures_later_leaves_a_question_alone():
    run = run_of()
    records = run.advance(2)
    question = History((Measured.of(run, records),))
    records += run.advance(3)
    assert len(question.rows()) == 2
