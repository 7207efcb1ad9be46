"""The page of initial weights: spectra, gates' biases and parameter counts of one stack."""

from gradlab.analyses import weights
from gradlab.analyses.call import Call, Table
from gradlab.charts.weights import eigenvalues, gate_biases, singular_values
from gradlab.settings.subject import Subject
from gradlab.ui.parts import pins
from gradlab.ui.parts.view import Answer, Asked, Figure, View
from gradlab.words.how_to_read import Words
from gradlab.words.languages import _
from gradlab.words.weights import of_biases, of_eigenvalues, of_singular_values, of_weights

PER_UNIT = 1.2e-5  # milliseconds of one recurrent weight's block, per cube of its units, as measured


def milliseconds(subject: Subject) -> float:
    """About how long the spectra take."""
    asked = subject.settings
    return PER_UNIT * asked.depth * 4 * asked.hidden_size**3


def view(asked: Asked, answer: Answer) -> View:
    """Singular values, biases and eigenvalues; and those of a pin."""
    one = asked.settings.one
    singular, biases, eigen = (
        Call.of(analysis, one) for analysis in (weights.singular_values, weights.gate_biases, weights.eigenvalues)
    )
    counts = Call.of(weights.parameter_counts, one)
    sentence = of_weights(one, answer(singular), answer(eigen), answer(counts))
    calls, said = (singular, biases, eigen), (of_singular_values, of_biases, of_eigenvalues)
    of_singular, of_bias, of_eigen = (say(answer(call)) for say, call in zip(said, calls, strict=True))
    figures = [
        Figure(singular_values, Table.of(singular), Words("singular values", _("Singular values"), of_singular)),
        Figure(gate_biases, Table.of(biases), Words("gate biases", _("Gate biases"), of_bias)),
        Figure(eigenvalues, Table.of(eigen), Words("eigenvalues", _("Eigenvalues"), of_eigen), width="content"),
    ]
    if (pinned := pins.of_one(asked.settings)) is None:
        return View(figures, [sentence])
    singular, biases, eigen, counts = (
        Call.of(call.function, pinned.subject) for call in (singular, biases, eigen, counts)
    )
    other = of_weights(pinned.subject, answer(singular), answer(eigen), answer(counts))
    calls = (singular, biases, eigen)
    each = [say(answer(call)) for say, call in zip(said, calls, strict=True)]
    both = pins.both(figures, [*map(Table.of, calls)], pinned, each, alone=(1,))
    return View(both, [sentence, f"**{pinned.pin.name}**: {other}"])
