"""Lines through norms on their way back: a batch is its sequences one by one, and a line is numpy's."""

import numpy as np
import pytest

from gradlab.analyses.propagation import (
    BLOCKS,
    FEWEST_POINTS,
    FITTED_FROM,
    STUDENT,
    Lines,
    half_width,
    mean_of,
    way_back,
)

# Of each sequence [T]: its last loss, and what its norms are there and before.
T = 40
LAST = np.array([39, 39, 25, 7, 3, 2, 1, 0, -1, 39, 30, 20, 12])


def norms_of_all(seed=0):
    """log10 norms [T, B] by step, that go down towards step 0; -inf after the last loss."""
    random = np.random.default_rng(seed)
    norms = -0.05 * (LAST - np.arange(T)[:, None]) + 0.02 * random.standard_normal((T, len(LAST))).cumsum(axis=0)
    norms[np.arange(T)[:, None] > LAST] = -np.inf
    norms[:5, 9] = -np.inf  # dead from step 4 back
    norms[3, 10] = np.nan  # undefined at one step
    norms[8, 11] = -np.inf  # a zero at one step alone, with others before it
    norms[: LAST[12], 12] = -np.inf  # nothing but the injection itself
    return norms


def alone(b):
    """One sequence's way, of its own steps alone, by lag."""
    return norms_of_all()[LAST[b] :: -1, b] if LAST[b] >= 0 else np.empty(0)


def test_a_way_of_a_batch_is_that_of_each_sequence_from_its_own_last_loss():
    way = way_back(norms_of_all(), LAST)
    assert way.norms.shape == (T, len(LAST))
    for b, length in enumerate(LAST):
        own = alone(b)
        np.testing.assert_array_equal(way.norms[: length + 1, b], own)
        assert np.isnan(way.norms[length + 1 :, b]).all()
        assert way.within[:, b].sum() == length + 1
        assert way.undefined[b] == np.isnan(own).any()
        assert way.at_start[b] == (own[-1] if length >= 0 else -np.inf)
        living = [lag for lag, norm in enumerate(own) if not np.isneginf(norm)]
        assert way.zero_from[b] == (living[-1] + 1 if living else 0)
        assert way.alive[b] == (length >= 0 and not np.isnan(own).any() and np.isfinite(own[-1]))


@pytest.mark.parametrize("last", [T - 1, 12, 0])
def test_of_a_batch_that_ends_together_too(last):
    norms = norms_of_all()[:, :1]
    way = way_back(norms, np.array([last]))
    np.testing.assert_array_equal(way.norms[:, 0], norms[last::-1, 0])


def test_a_way_is_as_long_as_that_of_the_latest_loss():
    for last in ([0, -1], [3, 1]):
        assert len(way_back(np.zeros((T, 2)), np.array(last)).norms) == max(last) + 1


def test_without_a_loss_there_is_no_way():
    way = way_back(np.full((5, 3), -np.inf), np.full(3, -1))
    assert not way.within.any()
    assert not way.alive.any()
    assert np.isneginf(way.at_start).all()
    assert np.isnan(way.lines.slope).all()
    assert (way.line().sequences, way.line().first, way.line().last) == (0, -1, -1)


def test_a_line_is_numpys_through_the_last_three_quarters_of_the_way_or_all_of_it_where_those_are_too_few():
    lines = way_back(norms_of_all(), LAST).lines
    for b, length in enumerate(LAST):
        own = alone(b)
        lags = np.flatnonzero(np.isfinite(own))
        if np.isnan(own).any():
            lags = lags[:0]
        settled = lags[4 * lags >= length]
        x = settled if len(settled) >= 3 else lags
        assert lines.points[b] == len(x)
        assert (lines.first[b], lines.last[b]) == ((x[0], x[-1]) if len(x) else (-1, -1))
        if len(x) < 3:
            assert np.isnan([lines.slope[b], lines.intercept[b], lines.half_width[b], lines.rms_residual[b]]).all()
            continue
        (slope, intercept), residual, *_ = np.polyfit(x, own[x], 1, full=True)
        assert lines.slope[b] == pytest.approx(slope, rel=1e-10)
        assert lines.intercept[b] == pytest.approx(intercept, abs=1e-10)
        assert lines.rms_residual[b] == pytest.approx(np.sqrt(residual[0] / len(x)), rel=1e-9)
        assert lines.half_width[b] == pytest.approx(by_hand([(x, own[x])]), rel=3e-4)  # of the table's quantiles


def by_hand(ways):
    """Half of the interval of the mean over sequences of the blocks' slopes from end to end, each way (lags, norms)."""
    blocks = min([8, *(len(x) - 1 for x, _ in ways)])
    means = []
    for number in range(blocks):
        slopes = []
        for x, y in ways:
            edges = [round(i * (len(x) - 1) / blocks) for i in (number, number + 1)]
            a, b = edges
            slopes.append((y[b] - y[a]) / (x[b] - x[a]))
        means.append(sum(slopes) / len(slopes))
    mean = sum(means) / blocks
    deviation = (sum((slope - mean) ** 2 for slope in means) / (blocks - 1)) ** 0.5
    return student(blocks - 1) * deviation / blocks**0.5


def student(freedom):
    """The 97.5 % quantile of Student's t, by bisection of its integrated density.

    With t = √ν tan θ the density becomes cos^(ν-1) θ, which is smooth over a finite interval.
    """
    theta = np.linspace(0, np.pi / 2, 20_001)
    density = np.cos(theta) ** (freedom - 1)
    areas = np.concatenate([[0], ((density[1:] + density[:-1]) / 2).cumsum()])
    return np.sqrt(freedom) * np.tan(np.interp(0.95, areas / areas[-1], theta))


def test_the_quantiles_are_students():
    assert len(STUDENT) == BLOCKS - 1
    for freedom, quantile in enumerate(STUDENT, start=1):
        assert quantile == pytest.approx(student(freedom), abs=6e-4)


def test_an_interval_of_independent_slopes_holds_their_mean_95_times_of_100():
    random = np.random.default_rng(2)
    for blocks in range(2, BLOCKS + 1):
        slopes = random.standard_normal((blocks, 20_000))
        held = np.abs(slopes.mean(axis=0)) <= half_width(slopes)
        assert held.mean() == pytest.approx(0.95, abs=5 * np.sqrt(0.95 * 0.05 / 20_000))


def test_the_mean_line_is_that_of_the_living_and_its_interval_that_of_their_mean_blocks():
    way = way_back(norms_of_all(), LAST)
    line, lines = way.line(), way.lines
    chosen = [b for b in range(len(LAST)) if way.alive[b] and np.isfinite(lines.slope[b])]
    assert chosen == [0, 1, 2, 3, 4, 5, 11]
    points = lines.points[chosen]
    assert line.sequences == len(chosen)
    assert line.slope == pytest.approx(np.mean(lines.slope[chosen]))
    assert line.intercept == pytest.approx(np.mean(lines.intercept[chosen]))
    assert (line.first, line.last) == (min(lines.first[chosen]), max(lines.last[chosen]))
    squares = sum(rms**2 * n for rms, n in zip(lines.rms_residual[chosen], points, strict=True))
    assert line.rms_residual == pytest.approx(np.sqrt(squares / points.sum()))
    ways = []
    for b in chosen:
        own = alone(b)
        x = np.array([x for x in range(lines.first[b], lines.last[b] + 1) if np.isfinite(own[x])])
        ways.append((x, own[x]))
    assert line.half_width == pytest.approx(by_hand(ways), rel=3e-4)


def test_where_none_is_alive_the_line_is_that_of_all_that_are_defined():
    norms, last = norms_of_all()[:, [9, 10, 9]], LAST[[9, 10, 9]]
    norms[20:30, 2] += 0.5
    way = way_back(norms, last)
    assert not way.alive.any()
    line = way.line()
    assert line.sequences == 2
    assert line.slope == pytest.approx(way.lines.slope[[0, 2]].mean())


def test_where_those_alive_have_too_few_points_there_is_no_line_though_the_dead_have_one():
    way = way_back(norms_of_all()[:, [6, 9]], LAST[[6, 9]])
    assert way.alive.tolist() == [True, False]
    assert np.isfinite(way.lines.slope).tolist() == [False, True]
    assert way.line().sequences == 0


@pytest.mark.parametrize("size", [0.0, 300.0, -300_000.0])
def test_a_norm_that_changes_by_rounding_alone_has_a_slope_and_an_interval_of_exactly_zero(size):
    """A log10 is rounded to some 10^-16 of its size, and its sums to some 10^-13; of a norm near 1, of the 1."""
    noise = 2e-13 * max(abs(size), 1) * np.random.default_rng(1).choice([-1, 0, 1], (T, 2))
    lines = way_back(size + noise, np.full(2, T - 1)).lines
    assert (lines.slope == 0).all()
    assert (lines.half_width == 0).all()


@pytest.mark.parametrize("size", [0.01, 300.0, -300_000.0])
def test_a_change_beyond_rounding_is_one_however_slow(size):
    slow = 1e-9 * max(abs(size), 1.0) / T
    lags = np.arange(T)[::-1, None]
    lines = way_back(size + slow * lags * np.array([1, -1]), np.full(2, T - 1)).lines
    assert lines.slope == pytest.approx([slow, -slow], rel=1e-3)
    assert (lines.half_width > 0).all()


def test_the_constants_are_those_of_the_text():
    assert (FITTED_FROM, FEWEST_POINTS, BLOCKS) == (1 / 4, 3, 8)


def test_no_sequence_chosen_is_no_line():
    nothing = Lines(*(np.full(2, np.nan),) * 3, *(np.full(2, -1),) * 2, np.zeros(2, int), np.full(2, np.nan))
    line = mean_of(np.zeros((4, 2)), nothing, np.array([True, True]))
    assert line.sequences == 0
    assert np.isnan([line.slope, line.half_width, line.intercept, line.rms_residual]).all()
