"""Product Jacobians: which directions of the gradient survive, all of them, against lag."""

import streamlit as st

from gradlab.analyses.call import Call, Table
from gradlab.analyses.jacobians import farthest, singular_values_by_lag
from gradlab.charts.jacobians import stretches
from gradlab.ui.ask import result
from gradlab.ui.frame import linked, settings
from gradlab.ui.parts.figure import figure
from gradlab.words.how_to_read import Words
from gradlab.words.jacobians import BLOCKS, HOW_TO_READ, of_singular_values, size_of_block

one = settings.current().one
chosen = linked.segmented_control("Jacobian of", [*BLOCKS], default="full state", required=True, key="jacobians_of")
block = BLOCKS[chosen]
call = Call.of(singular_values_by_lag, one, of=block)
sentence = of_singular_values(one, block, result(call.then(farthest)))

st.markdown(sentence)
st.caption(size_of_block(one, block))
title = f"Product Jacobians of the {chosen}"
figure(stretches, Table.of(call), Words("product Jacobians", title, sentence, HOW_TO_READ))
