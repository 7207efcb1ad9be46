"""The engine: exact gradients of a stack's states, at any length, compiled.

lanes, elementary    a vector of units as one number in a kernel; exp, σ, tanh on it
products             the matrix product of a step, tiled in registers
scaling              numbers kept near 1 beside their powers of two
authored             a cell's step and adjoint, called from a kernel
kernels              forward and adjoint of one layer over a chunk of steps, for any cell
plan                 chunks, memory and work, before anything is allocated
packing, records     weights as the kernels read them; what goes in and what comes out
sweep, back          all layers and chunks forward; any number of adjoints back
buffers              arrays that one sweep leaves to the next
slices               threads over the batch
compiled             the disk cache, keyed by every source a kernel is made of
reference            the same by torch's autograd
"""

from gradlab.engine.plan import Plan, Size, memory_limit, plan
from gradlab.engine.records import NEVER, Adjoints, Cotangents, Swept, times_power
from gradlab.engine.reference import Difference, Nudge, autograd, finite_difference
from gradlab.engine.refusals import is_finite
from gradlab.engine.slices import cotangents_of_slice, in_threads, joined, plan_in_slices, slices_of, sweep, threads
from gradlab.engine.sweep import Sweep
from gradlab.engine.warm_up import warm_up

__all__ = [
    "NEVER",
    "Adjoints",
    "Cotangents",
    "Difference",
    "Nudge",
    "Plan",
    "Size",
    "Sweep",
    "Swept",
    "autograd",
    "cotangents_of_slice",
    "finite_difference",
    "in_threads",
    "is_finite",
    "joined",
    "memory_limit",
    "plan",
    "plan_in_slices",
    "slices_of",
    "sweep",
    "threads",
    "times_power",
    "warm_up",
]
