"""Why a picture does not follow a slider before it is let go: what the slider says below itself."""

from gradlab.words.languages import N_

TOO_LONG = N_("Changes on release: this value takes too long to compute while the slider moves.")
OTHER_PARTS = N_("Changes on release: at this value the picture has other lines, axes or marks.")
NOT_ALLOWED = N_("Changes on release: this value is not allowed beside the other settings.")
