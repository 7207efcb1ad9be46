"""One unit, one weight: the power that can be worked out by hand, and what a gate adds to it."""

from gradlab.ui.parts import following, one_unit

one_unit.choose()
shown = following.of("one_unit")
shown.sentence()
shown.figure()
