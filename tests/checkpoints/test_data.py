"""Data of the caller: what is in the file is what the network reads, or a sentence says where it is not."""

import io
import zipfile

import numpy as np
import pandas as pd
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradlab.checkpoints.data import SCALINGS, read
from tests.attacks.test_checkpoint_files import HUGE, Runs, npy

T, B, X = 6, 2, 3


def values(*shape):
    return np.random.default_rng(0).standard_normal(shape)


def saved(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def archive(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def parquet(frame):
    file = io.BytesIO()
    frame.to_parquet(file)
    return file.getvalue()


FRAME = pd.DataFrame(values(T, X), columns=["a", "b", "c"])
TABLES = {
    "csv": (".csv", FRAME.to_csv(index=False).encode()),
    "csv without names": (".csv", FRAME.to_csv(index=False, header=False).encode()),
    "semicolons": (".csv", FRAME.to_csv(index=False, sep=";").encode()),
    "byte order mark": (".csv", b"\xef\xbb\xbf" + FRAME.to_csv(index=False, header=False).encode()),
    "spaces": (".txt", "\n".join("  ".join(map(repr, row)) for row in FRAME.to_numpy().tolist()).encode()),
    "tabs": (".txt", FRAME.to_csv(index=False, sep="\t", header=False).encode()),
    "parquet": (".parquet", parquet(FRAME)),
    "npy": (".npy", saved(FRAME.to_numpy())),
    "npz": (".npz", archive(x=FRAME.to_numpy())),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_one_sequence_its_rows_steps_its_columns_inputs(name, tmp_path):
    ending, data = TABLES[name]
    (tmp_path / f"x{ending}").write_bytes(data)
    for found in (read(data, X, name=f"x{ending}"), read(tmp_path / f"x{ending}", X)):
        assert np.allclose(found.inputs[:, 0], FRAME.to_numpy(), rtol=1e-14, atol=0)
        assert found.inputs.shape == (T, 1, X)
        assert f"{[T, X]}, read as [steps, inputs]" in found.read_as


def test_three_axes_are_steps_sequences_inputs_or_as_is_said():
    array = values(T, B, X)
    assert np.array_equal(read(saved(array), X, name="x.npy").inputs, array)
    found = read(saved(array.transpose(1, 0, 2)), X, name="x.npy", batch_first=True)
    assert np.array_equal(found.inputs, array)
    assert "read as [sequences, steps, inputs]: 6 steps, 2 sequences" in found.read_as
    assert np.array_equal(read(saved(array[:, 0, 0]), 1, name="x.npy").inputs[:, 0, 0], array[:, 0, 0])
    assert np.array_equal(read(saved(np.asfortranarray(array)), X, name="x.npy").inputs, array)
    assert read(saved(np.arange(12).reshape(4, 3)), X, name="x.npy").inputs.dtype == np.float64


def test_one_of_several_arrays_is_asked_for():
    data = archive(x=values(T, X), y=values(T, 2))
    with pytest.raises(ValueError, match=r"2 arrays.*x \[6, 3\], y \[6, 2\]"):
        read(data, X, name="x.npz")
    assert read(data, 2, name="x.npz", array="y").inputs.shape == (T, 1, 2)
    with pytest.raises(ValueError, match=r"'z' is not in the \.npz"):
        read(data, 2, name="x.npz", array="z")


@settings(max_examples=40)
@given(st.sampled_from(sorted(SCALINGS)), st.integers(0, 2**32 - 1))
def test_scaling_is_what_it_says_and_is_shown(scaling, seed):
    draw = np.random.default_rng(seed)
    array = draw.standard_normal((T, B, X)) * 10 ** draw.uniform(-3, 3, X) + draw.standard_normal(X)
    array[..., 1] = 4.0
    found = read(saved(array), X, name="x.npy", scaling=scaling)
    one = found.inputs[..., 0]
    if scaling == "standard":
        assert abs(one.mean()) < 1e-9
        assert abs(one.std() - 1) < 1e-9
    elif scaling == "unit":
        assert (one.min(), one.max()) == (0.0, pytest.approx(1.0))
    else:
        assert np.array_equal(found.inputs, array)
    assert np.ptp(found.inputs[..., 1]) == 0
    row = found.table.iloc[0]
    assert (row["lowest"], row["highest"]) == (array[..., 0].min(), array[..., 0].max())
    assert (row["scaled_lowest"], row["scaled_highest"]) == (one.min(), one.max())


def with_gap(array, *at):
    array = array.copy()
    array[at] = np.nan
    return array


WITH_GAP = FRAME.reindex([0, 1, 2, 9, 4, 5]).reset_index(drop=True)
REFUSED = {
    "missing in npy": (".npy", saved(with_gap(values(T, B, X), 2, 1, 0)), r"the array\[2, 1, 0\] is missing.*of 1"),
    "infinite": (".npy", saved(np.full((T, X), np.inf)), r"the array\[0, 0\] is inf, the first of 18"),
    "missing in csv": (".csv", b"a,b,c\n1,2,3\n4,,6\n", r"row 1 .*column 'b' is missing"),
    "missing in parquet": (".parquet", parquet(WITH_GAP), r"row 3 .*column 'a' is missing"),
    "words": (".csv", b"a,b,c\n1,2,3\n4,five,6\n", r"row 1 .*column 'b' is 'five' and no number"),
    "words in parquet": (".parquet", parquet(FRAME.assign(b="x")), r"column 'b' holds no numbers"),
    "prose": (".txt", b"It was a cold day,\nand the clocks were striking thirteen.\n", r"no number|cannot be read"),
    "ragged": (".csv", b"1,2,3\n4,5,6,7\n", r"cannot be read"),
    "no UTF-8": (".txt", b"\xff\xfe1,2", r"no text in UTF-8"),
    "turned": (".npy", saved(values(X, T)), r"\[3, 6\] do not fit a network of 3 inputs.*transpose it"),
    "four axes": (".npy", saved(values(2, 2, 2, X)), r"do not fit"),
    "no axis": (".npy", saved(np.float64(1)), r"do not fit"),
    "one step": (".npy", saved(values(1, X)), r"1 steps: at least 2"),
    "nothing": (".npy", saved(np.zeros((0, X))), r"0 steps"),
    "empty table": (".csv", b"\n", r"cannot be read|do not fit"),
    "complex": (".npy", saved(values(T, X) + 1j), r"complex128 and holds no real numbers"),
    "text array": (".npy", saved(np.array([["a", "b", "c"]] * 3)), r"no real numbers"),
    "pickle": (".npy", saved(np.array([Runs()] * 3, object)), r"Python objects"),
    "pickle in npz": (".npz", archive(x=np.array([Runs()] * 3, object)), r"Python objects"),
    "header that lies": (".npy", npy(HUGE, bytes(64)), r"64 bytes follow"),
    "truncated npy": (".npy", saved(values(T, X))[:-9], r"bytes follow"),
    "truncated parquet": (".parquet", parquet(FRAME)[:-9], r"truncated or damaged"),
    "other ending": (".xlsx", b"PK", r"'\.xlsx' are not read"),
    "empty": (".csv", b"", r"empty"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_with_its_place(name):
    ending, data, says = REFUSED[name]
    with pytest.raises(ValueError, match=says) as refused:
        read(data, X, name=f"x{ending}")
    assert "\n" not in str(refused.value)


def test_a_missing_value_is_named_by_the_files_own_axes():
    with pytest.raises(ValueError, match=r"\[1, 2, 0\]"):
        read(saved(with_gap(values(B, T, X), 1, 2, 0)), X, name="x.npy", batch_first=True)


@pytest.mark.slow
def test_a_bomb_takes_no_memory():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("x.npy", saved(np.zeros((2**22, X))))
    frame = pd.DataFrame({name: np.zeros(2**24) for name in "abc"})
    for ending, data in ((".npz", file.getvalue()), (".parquet", parquet(frame))):
        before = psutil.Process().memory_info().rss
        with pytest.raises(ValueError, match=r"unpacks to|at most \d+ are read"):
            read(data, X, name=f"x{ending}")
        assert psutil.Process().memory_info().rss - before < 2**27


def test_an_unknown_scaling_is_refused():
    with pytest.raises(ValueError, match="scaling = 'log' is not known: use one of none, standard, unit"):
        read(saved(values(T, X)), X, name="x.npy", scaling="log")
