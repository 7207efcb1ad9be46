"""Why a picture does not follow a slider before it is let go: what the slider says below itself."""

TOO_LONG = "Changes on release: this value takes too long to compute while the slider moves."
OTHER_PARTS = "Changes on release: at this value the picture has other lines, axes or marks."
NOT_ALLOWED = "Changes on release: this value is not allowed beside the other settings."
