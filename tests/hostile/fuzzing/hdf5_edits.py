"""Edits of HDF5 files that know its structure: types, shapes, declared sizes, members, links."""

from __future__ import annotations

import io
import json
import math
import re
import warnings
import zlib
from collections.abc import Callable
from random import Random

import h5py
import numpy as np
from hostile.fuzzing.bytewise import INTERESTING, Seeds, damaged
from hostile.fuzzing.text_edits import json_value

TYPES = ("i1", "<i2", "<i4", "<i8", "u1", "<u8", ">i4", "<f2", "<f4", "<f8", ">f8", "c16", "?",
         "S4", "V3")  # fmt: skip
VALUES = (0, 1, -1, 2, 127, 255, 4096, 2**24, 2**31, 2**62, 2**63 - 1, 0.5, -0.5, 1e-320, 1e300,
          float("nan"), float("inf"), "", "x", "LIF", "NIRGraph", "dense", "\x1b[2J",
          "a\nb")  # fmt: skip
NAMES = ("x", "0", "9", "weight", "type", "values", "\x1b[2J", "a b", "é", "." * 3, "n" * 1500)
ELSEWHERE = "/proc/self/environ"
LARGEST = 2**16
# of heaps, trees, groups, object headers and blocks
SIGNATURES = (b"GCOL", b"HEAP", b"TREE", b"SNOD", b"OHDR", b"OCHK", b"FRHP", b"FHDB", b"BTHD",
              b"BTLF", b"FADB", b"FAHD")  # fmt: skip
# what h5py raises where HDF5 itself cannot write something
IMPOSSIBLE = (OSError, RuntimeError, ValueError, TypeError, LookupError, OverflowError)


def hdf5(rng: Random, content: bytes, seeds: Seeds) -> bytes:
    """Return an HDF5 file after one to three edits, sometimes damaged on top."""
    buffer = io.BytesIO(content)
    with h5py.File(buffer, "r+") as file, warnings.catch_warnings(action="ignore"):
        for _ in range(rng.choice((1, 1, 2, 3))):
            edit = rng.choice(EDITS)
            try:
                edit(rng, file)
            except IMPOSSIBLE:
                continue
    made = buffer.getvalue()
    return damaged(rng, made, seeds) if rng.random() < 0.1 else made


def structures(rng: Random, content: bytes, seeds: Seeds) -> bytes:
    """Return an HDF5 file damaged where the library keeps its own books, behind a signature."""
    signature = rng.choice([one for one in SIGNATURES if one in content] or [b""])
    places = [found.start() for found in re.finditer(re.escape(signature), content)]
    data = bytearray(content)
    for _ in range(rng.choice((1, 2, 4))):
        place = min(rng.choice(places) + rng.randrange(200), len(data) - 9)
        if rng.random() < 0.5:
            data[place] = rng.choice((0, 1, 8, 16, 255, rng.randrange(256)))
        else:
            number = rng.choice((*INTERESTING, len(data), places[0]))
            data[place : place + 8] = number.to_bytes(8, "little")
    return bytes(data)


def _members(file: h5py.File, kind: type) -> list[str]:
    """Return names of datasets or groups; links that lead nowhere are left out."""
    found: list[str] = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, kind) else None)
    return sorted(found)


def _dataset(rng: Random, file: h5py.File) -> h5py.Dataset:
    """Return a dataset that can be read here; an edit before may have made it huge or a pipe."""
    found = [file[name] for name in _members(file, h5py.Dataset)]
    return rng.choice([
        one for one in found
        if max(one.size or 0, math.prod(one.chunks or ())) <= LARGEST
        and not (one.is_virtual or one.external)
    ])  # fmt: skip


def _group(rng: Random, file: h5py.File) -> h5py.Group:
    return file[rng.choice(_members(file, h5py.Group))]


def _replaced(file: h5py.File, name: str, **options: object) -> None:
    del file[name]
    file.create_dataset(name, **options)


def other_type(rng: Random, file: h5py.File) -> None:
    """Write the same numbers in another type."""
    old = _dataset(rng, file)
    data = np.zeros(old.shape) if old.dtype.kind in "OSV" else old[()]
    with np.errstate(all="ignore"):
        _replaced(file, old.name, data=np.asarray(data).astype(rng.choice(TYPES)))


def other_shape(rng: Random, file: h5py.File) -> None:
    """Write the same numbers with another shape, or a part of them."""
    old = _dataset(rng, file)
    data = np.asarray(old[()])
    ways: tuple[Callable[[], object], ...] = (
        lambda: data.reshape(-1), lambda: data[None], lambda: data.T, lambda: data[..., None],
        lambda: data.reshape(-1)[:1], lambda: data.reshape(-1)[:0], lambda: data.reshape(-1)[0],
        lambda: np.concatenate([data, data]), lambda: data[:1], lambda: np.zeros((1,) * 9),
        lambda: np.resize(data, (3, 5)), lambda: h5py.Empty("f4"),
    )  # fmt: skip
    _replaced(file, old.name, data=rng.choice(ways)())


def huge(rng: Random, file: h5py.File) -> None:
    """Declare far more than there is, in several layouts."""
    name = _dataset(rng, file).name
    size, kind = rng.choice((2**20, 2**24, 2**31, 2**40, 2**60)), rng.choice(("i1", "<f4", "<f8"))
    options: tuple[dict[str, object], ...] = (
        {"shape": (size,)},
        {"shape": (size,), "chunks": (1024,)},
        {"shape": (size,), "chunks": (2**20,), "compression": "gzip"},
        {"shape": (size, size), "chunks": (1, 64)},
        {"shape": (2**20,), "chunks": (1,)},
        {"shape": (3, 2), "maxshape": (None, 2), "chunks": (2**27, 2)},
    )
    _replaced(file, name, dtype=kind, **rng.choice(options))


def bomb(rng: Random, file: h5py.File) -> None:
    """Write chunks that inflate to far more than the file has bytes."""
    name = _dataset(rng, file).name
    part, count = rng.choice(((2**16, 4), (2**18, 64), (2**22, 20))), rng.choice((1, 8))
    size, chunks = part
    del file[name]
    made = file.create_dataset(name, (size * chunks,), "i1", chunks=(size,), compression="gzip")
    packed = zlib.compress(bytes(size * count), 1)
    for index in range(chunks):
        made.id.write_direct_chunk((index * size,), packed)


def other_packing(rng: Random, file: h5py.File) -> None:
    """Write the same numbers in chunks, by filters that are known and unknown to a reader."""
    old = _dataset(rng, file)
    data = np.atleast_1d(np.asarray(old[()]))
    options: tuple[dict[str, object], ...] = (
        {"compression": "gzip"}, {"compression": "gzip", "shuffle": True}, {"compression": "lzf"},
        {"fletcher32": True}, {"chunks": (1,) * data.ndim}, {"scaleoffset": 0},
    )  # fmt: skip
    _replaced(file, old.name, data=data, **rng.choice(options))


def other_values(rng: Random, file: h5py.File) -> None:
    """Put extreme numbers into an array."""
    data = _dataset(rng, file)
    array = np.array(data[()])
    if array.dtype.kind not in "iuf" or not array.size:
        return
    flat = array.reshape(-1)
    for _ in range(rng.choice((1, 1, 5))):
        number = rng.choice([value for value in VALUES if not isinstance(value, str)])
        with np.errstate(all="ignore"):
            flat[rng.randrange(flat.size)] = np.asarray(number).astype(array.dtype)
    data[...] = array


def other_text(rng: Random, file: h5py.File) -> None:
    """Put another text in the place of one."""
    texts = [name for name in _members(file, h5py.Dataset) if file[name].dtype.kind in "SO"]
    if texts:
        name = rng.choice(texts)
        others = ("", "x", "LIF", "LI", "Affine", "NIRGraph", "conv", "\x1b[2J\n", "a" * 9000,
                  b"\xff\xfe", np.bytes_(b"CUBA"), ["a", "b"], 3)  # fmt: skip
        _replaced(file, name, data=rng.choice(others))


def inner_json(rng: Random, file: h5py.File) -> None:
    """Edit a text that is JSON."""
    for name in _members(file, h5py.Dataset):
        data = file[name]
        if data.dtype.kind == "O" and data.shape == () and data[()].startswith(b"{"):
            document = json.loads(data[()])
            for _ in range(rng.choice((1, 1, 3))):
                document = json_value(rng, document)
            _replaced(file, name, data=json.dumps(document))


def attribute(rng: Random, file: h5py.File) -> None:
    """Change, add or remove an attribute."""
    item = rng.choice((_group, _dataset))(rng, file)
    names = sorted(item.attrs)
    name = rng.choice((*names, *names, "x"))
    if rng.random() < 0.3:
        item.attrs.pop(name, None)
    else:
        value = rng.choice((*VALUES, np.int8(3), np.zeros(3), np.bytes_(b"x" * 5000)))
        item.attrs.create(name, value)


def missing(rng: Random, file: h5py.File) -> None:
    """Take a member out."""
    del file[rng.choice((_group, _dataset))(rng, file).name]


def extra(rng: Random, file: h5py.File) -> None:
    """Add a member that no format names."""
    group, name = _group(rng, file), rng.choice(NAMES)
    value = rng.choice((np.zeros(3), 3, "text", np.zeros(0), "group"))
    if isinstance(value, str) and value == "group":
        group.create_group(name)
    else:
        group[name] = value


def moved(rng: Random, file: h5py.File) -> None:
    """Give a member another name, or the place of another."""
    item = rng.choice((_group, _dataset))(rng, file)
    file.move(item.name, f"{item.parent.name}/{rng.choice(NAMES)}")


def copied(rng: Random, file: h5py.File) -> None:
    """Write one member over another."""
    source, target = (rng.choice((_group, _dataset))(rng, file).name for _ in range(2))
    if source.startswith(target) or target.startswith(source):
        return
    if any((file[name].size or 0) > LARGEST for name in _members(file, h5py.Dataset)):
        return  # what is declared only would be written when it is copied
    del file[target]
    file.copy(source, target)


def linked(rng: Random, file: h5py.File) -> None:
    """Put a link in the place of a member: within the file, to itself, out of it."""
    name = rng.choice((_group, _dataset))(rng, file).name
    other = _dataset(rng, file).name
    link = rng.choice((
        h5py.SoftLink("/nowhere"), h5py.SoftLink(other), h5py.SoftLink(name),
        h5py.ExternalLink(ELSEWHERE, "/"), h5py.ExternalLink("pipe", "/"), file[other],
        file[name].parent,
    ))  # fmt: skip
    del file[name]
    file[name] = link


def elsewhere(rng: Random, file: h5py.File) -> None:
    """Say that the data are in another file; reading a pipe would wait for ever."""
    name, source = _dataset(rng, file).name, rng.choice((ELSEWHERE, "pipe"))
    if rng.random() < 0.5:
        _replaced(file, name, shape=(3, 2), dtype="i1", external=[(source, 0, 6)])
        return
    layout = h5py.VirtualLayout((3, 2), "i1")
    layout[:] = h5py.VirtualSource(source, "x", (3, 2))
    del file[name]
    file.create_virtual_dataset(name, layout)


EDITS = (other_type, other_type, other_shape, other_shape, huge, bomb, other_packing, other_values,
         other_values, other_values, other_text, inner_json, attribute, missing, extra, moved,
         copied, linked, elsewhere)  # fmt: skip
