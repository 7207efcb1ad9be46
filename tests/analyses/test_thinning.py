"""Thinning keeps what a reader would see; bins lose no step; names at line ends find room."""

import itertools
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradlab.analyses import thinning
from gradlab.analyses.call import Table, chosen, each
from gradlab.analyses.parts import Part
from gradlab.analyses.thinning import (
    AllRows,
    Between,
    EvenSteps,
    Lines,
    PairBins,
    StepBins,
    Wide,
    bin_pairs,
    bin_steps,
    line_ends,
    pin_names,
    thin,
)
from gradlab.analyses.traces import trace
from gradlab.settings.experiment import Experiment
from gradlab.settings.pins import NOW

COLUMNS = ("log10_norm", "log10_norm_max")
values = st.one_of(st.floats(-4000, 4000), st.sampled_from([-np.inf, np.nan, 0.0, -1.0]))


@st.composite
def tables(draw, longest: int = 90):
    """One to three lines, each over steps of its own: random values, jumps, runs of exact zeros and undefined ones."""
    parts = []
    for layer in range(draw(st.integers(1, 3))):
        steps, first = draw(st.integers(1, longest)), draw(st.integers(0, 5))
        column = st.lists(values, min_size=steps, max_size=steps)
        norms = {name: draw(column) for name in COLUMNS}
        step = np.arange(first, first + steps)
        parts.append(
            pd.DataFrame({"cell": "rnn", "layer": layer, "state": "h", "step": step, "lag": step[::-1]} | norms)
        )
    return pd.concat(parts, ignore_index=True)


def kind(column) -> np.ndarray:
    return np.where(np.isfinite(column), 0, np.where(np.isnan(column), 1, 2))


def at_boundaries(line: pd.DataFrame) -> np.ndarray:
    """True where a row and its neighbour differ in being finite, zero or undefined, in any column."""
    found = np.zeros(len(line), dtype=bool)
    for name in COLUMNS:
        change = np.diff(kind(line[name].to_numpy())) != 0
        found |= np.r_[False, change] | np.r_[change, False]
    return found


def lines_of(table):
    return [line.reset_index(drop=True) for _, line in table.groupby("layer")]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(tables(), st.integers(12, 60))
def test_a_thinned_line_keeps_ends_extremes_and_boundaries_and_changes_no_row(table, points):
    thinned = thin(table, points, columns=COLUMNS)
    assert list(thinned.columns) == list(table.columns)
    for whole, few in zip(lines_of(table), lines_of(thinned), strict=True):
        kept = whole["step"].isin(few["step"]).to_numpy()
        pd.testing.assert_frame_equal(whole[kept].reset_index(drop=True), few)
        assert kept[[0, -1]].all()
        assert kept[at_boundaries(whole)].all()
        assert len(few) <= points + at_boundaries(whole).sum()
        for name in COLUMNS:
            assert few[name].min() == whole[name].min() or whole[name].isna().all()
            assert few[name].max() == whole[name].max() or whole[name].isna().all()


@settings(max_examples=50, deadline=None)
@given(tables(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(table, random):
    order = list(table.index)
    random.shuffle(order)
    straight, shuffled = thin(table, 12, columns=COLUMNS), thin(table.loc[order], 12, columns=COLUMNS)
    sort = ["layer", "step"]
    pd.testing.assert_frame_equal(
        straight.sort_values(sort, ignore_index=True), shuffled.sort_values(sort, ignore_index=True)
    )


def line(steps: int, norm, cell: str = "rnn") -> pd.DataFrame:
    step = np.arange(steps)
    return pd.DataFrame({"cell": cell, "layer": 0, "state": "h", "step": step, "lag": step[::-1], "log10_norm": norm})


@pytest.mark.parametrize("at", [1, 4999, 5000, 7321, 9998])
@pytest.mark.parametrize("height", [-3.0, 3.0])
def test_a_spike_of_a_single_step_survives(at, height):
    table = line(10_000, np.sin(np.arange(10_000) / 500))
    table.loc[at, "log10_norm"] += height
    thinned = thin(table, 200)
    assert len(thinned) <= 200
    assert table.loc[at, "log10_norm"] in set(thinned["log10_norm"])


def test_every_bucket_of_a_saw_keeps_both_its_edges():
    table = line(9000, np.where(np.arange(9000) % 2, 1.0, -1.0))
    thinned = thin(table, 300)
    for part in np.array_split(np.arange(9000), 40):
        assert set(thinned.loc[thinned["step"].isin(part), "log10_norm"]) == {-1.0, 1.0}


def test_smooth_lines_use_most_of_the_points_they_may_have():
    assert 500 <= len(thin(line(10_000, -0.3 * np.arange(10_000)[::-1]), 1000)) <= 1000


def test_tables_thinned_apart_share_a_grid_of_steps():
    random = np.random.default_rng(3)
    rough, smooth = line(8000, random.standard_normal(8000)), line(8000, np.arange(8000.0), "gru")
    shared = set(thin(rough, 400)["step"]) & set(thin(smooth, 400)["step"])
    assert len(shared) >= 100


def test_a_small_table_is_returned_whole():
    table = line(100, np.arange(100.0))
    pd.testing.assert_frame_equal(thin(table, 100), table)


@pytest.mark.parametrize("infinite", [-np.inf, np.inf])
@pytest.mark.parametrize("height", [-50.0, 50.0])
def test_a_finite_spike_beside_an_infinite_value_survives(infinite, height):
    table = line(5000, 0.0)
    table.loc[[2500, 2503], "log10_norm"] = [infinite, height]
    thinned = thin(table, 100)
    assert {infinite, height} <= set(thinned["log10_norm"])


REDUCTIONS = (Lines(), StepBins(), EvenSteps(), PairBins(), Between(0, 9, EvenSteps()), Wide(()), AllRows())


@pytest.mark.parametrize("reduction", REDUCTIONS, ids=repr)
def test_an_empty_table_stays_empty(reduction):
    """Of a filter that leaves nothing: every reduction has its columns and no rows."""
    table = line(5, 0.0).assign(loss_step=0, unit=0, value=0.0)
    few = table.head(0)
    for reduced in (reduction.on_screen, reduction.taken):
        assert reduced(few).empty
        if not isinstance(reduction, Wide):  # its columns are the steps
            assert list(reduced(few).columns) == list(reduced(table).columns)


def test_too_few_points_are_refused_with_the_number_needed():
    with pytest.raises(ValueError, match="points = 7: at least 8 are needed for 1 columns"):
        thin(line(50, 0.0), 7)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(tables(), st.integers(1, 40))
def test_bins_hold_every_step_once_and_the_mean_of_their_finite_values(table, columns):
    binned = bin_steps(table, columns, values=COLUMNS)
    for whole, bins in zip(lines_of(table), lines_of(binned), strict=True):
        assert len(bins) <= columns
        assert bins["step"].iloc[0] == whole["step"].iloc[0]
        assert bins["step_end"].iloc[-1] == whole["step"].iloc[-1] + 1
        assert (bins["step_end"].to_numpy()[:-1] == bins["step"].to_numpy()[1:]).all()
        for row in bins.itertuples():
            inside = whole[whole["step"].between(row.step, row.step_end - 1)]
            assert (row.lag, row.lag_end) == (inside["lag"].max(), inside["lag"].min() - 1)
            assert row.exact_zeros == np.isneginf(inside["log10_norm"]).sum()
            assert row.not_finite == inside["log10_norm"].isna().sum()
            for name in COLUMNS:
                value, finite = getattr(row, name), inside.loc[np.isfinite(inside[name]), name]
                if len(finite):
                    assert value == pytest.approx(finite.mean(), rel=1e-12, abs=1e-9)
                else:
                    assert np.isneginf(value) if np.isneginf(inside[name]).all() else np.isnan(value)


def test_a_table_of_few_steps_has_a_bin_a_step():
    table = line(300, np.arange(300.0))
    binned = bin_steps(table, 512)
    assert list(binned["log10_norm"]) == list(table["log10_norm"])
    assert (binned["step_end"] - binned["step"] == 1).all()
    assert (binned["lag"] - binned["lag_end"] == 1).all()


def test_no_columns_for_bins_are_refused():
    with pytest.raises(ValueError, match="columns = 0: at least 1 is needed"):
        bin_steps(line(5, 0.0), 0)


@given(st.lists(st.floats(-100, 0), min_size=1, max_size=6), st.floats(0.01, 0.15))
def test_names_keep_their_order_their_distance_and_their_centre(heights, gap):
    table = pd.concat([line(2, [height, 0.0], f"cell {n}") for n, height in enumerate(heights)], ignore_index=True)
    ends = line_ends(table, False, gap)
    room = gap * max(np.ptp([*heights, 0.0]), 2.0)
    assert sorted(ends["log10_norm"]) == sorted(heights)
    assert (ends["step"] == 0).all()
    assert list(ends["log10_norm"]) == sorted(heights, reverse=True)
    assert all(upper - lower >= room - 1e-9 for upper, lower in itertools.pairwise(ends["label_at"]))
    assert ends["label_at"].mean() == pytest.approx(np.mean(heights), abs=1e-9)


def test_names_that_have_room_stand_at_their_lines():
    table = pd.concat([line(2, [-10.0, 0.0], "rnn"), line(2, [-50.0, 0.0], "gru")], ignore_index=True)
    assert list(line_ends(table, relative=False)["label_at"]) == [-10.0, -50.0]


@pytest.mark.parametrize(
    ("low", "room"), [(-10.0, 1.0), (-0.5, 0.2)]
)  # a tenth of the range, which is two decades at least
def test_names_at_one_height_stand_side_by_side_each_with_the_room_of_its_lines(low, room):
    table = pd.concat([line(2, [low, 0.0], cell) for cell in ("rnn", "gru")], ignore_index=True)
    assert sorted(line_ends(table, relative=False)["label_at"]) == pytest.approx([low - room / 2, low + room / 2])
    for heights, apart in (({"rnn": 3}, 2 * room), ({"gru": 2, "lstm": 5}, 1.5 * room), ({"lstm": 5}, room)):
        assert np.ptp(line_ends(table, relative=False, heights=heights)["label_at"]) == pytest.approx(apart)


def test_a_line_is_named_at_its_first_finite_step_and_left_out_where_it_has_none():
    table = pd.concat(
        [line(3, [np.nan, -np.inf, -2.0], "rnn"), line(3, np.nan, "gru"), line(3, -1.0, "lstm")], ignore_index=True
    )
    ends = line_ends(table, relative=False).set_index("cell")
    assert ends["step"].to_dict() == {"rnn": 2, "lstm": 0}


def test_a_line_is_one_cell_layer_and_state():
    cells, layers, states, steps = ("rnn", "gru", None), (2, 0, 1), ("h", "c"), range(60)
    rows = [*itertools.product(steps, cells, layers, states)]
    table = pd.DataFrame(rows, columns=["step", "cell", "layer", "state"]).assign(lag=0, log10_norm=0.0)
    found = [tuple(row) for row in line_ends(table, relative=False)[["cell", "layer", "state"]].to_numpy(object)]
    assert len(found) == len({*map(str, found)}) == 18
    few = thin(table, 12, columns=("log10_norm",)).groupby(["cell", "layer", "state"], dropna=False)["step"]
    assert (few.min().tolist(), few.max().tolist()) == (18 * [0], 18 * [59])


def test_lines_of_no_cell_have_names_and_where_nothing_is_finite_there_are_none():
    table = line(3, [-4.0, -2.0, 0.0]).drop(columns="cell")
    both = pd.concat([table.assign(path="direct"), table.assign(path="total")], ignore_index=True)
    assert line_ends(both, relative=False)["label_at"].to_numpy() == pytest.approx([-3.8, -4.2])  # a tenth of 4 apart
    nothing = line_ends(line(3, [np.nan, -np.inf, np.inf]), relative=False)
    assert nothing.empty
    assert {"cell", "step", "lag", "log10_norm", "label_at"} <= set(nothing)


def test_of_compared_tables_the_present_lines_alone_have_names_at_their_ends():
    now, pin = line(3, [-4.0, -2.0, 0.0]), line(3, [-400.0, -2.0, 5.0])
    both = pd.concat([now.assign(pin=NOW), pin.assign(pin="A")], ignore_index=True)
    pd.testing.assert_frame_equal(line_ends(both, relative=False), line_ends(now, relative=False))


def named(*lines, **options) -> pd.DataFrame:
    """Names of pins beside lines: (pin, values by step) or (pin, values, cell), all of 101 steps."""
    tables = [line(101, values, *cell).assign(pin=pin) for pin, values, *cell in lines]
    labels = {"A": "gain 2", "B": "gain 3"}
    return pin_names(pd.concat(tables, ignore_index=True), labels, relative=False, **options)


FLAT, RISING = np.zeros(101), np.linspace(-10, 0, 101)  # by step: from the left to the right


def test_a_pin_is_named_at_the_norm_that_is_drawn():
    lines = [("now", FLAT), ("A", RISING)]
    table = pd.concat([line(101, values).assign(pin=pin, log10_relative=values - 3) for pin, values in lines])
    absolute, relative = (pin_names(table, {"A": "gain 2"}, is_relative)["label_at"] for is_relative in (False, True))
    assert list(absolute - relative) == pytest.approx([3])


@pytest.mark.parametrize(
    ("now", "pin", "above", "left"),
    [  # where there is room: away from the present line, and on the side to which the pin's own line leaves it
        (RISING, RISING - 0.5, False, False),
        (RISING, RISING + 0.5, True, True),
        (-RISING, -RISING - 0.5, False, True),
        (-RISING, -RISING + 0.5, True, False),
        (FLAT - 8, RISING, True, True),  # a line that ends the range has all the room above it
    ],
)
def test_a_pin_is_named_away_from_the_present_line_where_its_own_leaves_the_most_room(now, pin, above, left):
    (name,) = named((NOW, now), ("A", pin)).to_dict("records")
    lag = 35 if left else 65  # of those at 35, 45, 55 and 65 hundredths of the longest, with the most width beside it
    assert name == {
        "pin": "A",
        "lag": lag,
        "label": "A: gain 2",
        "label_at": pin[100 - lag],
        "above": above,
        "left": left,
        "room": pytest.approx(0.65),
    }


@pytest.mark.parametrize("near", [0.1, 1.2, 1.6])
def test_a_name_avoids_lags_at_which_another_line_is_nearer_than_the_height_of_a_name(near):
    """Below the pin's line there is no room at all; above it there is none from lag 30 to 50. A name takes 1.5 decades
    of ten; farther lines count no more than those, and then the width decides."""
    lag = np.arange(101)[::-1]
    above = np.where((lag >= 30) & (lag <= 50), -5 + near, 0)
    above[0] = -10  # the range is of ten decades
    names = named((NOW, above, "gru"), (NOW, FLAT - 5.1, "rnn"), ("A", FLAT - 5))
    assert names["above"].all()
    assert names["lag"].tolist() == [35 if near > 1.5 else 55]
    assert names["room"].to_numpy() == pytest.approx(0.65 if near > 1.5 else 0.45)


@pytest.mark.parametrize(("apart", "range", "names"), [(0.6, 10, 1), (0.8, 10, 2), (0.13, 0.5, 1), (0.15, 0.5, 2)])
def test_lines_of_a_pin_have_one_name_where_they_are_nearer_than_seven_hundredths_of_two_decades_at_least(
    apart, range, names
):
    now = np.where(np.arange(101) == 100, 0.0, -range)
    labels = named((NOW, now, "gru"), ("A", FLAT - 0.2, "rnn"), ("A", FLAT - 0.2 - apart, "lstm"))["label"]
    assert labels.tolist() == (["A: gain 2"] if names == 1 else ["A RNN: gain 2", "A LSTM"])


def test_lines_of_a_pin_are_near_each_other_where_they_are_in_the_middle_of_the_picture():
    both = ("A", RISING, "rnn"), ("A", -10 - RISING, "lstm")
    assert named((NOW, FLAT, "gru"), *both)["label"].tolist() == ["A: gain 2"], "they cross there"


def test_every_pin_is_named_at_its_own_line_unless_that_is_the_present_one_lag_by_lag():
    names = named((NOW, FLAT), ("A", FLAT - 4), ("B", FLAT - 8))
    assert names[["pin", "label_at"]].to_numpy().tolist() == [["A", -4], ["B", -8]]
    assert named((NOW, FLAT), ("A", FLAT))["pin"].tolist() == []
    early, late = (np.where(np.arange(101) < 50, *values) for values in ((-3.0, -np.inf), (-np.inf, -3.0)))
    early[50] = -3.0  # as many values, and the same ones
    assert np.isfinite(early).sum() == np.isfinite(late).sum()
    assert named((NOW, late), ("A", early))["pin"].tolist() == ["A"]


def test_only_h_of_the_bottom_layer_has_names():
    now, pin = (line(101, values).assign(pin=name) for name, values in ((NOW, FLAT), ("A", RISING - 1)))
    others = [pin.assign(layer=1, log10_norm=FLAT - 7), pin.assign(state="c", log10_norm=FLAT - 2)]
    alone, among = (
        pin_names(pd.concat(tables, ignore_index=True), {"A": "a"}, relative=False)
        for tables in ([now, pin], [now, *others, pin])
    )
    pd.testing.assert_frame_equal(alone, among, check_exact=True)


def test_a_line_without_any_finite_value_is_not_named_and_another_only_where_it_is_finite():
    dying = np.where(np.arange(101) < 60, -np.inf, -3.0)  # from lag 41 on
    names = named((NOW, FLAT), ("A", FLAT - np.inf), ("B", dying))
    assert names["pin"].tolist() == ["B"]
    assert names["label_at"].tolist() == [-3.0]
    assert names["lag"].tolist() == [35]


def two_lines(steps: int) -> pd.DataFrame:
    step = np.arange(steps)
    parts = [pd.DataFrame({"path": path, "step": step, "lag": steps - 1 - step, "share": 0.5}) for path in "ab"]
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize(("steps", "every"), [(400, 1), (1001, 3)])
def test_stacked_pictures_have_every_line_at_the_same_even_lags_and_at_the_first_step(steps, every):
    rows = EvenSteps(400).on_screen(two_lines(steps))
    lags = {path: own["lag"].tolist() for path, own in rows.groupby("path")}
    assert lags["a"] == lags["b"]
    assert set(lags["a"]) == {*range(0, steps, every), steps - 1}
    assert EvenSteps(400).taken(two_lines(steps)).equals(two_lines(steps))


def test_wide_has_units_in_the_order_asked_for_and_between_the_steps_asked_for():
    unit, step = np.tile(np.arange(3), 5), np.repeat(np.arange(5), 3)
    rows = pd.DataFrame({"unit": unit, "step": step, "value": 10.0 * unit + step})
    wide = Between(1, 3, Wide((2, 0, 1))).on_screen(rows)
    assert wide.index.tolist() == [2, 0, 1]
    assert wide.columns.tolist() == [1, 2, 3]
    assert wide.to_numpy().tolist() == [[21, 22, 23], [1, 2, 3], [11, 12, 13]]


def test_steps_between_two_are_reduced_further():
    rows = two_lines(5000).assign(value=0.0)
    some = Between(1000, 2999, Lines(("value",), ("path",), points=400))
    screen, taken = some.on_screen(rows), some.taken(rows)
    assert (screen["step"].min(), screen["step"].max()) == (1000, 2999)
    assert len(screen) <= 400 + 4
    assert len(taken) == 4000


@pytest.mark.slow
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 12), st.randoms(use_true_random=False))
def test_bins_of_pairs_hold_every_finite_pair_once_and_their_mean(rows, steps, most, random):
    loss_steps = sorted(random.sample(range(100), rows))
    pairs = [(loss_step, step) for loss_step in loss_steps for step in range(steps)]
    norms = [random.uniform(-50, 5) if step <= loss_step else -np.inf for loss_step, step in pairs]
    table = pd.DataFrame(pairs, columns=["loss_step", "step"]).assign(log10_norm=norms)
    bins, counted = bin_pairs(table, most), 0
    assert max(bins["loss_step"].nunique(), bins["step"].nunique()) <= most
    for row in bins.itertuples():
        inside = table["loss_step"].between(row.loss_step, row.loss_step_end - 1)
        inside &= table["step"].between(row.step, row.step_end - 1) & np.isfinite(table["log10_norm"])
        assert row.log10_norm == pytest.approx(table["log10_norm"][inside].mean())
        counted += inside.sum()
    assert counted == np.isfinite(norms).sum()


def test_bins_of_pairs_are_of_one_layer_and_state_in_any_order():
    table = pd.DataFrame({"loss_step": [2, 1, 2, 1], "step": [1, 1, 0, 0], "log10_norm": [4.0, 3.0, 2.0, 1.0]})
    pd.testing.assert_frame_equal(PairBins().on_screen(table), bin_pairs(table.sort_values(["loss_step", "step"])))
    assert bin_pairs(table)["log10_norm"].tolist() == [1.0, 3.0, 2.0, 4.0]
    with pytest.raises(ValueError, match="choose one cell, layer and state"):
        bin_pairs(pd.concat([table, table]))


@pytest.mark.parametrize(("K", "T", "most"), [(5, 5, 2), (7, 9, 3), (4, 4, 100), (1, 6, 4)])
def test_bins_of_pairs_lie_side_by_side_from_the_first_to_one_past_the_last(K, T, most):
    loss_steps = np.arange(K) * 2 + 1
    table = pd.DataFrame([(at, step, 0.0) for at in loss_steps for step in range(T)])
    table.columns = ["loss_step", "step", "log10_norm"]
    bins = bin_pairs(table, most)
    for name, first, end in (("loss_step", loss_steps[0], loss_steps[-1] + 1), ("step", 0, T)):
        places = sorted(set(zip(bins[name], bins[f"{name}_end"], strict=True)))
        assert places[0][0] == first
        assert places[-1][1] == end
        assert all(here[1] == after[0] for here, after in itertools.pairwise(places))


@pytest.mark.parametrize("reduction", [Lines(), Lines(("log10_norm",)), StepBins(), Lines(points=900)])
@pytest.mark.parametrize("where", ["", "layer == 1", "state == 'c' and layer == 0"])
def test_a_trace_in_parts_is_reduced_to_the_rows_of_its_whole_table(reduction, where):
    subjects = [Experiment(cell=cell, depth=2, hidden_size=2, steps=3000, batch_size=2) for cell in ("lstm", "rnn")]
    table = Table.of(each(trace, subjects), "table", where)
    results = [call.result() for call in table.calls]
    parts = table.parts_of(results)
    whole = pd.concat([chosen(result.table, where) if where else result.table for result in results], ignore_index=True)
    for reduced in (reduction.on_screen, reduction.taken):
        pd.testing.assert_frame_equal(reduced(parts), reduced(whole), check_exact=True)


@pytest.mark.parametrize("reduction", [Lines(), StepBins()])
def test_a_long_trace_is_drawn_without_the_table_of_its_rows(reduction):
    found = trace(Experiment(cell="lstm", depth=8, hidden_size=1, input_size=1, steps=20_000, batch_size=1))
    whole = found.table.memory_usage().sum()
    tracemalloc.start()
    reduction.on_screen(found.table_parts)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < whole / 2


@pytest.mark.parametrize("in_parts", [True, False])
@pytest.mark.parametrize(("lines", "steps"), [(3, 900), (8, 500)])
def test_what_leaves_the_screen_has_so_many_rows_of_all_lines_together(monkeypatch, in_parts, lines, steps):
    monkeypatch.setattr(thinning, "POINTS_TAKEN", 1200)
    monkeypatch.setattr(thinning, "CELLS_TAKEN", 800)
    random = np.random.default_rng(4)
    tables = [line(steps, random.standard_normal(steps)).assign(layer=layer) for layer in range(lines)]
    common = ["cell", "layer", "state"]
    parts = [
        Part(tuple(table), dict(table[common].iloc[0]), steps, (0, steps - 1), lambda t=table: t.drop(columns=common))
        for table in tables
    ]
    rows = parts if in_parts else pd.concat(tables, ignore_index=True)
    thinned = Lines(("log10_norm",)).taken(rows)
    assert 600 < len(thinned) <= 1200
    binned = StepBins(("log10_norm",)).taken(rows)
    assert 400 < len(binned) <= 800
    assert (binned.groupby("layer").size() == -(-steps // -(-steps // (800 // lines)))).all()
    spaced = EvenSteps().taken(rows).groupby("layer")["lag"].apply(list)
    every = -(-steps // (1200 // lines))
    assert all({*lags} == {*range(0, steps, every), steps - 1} for lags in spaced)
