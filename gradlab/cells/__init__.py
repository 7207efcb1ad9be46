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

and, where they apply,

    keep                    (saved, new) -> the factor by which the additive update multiplies the old state: a gate,
                            or what is made of gates; cells without one add nothing, or more than one product
    sigmoids                names in `saved` of its gates: numbers between 0 and 1, that can saturate
    sees                    pairs of a gate and the name in `saved` of the weight by which it sees the additive state
    without_W, without_U    names of the pre-activations that read no input, no recurrent state: their rows of W, of U
                            and b_U, are zero and no parameters

The setting `forget_bias` is the bias of a gate named "forget", which near 1 keeps the old state.

A new cell is one file here and one line in `CELLS`.
"""

from gradlab.cells.gru import GRU
from gradlab.cells.leaky import LeakyRNN
from gradlab.cells.lstm import LSTM
from gradlab.cells.lstm_1997 import LSTM1997
from gradlab.cells.lstm_coupled import CoupledLSTM
from gradlab.cells.lstm_peephole import PeepholeLSTM
from gradlab.cells.lstm_squashed import SquashedLSTM
from gradlab.cells.min_gru import MinGRU
from gradlab.cells.min_lstm import MinLSTM
from gradlab.cells.minimal_gated import MinimalGatedUnit
from gradlab.cells.rnn import RNN, LinearRNN, RectifiedRNN

SATURATED = (0.1, 0.9)  # a gate counts as saturated beyond these (Karpathy et al. 2015, arXiv 1506.02078)

CELLS = {
    "rnn": RNN,
    "lstm": LSTM,
    "gru": GRU,
    "rnn_relu": RectifiedRNN,
    "rnn_linear": LinearRNN,
    "lstm_squashed": SquashedLSTM,
    "lstm_1997": LSTM1997,
    "lstm_coupled": CoupledLSTM,
    "lstm_peephole": PeepholeLSTM,
    "leaky": LeakyRNN,
    "minimal_gated": MinimalGatedUnit,
    "min_gru": MinGRU,
    "min_lstm": MinLSTM,
}
