"""The cells by name; `contract` says what a cell is.

The setting `keep_bias` is the bias, toward keeping, of the gate that keeps the old state, whatever its name;
`forget_bias` that of a gate named "forget" alone.

A new cell is one file here and one line in `CELLS`.
"""

from collections import ChainMap
from collections.abc import Mapping

from gradlab.cells.contract import Cell, as_cell
from gradlab.cells.gru import GRU
from gradlab.cells.gru_hard import HardGRU
from gradlab.cells.gru_reset_before import GRUHalf, ResetBeforeGRU
from gradlab.cells.leaky import LeakyRNN
from gradlab.cells.lstm import LSTM
from gradlab.cells.lstm_1997 import LSTM1997
from gradlab.cells.lstm_coupled import CoupledLSTM
from gradlab.cells.lstm_hard import HardLSTM
from gradlab.cells.lstm_peephole import PeepholeLSTM
from gradlab.cells.lstm_squashed import SquashedLSTM
from gradlab.cells.min_gru import MinGRU
from gradlab.cells.min_lstm import MinLSTM
from gradlab.cells.minimal_gated import MinimalGatedUnit
from gradlab.cells.rnn import RNN, LinearRNN, RectifiedRNN

SATURATED = (0.1, 0.9)  # a gate counts as saturated beyond these (Karpathy et al. 2015, arXiv 1506.02078)

CELLS: dict[str, Cell] = {
    name: as_cell(declared)
    for name, declared in {
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
        "lstm_hard": HardLSTM,
        "gru_hard": HardGRU,
    }.items()
}


FORMS: dict[str, Cell] = {  # of a network that is brought, and of no settings: `analyses.nets` runs them in halves
    "gru_reset_before": as_cell(ResetBeforeGRU),
    "gru_half": as_cell(GRUHalf),
}
KNOWN: Mapping[str, Cell] = ChainMap(CELLS, FORMS)  # cells that are registered later too


def state_names() -> tuple[str, ...]:
    """The states of all cells, each once, in the order of the cells; h first."""
    return tuple(dict.fromkeys(state for cell in CELLS.values() for state in cell.states))
