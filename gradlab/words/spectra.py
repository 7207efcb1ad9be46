"""Sentences about spectra: what grows, what theory predicted, whether the determinants agree."""

import math

import pandas as pd

from gradlab.analyses.spectra import LINEAR, MEAN_FIELD, MEASURED, Spectrum
from gradlab.settings.subject import Subject
from gradlab.words.how_to_read import Reading
from gradlab.words.languages import N_, _
from gradlab.words.numbers import counted, number, rounded, signed

NATS_TO_DECADES = 100 / math.log(10)  # a step, to decades per 100 steps
HOW_TO_READ = Reading(
    r"\lambda_i = \lim_{T\to\infty} \frac1T \ln \sigma_i\big(A_T \cdots A_1\big),\qquad"
    r" \sum_i \lambda_i = \overline{\ln\lvert\det A_t\rvert},\qquad A_t = \frac{\partial s_t}{\partial s_{t-1}}",
    N_(
        "One exponent per direction of the whole state, the largest first: above 0 the direction grows, on average "
        "over the steps, and nearby trajectories part; below 0 it shrinks. The gradient grows or decays by λ₁. "
        "Dashed: what would follow from U alone, or from each unit's own old state alone; the diamond is mean-field "
        "theory of random tanh networks with as much gain and input. Directions mapped to 0 have no place on the axis."
    ),
    N_("the first exponent, λ₁: above 0 the gradient grows on its way back, below 0 it decays."),
)
HOW_TO_READ_NEWTON = Reading(
    r"s'_t = F_t(s_{t-1}) + A_t\,(s'_{t-1} - s_{t-1}),\quad t = 1 \dots T",
    N_(
        "Every iteration corrects all steps at once, which parallel hardware does in about log₂ T steps. Few "
        "iterations are needed where λ₁ is below 0; where it is above, shaded, errors grow along the sequence "
        "and nearly every step needs an iteration."
    ),
    N_("where the number of iterations begins to rise: is it where λ₁ passes 0?"),
)
HOW_TO_READ_CALMING = Reading(
    r"h' = U \tanh h + s\,x,\qquad \lambda_1 = \tfrac12 \ln\big(g^2\, \mathrm{E}\, \mathrm{sech}^4(\sqrt q z)\big)",
    N_(
        "Each dot is one random network. Above 0 it is chaotic: nearby states part. Stronger input pushes units into "
        "the flat part of tanh, whose slope is small, and the network becomes calm. The line is theory of infinite "
        "size; networks of this size are calmer."
    ),
    N_("the strength of the input from which on all dots lie below 0: such networks are calm."),
)
DEMONSTRATIONS = (
    N_("One matrix or many"),
    N_("Determinant 0.8 explodes"),
    N_("Spectral radius 0 explodes"),
    N_("Input calms chaos"),
)


def of_spectrum(subject: Subject, found: Spectrum) -> str:
    """What the largest exponent is, what was predicted of it, and how many directions grow."""
    title, count = subject.title, len(found.exponents)
    if not found.is_defined:
        return _("{title}: the exponents are undefined, since the forward pass overflows.").format(title=title)
    largest = float(found.exponents[0])
    if largest == -math.inf:
        return _("{title}: every direction is mapped to exactly 0, so that no gradient comes back.").format(title=title)
    what = _("{title}: λ₁ = **{largest}** nats a step, {decades} decades per 100 steps.").format(
        title=title, largest=signed(largest), decades=signed(largest * NATS_TO_DECADES)
    )
    grows = _("**{unstable} of {count}** directions grow; the Kaplan-Yorke dimension is {dimension}.").format(
        unstable=found.unstable, count=count, dimension=f"{found.dimension:.3g}"
    )
    return f"{what} {_predicted(found)} {grows}"


def _predicted(found: Spectrum) -> str:
    """What stands against the largest exponent."""
    first = float(found.predicted[0])
    if found.prediction == LINEAR:
        text = _("U's spectral radius alone would give {first}").format(first=_exponent(first))
    else:
        text = _("Its units, each alone, would give {first}").format(first=_exponent(first))
    if math.isfinite(found.mean_field):
        return _("{text}; mean-field theory gives {field}.").format(text=text, field=signed(found.mean_field))
    return f"{text}."


def _exponent(value: float) -> str:
    return _("−∞: nothing") if value == -math.inf else signed(value)


def of_determinants(found: Spectrum) -> str:
    """Whether all exponents sum to the mean of ln |det A_t|."""
    if not found.is_defined:
        return ""
    law = _("Check by the determinant law, over {steps}:").format(steps=counted(found.steps, "step"))
    if not (math.isfinite(found.total) and math.isfinite(found.determinants)):
        lost = int((found.exponents == -math.inf).sum())
        if found.determinants == -math.inf:
            text = _("every sum is −∞, for the step Jacobian is singular and {lost} of {count} exponents are −∞.")
        else:
            text = _("not possible: {lost} of {count} exponents lie below what rounding leaves.")
        return f"{law} {text.format(lost=lost, count=len(found.exponents))}"
    apart = abs(found.total - found.determinants)
    text = _("the exponents sum to {total}, and ln |det ∂s_t/∂s_{{t−1}}| is {mean} on average; they differ by {apart}.")
    return f"{law} " + text.format(
        total=signed(found.total),
        mean=signed(found.determinants),
        apart=number(math.log10(apart)) if apart else "0",
    )


def of_newton(table: pd.DataFrame) -> str:
    """How many iterations the network itself needs, and where they become many."""
    steps, factors = int(table["steps"].iloc[0]), table["factor"].tolist()
    needed = dict(zip(factors, table["iterations"].tolist(), strict=True))
    own = _iterations(needed.get(1.0, needed[factors[0]]), steps)
    text = _("As it is, the network needs **{needed}** for {steps} steps.").format(needed=own, steps=steps)
    grows = table.loc[table["exponent"] > 0, "factor"].tolist()
    if not grows:
        return text + " " + _("λ₁ stays below 0 up to a factor of {factor}.").format(factor=f"{max(factors):g}")
    then = _("λ₁ is above 0 at a factor of {factor}, where it takes {needed}.")
    return text + " " + then.format(factor=f"{grows[0]:g}", needed=_iterations(needed[grows[0]], steps))


def _iterations(value: float, steps: int) -> str:
    if math.isnan(value):
        return _("more iterations than there are steps")
    return counted(int(value), "iteration")


def of_calming(table: pd.DataFrame, gain: float, hidden_size: int) -> str:
    """What input does to the exponents of random networks."""
    measured = table[table["quantity"] == MEASURED]
    means, field = measured.groupby("strength")["exponent"].mean(), table[table["quantity"] == MEAN_FIELD]
    first, last = means.index.min(), means.index.max()
    text = _(
        "Random tanh networks of {hidden_size} units and gain {gain}: without input λ₁ is **{before}** on average, "
        "with input of strength {last} **{after}**."
    )
    of_input = {"before": signed(means[first]), "last": f"{last:g}", "after": signed(means[last])}
    text = text.format(hidden_size=hidden_size, gain=f"{gain:g}", **of_input)
    calm = field[field["exponent"] < 0]["strength"]
    if calm.empty:
        return text
    return (
        text
        + " "
        + _("Theory of infinite size has chaos end before a strength of {calm}.").format(
            calm=rounded(float(calm.min()))
        )
    )
