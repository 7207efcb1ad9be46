"""∂L/∂s_t split by the path it came on, what is left of it when a route is cut, and the gates that decide both.

A path goes back from the loss to a state and is a product of factors. Its *order* is how many recurrent weights U stand
on it:

    direct       no U: additive updates, input weights W between layers, and what a step's states pass on (h → c)
    order k      U exactly k times
    rest         U more often than the orders that were asked for
    total        all of them; the parts sum to it

In a stack the order counts the recurrent weights of *all* layers on the path, so what is direct in a lower layer passed
neither its own U nor that of any layer above it: it came along the additive updates of one or several layers.

Norms of parts do not add. So each part also has its signed *share*, ⟨part, total⟩ / ⟨total, total⟩: shares sum to 1,
and one is negative where the part points against the total.

    orders      `decompose`: direct, orders 1 … K, rest and total, with shares
    passes      `mean_passes`: how often what arrives has passed U, on average, at any order
    cuts        `cut`: the same forward pass, with routes left out of the adjoint alone; `detached`: in expectation
    products    `gate_product`: the direct path by the textbook's formula
    gates       `gate_statistics`; `microscope`: every unit's states, gates and gradient in one sequence
    edges       `edges`: what flows through each edge of the unrolled network
    diagram     `diagram`: the unrolled network over a few steps, with what they read and where the loss is
    scalar      `one_unit`: one unit and one weight, by the engine and by hand
    summary     `summary`: half-life of the direct path, where it changes over; `textbook`: what is said of it
    run         a forward pass over slices of the batch, and the tables

Tables have the columns of a trace (`gradlab.analyses.traces.TABLE_COLUMNS`), `path` naming the part or the cut.
"""

from gradlab.analyses.paths.cuts import cut, detached, routes
from gradlab.analyses.paths.diagram import Diagram, diagram
from gradlab.analyses.paths.edges import decades, edges
from gradlab.analyses.paths.gates import Microscope, gate_statistics, letters, microscope, unit_values
from gradlab.analyses.paths.orders import decompose
from gradlab.analyses.paths.passes import Passes, mean_passes, passes_at, steps_by_way
from gradlab.analyses.paths.products import gate_product
from gradlab.analyses.paths.scalar import one_unit
from gradlab.analyses.paths.summary import (
    ChangeOver,
    Summary,
    Textbook,
    change_over,
    direct_at_biases,
    half_life,
    lowest,
    summary,
    textbook,
)

__all__ = [
    "ChangeOver",
    "Diagram",
    "Microscope",
    "Passes",
    "Summary",
    "Textbook",
    "change_over",
    "cut",
    "decades",
    "decompose",
    "detached",
    "diagram",
    "direct_at_biases",
    "edges",
    "gate_product",
    "gate_statistics",
    "half_life",
    "letters",
    "lowest",
    "mean_passes",
    "microscope",
    "one_unit",
    "passes_at",
    "routes",
    "steps_by_way",
    "summary",
    "textbook",
    "unit_values",
]
