"""What a cell is: an affine map, then an elementwise map, and the hand-derived adjoint of the elementwise map.

    a_x = W x_t + b_W          a_h = U h_{t-1} + b_U          s_t = step(a_x, a_h, s_{t-1})          s = (h, …)

A cell is a `NamedTuple` class without fields: kernels are compiled for its type. `v_bar` is ∂L/∂v.

Some cells also declare

    peepholes               pairs (gate, weight) by which the gate sees the cell state, names in `pre_activations`; the
                            weight stands in b_W, as the bias of a pre-activation without W and U
    without_W, without_U    pre-activations that read no input, no recurrent state
    keep_gate               (gate, sign): a larger bias of this gate keeps more of the old state (1), or less (-1)
    keep                    (saved, new) -> the factor by which the additive update multiplies the old state [..., H]:
                            a gate, or what is made of gates; no cell has it whose direct path is no such product

which are read by `peepholes_of`, `without`, `keep_gate_of` and `keep_of`.
"""

from collections.abc import Callable
from typing import Any, Protocol


class Cell(Protocol):
    """A cell: the class itself, not an instance; values are arrays, tensors or `Lanes` of one shape [..., H]."""

    @property
    def title(self) -> str:
        """The name on a page."""
        ...

    @property
    def pre_activations(self) -> tuple[str, ...]:
        """Names, in the order of the rows of W and U (PyTorch's)."""
        ...

    @property
    def gates(self) -> tuple[str, ...]:
        """Names in `saved` of what is a σ, between 0 and 1, and can saturate. A candidate is no gate."""
        ...

    @property
    def record(self) -> type[Any]:
        """The `NamedTuple` of the states, h first."""
        ...

    @property
    def states(self) -> tuple[str, ...]:
        """The record's names."""
        ...

    @property
    def saved(self) -> tuple[str, ...]:
        """Names of what `step` keeps for `adjoint`."""
        ...

    def __call__(self) -> Any:
        """The instance that kernels are called with: it holds nothing, its type says which cell it is."""
        ...

    def step(self, a_x: Any, a_h: Any, state: Any) -> tuple[Any, tuple[Any, ...]]:
        """(new states, saved); a_x, a_h: tuples, a value per pre-activation; states: the record. A static method."""
        ...

    def adjoint(self, saved: Any, state: Any, new: Any, new_bar: Any) -> tuple[Any, Any, Any, Any]:
        """(a_x_bar, a_h_bar, state_bar, total). A static method.

        new_bar     what reaches the new states from later steps, higher layers and the loss
        state_bar   the *direct* path to the old states: what comes back without passing U
        total       the *total* derivative at the new states, which also has what a state passes to a later state of the
                    record within the step (h to c in the LSTM); a trace reports it
        """
        ...


def as_cell(declared: Any) -> Cell:
    """A class as a Cell. Raises TypeError for a class that lacks something, by its name."""
    lacking = [name for name in vars(Cell) if not name.startswith("_") and not hasattr(declared, name)]
    if lacking:
        raise TypeError(f"{declared.__name__} is no cell: it lacks {', '.join(lacking)}")
    return declared  # Any: to a type checker the attributes of a NamedTuple class are no class attributes


def peepholes_of(cell: Cell) -> dict[str, str]:
    """The weight by which each gate sees the cell state; empty for cells without peepholes."""
    return dict(getattr(cell, "peepholes", ()))


def without(cell: Cell, weight: str) -> tuple[str, ...]:
    """The pre-activations whose rows of `weight`, "W" or "U" (then also of b_U), are zero and no parameters."""
    names = {*peepholes_of(cell).values(), *getattr(cell, f"without_{weight}", ())}
    return tuple(name for name in cell.pre_activations if name in names)


def keep_gate_of(cell: Cell) -> tuple[str, int] | None:
    """The gate that decides how much of the old state is kept, and whether a larger bias of it keeps more (1) or less
    (-1); None for a cell without such a gate."""
    return getattr(cell, "keep_gate", None)


def keep_of(cell: Cell) -> Callable[[Any, Any], Any] | None:
    """The cell's `keep`, None where the direct path is no product of gates."""
    return getattr(cell, "keep", None)


def additive_state(cell: Cell) -> int:
    """Place in `states` of the state that the additive update adds to: c where there is one, else h."""
    return cell.states.index("c") if "c" in cell.states else 0


def additive_name(cell: Cell) -> str:
    """Name of that state."""
    return cell.states[additive_state(cell)]
