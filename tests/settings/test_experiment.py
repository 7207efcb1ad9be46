"""Settings: bounds, messages, JSON and links."""

import json
import pickle
from urllib.parse import parse_qs, parse_qsl, urlencode

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gradlab.cells import CELLS
from gradlab.settings import links
from gradlab.settings.catalogue import (
    CHOICES,
    GROUPS,
    allowed,
    bounds,
    choices,
    default,
    description,
    meaning,
    unit,
)
from gradlab.settings.experiment import Experiment, SettingsError, shown
from gradlab.settings.inputs import default_text
from gradlab.settings.links import from_query, read_query, to_query
from gradlab.settings.meant import closest, did_you_mean

FIELDS = tuple(Experiment.model_fields)
TEXTS = ("text", "loss_steps")
NUMBERS = tuple(name for name in FIELDS if name not in (*CHOICES, *TEXTS))
WHOLE = tuple(name for name in NUMBERS if name not in ("gain", "keep_bias", "forget_bias"))
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy
NULLABLE = ("keep_bias", "forget_bias", "text", "loss_step", "loss_steps", "reads", "writes", "k1", "k2")


def values(name):
    """Every allowed value of one setting."""
    if name in CHOICES:
        return st.sampled_from(choices(name))
    low, high = bounds(name)
    if name == "text":
        allowed_values = st.text(min_size=low, max_size=200)
    elif name == "loss_steps":
        ranges = st.tuples(st.integers(0, 999), st.integers(0, 99)).map(lambda at: f"{at[0]}-{at[0] + at[1]}")
        allowed_values = st.lists(st.integers(0, 999_999).map(str) | ranges, min_size=1, max_size=9).map(", ".join)
    elif name in WHOLE:
        allowed_values = st.integers(low, high)
    else:
        allowed_values = st.floats(low, high)
    return st.none() | allowed_values if name in NULLABLE else allowed_values


@st.composite
def experiments(draw):
    settings = {name: draw(values(name)) for name in FIELDS}
    if settings["loss_step"] is not None:
        settings["loss_step"] %= settings["steps"]
    return Experiment(**settings | fitted(settings))


def fitted(settings):
    """Changes that make random settings fit each other."""
    steps, changes = settings["steps"], {}
    if settings["loss"] == "steps":
        changes["steps"] = steps = 1_000_000
    if settings["loss"] == "half_square":
        changes["objective"] = "direction"
    if settings["loss"] == "many_to_many_delayed":
        changes["reads"] = None if settings["reads"] is None else 1 + settings["reads"] % (steps - 1)
        changes["writes"] = None if settings["writes"] is None else steps - (changes["reads"] or 1)
    if settings["truncation"] != "full":
        changes["k2"] = k2 = None if settings["k2"] is None else 1 + settings["k2"] % steps
        changes["k1"] = None if settings["k1"] is None else 1 + settings["k1"] % (k2 or max(steps // 10, 1))
    return changes


def refusal(**settings):
    """The one sentence an Experiment is refused with."""
    with pytest.raises(SettingsError) as caught:
        Experiment(**settings)
    (sentence,) = caught.value.sentences
    assert str(caught.value) == sentence
    return sentence


def test_the_defaults_are_the_promised_ones():
    promised = {"cell": "lstm", "depth": 1, "hidden_size": 64, "input_size": 16, "steps": 200, "batch_size": 8}
    promised |= {
        "initialization": "pytorch",
        "gain": 1.0,
        "keep_bias": None,
        "forget_bias": None,
        "inputs": "noise",
        "text": None,
    }
    promised |= {"loss": "last", "loss_step": None, "loss_steps": None, "reads": None, "writes": None}
    promised |= {"objective": "direction", "output_size": 16, "truncation": "full", "k1": None, "k2": None}
    promised |= {"seed": 0, "dtype": "float64"}
    assert Experiment().model_dump() == promised
    assert {name: default(name) for name in FIELDS} == promised


def test_the_bounds_are_the_promised_ones():
    longest = 1_000_000
    promised = {"depth": (1, 8), "hidden_size": (1, 1024), "input_size": (1, 512), "output_size": (1, 512)}
    promised |= {"steps": (2, longest), "batch_size": (1, 256), "text": (1, 5000), "loss_steps": (1, 400)}
    promised |= {"gain": (0, 10), "keep_bias": (-20, 20), "forget_bias": (-20, 20)}
    promised |= {"loss_step": (0, longest - 1)}  # a step of the longest sequence
    promised |= dict.fromkeys(("reads", "writes"), (1, longest - 1))  # each leaves the other one step
    promised |= dict.fromkeys(("k1", "k2"), (1, longest))
    promised |= {"seed": (0, 2**32 - 1)}  # what numpy's and torch's generators take
    assert {name: bounds(name) for name in FIELDS if name not in CHOICES} == promised
    np.random.RandomState(bounds("seed")[1])
    with pytest.raises(ValueError, match="Seed must be"):
        np.random.RandomState(bounds("seed")[1] + 1)


@unhurried
@given(experiments())
def test_json_brings_back_the_same_experiment(experiment):
    again = Experiment.model_validate_json(experiment.model_dump_json())
    assert again == experiment
    assert hash(again) == hash(experiment)


@unhurried
@given(experiments())
def test_a_link_brings_back_the_same_experiment(experiment):
    address = urlencode(to_query(experiment))
    assert from_query(dict(parse_qsl(address, keep_blank_values=True))) == experiment
    assert from_query(parse_qs(address)) == experiment  # blanks dropped, each value in a list
    assert read_query(parse_qs(address, keep_blank_values=True)) == (experiment, [])


def test_a_link_names_every_setting_and_its_version():
    query = to_query(Experiment())
    assert set(query) == {"version", *FIELDS}
    assert all(isinstance(value, str) for value in query.values())


def test_a_link_means_the_same_after_a_default_has_changed(monkeypatch):
    class Later(Experiment):
        hidden_size: int = 128
        forget_bias: float | None = 1.0
        loss_step: int | None = 3

    link = urlencode(to_query(Experiment()))
    monkeypatch.setattr(links, "Experiment", Later)
    assert type(from_query({})) is Later
    assert from_query({}).hidden_size == 128
    assert from_query(parse_qs(link)).model_dump() == Experiment().model_dump()


def test_the_text_none_is_a_text_and_the_number_none_is_none():
    e = from_query({"text": "none", "forget_bias": "none", "loss_step": "none", "loss_steps": "none"})
    assert (e.text, e.forget_bias, e.loss_step, e.loss_steps) == ("none", None, None, None)


def test_a_link_of_another_version_is_refused_or_reported():
    query = to_query(Experiment(depth=3)) | {"version": "99"}
    with pytest.raises(ValueError, match="version = '99' of the link is not known: use 1"):
        from_query(query)
    experiment, sentences = read_query(query)
    assert experiment.depth == 3
    assert len(sentences) == 1
    assert "'99'" in sentences[0]


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_allowed_up_to_its_bounds_and_refused_beyond_them(name):
    low, high = bounds(name)
    beside = {"steps": 1_000_000} if name == "loss_step" else {}
    for end in (low, high):
        assert getattr(Experiment(**{name: end}, **beside), name) == end
    step = 1 if name in WHOLE else 1e-9
    for beyond in (low - step, high + step):
        sentence = refusal(**{name: beyond}, **beside)
        assert all(part in sentence for part in (f"{name} = {beyond}", f"from {low} to {high}"))


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "value", [True, False, float("nan"), float("inf"), float("-inf"), "many", "", "1e999", [1], {}, object(), 2j]
)
def test_what_is_no_number_is_refused_by_name(name, value):
    sentence = refusal(**{name: value})
    assert sentence.startswith(f"{name} = ")
    assert allowed(name) in sentence


@pytest.mark.parametrize("name", WHOLE)
def test_a_fraction_of_a_whole_number_is_refused(name):
    assert f"{name} = 2.5" in refusal(**{name: 2.5})


def test_numbers_of_numpy_and_of_the_command_line_are_taken():
    e = Experiment(steps=np.int64(50), gain=np.float32(0.5), hidden_size="32", forget_bias="1.5")
    assert (e.steps, e.gain, e.hidden_size, e.forget_bias) == (50, 0.5, 32, 1.5)
    assert type(e.steps) is int
    assert type(e.gain) is float


@pytest.mark.parametrize("name", CHOICES)
def test_a_name_outside_the_registry_is_refused_and_the_registry_listed(name):
    for choice in choices(name):
        assert getattr(Experiment(**{name: choice}), name) == choice
    sentence = refusal(**{name: "lost"})
    assert sentence.startswith(f"{name} = 'lost'")
    assert all(choice in sentence for choice in choices(name))


@pytest.mark.parametrize("name", [name for name in FIELDS if name not in NULLABLE])
def test_none_is_refused_where_it_means_nothing(name):
    assert f"{name} = None" in refusal(**{name: None})


def test_a_cell_added_to_the_registry_is_allowed_at_once(monkeypatch):
    monkeypatch.setitem(CELLS, "another", CELLS["rnn"])
    assert Experiment(cell="another").cell == "another"
    assert "another" in choices("cell")


@pytest.mark.parametrize(("text", "told"), [("", "text = ''"), ("a" * 5001, "1 to 5000"), ("\ud800", "surrogate")])
def test_text_that_is_empty_too_long_or_not_unicode_is_refused(text, told):
    assert told in refusal(text=text)


def test_a_refused_text_is_quoted_in_short():
    assert len(refusal(text="long " * 5000)) < 250


def test_5000_characters_of_korean_fit_a_link_and_5000_emoji_do_not():
    query = to_query(Experiment(inputs="text", text="한" * 5000))
    assert len("https://gradlab.example.org/gradient_flow?" + urlencode(query)) < 48_000
    sentence = refusal(text="😀" * 5000)
    assert "60000 bytes" in sentence
    assert "46000" in sentence
    assert "shorten" in sentence


def test_a_text_may_take_as_many_bytes_of_a_link_as_its_refusal_says_and_not_one_more():
    text = "😀" * 3833 + "four"  # each is four bytes of UTF-8, and a link writes %F0 for one
    assert Experiment(text=text).text == text
    assert "takes 46001 bytes in a link: at most 46000 fit" in refusal(text=text + "a")


def test_the_default_text_is_itself_an_allowed_text():
    assert Experiment(text=default_text()).text == default_text()


@unhurried
@given(st.integers(1, 5000), st.sampled_from("a &한😀"))
def test_every_allowed_text_gives_an_address_below_48_kilobytes(length, symbol):
    try:
        experiment = Experiment(text=symbol * length)
    except SettingsError:
        return
    assert len(urlencode(to_query(experiment))) < 47_000


@pytest.mark.parametrize("steps", [2, 200])
def test_the_loss_step_lies_within_the_sequence(steps):
    assert Experiment(steps=steps, loss="step", loss_step=steps - 1).loss_step == steps - 1
    sentence = refusal(steps=steps, loss="step", loss_step=steps)
    assert all(part in sentence for part in (f"loss_step = {steps} ", f"steps = {steps}", f"0 to {steps - 1}"))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"steps": 20, "loss": "many_to_many_delayed", "reads": 5, "writes": 10}, ("make 15 steps", "n + m = steps")),
        ({"steps": 20, "loss": "many_to_many_delayed", "reads": 20}, ("reads = 20 leaves nothing", "use 1 to 19")),
        ({"steps": 20, "loss": "many_to_many_delayed", "writes": 20}, ("writes = 20 leaves nothing", "use 1 to 19")),
        ({"steps": 20, "loss": "steps", "loss_steps": "3, 18-20"}, ("loss_steps names step 20", "use 0 to 19")),
        ({"steps": 20, "truncation": "chunks", "k2": 21}, ("k2 = 21 is a window longer", "steps = 20")),
        ({"steps": 20, "truncation": "windows", "k2": 21}, ("k2 = 21 is a window longer", "steps = 20")),
        ({"steps": 20, "truncation": "windows", "k1": 9, "k2": 8}, ("k1 = 9 is more than k2 = 8", "use 1 to 8")),
        ({"loss": "half_square", "objective": "cross_entropy"}, ("a loss of its own", "objective = direction")),
        ({"loss_steps": "3, 9-"}, ("'9-' is not a range", "9, 49, 90-99")),
        ({"loss_steps": "3; 9"}, ("neither a step nor a range", "9, 49, 90-99")),
    ],
)
def test_settings_that_do_not_fit_each_other_are_refused_and_left_out_of_a_link(settings, told):
    sentence = refusal(**settings)
    assert all(part in sentence for part in told)
    read, sentences = read_query({name: str(value) for name, value in settings.items()})
    assert len(sentences) == 1
    assert sentences[0].startswith(sentence)
    assert Experiment(**read.model_dump()) == read


def test_the_same_settings_fit_where_they_change_nothing():
    assert Experiment(steps=20, loss="last", reads=500, k2=500, loss_steps="900").steps == 20
    assert Experiment(steps=20, loss="many_to_many_delayed", reads=5, writes=15).writes == 15


@unhurried
@given(experiments(), st.integers(2, 1000))
def test_a_shortened_experiment_is_allowed_and_as_long_as_asked(experiment, steps):
    short = experiment.shortened(steps)
    assert short.steps == min(steps, experiment.steps)
    kept = ("loss", "objective", "truncation")
    assert [getattr(short, name) for name in kept] == [getattr(experiment, name) for name in kept]


def test_an_unknown_setting_is_refused_and_the_nearest_one_offered():
    assert "did you mean hidden_size?" in refusal(hiden_size=64)
    assert all(name in refusal(zzz=1) for name in FIELDS)


def test_every_problem_gets_its_own_sentence():
    with pytest.raises(SettingsError) as caught:
        Experiment(depth=0, cell="ltsm", colour="red")
    cell, depth, colour = caught.value.sentences
    assert cell.startswith("cell = 'ltsm' is not allowed: did you mean lstm? Use one of rnn, lstm, gru")
    assert depth == "depth = 0 is not allowed: use a whole number from 1 to 8 (layers)"
    assert colour.startswith("'colour' = 'red' is not a setting: ")
    assert str(caught.value).splitlines() == [cell, depth, colour]
    assert [refusal.setting for refusal in caught.value.refusals] == ["cell", "depth", "colour"]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"hiden_size": 3}, "'hiden_size' = 3 is not a setting: did you mean hidden_size?"),
        ({"Steps": 3}, "'Steps' = 3 is not a setting: did you mean steps?"),
        ({"cell": "LTSM"}, "did you mean lstm? Use one of"),
        ({"initialization": "ortogonal"}, "did you mean orthogonal? Use one of"),
        ({"inputs": "nois"}, "did you mean noise? Use one of"),
        ({"loss": "many_to_on"}, "did you mean many_to_one? Use one of"),
        ({"objective": "crossentropy"}, "did you mean cross_entropy? Use one of"),
        ({"truncation": "window"}, "did you mean windows? Use one of"),
        ({"dtype": "float63"}, "did you mean float64? Use one of"),
    ],
)
@pytest.mark.parametrize(
    "make",
    [
        lambda wrong: Experiment(**wrong),
        lambda wrong: Experiment().replace(**wrong),
        lambda wrong: Experiment.model_validate_json(json.dumps(wrong)),
        Experiment.model_validate,
        from_query,
    ],
)
def test_a_name_that_is_nearly_right_is_answered_by_the_one_that_was_meant(make, wrong, sentence):
    with pytest.raises(ValueError, match="=") as caught:
        make(wrong)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "pydantic" not in str(caught.value)
    assert "[type" not in str(caught.value)


def test_a_name_like_no_other_is_answered_by_all_of_them():
    assert did_you_mean("zzz", ("rnn", "lstm")) == ": use rnn, lstm"
    assert did_you_mean("LTSM", ("rnn", "lstm")) == ": did you mean lstm?"
    assert did_you_mean("bs", ("steps", "batch_size")) == ": did you mean batch_size?"
    assert did_you_mean(3, iter(("rnn", "lstm"))) == ": use rnn, lstm"


def test_a_refusal_survives_being_sent_to_another_process():
    with pytest.raises(SettingsError) as caught:
        Experiment(depth=0, cell="ltsm")
    assert pickle.loads(pickle.dumps(caught.value)).refusals == caught.value.refusals


def test_what_a_person_sees_of_an_experiment_is_one_line_of_what_is_not_at_its_default():
    assert repr(Experiment()) == "Experiment()"
    e = Experiment(cell="gru", steps=1000, forget_bias=1)
    assert repr(e) == str(e) == "Experiment(cell='gru', forget_bias=1.0, steps=1000)"
    assert eval(repr(e)) == e
    assert e.code.count("=") == e.key.count("=") == len(FIELDS)


def test_every_setting_is_of_one_group_and_the_groups_keep_the_order_of_the_fields():
    assert [name for names in GROUPS.values() for name in names] == list(FIELDS)
    assert list(GROUPS) == ["network", "sequence", "loss", "truncation", "numerics"]
    assert GROUPS["truncation"] == ("truncation", "k1", "k2")
    assert GROUPS["numerics"] == ("seed", "dtype")
    assert "input_size" in GROUPS["sequence"]


def test_json_that_is_no_experiment_is_described():
    with pytest.raises(SettingsError) as caught:
        Experiment.model_validate_json("{")
    assert str(caught.value).startswith("the settings are not JSON: ")
    with pytest.raises(SettingsError, match="depth = 0 is not allowed"):
        Experiment.model_validate_json('{"depth": 0}')
    with pytest.raises(SettingsError, match="3 is not a mapping of settings"):
        Experiment.model_validate_json("3")


def test_an_experiment_is_frozen_and_a_key():
    e = Experiment()
    with pytest.raises(AttributeError, match=r"an Experiment is frozen: use \.replace\(depth=2\)"):
        e.depth = 2
    assert {e: "found"}[Experiment(gain=1)] == "found"
    assert e != Experiment(seed=1)


def test_replace_changes_what_it_is_told_and_validates():
    e = Experiment(depth=2, seed=5)
    assert e.replace(cell="gru", depth=3) == Experiment(cell="gru", depth=3, seed=5)
    with pytest.raises(SettingsError, match="depth = 9"):
        e.replace(depth=9)


def test_settings_without_effect_are_named():
    placed = {"loss_step", "loss_steps", "reads", "writes"}
    assert Experiment().unused() == {"text", "output_size", "k1", "k2"} | placed
    gru = Experiment(cell="gru", inputs="text", loss="step", truncation="windows")
    assert gru.unused() == {"input_size", "forget_bias", "output_size"} | placed - {"loss_step"}
    assert "keep_bias" in Experiment(cell="leaky").unused()
    assert "forget_bias" in Experiment(keep_bias=1.0, forget_bias=3.0).unused()
    assert Experiment(loss="many_to_many_delayed").unused().isdisjoint({"reads", "writes"})
    assert "k2" not in Experiment(truncation="chunks").unused()
    assert "output_size" not in Experiment(objective="squared_error").unused()
    assert all("text" in Experiment(inputs=name).unused() for name in choices("inputs") if name != "text")


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.complex_numbers() | st.text() | st.binary()
anything = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2), max_leaves=4
)
keys = st.sampled_from([*FIELDS, "version", "page"]) | st.text() | st.integers() | st.none()


@unhurried
@given(st.dictionaries(keys, anything | st.builds(object) | st.just(np.zeros(3)) | st.just("\ud800" * 9000)))
def test_reading_a_link_never_raises(query):
    experiment, sentences = read_query(query, ignore=("page",))
    assert Experiment(**experiment.model_dump()) == experiment
    assert all(isinstance(sentence, str) for sentence in sentences)
    unknown = set(query) - set(FIELDS) - {"version", "page"}
    assert len(sentences) >= len(unknown)


@unhurried
@given(experiments(), st.sampled_from(FIELDS))
def test_one_bad_value_in_a_link_falls_back_alone_and_is_reported(experiment, name):
    e = experiment
    if name == "steps":  # what was placed in the sequence may lie beyond the default one
        e = e.replace(loss_step=None, loss="last", truncation="full")
    if name == "loss":
        e = e.replace(loss="last")
    if name in ("k1", "k2"):
        e = e.replace(truncation="full")
    bad = "\ud800" if name in TEXTS else "lost" if name in CHOICES else str(10**12)
    read, sentences = read_query(to_query(e) | {name: bad})
    assert read == e.replace(**{name: default(name)})
    (sentence,) = sentences
    assert sentence.startswith(f"{name} = {bad!r}")
    assert allowed(name) in sentence
    assert "default" in sentence


def test_an_impossible_loss_step_in_a_link_falls_back_to_the_middle_step():
    experiment, sentences = read_query({"steps": "many", "loss_step": "900"})
    assert experiment == Experiment()
    assert len(sentences) == 2
    assert "the default, 200, is used" in sentences[0]
    assert "loss_step = 900" in sentences[1]
    assert "the middle step, is used" in sentences[1]


def test_unknown_keys_of_a_link_are_reported_unless_the_caller_owns_them():
    query = {"colour": "red", "depth": "2"}
    experiment, sentences = read_query(query)
    assert experiment.depth == 2
    assert len(sentences) == 1
    assert "'colour' = 'red'" in sentences[0]
    assert read_query(query, ignore={"colour"}) == (experiment, [])
    with pytest.raises(SettingsError, match="'colour' = 'red'"):
        from_query(query)


def test_what_a_link_leaves_empty_is_quoted_as_it_stands_unless_nothing_is_a_value():
    for name in FIELDS:
        for nothing in ("", "none"):
            _, sentences = read_query({name: nothing})
            if name in NULLABLE:
                assert sentences == []
            else:
                assert sentences[0].startswith(f"{name} = {nothing!r} is not allowed"), name


def test_a_strange_name_is_left_out_with_the_one_that_was_meant_or_with_all():
    _, (meant, none) = read_query({"hiden_size": "3", "zzz": "1"})
    assert meant == "'hiden_size' = '3' is not a setting: did you mean hidden_size? It is left out."
    assert none == f"'zzz' = '1' is not a setting: use {', '.join(FIELDS)}; it is left out."


@pytest.mark.parametrize("name", FIELDS)
def test_every_setting_has_a_description_a_unit_and_what_is_allowed(name):
    assert description(name).endswith(".")
    assert (unit(name) == "") == (name in CHOICES)
    if name in CHOICES:
        assert all(meaning(name, choice).strip() for choice in choices(name))
        with pytest.raises(KeyError, match="choices"):
            bounds(name)
    else:
        low, high = bounds(name)
        assert low < high
        assert f"{low} to {high}" in allowed(name)
        with pytest.raises(KeyError, match="bounds"):
            choices(name)


def test_the_schema_is_plain_json():
    assert set(json.loads(json.dumps(Experiment.model_json_schema()))["properties"]) == set(FIELDS)


@pytest.mark.parametrize("length", [0, 39, 40, 41, 5000])
def test_a_text_is_shown_whole_where_forty_characters_hold_it(length):
    text = "x" * length
    assert shown(text) == repr(text if length <= 40 else text[:39] + "…")


def test_a_number_is_shown_unless_it_has_more_bits_than_anybody_reads():
    assert shown(2**128 - 1) == str(2**128 - 1)
    assert shown(2**128) == "an integer of 129 bits"
    assert shown(-0.5) == "-0.5"
    assert (shown(None), shown([1])) == ("None", "<list>")


def test_a_file_of_any_number_of_wrong_names_gets_forty_sentences():
    for count in (39, 40, 41, 500):
        with pytest.raises(SettingsError) as refused:
            Experiment(**{f"wrong_{n}": n for n in range(count)})
        assert len(refused.value.sentences) == min(count, 40)


@pytest.mark.parametrize("count", [1, 4, 5, 9])
def test_what_is_meant_is_searched_for_the_first_four_strange_names_of_a_link(count):
    """Each search takes half a millisecond."""
    _, sentences = read_query({f"hidden_siz{'e' * (n + 2)}": "1" for n in range(count)})
    assert len(sentences) == count
    assert sum("did you mean hidden_size?" in sentence for sentence in sentences) == min(count, 4)
    assert all(sentence.endswith(("It is left out.", "is not a setting; it is left out.")) for sentence in sentences)


def test_a_name_longer_than_sixty_characters_is_not_searched_for():
    assert closest("x" * 60, ["x" * 60]) == "x" * 60
    assert closest("x" * 61, ["x" * 61]) is None
