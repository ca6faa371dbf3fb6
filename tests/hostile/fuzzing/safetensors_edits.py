"""Edits of safetensors files: the length of the header, its JSON, types, shapes and offsets."""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from random import Random
from typing import Any

from hostile.fuzzing.bytewise import INTERESTING, Seeds
from hostile.fuzzing.text_edits import JSON_VALUES, json_value

TYPES = ("BOOL", "U8", "I8", "I16", "U16", "F16", "BF16", "I32", "U32", "F32", "F64", "I64", "U64",
         "F8_E5M2", "F8_E4M3", "F8_E8M0", "F4", "C64", "X", "")  # fmt: skip


def safetensors(rng: Random, content: bytes, seeds: Seeds) -> bytes:
    """Return a safetensors file with another header; data of declared length follow it."""
    (size,) = struct.unpack("<Q", content[:8])
    header, data = json.loads(content[8 : 8 + size]), content[8 + size :]
    for _ in range(rng.choice((1, 1, 2, 3))):
        with suppress(ValueError, TypeError, LookupError, AttributeError):  # edited before
            header, data = rng.choice(EDITS)(rng, header, data)
    text = json.dumps(header).encode()
    if rng.random() < 0.1:
        text += b" " * rng.choice((1, 7, 100))
    length = len(text)
    if rng.random() < 0.1:
        length = rng.choice((*INTERESTING, length - 1, length + 1)) % 2**64
    return struct.pack("<Q", length) + text + data


Header = dict[str, Any]


def _tensor(rng: Random, header: Header) -> str:
    return rng.choice([name for name in header if name != "__metadata__"] or ["__metadata__"])


def other_type(rng: Random, header: Header, data: bytes) -> tuple[Header, bytes]:
    """Declare another type, with as many bytes as it needs where they are known."""
    name, kind = _tensor(rng, header), rng.choice(TYPES)
    return {**header, name: {**header[name], "dtype": kind}}, data


def other_shape(rng: Random, header: Header, data: bytes) -> tuple[Header, bytes]:
    """Declare another shape."""
    name = _tensor(rng, header)
    shape = list(header[name].get("shape", ()))
    others = (shape[::-1], [*shape, 1], shape[1:], [0], [2**31, 2**31], [2**64 - 1], [-1], [1.5],
              [*shape, 0, 2**62], "x", [1] * 100)  # fmt: skip
    return {**header, name: {**header[name], "shape": rng.choice(others)}}, data


def other_offsets(rng: Random, header: Header, data: bytes) -> tuple[Header, bytes]:
    """Declare other places of the data."""
    name = _tensor(rng, header)
    low, high = header[name].get("data_offsets", (0, 0))
    others = ([low, high + 4], [high, low], [0, len(data)], [low + 4, high + 4], [0, 2**63],
              [-4, high], [low], [low, low])  # fmt: skip
    return {**header, name: {**header[name], "data_offsets": rng.choice(others)}}, data


def resized(rng: Random, header: Header, data: bytes) -> tuple[Header, bytes]:
    """Write a consistent file in which one tensor has another type or shape."""
    name, packed = _tensor(rng, header), b""
    kind, item = rng.choice(
        (("F64", 8), ("F16", 2), ("I64", 8), ("U8", 1), ("BOOL", 1), ("F32", 4))
    )
    shape = rng.choice((header[name].get("shape", [1]), [3], [0], [], [1, 1, 1], [100, 100]))
    made: Header = {}
    for key, entry in header.items():
        if key == "__metadata__":
            made[key] = entry
            continue
        start, stop = entry["data_offsets"]
        part = data[start:stop]
        if key == name:
            entry = {"dtype": kind, "shape": shape}
            part = rng.randbytes(1) * _count(shape, item)
        made[key] = {**entry, "data_offsets": [len(packed), len(packed) + len(part)]}
        packed += part
    return made, packed


def _count(shape: list[int], item: int) -> int:
    for size in shape:
        item *= size
    return item


def other_values(rng: Random, header: Header, data: bytes) -> tuple[Header, bytes]:
    """Put nan, infinities and extreme numbers into the data."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 10)) if len(data) >= 8 else 0):
        place = 4 * rng.randrange(len(data) // 4)
        number = rng.choice((float("nan"), float("inf"), 1e38, -1e38, 1e-45, 0.0, -1.0))
        changed[place : place + 4] = struct.pack("<f", number)
    return header, bytes(changed)


def rename(rng: Random, header: Header, data: bytes) -> tuple[Header, bytes]:
    """Call a tensor otherwise, or leave it out."""
    name = _tensor(rng, header)
    changed = {key: value for key, value in header.items() if key != name}
    if rng.random() < 0.7:
        changed[rng.choice((name + "x", "", "a/b", "\x1b[2J\n", "é" * 500))] = header[name]
    return changed, data


def other_metadata(rng: Random, header: Header, data: bytes) -> tuple[Header, bytes]:
    """Edit the JSON that is kept as text in the metadata, or the metadata themselves."""
    metadata = dict(header.get("__metadata__") or {})
    text = metadata.get("neurossm", "{}")
    if rng.random() < 0.3:
        metadata = rng.choice(({}, {"neurossm": "x"}, {"other": "1"}, {"neurossm": ""}))
    elif rng.random() < 0.3:
        metadata["neurossm"] = rng.choice(JSON_VALUES)
    else:
        try:
            metadata["neurossm"] = json.dumps(json_value(rng, json.loads(text)))
        except (ValueError, RecursionError):
            metadata["neurossm"] = text + "}"
    return {**header, "__metadata__": metadata}, data


EDITS = (other_type, other_shape, other_offsets, resized, other_values, rename, other_metadata,
         other_metadata, other_metadata)  # fmt: skip
