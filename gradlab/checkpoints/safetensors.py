"""`.safetensors`: a header and the tensors' bytes. The library checks offsets and sizes, and maps the file."""

from __future__ import annotations

import json
from collections.abc import Mapping

from safetensors import SafetensorError, safe_open
from safetensors.torch import load
from torch import Tensor

from gradlab.checkpoints.contents import Entry
from gradlab.checkpoints.source import Source
from gradlab.checkpoints.torch_files import entry_of

MOST_HEADER_BYTES = 2**23
MOST_TENSORS = 2**16
NETWORK_OF_WATCH = "gradlab network"  # the beginning of its format


def header_bytes(source: Source) -> int | None:
    """The header's length where the file begins as safetensors do, whatever the length then proves to be."""
    head = source.head(16)
    return int.from_bytes(head[:8], "little") if head[8:9] == b"{" else None


def tensors(source: Source) -> tuple[dict[str, Entry], str | None]:
    """(tensors, the cell that the metadata of a run of gradlab names). Raises ValueError for a damaged file."""
    size = header_bytes(source) or 0
    if size > min(source.size - 8, MOST_HEADER_BYTES):
        raise ValueError(
            f"the header of {size} bytes does not fit: the file has {source.size} bytes, and headers of at most "
            f"{MOST_HEADER_BYTES} are read"
        )
    metadata = _metadata(source.head(8 + size)[8:])
    try:
        if source.data is not None:
            read: Mapping[str, Tensor] = load(source.data)
        else:
            with safe_open(source.path, framework="pt") as file:
                read = {name: file.get_tensor(name) for name in list(file.keys())}
    except (SafetensorError, ValueError, RuntimeError, KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"the safetensors file is damaged: {str(error)[:200]}") from None
    return {name: entry_of(name, tensor) for name, tensor in read.items()}, _cell_of(metadata)


def _metadata(header: bytes) -> object:
    """What the file says of itself. Raises ValueError for a header that cannot be read, or of too many tensors."""
    try:
        parsed = json.loads(header)
    except (ValueError, RecursionError):
        raise ValueError("the safetensors file is damaged: its header is no JSON") from None
    if not isinstance(parsed, dict) or len(parsed) > MOST_TENSORS:
        raise ValueError(f"the safetensors header is no dictionary of at most {MOST_TENSORS} tensors")
    return parsed.get("__metadata__")


def _cell_of(metadata: object) -> str | None:
    """The cell of a run that gradlab kept. Raises ValueError for a network that gradlab.watch wrote."""
    try:
        about = json.loads(metadata["gradlab"])  # type: ignore[index]
        if str(about["format"]).startswith(NETWORK_OF_WATCH):
            raise ValueError(
                "this is a network that gradlab.watch wrote, with its batch: read it with gradlab.watching.network.read"
            )
        cell = about["experiment"]["cell"]
    except (KeyError, TypeError, json.JSONDecodeError, RecursionError):
        return None
    return cell if isinstance(cell, str) else None
