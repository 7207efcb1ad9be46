"""`.pt`, `.pth`, `.bin`, `.ckpt`: what `torch.save` wrote, zip and legacy format, by `torch.load(weights_only=True)`.

A pickle is a program. Before torch's restricted interpreter runs it, its opcodes are looked through: every name it
asks for must be one of those that tensors are rebuilt with, and no storage may be larger than the file.
"""

from __future__ import annotations

import pickletools
import re
import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

import torch
from numpy import ndarray
from torch import Tensor

from gradlab.checkpoints.contents import Entry
from gradlab.checkpoints.source import Source
from gradlab.network.modules import HALF

MAGIC = 0x1950A86A20F9469CFC6C  # of the legacy format, its first pickle
MOST_PICKLE_BYTES = 2**26
MOST_DEPTH = 32
MOST_TENSORS = 2**16
NAMES = re.compile(  # what a pickle of tensors, numbers and text asks for; none of these makes more than it is given
    r"collections (OrderedDict|Counter)|builtins (set|complex)|_codecs encode"
    r"|torch (\w+Storage|Size|device|(float|bfloat|u?int|complex)\d+|bool|per_\w+_(affine|symmetric)\w*)"
    r"|torch\.nn\.parameter Parameter|torch\.serialization _get_layout|torch\._tensor _rebuild_from_type_v2"
    r"|torch\._utils _rebuild_(tensor|tensor_v2|parameter|parameter_with_state|sparse_tensor|qtensor"
    r"|meta_tensor_no_storage|device_tensor_from_numpy|device_tensor_from_cpu_tensor)"
)
PLAIN = "save the weights alone: torch.save(model.state_dict(), path)"


def is_legacy(source: Source) -> bool:
    """Whether the first pickle is the magic number of the legacy format."""
    try:
        for opcode, argument, _ in pickletools.genops(source.head(64)):
            if opcode.name == "LONG1":
                return argument == MAGIC
            if opcode.name not in ("PROTO", "FRAME"):
                return False
    except ValueError:
        return False
    return False


def tensors(source: Source, listed: Mapping[str, zipfile.ZipInfo] | None) -> dict[str, Entry]:
    """The tensors by name, the keys above them joined by dots; `listed`, the entries of a zip archive.

    Raises ValueError for what is no weights: code, modules, TorchScript, compressed or damaged archives.
    """
    if listed is None:
        head = source.head(MOST_PICKLE_BYTES)
        stream = BytesIO(head)
        for _ in range(5):  # magic number, protocol, system, the object, the storages' keys
            _refuse_code(stream, source.size)
    else:
        _refuse_archive(source, listed)
    file = str(source.path) if source.data is None else BytesIO(source.data)
    try:
        saved = torch.load(file, map_location="cpu", weights_only=True, mmap=False)
    except Exception as error:  # of whatever kind a damaged pickle ends in
        reason = str(error).split("\n\n")[-1].split("\n")[0][:160]
        raise ValueError(
            "torch.load(weights_only=True) cannot read the file, which is truncated or damaged: "
            f"{type(error).__name__}: {reason}"
        ) from None
    found = dict(_tensors_in(saved))
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
                for tensor in found.values() if _is_plain(tensor)}  # fmt: skip
    if sum(storages.values()) > source.size:
        raise ValueError(f"the file of {source.size} bytes holds tensors of {sum(storages.values())}: it is damaged")
    return {name: entry_of(name, tensor) for name, tensor in found.items()}


def _refuse_archive(source: Source, listed: Mapping[str, zipfile.ZipInfo]) -> None:
    """Raises ValueError for an archive that is no torch.save of tensors."""
    if any("/code/" in name or name.endswith("constants.pkl") for name in listed):
        raise ValueError(f"this is TorchScript, a program whose weights tell nothing of its equations: {PLAIN}")
    if packed := next((name for name, entry in listed.items() if entry.compress_type != zipfile.ZIP_STORED), None):
        raise ValueError(f"the archive's entry {packed[:60]!r} is compressed, which torch.save never does: {PLAIN}")
    if sum(entry.file_size for entry in listed.values()) > source.size:
        raise ValueError(f"the archive of {source.size} bytes says that it holds more: it is damaged")
    pickles = [name for name in listed if name.endswith("data.pkl")]
    if len(pickles) != 1 or pickles[0].count("/") != 1:
        raise ValueError("the archive has not one data.pkl, as torch.save writes it (a .pt2 has several): " + PLAIN)
    if listed[pickles[0]].file_size > MOST_PICKLE_BYTES:
        raise ValueError(f"data.pkl has {listed[pickles[0]].file_size} bytes: at most {MOST_PICKLE_BYTES} are read")
    with source.open() as file, zipfile.ZipFile(file) as archive:
        try:
            pickle = archive.read(pickles[0])
        except Exception as error:  # of whatever kind a damaged archive ends in
            raise ValueError(f"the archive is truncated or damaged: {str(error)[:100]}") from None
    _refuse_code(BytesIO(pickle), source.size)


def _refuse_code(stream: BytesIO, size: int) -> None:
    """Looks through one pickle, running nothing of it. Raises ValueError for a name that no tensor needs, and for a
    storage that is larger than the file."""
    number = 0
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name in ("STACK_GLOBAL", "INST", "OBJ", "EXT1", "EXT2", "EXT4", "NEWOBJ_EX"):
                raise _Refused(f"the pickle builds objects by {opcode.name}, which no tensors need: {PLAIN}")
            if opcode.name == "GLOBAL" and not NAMES.fullmatch(str(argument)):
                name = str(argument).replace(" ", ".")[:100]
                what = "a pickled module or other code" if "." in name else "code"
                raise _Refused(f"the pickle asks for {name}, {what}, and nothing of it was run: {PLAIN}")
            if isinstance(argument, int) and opcode.name.startswith(("BININT", "LONG", "INT")):
                number = argument
            if opcode.name == "BINPERSID" and not 0 <= number <= size:
                raise _Refused(f"a storage of {number} elements is said to be in a file of {size} bytes: it is damaged")
    except _Refused as refused:
        raise ValueError(str(refused)) from None
    except (ValueError, IndexError, KeyError, UnicodeDecodeError) as error:
        raise ValueError(f"the pickle is truncated or damaged: {str(error)[:100]}") from None


class _Refused(Exception):
    """A pickle that is whole and not wanted."""


def _tensors_in(saved: Any) -> Iterator[tuple[str, Tensor]]:
    """Every tensor at any depth, once for each name; a container that stands in several places is looked into once."""
    waiting, seen, count = [("", saved, 0)], set(), 0
    while waiting:
        name, value, depth = waiting.pop()
        if isinstance(value, Tensor):
            count += 1
            if count > MOST_TENSORS:
                raise ValueError(f"the file holds more than {MOST_TENSORS} tensors: save the recurrent weights alone")
            yield name, value
        elif isinstance(value, Mapping | list | tuple):
            if id(value) in seen:
                continue
            seen.add(id(value))
            if depth > MOST_DEPTH:
                raise ValueError(f"the file nests its tensors more than {MOST_DEPTH} deep: save the state_dict alone")
            inside = value.items() if isinstance(value, Mapping) else enumerate(value)
            below = [(f"{name}.{key}" if name else str(key), part, depth + 1) for key, part in inside]
            waiting += reversed(below)


def _is_plain(tensor: Tensor) -> bool:
    return tensor.layout == torch.strided and not tensor.is_quantized and tensor.device.type == "cpu"


def entry_of(name: str, tensor: Tensor) -> Entry:
    """A tensor that is looked at only where its values are asked for."""
    kind = "quantized" if tensor.is_quantized else str(tensor.dtype).removeprefix("torch.")

    def read() -> ndarray:
        if not _is_plain(tensor):
            where = tensor.device.type if tensor.device.type != "cpu" else str(tensor.layout).removeprefix("torch.")
            raise ValueError(f"{name} is a {where} tensor without plain values: save it as a dense tensor of the cpu")
        values = tensor.detach()
        if values.numel() * values.element_size() > values.untyped_storage().nbytes():
            raise ValueError(
                f"{name} has {values.numel()} values in a storage of {values.untyped_storage().nbytes()} bytes: save "
                "it with .contiguous()"
            )
        return (values.float() if kind in HALF else values).numpy()

    return Entry(tuple(tensor.shape), kind, read)
