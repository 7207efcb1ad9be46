"""The phase map: where the gradient vanishes, keeps its size and explodes over two settings, with theory's border."""

from gradlab.ui.frame import settings
from gradlab.ui.parts import phase_map

phase_map.choose()
phase_map.draw(settings.current())
