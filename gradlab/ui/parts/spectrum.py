"""The page of spectra: eigenvalues of U beside what the network itself does, and what decides that."""

import streamlit as st

from gradlab.analyses import spectra, weights
from gradlab.analyses.call import Call, Table
from gradlab.analyses.jacobians import farthest, singular_values_by_lag
from gradlab.charts.jacobians import stretches
from gradlab.charts.spectra import calming, exponents, newton
from gradlab.charts.weights import eigenvalues
from gradlab.settings.subject import Subject
from gradlab.ui.ask import ask, result
from gradlab.ui.frame import linked
from gradlab.ui.parts import pins, story
from gradlab.ui.parts.figure import figure
from gradlab.ui.parts.view import Answer, Asked, Figure, View
from gradlab.words import spectra as words
from gradlab.words.how_to_read import Words
from gradlab.words.jacobians import HOW_TO_READ, of_singular_values
from gradlab.words.languages import _
from gradlab.words.weights import of_eigenvalues

SHOWS = "spectrum_shows"  # the demonstration that is shown
PER_MILLISECOND = 20e6  # of the multiply-adds that are counted of a spectrum, as measured
GAIN, UNITS = 2.0, 64  # of the networks that input calms
SCENES = {  # of the story, which computes three of the demonstrations: its name, and the stop of its control
    "One matrix or many": ("product", 1.0),
    "Determinant 0.8 explodes": ("matrix", "2 0; 0 0.4"),
    "Spectral radius 0 explodes": ("matrix", "8 8; -8 -8"),
}


def milliseconds(subject: Subject) -> float:
    """About how long a spectrum takes."""
    return Call.of(spectra.spectrum, subject).work / PER_MILLISECOND


def view(asked: Asked, answer: Answer) -> View:
    """Eigenvalues of U, and the Lyapunov spectrum with its prediction; and those of a pin."""
    one = asked.settings.one
    eigen, found = Call.of(weights.eigenvalues, one), Call.of(spectra.spectrum, one)
    sentence, law = words.of_spectrum(one, answer(found)), words.of_determinants(answer(found))
    of_eigen = of_eigenvalues(answer(eigen))
    text = Words("Lyapunov spectrum", _("Lyapunov spectrum"), sentence, words.HOW_TO_READ)
    figures = [
        Figure(exponents, Table.of(found, "table"), text),
        Figure(eigenvalues, Table.of(eigen), Words("eigenvalues", _("Eigenvalues of U"), of_eigen), width="content"),
    ]
    if (pinned := pins.of_one(asked.settings)) is None:
        return View(figures, [sentence, law])
    eigen, found = (Call.of(call.function, pinned.subject) for call in (eigen, found))
    other = words.of_spectrum(pinned.subject, answer(found))
    both = pins.both(
        figures, [Table.of(found, "table"), Table.of(eigen)], pinned, [other, of_eigenvalues(answer(eigen))]
    )
    return View(both, [sentence, law, f"**{pinned.pin.name}**: {other}"])


def by_lag(one: Subject) -> None:
    """All singular values of the product Jacobian against lag."""
    call = Call.of(singular_values_by_lag, one)
    sentence = of_singular_values(one, "state", result(call.then(farthest)))
    st.markdown(sentence)
    figure(stretches, Table.of(call), Words("product Jacobians", _("Product Jacobians"), sentence, HOW_TO_READ))


def by_newton(one: Subject) -> None:
    """Newton iterations against the factor on U."""
    rows = Table.of(Call.of(spectra.newton_by_factor, one))
    sentence = words.of_newton(ask(rows))
    st.markdown(sentence)
    figure(newton, rows, Words("Newton iterations", _("Newton iterations and λ₁"), sentence, words.HOW_TO_READ_NEWTON))


def demonstration() -> None:
    """One of the demonstrations, computed; none of them depends on the settings."""
    names, label = words.DEMONSTRATIONS, _("Demonstration")
    name = linked.segmented_control(label, names, default=names[0], required=True, key=SHOWS, format_func=_)
    if name in SCENES:
        kind, stop = SCENES[name]
        scene = next(scene for scene in story.SCENES if scene.name == kind)
        drawn, sentence = story.shown(scene, stop, result)
        st.markdown(f"{scene.lesson.text} {sentence}")
        figure(drawn.draw, drawn.question, drawn.words, beside=drawn.beside)
        return
    rows = Table.of(Call.of(spectra.calming, GAIN, hidden_size=UNITS))
    sentence = words.of_calming(ask(rows), GAIN, UNITS)
    st.markdown(sentence)
    figure(calming, rows, Words("calming", _("Input calms chaos"), sentence, words.HOW_TO_READ_CALMING))
