"""The opening picture: the same input through each cell, and how much of the gradient is left at every step."""

from gradlab.ui.frame import settings
from gradlab.ui.parts import following, pins, remedies
from gradlab.ui.parts.cards import cards, traces_of

shared = settings.current()
settings.first_presets()
with pins.below() as rest:
    traces_of(shared.subjects, pins.of_pins(shared))
    shown = following.of("home")
    shown.every_sentence(rest)
    shown.figure()
places = [settings.aside().container() for _ in shared.subjects]
cards(shared.subjects, places)
remedies.draw(shared.subjects, places, "home")
