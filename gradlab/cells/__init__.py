"""The cells: an affine map, then an elementwise map, and the hand-derived adjoint of the elementwise map.

    a_x = W x_t + b_W          a_h = U h_{t-1} + b_U          s_t = step(a_x, a_h, s_{t-1})          s = (h) or (h, c)

A cell is a `NamedTuple` class with

    title      its name on a page
    gates      names of its pre-activations, in the order of the rows of W and U (PyTorch's)
    states     names of its states: ("h",) or ("h", "c")
    saved      names of what `step` keeps for `adjoint`
    step       (a_x, a_h, state) -> new state, saved
    adjoint    (saved, state, new, new_bar) -> a_x_bar, a_h_bar, state_bar, total

`v_bar` is ∂L/∂v. `new_bar` holds what reaches the new state from later steps, higher layers and the loss; `total` is
the *total* derivative at the new state, which also has what its parts pass on to each other at the same step (h to c in
the LSTM) and is what a trace reports; `state_bar` is the *direct* path to the old state: what comes back without
passing U.
`a_x`, `a_h` and their adjoints are tuples with one entry a gate.

A new cell is one file here and one line in `CELLS`.
"""

from gradlab.cells.gru import GRU
from gradlab.cells.lstm import LSTM
from gradlab.cells.rnn import RNN, LinearRNN, RectifiedRNN

CELLS = {
    "rnn": RNN,
    "lstm": LSTM,
    "gru": GRU,
    "rnn_relu": RectifiedRNN,
    "rnn_linear": LinearRNN,
}
