"""Product Jacobians: which directions of the gradient survive, all of them, against lag."""

from gradlab.ui.frame import linked
from gradlab.ui.parts import following, pins
from gradlab.ui.parts.product_jacobians import OF
from gradlab.words.jacobians import BLOCKS
from gradlab.words.languages import _

linked.segmented_control(_("Jacobian of"), [*BLOCKS], default="full state", required=True, key=OF)
with pins.below(compares=True):
    shown = following.of("jacobians")
    shown.sentence(0)
    shown.side_by_side([0])
    shown.sentence(1, "caption")
