"""The two compiled sweeps of one layer over one chunk of steps: forward, and the adjoint back.

They know no cell: they are specialised by the *type* of the cell they are given, whose `step` and `adjoint` are
substituted at compile time (a kernel that took the functions as arguments would never be found in the disk cache
again).

Shapes: n steps of the chunk, B sequences, N rows of cotangents (row r belongs to sequence r mod B), G pre-activations,
S states, V saved values, H units, padded to whole `Lanes`: units with zero weights from states of zero.
All arrays are C-contiguous and of one dtype, but for exponents (int64), log norms and flags.

A row's adjoint is kept as v · 2^e: `exponents` holds e (`NOTHING` where no gradient has arrived yet), so that neither
long decay nor long growth leaves the floating-point range. Whatever lies more than some 2^-1000 (float32: 2^-120) below
the largest entry of its layer's adjoint at the same step is lost to rounding.
"""

import math
from typing import Any

import numpy as np
from numpy import ndarray

from gradlab.engine.compiled import compiled
from gradlab.engine.inner import register_jitable
from gradlab.engine.lanes import (
    broadcast,
    lane_sum,
    lanes_in,
    load,
    load_pre_activations,
    load_saved,
    load_states,
    store,
    store_rows,
)
from gradlab.engine.overloads import arriving, as_state, cell_adjoint, cell_step, without_h_to_c
from gradlab.engine.products import PANEL, multiply, outer_products, pack_rows
from gradlab.engine.scaling import NOTHING, largest_and_squares, log10_norm, lost, normalise, power

TOTAL, OF_EACH_OTHER, OF_LAYERS = 0, 1, 2  # what `adjoint` keeps of a state's derivatives


@compiled
def affine(x: ndarray, at: int, stride: int, panels: ndarray, bias: ndarray, out: ndarray) -> None:
    """out[r] = x[at + r · stride :][:K] @ M + bias, for the rows of out [R, N]; x flat, bias flat, M [K, N] packed."""
    rows, width = out.shape
    multiply(out.reshape(-1), 0, width, bias, 0, 0, x, at, stride, rows, panels, panels.shape[0] // width, width)


@compiled
def forward(cell: Any, a_x: ndarray, panels: ndarray, bias: ndarray, states: ndarray, saved: ndarray,
            scratch: ndarray, begin: int, non_finite: ndarray) -> None:  # fmt: skip
    """Runs the layer over a chunk.

    a_x         [n, B, G, H]    W x + b_W of every step
    panels      U transposed [H, G·H], packed
    bias        [G·H]           b_U
    states      [n+1, B, S, H]  states[0] is given, the others are written
    saved       [n, B, V, H]    written, unless it has no steps
    scratch     [B, G, H]
    begin       the chunk's first step
    non_finite  [B]             lowered to the first step with a non-finite state, if the chunk has one
    """
    steps, sequences, gates, units = a_x.shape
    lanes = lanes_in(a_x)
    kinds = states.shape[2]
    row = kinds * units
    width = gates * units
    a_h, h = scratch.reshape(-1), states.reshape(-1)
    zero = broadcast(a_x, 0.0)
    for t in range(steps):
        multiply(
            a_h, 0, width, bias, 0, 0, h, t * sequences * row, row, sequences, panels, units, width, t % 2 == 1
        )  # fmt: skip
        for b in range(sequences):
            for j in range(0, units, lanes):
                state = as_state(cell, load_states(cell, states, (t, b, j)))
                a_x_here = load_pre_activations(cell, a_x, (t, b, j))
                new, kept = cell_step(cell, a_x_here, load_pre_activations(cell, scratch, (b, j)), state)
                store_rows(states, (t + 1, b, j), new)
                if saved.shape[0] > 0:
                    store_rows(saved, (t, b, j), kept)
                for value in new:
                    zero = zero + 0 * value  # NaN from the first value on that is not finite
    if lane_sum(zero) != 0.0:
        _find_non_finite(states, begin, non_finite)


@register_jitable
def _find_non_finite(states: ndarray, begin: int, non_finite: ndarray) -> None:
    """Lowers each sequence's entry to its first step with a state that is not finite."""
    steps, sequences, kinds, units = states.shape
    flat = states.reshape(-1)
    for t in range(steps - 1):
        for b in range(sequences):
            largest, _ = largest_and_squares(flat, ((t + 1) * sequences + b) * kinds * units, kinds * units)
            if not largest < math.inf and begin + t < non_finite[b]:
                non_finite[b] = begin + t


@register_jitable
def _back_one_row(cell, saved, states, entering, fresh, carry, own, a_x_bar, a_h_bar, totals, e, routes, independent,
                  t, row, at, at_totals):  # fmt: skip
    """The elementwise part of one step's adjoint for one row, at the exponent e."""
    _, _, gates, units = a_x_bar.shape
    b = row % states.shape[1]
    own_scale = power(own - e)
    fresh_scale = power(fresh - e)
    cut = routes.shape[0] > 0
    zero = broadcast(carry, 0.0)
    for j in range(0, units, lanes_in(a_x_bar)):
        above = zero
        if fresh != NOTHING:
            above = fresh_scale * load(entering, (t, row, j))
        new_bar = arriving(cell, load_states(cell, carry, (row, j)), own_scale, above)
        kept = load_saved(cell, saved, (t, b, j))
        state = as_state(cell, load_states(cell, states, (t, b, j)))
        new = as_state(cell, load_states(cell, states, (t + 1, b, j)))
        if independent == OF_LAYERS:
            store_rows(totals, (at_totals, row, j), arriving(cell, load_states(cell, carry, (row, j)), own_scale, zero))
        a_x, a_h, direct, total = cell_adjoint(cell, kept, state, new, new_bar)
        if cut and routes[gates + 2] == 0.0:
            new_bar = without_h_to_c(cell, kept, state, new, new_bar, total)
            a_x, a_h, direct, total = cell_adjoint(cell, kept, state, new, new_bar)
        store_rows(a_x_bar, (t, row, j), a_x)
        store_rows(a_h_bar, (at, row, j), a_h)
        store_rows(carry, (row, j), direct)
        if independent == OF_EACH_OTHER:
            store_rows(totals, (at_totals, row, j), new_bar)
        elif independent == TOTAL:
            store_rows(totals, (at_totals, row, j), total)
        if cut:
            for g in range(gates):
                store(a_x_bar, (t, row, g, j), routes[g] * load(a_x_bar, (t, row, g, j)))
                store(a_h_bar, (at, row, g, j), routes[g] * routes[gates + 1] * load(a_h_bar, (at, row, g, j)))
            for s in range(carry.shape[1]):
                store(carry, (row, s, j), routes[gates] * load(carry, (row, s, j)))


@register_jitable
def _add_through(carry, row, own, through, source, exponent):
    """Adds through[source] · 2^exponent to the h part of carry[row] · 2^own; returns the exponent of the sum."""
    if exponent == NOTHING:
        return own
    kinds, units = carry.shape[1:]
    e = max(own, exponent)
    own_scale = power(own - e)
    scale = power(exponent - e)
    for j in range(0, units, lanes_in(carry)):
        for s in range(kinds):
            store(carry, (row, s, j), own_scale * load(carry, (row, s, j)))
        store(carry, (row, 0, j), load(carry, (row, 0, j)) + scale * load(through, (source, j)))
    return e


@register_jitable
def _next_order(carry, carry_exponents, through, exponents, group, keeping):
    """Each group of rows receives what the group before it sent through U; from `keeping` on also its own."""
    rows, units = through.shape
    for row in range(rows):
        exponents[row] = NOTHING if exponents[row] == NOTHING else normalise(
            through.reshape(-1), row * units, units, exponents[row]
        )  # fmt: skip
    for row in range(rows):
        if row >= group:
            carry_exponents[row] = _add_through(
                carry, row, carry_exponents[row], through, row - group, exponents[row - group]
            )
        if row >= keeping:
            carry_exponents[row] = _add_through(carry, row, carry_exponents[row], through, row, exponents[row])


@compiled
def adjoint(cell: Any, saved: ndarray, states: ndarray, entering: ndarray, entering_exponents: ndarray,
            panels: ndarray, carry: ndarray, carry_exponents: ndarray, through: ndarray, keeping: int, routes: ndarray,
            independent: int, a_x_bar: ndarray, a_h_bar: ndarray, totals: ndarray, exponents: ndarray,
            log10_norms: ndarray) -> None:  # fmt: skip
    """Runs the adjoint of the layer back over a chunk.

    saved, states        as `forward` left them
    entering             [n, N, H]     ∂L/∂h_t from above: the loss, or the layer above; times 2^entering_exponents
    entering_exponents   [n, N]        `NOTHING` where nothing enters (`entering` is then not read)
    panels               U [G·H, H], packed
    carry                [N, S, H]     what comes back to the chunk's last state; on return to its states[0]
    carry_exponents      [N]           likewise
    through              [M, H]        scratch. M = 0: the whole adjoint. M = N: rows in groups of B, and what passes U
                                       goes to the next group's row
    keeping              of M = N: from this row on also to its own. N - B, the last group: orders of paths. 0 with two
                                       groups: the second is the derivative of the first by a factor on U
    routes               [G+3 …]       factors of the gates, the direct path, U, and what states pass on to each other
                                       (0 leaves the route out; more are not read); empty for the whole adjoint
    independent          what `totals` are: the `TOTAL` derivatives; or with the states of a step taken as independent
                         `OF_EACH_OTHER` in a layer; or `OF_LAYERS` too, without what enters from the layer above
    a_x_bar              [n, N, G, H]  written, times 2^exponents
    a_h_bar, totals      [n or 1, N, G or S, H]  ∂L/∂a_h_t and the total ∂L/∂s_t of every step, or of the latest
    exponents            [n, N]        written
    log10_norms          [n, N, S]     written: of `totals`; -inf where all are zero
    """
    steps, rows, gates, units = a_x_bar.shape
    kinds = states.shape[2]
    depth = gates * units
    stride = kinds * units
    flat_carry, flat_through = carry.reshape(-1), through.reshape(-1)
    flat_a_h_bar, flat_totals = a_h_bar.reshape(-1), totals.reshape(-1)
    for back in range(steps):
        t = steps - 1 - back
        at = min(t, a_h_bar.shape[0] - 1)
        at_totals = min(t, totals.shape[0] - 1)
        active = 0
        for row in range(rows):
            own = carry_exponents[row]
            fresh = entering_exponents[t, row]
            e = max(own, fresh)
            exponents[t, row] = e
            carry_exponents[row] = e
            if e == NOTHING:
                a_x_bar[t, row] = 0.0
                a_h_bar[at, row] = 0.0
                totals[at_totals, row] = 0.0
                log10_norms[t, row] = -math.inf
                continue
            active = row + 1
            _back_one_row(
                cell, saved, states, entering, fresh, carry, own, a_x_bar, a_h_bar, totals, e, routes, independent,
                t, row, at, at_totals,
            )  # fmt: skip
            for s in range(kinds):
                start = ((at_totals * rows + row) * kinds + s) * units
                log10_norms[t, row, s] = log10_norm(flat_totals, start, units, e)
        a_h = at * rows * depth
        if through.shape[0] == 0:
            multiply(
                flat_carry, 0, stride, flat_carry, 0, stride, flat_a_h_bar, a_h, depth, active, panels, depth, units,
                t % 2 == 1,
            )  # fmt: skip
        else:
            through[:] = 0.0
            multiply(
                flat_through, 0, units, flat_through, 0, units, flat_a_h_bar, a_h, depth, active, panels, depth, units,
                t % 2 == 1,
            )  # fmt: skip
            _next_order(carry, carry_exponents, through, exponents[t].copy(), states.shape[1], keeping)
            active = rows
        for row in range(active):
            carry_exponents[row] = normalise(flat_carry, row * stride, stride, carry_exponents[row])


@compiled
def enter(steps: ndarray, at: ndarray, values: ndarray, entering: ndarray, entering_exponents: ndarray) -> None:
    """Writes the gradient injected into the top layer over a chunk, each entry brought near 1.

    values [m, H'] go to entering[steps[i], at[i]], H' ≤ H; entering [n, N, H] and entering_exponents [n, N] are written
    (the former only where something enters)
    """
    _, rows, units = entering.shape
    flat = entering.reshape(-1)
    entering_exponents[:] = NOTHING
    for i in range(len(steps)):
        start = (steps[i] * rows + at[i]) * units
        for j in range(units):  # assigning a slice would compile the text of the error for another shape, too
            flat[start + j] = values[i, j] if j < values.shape[1] else 0
        entering_exponents[steps[i], at[i]] = normalise(flat, start, units, 0)


@compiled
def accumulate(a_bar: ndarray, exponents: ndarray, base: int, right: ndarray, at: int, stride: int, out: ndarray,
               sums: ndarray, left: ndarray, beside: ndarray) -> None:  # fmt: skip
    """Adds a chunk's share of a weight's gradient: out += Σ_r a_bar[r]ᵀ right[r], sums += Σ_r a_bar[r], times 2^-base.

    a_bar [R, G·H] is times 2^exponents [R];  right is flat, row r at `at` + r · stride;
    out [G·H, K], sums [G·H];  left [n · G·H] and beside [n · K] are scratch: n rows are packed and multiplied at a time

    Rows that are `lost` beside 2^base count as zero: they would be subnormal numbers, on which a processor is some
    hundred times slower.
    """
    rows, width_left = a_bar.shape
    width = out.shape[1]
    at_once = len(left) // width_left
    wide = PANEL * lanes_in(a_bar)
    scales = np.empty(at_once)
    for first in range(0, rows, at_once):
        count = min(at_once, rows - first)
        for row in range(count):
            shift = exponents[first + row] - base
            scales[row] = 0.0 if shift < lost(a_bar) else math.ldexp(1.0, shift)
        for start in range(0, width_left, wide):
            columns = min(wide, width_left - start)
            for row in range(count):
                for j in range(0, columns, lanes_in(a_bar)):
                    scaled = scales[row] * load(a_bar, (first + row, start + j))
                    store(left, (start * count + row * columns + j,), scaled)
                    store(sums, (start + j,), load(sums, (start + j,)) + scaled)
        pack_rows(right, at + first * stride, stride, count, width, beside)
        outer_products(out.reshape(-1), left, width_left, beside, width, count)


@compiled
def descend(a_x_bar: ndarray, exponents: ndarray, panels: ndarray, entering: ndarray,
            entering_exponents: ndarray) -> None:  # fmt: skip
    """What a layer passes down to the one below it: entering = a_x_bar @ W at every step and row, each brought near 1.

    a_x_bar [n, N, G, H] and exponents [n, N] as `adjoint` wrote them; panels W [G·H, X], packed;
    entering [n, N, X] and entering_exponents [n, N] are written
    """
    steps, rows, gates, units = a_x_bar.shape
    width = entering.shape[2]
    depth = gates * units
    flat = entering.reshape(-1)
    zeros = np.zeros(width, entering.dtype)
    multiply(flat, 0, width, zeros, 0, 0, a_x_bar.reshape(-1), 0, depth, steps * rows, panels, depth, width)
    for t in range(steps):
        for row in range(rows):
            e = exponents[t, row]
            entering_exponents[t, row] = (
                NOTHING if e == NOTHING else normalise(flat, (t * rows + row) * width, width, e)
            )
