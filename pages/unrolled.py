"""The unrolled network around a lag, every edge in the colour of the gradient that flows through it."""

from gradlab.ui.frame import settings
from gradlab.ui.parts import following, pins, walk

shared = settings.current()
walk.choose(shared.one.settings.steps)
with pins.below(compares=True):
    shown = following.of("unrolled")
    shown.sentence()
    shown.figure()
    if (pinned := pins.of_one(shared)) is not None:
        pins.caption(pinned)
        shown.sentence(1)
        shown.figure(1)
