"""The networks that learn at the end of the guided story."""

import numpy as np
import pytest

from gradlab.settings.tasks import TASKS
from gradlab.training import learning, train, until
from gradlab.training.story import RECIPE, SMOOTHED, STAYS, baseline
from gradlab.ui.parts.story import LEARNS


@pytest.fixture(scope="module")
def learned():
    return learning(LEARNS)


def test_the_losses_are_those_of_train(learned):
    records = train(LEARNS.replace(cell="gru"), "temporal_order", updates=RECIPE.updates, learning_rate=1e-2)
    losses = np.array([next(records).loss for _ in range(25)])
    shown = learned[learned["path"] == "gru"]["loss"].to_numpy()
    for update in (0, 5, 24):
        first = max(0, update + 1 - SMOOTHED)
        assert shown[update] == pytest.approx(losses[first : update + 1].mean())


def test_the_rnn_stays_at_guessing_while_the_others_leave_it(learned):
    level = baseline(LEARNS)
    assert level == TASKS["temporal_order"].baselines(30)[0].loss == pytest.approx(np.log(4))
    numbers = until(learned, RECIPE.updates, level).numbers
    assert numbers["stays_rnn"] == 1
    assert numbers["rnn"] > STAYS * level
    for cell in ("lstm", "gru"):
        assert numbers[f"stays_{cell}"] == 0
        assert numbers[cell] < 0.1 * level
    early = until(learned, 10, level).numbers
    assert [early[f"stays_{cell}"] for cell in ("rnn", "lstm", "gru")] == [1, 1, 1]


def test_an_update_that_is_chosen_is_the_last_that_is_shown(learned):
    step = until(learned, 40, 1.0)
    assert set(step.table.groupby("path")["update"].max()) == {39}
    at = learned[(learned["path"] == "lstm") & (learned["update"] == 39)]["loss"].item()
    assert step.numbers["lstm"] == at
    assert step.numbers["updates"] == 40


def test_learning_says_how_far_it_is_and_ends_where_that_raises():
    seen = []

    def progress(fraction):
        seen.append(fraction)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learning(LEARNS.replace(hidden_size=2), progress=progress)
    assert seen == [pytest.approx(number / (3 * RECIPE.updates)) for number in (1, 2, 3)]
