"""The story's pictures: what the pointer says of them, and the language of what stands in them."""

import json

import pandas as pd
import pytest

from gradlab.charts import annotations
from gradlab.charts.picture import picture_of
from gradlab.charts.story import curves, losses
from gradlab.words.languages import speaking
from gradlab.words.numbers import number

TABLE = pd.DataFrame(
    [
        (path, step, 2 - step, log10 - step)
        for path, log10 in (("exploding", 7.0), ("exploding clipped", -1.0), ("vanishing", -60.0))
        for step in range(3)
    ],
    columns=["path", "step", "lag", "log10_relative"],
)
ENDS = TABLE[TABLE["step"] == 0].assign(label_at=TABLE["log10_relative"], cell="", layer=0, state="")
NAMES = {"exploding clipped": "line A", "vanishing": "line B"}


def drawn(language):
    with speaking(language):
        return picture_of(curves, TABLE, ends=ENDS, names=NAMES, span=(-1.0, 1.0))


def strings(picture) -> str:
    return json.dumps(picture.chart().to_dict(validate=False), default=str, ensure_ascii=False)


def test_the_pointer_says_the_values_of_the_lines_that_have_a_name_and_of_no_other():
    says = drawn("en").rows["hover"]["says"].tolist()
    assert says == [f"step {step}\nline A: {number(-1 - step)}\nline B: {number(-60 - step)}" for step in range(3)]


@pytest.mark.parametrize(
    ("english", "korean"),
    [
        ("remaining gradient", "남은 기울기"),
        ("step t (the", "시점 t ("),
        ("loses digits", "자릿수"),
        ("step 1", "시점 1"),
    ],
)
def test_a_picture_is_in_its_language_alone_and_its_key_says_so(english, korean):
    one, other = drawn("en"), drawn("ko")
    assert english in strings(one)
    assert korean not in strings(one)
    assert korean in strings(other)
    assert english not in strings(other)
    assert one.key != other.key


def test_the_losses_are_in_their_language():
    table = pd.DataFrame({"path": ["rnn", "lstm"], "update": [0, 0], "loss": [1.0, 1.2]})
    with speaking("ko"):
        korean = picture_of(losses, table, updates=10, level=1.0, name="x")
    assert {"갱신", "손실", "셀"} <= set(strings(korean).replace('"', " ").split())
    assert "update " not in strings(korean).replace("update:Q", "").replace('"update"', "")


def test_names_in_hangul_have_room():
    five = pd.Series(["가나다라마"])
    assert annotations.gutter(five) >= 5 * 14, "a letter of 14 pixels is as wide as high"
    assert annotations.gutter(five) > annotations.gutter(pd.Series(["abcde"]))
