"""The opening picture: the same input through each cell, and how much of the gradient is left at every step."""

from gradlab.ui.frame import settings
from gradlab.ui.parts import remedies
from gradlab.ui.parts.cards import cards
from gradlab.ui.parts.totals import totals

shared = settings.current()
settings.first_presets()
totals(shared.subjects, shared.relative, "gradient norms", follows="home")
places = [settings.aside().container() for _ in shared.subjects]
cards(shared.subjects, places)
remedies.draw(shared.subjects, places, "home")
