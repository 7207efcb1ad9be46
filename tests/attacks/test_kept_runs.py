"""Files that say they are kept runs: each is opened, or refused in a short sentence before it takes memory."""

import json
import math
import struct
import time
import tracemalloc

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from safetensors.torch import load as load_tensors

from gradlab import Experiment
from gradlab.settings.tasks import characters
from gradlab.training import Recipe, Run
from gradlab.training.checkpoints import load, save

MOST_CHARACTERS = 1500  # of a sentence
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def kept():
    run = Run(Experiment(cell="gru", hidden_size=4, steps=12, batch_size=2), "adding", Recipe(updates=8))
    run.update()
    return save(run)


def parts(data):
    """(header, what it says of the run, bytes of the tensors)."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    return header, json.loads(header["__metadata__"]["gradlab"]), data[8 + size :]


def file_of(header, about, payload):
    header = header | {"__metadata__": {"gradlab": json.dumps(about)}}
    text = json.dumps(header).encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(text)) + text + payload


def changed(data, **changes):
    header, about, payload = parts(data)
    return file_of(header, about | changes, payload)


def sentence(data):
    """The refusal of a file."""
    with pytest.raises(ValueError, match=r"\w") as refused:
        load(data)
    assert len(str(refused.value)) < MOST_CHARACTERS
    assert str(refused.value).isprintable() or "\n" in str(refused.value)
    return str(refused.value)


def opened_or_refused(data):
    try:
        run = load(data)
    except ValueError as error:
        assert 0 < len(str(error)) < MOST_CHARACTERS  # noqa: PT017  either end is right
    else:
        assert isinstance(run, Run)
        assert run.trained


@pytest.mark.parametrize("done", [math.inf, -math.inf, math.nan, 10**400, 10**4000, -1, 1.5, True, None, "1", [1], {}])
def test_a_number_of_updates_that_is_none_is_refused(kept, done):
    assert "updates_done" in sentence(changed(kept, updates_done=done))


@pytest.mark.parametrize(
    "name", ["learning_rate", "updates", "clip_norm", "gradient_noise", "optimizer", "strange" * 999]
)
@pytest.mark.parametrize("value", [10**400, 10**4000, math.inf, math.nan, -1, "x" * 4000, [[]], {"a": 1}, True])
def test_a_recipe_with_a_value_that_is_none_is_refused(kept, name, value):
    recipe = parts(kept)[1]["recipe"] | {name: value}
    assert "settings cannot be used" in sentence(changed(kept, recipe=recipe))


@pytest.mark.parametrize("name", ["hidden_size", "gain", "text", "cell", "seed", "loss_steps", "strange" * 999])
@pytest.mark.parametrize("value", [10**400, 10**4000, math.inf, -1, "\ud800", "9" * 9000, [[]], {"a": 1}, True])
def test_an_experiment_with_a_value_that_is_none_is_refused(kept, name, value):
    experiment = parts(kept)[1]["experiment"] | {name: value}
    assert "settings cannot be used" in sentence(changed(kept, experiment=experiment))


def test_any_number_of_strange_settings_is_refused_at_once(kept):
    experiment = parts(kept)[1]["experiment"] | {f"x{n}": n for n in range(20_000)}
    begin = time.process_time()
    with pytest.raises(ValueError, match="settings cannot be used"):
        load(changed(kept, experiment=experiment))
    assert time.process_time() - begin < 1


@pytest.mark.parametrize("text", ["a\ud800b", "\udfff\ud800", "ab" * 50 + "\udc80"])
def test_a_text_with_a_lone_surrogate_is_refused_where_it_is_opened(kept, text):
    run = Run(Experiment(cell="gru", hidden_size=4, steps=4, batch_size=2), characters("abc"), Recipe(updates=8))
    with pytest.raises(ValueError, match="lone surrogate"):
        load(changed(save(run), text=text))


def test_a_small_file_that_claims_a_large_network_is_refused_before_memory_is_taken(kept):
    experiment = parts(kept)[1]["experiment"] | {"depth": 8, "hidden_size": 1024}
    data = changed(kept, experiment=experiment)
    tracemalloc.start()
    begin = time.process_time()
    said = sentence(data)
    took, (_, most) = time.process_time() - begin, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "depth = 8 and hidden_size = 1024 need 201326592 for the recurrent ones alone" in said  # 8 · 3 · 1024² · 8
    assert took < 0.2
    assert most < 2_000_000


def test_the_smallest_file_of_every_shape_is_not_refused_by_its_size():
    for cell in ("rnn", "lstm", "min_gru"):
        for hidden_size, depth in ((1, 1), (1, 8), (7, 3)):
            run = Run(Experiment(cell=cell, hidden_size=hidden_size, depth=depth, steps=6, batch_size=1), "parity")
            assert load(save(run)).trained.size == run.trained.size


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(categories=None), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)
KEYS = ["format", "experiment", "task", "text", "recipe", "updates_done", "diverged"]
CHANGES = st.dictionaries(st.sampled_from(KEYS), JSON, max_size=2)
DTYPES = ["F64", "F32", "F16", "BF16", "I64", "BOOL", "U8", "F8_E4M3", "F4", "C64", "x", ""]
ENTRY = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F64", "F32", "F16", "BF16", "I64", "BOOL", "U8", "F8_E4M3", "F4", "C64", "x", ""])
        | JSON,
        "shape": st.lists(st.integers(-1, 8) | st.just(2**63) | st.integers(), max_size=4) | JSON,
        "data_offsets": st.lists(st.integers(-8, 800) | st.integers(), min_size=2, max_size=2) | JSON,
    }
)


def with_changes(kept, about, entries):
    """The kept run with changes of what it says of itself, and of the entries of its header by their number."""
    header, before, payload = parts(kept)
    names = [name for name in header if name != "__metadata__"]
    return file_of(header | {names[n % len(names)]: entry for n, entry in entries.items()}, before | about, payload)


@pytest.mark.parametrize("examples", [25, pytest.param(1500, marks=pytest.mark.slow)])
def test_generated_headers_are_opened_or_refused(kept, examples):
    @given(
        st.dictionaries(st.sampled_from(KEYS), JSON, max_size=2), st.dictionaries(st.integers(0, 30), ENTRY, max_size=2)
    )
    @example({}, {0: {"dtype": "F4", "shape": [8], "data_offsets": [0, 4]}})
    @settings(UNHURRIED, max_examples=examples)
    def check(about, entries):
        opened_or_refused(with_changes(kept, about, entries))

    check()


@pytest.mark.parametrize("examples", [25, pytest.param(1500, marks=pytest.mark.slow)])
def test_bytes_changed_anywhere_are_opened_or_refused(kept, examples):
    @given(
        st.lists(st.tuples(st.integers(0, len(kept) - 1), st.integers(0, 255)), max_size=8), st.integers(0, len(kept))
    )
    @settings(UNHURRIED, max_examples=examples)
    def check(bytes_at, cut):
        data = bytearray(kept)
        for place, value in bytes_at:
            data[place] = value
        opened_or_refused(bytes(data[:cut] if cut % 3 == 0 else data))

    check()


def test_the_unchanged_file_is_opened(kept):
    assert load_tensors(file_of(*parts(kept))).keys() == load_tensors(kept).keys()
    assert load(file_of(*parts(kept))).done == 1
