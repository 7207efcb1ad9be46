"""Files of weights that a stranger may send: each is refused in a sentence, nothing runs, memory stays small."""

import io
import json
import os
import pickle
import posix
import struct
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from safetensors.torch import save as save_tensors
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from gradlab.checkpoints import load
from tests.checkpoints.test_by_names import compressed_npz, npz, torch_legacy, torch_zip

RAN = "GRADLAB_TEST_CODE_RAN"


def lstm(**changed):
    torch.manual_seed(0)
    return {f"lstm.{name}": tensor for name, tensor in nn.LSTM(3, 4).state_dict().items()} | changed


class Runs:
    """Its pickle sets an environment variable when it is read."""

    def __reduce__(self):
        return posix.putenv, (RAN, "1")


class RunsByExec:
    def __reduce__(self):
        return exec, (f"import os; os.environ[{RAN!r}] = '1'",)


class TakesMemory:
    def __reduce__(self):
        return bytearray, (2**35,)


class TakesStorage:
    def __reduce__(self):
        return torch.UntypedStorage, (2**35,)


class TakesTensor:
    def __reduce__(self):
        return torch.Tensor, (2**35,)


def saved_with(value, form=torch_zip):
    return form({**lstm(), "extra": value})


def own_zip(entries, compression=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return file.getvalue()


def repacked(data, compression=zipfile.ZIP_STORED, change=lambda name, content: content):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return own_zip({name: change(name, archive.read(name)) for name in archive.namelist()}, compression)


def scripted():
    file = io.BytesIO()
    torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)), file)
    return file.getvalue()


def exported():
    file = io.BytesIO()
    torch.export.save(torch.export.export(nn.Linear(2, 2), (torch.ones(1, 2),)), file)
    return file.getvalue()


def many_references(depth=60):
    """Lists of two references to the list below: 2^60 ways to the tensors, all in some hundred bytes."""
    value = [lstm()]
    for _ in range(depth):
        value = [value, value]
    return value


def larger_storage(form):
    """The pickle says that a storage has 2^40 values."""
    tensors = {**lstm(), "many": torch.zeros(77_777, dtype=torch.uint8)}
    small, large = b"J" + struct.pack("<i", 77_777), b"\x8a\x06" + (2**40).to_bytes(6, "little")
    if form is torch_zip:
        return repacked(torch_zip(tensors), change=lambda name, data: data.replace(small, large))
    return torch_legacy(tensors).replace(small, large)


def with_header(header, payload=b"", size=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if size is None else size).to_bytes(8, "little") + text + payload


def claims(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def npy(header, payload=b""):
    text = header.encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + payload


HUGE = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 4), }\n"
FAR = torch.ones(1200).index_fill(0, torch.tensor([901]), float("nan"))
NAN = torch.full((16,), 1.0).index_fill(0, torch.tensor([5]), float("nan"))

ATTACKS = {
    # name: (bytes, what the sentence says)
    "code in zip": (lambda: saved_with(Runs()), r"putenv.*nothing of it was run"),
    "code in legacy": (lambda: saved_with(Runs(), torch_legacy), r"putenv.*nothing of it was run"),
    "exec": (lambda: saved_with(RunsByExec()), r"exec.*nothing of it was run"),
    "plain pickle": (lambda: pickle.dumps(Runs()), r"plain pickle.*nothing of it was run"),
    "plain pickle of protocol 4": (lambda: pickle.dumps({"a": Runs()}, protocol=4), r"plain pickle"),
    "module in zip": (lambda: torch_zip(nn.LSTM(2, 2)), r"torch\.nn\.modules\.rnn\.LSTM.*state_dict"),
    "module in legacy": (lambda: torch_legacy(nn.LSTM(2, 2)), r"torch\.nn\.modules\.rnn\.LSTM.*state_dict"),
    "TorchScript": (scripted, r"TorchScript"),
    "exported program": (exported, r"data\.pkl|no format"),
    "bytearray of 32 GB": (lambda: saved_with(TakesMemory()), r"bytearray"),
    "storage of 32 GB": (lambda: saved_with(TakesStorage()), r"UntypedStorage"),
    "tensor of 32 GB": (lambda: saved_with(TakesTensor()), r"Tensor"),
    "deflated bomb": (lambda: repacked(torch_zip({"lstm.weight_hh_l0": torch.zeros(2**23)}), zipfile.ZIP_DEFLATED),
                      r"unpacks to"),
    "deflated archive": (lambda: repacked(torch_zip(lstm()), zipfile.ZIP_DEFLATED), r"compressed"),
    "npz bomb": (lambda: compressed_npz({"w_hh": torch.zeros(2**23)}), r"unpacks to"),
    "stride 0": (lambda: torch_zip(lstm() | {"lstm.weight_hh_l0": torch.zeros(1).expand(4 * 10**6, 10**6)}),
                 r"weight_hh_l0 has \d+ values in a storage|weight_ih_l0 has shape"),
    "stride 0 that fits": (lambda: torch_zip(lstm() | {"lstm.weight_hh_l0": torch.zeros(1).expand(16, 4)}),
                           r"weight_hh_l0 has 64 values in a storage of 4 bytes"),
    "larger storage in zip": (lambda: larger_storage(torch_zip), r"storage of 1099511627776 elements"),
    "larger storage in legacy": (lambda: larger_storage(torch_legacy), r"storage of 1099511627776 elements"),
    "meta": (lambda: torch_zip(lstm() | {"lstm.weight_hh_l0": torch.zeros(16, 4, device="meta")}), r"meta tensor"),
    "sparse": (lambda: torch_zip(lstm() | {"lstm.weight_hh_l0": torch.ones(16, 4).to_sparse()}), r"sparse"),
    "NaN": (lambda: torch_zip(lstm() | {"lstm.bias_ih_l0": NAN}), r"lstm\.bias_ih_l0 is nan at \[5\]"),
    "NaN far down": (lambda: torch_zip({**nn.LSTM(3, 100).state_dict(), "weight_ih_l0": FAR.reshape(400, 3)}),
                     r"weight_ih_l0 is nan at \[300, 1\]"),
    "infinite": (lambda: save_tensors(lstm() | {"lstm.weight_hh_l0": torch.full((16, 4), -torch.inf)}),
                 r"weight_hh_l0 is -inf at \[0, 0\]"),
    "infinite npz": (lambda: npz(lstm() | {"lstm.weight_hh_l0": torch.full((16, 4), torch.inf)}),
                     r"is inf at \[0, 0\]"),
    "integers": (lambda: torch_zip(lstm() | {"lstm.weight_hh_l0": torch.ones(16, 4, dtype=torch.int8)}),
                 r"int8.*whole"),
    "complex": (lambda: torch_zip(lstm() | {"lstm.weight_hh_l0": torch.ones(16, 4, dtype=torch.complex64)}),
                r"complex64"),
    "mixed dtypes": (lambda: torch_zip(lstm() | {"lstm.weight_hh_l0": torch.ones(16, 4).double()}),
                     r"float64.*float32|float32.*float64"),
    "quantized": (lambda: torch_zip({"rnn._packed_params.dtype": torch.ones(1), "x": torch.ones(1)}), r"quantized"),
    "weight_norm": (lambda: torch_zip(weight_norm(nn.LSTM(3, 4), "weight_hh_l0").state_dict()), r"weight_norm"),
    "missing": (lambda: torch_zip({n: t for n, t in lstm().items() if "weight_hh" not in n}), r"no weight_hh_l0"),
    "missing layer": (lambda: torch_zip({n.replace("_l0", "_l3"): t for n, t in lstm().items()}), r"no weight_ih_l0"),
    "wrong shape": (lambda: torch_zip(lstm() | {"lstm.weight_hh_l0": torch.ones(15, 4)}), r"no multiple of 4"),
    "wrong bias": (lambda: torch_zip(lstm() | {"lstm.bias_hh_l0": torch.ones(4)}),
                   r"bias_hh_l0 has shape \[4\]: \[16\]"),
    "five gates": (lambda: torch_zip({"weight_ih": torch.ones(20, 2), "weight_hh": torch.ones(20, 4)}), r"5 gates"),
    "no columns": (lambda: torch_zip(lstm() | {"lstm.weight_ih_l0": torch.ones(16, 0)}), r"weight_ih_l0 has shape"),
    "numbers alone": (lambda: torch_zip({"a": 1}), r"no recurrent part"),
    "a convolution": (lambda: torch_zip(nn.Conv1d(1, 1, 1).state_dict()), r"no recurrent part"),
    "deep": (lambda: torch_zip(nested(40)), r"more than 32 deep"),
    "truncated zip": (lambda: torch_zip(lstm())[:-200], r"truncated"),
    "truncated legacy": (lambda: torch_legacy(lstm())[:-100], r"truncated"),
    "truncated pickle": (lambda: torch_legacy(lstm())[:200], r"truncated"),
    "truncated npz": (lambda: npz(lstm())[:-200], r"truncated"),
    "flipped npz": (lambda: flipped(npz(lstm())), r"truncated or damaged"),
    "npz of objects": (lambda: own_zip({"w_hh.npy": npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n")}),
                       r"Python objects"),
    "npz header that lies": (lambda: own_zip({"w_hh.npy": npy(HUGE, bytes(64))}), r"64 bytes follow"),
    "npz header that calls": (lambda: own_zip({"w_hh.npy": npy("__import__('os').putenv('" + RAN + "', '1')\n")}),
                              r"damaged"),
    "repeated entry": (lambda: repeated_entry(), r"two entries of one name"),
    "truncated safetensors": (lambda: save_tensors(lstm())[:-8], r"damaged"),
    "huge header": (lambda: (2**63).to_bytes(8, "little") + b"{" * 32, r"header of 9223372036854775808 bytes"),
    "header of 255": (lambda: b"\xff" * 64, r"not known"),
    "overlap": (lambda: with_header({"a": claims([2], 0, 8), "b": claims([2], 4, 12)}, bytes(12)), r"damaged"),
    "wrong length": (lambda: with_header({"w_hh": claims([16, 4], 0, 8)}, bytes(8)), r"damaged"),
    "overflow": (lambda: with_header({"w_hh": claims([2**62, 2**62], 0, 8)}, bytes(8)), r"damaged"),
    "beyond the end": (lambda: with_header({"w_hh": claims([16, 4], 0, 256)}, bytes(8)), r"damaged"),
    "hole": (lambda: with_header({"a": claims([2], 8, 16)}, bytes(16)), r"damaged"),
    "no JSON": (lambda: with_header(b"{" * 64), r"no JSON"),
    "nested JSON": (lambda: with_header(b'{"a":' + b"[" * 100_000), r"no JSON|damaged"),
    "network of watch": (lambda: with_header({"__metadata__": {"gradlab": '{"format": "gradlab network 1"}'}}),
                         r"gradlab\.watching\.network\.read"),
    "names of lines": (lambda: torch_zip({"a\nb\x1b[31m.weight_hh_l0": torch.ones(4, 4)}), r"a b.*weight_ih_l0"),
    "long names": (lambda: torch_zip({f"{n}{'x' * 900}": torch.ones(1) for n in range(9)}), r"no recurrent part"),
    "empty": (lambda: b"", r"empty"),
    "text": (lambda: b"hello, these are my weights", r"not known"),
    "other zip": (lambda: own_zip({"readme.txt": b"x"}), r"no format"),
    "zip in zip": (lambda: own_zip({"inner.zip": own_zip({"data.pkl": b"x"})}), r"no format"),
}  # fmt: skip


def nested(depth):
    value = lstm()
    for _ in range(depth):
        value = {"a": value}
    return value


def flipped(data):
    at = data.index(b"\x93NUMPY") + 150
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def repeated_entry():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("w_hh.npy", b"x")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("w_hh.npy", b"y")
    return file.getvalue()


@pytest.mark.filterwarnings("ignore")  # of what makes the files
@pytest.mark.parametrize("by_path", [False, True])
@pytest.mark.parametrize("attack", ATTACKS)
def test_it_is_refused_in_one_sentence_and_nothing_runs(attack, by_path, tmp_path, monkeypatch):
    make, says = ATTACKS[attack]
    data = make()
    ran = []
    monkeypatch.setattr(posix, "putenv", lambda *arguments: ran.append(arguments))
    path = tmp_path / "file"
    path.write_bytes(data)
    before = psutil.Process().memory_info().rss
    with pytest.raises(ValueError, match=says) as refused:
        load(path if by_path else data)
    assert psutil.Process().memory_info().rss - before < 2**28
    assert not ran
    assert RAN not in os.environ
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    sentence = str(refused.value)
    assert "\n" not in sentence
    assert "\x1b" not in sentence
    assert len(sentence) <= 600


def test_a_container_that_stands_in_many_places_is_looked_into_once():
    value = many_references(depth=25)
    assert list(load(torch_zip(value[0])).stacks)


def test_the_code_of_these_files_would_run_if_it_were_let(monkeypatch):
    data, ran = saved_with(Runs()), []
    monkeypatch.setattr(posix, "putenv", lambda *arguments: ran.append(arguments))
    torch.load(io.BytesIO(data), weights_only=False)
    assert ran


def test_a_file_that_is_too_large_is_refused_by_its_size_alone(tmp_path):
    path = tmp_path / "large.pt"
    with path.open("wb") as file:
        file.truncate(2**34)
    with pytest.raises(ValueError, match="at most"):
        load(path)
    with pytest.raises(ValueError, match="folder"):
        load(tmp_path)
    with pytest.raises(FileNotFoundError):
        load(Path("no such file"))
    with pytest.raises(TypeError, match="int"):
        load(3)


@pytest.mark.parametrize("form", [torch_zip, torch_legacy, npz, save_tensors])
def test_a_file_with_any_byte_changed_ends_in_a_sentence_or_in_weights(form):
    data = form(lstm())
    generator = np.random.default_rng(0)
    for at in generator.integers(0, len(data), 150):
        changed = bytearray(data)
        changed[at] ^= int(generator.integers(1, 256))
        with suppress(ValueError):  # and no other error
            load(bytes(changed))
