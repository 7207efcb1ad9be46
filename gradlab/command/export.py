"""`gradlab export CHART`: a picture for a paper, or a page to send, of drawn networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from gradlab.command.output import progress_bar
from gradlab.command.settings import OfSettings, experiments_of

if TYPE_CHECKING:
    from gradlab.analyses.call import Question
    from gradlab.analyses.thinning import Reduction
    from gradlab.settings.subject import Subject

SEVERAL = ("gradient-flow", "layers", "passes")  # charts that compare networks
CHARTS = {
    "gradient-flow": "norm against step, one line per cell, layer and state",
    "layers": "norm by layer and step, as a heat map",
    "passes": "how often what arrives passed U, and how often it took the addition",
    "paths": "the last loss's gradient by path: direct, through U once, twice, …",
    "shares": "the same as signed shares, which sum to 1",
    "gates": "where the gates of the lowest layer stand: median and 5 to 95 % over units and sequences",
    "jacobians": "every singular value of ∂s_T/∂s_t against lag",
    "singular-values": "of the recurrent weights, per layer and gate",
    "eigenvalues": "of the recurrent weights, per layer and gate",
    "gate-biases": "the biases of the gates, per layer and gate",
}


class Chart(NamedTuple):
    """What is asked of the networks, and how its rows are drawn."""

    question: Question
    draw: Callable[..., Any]
    reduction: Reduction


def chart_of(name: str, subjects: Sequence[Subject]) -> Chart:
    """A chart of `CHARTS`; of the first subject where it shows one."""
    from functools import partial

    from gradlab.analyses import jacobians, weights
    from gradlab.analyses.call import Call, Table, each
    from gradlab.analyses.paths import decompose, gate_statistics, lowest, mean_passes, steps_by_way
    from gradlab.analyses.thinning import AllRows, EvenSteps, Lines, StepBins
    from gradlab.analyses.traces import LAST, trace
    from gradlab.charts import gates, heatmap, passes, paths, traces
    from gradlab.charts import jacobians as of_jacobians
    from gradlab.charts import weights as of_weights

    one, everything = subjects[0], AllRows()
    traced = Table.of(each(trace, subjects), "table")
    counted = [call.then(steps_by_way) for call in each(mean_passes, subjects, losses=LAST)]
    parts = Call.of(decompose, one, orders=8, losses=LAST).then(lowest)
    shares = Table.of(parts, where="path != 'total'")
    gate_rows = Table.of(Call.of(gate_statistics, one), where="layer == 0 and saturated_low >= 0")
    return {
        "gradient-flow": Chart(traced, traces.lines, Lines()),
        "layers": Chart(traced, heatmap.layers_by_steps, StepBins()),
        "passes": Chart(Table.of(counted), passes.bars, everything),
        "paths": Chart(Table.of(parts), paths.parts, Lines(("log10_relative",), ("path",))),
        "shares": Chart(shares, partial(paths.shares, cell=one.settings.cell), EvenSteps()),
        "gates": Chart(gate_rows, gates.spread, Lines(("median", "q05", "q95"), ("gate",))),
        "jacobians": Chart(
            Table.of(Call.of(jacobians.singular_values_by_lag, one)), of_jacobians.stretches, everything
        ),
        "singular-values": Chart(
            Table.of(Call.of(weights.singular_values, one)), of_weights.singular_values, everything
        ),
        "eigenvalues": Chart(Table.of(Call.of(weights.eigenvalues, one)), of_weights.eigenvalues, everything),
        "gate-biases": Chart(Table.of(Call.of(weights.gate_biases, one)), of_weights.gate_biases, everything),
    }[name]


@click.command(
    cls=OfSettings,
    short_help="Write a chart as a picture.",
    several=True,
    examples=(
        "gradlab export gradient-flow --cell rnn --cell lstm --cell gru --out figure.pdf --width 3.25 --font-size 8",
        "gradlab export singular-values --initialization orthogonal --out spectrum.svg",
        "gradlab export layers --depth 4 --out layers.html",
    ),
)
@click.argument("chart", type=click.Choice(list(CHARTS)), metavar="CHART")
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The picture: .png, .svg, .pdf, .html or .vl.json.",
)
@click.option("--width", type=float, help="Inches: 3.25 for a column, 6.75 for a page.")
@click.option("--font-size", type=float, help="Points of the labels.")
@click.option("--dpi", type=float, help="Dots an inch of a PNG.")
@click.option("--title", default="", help="Above the picture.")
@click.option("--dark", is_flag=True, help="Light on dark.")
def export(
    chart: str,
    out: Path,
    width: float | None,
    font_size: float | None,
    dpi: float | None,
    title: str,
    dark: bool,
    **settings: Any,
) -> None:
    """Write CHART of drawn networks as a picture that carries its settings."""
    subjects = experiments_of(settings)
    if len(subjects) > 1 and chart not in SEVERAL:
        raise ValueError(f"{chart} shows one network: name one cell, or choose {', '.join(SEVERAL)}")
    from gradlab import exports

    drawn = chart_of(chart, subjects)
    with progress_bar(chart) as report:
        rows = drawn.reduction.taken(drawn.question.rows(report))
    if rows.empty:
        raise ValueError(f"{chart} has nothing to show of {subjects[0].title}: choose another cell or chart")
    layout = {"width": width, "font_size": font_size, "dpi": dpi}
    chosen: dict[str, Any] = {name: value for name, value in layout.items() if value is not None}
    exports.save(drawn.draw(rows, dark=dark), out, subjects, code=drawn.question.code, title=title, **chosen)
    click.echo(out)


def _listed() -> str:
    """The charts and what they show, for the help."""
    return "\n".join(["\b", *(f"{name:<16} {meaning}" for name, meaning in CHARTS.items())])


export.help = f"{export.help}\n\n{_listed()}"
