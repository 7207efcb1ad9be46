"""A question is a value: it runs itself, writes itself as a program, refuses itself by size, and is its own key."""

import importlib
import inspect
from functools import cache

import numpy as np
import pandas as pd
import pytest

import gradlab
from gradlab import Experiment, Stack, exports, paths
from gradlab.analyses import call as questions
from gradlab.analyses.call import Call, Compared, Table, chosen, each, refuse_together
from gradlab.analyses.itemised import pairs
from gradlab.analyses.parts import together
from gradlab.analyses.problem import Problem, problem_of
from gradlab.analyses.seeds import over_seeds
from gradlab.analyses.thinning import Lines
from gradlab.analyses.traces import trace
from gradlab.analyses.truncation import Schedule, beyond, bias, cost, kept_by
from gradlab.engine import TooLarge
from gradlab.settings import drawing
from gradlab.training import Recipe, Run
from gradlab.ui.kept import bytes_of
from gradlab.words.languages import speaking
from tests.analyses.memory import peak_bytes
from tests.analyses.registry import ANALYSES

gradient, jacobians, plan = (
    importlib.import_module(f"gradlab.{name}")
    for name in ("analyses.truncation.gradient", "analyses.jacobians.products", "engine.plan")
)
SMALL = {"steps": 12, "hidden_size": 4, "input_size": 3, "batch_size": 2}
LSTM, GRU = (Experiment(cell=cell, depth=2, **SMALL) for cell in ("lstm", "gru"))
WINDOWS = (Schedule("windows", 2, 4), Schedule("full"))
OPTIONS = {"bias": {"schedules": WINDOWS}, "cost": {"schedules": WINDOWS}, "departure": {"schedule": WINDOWS[0]}}
OPTIONS |= {"window_for": {"schedule": WINDOWS[0]}, "parallel": {"most": 2}}
TABLES = {
    "one subject": Table.of(Call.of(trace, LSTM), "table"),
    "each of several": Table.of(each(trace, (LSTM, GRU)), "table"),
    "some rows": Table.of(each(trace, (LSTM, GRU)), "table", "layer == 1 and state == 'h'"),
    "other calls of one subject": Table.of(
        [Call.of(paths.cut, LSTM, without=name) for name in ("direct", "recurrent")]
    ),
    "calls of two subjects": Table.of([Call.of(paths.cut, LSTM, without=()), Call.of(paths.cut, GRU, without=())]),
    "options": Table.of(Call.of(paths.decompose, LSTM, orders=2)),
    "a call of a call": Table.of(Call.of(pairs, LSTM.replace(loss="every"), most=5).then(beyond, layer=1, state="c")),
    "records among the options": Table.of(each(bias, (LSTM, GRU), schedules=WINDOWS), where="parameter == 'all'"),
    "numbers alone": Table.of(Call.of(paths.one_unit, 0.9, 0.5, 20)),
}

OPEN = LSTM.replace(keep_bias=3.0)
COMPARED = {
    "of two": Compared.of({"now": TABLES["each of several"], "A": Table.of(each(trace, (OPEN, GRU)), "table")}),
    "of one": Compared.of({"now": TABLES["one subject"]}),
    "of equals": Compared.of({"now": TABLES["one subject"], "A": TABLES["one subject"]}, column="which"),
    "some rows of tables": Compared.of(
        {
            "A": TABLES["other calls of one subject"],
            "B": Table.of(Call.of(paths.cut, OPEN, without=()), where="step < 3"),
        }
    ),
}
QUESTIONS = TABLES | {f"compared {name}": table for name, table in COMPARED.items()}


@pytest.mark.parametrize("table", QUESTIONS.values(), ids=QUESTIONS)
def test_its_program_makes_its_rows(table):
    names = {}
    exec(exports.python_code(table.subjects, table.code), names)
    pd.testing.assert_frame_equal(names["table"], table.rows(), check_exact=True)
    assert len(table.rows())


def test_a_program_lists_each_subject_once_and_loops_where_it_can():
    assert TABLES["each of several"].code.startswith("pd.concat([gradlab.trace(experiment).table for experiment in")
    assert TABLES["one subject"].code == "gradlab.trace(experiments[0]).table"
    assert TABLES["other calls of one subject"].subjects == (LSTM,)
    assert "experiments[1]" in TABLES["calls of two subjects"].code.replace(
        "for experiment in experiments", "experiments[1]"
    )


@pytest.mark.parametrize(
    "where",
    ["layer == 1", "layer == 1 and state == 'h'", "layer == 1 or state == 'h'", "step >= 3 and step < 7 and layer != 0",
     "state in ['c']", "not layer == 1", "2 <= step <= 4", "lag > step", "step <= 2 and (layer == 0 or state == 'c')"],
)  # fmt: skip
def test_the_rows_that_a_query_chooses_are_pandas_own(where):
    table = trace(LSTM).table
    pd.testing.assert_frame_equal(chosen(table, where), table.query(where), check_exact=True)
    assert 0 < len(chosen(table, where)) < len(table)
    asked = Table.of(Call.of(trace, LSTM), "table", where).rows()  # of parts, of which some are made or all
    pd.testing.assert_frame_equal(asked, table.query(where).reset_index(drop=True), check_exact=True)


def test_a_query_that_chooses_nothing_leaves_the_columns():
    table = trace(LSTM).table
    nothing = Table.of(Call.of(trace, LSTM), "table", "layer == 9").rows()
    pd.testing.assert_frame_equal(nothing, table.head(0), check_exact=True)


def test_a_query_of_whole_parts_makes_those_alone():
    found = trace(LSTM)
    table = Table.of(Call.of(trace, LSTM), "table", "layer == 1 and state == 'h'")
    (part,) = table.parts_of([found])
    assert part.count == len(part.rows()) == LSTM.steps
    assert part.same.items() >= {"layer": 1, "state": "h"}.items()


def test_a_call_is_named_after_its_analysis_and_its_subject():
    assert Call.of(paths.gate_product, LSTM).title == f"Gate product, {LSTM.title}"
    assert Call.of(pairs, LSTM).then(beyond).title == f"Beyond, {LSTM.title}"
    assert Call.of(paths.one_unit, 0.9, 0.5, 20).title == "One unit"


def test_a_call_of_options_alone_has_no_subject_and_no_need():
    call = Call.of(paths.one_unit, weight=0.9, gate=0.5, steps=20)
    assert (call.subject, call.need, call.work, call.title) == (None, None, 0, "One unit")
    pd.testing.assert_frame_equal(call.result(), paths.one_unit(0.9, 0.5, 20), check_exact=True)


def test_the_work_of_a_call_is_what_its_analysis_states():
    assert Call.of(trace, LSTM).work == problem_of(LSTM).trace_need.work > 0
    assert Call.of(over_seeds, LSTM, seeds=7).work == 7 * Call.of(trace, LSTM).work


def test_an_analysis_that_reports_no_progress_is_made_where_progress_is_asked_for():
    product, heard = Call.of(paths.gate_product, LSTM), []
    pd.testing.assert_frame_equal(product.result(heard.append), product.result(), check_exact=True)
    assert not heard


def test_only_the_key_of_what_has_sentences_depends_on_the_language():
    plain, says = Call.of(trace, LSTM), Call.of(gradlab.check, LSTM)
    before = [call.key for call in (plain, says)]
    with speaking("ko"):
        assert plain.key == before[0]
        assert says.key != before[1]


def test_equal_questions_are_equal_values_with_equal_keys():
    again = Table.of(each(trace, (LSTM, GRU)), "table")
    assert again == TABLES["each of several"]
    assert hash(again) == hash(TABLES["each of several"])
    assert len({table.key for table in TABLES.values()}) == len(TABLES)


def test_moving_a_setting_that_the_analysis_does_not_read_keeps_the_key():
    moved = LSTM.replace(truncation="windows", k1=1, k2=3, reads=4)
    assert Call.of(trace, moved).key == Call.of(trace, LSTM).key
    assert Call.of(trace, GRU.replace(forget_bias=3.0)).key == Call.of(trace, GRU).key  # a GRU has no forget gate
    assert Call.of(trace, LSTM.replace(forget_bias=3.0)).key != Call.of(trace, LSTM).key
    gates = paths.gate_statistics
    assert Call.of(gates, LSTM.replace(loss="every")).key == Call.of(gates, LSTM).key
    assert Call.of(gates, LSTM.replace(steps=13)).key != Call.of(gates, LSTM).key
    spectra = gradlab.weights.singular_values
    assert Call.of(spectra, LSTM.replace(steps=99, batch_size=1, loss="every")).key == Call.of(spectra, LSTM).key


def test_compared_tables_stand_below_each_other_with_a_column_that_says_which():
    for question in COMPARED.values():
        assert question.rows().columns[-1] == question.column
        for name, table in question.tables:
            own = question.rows().query(f"{question.column} == {name!r}").drop(columns=question.column)
            pd.testing.assert_frame_equal(own.reset_index(drop=True), table.rows(), check_exact=True)
    assert COMPARED["of two"].subjects == (LSTM, GRU, OPEN)
    assert COMPARED["of equals"].subjects == (LSTM,)
    assert len({question.key for question in QUESTIONS.values()}) == len(QUESTIONS)
    renamed = Compared.of({"now": TABLES["each of several"], "B": COMPARED["of two"].tables[1][1]})
    assert renamed.key != COMPARED["of two"].key


def test_compared_lines_are_thinned_one_by_one():
    long = LSTM.replace(steps=900)
    tables = {name: Table.of(Call.of(trace, long.replace(gain=gain)), "table") for name, gain in (("now", 1), ("A", 2))}
    question, lines = Compared.of(tables), Lines(points=800)
    parts = question.parts_of([call.result() for call in question.calls])
    by_part, whole = lines.on_screen(parts), lines.on_screen(together(parts))
    pd.testing.assert_frame_equal(by_part, whole, check_exact=True)
    assert by_part.groupby(["pin", "layer", "state"]).ngroups == 8
    assert len(by_part) < len(together(parts))


@pytest.mark.slow
def test_calls_beside_each_other_are_refused_where_one_does_not_fit_beside_the_results_of_the_others(monkeypatch):
    e = Experiment(cell="lstm", steps=20_000, hidden_size=4, batch_size=64)
    calls = [Call.of(trace, e.replace(seed=seed)) for seed in range(4)]
    alone, held = calls[0].need.bytes, bytes_of(calls[0].result())
    assert held == pytest.approx(calls[0].need.kept, rel=0.02)
    assert bytes_of(trace(e.replace(loss="every"))) == pytest.approx(
        Call.of(trace, e.replace(loss="every")).need.kept, rel=0.02
    )
    limits = []
    monkeypatch.setattr(questions, "refuse_too_large", lambda needed, *words: limits.append((needed, words)))
    refuse_together(calls)
    Compared.of({str(n): Table.of(call, "table") for n, call in enumerate(calls)}).refuse()
    assert [needed for needed, _ in limits] == pytest.approx(2 * [alone + 3 * held], rel=0.02)
    assert "remove a pin" in " ".join(limits[0][1])
    refuse_together(calls[:1] * 3)
    assert len(limits) == 2, "one call that is asked for three times is made once"
    monkeypatch.undo()
    monkeypatch.setattr(plan, "memory_limit", lambda: alone + 2 * held)
    refuse_together(calls[:2])
    with pytest.raises(TooLarge, match="4 networks beside each other, those of pins among them, need"):
        refuse_together(calls)


def test_progress_of_several_calls_rises_from_nothing_to_all():
    shares = []
    Table.of(each(trace, (LSTM, GRU)), "table").rows(shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert any(0 < share <= 0.5 for share in shares)


def test_results_that_are_there_are_not_computed_again(undrawn):
    call = Call.of(pairs, LSTM.replace(loss="every"))
    assert call.then(beyond, layer=1, state="c").inner == (call,)
    with pytest.raises(AssertionError, match="work before"):
        call.result()


def test_a_call_is_made_of_the_results_of_its_calls_and_a_table_of_those_of_its_own():
    call = Call.of(pairs, LSTM.replace(loss="every"))
    outer, kept = call.then(beyond, layer=1, state="c"), call.result()
    pd.testing.assert_frame_equal(outer.result_of([kept]), outer.result(), check_exact=True)
    table = TABLES["each of several"]
    results = [call.result() for call in table.calls]
    pd.testing.assert_frame_equal(together(table.parts_of(results)), table.rows(), check_exact=True)
    pd.testing.assert_frame_equal(together(table.parts_of(results[::-1]))[:24], results[1].table, check_exact=True)


def test_a_call_is_hashable_whatever_lists_it_is_given():
    nested = Call.of(paths.cut, LSTM, without=["direct", "forget"])
    assert nested == Call.of(paths.cut, LSTM, without=("direct", "forget"))
    assert len({nested, Call.of(kept_by, LSTM, [1, [2, 3]])}) == 2
    with pytest.raises(TypeError, match="argument 1 is an array"):
        Call.of(trace, LSTM, np.zeros((2, 2)))


def test_its_repr_is_one_short_line():
    for value in (*QUESTIONS.values(), Call.of(trace, LSTM), trace(LSTM), problem_of(LSTM), pairs(LSTM)):
        assert "\n" not in repr(value)
        assert len(repr(value)) < 200


def subjects():
    """The same network as settings, as a training run, as a stack with arrays, and as a problem."""
    run = Run(Experiment(cell="lstm", hidden_size=4, steps=8, batch_size=2), "parity", Recipe(updates=3)).after(1)
    stack, random = Stack.from_experiment(LSTM), np.random.default_rng(0)
    arrays = (stack, random.standard_normal((12, 2, 3)), random.standard_normal((12, 2, 4)))
    return {"settings": (LSTM,), "a run": (run.trained,), "a stack": arrays, "a problem": (problem_of(*arrays),)}


def called(function, arguments):
    """The analysis of a subject; of a stack with as many of its arrays as it takes."""
    names = inspect.signature(function).parameters
    named = zip(("subject", "inputs", "cotangents"), arguments, strict=False)
    return function(*(value for name, value in named if name in names), **OPTIONS.get(function.__name__, {}))


OF_A_SUBJECT = {name: f for name, f in ANALYSES.items() if next(iter(inspect.signature(f).parameters)) == "subject"}
OF_SOME = {"direct_at_biases", "changes", "letters", "over_seeds", "every_initialization"}  # they speak of settings
OF_STEPS = {name: function for name, function in OF_A_SUBJECT.items() if "steps" in function.reads}  # not weights alone
BY_THE_STEP = [
    name
    for name in OF_STEPS
    if name
    not in ("trace", "cut", "detached", "check", "itemised", "pairs", "cost", "letters", "changes", "over_seeds")
    and name != "every_initialization"
]  # all of every step
LARGE = Experiment(cell="lstm", steps=1_000_000, batch_size=256, hidden_size=1024, depth=8, objective="cross_entropy")
LONG = Experiment(cell="lstm", steps=1_000_000, objective="cross_entropy")  # of which a trace fits


@pytest.mark.parametrize("function", [f for name, f in OF_A_SUBJECT.items() if name not in OF_SOME])
def test_every_analysis_takes_settings_a_run_a_stack_and_a_problem(function):
    for arguments in subjects().values():
        assert called(function, arguments) is not None


@cache
def problems_that_are_not_plain():
    """Of a stack with resets, with lengths, and with cotangents of its last states."""
    stack, random = Stack.from_experiment(LSTM), np.random.default_rng(0)
    inputs, cotangents = random.standard_normal((12, 2, 3)), np.zeros((12, 2, 4))
    cotangents[2] = 1
    last = tuple(random.standard_normal((2, stack.depth, 2, 4)))
    options = ({"resets": np.eye(12, 2, -5)}, {"lengths": [12, 7]}, {"final_cotangents": last})
    return [trace(stack, inputs, cotangents, **some).problem for some in options]


@pytest.mark.parametrize("name", [name for name in OF_STEPS if name not in OF_SOME])
def test_a_problem_with_resets_lengths_or_final_cotangents_is_refused_by_all_that_would_not_see_them(name):
    for problem in problems_that_are_not_plain():
        if name in ("trace", "cost"):  # which sees them, and which counts sizes alone
            assert called(OF_STEPS[name], (problem,)) is not None
            continue
        with pytest.raises(ValueError, match=f"{name} knows no resets, no lengths and no final_cotangents"):
            called(OF_STEPS[name], (problem,))


@pytest.fixture
def undrawn(monkeypatch):
    """Nothing may be drawn, nor any forward pass begin."""

    def drawn(*arguments, **options):
        raise AssertionError("work before the size was known to fit")

    for name in ("drawn_stack", "drawn_signal", "injected_by", "inputs_of", "Sweep"):
        monkeypatch.setattr(drawing, name, drawn)


@pytest.mark.parametrize(
    ("name", "subject"), [*((name, LARGE) for name in OF_STEPS), *((name, LONG) for name in BY_THE_STEP)]
)
def test_every_analysis_and_its_call_refuse_by_size_before_any_work(name, subject, undrawn):
    with pytest.raises(TooLarge, match="GB are allowed: lower"):
        called(OF_STEPS[name], (subject,))
    with pytest.raises(TooLarge, match="GB are allowed: lower"):
        Call.of(OF_STEPS[name], subject, **OPTIONS.get(name, {})).refuse()


@pytest.mark.parametrize("name", [name for name, function in ANALYSES.items() if function.needs])
def test_what_an_analysis_needs_by_default_is_what_it_does_by_default(name):
    of_need, of_analysis = (
        {option.name: option.default for option in inspect.signature(function).parameters.values()}
        for function in (ANALYSES[name].needs, ANALYSES[name])
    )
    for option in of_need.keys() & of_analysis.keys() - set(OPTIONS.get(name, {})):
        assert of_need[option] == of_analysis[option], option


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in OF_STEPS if name not in ("cost", "letters", "check", "changes")])
def test_the_memory_that_an_analysis_states_is_what_it_holds_at_its_peak(name, monkeypatch):
    for module, constant in ((gradient, "BATCH_BYTES"), (jacobians, "BLOCK_BYTES")):
        monkeypatch.setattr(module, constant, 2**16)
    steps = 600 if name == "parallel" else 150  # of which a few at a time are swept
    subject, options = Experiment(cell="lstm", depth=2, hidden_size=8, steps=steps, loss="every"), OPTIONS.get(name, {})
    if name == "newton_by_factor":  # whose factors follow each other, with the same memory
        options = {"factors": (0.5, 1.0)}
    peak, problem = peak_bytes(lambda: OF_STEPS[name](subject, **options), monkeypatch), problem_of(subject)
    needs = OF_STEPS[name].needs
    stated = needs(problem, **options).bytes if needs else problem.trace_bytes
    assert 0.75 * peak < stated < 2.5 * peak, stated / peak


@pytest.mark.parametrize(
    ("of", "name", "most"),
    [
        *(("many units", name, 1.25) for name in ("decompose", "cut", "edges", "gate_statistics", "microscope")),
        ("many units", "mean_passes", 1.4),  # whose scratch arrays are given back before its largest ones are made
        *(("many rows", name, 2.6) for name in ("mean_passes", "decompose", "cut", "gate_statistics")),
    ],
)
def test_the_memory_stated_of_paths_is_that_of_its_largest_part(of, name, most, monkeypatch):
    """A process grows by more for rows of tables than Python counts."""
    subject = Experiment(cell="lstm", hidden_size=64, steps=60, batch_size=4, input_size=4)
    if of == "many rows":
        subject = subject.replace(hidden_size=1, steps=300, batch_size=1, depth=2)
    peak, problem = peak_bytes(lambda: OF_STEPS[name](subject), monkeypatch), problem_of(subject)
    assert 0.95 * peak < OF_STEPS[name].needs(problem).bytes < most * peak


def test_an_unknown_option_is_refused_with_the_option_that_was_meant():
    with pytest.raises(TypeError, match=r"decompose has no option 'order': did you mean orders\?"):
        paths.decompose(LSTM, order=3)
    with pytest.raises(TypeError, match="trace has no option 'steps': use subject, inputs"):
        trace(LSTM, steps=3)


def test_a_call_of_an_unknown_option_or_of_an_array_is_refused_when_it_is_written():
    with pytest.raises(TypeError, match=r"decompose has no option 'order': did you mean orders\?"):
        Call(paths.decompose, (LSTM,)).then(paths.decompose, order=3)
    with pytest.raises(TypeError, match="loss_steps is an array"):
        Call.of(pairs, LSTM, loss_steps=np.arange(3))


def test_numbers_of_numpy_are_written_as_numbers():
    call = Call.of(paths.decompose, LSTM, orders=np.int64(2))
    assert call.key == Call.of(paths.decompose, LSTM, orders=2).key
    assert Call.of(paths.one_unit, float("nan"), 0.5, 20).code(str).startswith("gradlab.paths.one_unit(float('nan')")


def test_a_problem_says_its_sizes_and_draws_nothing_for_it(monkeypatch):
    monkeypatch.setattr(drawing, "drawn_stack", None)
    assert repr(problem_of(LSTM)) == "Problem(steps = 12, batch_size = 2, hidden_size = 4, depth = 2)"
    assert isinstance(problem_of(problem_of(LSTM)), Problem)


E10 = Experiment(steps=10, hidden_size=3)


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda: gradlab.diagnose(trace(E10), states=1), TypeError, "no option 'states': did you mean state?"),
        (lambda: gradlab.estimate(subjcet=E10), TypeError, "estimate has no option 'subjcet': did you mean subject?"),
        (lambda: paths.unit_values(None, quantity=1), TypeError, "unit_values has no option 'quantity'"),
        (lambda: Recipe(lr=3), TypeError, "Recipe has no option 'lr': did you mean learning_rate?"),
        (lambda: gradlab.weights.singular_values(None), TypeError, "NoneType is neither an Experiment nor a Stack"),
        (lambda: bias(E10, schedules=Schedule("full")), ValueError, "is a single schedule: pass a list"),
        (lambda: cost(E10, schedules=Schedule("full")), ValueError, "is a single schedule: pass a list"),
        (lambda: pairs(E10, loss_steps=[0.7]), ValueError, "must be steps of the sequence: use whole numbers 0 to 9"),
        (lambda: gradlab.diagnose(trace(E10), layer=0.0), ValueError, "layer = 0.0 is not there"),
    ],
)  # fmt: skip
def test_what_a_function_does_not_take_is_refused_in_a_sentence(call, error, sentence):
    with pytest.raises(error, match=sentence.replace("?", r"\?")):
        call()
