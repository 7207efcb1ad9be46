"""Every initialization of one cell at once: which keep the gradient, which lose it, and how wide over seeds."""

from gradlab.ui.frame import settings
from gradlab.ui.parts import initializations, pins

shared = settings.current()
with pins.below(initializations.ask_seeds, compares=True):
    initializations.draw(shared)
