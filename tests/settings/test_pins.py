"""Pins as text in links: what is written is read, what cannot be used is named, and what differs counts."""

from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradlab.cells import CELLS
from gradlab.settings import pins
from gradlab.settings.catalogue import SETTINGS, default
from gradlab.settings.experiment import TEXT_BYTES, Experiment
from gradlab.settings.links import to_query
from gradlab.settings.pins import MOST, MOST_BYTES, NOW, Pin, differing, fitting, next_name, read, read_all

CHANGES = {  # a value of every setting that is not its default
    "depth": 2, "hidden_size": 9, "initialization": "orthogonal", "gain": 1.25, "keep_bias": -3.5, "forget_bias": 2.0,
    "steps": 77, "batch_size": 3, "inputs": "text", "input_size": 5, "text": "a&b=c;%é 한글\n+", "loss": "steps",
    "loss_step": 4, "loss_steps": "3, 10-20", "reads": 30, "writes": 47, "objective": "squared_error",
    "output_size": 7, "truncation": "windows", "k1": 2, "k2": 11, "seed": 2**32 - 1, "dtype": "float32",
}  # fmt: skip
BASE = Experiment()


def test_every_setting_has_a_changed_value_here():
    assert {*CHANGES} == {*SETTINGS} - {"cell"}
    assert all(default(name) != value for name, value in CHANGES.items())


@pytest.mark.parametrize("names", [[name] for name in CHANGES] + [list(CHANGES)], ids=lambda names: names[-1])
def test_a_pin_is_read_as_it_was_written(names):
    pin = Pin.of(
        "a =+- 한", [Experiment(**{name: CHANGES[name] for name in names}, cell=cell) for cell in ("gru", "rnn")]
    )
    found, sentences = read(pin.text)
    assert sentences == []
    assert found == pin._replace(cells=("rnn", "gru"), experiment=pin.experiment.replace(cell="rnn"))
    assert pin.settings == {name: value for name, value in pin.experiment if name != "cell"} | {"cells": pin.cells}


def test_a_pin_says_what_is_not_at_its_default_and_a_link_within_the_link_what_a_link_says():
    pin = Pin.of("A", [Experiment(keep_bias=3.0)])
    assert pin.text == "name=A&cells=lstm&keep_bias=3.0"
    assert pin.bytes == len(quote(pin.text, safe=""))
    whole = read(urlencode({"name": "A", "cells": "lstm"} | to_query(pin.experiment)))
    assert whole == (pin, [])


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("name=A&cells=lstm&gain=99", "gain = '99' is not allowed: use a number from 0 to 10"),
        ("name=A&cells=lstm&gian=1", "did you mean gain?"),
        ("name=A&cells=lstm,nope", "cells = 'nope' is not a cell"),
        ("name=A&cells=lstm&version=9", "version = '9' of the link is not known"),
        ("name=A&cells=lstm&loss=step&loss_step=300", "loss_step = 300 lies beyond the sequence"),
        ("cells=lstm", "name = '' is not allowed for a pin"),
        ("name=now&cells=lstm", "name = 'now' is not allowed for a pin"),
        ("name=**b**&cells=lstm", "name = '**b**' is not allowed for a pin"),
        (
            "name=www.x.org&cells=lstm",
            "for a pin: use 1 to 24 letters, digits, spaces and -+=, another name",
        ),
        ("name=%2B1&cells=lstm", "name = '+1' is not allowed for a pin"),
        (f"name={'n' * 25}&cells=lstm", "is not allowed for a pin"),
    ],
)
def test_what_a_pin_cannot_hold_is_named_and_the_rest_of_it_stays(text, named):
    pin, sentences = read(text)
    assert pin is not None
    assert pin.cells == ("lstm",)
    assert len([sentence for sentence in sentences if named in sentence and sentence.startswith("In the pin '")]) == 1


@pytest.mark.parametrize("text", ["", "name=A", "name=A&cells=nope", "&&=&", "cell=lstm&name=A"])
def test_a_pin_without_a_cell_is_left_out_and_says_what_is_allowed(text):
    pin, (sentence,) = read(text)
    assert pin is None
    assert "names no cell: use cells = any of rnn, " in sentence


@given(st.text())
def test_no_text_of_a_pin_raises(text):
    pin, sentences = read(text)
    assert pin is None or pin == read(pin.text)[0]
    assert pin is not None or sentences


def test_pins_of_one_name_are_told_apart():
    texts = ["name=B&cells=lstm", "name=B&cells=gru", "name=A&cells=rnn"]
    found, sentences = read_all(texts, BASE)
    assert [pin.name for pin in found] == ["B", "A", "C"]
    assert [sentence.rpartition(". ")[2] for sentence in sentences] == ["It is called A.", "It is called C."]


def test_a_link_keeps_four_pins_and_says_what_it_leaves_out():
    texts = [f"name=p{n}&cells=lstm" for n in range(MOST + 2)]
    found, (sentence,) = read_all(texts, BASE)
    assert [pin.name for pin in found] == [f"p{n}" for n in range(MOST)]
    assert "6 pins: at most 4" in sentence


def test_pins_take_a_bounded_part_of_a_link_which_they_share_with_the_text():
    long = Pin.of("A", [Experiment(inputs="text", text="한" * (MOST_BYTES // 9))])
    assert long.bytes > MOST_BYTES
    kept, (sentence,) = fitting([Pin.of("B", [BASE]), long], BASE)
    assert [pin.name for pin in kept] == ["B"]
    assert f"and at most {MOST_BYTES} fit: shorten text, or remove a pin" in sentence
    short = Pin.of("A", [BASE])
    full = Experiment(inputs="text", text="a" * 5000)
    assert fitting([short], full) == ((short,), [])
    brim = "😀" * (TEXT_BYTES // 12) + "a" * (TEXT_BYTES % 12)
    assert len(quote(brim)) == TEXT_BYTES
    kept, (sentence,) = fitting([short], Experiment(inputs="text", text=brim))
    assert kept == ()
    assert "at most 0 fit" in sentence


def test_a_link_with_the_longest_text_and_pins_stays_below_what_servers_accept():
    text = "한" * 4550
    rest = TEXT_BYTES - len(quote(text, safe=""))
    e = Experiment(inputs="text", text=text, loss="steps", loss_steps="1," * 199 + "1")
    many = [Pin.of(f"{n} 한", [e.replace(text="한" * 40, cell=cell) for cell in CELLS]) for n in range(MOST)]
    kept, _ = fitting(many, e)
    assert 0 < sum(pin.bytes for pin in kept) <= min(rest, MOST_BYTES)
    query = urlencode(to_query(e) | {"cells": list(CELLS), "pin": [pin.text for pin in kept]}, True)
    assert len(f"https://gradlab.example.org/gradient_flow?{query}") < 48_000


def test_names_are_letters_that_are_free():
    assert [next_name(taken) for taken in ([], ["A"], ["B"], ["A", "B", "C", "D"])] == ["A", "B", "A", "A2"]
    assert NOW not in pins.NAMES


@pytest.mark.parametrize(
    ("one", "other", "names"),
    [
        ([{}], [{}], []),
        ([{"keep_bias": 3.0}], [{}], ["keep_bias"]),
        ([{"cell": "rnn", "keep_bias": 3.0}], [{"cell": "rnn"}], []),
        ([{"cell": "rnn", "keep_bias": 3.0}, {"keep_bias": 3.0}], [{"cell": "rnn"}, {}], ["keep_bias"]),
        ([{"cell": "rnn"}, {"cell": "lstm"}], [{"cell": "lstm"}, {"cell": "rnn"}], []),
        ([{"cell": "rnn"}], [{"cell": "lstm", "keep_bias": 1.0}], ["cells", "keep_bias"]),
        ([{"forget_bias": 1.0}], [{"keep_bias": 1.0}], ["keep_bias", "forget_bias"]),
        ([{"forget_bias": 1.0, "keep_bias": 2.0}], [{"keep_bias": 2.0}], []),
        ([{"k2": 3}], [{}], []),
        ([{"k2": 3, "truncation": "chunks"}], [{"truncation": "chunks"}], ["k2"]),
        ([{"gain": 2.0, "steps": 50, "depth": 2}], [{}], ["depth", "gain", "steps"]),
    ],
)
def test_what_differs_is_what_changes_something_for_a_cell_of_either(one, other, names):
    first, second = ([Experiment(**settings) for settings in each] for each in (one, other))
    found = differing(first, second)
    assert [*found] == names
    assert {name: values[::-1] for name, values in found.items()} == differing(second, first)
    assert all(values == (getattr(first[0], n), getattr(second[0], n)) for n, values in found.items() if n != "cells")


def test_a_text_that_is_no_pin_leaves_the_others():
    found, (sentence,) = read_all(["", "name=A&cells=lstm"], BASE)
    assert [pin.name for pin in found] == ["A"]
    assert "names no cell" in sentence


def test_four_pins_are_no_more_than_four_and_a_pin_that_just_fits_is_kept(monkeypatch):
    found, sentences = read_all([f"name=p{n}&cells=lstm" for n in range(MOST)], BASE)
    assert (len(found), sentences) == (MOST, [])
    needed = sum(pin.bytes for pin in found)
    monkeypatch.setattr(pins, "MOST_BYTES", needed)
    assert fitting(found, BASE) == (found, [])
    monkeypatch.setattr(pins, "MOST_BYTES", needed - 1)
    kept, (sentence,) = fitting(found, BASE)
    assert kept == found[:-1]
    assert f"take {needed} bytes in a link, and at most {needed - 1} fit" in sentence


def test_a_name_that_is_taken_gets_the_first_number_that_is_free():
    assert pins.free_name("before", []) == "before"
    assert pins.free_name("before", ["before", "before 3", "A"]) == "before 2"
    assert pins.why_not_called(pins.free_name("before", ["before", "before 2"])) == ""
