"""The unrolled network around a lag, every edge in the colour of the gradient that flows through it."""

from gradlab.ui.frame import settings
from gradlab.ui.parts import following, walk

walk.choose(settings.current().one.settings.steps)
shown = following.of("unrolled")
shown.sentence()
shown.figure()
