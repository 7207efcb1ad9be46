"""The engine: exact gradients of a stack's states, at any length, compiled.

lanes, elementary    a vector of units as one number in a kernel; exp, σ, tanh on it
products             the matrix product of a step, tiled in registers
scaling              numbers kept near 1 beside their powers of two
inner                functions that kernels alone call
overloads            a cell's step and adjoint, called from a kernel
kernels              forward and adjoint of one layer over a chunk of steps, for any cell
plan                 chunks, memory and work, before anything is allocated
packing, records     weights as the kernels read them; what goes in and what comes out
sweep, adjoint_pass  all layers and chunks forward; any number of adjoints back
buffers              a pool of scratch arrays
slices               threads over the batch
progress             how far long work is
compiled             the disk cache, keyed by all the code that a kernel is made of
refusals             what a sweep refuses before any kernel runs
warm_up              compiles the kernels before they are needed; `compile_beside` does so in another process, after
                     which `load_after` loads them
recurrent            a stack as a torch module, differentiated by a sweep
reference            the same by torch's autograd

How the data lie, and why
-------------------------
Units are the last axis everywhere, padded to whole `Lanes` (64 bytes, one cache line and one register), and every array
starts at a cache line: a load across two lines takes twice as long, which alone cost a quarter of a float64 trace.

Time is the first axis. A layer runs over a chunk of steps before the next layer does, so that its weights stay in the
second-level cache and a chunk's values are still there when the layer above reads them. W x is one product for the
whole chunk (`affine`, `descend`); only U h, which needs the step before, is done step by step (`forward`, `adjoint`).

Weights are packed into panels of four `Lanes` of columns, once per sweep and in both directions, so that every product
reads memory in order. With one sequence a product reads each weight once for one multiply-add, so the cache's speed is
its limit: U of an LSTM of 64 units in float32 is 64 kB and does not fit the first-level cache. Every other step
therefore reads it from the end, where the last step stopped. With eight sequences or more each piece of a weight in a
register serves eight of them, 256 terms at a time, and the multiply-add is the limit.

What an outer product reads (the parameters' gradients) is packed too, 128 rows at a time: unpacked, neighbouring rows
of common sizes lie a power of two apart and drive each other out of the cache.

The adjoint keeps a row's gate derivatives, carry and norms apart from their powers of two, an exponent per row and
step. No division or logarithm lies in the chain from one step to the next but the test that the carry is near 1.

Where the time goes
-------------------
`python -m benchmarks.profile` measures it. With one thread and AVX-512, LSTM, float32:

    T × B × H        U h and the cell, forward    adjoint    W x    loss in    Python
    500 × 1 × 32                 21 %               24 %      3 %      4 %       48 %
    10000 × 1 × 64               37 %               40 %      3 %      4 %       16 %
    500 × 8 × 64                 31 %               37 %      5 %      5 %       23 %
    500 × 32 × 256               43 %               44 %      4 %      2 %        7 %

Python is checks of the arguments, the packing of weights, and some 50 µs per chunk. Of a forward kernel with one
sequence about two thirds are the product, the rest exp, tanh and their divisions; at 32 × 256 two thirds too, the rest
mostly writing states and gates to memory.

Tried and left out: all gates of a block of units side by side, so that the cell's arithmetic could run while the next
panel arrives (slower by half); a chunk of twice or half the size (equal within noise); numpy's and torch's matrix
products for a step (slower for one sequence, equal for many); torch's for the outer products (equal).
"""

from gradlab.engine.compiled import cache_folder
from gradlab.engine.plan import Plan, Size, TooLarge, memory_limit, plan, refuse_too_large
from gradlab.engine.progress import Progress, checkpoint
from gradlab.engine.records import NEVER, Adjoints, Cotangents, Episodes, Scaled, Swept, log10_norms, times_power
from gradlab.engine.reference import DIFFERENCE_RUNS, Difference, Nudge, autograd, finite_difference
from gradlab.engine.refusals import is_finite
from gradlab.engine.slices import (
    cotangents_of_slice,
    in_threads,
    joined,
    outputs,
    plan_in_slices,
    slices_of,
    sweep,
    threads,
)
from gradlab.engine.sweep import Sweep
from gradlab.engine.warm_up import compile_beside, environment_of_this_process, load_after, warm_up

__all__ = [
    "DIFFERENCE_RUNS",
    "NEVER",
    "Adjoints",
    "Cotangents",
    "Difference",
    "Episodes",
    "Nudge",
    "Plan",
    "Progress",
    "Scaled",
    "Size",
    "Sweep",
    "Swept",
    "TooLarge",
    "autograd",
    "cache_folder",
    "checkpoint",
    "compile_beside",
    "cotangents_of_slice",
    "environment_of_this_process",
    "finite_difference",
    "in_threads",
    "is_finite",
    "joined",
    "load_after",
    "log10_norms",
    "memory_limit",
    "outputs",
    "plan",
    "plan_in_slices",
    "refuse_too_large",
    "slices_of",
    "sweep",
    "threads",
    "times_power",
    "warm_up",
]
