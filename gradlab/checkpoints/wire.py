"""How many messages a protobuf of ONNX holds, counted before it is parsed: an empty one of two bytes takes 150."""

from __future__ import annotations

from collections.abc import Mapping

MOST_FIELDS = 2**20
BYTES_A_FIELD = 8  # of messages that are not looked into: so many bytes count as one field
VARINT, EIGHT, DELIMITED, FOUR = 0, 1, 2, 5  # wire types
MODEL, GRAPH, NODE, ATTRIBUTE = "model", "graph", "node", "attribute"
INSIDE: Mapping[str, Mapping[int, str]] = {  # field numbers of the messages that are looked into
    MODEL: {7: GRAPH},
    GRAPH: {1: NODE},
    NODE: {5: ATTRIBUTE},
    ATTRIBUTE: {6: GRAPH, 11: GRAPH},
}
TENSORS = {(GRAPH, 5), (ATTRIBUTE, 5), (ATTRIBUTE, 10)}  # a tensor's values count as what they are: bytes


def refuse_many_messages(data: bytes) -> None:
    """Raises ValueError for more than `MOST_FIELDS` fields, and where a length reaches beyond the end."""
    left, waiting = MOST_FIELDS, [(MODEL, 0, len(data))]
    while waiting:
        kind, at, end = waiting.pop()
        while at < end:
            tag, at = _varint(data, at, end)
            number, wire = tag >> 3, tag & 7
            left -= 1
            if wire == VARINT:
                _, at = _varint(data, at, end)
            elif wire in (EIGHT, FOUR):
                at += 8 if wire == EIGHT else 4
            elif wire == DELIMITED:
                length, at = _varint(data, at, end)
                if at + length > end:
                    raise ValueError("the ONNX file is truncated or damaged: a field reaches beyond the end")
                if inside := INSIDE[kind].get(number):
                    waiting.append((inside, at, at + length))
                elif (kind, number) not in TENSORS:
                    left -= length // BYTES_A_FIELD
                at += length
            else:
                raise ValueError(f"the ONNX file is truncated or damaged: it has a field of wire type {wire}")
            if left < 0:
                raise ValueError(f"the ONNX file holds more than {MOST_FIELDS} fields: keep the recurrent part alone")


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    value, shift = 0, 0
    while at < end and shift < 70:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
    raise ValueError("the ONNX file is truncated or damaged: a number has no end")
