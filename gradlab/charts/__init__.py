"""Charts: tidy table in, chart out, no arithmetic. The only room that imports altair, beside exports.

    traces     log10 gradient norm against step: `lines`, `opening`
    heatmap    layer × step: `layers_by_steps`
    weights    what was built: `singular_values`, `eigenvalues`, `gate_biases`
    theme, colours, axes, annotations: what they have in common, in light and dark

Each function's table is named by its module's column constants; every chart carries its whole configuration.
"""
